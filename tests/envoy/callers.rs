//! Who may ask, and what.

use crate::support::client::{self, Response};
use crate::support::gateway::Gateway;
use crate::support::upstream::{Upstream, json};
use crate::{CHAT, COMPLETION};

/// SHA-256 of `pk-beta`.
const BETA: &str = "912b95d8b3103515505aa8b6a074c22fc2a8e72ddcf4875f19c351be1fa6595a";

/// A gateway whose virtual keys `a` and `b` lead to this upstream.
fn gateway(workers: usize, upstream: &Upstream, yaml: &str) -> Gateway {
    let url = format!("http://127.0.0.1:{}/v1", upstream.port);
    let keys = format!(
        "virtual_keys:\n  a: {{provider: openai, api_key: sk-a, base_url: '{url}'}}\n  \
         b: {{provider: openai, api_key: sk-b, base_url: '{url}'}}\n\
         providers: {{openai: {{base_url: '{url}'}}}}\n\
         configs:\n  free: {{virtual_key: a, cache: {{mode: simple}}}}\n  \
         other: {{virtual_key: b}}\n{yaml}"
    );
    Gateway::with_workers(workers, &keys)
}

/// Status and code of an answer.
fn verdict(response: &Response) -> (u16, String) {
    match response.status {
        200 => (200, String::new()),
        status => (status, response.json()["error"]["code"].as_str().unwrap_or("?").to_owned()),
    }
}

const KEY: &str = "x-portkey-api-key: pk-alpha";
const A: &str = "x-portkey-virtual-key: a";

#[test]
fn who_is_not_known_is_told_so_and_nobody_is_asked() {
    let upstream = Upstream::answering(json(200, COMPLETION));
    let gateway = gateway(
        1,
        &upstream,
        &format!(
            "api_keys:\n  alpha: {{key: pk-alpha}}\n  beta: {{sha256: {BETA}}}\n  \
             gone: {{key: pk-gone, expires_at: 2020-01-01}}\n  \
             off: {{key: pk-off, disabled: true}}\n"
        ),
    );
    for (headers, status, code) in [
        (&[A][..], 401, "missing_api_key"),
        (&[A, "x-portkey-api-key: pk-alphA"], 401, "invalid_api_key"),
        (&[A, "authorization: Bearer sk-a"], 401, "invalid_api_key"),
        (&[A, "x-portkey-api-key: pk-gone"], 401, "api_key_expired"),
        (&[A, "x-portkey-api-key: pk-off"], 401, "api_key_disabled"),
        (&[A, KEY, KEY], 400, "duplicate_header"),
        (&[A, "x-portkey-caller: alpha"], 401, "missing_api_key"),
    ] {
        let response = gateway.chat(headers, CHAT);
        assert_eq!(verdict(&response), (status, code.to_owned()), "{headers:?}");
        assert!(response.json()["message"].as_str().is_some_and(|text| !text.is_empty()));
    }
    assert_eq!(upstream.requests_count(), 0);
    for headers in [
        [A, KEY],
        [A, "x-portkey-api-key: pk-beta"],
        [A, "authorization: Bearer pk-beta"],
        [A, "x-api-key: pk-beta"],
    ] {
        assert_eq!(gateway.chat(&headers, CHAT).status, 200, "{headers:?}");
    }
    // The caller's own credential is for the provider, the gateway's key is not.
    let own = ["x-portkey-provider: openai", KEY, "authorization: Bearer sk-own"];
    assert_eq!(gateway.chat(&own, CHAT).status, 200);
    assert_eq!(gateway.chat(&[own[0], "authorization: Bearer pk-alpha"], CHAT).status, 200);
    let requests = upstream.requests();
    let credentials: Vec<_> = requests.iter().map(|one| one.header("authorization")).collect();
    let a = Some("Bearer sk-a");
    assert_eq!(credentials, [a, a, a, a, Some("Bearer sk-own"), None]);
    assert!(requests.iter().flat_map(|one| &one.headers).all(|(_, value)| !value.contains("pk-")));
    for path in ["/health", "/v1/health", "/"] {
        assert_eq!(client::send(gateway.port, "GET", path, &[], b"").status, 200, "{path}");
    }
    assert_eq!(client::send(gateway.port, "GET", "/v1/models", &[], b"").status, 401);
    let log = gateway.log(14);
    let callers: Vec<_> = log.iter().map(|line| line["caller"].as_str()).collect();
    assert_eq!(callers[..7], [None; 7]);
    assert_eq!(callers[7..10], [Some("alpha"), Some("beta"), Some("beta")]);
    let dump = client::send(gateway.admin, "GET", "/config_dump", &[], b"").text();
    let text = format!("{log:?}{dump}{}", gateway.stderr());
    assert!(dump.contains(BETA), "the hash is what Envoy has");
    for secret in ["pk-alpha", "pk-beta", "pk-gone", "pk-off"] {
        assert!(!text.contains(secret), "{secret} leaked");
    }
    gateway.assert_healthy();
}

