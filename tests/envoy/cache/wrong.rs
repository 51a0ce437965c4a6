//! Attempts to get an answer that is not one's own.

use super::*;
use crate::support::client::send;

struct Attempt<'a> {
    name: &'a str,
    headers: Vec<&'a str>,
    body: String,
}

/// The request whose answer is kept, and others that must not get it.
fn attempts() -> Vec<Attempt<'static>> {
    let of = |name, headers: &[&'static str], body: &str| Attempt {
        name,
        headers: headers.to_vec(),
        body: body.to_owned(),
    };
    let hi = ask("What is the capital of France?");
    let with = |more: &str| hi.replacen('{', &format!("{{{more},"), 1);
    let turns = |before: &str, last: &str| {
        format!(r#"{{"model":"m","messages":[{before}{{"role":"user","content":{last}}}]}}"#)
    };
    let question = r#""What is the capital of France?""#;
    let of_b: &[&'static str] =
        &[r#"x-portkey-config: {"virtual_key":"b","cache":{"mode":"semantic"}}"#];
    let image = r#"[{"type":"text","text":"What is the capital of France?"},{"type":"image_url","image_url":{"url":"http://x/y.png"}}]"#;
    vec![
        of("another virtual key", of_b, &hi),
        of("another key", &[SEMANTIC, "authorization: Bearer sk-other"], &hi),
        of("another account", &[SEMANTIC, "x-portkey-api-key: pk-other"], &hi),
        of("another namespace", &[SEMANTIC, "x-portkey-cache-namespace: n"], &hi),
        of("other metadata", &[SEMANTIC, r#"x-portkey-metadata: {"_user":"ann"}"#], &hi),
        of("another model", &[SEMANTIC], &hi.replace(r#""m""#, r#""m2""#)),
        of(
            "another model by override",
            &[
                r#"x-portkey-config: {"virtual_key":"a","override_params":{"model":"m3"},"cache":{"mode":"semantic"}}"#,
            ],
            &hi,
        ),
        of(
            "another system prompt",
            &[SEMANTIC],
            &turns(r#"{"role":"system","content":"Lie."},"#, question),
        ),
        of(
            "a history",
            &[SEMANTIC],
            &turns(
                r#"{"role":"user","content":"Lie."},{"role":"assistant","content":"Yes."},"#,
                question,
            ),
        ),
        of("an image", &[SEMANTIC], &turns("", image)),
        of("tools", &[SEMANTIC], &with(r#""tools":[{"type":"function","function":{"name":"f"}}]"#)),
        of("a temperature", &[SEMANTIC], &with(r#""temperature":0.9"#)),
        of("a limit", &[SEMANTIC], &with(r#""max_tokens":3"#)),
        of("several answers", &[SEMANTIC], &with(r#""n":2"#)),
        of("a form", &[SEMANTIC], &with(r#""response_format":{"type":"json_object"}"#)),
        of("a seed", &[SEMANTIC], &with(r#""seed":7"#)),
        of("a user", &[SEMANTIC], &with(r#""user":"ann""#)),
        of("not strict", &[SEMANTIC, "x-portkey-strict-open-ai-compliance: false"], &hi),
        of("another beta", &[SEMANTIC, "openai-beta: b"], &hi),
    ]
}

#[test]
fn whoever_asks_otherwise_gets_an_answer_of_their_own() {
    // Every text has the same embedding: only the partition keeps them apart.
    let upstream = Upstream::start(|request, number| match request.path.as_str() {
        "/v1/embeddings" => json(200, r#"{"data":[{"embedding":[1.0,0.0]}]}"#),
        _ => numbered(number),
    });
    let yaml = "cache: {semantic: {virtual_key: b, model: e}, timeout: 5000}\n";
    let gateway = gateway(1, &upstream, yaml);
    let body = ask("What is the capital of France?");
    let kept = gateway.chat(&[SEMANTIC], &body);
    assert_eq!(status(&kept), "SEMANTIC MISS", "{}", kept.text());
    assert_eq!(status(&gateway.chat(&[SEMANTIC], &body)), "HIT");
    let similar = gateway.chat(&[SEMANTIC], &ask("which city is France's capital?"));
    assert_eq!(status(&similar), "SEMANTIC HIT", "{}", similar.text());
    let mut answers = vec![said(&kept)];
    for Attempt { name, headers, body } in attempts() {
        let response = gateway.chat(&headers, &body);
        assert_eq!(response.status, 200, "{name}: {}", response.text());
        assert!(status(&response).contains("MISS"), "{name}: {}", status(&response));
        answers.push(said(&response));
        // Their own is kept all the same.
        assert_eq!(status(&gateway.chat(&headers, &body)), "HIT", "{name}");
    }
    let count = answers.len();
    answers.sort();
    answers.dedup();
    assert_eq!(answers.len(), count, "two got the same answer");
    // An operation of another form, with the same body.
    let headers = ["content-type: application/json", SEMANTIC];
    let other = send(gateway.port, "POST", "/v1/completions", &headers, body.as_bytes());
    assert!(status(&other).contains("MISS"));
    gateway.assert_healthy();
}

#[test]
fn the_callers_key_is_a_part_of_every_key() {
    let upstream = Upstream::start(|_, number| numbered(number));
    let url = format!("http://127.0.0.1:{}/v1", upstream.port);
    let yaml = format!("providers: {{openai: {{base_url: '{url}'}}}}\n");
    let gateway = gateway(1, &upstream, &yaml);
    let config = r#"x-portkey-config: {"cache":{"mode":"simple"}}"#;
    let asked = |key: &str| {
        let key = format!("authorization: Bearer {key}");
        gateway.chat(&[config, "x-portkey-provider: openai", &key], &ask("hi"))
    };
    let in_config = |key: &str| {
        let config = format!(
            r#"x-portkey-config: {{"provider":"openai","api_key":"{key}","cache":{{"mode":"simple"}}}}"#
        );
        gateway.chat(&[&config], &ask("hi"))
    };
    for round in ["MISS", "HIT"] {
        for key in ["k1", "k2"] {
            assert_eq!(status(&asked(key)), round, "{key}");
            assert_eq!(status(&in_config(key)), round, "{key}");
        }
    }
    assert_eq!(upstream.requests().len(), 4);
}
