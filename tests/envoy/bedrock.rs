//! Bedrock behind the gateway: who signs and what, AWS's frames, and that no signature goes to
//! another provider. `tests/langchain` has AWS's own code check the signatures.

use super::support::client;
use super::support::gateway::Gateway;
use super::support::upstream::{Request, Step, Upstream, answer, json, last_chunk};
use super::{CHAT, CHAT_STREAM, COMPLETION};
use serde_json::Value;
use std::time::Duration;

const ANSWER: &str = r#"{"output":{"message":{"role":"assistant","content":[{"text":"hello"}]}},"stopReason":"end_turn","usage":{"inputTokens":5,"outputTokens":6,"totalTokens":11},"metrics":{"latencyMs":3}}"#;

const KEYS: [&str; 4] = [
    "x-portkey-provider: bedrock",
    "x-portkey-aws-access-key-id: AKIDCALLER",
    "x-portkey-aws-secret-access-key: caller-secret",
    "x-portkey-aws-region: eu-west-3",
];

/// A stream of fixtures, in AWS's frames.
fn frames(name: &str) -> Vec<u8> {
    let root = env!("CARGO_MANIFEST_DIR");
    std::fs::read(format!("{root}/tests/fixtures/bedrock/stream/{name}.in.bin")).unwrap()
}

fn head() -> Step {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\n\
                transfer-encoding: chunked\r\n\r\n";
    Step::Write(head.into())
}

