//! Spans, as a collector gets them.

use super::support::client;
use super::support::gateway::Gateway;
use super::support::otlp::{Collector, Span, taken};
use super::support::upstream::{Step, Upstream, answer, chunk, json as answers, sse_head};
use super::{CHAT, CHAT_STREAM, COMPLETION, OAI, virtual_keys};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const FIRST: &str = "data: {\"id\":\"c-1\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"he\"}}]}\n\n";
const FALLBACK: &str = r#"x-portkey-config: {"strategy":{"mode":"fallback"},"targets":[{"virtual_key":"ant"},{"virtual_key":"oai"}]}"#;

fn start(collector: &Collector, openai: &Upstream, anthropic: &Upstream, more: &str) -> Gateway {
    let keys = virtual_keys(openai.port, anthropic.port);
    Gateway::start(&format!("{keys}{}", collector.yaml(more)))
}

/// A gateway in front of one provider.
fn single(collector: &Collector, openai: &Upstream, more: &str) -> Gateway {
    start(collector, openai, openai, more)
}

fn has(span: &Span, expected: &[(&str, Value)]) {
    for (name, value) in expected {
        let found = span.attributes.get(*name).unwrap_or(&Value::Null);
        assert_eq!(found, value, "{name} of {span:#?}");
    }
}

/// The digits of the SHA-256 of a text.
fn hash(text: &str, digits: usize) -> String {
    use std::process::{Command, Stdio};
    let mut child = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sha256sum is installed");
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap().stdout;
    String::from_utf8(out).unwrap()[..digits].to_owned()
}

#[test]
fn a_request_and_its_attempt() {
    let (openai, collector) = (Upstream::answering(answers(200, COMPLETION)), Collector::start());
    let gateway = single(&collector, &openai, ", service_name: llm, headers: {X-Team: secret-1}");
    let headers = [
        OAI,
        "x-portkey-trace-id: run-1",
        "x-portkey-span-id: call-2",
        "x-portkey-parent-span-id: call-1",
        "x-portkey-span-name: Plan the day",
        r#"x-portkey-metadata: {"_user":"arthur","deep":{"a":1}}"#,
    ];
    assert_eq!(gateway.chat(&headers, CHAT).status, 200);
    let spans = collector.spans(2);
    let [request, attempt] = spans.as_slice() else { panic!("other spans") };
    assert_eq!(request.trace_id, hash("run-1", 32));
    assert_eq!((&request.span_id, &request.parent), (&hash("call-2", 16), &hash("call-1", 16)));
    assert_eq!((request.name.as_str(), request.kind), ("Plan the day", 2));
    assert_eq!((request.error.as_deref(), request.service.as_str()), (None, "llm"));
    has(
        request,
        &[
            ("gen_ai.operation.name", json!("chat")),
            ("gen_ai.provider.name", json!("openai")),
            ("gen_ai.request.model", json!("m")),
            ("gen_ai.response.model", json!("m-1")),
            ("gen_ai.response.id", json!("c-1")),
            ("gen_ai.response.finish_reasons", json!(["stop"])),
            ("gen_ai.usage.input_tokens", json!(3)),
            ("gen_ai.usage.output_tokens", json!(4)),
            ("http.response.status_code", json!(200)),
            ("portkey.trace_id", json!("run-1")),
            ("portkey.span_id", json!("call-2")),
            ("portkey.virtual_key", json!("oai")),
            ("portkey.metadata._user", json!("arthur")),
            ("portkey.metadata.deep", json!("{\"a\":1}")),
            ("portkey.complete", json!(true)),
            ("error.type", Value::Null),
        ],
    );
    assert_eq!((&attempt.trace_id, &attempt.parent), (&request.trace_id, &request.span_id));
    assert_eq!((attempt.name.as_str(), attempt.kind), ("chat m", 3));
    has(
        attempt,
        &[
            ("gen_ai.provider.name", json!("openai")),
            ("server.address", json!("127.0.0.1")),
            ("server.port", json!(openai.port)),
            ("portkey.option_index", json!("config")),
            ("http.response.status_code", json!(200)),
            ("http.request.resend_count", Value::Null),
        ],
    );
    assert!(request.start <= attempt.start && attempt.end <= request.end);
    let told = openai.request().header("traceparent").unwrap().to_owned();
    assert_eq!(told, format!("00-{}-{}-01", request.trace_id, attempt.span_id));
    let call = collector.0.requests()[0].clone();
    assert_eq!(call.header("x-team"), Some("secret-1"));
    assert_eq!(call.header("content-type"), Some("application/x-protobuf"));
    let text = String::from_utf8_lossy(&call.body);
    for secret in ["sk-oai-secret", "hello", "secret-1"] {
        assert!(!text.contains(secret), "{secret} is in a span");
    }
    gateway.assert_healthy();
}

