//! What callers may use: tokens a minute, and money.

use crate::CHAT;
use crate::support::client::{Response, send};
use crate::support::gateway::Gateway;
use crate::support::upstream::{Upstream, answer, json};
use serde_json::{Value, json};
use std::thread;
use std::time::Duration;

const KEY: &str = "x-portkey-api-key: pk-alpha";
const OAI: &str = "x-portkey-virtual-key: oai";

/// A gateway with the caller `alpha`, of these rules, and prices: of the model `m` a token of the
/// answer costs a millionth of a dollar.
fn gateway(workers: usize, upstream: &Upstream, rules: &str) -> Gateway {
    let url = format!("http://127.0.0.1:{}/v1", upstream.port);
    let yaml = format!(
        "virtual_keys: {{oai: {{provider: openai, api_key: k, base_url: '{url}'}}}}\n\
         prices: {{openai: {{m: {{input: 0, output: 1}}, n: {{input: 0, output: 1}}}}}}\n\
         api_keys:\n  alpha: {{key: pk-alpha, {rules}}}\n  beta: {{key: pk-beta}}\n"
    );
    Gateway::with_workers(workers, &yaml)
}

/// An answer that took so many tokens.
fn completion(tokens: u64) -> String {
    json!({
        "id": "c-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "finish_reason": "stop",
            "message": { "role": "assistant", "content": "hello" } }],
        "usage": { "prompt_tokens": 0, "completion_tokens": tokens, "total_tokens": tokens },
    })
    .to_string()
}

/// A request of that model that allows so many tokens.
fn chat(model: &str, max_tokens: u64) -> String {
    json!({ "model": model, "max_tokens": max_tokens, "messages": [] }).to_string()
}

fn code(response: &Response) -> Value {
    response.json()["error"]["code"].clone()
}

/// What a line of the log has of limits.
fn booked(line: &Value) -> [&Value; 4] {
    ["limited_by", "booked_tokens", "booked_micro_usd", "budget_left_micro_usd"]
        .map(|name| &line[name])
}

#[test]
fn requests_side_by_side_do_not_overdraw_a_budget() {
    let upstream = Upstream::start(|_, _| {
        thread::sleep(Duration::from_millis(500));
        json(200, &completion(1000))
    });
    let gateway = gateway(2, &upstream, "budget: {usd: 0.01, per: month}");
    let answers: Vec<Response> = thread::scope(|scope| {
        let ask = || gateway.chat(&[KEY, OAI], &chat("m", 1000));
        let threads: Vec<_> = (0..100).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!((served, upstream.requests_count()), (10, 10));
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!((refused.status, code(refused)), (412, json!("budget_exceeded")));
        assert_eq!(refused.json()["error"]["type"], "insufficient_quota");
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=31 * 86_400).contains(&wait), "{wait}");
    }
    let log = gateway.log(100);
    let sum: u64 = log.iter().filter_map(|line| line["booked_micro_usd"].as_u64()).sum();
    assert_eq!(sum, 10_000);
    assert_eq!(log.iter().filter(|line| line["limited_by"] == "budget").count(), 90);
    let counted = |name: &str| gateway.stats(name).iter().map(|(_, value)| value).sum::<u64>();
    assert_eq!(counted("portkey_budget_used_micro_usd_total"), 10_000);
    assert_eq!(counted("portkey_limited_total"), 90);
    assert_eq!(gateway.chat(&["x-portkey-api-key: pk-beta", OAI], CHAT).status, 200);
    gateway.assert_healthy();
}

#[test]
fn what_is_held_back_is_booked_as_what_was_used() {
    let upstream = Upstream::start(|_, number| match number {
        0 => json(200, &completion(100)),
        1 => json(500, "{}"),
        // It does not say what it took.
        2 => json(200, &completion(0).replace("usage", "other")),
        _ => json(200, &completion(7500)),
    });
    let gateway = gateway(2, &upstream, "budget: {usd: 0.01, per: day, reserve_usd: 0.0005}");
    for (max_tokens, status) in
        [(1000, 200), (1000, 500), (1000, 200), (8901, 412), (8900, 200), (1401, 412), (10, 200)]
    {
        let answer = gateway.chat(&[KEY, OAI], &chat("m", max_tokens));
        assert_eq!(answer.status, status, "{max_tokens}: {}", answer.text());
    }
    let log = gateway.log(7);
    let null = Value::Null;
    let expected = [
        [&null, &null, &json!(100), &json!(9900)],
        [&null, &null, &json!(0), &json!(9900)],
        [&null, &null, &json!(1000), &json!(8900)],
        [&json!("budget"), &null, &null, &json!(8900)],
        [&null, &null, &json!(7500), &json!(1400)],
        [&json!("budget"), &null, &null, &json!(1400)],
        // It took more than was held back, and more than there was.
        [&null, &null, &json!(7500), &json!(0)],
    ];
    for (line, expected) in log.iter().zip(expected) {
        assert_eq!(booked(line), expected, "{line}");
    }
    // The smallest that is held back for a request is `reserve_usd`.
    assert_eq!(gateway.chat(&[KEY, OAI], &chat("m", 1)).status, 412);
    gateway.assert_healthy();
}

