//! Cohere behind the gateway: its own path, the model that its answers do not tell, the end of its
//! streams.

use super::support::gateway::Gateway;
use super::support::upstream::{Step, Upstream, chunk, json, last_chunk, sse_head};
use super::{CHAT, CHAT_STREAM};
use serde_json::Value;
use std::time::Duration;

const COH: &str = "x-portkey-virtual-key: coh";

const ANSWER: &str = r#"{"id":"r-1","message":{"role":"assistant","content":[{"type":"text","text":"hello"}]},"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":1,"output_tokens":2},"tokens":{"input_tokens":5,"output_tokens":6}}}"#;

const EVENTS: [&str; 4] = [
    "event: message-start\ndata: {\"type\":\"message-start\",\"id\":\"r-1\",\"delta\":{\"message\":{\"role\":\"assistant\"}}}\n\n",
    "event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"hel\"}}}}\n\n",
    "event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"lo\"}}}}\n\n",
    "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\",\"usage\":{\"tokens\":{\"input_tokens\":5,\"output_tokens\":6}}}}\n\n",
];

fn gateway(upstream: &Upstream) -> Gateway {
    let port = upstream.port;
    Gateway::start(&format!(
        "virtual_keys:\n  \
         coh: {{provider: cohere, api_key: coh-secret, base_url: 'http://127.0.0.1:{port}'}}\n"
    ))
}

#[test]
fn a_chat_goes_to_cohere_and_comes_back() {
    let upstream = Upstream::answering(json(200, ANSWER));
    let gateway = gateway(&upstream);
    let body = CHAT.replace("\"m\"", "\"command-\\u0061\"");
    let response = gateway.chat(&[COH, "authorization: Bearer caller-key"], &body);
    let answer = response.json();
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!((&answer["id"], &answer["model"]), (&"r-1".into(), &"command-a".into()));
    assert_eq!(answer["choices"][0]["message"]["content"], "hello");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert_eq!(answer["usage"]["total_tokens"], 11);
    assert_eq!(response.header("x-portkey-provider"), Some("cohere"));
    let request = upstream.request();
    assert_eq!(request.path, "/v2/chat");
    assert_eq!(request.header("authorization"), Some("Bearer coh-secret"));
    assert_eq!(request.json()["messages"][0]["content"], "hi");
    let record = &gateway.log(1)[0];
    assert_eq!(record["total_tokens"], 11);
    assert_eq!(record["response_model"], Value::Null);
    gateway.assert_healthy();
}

#[test]
fn a_stream_is_translated_as_it_comes() {
    let pause = Step::Sleep(Duration::from_millis(300));
    let [start, first, second, end] = EVENTS.map(chunk);
    let steps = vec![sse_head(), start, first, pause, second, end, last_chunk()];
    let upstream = Upstream::answering(steps);
    let gateway = gateway(&upstream);
    let response = gateway.chat(&[COH], CHAT_STREAM);
    let text = response.text();
    let events: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let [chunks @ .., "[DONE]"] = events.as_slice() else { panic!("{text}") };
    let chunks: Vec<Value> = chunks.iter().map(|it| serde_json::from_str(it).unwrap()).collect();
    let said: String =
        chunks.iter().filter_map(|it| it["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!((chunks.len(), said.as_str()), (4, "hello"), "{text}");
    assert!(chunks.iter().all(|it| it["model"] == "m" && it["id"] == "r-1"), "{text}");
    assert_eq!(chunks[3]["choices"][0]["finish_reason"], "stop");
    assert_eq!(chunks[3]["usage"]["total_tokens"], 11);
    assert!(response.whole);
    assert!(response.arrivals[0] + Duration::from_millis(200) < response.arrivals[1]);
    assert_eq!(upstream.request().json()["stream"], true);
    let record = &gateway.log(1)[0];
    assert_eq!((&record["complete"], &record["finish_reason"]), (&true.into(), &"stop".into()));
    gateway.assert_healthy();
}
