//! Each request is one line of the log, with the right numbers, however it ends.

use crate::support::client;
use crate::support::gateway::Gateway;
use crate::support::upstream::{Request, Step, Upstream, chunk, json as answer, sse_head};
use crate::{COMPLETION, MESSAGE};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

/// Requests of each kind, side by side on two workers.
const EACH: usize = 4;

const BEGIN: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-x\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"he\"}}\n\n";

fn provider(request: &Request, _: usize) -> Vec<Step> {
    if request.path.starts_with("/down/") {
        return answer(503, r#"{"error":{"message":"no","type":"overloaded"}}"#);
    }
    let text = String::from_utf8_lossy(&request.body).into_owned();
    let pause = |seconds| Step::Sleep(Duration::from_secs(seconds));
    match () {
        () if text.contains("cut it") => vec![sse_head(), chunk(BEGIN), pause(1), Step::Close],
        () if text.contains("leave early") => vec![pause(3)],
        () if text.contains("leave late") => vec![sse_head(), chunk(BEGIN), pause(5)],
        () if request.path.ends_with("/messages") => answer(200, MESSAGE),
        () => answer(200, COMPLETION),
    }
}

/// How a request is made, and what its line says.
struct Kind {
    name: &'static str,
    header: &'static str,
    text: &'static str,
    stream: bool,
    /// How many bytes the client reads before it leaves; `None`: it stays.
    leaves_after: Option<usize>,
    line: Value,
}

fn kinds() -> Vec<Kind> {
    let kind = |name, header, text, stream, leaves_after, line| Kind {
        name,
        header,
        text,
        stream,
        leaves_after,
        line,
    };
    let (ant, oai) = ("x-portkey-virtual-key: ant", "x-portkey-virtual-key: oai");
    vec![
        kind(
            "whole",
            oai,
            "hi",
            false,
            None,
            json!({ "status": 200, "attempts": 1,
            "response_flags": "-", "complete": true, "total_tokens": 7, "error_type": null }),
        ),
        kind(
            "cut",
            ant,
            "cut it",
            true,
            None,
            json!({ "status": 200, "attempts": 1,
            "complete": false, "prompt_tokens": 5, "error_type": "upstream_reset",
            "error_source": "provider", "stream": true, "response_flags": "UPE" }),
        ),
        kind(
            "fallback",
            "x-portkey-config: safe",
            "hi",
            false,
            None,
            json!({ "status": 200,
            "attempts": 2, "complete": true, "total_tokens": 11, "error_type": null,
            "provider": "anthropic", "virtual_key": "ant",
            "option_index": "config.targets[1]" }),
        ),
        kind(
            "hit",
            "x-portkey-config: kept",
            "kept",
            false,
            None,
            json!({ "status": 200,
            "attempts": 0, "cache_status": "HIT", "saved_tokens": 7, "total_tokens": null,
            "cost_micro_usd": 0, "finish_reason": "stop" }),
        ),
        kind(
            "early",
            oai,
            "leave early",
            false,
            Some(0),
            json!({ "status": 0, "attempts": 1,
            "response_flags": "DC", "total_tokens": null, "provider": "openai",
            "request_model": "m", "endpoint": "chat_completions" }),
        ),
        kind(
            "late",
            ant,
            "leave late",
            true,
            Some(1),
            json!({ "status": 200, "attempts": 1,
            "response_flags": "DC", "complete": false, "prompt_tokens": 5, "stream": true,
            "response_model": "claude-x" }),
        ),
        kind(
            "refused",
            "x-portkey-provider: none-such",
            "hi",
            false,
            None,
            json!({ "status": 400,
            "attempts": 0, "error_source": "client", "total_tokens": null }),
        ),
    ]
}

fn ask(port: u16, kind: &Kind, trace: &str) {
    let body = json!({ "model": "m", "stream": kind.stream,
        "messages": [{ "role": "user", "content": kind.text }] })
    .to_string();
    let trace = format!("x-portkey-trace-id: {trace}");
    let Some(bytes) = kind.leaves_after else {
        client::chat(port, &[kind.header, &trace], &body);
        return;
    };
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let length = body.len();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\n\
         {}\r\n{trace}\r\ncontent-length: {length}\r\n\r\n{body}",
        kind.header
    );
    connection.write_all(head.as_bytes()).unwrap();
    connection.read_exact(&mut vec![0; bytes]).unwrap();
    thread::sleep(Duration::from_millis(700));
}

#[test]
fn each_request_is_logged_once_with_the_right_numbers() {
    let upstream = Upstream::start(provider);
    let port = upstream.port;
    let key = |name: &str, provider: &str, path: &str| {
        format!(
            "  {name}: {{provider: {provider}, api_key: sk, base_url: 'http://127.0.0.1:{port}{path}/v1'}}\n"
        )
    };
    let keys =
        key("oai", "openai", "") + &key("ant", "anthropic", "") + &key("down", "openai", "/down");
    let configs = "configs:\n  safe: {strategy: {mode: fallback}, \
                   targets: [{virtual_key: down}, {virtual_key: ant}]}\n  \
                   kept: {virtual_key: oai, cache: {mode: simple}}\n";
    let gateway = Gateway::with_workers(2, &format!("virtual_keys:\n{keys}{configs}"));
    let port = gateway.port;
    let (kinds, miss) = (kinds(), "miss-0");
    ask(port, kinds.iter().find(|kind| kind.name == "hit").unwrap(), miss);
    thread::sleep(Duration::from_millis(300));
    thread::scope(|scope| {
        for kind in &kinds {
            for number in 0..EACH {
                scope.spawn(move || ask(port, kind, &format!("{}-{number}", kind.name)));
            }
        }
    });
    let total = kinds.len() * EACH + 1;
    gateway.log(total);
    // A second line would come within Envoy's interval of a second.
    thread::sleep(Duration::from_millis(2500));
    let mut lines: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in gateway.log(total) {
        lines.entry(line["trace_id"].as_str().unwrap().to_owned()).or_default().push(line);
    }
    for kind in &kinds {
        for number in 0..EACH {
            let found = &lines[&format!("{}-{number}", kind.name)];
            assert_eq!(found.len(), 1, "{found:?}");
            for (field, value) in kind.line.as_object().unwrap() {
                assert_eq!(&found[0][field], value, "{} {field}: {}", kind.name, found[0]);
            }
        }
    }
    assert_eq!(lines[miss].len(), 1);
    let trail = lines["fallback-0"][0]["trail"].as_str().unwrap().to_owned();
    let (first, second) = trail.split_once(", ").unwrap();
    assert!(first.starts_with("config.targets[0]=503 "), "{trail}");
    assert!(second.starts_with("config.targets[1]=200 "), "{trail}");
    assert!(lines["late-0"][0]["time_to_first_token_ms"].is_u64());
    let counted: u64 = gateway.stats("portkey_requests_total").iter().map(|(_, value)| value).sum();
    assert_eq!(counted, total as u64, "the metrics count them once, too");
    gateway.assert_healthy();
}
