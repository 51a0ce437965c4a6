//! Two readers of one connection that disagree on where a request ends: a request of the attacker's
//! would become part of somebody else's.

use super::bench::{Bench, CHAT, Case, OAI, Theme};
use super::support::upstream::json;

pub const THEME: Theme = Theme {
    name: "Request smuggling",
    yaml: |port| {
        format!(
            "virtual_keys:\n  \
             oai: {{provider: openai, api_key: sk-oai-smuggling, base_url: 'http://127.0.0.1:{port}/oai'}}\n"
        )
    },
    cases: &[
        Case {
            name: "`content-length` and `transfer-encoding: chunked` (CL.TE)",
            must: "refused, no provider is asked, the connection is closed",
            run: |bench| {
                let body = format!("0\r\n\r\n{}", smuggled());
                let head =
                    format!("content-length: {}\r\ntransfer-encoding: chunked\r\n", body.len());
                refused(bench, &head, &body);
            },
        },
        Case {
            name: "`transfer-encoding: chunked` and a short `content-length` (TE.CL)",
            must: "refused, no provider is asked, the connection is closed",
            run: |bench| {
                let body = format!("{:x}\r\n{CHAT}\r\n0\r\n\r\n", CHAT.len());
                refused(bench, "transfer-encoding: chunked\r\ncontent-length: 4\r\n", &body);
            },
        },
        Case {
            name: "two different `content-length`",
            must: "refused, no provider is asked, the connection is closed",
            run: |bench| {
                let head = format!("content-length: {}\r\ncontent-length: 5\r\n", CHAT.len());
                refused(bench, &head, &[CHAT, &smuggled()].concat());
            },
        },
        Case {
            name: "`content-length` as a list, `5, 57`",
            must: "refused, no provider is asked, the connection is closed",
            run: |bench| {
                refused(bench, &format!("content-length: 5, {}\r\n", CHAT.len()), CHAT);
            },
        },
        Case {
            name: "`content-length: +57`, `-1`, `0x39`, `57 `, 30 digits",
            must: "refused, or read as HTTP reads it; never a second request",
            run: |bench| {
                for length in ["+57", "-1", "0x39", "5 7", "999999999999999999999999999999"] {
                    refused(
                        bench,
                        &format!("content-length: {length}\r\n"),
                        &[CHAT, &smuggled()].concat(),
                    );
                }
            },
        },
        Case {
            name: "`transfer-encoding: xchunked`, `chunked, identity`, `identity, chunked`, `\\x0bchunked`",
            must: "refused, no provider is asked, the connection is closed",
            run: |bench| {
                let body = format!("{:x}\r\n{CHAT}\r\n0\r\n\r\n", CHAT.len());
                for coding in
                    ["xchunked", "chunked, identity", "identity, chunked", "\x0bchunked", "cow"]
                {
                    refused(bench, &format!("transfer-encoding: {coding}\r\n"), &body);
                }
            },
        },
        Case {
            name: "`transfer-encoding` twice",
            must: "refused, no provider is asked, the connection is closed",
            run: |bench| {
                let body = format!("{:x}\r\n{CHAT}\r\n0\r\n\r\n", CHAT.len());
                refused(
                    bench,
                    "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
                    &body,
                );
            },
        },
        Case {
            name: "a blank before the colon, `transfer-encoding : chunked`",
            must: "refused, no provider is asked, the connection is closed",
            run: |bench| {
                let body = format!("0\r\n\r\n{}", smuggled());
                let head =
                    format!("content-length: {}\r\ntransfer-encoding : chunked\r\n", body.len());
                refused(bench, &head, &body);
            },
        },
        Case {
            name: "a folded header line (obs-fold), ` chunked` below `transfer-encoding:`",
            must: "refused, no provider is asked, the connection is closed",
            run: |bench| {
                let body = format!("0\r\n\r\n{}", smuggled());
                let head =
                    format!("content-length: {}\r\ntransfer-encoding:\r\n chunked\r\n", body.len());
                refused(bench, &head, &body);
            },
        },
        Case {
            name: "a folded control header, with another header in the fold",
            must: "refused, or all of it is the value of the first one: one attempt",
            run: |bench| {
                bench.answer(json(500, "{}"));
                let head = format!(
                    "connection: close\r\ncontent-length: {}\r\nx-portkey-trace-id: a\r\n\tx-envoy-max-retries: 5\r\n",
                    CHAT.len()
                );
                let answers = bench.raw(request(&head, CHAT));
                assert!([400, 500].contains(&answers.status()), "{}", answers.text());
                assert!(bench.seen().len() <= 1);
            },
        },
        Case {
            name: "lines that end in a bare LF",
            must: "refused, or read as one request; never a second one",
            run: |bench| {
                let head = format!("content-length: {}\r\n", CHAT.len());
                let text = request(&head, CHAT).replace("\r\n", "\n");
                one_at_most(bench, &text);
            },
        },
        Case {
            name: "a bare CR within a header value, with another header behind it",
            must: "refused, or all of it is the value of the first one, without the CR",
            run: |bench| {
                for path in ["/v1/chat/completions", "/v1/threads"] {
                    let head = format!(
                        "connection: close\r\nx-note: a\rx-evil: 5\r\ncontent-length: {}\r\n",
                        CHAT.len()
                    );
                    let answers =
                        bench.raw(request(&head, CHAT).replace("/v1/chat/completions", path));
                    assert!([200, 400].contains(&answers.status()), "{}", answers.text());
                    for seen in bench.seen() {
                        assert_eq!(seen.header("x-evil"), None, "{seen:?}");
                        assert!(
                            seen.headers.iter().all(|(_, value)| !value.contains('\r')),
                            "{seen:?}"
                        );
                    }
                }
            },
        },
        Case {
            name: "NUL within a header value",
            must: "refused, no provider is asked",
            run: |bench| {
                refused(
                    bench,
                    &format!("x-note: a\0b\r\ncontent-length: {}\r\n", CHAT.len()),
                    CHAT,
                );
            },
        },
        Case {
            name: "a chunk whose size is `-1`, `0x10`, `g`, or larger than 64 bits",
            must: "refused, no provider is asked, the connection is closed",
            run: |bench| {
                for size in ["-1", "0x39", "g", "fffffffffffffffffff"] {
                    let body = format!("{size}\r\n{CHAT}\r\n0\r\n\r\n");
                    refused(bench, "transfer-encoding: chunked\r\n", &body);
                }
            },
        },
        Case {
            name: "a chunk longer than its size",
            must: "refused, no provider is asked, the connection is closed",
            run: |bench| {
                let body = format!("5\r\n{CHAT}\r\n0\r\n\r\n{}", smuggled());
                refused(bench, "transfer-encoding: chunked\r\n", &body);
            },
        },
        Case {
            name: "a chunk extension of 100 KiB, with a LF in it",
            must: "refused, or one request; never a second one",
            run: |bench| {
                for extension in ["x".repeat(100 << 10), format!("a\n{}", smuggled())] {
                    let body = format!("{:x};{extension}\r\n{CHAT}\r\n0\r\n\r\n", CHAT.len());
                    one_at_most(bench, &request("transfer-encoding: chunked\r\n", &body));
                }
            },
        },
        Case {
            name: "a body behind a request that is refused early",
            must: "it is not read as a request",
            run: |bench| {
                let body = smuggled();
                let text = format!(
                    "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-type: application/xml\r\n{OAI}\r\n\
                     content-length: {}\r\n\r\n{body}",
                    body.len()
                );
                let answers = bench.raw(text);
                assert_eq!(answers.status(), 400, "{}", answers.text());
                bench.unheard();
            },
        },
        Case {
            name: "a body behind GET",
            must: "it is not read as a request",
            run: |bench| {
                let body = smuggled();
                let text = format!(
                    "GET /v1/models HTTP/1.1\r\nhost: g\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                let answers = bench.raw(text);
                assert_eq!(answers.statuses().len(), 1, "{}", answers.text());
                bench.unheard();
            },
        },
        Case {
            name: "absolute-form, `POST http://evil.test/v1/chat/completions`",
            must: "the provider gets the path alone, and its own host",
            run: |bench| {
                let head = format!("content-length: {}\r\nconnection: close\r\n", CHAT.len());
                let text = request(&head, CHAT).replace("POST /v1", "POST http://evil.test:99/v1");
                let answers = bench.raw(text);
                assert_eq!(answers.status(), 200, "{}", answers.text());
                let seen = bench.request();
                assert_eq!(seen.path, "/oai/chat/completions");
                assert!(seen.header("host").unwrap().starts_with("127.0.0.1:"), "{seen:?}");
            },
        },
        Case {
            name: "`CONNECT evil.test:443`",
            must: "refused, no provider is asked",
            run: |bench| {
                let answers =
                    bench.raw("CONNECT evil.test:443 HTTP/1.1\r\nhost: evil.test:443\r\n\r\n");
                assert!(
                    answers.statuses().iter().all(|status| (400..500).contains(status)),
                    "{}",
                    answers.text()
                );
                bench.unheard();
            },
        },
        Case {
            name: "no `host`, two of them, one with a path or user information",
            must: "refused, or the provider gets its own host",
            run: |bench| {
                for hosts in
                    ["", "host: a\r\nhost: b\r\n", "host: a/b\r\n", "host: user@127.0.0.1\r\n"]
                {
                    let text = format!(
                        "POST /v1/chat/completions HTTP/1.1\r\n{hosts}{OAI}\r\nconnection: close\r\n\
                         content-type: application/json\r\ncontent-length: {}\r\n\r\n{CHAT}",
                        CHAT.len()
                    );
                    let answers = bench.raw(text);
                    assert!([200, 400].contains(&answers.status()), "{hosts}: {}", answers.text());
                    for seen in bench.seen() {
                        assert!(
                            seen.header("host").unwrap().starts_with("127.0.0.1:"),
                            "{hosts}: {seen:?}"
                        );
                    }
                }
            },
        },
        Case {
            name: "`upgrade: h2c` with `HTTP2-Settings`",
            must: "no upgrade: refused, or answered by HTTP/1.1",
            run: |bench| {
                let head = format!(
                    "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\
                     content-length: {}\r\n",
                    CHAT.len()
                );
                let answers = bench.raw(request(&head, CHAT));
                assert_ne!(answers.status(), 101, "{}", answers.text());
                for seen in bench.seen() {
                    assert_eq!(
                        (seen.header("upgrade"), seen.header("http2-settings")),
                        (None, None)
                    );
                }
            },
        },
        Case {
            name: "`upgrade: websocket` where the provider has none, with a request behind it",
            must: "an error, the rest is not read as a request",
            run: |bench| {
                let text = format!(
                    "GET /v1/realtime HTTP/1.1\r\nhost: g\r\n{OAI}\r\nconnection: upgrade\r\n\
                     upgrade: websocket\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
                     sec-websocket-version: 13\r\n\r\n{}",
                    smuggled()
                );
                let answers = bench.raw(text);
                assert_eq!(answers.status(), 502, "{}", answers.text());
                assert!(answers.text().contains("upgrade_refused"), "{}", answers.text());
                assert!(bench.seen().iter().all(|seen| seen.method == "GET"));
            },
        },
        Case {
            name: "`upgrade: websocket` at an operation that is none",
            must: "400 `invalid_upgrade`, no provider is asked",
            run: |bench| {
                let head =
                    "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n";
                let text = request(head, "")
                    .replace("/v1/chat/completions", "/v1/models")
                    .replace("POST", "GET");
                let answers = bench.raw(text);
                assert_eq!(answers.status(), 400, "{}", answers.text());
                bench.unheard();
            },
        },
        Case {
            name: "`expect: 100-continue`, and a body that never comes",
            must: "no provider is asked",
            run: |bench| {
                let head = format!("expect: 100-continue\r\ncontent-length: {}\r\n", CHAT.len());
                bench.raw(request(&head, ""));
                bench.unheard();
            },
        },
        Case {
            name: "HTTP/0.9, HTTP/1.0 with chunks, HTTP/3.7, and no HTTP at all",
            must: "refused or closed, no provider is asked",
            run: |bench| {
                let chunks = format!("{:x}\r\n{CHAT}\r\n0\r\n\r\n", CHAT.len());
                let old = request("transfer-encoding: chunked\r\n", &chunks)
                    .replace("HTTP/1.1", "HTTP/1.0");
                let new = request("", "").replace("HTTP/1.1", "HTTP/3.7");
                for text in
                    ["GET /v1/models\r\n\r\n", &old, &new, "\x16\x03\x01\x02\x00\x01", "\0\0\0\0"]
                {
                    let answers = bench.raw(text);
                    assert!(
                        answers.statuses().iter().all(|status| *status >= 400),
                        "{text:?}: {}",
                        answers.text()
                    );
                }
                bench.unheard();
            },
        },
        Case {
            name: "two requests in one write, the first one good (pipelining)",
            must: "two answers, in order, each request whole",
            run: |bench| {
                let head = format!("content-length: {}\r\n", CHAT.len());
                let answers = bench.raw(request(&head, CHAT).repeat(2));
                assert_eq!(answers.statuses(), [200, 200]);
                let seen = bench.seen();
                assert!(seen.len() == 2 && seen.iter().all(|one| one.body == CHAT.as_bytes()));
            },
        },
    ],
};

#[test]
fn smuggling() {
    THEME.run();
}

/// What the attacker wants to be read as a request of its own.
fn smuggled() -> String {
    format!(
        "POST /v1/embeddings HTTP/1.1\r\nhost: g\r\n{OAI}\r\ncontent-type: application/json\r\n\
         content-length: 24\r\n\r\n{{\"model\":\"m\",\"input\":[]}}"
    )
}

fn request(head: &str, body: &str) -> String {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\n{OAI}\r\ncontent-type: application/json\r\n{head}\r\n{body}"
    )
}

/// One answer at most, an error, and the connection does not go on.
fn refused(bench: &Bench, head: &str, body: &str) {
    let answers = bench.raw(request(head, body));
    let statuses = answers.statuses();
    assert!(
        statuses.len() <= 1 && statuses.iter().all(|status| (400..600).contains(status)),
        "{head:?}: {}",
        answers.text()
    );
    assert!(answers.closed, "{head:?}: {}", answers.text());
    bench.unheard();
}

/// At most one request is seen by anybody.
fn one_at_most(bench: &Bench, text: &str) {
    let answers = bench.raw(text);
    assert!(answers.statuses().len() <= 1, "{}", answers.text());
    let seen = bench.seen();
    assert!(
        seen.len() <= 1 && seen.iter().all(|one| one.path == "/oai/chat/completions"),
        "{seen:#?}"
    );
}
