//! Limits and pauses: which attempt they end, how long the client waits, and what it gets.

use super::support::client::{self, Response};
use super::support::gateway::{Gateway, free_port};
use super::support::name_server::NameServer;
use super::support::upstream::{Step, Upstream, answer, chunk, json, sse_head};
use super::{CHAT, CHAT_STREAM, COMPLETION, virtual_keys};
use std::time::{Duration, Instant};

fn timed(gateway: &Gateway, config: &str, body: &str) -> (Response, Duration) {
    let started = Instant::now();
    let response = gateway.chat(&[&format!("x-portkey-config: {config}")], body);
    (response, started.elapsed())
}

/// A server that is silent at `/slow`, and another key that is good.
fn slow_and_good(yaml: &str) -> (Gateway, Upstream) {
    let upstream = Upstream::start(|request, _| match request.path.starts_with("/slow") {
        true => vec![Step::Sleep(Duration::from_secs(6)), Step::Close],
        false => json(200, COMPLETION),
    });
    let port = upstream.port;
    let gateway = Gateway::start(&format!(
        "virtual_keys:\n  slow: {{provider: openai, api_key: sk-slow, base_url: 'http://127.0.0.1:{port}/slow'}}\n  \
         claude: {{provider: anthropic, api_key: sk-claude, base_url: 'http://127.0.0.1:{port}/slow'}}\n  \
         good: {{provider: openai, api_key: sk-good, base_url: 'http://127.0.0.1:{port}/good'}}\n{yaml}"
    ));
    (gateway, upstream)
}

#[test]
fn each_target_has_its_own_limit() {
    let (gateway, upstream) = slow_and_good("");
    for (key, body) in [("slow", CHAT), ("claude", CHAT), ("slow", CHAT_STREAM)] {
        let config = format!(
            r#"{{"strategy":{{"mode":"fallback"}},"targets":[{{"virtual_key":"{key}","request_timeout":400}},{{"virtual_key":"good"}}]}}"#
        );
        let (response, time) = timed(&gateway, &config, body);
        assert_eq!((response.status, response.text()), (200, COMPLETION.to_owned()));
        assert!((300..1500).contains(&time.as_millis()), "{time:?}");
    }
    let last = r#"{"strategy":{"mode":"fallback"},"targets":[{"virtual_key":"slow","request_timeout":300},{"virtual_key":"slow","request_timeout":500}]}"#;
    let (response, time) = timed(&gateway, last, CHAT);
    assert_eq!(response.status, 408);
    let message = "Request exceeded the timeout sent in the request: 500ms";
    assert_eq!(response.json()["error"]["message"], message);
    assert!((700..1800).contains(&time.as_millis()), "{time:?}");
    // 408 is a status like any other for the fallback's list.
    for (codes, status) in [("[408]", 200), ("[500]", 408)] {
        let config = format!(
            r#"{{"strategy":{{"mode":"fallback","on_status_codes":{codes}}},"request_timeout":300,"targets":[{{"virtual_key":"slow"}},{{"virtual_key":"good"}}]}}"#
        );
        assert_eq!(timed(&gateway, &config, CHAT).0.status, status, "{codes}");
    }
    for request in upstream.requests() {
        let key = if request.path.starts_with("/good") { "good" } else { "slow" };
        let sent = request.header("authorization").or(request.header("x-api-key")).unwrap();
        let own = sent.ends_with(key) || (key == "slow" && sent == "sk-claude");
        assert!(own, "{sent} went to {key}");
        for (name, _) in &request.headers {
            let ours = name.starts_with("x-portkey") || name.starts_with("x-envoy");
            assert!(!ours && !name.starts_with("x-forwarded"), "{name}");
        }
    }
    gateway.assert_healthy();
}

#[test]
fn a_stream_that_opens_and_says_nothing_is_left_in_time() {
    let silent =
        vec![sse_head(), chunk(": ping\n\n"), Step::Sleep(Duration::from_secs(6)), Step::Close];
    let upstream = Upstream::start(move |request, _| match request.path.starts_with("/v1/m") {
        true => json(200, super::MESSAGE),
        false => silent.clone(),
    });
    let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
    let on = r#"{"strategy":{"mode":"fallback"},"first_token_timeout":400,"targets":[{"virtual_key":"oai"},{"virtual_key":"ant"}]}"#;
    let (response, time) = timed(&gateway, on, CHAT_STREAM);
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.json()["choices"][0]["message"]["content"], "hello");
    assert!((300..1500).contains(&time.as_millis()), "{time:?}");
    let alone = r#"{"virtual_key":"oai","first_token_timeout":400}"#;
    let (response, time) = timed(&gateway, alone, CHAT_STREAM);
    assert_eq!((response.status, response.whole), (504, true), "{}", response.text());
    assert_eq!(response.json()["error"]["code"], "first_token_timeout");
    assert!((300..1500).contains(&time.as_millis()), "{time:?}");
    gateway.assert_healthy();
}

