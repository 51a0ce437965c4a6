//! What a scrape tells after scripted traffic: every number is known beforehand.

use crate::support::client;
use crate::support::gateway::Gateway;
use crate::support::upstream::{Request, Step, Upstream, chunk, json, last_chunk, sse_head};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

/// USD for a million tokens, which is micro-USD for one.
const PRICES: &str = "prices: {openai: {mine: {input: 10, output: 100, cached_input: 5, \
                      audio_input: 20, audio_output: 200}}, \
                      anthropic: {theirs: {input: 3, output: 15}}}\n";
/// Of an answer below: 65 new, 30 cached and 5 of audio; 24 plain, 10 of reasoning, 6 of audio.
const COST: u64 = 650 + 150 + 100 + 2400 + 1000 + 1200;
const THEIR_COST: u64 = 160 * 3 + 20 * 15;

fn usage() -> Value {
    json!({ "prompt_tokens": 100, "completion_tokens": 40, "total_tokens": 140,
        "prompt_tokens_details": { "cached_tokens": 30, "audio_tokens": 5 },
        "completion_tokens_details": { "reasoning_tokens": 10, "audio_tokens": 6 } })
}

fn completion(model: &str) -> Vec<Step> {
    let answer = json!({ "id": "c-1", "object": "chat.completion", "created": 1, "model": model,
        "choices": [{ "index": 0, "finish_reason": "stop",
            "message": { "role": "assistant", "content": "hello" } }],
        "usage": usage() });
    json_answer(200, &answer)
}

fn json_answer(status: u16, body: &Value) -> Vec<Step> {
    json(status, &body.to_string())
}

fn event(choices: Value, usage: Value) -> Step {
    let data = json!({ "id": "c-1", "object": "chat.completion.chunk", "created": 1,
        "model": "mine", "choices": choices, "usage": usage });
    chunk(&format!("data: {data}\n\n"))
}

fn content(text: &str) -> Step {
    event(json!([{ "index": 0, "delta": { "content": text }, "finish_reason": null }]), Value::Null)
}

fn provider(request: &Request, number: usize) -> Vec<Step> {
    let failure = |status| {
        json_answer(
            status,
            &json!({ "error": { "message": "no",
        "type": "their_type", "code": null, "param": null } }),
        )
    };
    if request.path.starts_with("/down/")
        || request.path.starts_with("/flaky/") && number.is_multiple_of(2)
    {
        return failure(503);
    }
    if request.path.starts_with("/flaky/") {
        return completion("mine");
    }
    if request.path.ends_with("/messages") {
        let usage = json!({ "input_tokens": 10, "output_tokens": 20,
            "cache_read_input_tokens": 100, "cache_creation_input_tokens": 50 });
        let answer = json!({ "id": "msg_1", "type": "message", "role": "assistant",
            "model": "theirs", "stop_reason": "end_turn",
            "content": [{ "type": "text", "text": "hello" }], "usage": usage });
        return json_answer(200, &answer);
    }
    let body = request.json();
    match body["model"].as_str().unwrap() {
        "bad" => failure(400),
        "broken" => failure(500),
        "limited" => failure(429),
        "slow" => vec![Step::Sleep(Duration::from_secs(2))],
        "cut" => {
            vec![sse_head(), content("hel"), Step::Sleep(Duration::from_millis(100)), Step::Close]
        }
        model if body["stream"] == true => {
            let end = json!([{ "index": 0, "delta": {}, "finish_reason": "stop" }]);
            assert_eq!(model, "mine");
            vec![
                sse_head(),
                content("hel"),
                Step::Sleep(Duration::from_millis(50)),
                content("lo"),
                event(end, Value::Null),
                event(json!([]), usage()),
                chunk("data: [DONE]\n\n"),
                last_chunk(),
            ]
        }
        model => completion(model),
    }
}

fn body(model: &str) -> String {
    json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] }).to_string()
}

fn stream(model: &str) -> String {
    json!({ "model": model, "stream": true, "stream_options": { "include_usage": true },
        "messages": [{ "role": "user", "content": "hi" }] })
    .to_string()
}

/// The metrics of the module: by name and labels, with the counts of histograms.
struct Scrape(BTreeMap<(String, String), u64>);

