//! Google's Gemini behind the gateway: the path that names the model, the key in its own header,
//! the end of a stream that has none.

use super::support::gateway::Gateway;
use super::support::upstream::{Step, Upstream, chunk, json, last_chunk, sse_head};
use super::{CHAT, CHAT_STREAM};
use std::time::Duration;

const GEM: &str = "x-portkey-virtual-key: gem";

const ANSWER: &str = r#"{"candidates":[{"content":{"parts":[{"text":"hello"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":6,"totalTokenCount":11},"modelVersion":"gemini-x","responseId":"r-1"}"#;

const EVENTS: [&str; 2] = [
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hel\"}],\"role\":\"model\"},\"index\":0}],\"modelVersion\":\"gemini-x\",\"responseId\":\"r-1\"}\r\n\r\n",
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"lo\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":5,\"candidatesTokenCount\":6,\"totalTokenCount\":11},\"modelVersion\":\"gemini-x\",\"responseId\":\"r-1\"}\r\n\r\n",
];

fn gateway(upstream: &Upstream) -> Gateway {
    let port = upstream.port;
    Gateway::start(&format!(
        "virtual_keys:\n  \
         gem: {{provider: google, api_key: gem-secret, base_url: 'http://127.0.0.1:{port}/v1beta'}}\n"
    ))
}

#[test]
fn a_callers_own_key_goes_where_portkey_puts_it_and_into_no_log() {
    let upstream = Upstream::answering(json(200, ANSWER));
    let port = upstream.port;
    let url = format!("http://127.0.0.1:{port}/v1beta");
    let gateway = Gateway::start(&format!("providers:\n  google: {{base_url: '{url}'}}\n"));
    let own = ["x-portkey-provider: google", "authorization: Bearer its key&x=1"];
    assert_eq!(gateway.chat(&own, &CHAT.replace("\"m\"", "\"gemini-x\"")).status, 200);
    let request = upstream.request();
    assert_eq!(request.path, "/v1beta/models/gemini-x:generateContent?key=its%20key%26x%3D1");
    assert_eq!(request.header("x-goog-api-key"), None);
    assert_eq!(request.header("authorization"), None);
    assert!(!gateway.log(1)[0].to_string().contains("its"));
    gateway.assert_healthy();
}

#[test]
fn a_chat_goes_to_gemini_and_comes_back() {
    let upstream = Upstream::answering(json(200, ANSWER));
    let gateway = gateway(&upstream);
    let body = CHAT.replace("\"m\"", "\"gemini-x/../../files?key=stolen\"");
    let response = gateway.chat(&[GEM, "x-goog-api-key: caller-key"], &body);
    let answer = response.json();
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["choices"][0]["message"]["content"], "hello");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert_eq!(answer["usage"]["total_tokens"], 11);
    assert_eq!(response.header("x-portkey-provider"), Some("google"));
    let request = upstream.request();
    let path = "/v1beta/models/gemini-x%2F..%2F..%2Ffiles%3Fkey%3Dstolen:generateContent";
    assert_eq!(request.path, path);
    assert_eq!(request.header("x-goog-api-key"), Some("gem-secret"));
    assert_eq!(request.header("authorization"), None);
    assert_eq!(request.json()["contents"][0]["parts"][0]["text"], "hi");
    let record = &gateway.log(1)[0];
    assert_eq!(record["response_model"], "gemini-x");
    assert_eq!(record["total_tokens"], 11);
    assert!(!record.to_string().contains("gem-secret"));
    gateway.assert_healthy();
}

#[test]
fn a_stream_gets_the_end_that_gemini_does_not_send() {
    let pause = Step::Sleep(Duration::from_millis(300));
    let steps = vec![sse_head(), chunk(EVENTS[0]), pause, chunk(EVENTS[1]), last_chunk()];
    let upstream = Upstream::answering(steps);
    let gateway = gateway(&upstream);
    let response = gateway.chat(&[GEM], CHAT_STREAM);
    let text = response.text();
    let events: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let [first, last, "[DONE]"] = events.as_slice() else { panic!("{text}") };
    let [first, last] =
        [first, last].map(|data| serde_json::from_str::<serde_json::Value>(data).unwrap());
    let delta = |chunk: &serde_json::Value| chunk["choices"][0]["delta"].clone();
    assert_eq!(delta(&first), serde_json::json!({"role": "assistant", "content": "hel"}));
    assert_eq!(delta(&last), serde_json::json!({"role": "assistant", "content": "lo"}));
    assert_eq!(last["choices"][0]["finish_reason"], "stop");
    assert_eq!(last["usage"]["total_tokens"], 11);
    assert!(response.whole);
    assert!(response.arrivals[0] + Duration::from_millis(200) < response.arrivals[1]);
    let request = upstream.request();
    assert_eq!(request.path, "/v1beta/models/m:streamGenerateContent");
    assert_eq!(request.header("accept"), Some("text/event-stream"));
    let record = &gateway.log(1)[0];
    assert_eq!((&record["complete"], &record["finish_reason"]), (&true.into(), &"stop".into()));
    gateway.assert_healthy();
}

#[test]
fn a_stream_that_is_a_json_array_arrives_piece_by_piece() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                transfer-encoding: chunked\r\n\r\n";
    let [first, last] = EVENTS.map(|event| event.trim().strip_prefix("data: ").unwrap());
    let pause = Step::Sleep(Duration::from_millis(300));
    let pieces = [format!("[{first}\n"), format!(",\r\n{last}\n]\n")].map(|piece| chunk(&piece));
    let [first, last] = pieces;
    let upstream =
        Upstream::answering(vec![Step::Write(head.into()), first, pause, last, last_chunk()]);
    let gateway = gateway(&upstream);
    let response = gateway.chat(&[GEM], CHAT_STREAM);
    assert_eq!(response.header("content-type"), Some("text/event-stream"));
    let text = response.text();
    let events: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let [first, last, "[DONE]"] = events.as_slice() else { panic!("{text}") };
    assert!(first.contains("hel") && last.contains(r#""finish_reason":"stop""#), "{text}");
    assert!(response.arrivals[0] + Duration::from_millis(200) < response.arrivals[1]);
    gateway.assert_healthy();
}

#[test]
fn errors_and_cut_streams_are_told_as_openai_would() {
    let error = r#"[{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED"}}]"#;
    let upstream = Upstream::start(move |request, _| match request.path.contains("stream") {
        true => vec![sse_head(), chunk(EVENTS[0]), last_chunk()],
        false => json(429, error),
    });
    let gateway = gateway(&upstream);
    let response = gateway.chat(&[GEM], CHAT);
    assert_eq!(response.status, 429);
    assert_eq!(response.json()["error"]["message"], "google error: quota");
    assert_eq!(response.json()["error"]["type"], "RESOURCE_EXHAUSTED");
    let text = gateway.chat(&[GEM], CHAT_STREAM).text();
    assert!(text.contains("stream_truncated") && !text.contains("[DONE]"), "{text}");
    let record = &gateway.log(2)[1];
    assert_eq!((&record["complete"], &record["error_source"]), (&false.into(), &"provider".into()));
    gateway.assert_healthy();
}
