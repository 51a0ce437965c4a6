//! Bodies and configs that are meant to be too much, or to be read in two ways.

use super::bench::{Bench, CHAT, Case, OAI, Theme};
use super::support::client::{self, Response};
use super::support::upstream::json;
use std::time::Instant;

pub const THEME: Theme = Theme {
    name: "Bodies, configs and limits",
    yaml: |port| {
        let place = format!("base_url: 'http://127.0.0.1:{port}");
        format!(
            "virtual_keys:\n  \
             oai: {{provider: openai, api_key: sk-oai-bodies, {place}/oai'}}\n  \
             ant: {{provider: anthropic, api_key: sk-ant-bodies, {place}/ant'}}\n  \
             gem: {{provider: google, api_key: sk-gem-bodies, {place}/gem'}}\n  \
             coh: {{provider: cohere, api_key: sk-coh-bodies, {place}/coh'}}\n  \
             bed: {{provider: bedrock, api_key: sk-bed-bodies, aws_region: eu-west-1, {place}/bed'}}\n\
             limits: {{request_body: 8MiB}}\n"
        )
    },
    cases: &[
        Case {
            name: "content nested 100,000 levels deep, to every format",
            must: "passes as it is, or 400; no VM dies",
            run: |bench| {
                let nested = ["[".repeat(100_000), "]".repeat(100_000)].concat();
                each(
                    bench,
                    &format!(
                        r#"{{"model":"m","messages":[{{"role":"user","content":{nested}}}]}}"#
                    ),
                );
            },
        },
        Case {
            name: "a tool's schema nested 100,000 levels deep, to every format",
            must: "passes as it is, or 400; no VM dies",
            run: |bench| {
                let schema = [
                    r#"{"type":"object","properties":{"a":"#.repeat(50_000).as_str(),
                    "{}",
                    &"}}".repeat(50_000),
                ]
                .concat();
                each(
                    bench,
                    &format!(
                        r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],"tools":[{{"type":"function","function":{{"name":"f","parameters":{schema}}}}}]}}"#
                    ),
                );
            },
        },
        Case {
            name: "a response format whose schema refers to itself",
            must: "passes as it is, or 400; no VM dies",
            run: |bench| {
                let schema = r##"{"$ref":"#/$defs/a","$defs":{"a":{"anyOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/b"}]},"b":{"allOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/b"}]}}}"##;
                each(
                    bench,
                    &format!(
                        r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],"response_format":{{"type":"json_schema","json_schema":{{"name":"s","schema":{schema}}}}}}}"#
                    ),
                );
            },
        },
        Case {
            name: "the same key twice at the top level, once with an escape (`\"mod\\u0065l\"`)",
            must: "400 `invalid_json`: two readers could take different ones",
            run: |bench| {
                for body in [
                    r#"{"model":"a","messages":[],"model":"b"}"#,
                    r#"{"model":"a","messages":[],"mod\u0065l":"b"}"#,
                ] {
                    bench.refuses(&bench.chat(&[OAI], body), 400, "invalid_json");
                }
            },
        },
        Case {
            name: "the same key twice within a message, to every format",
            must: "passes as it is, or 400; a translation has it once",
            run: |bench| {
                each(
                    bench,
                    r#"{"model":"m","messages":[{"role":"user","role":"system","content":"a","content":"b"}]}"#,
                )
            },
        },
        Case {
            name: "numbers such as `1e999999`, `-0`, 100,000 digits, to every format",
            must: "passes as it is, or 400; no VM dies",
            run: |bench| {
                for number in ["1e999999", "-1e-999999", "-0", &"9".repeat(100_000), "0.1e+2"] {
                    each(
                        bench,
                        &format!(
                            r#"{{"model":"m","max_tokens":{number},"temperature":{number},"messages":[{{"role":"user","content":"x"}}]}}"#
                        ),
                    );
                }
            },
        },
        Case {
            name: "NUL and control characters within strings, raw and escaped",
            must: "raw: 400 `invalid_json`; escaped: passes, or 400",
            run: |bench| {
                for byte in ["\0", "\n", "\x1f"] {
                    let body = format!(
                        r#"{{"model":"m","messages":[{{"role":"user","content":"a{byte}b"}}]}}"#
                    );
                    bench.refuses(&bench.chat(&[OAI], &body), 400, "invalid_json");
                }
                each(
                    bench,
                    r#"{"model":"m\u0000","messages":[{"role":"user","content":"a\u0000\u001fb"}]}"#,
                );
            },
        },
        Case {
            name: "lone surrogates, `\\ud800`, to every format",
            must: "passes as it is, or 400; no VM dies",
            run: |bench| {
                each(bench, r#"{"model":"m","messages":[{"role":"user","content":"\ud800"}]}"#);
                each(
                    bench,
                    r#"{"model":"\udfff\ud800","messages":[{"role":"user","content":"x"}]}"#,
                );
            },
        },
        Case {
            name: "bytes that are no UTF-8, an overlong slash, a byte order mark",
            must: "400 `invalid_json`, no provider is asked",
            run: |bench| {
                for bytes in [b"\xff".as_slice(), b"\xc0\xaf", b"\xed\xa0\x80"] {
                    let body = [br#"{"model":"m","messages":[],"x":""#, bytes, br#""}"#].concat();
                    bench.refuses(&post(bench, &[OAI], &body), 400, "invalid_json");
                }
                bench.refuses(
                    &post(bench, &[OAI], b"\xef\xbb\xbf{\"model\":\"m\",\"messages\":[]}"),
                    400,
                    "invalid_json",
                );
            },
        },
        Case {
            name: "`content-encoding: gzip`, `br`, `deflate`, `gzip, gzip`, `x-gzip`, `zstd` (bombs)",
            must: "415 `unsupported_content_encoding`: nothing is unpacked",
            run: |bench| {
                for encoding in ["gzip", "br", "deflate", "gzip, gzip", "x-gzip", "zstd", "GZIP"] {
                    let response = post(
                        bench,
                        &[OAI, &format!("content-encoding: {encoding}")],
                        b"\x1f\x8b\x08\x00",
                    );
                    bench.refuses(&response, 415, "unsupported_content_encoding");
                }
            },
        },
        Case {
            name: "`content-encoding: identity` and then `gzip`",
            must: "415, no provider is asked",
            run: |bench| {
                let response = post(
                    bench,
                    &[OAI, "content-encoding: identity", "content-encoding: gzip"],
                    b"\x1f\x8b\x08\x00",
                );
                bench.refuses(&response, 415, "unsupported_content_encoding");
            },
        },
        Case {
            name: "a body over `limits.request_body`, by its length and by chunks",
            must: "413 `payload_too_large`, no provider is asked",
            run: |bench| {
                let big = format!(r#"{{"model":"m","messages":[],"x":"{}"}}"#, "x".repeat(9 << 20));
                bench.refuses(&bench.chat(&[OAI], &big), 413, "payload_too_large");
            },
        },
        Case {
            name: "1,001 keys in the body",
            must: "400 `invalid_json`, no provider is asked",
            run: |bench| {
                let keys: String = (0..1001).map(|number| format!("\"k{number}\":1,")).collect();
                bench.refuses(
                    &bench.chat(&[OAI], &format!("{{{keys}\"model\":\"m\"}}")),
                    400,
                    "invalid_json",
                );
            },
        },
        Case {
            name: "a million messages, to every format",
            must: "passes or 400, within seconds",
            run: |bench| {
                let messages = "{},".repeat(1_000_000);
                each(bench, &format!(r#"{{"model":"m","messages":[{}{{}}]}}"#, messages));
            },
        },
        Case {
            name: "a config of 101 targets, and of 10,000",
            must: "400 `invalid_config`, no provider is asked",
            run: |bench| {
                for count in [101, 10_000] {
                    let targets = vec![r#"{"virtual_key":"oai"}"#; count].join(",");
                    let config =
                        format!(r#"{{"strategy":{{"mode":"fallback"}},"targets":[{targets}]}}"#);
                    bench.refuses(&bench.chat_with(&config, &[]), 400, "invalid_config");
                }
            },
        },
        Case {
            name: "a config nested 17 and 5,000 levels deep",
            must: "400 `invalid_config`, no provider is asked",
            run: |bench| {
                for depth in [17, 5000] {
                    let config = [
                        r#"{"targets":["#.repeat(depth).as_str(),
                        r#"{"virtual_key":"oai"}"#,
                        &"]}".repeat(depth),
                    ]
                    .concat();
                    bench.refuses(&bench.chat_with(&config, &[]), 400, "invalid_config");
                }
            },
        },
        Case {
            name: "a config with a condition nested 1,000 levels deep, and with 17 regular expressions",
            must: "400 `invalid_config`, no provider is asked",
            run: |bench| {
                let conditional = |query: &str| {
                    format!(
                        r#"{{"strategy":{{"mode":"conditional","conditions":[{{"query":{query},"then":"a"}}],"default":"a"}},"targets":[{{"name":"a","virtual_key":"oai"}}]}}"#
                    )
                };
                let deep = [
                    r#"{"$and":["#.repeat(1000).as_str(),
                    r#"{"metadata.a":1}"#,
                    &"]}".repeat(1000),
                ]
                .concat();
                let regex = vec![r#"{"metadata.a":{"$regex":"(a+)+$"}}"#; 17].join(",");
                for query in [deep, format!(r#"{{"$or":[{regex}]}}"#)] {
                    bench.refuses(
                        &bench.chat_with(&conditional(&query), &[]),
                        400,
                        "invalid_config",
                    );
                }
            },
        },
        Case {
            name: "a regular expression of a config that takes others exponential time, `(a+)+$`",
            must: "200 within a second",
            run: |bench| {
                let config = r#"{"strategy":{"mode":"conditional","conditions":[{"query":{"metadata.a":{"$regex":"(a+)+$"}},"then":"a"}],"default":"a"},"targets":[{"name":"a","virtual_key":"oai"}]}"#;
                let metadata = format!(r#"x-portkey-metadata: {{"a":"{}!"}}"#, "a".repeat(10_000));
                let started = Instant::now();
                assert_eq!(bench.chat_with(config, &[&metadata]).status, 200);
                assert!(started.elapsed().as_secs() < 3, "{:?}", started.elapsed());
            },
        },
        Case {
            name: "a regular expression that grows when it is compiled, `((a{100}){100}){100}`",
            must: "400 `invalid_config`, no provider is asked",
            run: |bench| {
                let config = r#"{"strategy":{"mode":"conditional","conditions":[{"query":{"metadata.a":{"$regex":"((a{100}){100}){100}"}},"then":"a"}],"default":"a"},"targets":[{"name":"a","virtual_key":"oai"}]}"#;
                bench.refuses(&bench.chat_with(config, &[]), 400, "invalid_config");
            },
        },
        Case {
            name: "a config with the same key twice",
            must: "400 `invalid_config`, no provider is asked",
            run: |bench| {
                bench.refuses(
                    &bench.chat_with(r#"{"virtual_key":"oai","virtual_key":"other"}"#, &[]),
                    400,
                    "invalid_config",
                );
            },
        },
        Case {
            name: "`override_params` of 60 KiB in each of 100 targets",
            must: "400 `invalid_config`: the plan would be too large",
            run: |bench| {
                let long = "x".repeat(60 << 10);
                let targets = vec![r#"{"virtual_key":"oai"}"#; 100].join(",");
                let config = format!(
                    r#"{{"strategy":{{"mode":"fallback"}},"override_params":{{"x":"{long}"}},"targets":[{targets}]}}"#
                );
                bench.refuses(&bench.chat_with(&config, &[]), 400, "invalid_config");
            },
        },
        Case {
            name: "300 KiB of headers",
            must: "431 `headers_too_large`, no provider is asked",
            run: |bench| {
                let response =
                    bench.chat(&[OAI, &format!("x-long: {}", "x".repeat(300 << 10))], CHAT);
                bench.refuses(&response, 431, "headers_too_large");
            },
        },
        Case {
            name: "10,000 headers",
            must: "431 `headers_too_large`, no provider is asked",
            run: |bench| {
                let lines: Vec<String> =
                    (0..10_000).map(|number| format!("x-{number}: 1")).collect();
                let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
                let response = bench.chat(&[&[OAI], &lines[..]].concat(), CHAT);
                bench.refuses(&response, 431, "headers_too_large");
            },
        },
        Case {
            name: "headers that come a byte at a time and never end (slowloris)",
            must: "408 `request_stalled` after ten seconds; others are served meanwhile",
            run: |bench| {
                let mut stream =
                    std::net::TcpStream::connect(("127.0.0.1", bench.gateway.port)).unwrap();
                std::io::Write::write_all(
                    &mut stream,
                    b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nx-slow: ",
                )
                .unwrap();
                assert_eq!(bench.chat(&[OAI], CHAT).status, 200);
                bench.seen();
                stream.set_read_timeout(Some(std::time::Duration::from_secs(14))).unwrap();
                let mut text = String::new();
                let read = std::io::Read::read_to_string(&mut stream, &mut text);
                assert!(
                    read.is_ok()
                        && text.starts_with("HTTP/1.1 408")
                        && text.contains(r#""code":"request_stalled""#),
                    "{read:?} {text}"
                );
            },
        },
    ],
};

#[test]
fn bodies() {
    THEME.run();
}

fn post(bench: &Bench, headers: &[&str], body: &[u8]) -> Response {
    let headers = [&["content-type: application/json"], headers].concat();
    client::send(bench.gateway.port, "POST", "/v1/chat/completions", &headers, body)
}

/// To each wire format: the body passes as it is, is translated to valid JSON, or is refused.
fn each(bench: &Bench, body: &str) {
    bench.answer(json(500, "{}"));
    for key in ["oai", "ant", "gem", "coh", "bed"] {
        let started = Instant::now();
        let response = bench.chat(&[&format!("x-portkey-virtual-key: {key}")], body);
        assert!(started.elapsed().as_secs() < 10, "{key}: {:?}", started.elapsed());
        let seen = bench.seen();
        let Some(request) = seen.first() else {
            assert_eq!(response.status, 400, "{key}: {}", response.text());
            assert_eq!(response.json()["status"], "failure");
            continue;
        };
        assert_eq!((response.status, seen.len()), (500, 1), "{key}: {}", response.text());
        let valid = serde_json::from_slice::<serde::de::IgnoredAny>(&request.body).is_ok();
        assert!(
            valid,
            "{key} got {}",
            String::from_utf8_lossy(&request.body[..request.body.len().min(500)])
        );
    }
}