impl Scrape {
    fn of(gateway: &Gateway) -> Self {
        let text = client::send(gateway.admin, "GET", "/stats/prometheus", &[], b"").text();
        let parse = |line: &str| {
            let (series, value) = line.rsplit_once(' ')?;
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let ours = name.starts_with("portkey_") || name.starts_with("gen_ai_");
            let part = ["_bucket", "_sum"].iter().any(|end| name.ends_with(end));
            let name = name.strip_suffix("_count").unwrap_or(name);
            let key = (name.to_owned(), labels.trim_end_matches('}').to_owned());
            (ours && !part).then(|| Some((key, value.parse().ok()?)))?
        };
        Self(text.lines().filter(|line| !line.starts_with('#')).filter_map(parse).collect())
    }

    /// Of all series.
    fn sum(&self, name: &str) -> u64 {
        self.0.iter().filter(|((one, _), _)| one == name).map(|(_, value)| value).sum()
    }

    /// Of the series with all these labels.
    fn with(&self, name: &str, labels: &[&str]) -> u64 {
        let fits = |all: &str| labels.iter().all(|label| all.contains(label));
        let series = self.0.iter().filter(|((one, all), _)| one == name && fits(all));
        series.map(|(_, value)| value).sum()
    }

    fn of_name(&self, name: &str) -> Vec<(&str, u64)> {
        let series = self.0.iter().filter(|((one, _), _)| one == name);
        series.map(|((_, labels), value)| (labels.as_str(), *value)).collect()
    }

    fn names(&self) -> BTreeSet<&str> {
        self.0.iter().filter(|(_, value)| **value > 0).map(|((name, _), _)| name.as_str()).collect()
    }
}

/// A scrape after Envoy has merged the histograms of its workers.
fn scrape(gateway: &Gateway, requests: u64) -> Scrape {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let scrape = Scrape::of(gateway);
        let seen = scrape.sum("gen_ai_client_operation_duration_milliseconds");
        if seen == requests {
            return scrape;
        }
        assert!(Instant::now() < deadline, "{seen} of {requests} requests");
        thread::sleep(Duration::from_millis(200));
    }
}

fn start(upstream: &Upstream, more: &str) -> Gateway {
    let port = upstream.port;
    let key = |name: &str, path: &str| {
        format!(
            "  {name}: {{provider: openai, api_key: sk, base_url: 'http://127.0.0.1:{port}{path}/v1'}}\n"
        )
    };
    let (good, down, flaky) = (key("good", ""), key("down", "/down"), key("flaky", "/flaky"));
    let ant = format!(
        "  ant: {{provider: anthropic, api_key: sk, base_url: 'http://127.0.0.1:{port}/v1'}}\n"
    );
    let config = "configs:\n  safe: {strategy: {mode: fallback}, \
                  targets: [{virtual_key: down}, {virtual_key: good}]}\n  \
                  again: {virtual_key: flaky, retry: {attempts: 1}}\n  \
                  kept: {virtual_key: good, cache: {mode: simple}}\n";
    let metrics = "metrics: {tags: [team, _user], models: [cut, slow]}\n";
    Gateway::start(&format!(
        "virtual_keys:\n{good}{down}{flaky}{ant}{config}{PRICES}{metrics}{more}"
    ))
}