fn chunk(bytes: &[u8]) -> Step {
    Step::Write([format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat())
}

/// An answer of these frames, in one piece.
fn streamed(name: &str) -> Vec<Step> {
    let frames = frames(name);
    let body = (!frames.is_empty()).then(|| chunk(&frames));
    [head()].into_iter().chain(body).chain([last_chunk()]).collect()
}

fn gateway(bedrock: u16, openai: u16) -> Gateway {
    Gateway::start(&format!(
        "providers:\n  bedrock: {{base_url: 'http://127.0.0.1:{bedrock}'}}\n\
         virtual_keys:\n  \
         br: {{provider: bedrock, aws_region: eu-west-1, aws_access_key_id: AKIDOPERATOR, \
         aws_secret_access_key: operator-secret, aws_session_token: operator-token/+==}}\n  \
         key: {{provider: bedrock, api_key: bedrock-api-key}}\n  \
         oai: {{provider: openai, api_key: sk-oai-secret, base_url: 'http://127.0.0.1:{openai}/v1'}}\n"
    ))
}

/// Checks that a request has a signature and nothing else that is a credential.
fn check_signed(request: &Request, key: &str, region: &str, token: Option<&str>) {
    let signature = request.header("authorization").unwrap();
    let day = request.header("x-amz-date").unwrap().get(..8).unwrap();
    let names = match token {
        Some(_) => "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token",
        None => "content-type;host;x-amz-content-sha256;x-amz-date",
    };
    let expected = format!(
        "AWS4-HMAC-SHA256 Credential={key}/{day}/{region}/bedrock/aws4_request, \
         SignedHeaders={names}, Signature="
    );
    // Envoy has no blanks behind the commas.
    let [signature, expected] = [signature, &expected].map(|text| text.replace(", ", ","));
    assert!(signature.starts_with(&expected), "{signature}\n{expected}");
    assert_eq!(request.header("x-amz-security-token"), token);
    let credentials = request.headers.iter().filter(|(name, _)| name == "authorization");
    assert_eq!(credentials.count(), 1);
    assert!(!request.headers.iter().any(|(name, _)| name.starts_with("x-portkey-")));
}

#[test]
fn a_chat_is_signed_by_envoy_for_a_virtual_key() {
    let upstream = Upstream::answering(json(200, ANSWER));
    let gateway = gateway(upstream.port, 9);
    let body = CHAT.replace("\"m\"", "\"amazon.nova-lite-v1:0\"");
    let headers = ["x-portkey-virtual-key: br", "authorization: Bearer X", "x-amz-date: forged"];
    let response = gateway.chat(&headers, &body);
    let answer = response.json();
    assert_eq!(answer["choices"][0]["message"]["content"], "hello", "{}", response.text());
    assert_eq!(answer["model"], "amazon.nova-lite-v1:0");
    assert_eq!(answer["usage"]["total_tokens"], 11);
    assert_eq!(response.header("x-portkey-provider"), Some("bedrock"));
    let request = upstream.request();
    assert_eq!(request.path, "/model/amazon.nova-lite-v1%3A0/converse");
    assert_eq!(request.json()["messages"][0]["content"][0]["text"], "hi");
    check_signed(&request, "AKIDOPERATOR", "eu-west-1", Some("operator-token/+=="));
    let record = &gateway.log(1)[0];
    assert_eq!((&record["total_tokens"], &record["provider"]), (&11.into(), &"bedrock".into()));
    let dump = client::send(gateway.admin, "GET", "/config_dump", &[], b"").text();
    assert!(dump.contains("aws_request_signing"));
    assert!(!dump.contains("operator-secret") && !dump.contains("operator-token"), "a leak");
    gateway.assert_healthy();
}

#[test]
fn a_chat_is_signed_with_the_callers_keys_or_goes_with_an_api_key() {
    let upstream = Upstream::answering(json(200, ANSWER));
    let gateway = gateway(upstream.port, 9);
    let own = [KEYS[0], KEYS[1], KEYS[2], KEYS[3], "authorization: Bearer X"];
    assert_eq!(gateway.chat(&own, CHAT).status, 200);
    let session = [KEYS[0], KEYS[1], KEYS[2], "x-portkey-aws-session-token: tok+en/=="];
    assert_eq!(gateway.chat(&session, CHAT).status, 200);
    let config = r#"x-portkey-config: {"provider":"bedrock","aws_access_key_id":"AKIDCONFIG","aws_secret_access_key":"s","aws_region":"ap-south-1","request_timeout":30000,"retry":{"attempts":1}}"#;
    assert_eq!(gateway.chat(&[config], CHAT).status, 200);
    let bearer = ["x-portkey-provider: bedrock", "authorization: Bearer own-api-key"];
    assert_eq!(gateway.chat(&bearer, CHAT).status, 200);
    assert_eq!(gateway.chat(&["x-portkey-virtual-key: key"], CHAT).status, 200);
    let requests = upstream.requests();
    check_signed(&requests[0], "AKIDCALLER", "eu-west-3", None);
    check_signed(&requests[1], "AKIDCALLER", "us-east-1", Some("tok+en/=="));
    check_signed(&requests[2], "AKIDCONFIG", "ap-south-1", None);
    for (request, key) in requests[3..].iter().zip(["own-api-key", "bedrock-api-key"]) {
        assert_eq!(request.header("authorization"), Some(format!("Bearer {key}").as_str()));
        assert!(!request.headers.iter().any(|(name, _)| name.starts_with("x-amz-")));
    }
    gateway.assert_healthy();
}

#[test]
fn without_a_credential_nothing_is_sent() {
    let upstream = Upstream::answering(json(200, ANSWER));
    let gateway = gateway(upstream.port, 9);
    for headers in [
        vec![KEYS[0]],
        vec![KEYS[0], KEYS[1]],
        vec![KEYS[0], KEYS[1], KEYS[2], "x-portkey-aws-auth-type: assumedRole"],
        vec![KEYS[0], "x-portkey-aws-auth-type: serviceRole"],
    ] {
        let response = gateway.chat(&headers, CHAT);
        let code = response.json()["error"]["code"].clone();
        assert_eq!((response.status, code), (400, "missing_credential".into()), "{headers:?}");
    }
    let traversal = gateway.chat(&KEYS, &CHAT.replace("\"m\"", "\"..\""));
    assert_eq!(traversal.status, 400);
    assert!(upstream.requests().is_empty());
    gateway.assert_healthy();
}

#[test]
fn frames_are_translated_as_they_come() {
    let frames = frames("text");
    let mut steps = vec![head()];
    for (at, piece) in frames.chunks(101).enumerate() {
        steps.extend((at == 3).then_some(Step::Sleep(Duration::from_millis(300))));
        steps.push(chunk(piece));
    }
    steps.push(last_chunk());
    let upstream = Upstream::answering(steps);
    let gateway = gateway(upstream.port, 9);
    let response = gateway.chat(&["x-portkey-virtual-key: br"], CHAT_STREAM);
    assert_eq!(response.header("content-type"), Some("text/event-stream"));
    let text = response.text();
    let events: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let [chunks @ .., "[DONE]"] = events.as_slice() else { panic!("{text}") };
    let chunks: Vec<Value> = chunks.iter().map(|it| serde_json::from_str(it).unwrap()).collect();
    let said: String =
        chunks.iter().filter_map(|it| it["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(said, "Ćwierć 日 🐝 \"x\"\n");
    assert_eq!(chunks.last().unwrap()["usage"]["total_tokens"], 23);
    assert!(response.whole && response.arrivals.len() > 1);
    assert!(response.arrivals[0] + Duration::from_millis(200) < *response.arrivals.last().unwrap());
    assert_eq!(upstream.request().path, "/model/m/converse-stream");
    let record = &gateway.log(1)[0];
    assert_eq!((&record["complete"], &record["total_tokens"]), (&true.into(), &23.into()));
    gateway.assert_healthy();
}

#[test]
fn a_stream_that_breaks_off_ends_in_an_error() {
    for name in ["truncated-in-frame", "truncated-before-metadata", "damaged", "exception-later"] {
        let upstream = Upstream::answering(streamed(name));
        let gateway = gateway(upstream.port, 9);
        let text = gateway.chat(&["x-portkey-virtual-key: br"], CHAT_STREAM).text();
        let last = text.trim_end().lines().last().unwrap();
        assert!(
            last.starts_with("data: {\"error\":") && !text.contains("[DONE]"),
            "{name}: {text}"
        );
        assert!(!gateway.log(1)[0]["error_type"].is_null(), "{name}");
        gateway.assert_healthy();
    }
}

#[test]
fn no_signature_goes_to_another_provider() {
    let failing =
        |_: &Request, number| if number == 0 { json(500, "{}") } else { json(200, ANSWER) };
    let bedrock = Upstream::start(failing);
    let openai = Upstream::start(
        |_, number| {
            if number == 0 { json(200, COMPLETION) } else { json(500, "{}") }
        },
    );
    let gateway = gateway(bedrock.port, openai.port);
    let config = |first: &str, second: &str| {
        format!(
            "x-portkey-config: {{\"strategy\":{{\"mode\":\"fallback\"}},\"targets\":\
             [{{{first}}},{{{second}}}]}}"
        )
    };
    let (oai, br) = ("\"virtual_key\":\"oai\"", "\"virtual_key\":\"br\"");
    let own = "\"provider\":\"bedrock\",\"aws_access_key_id\":\"AKIDCALLER\",\
               \"aws_secret_access_key\":\"s\"";
    // Bedrock fails, OpenAI answers; OpenAI fails, Bedrock answers, once for each signer.
    for config in [config(br, oai), config(oai, br), config(oai, own)] {
        let response = gateway.chat(&[&config], CHAT);
        assert_eq!(response.json()["choices"][0]["message"]["content"], "hello");
    }
    assert_eq!((bedrock.requests().len(), openai.requests().len()), (3, 3));
    for request in openai.requests() {
        assert_eq!(request.header("authorization"), Some("Bearer sk-oai-secret"));
        assert!(!request.headers.iter().any(|(name, _)| name.starts_with("x-amz-")));
        assert_eq!(request.path, "/v1/chat/completions");
        assert_eq!(request.body, CHAT.as_bytes());
    }
    let requests = bedrock.requests();
    check_signed(&requests[0], "AKIDOPERATOR", "eu-west-1", Some("operator-token/+=="));
    check_signed(&requests[1], "AKIDOPERATOR", "eu-west-1", Some("operator-token/+=="));
    check_signed(&requests[2], "AKIDCALLER", "us-east-1", None);
    gateway.assert_healthy();
}

#[test]
fn an_exception_before_any_content_goes_on_to_the_next_target() {
    let bedrock = Upstream::answering(streamed("exception-first"));
    let openai = Upstream::answering(json(200, COMPLETION));
    let gateway = gateway(bedrock.port, openai.port);
    let config = r#"x-portkey-config: {"strategy":{"mode":"fallback","on_status_codes":[429]},"targets":[{"virtual_key":"br"},{"virtual_key":"oai"}]}"#;
    let response = gateway.chat(&[config], CHAT_STREAM);
    assert_eq!(response.json()["choices"][0]["message"]["content"], "hello");
    assert_eq!(response.header("x-portkey-last-used-option-index"), Some("config.targets[1]"));
    let single = gateway.chat(&["x-portkey-virtual-key: br"], CHAT_STREAM);
    assert!(single.text().contains("Too many requests"), "{}", single.text());
    gateway.assert_healthy();
}

#[test]
fn sagemaker_gets_the_body_as_it_is_and_signed() {
    let upstream = Upstream::answering(json(200, "{\"generated\":1}"));
    let gateway = Gateway::start(&format!(
        "providers:\n  sagemaker: {{base_url: 'http://127.0.0.1:{}'}}\n",
        upstream.port
    ));
    let headers = [
        "content-type: application/json",
        "x-portkey-provider: sagemaker",
        KEYS[1],
        KEYS[2],
        KEYS[3],
        "x-portkey-amzn-sagemaker-target-model: model.tar.gz",
    ];
    let body = b"{\"inputs\": \"x\"}";
    let path = "/v1/endpoints/mine/invocations";
    let response = client::send(gateway.port, "POST", path, &headers, body);
    assert_eq!((response.status, response.text().as_str()), (200, "{\"generated\":1}"));
    let request = upstream.request();
    assert_eq!(
        (request.path.as_str(), request.body.as_slice()),
        ("/endpoints/mine/invocations", &body[..])
    );
    assert_eq!(request.header("x-amzn-sagemaker-target-model"), Some("model.tar.gz"));
    let signature = request.header("authorization").unwrap();
    assert!(signature.contains("/eu-west-3/sagemaker/aws4_request, "), "{signature}");
    gateway.assert_healthy();
}

const TITAN: &str = r#"{"results":[{"outputText":" a","completionReason":"FINISH","tokenCount":2}],"inputTextTokenCount":3}"#;

/// A request of an operation that goes through InvokeModel.
fn ask(gateway: &Gateway, path: &str, body: &str) -> client::Response {
    let mut headers = KEYS.to_vec();
    headers.push("content-type: application/json");
    client::send(gateway.port, "POST", path, &headers, body.as_bytes())
}

#[test]
fn models_are_invoked_in_their_own_formats() {
    let counted = "content-type: application/json\r\nx-amzn-bedrock-input-token-count: 9\r\n";
    let upstream = Upstream::start(move |_, at| match at {
        0 => answer(200, counted, r#"{"embeddings":{"float":[[0.5,-1]]}}"#),
        1 => json(200, TITAN),
        2 => json(200, r#"{"images":["AA=="],"finish_reasons":[null]}"#),
        3 => json(200, r#"{"inputTokens":17}"#),
        _ => json(400, r#"{"message":"no such model"}"#),
    });
    let gateway = gateway(upstream.port, 9);
    let embedded = ask(
        &gateway,
        "/v1/embeddings",
        r#"{"model":"cohere.embed-english-v3","input":"a","input_type":"clustering"}"#,
    );
    assert_eq!(embedded.json()["data"][0]["embedding"][1], -1, "{}", embedded.text());
    assert_eq!(embedded.json()["usage"]["prompt_tokens"], 9);
    let completed = ask(
        &gateway,
        "/v1/completions",
        r#"{"model":"amazon.titan-text-lite-v1","prompt":"a","user":"u"}"#,
    );
    assert_eq!(completed.json()["choices"][0]["text"], " a", "{}", completed.text());
    assert_eq!(completed.header("x-portkey-dropped-params"), Some("user"));
    let drawn = ask(
        &gateway,
        "/v1/images/generations",
        r#"{"model":"stability.sd3-large-v1:0","prompt":"a"}"#,
    );
    assert_eq!(drawn.json()["data"][0]["b64_json"], "AA==", "{}", drawn.text());
    let count = r#"{"model":"eu.anthropic.claude-v9","messages":[]}"#;
    let tokens = ask(&gateway, "/v1/messages/count_tokens", count);
    assert_eq!(tokens.text(), r#"{"input_tokens":17}"#);
    let refused = ask(&gateway, "/v1/messages/count_tokens", count);
    assert_eq!((refused.status, &refused.json()["type"]), (400, &"error".into()));
    let requests = upstream.requests();
    for (request, path) in requests.iter().zip([
        "/model/cohere.embed-english-v3/invoke",
        "/model/amazon.titan-text-lite-v1/invoke",
        "/model/stability.sd3-large-v1%3A0/invoke",
        "/model/anthropic.claude-v9/count-tokens",
        "/model/anthropic.claude-v9/count-tokens",
    ]) {
        assert_eq!(request.path, path);
        check_signed(request, "AKIDCALLER", "eu-west-3", None);
        assert_eq!(request.header("accept"), Some("application/json"));
    }
    let records = gateway.log(5);
    assert_eq!((&records[0]["prompt_tokens"], &records[1]["total_tokens"]), (&9.into(), &5.into()));
    gateway.assert_healthy();
}

#[test]
fn a_streamed_completion_ends_or_says_that_it_does_not() {
    let streams = ["completions-mistral", "completions-truncated"];
    let upstream = Upstream::start(move |_, at| streamed(streams[at]));
    let gateway = gateway(upstream.port, 9);
    let body = r#"{"model":"mistral.m-v0:2","prompt":"a","stream":true}"#;
    let whole = ask(&gateway, "/v1/completions", body);
    assert_eq!(whole.header("content-type"), Some("text/event-stream"));
    assert!(whole.text().ends_with("data: [DONE]\n\n"), "{}", whole.text());
    let cut = ask(&gateway, "/v1/completions", body);
    assert!(cut.text().contains("stream_truncated") && !cut.text().contains("[DONE]"));
    let path = &upstream.requests()[0].path;
    assert_eq!(path, "/model/mistral.m-v0%3A2/invoke-with-response-stream");
    let records = gateway.log(2);
    assert_eq!((&records[0]["total_tokens"], &records[0]["stream"]), (&7.into(), &true.into()));
    gateway.assert_healthy();
}
