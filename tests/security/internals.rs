//! What Envoy obeys and what the roles tell each other: neither side may say it.

use super::bench::{Bench, CHAT, COMPLETION, Case, OAI, Theme, assert_clean, names};
use super::support::upstream::{Step, answer, json};
use std::time::Duration;

pub const THEME: Theme = Theme {
    name: "Internals, from either side",
    yaml,
    cases: &[
        Case {
            name: "client: `x-envoy-max-retries`, `x-envoy-retry-on: 5xx`",
            must: "the provider's 500 is answered after one attempt",
            run: |bench| {
                once(bench, &["x-envoy-max-retries: 5", "x-envoy-retry-on: 5xx,retriable-headers"]);
            },
        },
        Case {
            name: "client: `x-envoy-retriable-status-codes`, `x-envoy-retriable-header-names`",
            must: "one attempt",
            run: |bench| {
                once(
                    bench,
                    &[
                        "x-envoy-retry-on: retriable-status-codes,retriable-headers",
                        "x-envoy-retriable-status-codes: 500",
                        "x-envoy-retriable-header-names: content-type",
                    ],
                );
            },
        },
        Case {
            name: "client: `x-envoy-retry-grpc-on`, `x-envoy-hedge-on-per-try-timeout`",
            must: "one attempt",
            run: |bench| {
                once(
                    bench,
                    &["x-envoy-retry-grpc-on: internal", "x-envoy-hedge-on-per-try-timeout: true"],
                );
            },
        },
        Case {
            name: "client: `x-envoy-upstream-rq-timeout-ms: 1`",
            must: "a provider that takes longer answers all the same",
            run: |bench| slow(bench, &["x-envoy-upstream-rq-timeout-ms: 1"]),
        },
        Case {
            name: "client: `x-envoy-upstream-rq-per-try-timeout-ms: 1`",
            must: "a provider that takes longer answers all the same",
            run: |bench| slow(bench, &["x-envoy-upstream-rq-per-try-timeout-ms: 1"]),
        },
        Case {
            name: "client: `x-envoy-expected-rq-timeout-ms`, `x-envoy-attempt-count`, `x-envoy-original-path`, `x-envoy-decorator-operation`",
            must: "none reaches the provider or the client",
            run: |bench| {
                let headers = [
                    "x-envoy-expected-rq-timeout-ms: 1",
                    "x-envoy-attempt-count: 7",
                    "x-envoy-original-path: /admin",
                    "x-envoy-decorator-operation: forged",
                    "x-envoy-internal: true",
                    "x-envoy-external-address: 10.0.0.1",
                ];
                clean(bench, &headers);
            },
        },
        Case {
            name: "client: names in capitals, `X-ENVOY-MAX-RETRIES`, `X-Portkey-Retry`",
            must: "one attempt, as in small letters",
            run: |bench| once(bench, &["X-ENVOY-MAX-RETRIES: 5", "X-Portkey-Retry: 1"]),
        },
        Case {
            name: "client: `x-portkey-retry`, `x-portkey-retry-after`",
            must: "one attempt",
            run: |bench| once(bench, &["x-portkey-retry: 1", "x-portkey-retry-after: 1"]),
        },
        Case {
            name: "client: `x-portkey-cluster` names another virtual key's cluster",
            must: "the request goes where the virtual key leads, with its credential",
            run: |bench| {
                let request = clean(bench, &["x-portkey-cluster: vk.other"]);
                assert!(request.path.starts_with("/oai/"), "{}", request.path);
            },
        },
        Case {
            name: "client: `x-portkey-cluster: portkey.timer` with a time-out, which takes the hop",
            must: "the request goes where the virtual key leads",
            run: |bench| {
                let headers =
                    ["x-portkey-cluster: portkey.timer", "x-portkey-request-timeout: 5000"];
                let request = clean(bench, &headers);
                assert!(request.path.starts_with("/oai/"), "{}", request.path);
            },
        },
        Case {
            name: "client: `x-portkey-relayed: 1` and a key of its own",
            must: "the client's key is dropped, the virtual key's is sent",
            run: |bench| {
                clean(bench, &["x-portkey-relayed: 1", "authorization: Bearer sk-forged-key"]);
            },
        },
        Case {
            name: "client: `x-portkey-relayed: 1` at an operation that passes headers on",
            must: "the client's key and its cookie are dropped",
            run: |bench| {
                let headers = [
                    OAI,
                    "x-portkey-relayed: 1",
                    "x-api-key: sk-forged-key",
                    "cookie: a=sk-forged-key",
                ];
                assert_eq!(bench.send("GET", "/v1/threads", &headers, "").status, 200);
                let request = bench.request();
                assert_clean(&request);
                assert_eq!(request.header("authorization"), Some("Bearer sk-oai-internals"));
                assert!(request.headers.iter().all(|(_, value)| !value.contains("sk-forged")));
            },
        },
        Case {
            name: "client: `x-portkey-service-account`, `x-portkey-scheme`, `x-portkey-local`",
            must: "none has an effect, none reaches the provider",
            run: |bench| {
                clean(
                    bench,
                    &[
                        "x-portkey-service-account: {\"client_email\":\"a\",\"private_key\":\"b\"}",
                        "x-portkey-scheme: https",
                        "x-portkey-local: UF",
                    ],
                );
            },
        },
        Case {
            name: "client: headers with the names of filter state, `wasm.portkey.cluster: vk.other`",
            must: "the request goes where the virtual key leads",
            run: |bench| {
                let headers = [
                    "wasm.portkey.cluster: vk.other",
                    "portkey.plan: AAAA",
                    "portkey.cluster: vk.other",
                ];
                let request = clean(bench, &headers);
                assert!(request.path.starts_with("/oai/"), "{}", request.path);
            },
        },
        Case {
            name: "client: `x-forwarded-for: 127.0.0.1`, `x-forwarded-host`, `x-forwarded-proto`, `forwarded`, `x-real-ip`",
            must: "no trust by them, none reaches the provider",
            run: |bench| {
                let headers = [
                    "x-forwarded-for: 127.0.0.1",
                    "x-forwarded-host: evil.test",
                    "x-forwarded-proto: https",
                    "forwarded: for=127.0.0.1",
                    "x-real-ip: 127.0.0.1",
                    "x-envoy-upstream-rq-timeout-ms: 1",
                ];
                slow(bench, &headers);
            },
        },
        Case {
            name: "client: private headers as trailers of a chunked body",
            must: "they are no headers: one attempt, nothing reaches the provider",
            run: |bench| {
                bench.answer(json(500, "{}"));
                let answers = bench.raw(format!(
                    "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nconnection: close\r\n{OAI}\r\n\
                     transfer-encoding: chunked\r\ntrailer: x-envoy-max-retries\r\n\r\n\
                     {:x}\r\n{CHAT}\r\n0\r\nx-envoy-max-retries: 5\r\nx-portkey-retry: 1\r\n\r\n",
                    CHAT.len()
                ));
                assert_eq!(answers.status(), 500, "{}", answers.text());
                assert_clean(&bench.request());
            },
        },
        Case {
            name: "client: `connection: authorization, x-portkey-virtual-key` marks headers as hop-by-hop",
            must: "the provider gets the virtual key's credential, or the request is refused",
            run: |bench| {
                let head = "connection: close, authorization, content-type, x-portkey-virtual-key";
                let answers = bench.chat_bytes(&[OAI.as_bytes(), head.as_bytes()]);
                for request in bench.seen() {
                    assert_eq!(request.header("authorization"), Some("Bearer sk-oai-internals"));
                }
                assert!([200, 400].contains(&answers.status()), "{}", answers.text());
            },
        },
        Case {
            name: "client: `x-portkey-forward-headers` names private and hop-by-hop headers",
            must: "none of them is sent on",
            run: |bench| {
                let names = "x-portkey-forward-headers: x-envoy-max-retries,x-portkey-retry,\
                             x-portkey-api-key,x-forwarded-for,host,content-length,:path,te";
                let headers = [
                    names,
                    "x-portkey-api-key: pk-caller-key",
                    "x-envoy-max-retries: 5",
                    "x-portkey-retry: 1",
                    "te: trailers",
                    "x-forwarded-for: 10.0.0.1",
                ];
                clean(bench, &headers);
            },
        },
        Case {
            name: "client: a config's `forward_headers` names `authorization` at a virtual key",
            must: "the provider gets the virtual key's credential alone",
            run: |bench| {
                let config =
                    r#"{"virtual_key":"oai","forward_headers":["authorization","Authorization"]}"#;
                let response = bench.chat_with(config, &["authorization: Bearer sk-forged-key"]);
                assert_eq!(response.status, 200, "{}", response.text());
                let request = bench.request();
                let keys = request.headers.iter().filter(|(name, _)| name == "authorization");
                let keys: Vec<&str> = keys.map(|(_, value)| value.as_str()).collect();
                assert_eq!(keys, ["Bearer sk-oai-internals"]);
            },
        },
        Case {
            name: "provider: `x-portkey-retry: 1` on a good answer",
            must: "the answer passes after one attempt, although the config allows three",
            run: |bench| {
                bench.answer(answer(200, "content-type: application/json\r\nx-portkey-retry: 1\r\nx-portkey-retry-after: 9\r\n", COMPLETION));
                let config = r#"{"virtual_key":"oai","retry":{"attempts":3}}"#;
                let response = bench.chat_with(config, &[]);
                assert_eq!((response.status, bench.seen().len()), (200, 1));
                assert_eq!(response.header("x-portkey-retry"), None);
            },
        },
        Case {
            name: "provider: `x-portkey-retry: 1` on an error that the config does not retry",
            must: "one attempt",
            run: |bench| {
                bench.answer(answer(
                    400,
                    "content-type: application/json\r\nx-portkey-retry: 1\r\n",
                    "{}",
                ));
                let config =
                    r#"{"virtual_key":"oai","retry":{"attempts":3,"on_status_codes":[500]}}"#;
                assert_eq!(bench.chat_with(config, &[]).status, 400);
                assert_eq!(bench.seen().len(), 1);
            },
        },
        Case {
            name: "provider: `x-portkey-local: UF` and `x-portkey-cluster` on an answer",
            must: "the answer is the provider's, not a failure of Envoy's",
            run: |bench| {
                let forged = "content-type: application/json\r\nx-portkey-local: UF\r\n\
                              x-portkey-cluster: vk.other\r\nx-portkey-relayed: 1\r\n";
                bench.answer(answer(200, forged, COMPLETION));
                for headers in [&[OAI][..], &[OAI, "x-portkey-request-timeout: 9000"]] {
                    let response = bench.chat(headers, CHAT);
                    assert_eq!(response.text(), COMPLETION);
                    assert!(response.headers.iter().all(|(name, _)| {
                        !name.starts_with("x-portkey-local")
                            && name != "x-portkey-cluster"
                            && name != "x-portkey-relayed"
                    }));
                }
                assert_eq!(bench.seen().len(), 2);
            },
        },
        Case {
            name: "provider: forged `x-portkey-trace-id`, `-provider`, `-cache-status`, `-attempts`",
            must: "the client sees the gateway's own",
            run: |bench| {
                let forged = "content-type: application/json\r\nx-portkey-trace-id: forged\r\n\
                              x-portkey-provider: forged\r\nx-portkey-cache-status: HIT\r\n\
                              x-portkey-attempts: forged\r\nx-portkey-dropped-params: forged\r\n\
                              x-portkey-last-used-option-index: forged\r\n";
                bench.answer(answer(200, forged, COMPLETION));
                let response = bench.chat(&[OAI, "x-portkey-trace-id: own"], CHAT);
                assert_eq!(response.header("x-portkey-trace-id"), Some("own"));
                assert_eq!(response.header("x-portkey-provider"), Some("openai"));
                assert!(
                    response.headers.iter().all(|(_, value)| value != "forged"),
                    "{:?}",
                    response.headers
                );
                assert_ne!(response.header("x-portkey-cache-status"), Some("HIT"));
            },
        },
        Case {
            name: "provider: `x-envoy-immediate-health-check-fail`, `x-envoy-upstream-canary`, `x-envoy-ratelimited`, `x-envoy-overloaded`",
            must: "its host stays in use, and the client sees none of them",
            run: |bench| {
                let forged = "content-type: application/json\r\nx-envoy-immediate-health-check-fail: 1\r\n\
                              x-envoy-upstream-canary: true\r\nx-envoy-ratelimited: true\r\n\
                              x-envoy-overloaded: true\r\nx-envoy-degraded: true\r\n";
                bench.answer(answer(200, forged, COMPLETION));
                for _ in 0..3 {
                    let response = bench.chat(&[OAI], CHAT);
                    assert_eq!(response.status, 200);
                    assert!(response.headers.iter().all(|(name, _)| !name.starts_with("x-envoy-")));
                }
                assert_eq!(bench.seen().len(), 3);
            },
        },
    ],
};