#[test]
fn a_scrape_tells_what_the_traffic_was() {
    let flaky = std::sync::atomic::AtomicUsize::new(0);
    let upstream = Upstream::start(move |request, _| {
        let number = match request.path.starts_with("/flaky/") {
            true => flaky.fetch_add(1, std::sync::atomic::Ordering::SeqCst),
            false => 0,
        };
        provider(request, number)
    });
    let gateway = start(&upstream, "");
    let good = "x-portkey-virtual-key: good";
    let tagged = "x-portkey-metadata: {\"team\":\"red; \\\"1\\\"\",\"_user\":7,\"other\":\"x\"}";
    let kept = "x-portkey-config: kept";
    let mut statuses = Vec::new();
    let mut ask = |headers: &[&str], body: &str| statuses.push(gateway.chat(headers, body).status);
    ask(&[good, tagged], &body("mine"));
    ask(&[good, tagged], &body("mine"));
    ask(&[good], &stream("mine"));
    ask(&[good], &stream("cut"));
    ask(&["x-portkey-config: safe"], &body("mine"));
    ask(&["x-portkey-config: again"], &body("mine"));
    ask(&[good], &body("bad"));
    ask(&[good], &body("broken"));
    ask(&[good], &body("limited"));
    ask(&[good], "{not json");
    ask(&[kept], &body("mine"));
    ask(&[kept], &body("mine"));
    ask(&[kept, "x-portkey-cache-force-refresh: true"], &body("mine"));
    let seeded = body("theirs").replacen('{', "{\"seed\":1,", 1);
    ask(&["x-portkey-virtual-key: ant"], &seeded);
    ask(&[good], &body("unheard-of"));
    assert_eq!(
        statuses,
        [200, 200, 200, 200, 200, 200, 400, 500, 429, 400, 200, 200, 200, 200, 200]
    );
    leave(gateway.port, &body("slow"));
    let log = gateway.log(16);
    let scrape = scrape(&gateway, 16);
    check_counts(&scrape);
    check_labels(&scrape);
    let sum = |field: &str| log.iter().filter_map(|line| line[field].as_u64()).sum::<u64>();
    for (name, field) in [
        ("portkey_request_bytes_total", "bytes_received"),
        ("portkey_response_bytes_total", "bytes_sent"),
        ("portkey_cost_micro_usd_total", "cost_micro_usd"),
        ("portkey_tokens_total", "total_tokens"),
        ("portkey_cache_saved_milliseconds_total", "saved_ms"),
    ] {
        assert_eq!(scrape.sum(name), sum(field), "{name}");
    }
    assert!(scrape.sum("portkey_vm_memory_bytes") > 1 << 20);
    assert!(scrape.names().len() >= 42, "{:?}", scrape.names());
    gateway.assert_healthy();
}

/// Asks, and leaves before there is an answer.
fn leave(port: u16, body: &str) {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let length = body.len();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\n\
         x-portkey-virtual-key: good\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    connection.write_all(head.as_bytes()).unwrap();
    thread::sleep(Duration::from_millis(300));
}

/// Answers with tokens: two plain, one streamed, one rescued, one retried, miss and refresh, one of
/// a model without a price. One more is of the other provider.
const OURS: u64 = 8;

fn check_counts(scrape: &Scrape) {
    let hit = 140;
    for (name, value) in [
        ("portkey_requests_total", 16),
        ("portkey_errors_total", 5),
        ("portkey_rate_limited_total", 1),
        ("portkey_client_disconnects_total", 1),
        ("portkey_local_answers_total", 2),
        ("portkey_dropped_params_total", 1),
        ("portkey_finish_reasons_total", OURS + 2),
        ("portkey_streams_total", 2),
        ("portkey_streams_completed_total", 1),
        ("portkey_streams_cut_total", 1),
        ("portkey_retries_total", 1),
        ("portkey_fallbacks_total", 1),
        ("portkey_rescued_total", 2),
        ("portkey_attempts_total", 15),
        ("portkey_attempt_failures_total", 5),
        ("portkey_attempt_duration_milliseconds", 15),
        ("portkey_input_tokens_total", OURS * 100 + 160),
        ("portkey_output_tokens_total", OURS * 40 + 20),
        ("portkey_tokens_total", OURS * 140 + 180),
        ("portkey_cached_input_tokens_total", OURS * 30 + 100),
        ("portkey_cache_creation_tokens_total", 50),
        ("portkey_reasoning_tokens_total", OURS * 10),
        ("portkey_audio_input_tokens_total", OURS * 5),
        ("portkey_audio_output_tokens_total", OURS * 6),
        ("portkey_usage_known_total", OURS + 1),
        ("portkey_usage_unknown_total", 1),
        ("portkey_cost_micro_usd_total", (OURS - 1) * COST + THEIR_COST),
        ("portkey_cost_known_total", OURS),
        ("portkey_cost_unknown_total", 1),
        ("portkey_request_cost_micro_usd", OURS),
        ("portkey_cache_hits_total", 1),
        ("portkey_cache_misses_total", 1),
        ("portkey_cache_refreshes_total", 1),
        ("portkey_cache_stored_total", 2),
        ("portkey_cache_saved_tokens_total", hit),
        ("portkey_cache_saved_cost_micro_usd_total", COST),
        ("gen_ai_client_token_usage", 2 * (OURS + 1)),
        ("gen_ai_server_time_to_first_token_milliseconds", 2),
        ("gen_ai_server_time_per_output_token_microseconds", 1),
        ("portkey_time_to_first_byte_milliseconds", 13),
        ("portkey_upstream_duration_milliseconds", 13),
        ("portkey_gateway_duration_milliseconds", 13),
        ("portkey_request_receive_milliseconds", 16),
        ("portkey_config_info", 1),
        ("portkey_metrics_overflow_total", 0),
    ] {
        assert_eq!(scrape.sum(name), value, "{name}: {:?}", scrape.of_name(name));
    }
}

