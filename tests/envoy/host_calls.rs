//! How often the module calls the host: docs/performance.md says it for each kind of request, and
//! no request may need more.

use crate::support::client::Response;
use crate::support::gateway::Gateway;
use crate::support::upstream::{Request, Step, Upstream, chunk, json, last_chunk, sse_head};
use crate::{ANT, CHAT, CHAT_STREAM, COMPLETION, MESSAGE, OAI};
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

const CACHED: &str = r#"x-portkey-config: {"virtual_key":"oai","cache":{"mode":"simple"}}"#;
const EITHER: &str = r#"x-portkey-config: {"strategy":{"mode":"fallback"},"targets":[{"virtual_key":"oai"},{"virtual_key":"ant"}]}"#;
/// Chunks of a stream after the first.
const CHUNKS: u32 = 20;

#[test]
fn a_request_needs_no_more_host_calls_than_documented() {
    let upstream = Upstream::start(answer);
    // Envoy's trace log has a line for each call.
    let yaml = crate::virtual_keys(upstream.port, upstream.port);
    let gateway = Gateway::tracing(&yaml);
    // The probes that found it ready are over.
    thread::sleep(Duration::from_millis(300));
    let chat = || gateway.chat(&[OAI], CHAT);
    let stream = |chunks: u32, key: &str| {
        let body = CHAT_STREAM.replace("\"m\"", &format!("\"m\",\"max_tokens\":{chunks}"));
        gateway.chat(&[key], &body)
    };
    // A metric with new labels takes one more call, once.
    for key in [OAI, ANT] {
        assert_eq!(gateway.chat(&[key], CHAT).status, 200);
    }
    let ended = || gateway.stderr().matches("[host->vm] proxy_on_delete(").count();
    let settled = Instant::now() + Duration::from_secs(15);
    while ended() < 4 && Instant::now() < settled {
        thread::sleep(Duration::from_millis(50));
    }
    let mut found = vec![
        ("chat, passed through", calls(&gateway, chat)),
        ("chat, translated", calls(&gateway, || gateway.chat(&[ANT], CHAT))),
        (
            "chat by an inline config with a fallback",
            calls(&gateway, || gateway.chat(&[EITHER], CHAT)),
        ),
        ("chat that the cache misses and keeps", calls(&gateway, || gateway.chat(&[CACHED], CHAT))),
        ("chat that the cache hits", calls(&gateway, || gateway.chat(&[CACHED], CHAT))),
    ];
    let short = calls(&gateway, || stream(1, OAI));
    let long = calls(&gateway, || stream(1 + CHUNKS, OAI));
    found.push(("stream, passed through: each chunk", (long - short) / CHUNKS));
    for (row, calls) in &found {
        eprintln!("| {row} | {calls} |");
    }
    let documented = documented();
    for (row, calls) in found {
        let most = *documented.get(row).unwrap_or_else(|| panic!("no row for {row:?}"));
        assert!(calls <= most, "{row}: {calls} host calls, and docs/performance.md says {most}");
    }
}

/// What the table of docs/performance.md says.
fn documented() -> BTreeMap<String, u32> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/performance.md");
    let text = std::fs::read_to_string(path).unwrap();
    let table = text.split("<!-- host calls -->").nth(1).expect("the table of host calls");
    let row = |line: &str| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        Some((cells.next()?.to_owned(), cells.next()?.parse().ok()?))
    };
    table.lines().filter_map(row).collect()
}

/// Calls of the host while a request is served, and until both of its streams are gone.
fn calls(gateway: &Gateway, request: impl FnOnce() -> Response) -> u32 {
    let before = gateway.stderr().len();
    let response = request();
    assert_eq!(response.status, 200, "{}", response.text());
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        let log = gateway.stderr();
        let new = log.get(before..).unwrap_or_default();
        let created = new.matches("[host->vm] proxy_on_context_create(").count();
        if created > 0 && created == new.matches("[host->vm] proxy_on_delete(").count() {
            let calls: Vec<&str> =
                new.lines().filter(|line| line.contains("[vm->host] env.")).collect();
            return u32::try_from(calls.len()).unwrap();
        }
        assert!(Instant::now() < deadline, "the request does not end:\n{new}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn answer(request: &Request, _: usize) -> Vec<Step> {
    if request.path.ends_with("/messages") {
        return json(200, MESSAGE);
    }
    if request.json()["stream"] != true {
        return json(200, COMPLETION);
    }
    let chunks = request.json()["max_tokens"].as_u64().unwrap_or_default();
    let event = r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}"#;
    let piece = [chunk(&format!("data: {event}\n\n")), Step::Sleep(Duration::from_millis(20))];
    let pieces = (0..chunks).flat_map(|_| piece.clone());
    let end = [chunk("data: [DONE]\n\n"), last_chunk()];
    [sse_head()].into_iter().chain(pieces).chain(end).collect()
}