#[test]
fn tokens_of_a_minute_are_told_and_kept() {
    let upstream = Upstream::start(|_, _| json(200, &completion(400)));
    let gateway = gateway(1, &upstream, "rate_limits: {tokens_per_minute: 1001}");
    // The next minute would have new tokens.
    let second = || std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() % 60;
    while second() > 55 {
        thread::sleep(Duration::from_millis(200));
    }
    let header = |answer: &Response, name: &str| {
        answer.header(&format!("x-ratelimit-{name}-tokens")).unwrap().to_owned()
    };
    let large = gateway.chat(&[KEY, OAI], &chat("m", 2000));
    assert_eq!((large.status, large.header("x-should-retry")), (429, Some("false")));
    assert_eq!(large.header("retry-after"), None);
    for left in ["0", "600", "200"] {
        let max_tokens = if left == "200" { 500 } else { 1000 };
        let answer = gateway.chat(&[KEY, OAI], &chat("m", max_tokens));
        let status = if left == "600" { 429 } else { 200 };
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(header(&answer, "limit"), "1001");
        let reset = header(&answer, "reset");
        if status == 429 {
            assert_eq!(code(&answer), "rate_limit_exceeded");
            assert_eq!(header(&answer, "remaining"), "601");
            assert_eq!(answer.header("retry-after"), reset.strip_suffix('s'));
        }
    }
    let log = gateway.log(4);
    let null = Value::Null;
    assert_eq!(booked(&log[0])[0], "tokens_per_minute");
    assert_eq!(booked(&log[1]), [&null, &json!(400), &null, &null]);
    assert_eq!(booked(&log[2])[0], "tokens_per_minute");
    assert_eq!(booked(&log[3]), [&null, &json!(400), &null, &null]);
    gateway.assert_healthy();
}

#[test]
fn who_leaves_pays_what_was_held_back() {
    let upstream = Upstream::start(|_, number| {
        thread::sleep(Duration::from_millis(if number == 0 { 3000 } else { 0 }));
        json(200, &completion(100))
    });
    let gateway = gateway(1, &upstream, "budget: {usd: 0.01, per: day}");
    let body = chat("m", 4000);
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", gateway.port)).unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\n{KEY}\r\n{OAI}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
    while upstream.requests_count() == 0 {
        thread::sleep(Duration::from_millis(20));
    }
    drop(stream);
    assert_eq!(booked(&gateway.log(1)[0])[2], 4000);
    assert_eq!(gateway.chat(&[KEY, OAI], &chat("m", 6001)).status, 412);
    assert_eq!(gateway.chat(&[KEY, OAI], &chat("m", 6000)).status, 200);
    gateway.assert_healthy();
}

