//! Neither a client nor an upstream can speak for the gateway, and no secret goes astray.

use super::support::client;
use super::support::gateway::Gateway;
use super::support::upstream::{Upstream, answer, json};
use super::{ANT, CHAT, COMPLETION, MESSAGE, OAI, virtual_keys};

#[test]
fn a_client_cannot_set_what_envoy_obeys() {
    let upstream = Upstream::answering(json(500, r#"{"error":{"message":"no"}}"#));
    let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
    let response = gateway.chat(
        &[
            OAI,
            "x-envoy-max-retries: 5",
            "x-envoy-retry-on: 5xx",
            "x-envoy-upstream-rq-timeout-ms: 1",
            "x-envoy-upstream-rq-per-try-timeout-ms: 1",
            "x-envoy-retriable-status-codes: 500",
            "x-portkey-retry: 1",
            "x-envoy-internal: true",
        ],
        CHAT,
    );
    assert_eq!(response.status, 500, "{}", response.text());
    assert_eq!(upstream.requests().len(), 1);
    gateway.assert_healthy();
}

#[test]
fn an_upstream_cannot_trigger_retries_or_forge_our_headers() {
    let forged = "content-type: application/json\r\nx-portkey-retry: 1\r\n\
                  x-portkey-trace-id: forged\r\nx-portkey-provider: forged\r\n\
                  x-envoy-immediate-health-check-fail: 1\r\nx-custom: kept\r\n";
    let upstream = Upstream::answering(answer(200, forged, COMPLETION));
    let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
    // Even a request that allows retries is not retried on the upstream's word.
    let retrying = "x-portkey-config: {\"virtual_key\":\"oai\",\"retry\":{\"attempts\":3}}";
    let response = gateway.chat(&[retrying, "x-portkey-trace-id: mine"], CHAT);
    assert_eq!(response.text(), COMPLETION);
    assert_eq!(upstream.requests().len(), 1);
    assert_eq!(response.header("x-portkey-trace-id"), Some("mine"));
    assert_eq!(response.header("x-portkey-provider"), Some("openai"));
    assert_eq!(response.header("x-custom"), Some("kept"));
    for (name, _) in &response.headers {
        assert!(!name.starts_with("x-envoy-") && name != "x-portkey-retry", "{name}");
    }
    gateway.assert_healthy();
}

#[test]
fn an_upstream_gets_its_own_credential_and_nothing_of_ours() {
    let openai = Upstream::answering(json(200, COMPLETION));
    let anthropic = Upstream::answering(json(200, MESSAGE));
    let gateway = Gateway::start(&virtual_keys(openai.port, anthropic.port));
    for virtual_key in [OAI, ANT] {
        let headers = [
            virtual_key,
            "authorization: Bearer caller-key",
            "x-api-key: caller-key",
            "cookie: session=caller-key",
            "x-portkey-api-key: caller-key",
            "x-portkey-metadata: {\"_user\":\"caller-name\"}",
            "x-forwarded-for: 10.0.0.1",
            "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "x-own: caller-key",
        ];
        assert_eq!(gateway.chat(&headers, CHAT).status, 200);
    }
    let (openai, anthropic) = (openai.request(), anthropic.request());
    assert_eq!(openai.header("authorization"), Some("Bearer sk-oai-secret"));
    assert_eq!(openai.header("x-api-key"), None);
    assert_eq!(anthropic.header("x-api-key"), Some("sk-ant-secret"));
    assert_eq!(anthropic.header("authorization"), None);
    assert_eq!(anthropic.header("anthropic-version"), Some("2023-06-01"));
    let allowed = [
        "host",
        "content-type",
        "content-length",
        "accept",
        "authorization",
        "x-api-key",
        "anthropic-version",
        "anthropic-beta",
        "user-agent",
        "transfer-encoding",
    ];
    for request in [&openai, &anthropic] {
        for (name, value) in &request.headers {
            assert!(allowed.contains(&name.as_str()), "{name}");
            let its = ["caller-key", "caller-name"].iter().any(|part| value.contains(part));
            assert!(!its, "{name}");
        }
    }
    let log = gateway.log(2);
    let dump = client::send(gateway.admin, "GET", "/config_dump", &[], b"").text();
    let text = format!("{log:?}{dump}{}", gateway.stderr());
    for secret in ["sk-oai-secret", "sk-ant-secret"] {
        assert!(!text.contains(secret), "{secret} leaked");
    }
    gateway.assert_healthy();
}

#[test]
fn a_caller_may_bring_its_own_key() {
    let upstream = Upstream::start(|request, _| match request.path.as_str() {
        "/a/messages" => json(200, MESSAGE),
        _ => json(200, COMPLETION),
    });
    let port = upstream.port;
    let gateway = Gateway::start(&format!(
        "providers:\n  openai: {{base_url: 'http://127.0.0.1:{port}/o'}}\n  \
         anthropic: {{base_url: 'http://127.0.0.1:{port}/a'}}\n"
    ));
    let config = "x-portkey-config: {\"provider\":\"openai\",\"api_key\":\"sk-config\"}";
    let cases: [(&[&str], &str, &str); 5] = [
        (
            &["x-portkey-provider: openai", "authorization: Bearer sk-1"],
            "authorization",
            "Bearer sk-1",
        ),
        (&["x-portkey-provider: openai", "authorization: sk-2"], "authorization", "Bearer sk-2"),
        (&["x-portkey-provider: anthropic", "authorization: Bearer sk-3"], "x-api-key", "sk-3"),
        (&["x-portkey-provider: anthropic", "x-api-key: sk-4"], "x-api-key", "sk-4"),
        (&[config, "authorization: Bearer unused"], "authorization", "Bearer sk-config"),
    ];
    for (number, (headers, name, value)) in cases.iter().enumerate() {
        let response = gateway.chat(headers, CHAT);
        assert_eq!(response.status, 200, "{headers:?}: {}", response.text());
        let requests = upstream.requests();
        assert_eq!(requests[number].header(name), Some(*value), "{headers:?}");
        let other = if *name == "x-api-key" { "authorization" } else { "x-api-key" };
        assert_eq!(requests[number].header(other), None, "{headers:?}");
    }
    gateway.assert_healthy();
}

#[test]
fn what_is_for_one_target_does_not_reach_the_next() {
    let upstream = Upstream::start(|request, _| match request.path.starts_with("/a/") {
        true => json(500, "{}"),
        false => json(200, COMPLETION),
    });
    let port = upstream.port;
    let gateway = Gateway::start(&format!(
        "virtual_keys:\n  \
         a: {{provider: anthropic, api_key: sk-a, base_url: 'http://127.0.0.1:{port}/a', headers: {{x-token: secret-of-a}}}}\n  \
         b: {{provider: openai, api_key: sk-b, base_url: 'http://127.0.0.1:{port}/b'}}\n"
    ));
    let config = "x-portkey-config: {\"strategy\":{\"mode\":\"fallback\"},\"targets\":[\
                  {\"virtual_key\":\"a\",\"forward_headers\":[\"x-for-a\"]},{\"virtual_key\":\"b\"}]}";
    let headers = [config, "x-for-a: mine", "anthropic-beta: mine", "user-agent: me"];
    assert_eq!(gateway.chat(&headers, CHAT).status, 200);
    let requests = upstream.requests();
    assert_eq!(requests.len(), 2);
    let (a, b) = (&requests[0], &requests[1]);
    assert_eq!((a.header("x-token"), a.header("x-for-a")), (Some("secret-of-a"), Some("mine")));
    let names: Vec<&str> = b.headers.iter().map(|(name, _)| name.as_str()).collect();
    for name in ["x-token", "x-for-a", "x-api-key", "anthropic-version", "anthropic-beta"] {
        assert!(!names.contains(&name), "{name} reached the next target");
    }
    assert_eq!(b.header("authorization"), Some("Bearer sk-b"));
    assert_eq!(
        (b.header("user-agent"), b.header("content-length")),
        (Some("me"), Some(CHAT.len().to_string().as_str()))
    );
    assert_eq!(b.body, CHAT.as_bytes());
    gateway.assert_healthy();
}

#[test]
fn headers_of_a_virtual_key_do_not_go_to_a_custom_host() {
    let upstream = Upstream::answering(json(200, COMPLETION));
    let port = upstream.port;
    let gateway = Gateway::start(
        "virtual_keys: {a: {provider: openai, api_key: sk-a, headers: {x-token: secret-of-a}}}\n\
         custom_hosts: [{host: 127.0.0.1, private: true}]\n",
    );
    let host = format!("x-portkey-custom-host: http://127.0.0.1:{port}/own");
    assert_eq!(gateway.chat(&["x-portkey-virtual-key: a", &host], CHAT).status, 200);
    let request = upstream.request();
    assert_eq!((request.header("x-token"), request.header("authorization")), (None, None));
    gateway.assert_healthy();
}