#[test]
fn w3c_context_is_joined_and_goes_on() {
    let (openai, collector) = (Upstream::answering(answers(200, COMPLETION)), Collector::start());
    let gateway = single(&collector, &openai, ", sampling: 0");
    let parent = format!("traceparent: 00-{TRACE}-b7ad6b7169203331-01");
    assert_eq!(gateway.chat(&[OAI, &parent, "tracestate: a=1,b=2"], CHAT).status, 200);
    let spans = collector.spans(2);
    assert_eq!((spans[0].trace_id.as_str(), spans[0].parent.as_str()), (TRACE, "b7ad6b7169203331"));
    assert_eq!(spans[0].state, "a=1,b=2");
    let sent = openai.request();
    let told = format!("00-{TRACE}-{}-01", spans[1].span_id);
    assert_eq!(sent.header("traceparent"), Some(told.as_str()));
    assert_eq!(sent.header("tracestate"), Some("a=1,b=2"));
    let log = gateway.log(1);
    assert_eq!(
        (&log[0]["trace_id"], &log[0]["parent_span_id"]),
        (&json!(TRACE), &json!("b7ad6b7169203331"))
    );
    assert_eq!(log[0]["span_id"], spans[0].span_id);

    // Neither the client nor the share wants these, and the provider is told so.
    assert_eq!(gateway.chat(&[OAI, &parent.replace("-01", "-00")], CHAT).status, 200);
    assert_eq!(gateway.chat(&[OAI, "x-portkey-trace-id: run-1"], CHAT).status, 200);
    let told =
        openai.requests().into_iter().map(|one| one.header("traceparent").unwrap().to_owned());
    assert!(told.skip(1).all(|one| one.ends_with("-00")));
    collector.spans(2);
}

#[test]
fn what_fails_and_where_it_goes_on() {
    let openai = Upstream::answering(answers(200, COMPLETION));
    let anthropic = Upstream::start(|_, number| match number {
        0 => {
            answers(429, r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}"#)
        }
        _ => vec![Step::Close],
    });
    let collector = Collector::start();
    let gateway = start(&collector, &openai, &anthropic, ", propagate: false");
    for _ in 0..2 {
        assert_eq!(gateway.chat(&[FALLBACK], CHAT).status, 200);
    }
    let spans = collector.spans(6);
    for (at, error) in [(0, "429"), (3, "upstream_unreachable")] {
        let [request, failed, good] = &spans[at..at + 3] else { panic!("other spans") };
        assert_eq!((&request.error, &good.error), (&None, &None));
        assert_eq!(failed.error.as_deref(), Some(error));
        assert!(failed.parent == request.span_id && good.parent == request.span_id);
        has(failed, &[("gen_ai.provider.name", json!("anthropic")), ("error.type", json!(error))]);
        let option = json!("config.targets[1]");
        has(good, &[("portkey.option_index", option), ("http.request.resend_count", json!(1))]);
        assert!(failed.end <= good.start + 1_000_000 && failed.span_id != good.span_id);
    }
    assert_eq!(spans[1].attributes["http.response.status_code"], 429);
    assert!(!spans[4].attributes.contains_key("http.response.status_code"));
    let sent = [openai.requests(), anthropic.requests()].concat();
    assert!(sent.iter().all(|one| one.header("traceparent").is_none()));
    gateway.assert_healthy();
}

#[test]
fn errors_of_all_kinds() {
    let broken = r#"{"error":{"message":"no","type":"server_error","param":null,"code":null}}"#;
    let openai = Upstream::start(move |_, number| match number {
        0 => answers(500, broken),
        1 => vec![Step::Close],
        _ => vec![sse_head(), chunk(FIRST), Step::Sleep(Duration::from_millis(100)), Step::Close],
    });
    let collector = Collector::start();
    let gateway = single(&collector, &openai, "");
    assert_eq!(gateway.chat(&[OAI], CHAT).status, 500);
    assert_eq!(gateway.chat(&[OAI], CHAT).status, 502);
    let stream = gateway.chat(&[OAI], CHAT_STREAM);
    assert_eq!((stream.status, stream.whole), (200, false));
    assert_eq!(gateway.chat(&["x-portkey-virtual-key: none"], CHAT).status, 400);
    let spans = collector.spans(7);
    let errors: Vec<&str> = spans.iter().map(|span| span.error.as_deref().unwrap_or("-")).collect();
    let log = gateway.log(4);
    let logged: Vec<&str> = log.iter().map(|line| line["error_type"].as_str().unwrap()).collect();
    assert_eq!(
        errors,
        [logged[0], logged[0], logged[1], logged[1], logged[2], logged[2], logged[3]]
    );
    assert_eq!(spans[0].attributes["http.response.status_code"], 500);
    has(&spans[4], &[("error.type", json!("upstream_reset")), ("portkey.complete", json!(false))]);
    assert!(spans[5].end - spans[5].start >= 90_000_000, "until the cut");
    gateway.assert_healthy();
}