fn check_labels(scrape: &Scrape) {
    for (name, labels, value) in [
        ("portkey_requests_total", &["status=\"200\""][..], 11),
        ("portkey_requests_total", &["status=\"0\"", "model=\"slow\""], 1),
        ("portkey_requests_total", &["model=\"other\"", "status=\"200\""], 1),
        ("portkey_requests_total", &["model=\"mine\"", "provider=\"openai\""], 9),
        ("portkey_requests_total", &["tag_team=\"red___1_\"", "tag__user=\"7\""], 2),
        ("portkey_requests_total", &["endpoint=\"chat_completions\""], 16),
        ("portkey_errors_total", &["error_type=\"their_type\"", "error_source=\"provider\""], 3),
        ("portkey_errors_total", &["error_type=\"upstream_reset\"", "model=\"mine\""], 1),
        ("portkey_errors_total", &["error_source=\"client\""], 1),
        ("portkey_rate_limited_total", &["error_source=\"provider\""], 1),
        ("portkey_attempts_total", &["virtual_key=\"down\"", "status=\"503\""], 1),
        ("portkey_attempts_total", &["virtual_key=\"flaky\"", "status=\"200\""], 1),
        ("portkey_cost_micro_usd_total", &["virtual_key=\"ant\"", "model=\"theirs\""], THEIR_COST),
        ("portkey_finish_reasons_total", &["finish_reason=\"stop\""], OURS + 2),
        ("gen_ai_client_token_usage", &["token_type=\"output\""], OURS + 1),
    ] {
        let seen = scrape.with(name, labels);
        assert_eq!(seen, value, "{name} {labels:?}: {:?}", scrape.of_name(name));
    }
}

#[test]
fn clients_cannot_make_series_without_end() {
    let upstream = Upstream::start(|request, _| provider(request, 0));
    let gateway = start(&upstream, "");
    for number in 0..150 {
        let metadata = format!("x-portkey-metadata: {{\"team\":\"t{number}\",\"n\":{number}}}");
        let headers = ["x-portkey-virtual-key: good", &metadata];
        assert_eq!(gateway.chat(&headers, &body(&format!("model-{number}"))).status, 200);
    }
    let scrape = scrape(&gateway, 150);
    let series = scrape.0.keys().filter(|(name, _)| name == "portkey_requests_total").count();
    assert_eq!(series, 101, "100 values of the tag, and other");
    assert_eq!(scrape.with("portkey_requests_total", &["tag_team=\"other\""]), 50);
    assert_eq!(scrape.with("portkey_requests_total", &["model=\"other\""]), 150);
    gateway.assert_healthy();
}

#[test]
fn nothing_is_measured_when_nobody_wants_to_know() {
    let upstream = Upstream::answering(completion("mine"));
    let key = format!(
        "a: {{provider: openai, api_key: sk, base_url: 'http://127.0.0.1:{}/v1'}}",
        upstream.port
    );
    let gateway = Gateway::start(&format!("virtual_keys: {{{key}}}\nmetrics: false\n"));
    assert_eq!(gateway.chat(&["x-portkey-virtual-key: a"], &body("mine")).status, 200);
    gateway.log(1);
    let told = Scrape::of(&gateway).0;
    assert!(told.is_empty(), "{told:?}");
    gateway.assert_healthy();
}
