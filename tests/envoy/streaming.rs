//! Streams: on time, whole, and never whole when they are not.

use super::support::client::{self, Response};
use super::support::gateway::Gateway;
use super::support::upstream::{Step, Upstream, answer, chunk, last_chunk, sse_head};
use super::{ANT, CHAT_STREAM, OAI, virtual_keys};
use std::time::Duration;

const PAUSE: Duration = Duration::from_secs(2);

const OPENAI: [&str; 3] = [
    "data: {\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"he\"},\"finish_reason\":null}]}\n\n",
    "data: {\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"llo\"},\"finish_reason\":null}]}\n\n",
    "data: {\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\"total_tokens\":7}}\n\ndata: [DONE]\n\n",
];

const ANTHROPIC: [&str; 3] = [
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-x\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"he\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"llo\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":6}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
];

fn paced(parts: &[&str], pause: Duration) -> Vec<Step> {
    let mut steps = vec![sse_head()];
    for part in parts {
        steps.extend([chunk(part), Step::Sleep(pause)]);
    }
    steps
}

/// The text of all deltas.
fn content(response: &Response) -> String {
    let text = response.text();
    let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let chunks = events.filter_map(|data| serde_json::from_str::<serde_json::Value>(data).ok());
    chunks
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .collect()
}

fn done(response: &Response) -> usize {
    response.text().matches("data: [DONE]\n\n").count()
}

#[test]
fn each_chunk_arrives_as_soon_as_it_was_sent() {
    let openai = Upstream::answering([paced(&OPENAI, PAUSE), vec![last_chunk()]].concat());
    let anthropic = Upstream::answering([paced(&ANTHROPIC, PAUSE), vec![last_chunk()]].concat());
    let gateway = Gateway::start(&virtual_keys(openai.port, anthropic.port));
    let port = gateway.port;
    let clients = [OAI, ANT]
        .map(|key| std::thread::spawn(move || (key, client::chat(port, &[key], CHAT_STREAM))));
    for client in clients {
        let (key, response) = client.join().unwrap();
        assert_eq!(response.header("content-type"), Some("text/event-stream"), "{key}");
        assert_eq!(content(&response), "hello", "{key}: {}", response.text());
        assert_eq!(done(&response), 1, "{key}: {}", response.text());
        assert!(response.whole, "{key}");
        let slack = Duration::from_millis(700);
        let first = response.arrivals[0];
        assert!(first < slack, "{key}: the first chunk came after {first:?}");
        let late = response.arrivals.iter().filter(|at| **at > PAUSE + slack).count();
        assert!(late > 0 && late < response.arrivals.len(), "{key}: {:?}", response.arrivals);
    }
    gateway.assert_healthy();
}

#[test]
fn a_pass_through_stream_keeps_its_bytes() {
    let steps = [paced(&OPENAI, Duration::ZERO), vec![last_chunk()]].concat();
    let upstream = Upstream::answering(steps);
    let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
    assert_eq!(gateway.chat(&[OAI], CHAT_STREAM).text(), OPENAI.concat());
    let record = &gateway.log(1)[0];
    assert_eq!(record["complete"], true);
    assert_eq!(record["total_tokens"], 7);
    assert_eq!(record["response_model"], "m-1");
    gateway.assert_healthy();
}

#[test]
fn a_stream_that_is_cut_is_never_whole() {
    for (key, parts) in [(OAI, &OPENAI), (ANT, &ANTHROPIC)] {
        let steps = [paced(&parts[..2], Duration::from_millis(50)), vec![Step::Close]].concat();
        let upstream = Upstream::answering(steps);
        let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
        let response = gateway.chat(&[key], CHAT_STREAM);
        assert_eq!(content(&response), "hello", "{key}");
        assert_eq!(done(&response), 0, "{key}");
        assert!(!response.whole, "{key}");
        assert_eq!(gateway.log(1)[0]["complete"], false, "{key}");
        gateway.assert_healthy();
    }
}

#[test]
fn a_stream_that_ends_too_early_ends_in_an_error() {
    for (key, parts) in [(OAI, &OPENAI), (ANT, &ANTHROPIC)] {
        let upstream =
            Upstream::answering([paced(&parts[..2], Duration::ZERO), vec![last_chunk()]].concat());
        let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
        let response = gateway.chat(&[key], CHAT_STREAM);
        assert_eq!(done(&response), 0, "{key}");
        let text = response.text();
        let last = text.trim_end().rsplit("data: ").next().unwrap();
        let last: serde_json::Value = serde_json::from_str(last).unwrap();
        assert_eq!(last["error"]["code"], "stream_truncated", "{key}: {last}");
        let record = &gateway.log(1)[0];
        assert_eq!(record["complete"], false, "{key}");
        assert_eq!(record["error_source"], "provider", "{key}: {record}");
        gateway.assert_healthy();
    }
}

#[test]
fn a_client_that_leaves_is_logged_with_what_was_used() {
    let start = ANTHROPIC[0];
    let steps = vec![sse_head(), chunk(start), Step::Sleep(Duration::from_secs(5))];
    let upstream = Upstream::answering(steps);
    let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\n{ANT}\r\n\
         content-length: {}\r\n\r\n{CHAT_STREAM}",
        CHAT_STREAM.len()
    );
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", gateway.port)).unwrap();
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    let mut head = [0; 64];
    std::io::Read::read_exact(&mut stream, &mut head).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    drop(stream);
    let record = &gateway.log(1)[0];
    assert_eq!(record["prompt_tokens"], 5, "{record}");
    assert_eq!(record["complete"], false);
    assert_eq!(record["response_flags"], "DC");
    gateway.assert_healthy();
}

#[test]
fn a_stream_with_a_length_has_none_when_words_may_follow() {
    let body = OPENAI[..2].concat();
    let upstream = Upstream::answering(answer(200, "content-type: text/event-stream\r\n", &body));
    let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
    let response = gateway.chat(&[OAI], CHAT_STREAM);
    assert_eq!(response.header("content-length"), None);
    assert!(response.whole && response.text().contains("stream_truncated"), "{}", response.text());
    gateway.assert_healthy();
}

#[test]
fn a_compressed_stream_is_an_error() {
    let headers = "content-type: text/event-stream\r\ncontent-encoding: gzip\r\n";
    let upstream = Upstream::answering(answer(200, headers, "\u{1f}\u{8b}"));
    let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
    for key in [OAI, ANT] {
        let response = gateway.chat(&[key, "accept-encoding: gzip"], CHAT_STREAM);
        assert_eq!((response.status, response.whole), (502, true), "{key}: {}", response.text());
        assert_eq!(response.header("content-encoding"), None);
    }
    assert!(upstream.requests().iter().all(|it| it.header("accept-encoding").is_none()));
    gateway.assert_healthy();
}