#[test]
fn a_client_that_leaves() {
    let openai = Upstream::start(|_, number| match number {
        0 => vec![Step::Sleep(Duration::from_secs(1))],
        _ => vec![sse_head(), chunk(FIRST), Step::Sleep(Duration::from_secs(1))],
    });
    let collector = Collector::start();
    let gateway = single(&collector, &openai, "");
    for read in [false, true] {
        let mut client = TcpStream::connect(("127.0.0.1", gateway.port)).unwrap();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
             {OAI}\r\ncontent-length: {}\r\n\r\n{CHAT_STREAM}",
            CHAT_STREAM.len()
        );
        client.write_all(head.as_bytes()).unwrap();
        match read {
            true => assert!(client.read(&mut [0; 1024]).unwrap() > 0),
            false => std::thread::sleep(Duration::from_millis(300)),
        }
        drop(client);
        let count = if read { 4 } else { 2 };
        collector.spans(count);
    }
    let spans = collector.spans(4);
    for span in &spans {
        assert_eq!(span.error.as_deref(), Some("client_disconnected"), "{span:#?}");
    }
    assert!(spans[1].parent == spans[0].span_id && spans[3].parent == spans[2].span_id);
    assert!(spans[1].end - spans[1].start >= 250_000_000);
    gateway.assert_healthy();
}

#[test]
fn a_hit_has_no_attempt_and_a_trace_is_whole_or_none() {
    let (openai, collector) = (Upstream::answering(answers(200, COMPLETION)), Collector::start());
    let gateway = single(&collector, &openai, ", sampling: 0.5");
    // The last seven bytes decide.
    let (out, kept) =
        (format!("{:032x}", (1u128 << 64) | ((1 << 56) - 1)), format!("{:032x}", 1u128 << 64));
    let config = r#"x-portkey-config: {"virtual_key":"oai","cache":{"mode":"simple"}}"#;
    for trace in [&kept, &out, &kept] {
        let header = format!("x-portkey-trace-id: {trace}");
        assert_eq!(gateway.chat(&[config, &header], CHAT).status, 200);
    }
    let spans = collector.spans(3);
    assert!(spans.iter().all(|span| span.trace_id == kept));
    has(&spans[0], &[("portkey.cache_status", json!("MISS"))]);
    has(
        &spans[2],
        &[("portkey.cache_status", json!("HIT")), ("gen_ai.usage.input_tokens", Value::Null)],
    );
}

#[test]
fn a_collector_that_is_away_or_refuses() {
    let openai = Upstream::answering(answers(200, COMPLETION));
    let collector = Collector::scripted(|_, number| match number {
        0 => answer(503, "", "later"),
        1 => taken(),
        _ => answer(400, "", "never"),
    });
    let gateway = single(&collector, &openai, "");
    assert_eq!(gateway.chat(&[OAI], CHAT).status, 200);
    let spans = collector.spans(4);
    assert_eq!((&spans[0].span_id, &spans[1].span_id), (&spans[2].span_id, &spans[3].span_id));
    assert_eq!(gateway.chat(&[OAI], CHAT).status, 200);
    collector.spans(6);
    let counted = |name: &str| gateway.stats(name).iter().map(|(_, value)| value).sum::<u64>();
    assert_eq!((counted("trace_spans_total"), counted("trace_spans_dropped")), (2, 2));
    gateway.assert_healthy();
}

#[test]
fn no_traces_no_difference() {
    let openai = Upstream::answering(answers(200, COMPLETION));
    let gateway = Gateway::start(&virtual_keys(openai.port, openai.port));
    let parent = format!("traceparent: 00-{TRACE}-b7ad6b7169203331-01");
    let response = client::chat(gateway.port, &[OAI, &parent], CHAT);
    assert_eq!(response.header("x-portkey-trace-id"), Some(TRACE));
    assert_eq!(openai.request().header("traceparent"), None);
    assert_eq!(gateway.log(1)[0]["span_id"], Value::Null);
}
