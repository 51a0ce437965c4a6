//! Providers that do not keep to HTTP, or want to be more than a provider.

use super::bench::{Bench, CHAT, COMPLETION, Case, OAI, STREAM, Theme};
use super::support::upstream::{Step, answer, chunk, json, last_chunk, sse_head};
use super::wire;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

pub const THEME: Theme = Theme {
    name: "Hostile providers",
    yaml: |port| {
        format!(
            "virtual_keys:\n  \
             oai: {{provider: openai, api_key: sk-oai-providers, base_url: 'http://127.0.0.1:{port}/oai'}}\n  \
             ant: {{provider: anthropic, api_key: sk-ant-providers, base_url: 'http://127.0.0.1:{port}/ant'}}\n\
             limits: {{request_body: 4MiB, idle_timeout: 4000}}\n"
        )
    },
    cases: &[
        Case {
            name: "headers of 10 MiB",
            must: "502 or 503 with a clear error, the gateway stops reading",
            run: |bench| {
                let line = format!("x-long: {}\r\n", "x".repeat(8000));
                bench.answer(answer(200, &line.repeat(1300), COMPLETION));
                failed(bench);
            },
        },
        Case {
            name: "100,000 headers",
            must: "502 or 503 with a clear error",
            run: |bench| {
                let lines: String =
                    (0..100_000).map(|number| format!("x-{number}: 1\r\n")).collect();
                bench.answer(answer(200, &lines, COMPLETION));
                failed(bench);
            },
        },
        Case {
            name: "headers that never end, a line every 100 ms",
            must: "an error by `limits.idle_timeout` or `request_timeout`; never a hang",
            run: |bench| {
                bench.script(|_| {
                    let mut steps = vec![Step::Write(b"HTTP/1.1 200 OK\r\n".to_vec())];
                    for _ in 0..100 {
                        steps.push(Step::Write(b"x-more: 1\r\n".to_vec()));
                        steps.push(Step::Sleep(Duration::from_millis(100)));
                    }
                    steps
                });
                let started = Instant::now();
                let response = bench.chat(&[OAI, "x-portkey-request-timeout: 1000"], CHAT);
                assert_eq!(
                    (response.status, &response.json()["error"]["type"]),
                    (408, &"timeout_error".into()),
                    "{}",
                    response.text()
                );
                assert!(started.elapsed().as_secs() < 5);
            },
        },
        Case {
            name: "no HTTP at all: TLS, HTTP/0.9, NULs, a status that is no number",
            must: "502 or 503 with a clear error",
            run: |bench| {
                for bytes in [
                    b"\x16\x03\x01\x02\x00".as_slice(),
                    b"hello\r\n\r\n",
                    &[0; 100],
                    b"HTTP/1.1 abc OK\r\n\r\n",
                    b"HTTP/1.1 99999 OK\r\n\r\n",
                ] {
                    bench.answer(vec![Step::Write(bytes.to_vec()), Step::Close]);
                    failed(bench);
                }
            },
        },
        Case {
            name: "a header value with NUL, or with a bare CR and another header",
            must: "an error; of a CR, at most a longer value without it",
            run: |bench| {
                bench.answer(answer(
                    200,
                    "content-type: application/json\r\nx-a: a\0b\r\n",
                    COMPLETION,
                ));
                failed(bench);
                bench.answer(answer(
                    200,
                    "content-type: application/json\r\nx-a: a\rx-evil: 1\r\n",
                    COMPLETION,
                ));
                let response = bench.chat(&[OAI], CHAT);
                assert!(
                    response.status >= 500 || response.header("x-evil").is_none(),
                    "{response:?}"
                );
                assert!(response.headers.iter().all(|(_, value)| !value.contains('\r')));
                bench.seen();
            },
        },
        Case {
            name: "two `content-length`, or `content-length` and chunks",
            must: "an error, or one whole answer; never a part of it",
            run: |bench| {
                for head in ["content-length: 5\r\n", "transfer-encoding: chunked\r\n"] {
                    bench.answer(answer(
                        200,
                        &format!("content-type: application/json\r\n{head}"),
                        COMPLETION,
                    ));
                    let response = bench.chat(&[OAI], CHAT);
                    assert!(
                        response.status >= 500 || response.text() == COMPLETION,
                        "{head}: {}",
                        response.text()
                    );
                }
                bench.seen();
            },
        },
        Case {
            name: "a body shorter than its `content-length`",
            must: "an error or a broken transfer; never a whole answer",
            run: |bench| {
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                    COMPLETION.len() + 100
                );
                bench.answer(vec![
                    Step::Write([head.as_bytes(), COMPLETION.as_bytes()].concat()),
                    Step::Close,
                ]);
                let response = bench.chat(&[OAI], CHAT);
                assert!(response.status >= 500 || !response.whole, "{}", response.text());
                bench.seen();
            },
        },
        Case {
            name: "another answer behind its `content-length` (response splitting)",
            must: "the next client gets an answer to its own request",
            run: |bench| {
                let evil = COMPLETION.replace("hello", "smuggled");
                let more = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{evil}",
                    evil.len()
                );
                let mut steps = json(200, COMPLETION);
                steps.push(Step::Write(more.into_bytes()));
                bench.answer(steps);
                assert_eq!(bench.chat(&[OAI], CHAT).text(), COMPLETION);
                bench.answer(json(200, COMPLETION));
                for _ in 0..4 {
                    assert_eq!(bench.chat(&[OAI], CHAT).text(), COMPLETION);
                }
                assert_eq!(bench.seen().len(), 5);
            },
        },
        Case {
            name: "101 to a request that asked for no upgrade",
            must: "502 or 503, no tunnel",
            run: |bench| {
                bench.answer(vec![Step::Write(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello".to_vec()), Step::Close]);
                failed(bench);
            },
        },
        Case {
            name: "1,000 answers of the kind 1xx before the real one",
            must: "the real answer, or an error",
            run: |bench| {
                let mut bytes = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n".repeat(1000);
                bytes.extend(format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{COMPLETION}", COMPLETION.len()).into_bytes());
                bench.answer(vec![Step::Write(bytes)]);
                let response = bench.chat(&[OAI], CHAT);
                assert!(
                    response.text() == COMPLETION || response.status >= 500,
                    "{}",
                    response.text()
                );
                bench.seen();
            },
        },
        Case {
            name: "a compressed answer (a bomb) that nobody asked for",
            must: "502 `invalid_response` where it must be read; nothing is unpacked",
            run: |bench| {
                bench.answer(answer(
                    200,
                    "content-type: application/json\r\ncontent-encoding: gzip\r\n",
                    "\x1f\u{0}",
                ));
                let response = bench.chat(&["x-portkey-virtual-key: ant"], CHAT);
                assert_eq!(
                    (response.status, &response.json()["error"]["code"]),
                    (502, &"invalid_response".into())
                );
                assert_eq!(bench.request().header("accept-encoding"), None);
            },
        },
        Case {
            name: "an answer of 20 MiB that is to be translated",
            must: "502 `response_too_large`",
            run: |bench| {
                bench.answer(json(
                    200,
                    &format!(
                        r#"{{"type":"message","content":[{{"type":"text","text":"{}"}}]}}"#,
                        "x".repeat(20 << 20)
                    ),
                ));
                let response = bench.chat(&["x-portkey-virtual-key: ant"], CHAT);
                assert_eq!(
                    (response.status, &response.json()["error"]["code"]),
                    (502, &"response_too_large".into()),
                    "{:.300}",
                    response.text()
                );
                bench.seen();
            },
        },
        Case {
            name: "an answer nested 100,000 levels deep",
            must: "passes, or 502; no VM dies",
            run: |bench| {
                let nested = ["[".repeat(100_000), "]".repeat(100_000)].concat();
                for (key, body) in [
                    ("oai", format!(r#"{{"choices":{nested}}}"#)),
                    (
                        "ant",
                        format!(
                            r#"{{"type":"message","content":[{{"type":"tool_use","id":"a","name":"f","input":{nested}}}],"usage":{nested}}}"#
                        ),
                    ),
                ] {
                    bench.answer(json(200, &body));
                    let response = bench.chat(&[&format!("x-portkey-virtual-key: {key}")], CHAT);
                    assert!(
                        [200, 502].contains(&response.status),
                        "{key}: {:.300}",
                        response.text()
                    );
                    bench.seen();
                }
            },
        },
        Case {
            name: "an event of 17 MiB in a stream that is translated",
            must: "an error event, no `[DONE]`",
            run: |bench| {
                bench.answer(stream(&[format!("event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"delta\":{{\"type\":\"text_delta\",\"text\":\"{}\"}}}}\n\n", "x".repeat(17 << 20))]));
                let response = bench.chat(&["x-portkey-virtual-key: ant"], STREAM);
                let text = response.text();
                assert!(
                    response.status >= 500 || text.contains("\"error\""),
                    "{} {:.300}",
                    response.status,
                    text
                );
                assert!(!text.contains("[DONE]"), "{:.300}", text);
                bench.seen();
            },
        },
        Case {
            name: "a line without an end in a stream that passes",
            must: "passes as it comes, or an error; memory stays bounded",
            run: |bench| {
                bench.answer(stream(&[format!("data: {{\"x\":\"{}", "x".repeat(17 << 20))]));
                let response = bench.chat(&[OAI], STREAM);
                assert!(response.status >= 500 || !response.text().contains("[DONE]"));
                bench.seen();
            },
        },
        Case {
            name: "a stream that is held until its end (`stream_hold: complete`) and has none",
            must: "502 once the buffer is full; never a hang",
            run: |bench| {
                let event = format!(
                    "data: {}\n\n",
                    COMPLETION
                        .replace("chat.completion", "chat.completion.chunk")
                        .replace("\"message\"", "\"delta\"")
                );
                bench.answer(stream(&vec![event.repeat(100); 400]));
                let started = Instant::now();
                let config = r#"{"virtual_key":"oai","stream_hold":"complete"}"#;
                let headers = [&format!("x-portkey-config: {config}")[..]];
                let response = bench.chat(&headers, STREAM);
                assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
                assert!(
                    response.status >= 500
                        || !response.whole
                        || response.text().contains("\"error\""),
                    "{} {:.300}",
                    response.status,
                    response.text()
                );
                bench.seen();
            },
        },
        Case {
            name: "a stream that never ends, and a client that goes away",
            must: "the gateway leaves the provider, too",
            run: |bench| {
                bench.script(|_| {
                    let mut steps = vec![sse_head()];
                    for _ in 0..600 {
                        steps.push(chunk(
                            "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n",
                        ));
                        steps.push(Step::Sleep(Duration::from_millis(10)));
                    }
                    steps
                });
                let mut stream = TcpStream::connect(("127.0.0.1", bench.gateway.port)).unwrap();
                let head = format!(
                    "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\n{OAI}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{STREAM}",
                    STREAM.len()
                );
                stream.write_all(head.as_bytes()).unwrap();
                std::thread::sleep(Duration::from_millis(300));
                let active = || {
                    bench
                        .gateway
                        .stats("cluster.vk.oai.upstream_rq_active")
                        .first()
                        .map(|(_, value)| *value)
                };
                assert_eq!(active(), Some(1));
                drop(stream);
                let gone = (0..40).any(|_| {
                    std::thread::sleep(Duration::from_millis(50));
                    active() == Some(0)
                });
                assert!(gone, "{:?}", active());
                bench.seen();
            },
        },
        Case {
            name: "a stream that falls silent",
            must: "an error by `limits.idle_timeout`, no `[DONE]`",
            run: |bench| {
                bench.answer(vec![
                    sse_head(),
                    chunk("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n"),
                    Step::Sleep(Duration::from_secs(9)),
                ]);
                let started = Instant::now();
                let response = bench.chat(&[OAI], STREAM);
                assert!(started.elapsed().as_secs() < 8, "{:?}", started.elapsed());
                assert!(
                    !response.whole && !response.text().contains("[DONE]"),
                    "{}",
                    response.text()
                );
                bench.seen();
            },
        },
        Case {
            name: "chunks with a size that is no number in a stream",
            must: "a broken transfer, or an error; never `[DONE]`",
            run: |bench| {
                bench.answer(vec![
                    sse_head(),
                    Step::Write(b"zz\r\ndata: x\n\n\r\n".to_vec()),
                    Step::Close,
                ]);
                let response = bench.chat(&[OAI], STREAM);
                assert!(response.status >= 500 || !response.whole, "{}", response.text());
                bench.seen();
            },
        },
        Case {
            name: "`set-cookie` on an answer",
            must: "it is no business of the client's at a translated operation, and never sent back",
            run: |bench| {
                bench.answer(answer(
                    200,
                    "content-type: application/json\r\nset-cookie: session=of-the-provider\r\n",
                    COMPLETION,
                ));
                let response = bench.chat(&[OAI], CHAT);
                assert_eq!((response.status, response.header("set-cookie")), (200, None));
                assert_eq!(bench.chat(&[OAI, "cookie: session=of-the-provider"], CHAT).status, 200);
                assert!(bench.seen().iter().all(|request| request.header("cookie").is_none()));
            },
        },
        Case {
            name: "`server`, `via`, `alt-svc`, `strict-transport-security` of the provider's",
            must: "`alt-svc` does not lead clients past the gateway",
            run: |bench| {
                bench.answer(answer(200, "content-type: application/json\r\nalt-svc: h3=\"evil.test:443\"; ma=999999\r\n", COMPLETION));
                assert_eq!(bench.chat(&[OAI], CHAT).header("alt-svc"), None);
                bench.seen();
            },
        },
        Case {
            name: "an error that repeats the credential it was sent",
            must: "the client sees the provider's error; the log does not have it",
            run: |bench| {
                bench.script(|request| {
                    let key = request.header("authorization").unwrap_or_default().to_owned();
                    json(401, &format!(r#"{{"error":{{"message":"Incorrect API key provided: {key}","type":"invalid_request_error","code":"invalid_api_key"}}}}"#))
                });
                assert_eq!(bench.chat(&[OAI, "x-portkey-trace-id: echo"], CHAT).status, 401);
                let record = bench.record("echo").to_string();
                assert!(!record.contains("sk-oai-providers"), "{record}");
                bench.seen();
            },
        },
        Case {
            name: "a broken connection in the middle of all this",
            must: "an error of the known form",
            run: |bench| {
                bench.answer(vec![Step::Close]);
                failed(bench);
                let mut steps = vec![sse_head()];
                steps.push(last_chunk());
                bench.answer(steps);
                let response = bench.chat(&[OAI], STREAM);
                assert!(!response.text().contains("[DONE]"));
                assert!(wire::talk(bench.gateway.port, b"").bytes.is_empty());
                bench.seen();
            },
        },
    ],
};

#[test]
fn providers() {
    THEME.run();
}

fn stream(events: &[String]) -> Vec<Step> {
    let mut steps = vec![sse_head()];
    steps.extend(events.iter().map(|event| chunk(event)));
    steps.push(last_chunk());
    steps
}

/// The client gets a whole error in OpenAI's shape.
fn failed(bench: &Bench) {
    let response = bench.chat(&[OAI], CHAT);
    assert!(
        [500, 502, 503, 504].contains(&response.status),
        "{} {:.500}",
        response.status,
        response.text()
    );
    assert!(
        response.whole && response.json()["error"]["code"].is_string(),
        "{:.500}",
        response.text()
    );
    assert_eq!(response.header("x-evil"), None);
    assert!(bench.seen().len() <= 1);
}
