//! One caller's, one provider's, and the gateway's own secrets: each stays where it belongs.

use super::bench::{Bench, CHAT, COMPLETION, Case, OAI, Theme, assert_clean};
use super::support::client;
use super::support::upstream::{Request, json};

pub const THEME: Theme = Theme {
    name: "Between tenants and providers",
    yaml: |port| {
        let place = format!("base_url: 'http://127.0.0.1:{port}");
        format!(
            "virtual_keys:\n  \
             oai: {{provider: openai, api_key: sk-oai-tenants, {place}/oai'}}\n  \
             ant: {{provider: anthropic, api_key: sk-ant-tenants, {place}/ant', headers: {{x-token: sk-token-tenants}}}}\n  \
             gem: {{provider: google, api_key: sk-gem-tenants, {place}/gem'}}\n\
             providers:\n  \
             openai: {{{place}/openai'}}\n  \
             google: {{{place}/google'}}\n\
             custom_hosts: [{{host: 127.0.0.1, private: true}}]\n"
        )
    },
    cases: &[
        Case {
            name: "a fallback over three providers, each with its own header for the key",
            must: "each attempt has its own credential and no other",
            run: |bench| {
                bench.script(|request| match request.path.starts_with("/oai/") {
                    true => json(200, COMPLETION),
                    false => json(500, "{}"),
                });
                let config = r#"{"strategy":{"mode":"fallback"},"targets":[{"virtual_key":"ant"},{"virtual_key":"gem"},{"virtual_key":"oai"}]}"#;
                let response = bench.chat_with(
                    config,
                    &[
                        "authorization: Bearer sk-caller-tenants",
                        "x-portkey-api-key: pk-gateway-tenants",
                        "cookie: a=sk-cookie-tenants",
                    ],
                );
                assert_eq!(response.status, 200, "{}", response.text());
                let seen = bench.seen();
                assert_eq!(seen.len(), 3);
                for (request, own) in
                    seen.iter().zip(["sk-ant-tenants", "sk-gem-tenants", "sk-oai-tenants"])
                {
                    only(
                        request,
                        &[own, "sk-token-tenants"][..if own.contains("ant-") { 2 } else { 1 }],
                    );
                }
            },
        },
        Case {
            name: "the same with a limit of its own for each target, which takes the hop",
            must: "each attempt has its own credential and no other",
            run: |bench| {
                bench.script(|request| match request.path.starts_with("/oai/") {
                    true => json(200, COMPLETION),
                    false => json(500, "{}"),
                });
                let config = r#"{"strategy":{"mode":"fallback"},"targets":[{"virtual_key":"ant","request_timeout":5000},{"virtual_key":"gem","request_timeout":6000},{"virtual_key":"oai","request_timeout":7000}]}"#;
                assert_eq!(bench.chat_with(config, &["cookie: a=sk-cookie-tenants"]).status, 200);
                let seen = bench.seen();
                assert_eq!(seen.len(), 3);
                for (request, own) in
                    seen.iter().zip(["sk-ant-tenants", "sk-gem-tenants", "sk-oai-tenants"])
                {
                    only(
                        request,
                        &[own, "sk-token-tenants"][..if own.contains("ant-") { 2 } else { 1 }],
                    );
                }
            },
        },
        Case {
            name: "a fallback from a virtual key to a custom host of the caller's",
            must: "the host gets the caller's key alone",
            run: |bench| {
                bench.script(|request| match request.path.starts_with("/own/") {
                    true => json(200, COMPLETION),
                    false => json(500, "{}"),
                });
                let port = port(bench);
                let config = format!(
                    r#"{{"strategy":{{"mode":"fallback"}},"targets":[{{"virtual_key":"ant"}},{{"provider":"openai","api_key":"sk-own-tenants","custom_host":"http://127.0.0.1:{port}/own"}}]}}"#
                );
                assert_eq!(bench.chat_with(&config, &[]).status, 200);
                let seen = bench.seen();
                only(&seen[seen.len() - 1], &["sk-own-tenants"]);
            },
        },
        Case {
            name: "retries of one target",
            must: "each has the one credential once",
            run: |bench| {
                bench.answer(json(500, "{}"));
                let config =
                    r#"{"virtual_key":"oai","retry":{"attempts":2,"on_status_codes":[500]}}"#;
                assert_eq!(bench.chat_with(config, &[]).status, 500);
                let seen = bench.seen();
                assert_eq!(seen.len(), 3);
                for request in seen {
                    only(&request, &["sk-oai-tenants"]);
                    assert_eq!(
                        request.headers.iter().filter(|(name, _)| name == "authorization").count(),
                        1
                    );
                }
            },
        },
        Case {
            name: "every header that may hold a credential, beside a virtual key",
            must: "the provider gets the virtual key's alone",
            run: |bench| {
                let headers = [
                    OAI,
                    "authorization: Bearer sk-caller-tenants",
                    "proxy-authorization: Basic sk-caller-tenants",
                    "x-api-key: sk-caller-tenants",
                    "api-key: sk-caller-tenants",
                    "x-goog-api-key: sk-caller-tenants",
                    "x-amz-security-token: sk-caller-tenants",
                    "cookie: sk-caller-tenants=1",
                    "x-portkey-api-key: pk-gateway-tenants",
                    "x-portkey-aws-secret-access-key: sk-caller-tenants",
                ];
                for path in ["/v1/chat/completions", "/v1/assistants"] {
                    let response = bench.send("POST", path, &headers, CHAT);
                    assert_eq!(response.status, 200, "{}", response.text());
                    only(&bench.request(), &["sk-oai-tenants"]);
                }
            },
        },
        Case {
            name: "a caller's key for a provider that it names",
            must: "the provider gets that key, and neither the gateway's key nor a virtual key's",
            run: |bench| {
                let headers = [
                    "x-portkey-provider: openai",
                    "authorization: Bearer sk-caller-tenants",
                    "x-portkey-api-key: pk-gateway-tenants",
                ];
                assert_eq!(bench.chat(&headers, CHAT).status, 200);
                only(&bench.request(), &["sk-caller-tenants"]);
            },
        },
        Case {
            name: "answers of the cache, asked for through another virtual key or with another key",
            must: "each asks its provider: nobody gets another tenant's answer",
            run: |bench| {
                let ask = |target: &str| {
                    let config = format!(r#"{{"cache":{{"mode":"simple"}},{target}}}"#);
                    assert_eq!(bench.chat_with(&config, &[]).status, 200);
                    bench.seen().len()
                };
                assert_eq!(ask(r#""virtual_key":"oai""#), 1);
                assert_eq!(ask(r#""virtual_key":"oai""#), 0, "the cache does not work at all");
                assert_eq!(ask(r#""provider":"openai","api_key":"sk-first-tenants""#), 1);
                assert_eq!(ask(r#""provider":"openai","api_key":"sk-first-tenants""#), 0);
                assert_eq!(ask(r#""provider":"openai","api_key":"sk-other-tenants""#), 1);
            },
        },
        Case {
            name: "guessing: `x-portkey-provider: @...`, slugs with `/`, `..`, blanks, a cluster's name",
            must: "400 `unknown_virtual_key`, no provider is asked",
            run: |bench| {
                for slug in [
                    "@vk.oai",
                    "@../oai",
                    "@oai%00",
                    "@OAI",
                    "@portkey.hop",
                    "@provider.openai",
                    "@",
                    "@/oai",
                ] {
                    let response = bench.chat(&[&format!("x-portkey-provider: {slug}")], CHAT);
                    assert_eq!(response.status, 400, "{slug}: {}", response.text());
                    bench.unheard();
                }
            },
        },
        Case {
            name: "`GET /v1/models` and `/health`, which name what the gateway has",
            must: "no credential, no address of a provider",
            run: |bench| {
                for path in ["/v1/models", "/health"] {
                    let response = bench.send("GET", path, &[], "");
                    assert_eq!(response.status, 200);
                    let text = response.text();
                    assert!(!text.contains("sk-") && !text.contains("127.0.0.1"), "{text}");
                }
                bench.unheard();
            },
        },
        Case {
            name: "the admin interface's paths at the clients' port",
            must: "404 from the gateway",
            run: |bench| {
                for path in
                    ["/config_dump", "/stats", "/quitquitquit", "/logging", "/certs", "/ready"]
                {
                    assert_eq!(bench.send("POST", path, &[], "").status, 404, "{path}");
                    assert_eq!(bench.send("GET", path, &[OAI], "").status, 404, "{path}");
                }
                bench.unheard();
            },
        },
        Case {
            name: "the admin interface's `config_dump`, `certs`, `clusters`, `stats`",
            must: "no credential in any of them",
            run: |bench| {
                for path in [
                    "/config_dump?include_eds",
                    "/certs",
                    "/clusters",
                    "/stats",
                    "/listeners",
                    "/runtime",
                    "/server_info",
                ] {
                    let text = client::send(bench.gateway.admin, "GET", path, &[], b"").text();
                    for secret in [
                        "sk-oai-tenants",
                        "sk-ant-tenants",
                        "sk-gem-tenants",
                        "sk-caller-tenants",
                        "pk-gateway-tenants",
                    ] {
                        assert!(!text.contains(secret), "{secret} in {path}");
                    }
                }
            },
        },
    ],
};

#[test]
fn tenants() {
    THEME.run();
}

/// Of all secrets, the request has just these.
fn only(request: &Request, own: &[&str]) {
    assert_clean(request);
    let mut text = format!("{} {}", request.path, String::from_utf8_lossy(&request.body));
    for (name, value) in &request.headers {
        text.push_str(&format!("\n{name}: {value}"));
    }
    for secret in own {
        assert_eq!(text.matches(secret).count(), 1, "{secret}: {text}");
        text = text.replace(secret, "");
    }
    assert!(!text.contains("sk-") && !text.contains("pk-"), "{text}");
}

fn port(bench: &Bench) -> u16 {
    let before = bench.chat(&[OAI], CHAT);
    assert!(before.status >= 200);
    let host = bench.request().header("host").unwrap().to_owned();
    host.rsplit_once(':').unwrap().1.parse().unwrap()
}