#[test]
fn a_stalled_stream_ends_in_time_and_never_whole() {
    let event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n";
    let steps = vec![sse_head(), chunk(event), Step::Sleep(Duration::from_secs(20)), Step::Close];
    let upstream = Upstream::answering(steps);
    let yaml = virtual_keys(upstream.port, upstream.port) + "limits: {idle_timeout: 1000}\n";
    let gateway = Gateway::start(&yaml);
    let (response, time) = timed(&gateway, r#"{"virtual_key":"oai"}"#, CHAT_STREAM);
    assert!(response.text().contains('x') && !response.whole, "{}", response.text());
    assert!(!response.text().contains("[DONE]"));
    assert!((900..4000).contains(&time.as_millis()), "{time:?}");
    let record = &gateway.log(1)[0];
    assert_eq!(record["complete"], false, "{record}");
    gateway.assert_healthy();
}

#[test]
fn a_busy_provider_is_waited_for_as_it_asks() {
    let busy = |header: &str| {
        answer(429, &format!("content-type: application/json\r\n{header}\r\n"), "{}")
    };
    let forms = ["retry-after: 2", "retry-after-ms: 1500", "x-own: none"];
    let upstream = Upstream::start(move |_, number| match number % 2 {
        0 => busy(forms[number / 2]),
        _ => json(200, COMPLETION),
    });
    let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
    let config = r#"{"virtual_key":"oai","retry":{"attempts":1,"use_retry_after_header":true}}"#;
    // Envoy waits whole seconds, and adds up to half of them.
    for (seconds, form) in [(2, "seconds"), (2, "milliseconds"), (1, "Portkey's first pause")] {
        let (response, time) = timed(&gateway, config, CHAT);
        assert_eq!(response.status, 200, "{form}");
        let bounds = seconds * 1000 - 100..seconds * 1500 + 700;
        assert!(bounds.contains(&time.as_millis()), "{form}: {time:?}");
    }
    gateway.assert_healthy();
}

#[test]
fn a_pause_that_is_too_long_is_not_waited_for() {
    let headers = "content-type: application/json\r\nretry-after: 3600\r\n";
    let upstream = Upstream::answering(answer(429, headers, "{}"));
    let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
    let config = r#"{"virtual_key":"oai","retry":{"attempts":3,"use_retry_after_header":true}}"#;
    let (response, time) = timed(&gateway, config, CHAT);
    assert_eq!(response.status, 429);
    assert_eq!(response.header("x-portkey-retry-attempt-count"), Some("-1"));
    assert!(time < Duration::from_millis(900), "{time:?}");
    assert_eq!(upstream.requests().len(), 1);
    gateway.assert_healthy();
}

#[test]
fn failures_of_tls_and_of_names_move_on() {
    let plain = Upstream::answering(json(200, COMPLETION));
    let port = plain.port;
    let names = NameServer::start(&["known.example"]).port;
    let gateway = Gateway::start(&format!(
        "dns_resolvers: ['127.0.0.1:{names}']\nvirtual_keys:\n  \
         lost: {{provider: openai, api_key: sk, base_url: 'http://lost.example/v1'}}\n  \
         known: {{provider: openai, api_key: sk, base_url: 'http://known.example:{port}/v1'}}\n  \
         tls: {{provider: openai, api_key: sk, base_url: 'https://127.0.0.1:{port}/v1'}}\n  \
         gone: {{provider: openai, api_key: sk, base_url: 'http://127.0.0.1:{}/v1'}}\n  \
         good: {{provider: openai, api_key: sk, base_url: 'http://127.0.0.1:{port}/v1'}}\n",
        free_port()
    ));
    let config = r#"{"strategy":{"mode":"fallback"},"targets":[{"virtual_key":"tls"},{"virtual_key":"gone"},{"virtual_key":"lost"},{"provider":"openai","api_key":"k"},{"virtual_key":"good"}]}"#;
    let (response, _) = timed(&gateway, config, CHAT);
    assert_eq!((response.status, response.text()), (200, COMPLETION.to_owned()));
    assert_eq!(response.header("x-portkey-last-used-option-index"), Some("config.targets[4]"));
    let trail = gateway.log(1)[0]["trail"].as_str().unwrap().to_owned();
    assert_eq!(trail.matches("=503 ").count(), 4, "{trail}");
    // One that resolves, and one that nothing else can rescue.
    assert_eq!(gateway.chat(&["x-portkey-virtual-key: known"], CHAT).text(), COMPLETION);
    for lost in ["x-portkey-virtual-key: lost", "x-portkey-provider: openai"] {
        let response = gateway.chat(&[lost], CHAT);
        assert_eq!((response.status, response.whole), (503, true), "{lost}");
        let code = response.json()["error"]["code"].clone();
        assert_eq!(code, "upstream_unreachable", "{lost}: {}", response.text());
    }
    gateway.assert_healthy();
}

#[test]
fn custom_hosts_are_reached_when_they_are_allowed() {
    let upstream = Upstream::start(|request, _| match request.path.starts_with("/claude") {
        true => json(200, super::MESSAGE),
        false => json(200, COMPLETION),
    });
    let port = upstream.port;
    let gateway = Gateway::start("custom_hosts: [{host: 127.0.0.1, private: true}]\n");
    let host = format!("x-portkey-custom-host: http://127.0.0.1:{port}/own/v2");
    let openai = ["x-portkey-provider: openai", "authorization: Bearer sk-1", &host];
    assert_eq!(gateway.chat(&openai, CHAT).text(), COMPLETION);
    let config = format!(
        r#"{{"strategy":{{"mode":"fallback"}},"targets":[{{"provider":"openai","api_key":"k","custom_host":"http://127.0.0.1:{}"}},{{"provider":"anthropic","api_key":"sk-2","custom_host":"http://127.0.0.1:{port}/claude","request_timeout":5000}}]}}"#,
        free_port()
    );
    let (response, _) = timed(&gateway, &config, CHAT);
    assert_eq!(response.json()["choices"][0]["message"]["content"], "hello");
    let requests = upstream.requests();
    assert_eq!(requests[0].path, "/own/v2/chat/completions");
    assert_eq!(requests[0].header("authorization"), Some("Bearer sk-1"));
    assert_eq!(requests[0].header("host"), Some(format!("127.0.0.1:{port}").as_str()));
    assert_eq!(requests[1].path, "/claude/messages");
    assert_eq!(requests[1].header("x-api-key"), Some("sk-2"));
    for (name, _) in requests.iter().flat_map(|request| &request.headers) {
        let ours = name.starts_with("x-portkey") || name.starts_with("x-envoy");
        assert!(!ours && !name.starts_with("x-forwarded"), "{name}");
    }
    for url in [
        "http://127.0.0.2/",
        "http://localhost/",
        "http://[::1]/",
        "http://2130706433/",
        "file:///etc/passwd",
    ] {
        let host = format!("x-portkey-custom-host: {url}");
        let refused = gateway.chat(&["x-portkey-provider: openai", &host], CHAT);
        assert_eq!(
            (refused.status, &refused.json()["message"]),
            (400, &"Invalid custom host".into())
        );
    }
    assert_eq!(upstream.requests().len(), 2);
    gateway.assert_healthy();
}

#[test]
fn a_saved_loadbalance_is_envoys_and_its_weights_shift_at_run_time() {
    let upstream = Upstream::start(|request, _| {
        json(200, &COMPLETION.replace("hello", request.path.split('/').nth(1).unwrap()))
    });
    let port = upstream.port;
    let yaml = |weights: (u32, u32)| {
        format!(
            "virtual_keys:\n  a: {{provider: openai, api_key: sk-a, base_url: 'http://127.0.0.1:{port}/a'}}\n  \
             b: {{provider: openai, api_key: sk-b, base_url: 'http://127.0.0.1:{port}/b'}}\n\
             configs:\n  pc-ab: {{strategy: {{mode: loadbalance}}, targets: [{{virtual_key: a, weight: {}}}, {{virtual_key: b, weight: {}}}]}}\n",
            weights.0, weights.1
        )
    };
    let gateway = Gateway::start(&yaml((3, 1)));
    let share = || {
        let before = upstream.requests().len();
        for _ in 0..200 {
            let response = gateway.chat(&["x-portkey-config: pc-ab"], CHAT);
            let chosen = response.json()["choices"][0]["message"]["content"].clone();
            let index = if chosen == "a" { "config.targets[0]" } else { "config.targets[1]" };
            assert_eq!(response.header("x-portkey-last-used-option-index"), Some(index));
        }
        let requests = upstream.requests();
        requests[before..].iter().filter(|request| request.path.starts_with("/a/")).count()
    };
    let of_three_quarters = share();
    assert!((120..180).contains(&of_three_quarters), "{of_three_quarters} of 200");
    let shift = "/runtime_modify?portkey.config.pc-ab.vk.a=0";
    assert_eq!(client::send(gateway.admin, "POST", shift, &[], b"").status, 200);
    assert_eq!(share(), 0);
    let back = "/runtime_modify?portkey.config.pc-ab.vk.a=";
    assert_eq!(client::send(gateway.admin, "POST", back, &[], b"").status, 200);
    let text = Gateway::config(gateway.dir.path(), gateway.port, gateway.admin, &yaml((1, 0)));
    std::fs::write(gateway.dir.path().join("gateway.yaml"), text).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while !gateway.stderr().contains("reloaded") {
        assert!(Instant::now() < deadline, "{}", gateway.stderr());
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(share(), 200);
    gateway.assert_healthy();
}