#[test]
fn a_caller_uses_what_it_may_use_and_nothing_else() {
    let upstream = Upstream::answering(json(200, COMPLETION));
    let gateway = gateway(
        1,
        &upstream,
        "api_keys:\n  alpha: {key: pk-alpha, virtual_keys: [a], models: [m, 'gpt-*'], \
         configs: [free], default_config: free, default_metadata: {team: x, tier: one}}\n  \
         beta: {key: pk-beta, providers: [anthropic]}\n  gamma: {key: pk-gamma}\n",
    );
    let other = CHAT.replace("\"m\"", "\"m2\"");
    let gpt = CHAT.replace("\"m\"", "\"gpt-9\"");
    let inline = "x-portkey-config: {\"virtual_key\":\"a\",\"override_params\":{\"model\":\"m2\"}}";
    let cases: [(&[&str], &str, u16, &str); 12] = [
        (&[KEY, A], CHAT, 200, ""),
        (&[KEY, A], &gpt, 200, ""),
        (&[KEY, A], &other, 403, "model_not_allowed"),
        (&[KEY, A], "{\"messages\":[]}", 403, "model_not_allowed"),
        (&[KEY], CHAT, 200, ""),
        (&[KEY, "x-portkey-virtual-key: b"], CHAT, 403, "virtual_key_not_allowed"),
        (&[KEY, "x-portkey-provider: @b"], CHAT, 403, "virtual_key_not_allowed"),
        (
            &[KEY, "x-portkey-provider: openai", "authorization: Bearer x"],
            CHAT,
            403,
            "provider_not_allowed",
        ),
        (&[KEY, "x-portkey-config: other"], CHAT, 403, "config_not_allowed"),
        (&[KEY, inline], CHAT, 403, "config_not_allowed"),
        (&["x-portkey-api-key: pk-beta", A], CHAT, 403, "virtual_key_not_allowed"),
        (&["x-portkey-api-key: pk-gamma", inline], CHAT, 200, ""),
    ];
    for (headers, body, status, code) in cases {
        let response = gateway.chat(headers, body);
        assert_eq!(verdict(&response), (status, code.to_owned()), "{headers:?} {body}");
    }
    // A form may hold any model.
    let form = ["content-type: multipart/form-data; boundary=x", KEY, A];
    let response =
        client::send(gateway.port, "POST", "/v1/audio/transcriptions", &form, b"--x--\r\n");
    assert_eq!(verdict(&response), (403, "model_not_allowed".to_owned()));
    let listed = |key: &str| {
        let response = client::send(gateway.port, "GET", "/v1/models", &[key], b"").json();
        let names = response["data"].as_array().unwrap().iter().map(|one| one["id"].clone());
        names.map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed(KEY), ["a"]);
    assert!(listed("x-portkey-api-key: pk-beta").is_empty());
    assert_eq!(listed("x-portkey-api-key: pk-gamma"), ["demo", "openai", "a", "b"]);
    let metadata = "x-portkey-metadata: {\"tier\":\"two\",\"n\":1}";
    assert_eq!(gateway.chat(&[KEY, metadata], CHAT).status, 200);
    let log = gateway.log(14);
    assert_eq!(log[0]["metadata"], serde_json::json!({"team": "x", "tier": "one"}));
    assert_eq!(log[13]["metadata"], serde_json::json!({"team": "x", "tier": "two", "n": 1}));
    assert_eq!(log[4]["config"], "free");
    gateway.assert_healthy();
}

#[test]
fn callers_share_no_cache() {
    let upstream = Upstream::start(|_, number| {
        json(200, &COMPLETION.replace("hello", &format!("answer {number}")))
    });
    let gateway =
        gateway(1, &upstream, "api_keys:\n  alpha: {key: pk-alpha}\n  beta: {key: pk-beta}\n");
    let ask = |headers: &[&str]| {
        let response = gateway.chat(&[headers, &["x-portkey-config: free"]].concat(), CHAT);
        response.header("x-portkey-cache-status").unwrap_or("none").to_owned()
    };
    assert_eq!(ask(&[KEY]), "MISS");
    assert_eq!(ask(&[KEY]), "HIT");
    assert_eq!(ask(&["authorization: Bearer pk-alpha"]), "HIT");
    assert_eq!(ask(&["x-portkey-api-key: pk-beta"]), "MISS");
    assert_eq!(ask(&["authorization: Bearer pk-beta"]), "HIT");
    // Naming the same namespace or somebody else in metadata does not help.
    let namespace = "x-portkey-cache-namespace: n";
    assert_eq!(ask(&[KEY, namespace]), "MISS");
    assert_eq!(ask(&["x-portkey-api-key: pk-beta", namespace]), "MISS");
    gateway.assert_healthy();
}
