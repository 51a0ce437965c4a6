//! Values of a caller's that become headers at a provider, headers of the answer, or lines of the
//! log.

use super::bench::{Bench, CHAT, COMPLETION, Case, OAI, Theme};
use super::support::upstream::{answer, json};

pub const THEME: Theme = Theme {
    name: "Injection into headers and log lines",
    yaml: |port| {
        format!(
            "virtual_keys:\n  \
             oai: {{provider: openai, api_key: sk-oai-injection, base_url: 'http://127.0.0.1:{port}/oai'}}\n\
             providers:\n  \
             openai: {{base_url: 'http://127.0.0.1:{port}/openai'}}\n  \
             stability-ai: {{base_url: 'http://127.0.0.1:{port}/stability'}}\n  \
             azure-ai: {{base_url: 'http://127.0.0.1:{port}/azure'}}\n"
        )
    },
    cases: &[
        Case {
            name: "metadata with CR LF, quotes and a forged record in its values",
            must: "one line of the log, the text within `metadata`",
            run: |bench| {
                let evil = r#"x-portkey-metadata: {"_user":"a\r\nb","n":"\"}\n{\"status\":200,\"trace_id\":\"forged\"}"}"#;
                let response = bench.chat(&[OAI, evil, "x-portkey-trace-id: in-metadata"], CHAT);
                assert_eq!(response.status, 200);
                let record = bench.record("in-metadata");
                assert_eq!(record["metadata"]["_user"], "a\r\nb");
                assert!(bench.request().headers.iter().all(|(_, value)| !value.contains("forged")));
            },
        },
        Case {
            name: "metadata with the names of the record's own fields",
            must: "the record's own fields are the gateway's",
            run: |bench| {
                let evil = r#"x-portkey-metadata: {"status":"1","provider":"forged","cluster":"forged","total_tokens":"0"}"#;
                assert_eq!(
                    bench.chat(&[OAI, evil, "x-portkey-trace-id: own-fields"], CHAT).status,
                    200
                );
                let record = bench.record("own-fields");
                assert_eq!(
                    (&record["status"], &record["provider"]),
                    (&200.into(), &"openai".into())
                );
                assert_eq!(record["metadata"]["provider"], "forged");
            },
        },
        Case {
            name: "metadata that is no UTF-8",
            must: "400 `invalid_header`, no provider is asked",
            run: |bench| {
                let answers = bench
                    .chat_bytes(&[OAI.as_bytes(), b"x-portkey-metadata: {\"a\":\"\xff\xfe\"}"]);
                assert!(
                    answers.status() == 400 && answers.text().contains("invalid_header"),
                    "{}",
                    answers.text()
                );
                bench.unheard();
            },
        },
        Case {
            name: "metadata nested 100 and 100,000 levels deep",
            must: "200, not logged",
            run: |bench| {
                for depth in [100, 100_000] {
                    let nested = ["[".repeat(depth), "]".repeat(depth)].concat();
                    let evil = format!("x-portkey-metadata: {{\"a\":{nested}}}");
                    let trace = format!("x-portkey-trace-id: deep-{depth}");
                    let response = bench.chat(&[OAI, &evil, &trace], CHAT);
                    assert_eq!(response.status, 200, "{depth}: {}", response.text());
                    assert!(bench.record(&format!("deep-{depth}"))["metadata"].is_null());
                }
            },
        },
        Case {
            name: "a trace id with quotes, braces, backslashes and non-ASCII letters",
            must: "one line of valid JSON, the answer's header as it was sent",
            run: |bench| {
                let id = "a\"},{\"x\":\\\"é%s%n${jndi:ldap://x}";
                let response = bench.chat(&[OAI, &format!("x-portkey-trace-id: {id}")], CHAT);
                assert_eq!(response.status, 200);
                assert_eq!(bench.record(id)["status"], 200);
            },
        },
        Case {
            name: "a model with CR LF, quotes and Envoy's `%REQ(authorization)%`",
            must: "one line of the log, nothing in it is expanded",
            run: |bench| {
                let body = r#"{"model":"m\r\n\"}%REQ(x-portkey-virtual-key)%","messages":[]}"#;
                assert_eq!(bench.chat(&[OAI, "x-portkey-trace-id: in-model"], body).status, 200);
                assert_eq!(
                    bench.record("in-model")["request_model"],
                    "m\r\n\"}%REQ(x-portkey-virtual-key)%"
                );
            },
        },
        Case {
            name: "a provider's answer with a model and an id that hold CR LF and quotes",
            must: "one line of the log",
            run: |bench| {
                bench.answer(json(
                    200,
                    &COMPLETION
                        .replace("m-1", r#"m\r\n\"},{\"status\":1"#)
                        .replace("c-1", "c\\n\\u0000"),
                ));
                assert_eq!(bench.chat(&[OAI, "x-portkey-trace-id: in-answer"], CHAT).status, 200);
                assert_eq!(bench.record("in-answer")["response_model"], "m\r\n\"},{\"status\":1");
            },
        },
        Case {
            name: "a provider's error whose code and type hold CR LF and quotes",
            must: "one line of the log, valid JSON for the client",
            run: |bench| {
                bench.answer(json(
                    400,
                    r#"{"error":{"message":"a\r\nb \"}","type":"t\n\"}","code":"c\r\nx: y"}}"#,
                ));
                let response = bench.chat(&[OAI, "x-portkey-trace-id: in-error"], CHAT);
                assert!(response.status == 400 && response.json()["error"]["message"].is_string());
                assert_eq!(bench.record("in-error")["status"], 400);
            },
        },
        Case {
            name: "a config's `api_key` with CR LF and another header",
            must: "400, or no other header at the provider",
            run: |bench| {
                injected(
                    bench,
                    r#"{"provider":"openai","api_key":"sk-injected\r\nx-evil: 1"}"#,
                    &[],
                );
            },
        },
        Case {
            name: "a config's `api_key` with NUL or a letter above 127",
            must: "400, or one header at the provider",
            run: |bench| {
                for key in ["sk-injected\\u0000", "sk-injected\\u00e9", "sk-injected\\u000b"] {
                    injected(bench, &format!(r#"{{"provider":"openai","api_key":"{key}"}}"#), &[]);
                }
            },
        },
        Case {
            name: "a setting that becomes a header, with CR LF",
            must: "400, no provider is asked",
            run: |bench| {
                let config = r#"{"provider":"stability-ai","api_key":"sk-injected","stability_client_id":"a\r\nx-evil: 1"}"#;
                let response = bench.chat_with(config, &[]);
                assert_eq!(response.status, 400, "{}", response.text());
                assert!(!response.text().contains("x-evil"));
                bench.unheard();
            },
        },
        Case {
            name: "a setting of 100 KiB that becomes a header",
            must: "400, no provider is asked",
            run: |bench| {
                let long = "x".repeat(100 << 10);
                let config = format!(
                    r#"{{"provider":"stability-ai","api_key":"sk-injected","stability_client_id":"{long}"}}"#
                );
                assert_eq!(bench.chat_with(&config, &[]).status, 400);
                bench.unheard();
            },
        },
        Case {
            name: "`x-portkey-forward-headers` with CR LF, blanks, an empty name, 65 names",
            must: "refused, or nothing more is sent",
            run: |bench| {
                let many =
                    (0..65).map(|number| format!("x-{number}")).collect::<Vec<_>>().join(",");
                for names in ["x-a%0d%0ax-evil", " , ,", "x a", ":method", &many] {
                    let response = bench.chat(
                        &[OAI, &format!("x-portkey-forward-headers: {names}"), "x-a: 1"],
                        CHAT,
                    );
                    assert!([200, 400].contains(&response.status), "{names}: {}", response.text());
                    for seen in bench.seen() {
                        assert_eq!(seen.header("x-evil"), None);
                    }
                }
            },
        },
        Case {
            name: "a config whose `forward_headers` have CR LF",
            must: "refused, or nothing more is sent",
            run: |bench| {
                injected(
                    bench,
                    r#"{"virtual_key":"oai","forward_headers":["x-a\r\nx-evil","x-a: 1\r\nx-evil"]}"#,
                    &["x-a: 1"],
                );
            },
        },
        Case {
            name: "a field that is left out with CR LF in its name, which `x-portkey-dropped-params` would name",
            must: "the answer has no other header",
            run: |bench| {
                let body = r#"{"model":"m","messages":[],"x\r\nx-evil: 1":1}"#;
                let response = bench.chat(&[OAI], body);
                assert_eq!((response.status, response.header("x-evil")), (200, None));
            },
        },
        Case {
            name: "an unknown virtual key, provider or config with markup and quotes in its name",
            must: "400, valid JSON of the type `application/json`",
            run: |bench| {
                for header in ["virtual-key", "provider", "config"] {
                    let response =
                        bench.chat(&[&format!("x-portkey-{header}: \"><script>{{}}")], CHAT);
                    assert_eq!(response.status, 400);
                    assert_eq!(response.header("content-type"), Some("application/json"));
                    assert_eq!(response.json()["status"], "failure");
                }
                bench.unheard();
            },
        },
        Case {
            name: "a provider's header with a forged second answer",
            must: "the client gets one answer",
            run: |bench| {
                bench.answer(answer(
                    200,
                    "content-type: application/json\r\nx-a: b%0d%0aHTTP/1.1 200\r\n",
                    COMPLETION,
                ));
                let answers = bench.chat_bytes(&[OAI.as_bytes()]);
                assert!(answers.closed && answers.text().starts_with("HTTP/1.1 200 OK\r\n"));
            },
        },
    ],
};

#[test]
fn injection() {
    THEME.run();
}

/// The config is refused, or no header comes out of it that was not meant.
fn injected(bench: &Bench, config: &str, headers: &[&str]) {
    let response = bench.chat_with(config, headers);
    assert!(
        [200, 400].contains(&response.status),
        "{config}: {} {}",
        response.status,
        response.text()
    );
    assert!(!response.text().contains("sk-injected"), "{}", response.text());
    let seen = bench.seen();
    assert_eq!(seen.is_empty(), response.status == 400, "{seen:#?}");
    for request in seen {
        assert_eq!(request.header("x-evil"), None, "{config}");
        assert!(request.headers.iter().filter(|(name, _)| name == "authorization").count() <= 1);
    }
}
