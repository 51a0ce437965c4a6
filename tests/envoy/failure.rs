//! Upstreams that fail, and what the client gets instead of their answer.

use super::support::client::Response;
use super::support::gateway::{Gateway, free_port};
use super::support::upstream::{Step, Upstream, answer, json};
use super::{ANT, CHAT, CHAT_STREAM, COMPLETION, OAI, virtual_keys};
use std::time::Duration;

fn error(response: &Response) -> (u16, String) {
    assert!(response.whole, "{}", response.text());
    let body = response.json();
    let code = body["error"]["code"].as_str().unwrap_or_default().to_owned();
    (response.status, code)
}

#[test]
fn an_unreachable_provider() {
    let gateway = Gateway::start(&virtual_keys(free_port(), free_port()));
    for body in [CHAT, CHAT_STREAM] {
        for key in [OAI, ANT] {
            let response = gateway.chat(&[key], body);
            assert_eq!(error(&response), (503, "upstream_unreachable".into()));
            assert_eq!(response.header("x-portkey-last-used-option-index"), Some("config"));
        }
    }
    for record in gateway.log(4) {
        assert_eq!(record["error_type"], "upstream_unreachable");
        assert_eq!(record["error_source"], "provider");
        let details = record["response_code_details"].as_str().unwrap();
        assert!(details.contains("connection_failure"), "{details}");
    }
    gateway.assert_healthy();
}

#[test]
fn a_provider_that_hangs_up_before_it_answers() {
    let upstream = Upstream::answering(vec![Step::Close]);
    let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
    assert_eq!(error(&gateway.chat(&[OAI], CHAT)), (502, "upstream_reset".into()));
    assert_eq!(error(&gateway.chat(&[ANT], CHAT)), (502, "upstream_reset".into()));
    gateway.assert_healthy();
}

#[test]
fn a_provider_that_is_too_slow() {
    let upstream = Upstream::answering(vec![Step::Sleep(Duration::from_secs(3)), Step::Close]);
    let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
    let config = "x-portkey-config: {\"virtual_key\":\"ant\",\"request_timeout\":300}";
    for headers in [[OAI, "x-portkey-request-timeout: 300"], [config, "x-own: 1"]] {
        let response = gateway.chat(&headers, CHAT);
        assert_eq!((response.status, response.whole), (408, true));
        let body = response.json();
        let message = "Request exceeded the timeout sent in the request: 300ms";
        assert_eq!(body["error"]["message"], message);
        assert_eq!(body["error"]["type"], "timeout_error");
    }
    gateway.assert_healthy();
}

#[test]
fn errors_of_a_provider_keep_their_status_and_say_whose_they_are() {
    let openai = Upstream::answering(json(
        429,
        r#"{"error":{"message":"slow down","type":"requests","param":null,"code":"rate_limit"}}"#,
    ));
    let anthropic = Upstream::answering(json(
        529,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
    ));
    let gateway = Gateway::start(&virtual_keys(openai.port, anthropic.port));
    for body in [CHAT, CHAT_STREAM] {
        let response = gateway.chat(&[OAI], body);
        assert_eq!(error(&response), (429, "rate_limit".into()));
        assert_eq!(response.json()["error"]["message"], "openai error: slow down");
        let response = gateway.chat(&[ANT], body);
        assert_eq!(response.status, 529);
        let body = response.json();
        assert_eq!(body["error"]["message"], "anthropic error: Overloaded");
        assert_eq!(body["error"]["type"], "overloaded_error");
        assert_eq!(body["provider"], "anthropic");
    }
    let types: Vec<_> = gateway.log(4).iter().map(|record| record["error_type"].clone()).collect();
    assert_eq!(types, ["requests", "overloaded_error", "requests", "overloaded_error"]);
    gateway.assert_healthy();
}

#[test]
fn answers_that_are_none() {
    let html = "content-type: text/html\r\n";
    let gzip = "content-type: application/json\r\ncontent-encoding: gzip\r\n";
    let plain = "content-type: application/json\r\n";
    let cases: [(&str, Vec<Step>, u16); 6] = [
        ("HTML error", answer(503, html, "<html>down</html>"), 503),
        ("empty error", answer(500, "", ""), 500),
        ("empty success", answer(200, plain, ""), 502),
        ("HTML success", answer(200, html, "<html>hi</html>"), 502),
        ("cut JSON", answer(200, plain, "{\"type\":\"message\""), 502),
        ("compressed", answer(200, gzip, "\x1f\u{8b}"), 502),
    ];
    let steps: Vec<Vec<Step>> = cases.iter().map(|(_, steps, _)| steps.clone()).collect();
    let upstream = Upstream::start(move |_, number| steps[number].clone());
    let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
    for (name, _, status) in &cases {
        let response = gateway.chat(&[ANT], CHAT);
        assert!(response.whole, "{name}");
        assert_eq!(response.status, *status, "{name}: {}", response.text());
        assert!(response.json()["error"]["message"].is_string(), "{name}");
    }
    gateway.assert_healthy();
}

#[test]
fn retries_are_counted_and_bounded() {
    let upstream = Upstream::start(|_, number| match number {
        1 => json(200, COMPLETION),
        _ => json(503, r#"{"error":{"message":"busy"}}"#),
    });
    let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
    let config = "x-portkey-config: {\"virtual_key\":\"oai\",\"retry\":{\"attempts\":2}}";
    let rescued = gateway.chat(&[config], CHAT);
    assert_eq!((rescued.status, rescued.text()), (200, COMPLETION.to_owned()));
    assert_eq!(rescued.header("x-portkey-retry-attempt-count"), Some("1"));
    let given_up = gateway.chat(&[config], CHAT);
    assert_eq!(given_up.status, 503);
    assert_eq!(given_up.json()["error"]["message"], "openai error: busy");
    assert_eq!(given_up.header("x-portkey-retry"), None);
    // Two for the first request, three for the second.
    let requests = upstream.requests();
    assert_eq!(requests.len(), 5);
    for request in &requests {
        assert_eq!(request.body, CHAT.as_bytes());
        assert_eq!(request.path, "/v1/chat/completions");
        assert_eq!(request.header("authorization"), Some("Bearer sk-oai-secret"));
    }
    assert_eq!(gateway.log(2)[0]["attempts"], 2);
    gateway.assert_healthy();
}

#[test]
fn a_translated_request_is_translated_anew_on_each_attempt() {
    let upstream = Upstream::start(|_, number| match number {
        0 => json(500, "{}"),
        _ => json(200, super::MESSAGE),
    });
    let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
    let config = "x-portkey-config: {\"virtual_key\":\"ant\",\"retry\":{\"attempts\":1}}";
    let response = gateway.chat(&[config], CHAT);
    assert_eq!(response.json()["choices"][0]["message"]["content"], "hello");
    let requests = upstream.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].headers, requests[1].headers);
    assert_eq!((&requests[0].path, &requests[0].body), (&requests[1].path, &requests[1].body));
    gateway.assert_healthy();
}
