//! Config objects with several targets: which upstream gets the request, in which order, and what
//! the client sees in the end.

use super::support::client::Response;
use super::support::gateway::{Gateway, free_port};
use super::support::upstream::{Step, Upstream, answer, chunk, json, last_chunk, sse_head};
use super::{CHAT, CHAT_STREAM, COMPLETION, MESSAGE};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Upstreams `a`, `b`, ... behind virtual keys of the same names, all in one server: each answers
/// what its own list says, the last item again and again.
struct Bench {
    gateway: Gateway,
    seen: Arc<Mutex<Vec<String>>>,
    _upstream: Upstream,
}

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

impl Bench {
    fn start(scripts: &[(&'static str, Vec<Vec<Step>>)]) -> Self {
        Self::with(scripts, "")
    }

    fn with(scripts: &[(&'static str, Vec<Vec<Step>>)], more: &str) -> Self {
        let seen = Arc::new(Mutex::new(Vec::<String>::new()));
        let (log, scripts) = (seen.clone(), scripts.to_vec());
        let counts = Mutex::new(HashMap::new());
        let upstream = Upstream::start(move |request, _| {
            let name = request.path.split('/').nth(1).unwrap_or_default().to_owned();
            log.lock().unwrap().push(name.clone());
            let mut counts = counts.lock().unwrap();
            let count: &mut usize = counts.entry(name.clone()).or_default();
            let earlier = std::mem::replace(count, *count + 1);
            let script = scripts.iter().find(|(own, _)| *own == name);
            let steps = script.map(|(_, answers)| answers[earlier.min(answers.len() - 1)].clone());
            steps.unwrap_or_else(|| json(200, &completion(&name)))
        });
        let dead = free_port();
        let mut yaml = String::from("virtual_keys:\n");
        for name in NAMES {
            let port = upstream.port;
            yaml += &format!(
                "  {name}: {{provider: openai, api_key: sk-{name}, base_url: 'http://127.0.0.1:{port}/{name}'}}\n"
            );
        }
        yaml += &format!(
            "  claude: {{provider: anthropic, api_key: sk-c, base_url: 'http://127.0.0.1:{}/claude'}}\n  \
             dead: {{provider: openai, api_key: sk, base_url: 'http://127.0.0.1:{dead}/v1'}}\n",
            upstream.port
        );
        let gateway = Gateway::start(&(yaml + more));
        Self { gateway, seen, _upstream: upstream }
    }

    /// Asks with this config; returns the answer and the upstreams that were asked, in order.
    fn ask(&self, config: &str) -> (Response, String) {
        self.ask_with(config, &[], CHAT)
    }

    fn ask_with(&self, config: &str, headers: &[&str], body: &str) -> (Response, String) {
        self.seen.lock().unwrap().clear();
        let config = format!("x-portkey-config: {config}");
        let headers = [&[config.as_str()], headers].concat();
        let response = self.gateway.chat(&headers, body);
        (response, self.seen.lock().unwrap().concat())
    }
}

fn completion(name: &str) -> String {
    COMPLETION.replace("hello", name)
}

fn failing(status: u16) -> Vec<Step> {
    json(status, &format!(r#"{{"error":{{"message":"status {status}","type":"t","code":"c"}}}}"#))
}

/// A fallback over virtual keys.
fn fallback(keys: &[&str], more: &str) -> String {
    let targets: Vec<_> = keys.iter().map(|key| format!(r#"{{"virtual_key":"{key}"}}"#)).collect();
    let targets = targets.join(",");
    format!(r#"{{"strategy":{{"mode":"fallback"{more}}},"targets":[{targets}]}}"#)
}

fn content(response: &Response) -> String {
    response.json()["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_fallback_goes_on_after_any_failure_and_stops_at_the_first_good_answer() {
    let bench = Bench::start(&[
        ("a", vec![failing(500)]),
        ("b", vec![vec![Step::Close]]),
        ("c", vec![answer(200, "content-type: text/html\r\n", "<html>")]),
        ("claude", vec![json(200, MESSAGE)]),
    ]);
    let (response, order) = bench.ask(&fallback(&["a", "dead", "b", "c", "claude", "d"], ""));
    assert_eq!((response.status, content(&response)), (200, "hello".into()));
    assert_eq!(order, "abcclaude");
    assert_eq!(response.header("x-portkey-last-used-option-index"), Some("config.targets[4]"));
    assert_eq!(response.header("x-portkey-provider"), Some("anthropic"));
    assert_eq!(response.header("x-portkey-retry-attempt-count"), Some("0"));
    assert_eq!(response.header("x-portkey-attempts"), None);
    let record = &bench.gateway.log(1)[0];
    assert_eq!(record["virtual_key"], "claude");
    assert_eq!(record["option_index"], "config.targets[4]");
    let trail = record["trail"].as_str().unwrap();
    let statuses: Vec<&str> =
        trail.split(", ").map(|part| &part[..part.find(' ').unwrap()]).collect();
    assert_eq!(
        statuses,
        [
            "config.targets[0]=500",
            "config.targets[1]=503",
            "config.targets[2]=503",
            "config.targets[3]=502",
            "config.targets[4]=200",
        ]
    );
    bench.gateway.assert_healthy();
}

#[test]
fn when_all_fail_the_last_answer_is_the_clients() {
    let bench = Bench::start(&[("a", vec![failing(500)]), ("b", vec![failing(429)])]);
    let (response, order) = bench.ask(&fallback(&["a", "b"], ""));
    assert_eq!((response.status, order.as_str()), (429, "ab"));
    assert_eq!(response.json()["error"]["message"], "openai error: status 429");
    let (response, order) = bench.ask(&fallback(&["a", "dead"], ""));
    assert_eq!((response.status, order.as_str()), (503, "a"));
    assert_eq!(response.json()["error"]["code"], "upstream_unreachable");
    assert_eq!(response.header("x-portkey-last-used-option-index"), Some("config.targets[1]"));
    let (response, _) =
        bench.ask_with(&fallback(&["a", "b"], ""), &["x-portkey-debug: true"], CHAT);
    let attempts = response.header("x-portkey-attempts").unwrap();
    assert!(attempts.starts_with("config.targets[0]=500 "), "{attempts}");
    assert!(attempts.contains(", config.targets[1]=429 "), "{attempts}");
    bench.gateway.assert_healthy();
}

#[test]
fn only_the_listed_statuses_go_on_and_retries_are_another_list() {
    let bench = Bench::start(&[
        ("a", vec![failing(429)]),
        ("b", vec![failing(500)]),
        ("c", vec![failing(400)]),
        ("d", vec![failing(429), json(200, &completion("d"))]),
    ]);
    let on_429 = r#","on_status_codes":[429]"#;
    let (response, order) = bench.ask(&fallback(&["a", "b", "e"], on_429));
    assert_eq!((response.status, order.as_str()), (500, "ab"), "500 is not in the list");
    // Neither retried nor hammered: 503 stands for a refused connection and is not in the list.
    let (response, order) = bench.ask(&fallback(&["dead", "e"], on_429));
    assert_eq!((response.status, order.as_str()), (503, ""), "{}", response.text());
    assert_eq!(response.json()["error"]["code"], "upstream_unreachable");
    let retried = r#"{"strategy":{"mode":"fallback"},"targets":[
        {"virtual_key":"a","retry":{"attempts":1,"on_status_codes":[429]}},
        {"virtual_key":"b","retry":{"attempts":2,"on_status_codes":[429]}},
        {"virtual_key":"c"},{"virtual_key":"d","retry":{"attempts":1}}]}"#
        .replace('\n', "");
    let (response, order) = bench.ask(&retried);
    assert_eq!((response.status, order.as_str()), (200, "aabcdd"));
    assert_eq!(response.header("x-portkey-retry-attempt-count"), Some("1"));
    assert_eq!(response.header("x-portkey-last-used-option-index"), Some("config.targets[3]"));
    bench.gateway.assert_healthy();
}

#[test]
fn nested_strategies() {
    let bench = Bench::start(&[
        ("a", vec![failing(500)]),
        ("b", vec![failing(503)]),
        ("c", vec![failing(429)]),
    ]);
    let inner = fallback(&["a", "b"], r#","on_status_codes":[500]"#);
    let single = r#"{"strategy":{"mode":"single"},"targets":[{"virtual_key":"c"}]}"#;
    let config = format!(
        r#"{{"strategy":{{"mode":"fallback"}},"targets":[{inner},{single},
        {{"strategy":{{"mode":"loadbalance"}},"targets":[
            {{"virtual_key":"e","weight":0}},{{"virtual_key":"d","weight":5}}]}}]}}"#
    )
    .replace('\n', "");
    let (response, order) = bench.ask(&config);
    assert_eq!((response.status, order.as_str()), (200, "abcd"));
    let index = response.header("x-portkey-last-used-option-index");
    assert_eq!(index, Some("config.targets[2].targets[1]"));
    bench.gateway.assert_healthy();
}

#[test]
fn weights_are_kept() {
    let bench = Bench::start(&[]);
    for (weights, share) in [("", 0.5), (r#","weight":9"#, 0.9)] {
        let config = format!(
            r#"{{"strategy":{{"mode":"loadbalance"}},"targets":[{{"virtual_key":"a"{weights}}},{{"virtual_key":"b"}}]}}"#
        );
        let mut hits = 0_u32;
        const REQUESTS: u32 = 2000;
        for _ in 0..REQUESTS {
            let (response, order) = bench.ask(&config);
            assert_eq!(response.status, 200);
            hits += u32::from(order == "a");
        }
        let deviation = (f64::from(REQUESTS) * share * (1.0 - share)).sqrt();
        let off = (f64::from(hits) - f64::from(REQUESTS) * share).abs();
        assert!(off < 3.0 * deviation, "{hits} of {REQUESTS} for a share of {share}");
    }
    bench.gateway.assert_healthy();
}

#[test]
fn a_sticky_choice_is_always_the_same() {
    let bench = Bench::start(&[]);
    let config = r#"{"strategy":{"mode":"loadbalance","sticky":{"enabled":true,"hash_fields":["metadata._user"]}},"targets":[{"virtual_key":"a"},{"virtual_key":"b"}]}"#;
    let mut chosen = std::collections::BTreeSet::new();
    for user in 0..20 {
        let metadata = format!("x-portkey-metadata: {{\"_user\":\"u{user}\"}}");
        let orders: Vec<_> = (0..3).map(|_| bench.ask_with(config, &[&metadata], CHAT).1).collect();
        assert!(orders.iter().all(|order| *order == orders[0]), "{orders:?}");
        chosen.insert(orders[0].clone());
    }
    assert_eq!(chosen.len(), 2, "all users went to the same target");
}

#[test]
fn conditions_choose_by_metadata_body_and_path() {
    let bench = Bench::start(&[]);
    let config = r#"{"strategy":{"mode":"conditional","conditions":[
        {"query":{"metadata.plan":{"$in":["paid","trial"]},"params.temperature":{"$lt":0.5}},"then":"cold"},
        {"query":{"$or":[{"params.model":{"$regex":"^gpt-4"}},{"params.response_format.type":"json_object"}]},"then":"big"},
        {"query":{"url.pathname":"/v1/embeddings"},"then":"cold"}],"default":"rest"},
        "targets":[{"name":"rest","virtual_key":"a"},{"name":"cold","virtual_key":"b"},{"name":"big","virtual_key":"c"}]}"#
        .replace('\n', "");
    let body = |more: &str| format!(r#"{{"messages":[],{more}}}"#);
    for (metadata, body, expected) in [
        (r#"{"plan":"paid"}"#, body(r#""model":"m","temperature":0.2"#), "b"),
        (r#"{"plan":"free"}"#, body(r#""model":"m","temperature":0.2"#), "a"),
        (r#"{"plan":"paid"}"#, body(r#""model":"gpt-4o""#), "c"),
        ("{}", body(r#""model":"m","response_format":{"type":"json_object"}"#), "c"),
        ("{}", body(r#""model":"m""#), "a"),
    ] {
        let metadata = format!("x-portkey-metadata: {metadata}");
        let (response, order) = bench.ask_with(&config, &[&metadata], &body);
        assert_eq!((response.status, order.as_str()), (200, expected), "{metadata} {body}");
    }
    let none = r#"{"strategy":{"mode":"conditional","conditions":[{"query":{"params.model":"x"},"then":"a"}]},"targets":[{"name":"a","virtual_key":"a"}]}"#;
    let (response, order) = bench.ask(none);
    assert_eq!((response.status, order.as_str()), (400, ""));
    assert_eq!(response.json()["message"], "Query router did not resolve to any valid target");
    bench.gateway.assert_healthy();
}

#[test]
fn a_stream_goes_on_elsewhere_until_its_first_content() {
    let event = |data: &str| chunk(&format!("data: {data}\n\n"));
    let delta = |text: &str| {
        event(&format!(
            r#"{{"id":"c","model":"m","choices":[{{"index":0,"delta":{{"role":"assistant","content":"{text}"}},"finish_reason":null}}]}}"#
        ))
    };
    let overloaded = event(r#"{"error":{"type":"server_error","message":"busy"}}"#);
    let good = vec![
        sse_head(),
        delta(""),
        delta("good"),
        event(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#),
        event("[DONE]"),
        last_chunk(),
    ];
    let bench = Bench::start(&[
        ("a", vec![vec![sse_head(), overloaded, last_chunk()]]),
        ("b", vec![vec![sse_head(), delta(""), last_chunk()]]),
        (
            "c",
            vec![vec![sse_head(), delta(""), Step::Sleep(Duration::from_millis(100)), Step::Close]],
        ),
        ("d", vec![good]),
        ("e", vec![vec![sse_head(), delta("par"), Step::Close]]),
    ]);
    let (response, order) = bench.ask_with(&fallback(&["a", "b", "c", "d"], ""), &[], CHAT_STREAM);
    assert_eq!(order, "abcd");
    assert_eq!(response.status, 200);
    assert!(response.whole && response.text().ends_with("data: [DONE]\n\n"), "{}", response.text());
    assert!(response.text().contains("good") && !response.text().contains("busy"));
    // The last one's error is the client's, with the status that it stands for.
    let (response, order) = bench.ask_with(&fallback(&["b", "a"], ""), &[], CHAT_STREAM);
    assert_eq!(order, "ba");
    assert!(response.text().contains("server_error"), "{}", response.text());
    // Content is out: nothing can be taken back, and nothing looks complete.
    let (response, order) = bench.ask_with(&fallback(&["e", "d"], ""), &[], CHAT_STREAM);
    assert_eq!((order.as_str(), response.whole), ("e", false));
    // Unless the whole stream is held.
    let held = fallback(&["e", "d"], "").replacen('{', r#"{"stream_hold":"complete","#, 1);
    let (response, order) = bench.ask_with(&held, &[], CHAT_STREAM);
    assert_eq!(order, "ed");
    assert!(response.whole && response.text().contains("good"), "{}", response.text());
    assert!(!response.text().contains("par"));
    bench.gateway.assert_healthy();
}

#[test]
fn a_cooling_key_is_left_alone_while_there_is_another() {
    let busy = answer(429, "content-type: application/json\r\nretry-after: 2\r\n", "{}");
    let bench = Bench::start(&[("a", vec![busy, json(200, &completion("a"))])]);
    let config = fallback(&["a", "b"], "");
    assert_eq!(bench.ask(&config).1, "ab");
    let started = Instant::now();
    assert_eq!(bench.ask(&config).1, "b", "a asked to be left alone");
    assert_eq!(bench.ask(&fallback(&["a"], "")).1, "a", "there is no other");
    while started.elapsed() < Duration::from_millis(2300) {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(bench.ask(&config).1, "a");
    bench.gateway.assert_healthy();
}

#[test]
fn settings_are_inherited_and_each_attempt_has_its_own() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let upstream = Upstream::start(move |request, number| {
        log.lock().unwrap().push(request.clone());
        if number == 0 { failing(500) } else { json(200, COMPLETION) }
    });
    let port = upstream.port;
    let gateway = Gateway::start(&format!(
        "providers: {{openai: {{base_url: 'http://127.0.0.1:{port}/v1'}}}}\n"
    ));
    let config = r#"{"strategy":{"mode":"fallback"},"override_params":{"model":"outer","top_p":0.3},"forward_headers":["X_Own"],"targets":[
        {"provider":"openai","api_key":"k1","override_params":{"model":"inner"},"drop_params":["user"]},
        {"provider":"openai","api_key":"k2"}]}"#
        .replace('\n', "");
    let body = r#"{"model":"m","messages":[],"user":"u"}"#;
    let config = format!("x-portkey-config: {config}");
    let response = gateway.chat(&[&config, "x-own: mine", "x-other: not"], body);
    assert_eq!(response.status, 200);
    let requests = seen.lock().unwrap();
    let bodies: Vec<_> =
        requests.iter().map(|r| String::from_utf8_lossy(&r.body).into_owned()).collect();
    assert_eq!(bodies[0], r#"{"model":"inner","messages":[],"top_p":0.3}"#);
    assert_eq!(bodies[1], r#"{"model":"outer","messages":[],"user":"u","top_p":0.3}"#);
    for (request, key) in requests.iter().zip(["Bearer k1", "Bearer k2"]) {
        assert_eq!(request.header("authorization"), Some(key));
        assert_eq!(request.header("x-own"), Some("mine"));
        assert_eq!(request.header("x-other"), None);
    }
    gateway.assert_healthy();
}

#[test]
fn requests_that_name_nothing_follow_the_default_config() {
    let yaml = "configs: {pc-d: {virtual_key: b}}\ndefault_config: pc-d\n";
    let bench = Bench::with(&[], yaml);
    let ask = |headers: &[&str]| content(&bench.gateway.chat(headers, CHAT));
    assert_eq!(ask(&[]), "b");
    assert_eq!(ask(&["x-portkey-virtual-key: a"]), "a");
    assert_eq!(ask(&["x-portkey-config: {\"virtual_key\":\"c\"}"]), "c");
    bench.gateway.assert_healthy();
}

#[test]
fn a_cooling_key_is_left_alone_by_all_workers() {
    let upstream = Upstream::start(|request, _| match request.path.starts_with("/a/") {
        true => answer(429, "content-type: application/json\r\nretry-after: 30\r\n", "{}"),
        false => json(200, COMPLETION),
    });
    let port = upstream.port;
    let yaml = format!(
        "virtual_keys:\n  a: {{provider: openai, api_key: sk-a, base_url: 'http://127.0.0.1:{port}/a'}}\n  \
         b: {{provider: openai, api_key: sk-b, base_url: 'http://127.0.0.1:{port}/b'}}\n"
    );
    let gateway = Gateway::with_workers(2, &yaml);
    let config = format!("x-portkey-config: {}", fallback(&["a", "b"], ""));
    // Each request is a connection of its own, and Envoy spreads connections over its workers.
    for _ in 0..60 {
        assert_eq!(gateway.chat(&[&config], CHAT).status, 200);
    }
    let asked = upstream.requests().iter().filter(|it| it.path.starts_with("/a/")).count();
    assert_eq!(asked, 1, "requests at the key that asked to be left alone");
    gateway.assert_healthy();
}