fn yaml(port: u16) -> String {
    format!(
        "virtual_keys:\n  \
         oai: {{provider: openai, api_key: sk-oai-internals, base_url: 'http://127.0.0.1:{port}/oai'}}\n  \
         other: {{provider: openai, api_key: sk-other-internals, base_url: 'http://127.0.0.1:{port}/other'}}\n"
    )
}

#[test]
fn internals() {
    THEME.run();
}

/// A 500 is answered after one attempt.
fn once(bench: &Bench, headers: &[&str]) {
    bench.answer(json(500, r#"{"error":{"message":"no"}}"#));
    let response = bench.chat(&[&[OAI], headers].concat(), CHAT);
    assert_eq!(response.status, 500, "{}", response.text());
    assert_clean(&bench.request());
}

/// A provider that takes its time is waited for.
fn slow(bench: &Bench, headers: &[&str]) {
    let mut steps = vec![Step::Sleep(Duration::from_millis(100))];
    steps.extend(json(200, COMPLETION));
    bench.answer(steps);
    clean(bench, headers);
}

/// The provider gets its own credential, and nothing that is private.
fn clean(bench: &Bench, headers: &[&str]) -> super::support::upstream::Request {
    let response = bench.chat(&[&[OAI], headers].concat(), CHAT);
    assert_eq!(response.status, 200, "{}", response.text());
    assert!(response.headers.iter().all(|(name, _)| !name.starts_with("x-envoy-")));
    let request = bench.request();
    assert_clean(&request);
    assert_eq!(
        request.header("authorization"),
        Some("Bearer sk-oai-internals"),
        "{:?}",
        names(&request)
    );
    request
}
