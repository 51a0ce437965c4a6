//! Bodies in the log: only where they are wanted, and no more of them than may be.

use crate::support::client;
use crate::support::gateway::Gateway;
use crate::support::upstream::{
    Request, Step, Upstream, answer, chunk, json, last_chunk, sse_head,
};
use crate::{ANT, CHAT, COMPLETION, MESSAGE, OAI};
use serde_json::Value;

const ON: &str = "x-portkey-debug: true";
const OFF: &str = "x-portkey-debug: false";
const EITHER: &str = r#"x-portkey-config: {"strategy":{"mode":"fallback"},"targets":[{"virtual_key":"oai"},{"virtual_key":"ant"}]}"#;

fn provider(request: &Request, _: usize) -> Vec<Step> {
    let text = String::from_utf8_lossy(&request.body).into_owned();
    let event = |text: &str| {
        chunk(&format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"))
    };
    match () {
        () if request.path.ends_with("/messages") => json(200, MESSAGE),
        () if request.path.ends_with("/speech") => {
            answer(200, "content-type: audio/mpeg\r\n", "sound of SECRET")
        }
        () if text.contains("fail") => json(500, r#"{"error":{"message":"broken","type":"x"}}"#),
        () if text.contains("\"stream\":true") => {
            vec![sse_head(), event("one"), event("two"), chunk("data: [DONE]\n\n"), last_chunk()]
        }
        () => json(200, COMPLETION),
    }
}

/// The bodies in the log of each request: (headers, path, body).
fn logged(more: &str, requests: &[(&[&str], &str, &str)]) -> Vec<(Value, Value)> {
    let upstream = Upstream::start(provider);
    let yaml = [crate::virtual_keys(upstream.port, upstream.port).as_str(), more].concat();
    let gateway = Gateway::start(&yaml);
    for (at, (headers, path, body)) in requests.iter().enumerate() {
        let trace = format!("x-portkey-trace-id: {at}");
        let mut headers = [*headers, &[trace.as_str()]].concat();
        if !headers.iter().any(|header| header.starts_with("content-type")) {
            headers.push("content-type: application/json");
        }
        client::send(gateway.port, "POST", path, &headers, body.as_bytes());
    }
    let mut lines = gateway.log(requests.len());
    lines.sort_by_key(|line| line["trace_id"].to_string());
    gateway.assert_healthy();
    let bodies = |line: &Value| {
        assert!(!line.to_string().contains("sk-"), "a credential in {line}");
        (line["request_body"].clone(), line["response_body"].clone())
    };
    lines.iter().map(bodies).collect()
}

const PATH: &str = "/v1/chat/completions";

#[test]
fn there_are_no_bodies_unless_gateway_yaml_and_the_request_want_them() {
    let none = (Value::Null, Value::Null);
    let all: [(&[&str], &str, &str); 3] =
        [(&[OAI], PATH, CHAT), (&[OAI, ON], PATH, CHAT), (&[OAI, OFF], PATH, CHAT)];
    let both = (CHAT.into(), COMPLETION.into());
    assert_eq!(logged("", &all), vec![none.clone(); 3]);
    assert_eq!(logged("log_bodies: {}\n", &all), [none.clone(), both.clone(), none.clone()]);
    let on = logged("log_bodies: {default: true}\n", &all);
    assert_eq!(on, [both.clone(), both.clone(), none.clone()]);
    let callers =
        "log_bodies: {}\napi_keys:\n  a: {key: key-a, log_bodies: true}\n  b: {key: key-b}\n";
    let (a, b) = ("x-portkey-api-key: key-a", "x-portkey-api-key: key-b");
    let found = logged(
        callers,
        &[(&[OAI, a], PATH, CHAT), (&[OAI, a, OFF], PATH, CHAT), (&[OAI, b], PATH, CHAT)],
    );
    assert_eq!(found, [both, none.clone(), none]);
}

#[test]
fn they_are_what_the_client_sent_and_got() {
    let stream = CHAT.replace("\"m\"", "\"m\",\"stream\":true");
    let fail = CHAT.replace("hi", "fail");
    let broken = "{\"model\":\"m\", SECRET}";
    let speech = r#"{"model":"m","input":"hi","voice":"a"}"#;
    let multipart = "content-type: multipart/form-data; boundary=b";
    let upload =
        "--b\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nSECRET\r\n--b--\r\n";
    let kept = r#"x-portkey-config: {"virtual_key":"oai","cache":{"mode":"simple"}}"#;
    let found = logged(
        "log_bodies: {default: true}\n",
        &[
            (&[ANT], PATH, CHAT),
            (&[OAI], PATH, &stream),
            (&[EITHER], PATH, &fail),
            (&[OAI], PATH, &fail),
            (&[OAI], PATH, broken),
            (&[OAI], "/v1/audio/speech", speech),
            (&[OAI, multipart], "/v1/files", upload),
            (&[kept], PATH, CHAT),
            (&[kept], PATH, CHAT),
        ],
    );
    let answer = |at: usize| found[at].1.as_str().unwrap_or_default();
    let part = |at: usize, pointer: &str| {
        let answer: Value = serde_json::from_str(answer(at)).unwrap();
        answer.pointer(pointer).cloned().unwrap_or_default()
    };
    assert_eq!(part(0, "/choices/0/message/content"), "hello", "translated");
    assert!(answer(1).contains("one") && answer(1).ends_with("data: [DONE]\n\n"), "{}", answer(1));
    assert_eq!(part(2, "/choices/0/message/content"), "hello", "the fallback's");
    assert_eq!(part(3, "/error/message"), "openai error: broken");
    assert_eq!((&found[4].0, part(4, "/error/code")), (&Value::Null, "invalid_json".into()));
    assert_eq!(found[5], (speech.into(), Value::Null));
    assert_eq!((&found[6].0, answer(6)), (&Value::Null, COMPLETION));
    assert_eq!((answer(7), answer(8)), (COMPLETION, COMPLETION), "a miss, and the hit");
}

#[test]
fn they_are_capped_and_redacted() {
    let stream = CHAT.replace("\"m\"", "\"m\",\"stream\":true");
    let long = CHAT.replace("\"m\"", &format!("\"{}\"", "m".repeat(300)));
    let yaml = "log_bodies: {default: true, max_bytes: 200, redact: [content]}\n";
    let found =
        logged(yaml, &[(&[OAI], PATH, CHAT), (&[OAI], PATH, &stream), (&[OAI], PATH, &long)]);
    for (request, answer) in &found {
        let text = format!("{request}{answer}");
        for secret in ["hi", "hello", "one", "two"] {
            assert!(!text.contains(&format!("\\\"{secret}\\\"")), "{text}");
        }
    }
    let redacted = CHAT.replace("\"hi\"", "\"[redacted]\"");
    assert_eq!(found[0].0, redacted);
    assert!(found[0].1.as_str().unwrap().ends_with("[truncated]"), "{found:?}");
    assert!(found[1].1.as_str().unwrap().contains("{\"content\":\"[redacted]\"}"), "{found:?}");
    let cut = found[2].0.as_str().unwrap().strip_suffix("[truncated]").unwrap();
    assert_eq!(cut, &long[..200]);
}
