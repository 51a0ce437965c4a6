//! Control headers that are there twice: two readers could take different ones.

use super::bench::{Bench, CHAT, Case, OAI, Theme};

pub const THEME: Theme = Theme {
    name: "Repeated control headers",
    yaml: |port| {
        format!(
            "virtual_keys:\n  \
             oai: {{provider: openai, api_key: sk-oai-repeated, base_url: 'http://127.0.0.1:{port}/oai'}}\n\
             providers: {{openai: {{base_url: 'http://127.0.0.1:{port}/openai'}}}}\n\
             custom_hosts: [{{host: 127.0.0.1, private: true}}]\n"
        )
    },
    cases: &[
        Case {
            name: "`x-portkey-virtual-key` twice",
            must: "400 `duplicate_header`, no provider is asked",
            run: |bench| twice(bench, &[OAI, "x-portkey-virtual-key: other"]),
        },
        Case {
            name: "`x-portkey-provider` twice, in different case",
            must: "400 `duplicate_header`",
            run: |bench| twice(bench, &["x-portkey-provider: openai", "X-Portkey-Provider: demo"]),
        },
        Case {
            name: "`x-portkey-config` twice",
            must: "400 `duplicate_header`",
            run: |bench| {
                let config = r#"x-portkey-config: {"virtual_key":"oai"}"#;
                twice(bench, &[config, config]);
            },
        },
        Case {
            name: "`x-portkey-custom-host` twice",
            must: "400 `duplicate_header`",
            run: |bench| {
                let headers = [
                    "x-portkey-custom-host: http://127.0.0.1:1",
                    "x-portkey-custom-host: http://127.0.0.2:1",
                ];
                twice(bench, &[&["x-portkey-provider: openai"], &headers[..]].concat());
            },
        },
        Case {
            name: "`authorization` twice",
            must: "the provider gets one header, whose value is no valid key: Envoy has joined them",
            run: |bench| {
                let headers = [
                    "x-portkey-provider: openai",
                    "authorization: Bearer sk-one-of-two",
                    "authorization: Bearer sk-two-of-two",
                ];
                assert_eq!(bench.chat(&headers, CHAT).status, 200);
                let seen = bench.request();
                let keys: Vec<_> =
                    seen.headers.iter().filter(|(name, _)| name == "authorization").collect();
                assert!(keys.len() == 1 && keys[0].1.contains(','), "{keys:?}");
            },
        },
        Case {
            name: "`x-portkey-api-key` twice",
            must: "400 `duplicate_header`",
            run: |bench| {
                twice(
                    bench,
                    &[OAI, "x-portkey-api-key: pk-one-of-two", "x-portkey-api-key: pk-two-of-two"],
                )
            },
        },
        Case {
            name: "`x-portkey-metadata` twice",
            must: "400 `duplicate_header`",
            run: |bench| {
                twice(
                    bench,
                    &[
                        OAI,
                        "x-portkey-metadata: {\"_user\":\"a\"}",
                        "x-portkey-metadata: {\"_user\":\"b\"}",
                    ],
                )
            },
        },
        Case {
            name: "`x-portkey-trace-id` twice",
            must: "400 `duplicate_header`",
            run: |bench| twice(bench, &[OAI, "x-portkey-trace-id: a", "x-portkey-trace-id: b"]),
        },
        Case {
            name: "a provider's own header (`x-api-key`) twice",
            must: "400 `duplicate_header`",
            run: |bench| {
                twice(
                    bench,
                    &[
                        "x-portkey-provider: anthropic",
                        "x-api-key: sk-one-of-two",
                        "x-api-key: sk-two-of-two",
                    ],
                )
            },
        },
        Case {
            name: "an empty `x-portkey-virtual-key` beside a real one",
            must: "400 `duplicate_header`",
            run: |bench| twice(bench, &["x-portkey-virtual-key:", OAI]),
        },
        Case {
            name: "virtual keys joined by a comma",
            must: "400 `unknown_virtual_key`: a list is no slug",
            run: |bench| {
                let response = bench.chat(&["x-portkey-virtual-key: oai, oai"], CHAT);
                bench.refuses(&response, 400, "unknown_virtual_key");
            },
        },
    ],
};

#[test]
fn repeated() {
    THEME.run();
}

fn twice(bench: &Bench, headers: &[&str]) {
    let response = bench.chat(headers, CHAT);
    bench.refuses(&response, 400, "duplicate_header");
}