#[test]
fn what_has_no_price_is_refused_or_costs_nothing() {
    let upstream = Upstream::answering(json(200, &completion(100).replace("\"m\"", "\"other\"")));
    let cached = r#"x-portkey-config: {"virtual_key":"oai","cache":{"mode":"simple"}}"#;
    let both = r#"x-portkey-config: {"strategy":{"mode":"fallback"},"targets":[
        {"virtual_key":"oai"},{"virtual_key":"oai","override_params":{"model":"other"}}]}"#
        .replace('\n', "");
    let refusing = gateway(1, &upstream, "budget: {usd: 0.01, per: day}");
    for (header, body) in [
        (OAI, &chat("other", 1)),
        (both.as_str(), &chat("m", 1)),
        (OAI, &"{\"messages\":[]}".to_owned()),
    ] {
        let answer = refusing.chat(&[KEY, header], body);
        assert_eq!((answer.status, code(&answer)), (403, json!("unpriced_model")), "{header}");
    }
    // A GET that a provider takes for another method, or that becomes a WebSocket, may run a model.
    for header in ["x-http-method-override: POST", "connection: upgrade\r\nupgrade: websocket"] {
        let answer = send(refusing.port, "GET", "/v1/proxy/anything", &[KEY, OAI, header], b"");
        assert_eq!((answer.status, code(&answer)), (403, json!("unpriced_model")), "{header}");
    }
    assert_eq!(upstream.requests_count(), 0);
    let allowing = gateway(1, &upstream, "budget: {usd: 0.01, per: day, unpriced: allow}");
    assert_eq!(allowing.chat(&[KEY, OAI], &chat("other", 1_000_000)).status, 200);
    assert_eq!(allowing.chat(&[KEY, OAI], &chat("m", 1_000_000)).status, 412);
    assert_eq!(allowing.chat(&[KEY, cached], &chat("n", 9000)).status, 200);
    // Kept answers are free.
    for _ in 0..2 {
        let answer = allowing.chat(&[KEY, cached], &chat("n", 9000));
        assert_eq!(answer.header("x-portkey-cache-status"), Some("HIT"));
    }
    let log = allowing.log(5);
    let booked: Vec<_> = log.iter().map(|line| line["booked_micro_usd"].clone()).collect();
    // The price of what was asked for counts where that of the answer is not known.
    assert_eq!(booked, [json!(0), json!(null), json!(100), json!(null), json!(null)]);
    refusing.assert_healthy();
    allowing.assert_healthy();
}

#[test]
fn a_changed_budget_forgets_nothing() {
    let upstream = Upstream::start(|_, _| json(200, &completion(1000)));
    let gateway = gateway(1, &upstream, "budget: {usd: 0.002, per: day}");
    let ask = || gateway.chat(&[KEY, OAI], &chat("m", 1000)).status;
    assert_eq!([ask(), ask(), ask()], [200, 200, 412]);
    let path = gateway.dir.path().join("gateway.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("usd: 0.002", "usd: 0.003")).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while ask() != 200 {
        assert!(std::time::Instant::now() < deadline, "{}", gateway.stderr());
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(ask(), 412);
    gateway.assert_healthy();
}

#[test]
fn requests_of_a_minute_are_counted_by_envoy() {
    let forged = "content-type: application/json\r\nx-ratelimit-limit: 77\r\n\
                  x-ratelimit-remaining: 77\r\nx-ratelimit-remaining-requests: 77\r\n";
    let upstream = Upstream::start(|_, _| answer(200, forged, &completion(1)));
    let limits = "rate_limits: {requests_per_minute: 3}, budget: {usd: 1, per: day}";
    let gateway = gateway(2, &upstream, limits);
    let ask = |key: &str| gateway.chat(&[key, OAI], &chat("m", 1000));
    let header = |answer: &Response, name: &str| {
        answer.header(&format!("x-ratelimit-{name}-requests")).unwrap_or("-").to_owned()
    };
    for left in ["2", "1", "0"] {
        let answer = ask(KEY);
        assert_eq!(answer.status, 200);
        let told = [header(&answer, "limit"), header(&answer, "remaining")];
        assert_eq!(told, ["3", left], "{:?}", answer.headers);
    }
    let refused = ask(KEY);
    assert_eq!((refused.status, code(&refused)), (429, json!("rate_limit_exceeded")));
    assert_eq!(refused.json()["error"]["type"], "requests");
    let wait: u64 = refused.header("retry-after").expect("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(header(&refused, "remaining"), "0");
    // Nobody else is stopped, and nobody gets the name that Envoy knows the caller by.
    for _ in 0..5 {
        assert_eq!(ask("x-portkey-api-key: pk-beta").status, 200);
    }
    for request in upstream.requests() {
        assert!(request.headers.iter().all(|(name, _)| !name.starts_with("x-portkey")));
    }
    let log = gateway.log(9);
    let null = Value::Null;
    assert_eq!(booked(&log[3]), [&json!("requests_per_minute"), &null, &json!(0), &json!(999_997)]);
    assert_eq!(log[3]["status"], 429);
    // More is allowed while the gateway runs.
    let path = gateway.dir.path().join("gateway.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("requests_per_minute: 3", "requests_per_minute: 30"))
        .unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while ask(KEY).status != 200 {
        assert!(std::time::Instant::now() < deadline, "{}", gateway.stderr());
        thread::sleep(Duration::from_millis(50));
    }
    gateway.assert_healthy();
}
