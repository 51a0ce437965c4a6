//! Oddities of HTTP/2 that HTTP/1.1 behind the gateway would read otherwise. The client writes
//! frames and header blocks (RFC 7541, literals without index) as the cases have them.

use super::bench::{Bench, CHAT, Case, Theme, assert_clean};
use super::wire;
use std::io::Write;
use std::net::TcpStream;

pub const THEME: Theme = Theme {
    name: "HTTP/2",
    yaml: |port| {
        format!(
            "virtual_keys:\n  \
             oai: {{provider: openai, api_key: sk-oai-http2, base_url: 'http://127.0.0.1:{port}/oai'}}\n"
        )
    },
    cases: &[
        Case {
            name: "a proper request with `x-envoy-*`, `x-portkey-retry`, `cookie` in two parts",
            must: "200; the provider gets none of them",
            run: |bench| {
                let more = [
                    ("x-envoy-max-retries", "5"),
                    ("x-portkey-retry", "1"),
                    ("cookie", "a=1"),
                    ("cookie", "b=2"),
                ];
                assert_eq!(ask(bench, &USUAL, &more, CHAT), Some(200));
                let seen = bench.request();
                assert_clean(&seen);
                assert_eq!(seen.header("authorization"), Some("Bearer sk-oai-http2"));
            },
        },
        Case {
            name: "a header value with CR LF and another header",
            must: "the stream or the connection ends, no provider is asked",
            run: |bench| {
                unanswered(bench, &USUAL, &[("x-note", "a\r\nx-envoy-max-retries: 5")], CHAT)
            },
        },
        Case {
            name: "a header name with a colon, a blank or a capital",
            must: "the stream or the connection ends, no provider is asked",
            run: |bench| {
                for name in ["x-note: a\r\nx", "x note", "X-Note", "x:note"] {
                    unanswered(bench, &USUAL, &[(name, "1")], CHAT);
                }
            },
        },
        Case {
            name: "`:path` twice",
            must: "the stream or the connection ends, no provider is asked",
            run: |bench| {
                unanswered(bench, &[USUAL[0], USUAL[1], USUAL[1], USUAL[2], USUAL[3]], &[], CHAT)
            },
        },
        Case {
            name: "`:path` with a blank and `HTTP/1.1` CR LF",
            must: "no second request, the provider is not asked",
            run: |bench| {
                let path =
                    (":path", "/v1/chat/completions HTTP/1.1\r\nhost: evil.test\r\n\r\nGET /x");
                unanswered(bench, &[USUAL[0], path, USUAL[2], USUAL[3]], &[], CHAT);
            },
        },
        Case {
            name: "a pseudo-header behind a regular one, and an unknown pseudo-header",
            must: "the stream or the connection ends, no provider is asked",
            run: |bench| {
                unanswered(bench, &USUAL[..3], &[("x-note", "1"), (":authority", "g")], CHAT);
                unanswered(bench, &USUAL, &[(":status", "200")], CHAT);
                unanswered(bench, &USUAL, &[(":evil", "1")], CHAT);
            },
        },
        Case {
            name: "`transfer-encoding: chunked`, `connection: close`, `upgrade`",
            must: "the stream or the connection ends, no provider is asked",
            run: |bench| {
                for header in
                    [("transfer-encoding", "chunked"), ("connection", "close"), ("upgrade", "h2c")]
                {
                    unanswered(bench, &USUAL, &[header], CHAT);
                }
            },
        },
        Case {
            name: "`content-length` that is not the body's",
            must: "the stream or the connection ends, no provider is asked",
            run: |bench| {
                unanswered(bench, &USUAL, &[("content-length", "5")], CHAT);
                unanswered(bench, &USUAL, &[("content-length", "500")], CHAT);
            },
        },
        Case {
            name: "`:authority` and another `host`",
            must: "the provider gets its own host alone",
            run: |bench| {
                let status = ask(bench, &USUAL, &[("host", "evil.test")], CHAT);
                assert!([None, Some(200), Some(400)].contains(&status), "{status:?}");
                for seen in bench.seen() {
                    let hosts = seen.headers.iter().filter(|(name, _)| name == "host").count();
                    assert!(
                        hosts == 1 && seen.header("host").unwrap().starts_with("127.0.0.1:"),
                        "{seen:?}"
                    );
                }
            },
        },
        Case {
            name: "`:scheme: https` on a connection without TLS, `:scheme` with a path in it",
            must: "the provider gets the path below its base URL, or the request is refused",
            run: |bench| {
                for scheme in ["https", "http://evil.test/x?", "file"] {
                    let status =
                        ask(bench, &[USUAL[0], USUAL[1], (":scheme", scheme), USUAL[3]], &[], CHAT);
                    assert!([None, Some(200), Some(400)].contains(&status), "{scheme}: {status:?}");
                    for seen in bench.seen() {
                        assert_eq!(seen.path, "/oai/chat/completions");
                    }
                }
            },
        },
        Case {
            name: "headers in endless CONTINUATION frames (2 MiB)",
            must: "the stream ends with an error and nothing of it is kept; others are served",
            run: |bench| {
                let mut stream = connect(bench);
                // Without END_HEADERS (0x4).
                stream.write_all(&frame(1, 0, 1, &block(&USUAL))).unwrap();
                let more = literal("x-note", &"x".repeat(15_000));
                let closed = (0..140).any(|_| stream.write_all(&frame(9, 0, 1, &more)).is_err());
                let answers = wire::read(&mut stream, has_end);
                let refused = kinds(&answers.bytes).iter().any(|kind| [3, 7].contains(kind));
                assert!(closed || answers.closed || refused, "{:?}", kinds(&answers.bytes));
                bench.unheard();
                assert_eq!(ask(bench, &USUAL, &[], CHAT), Some(200));
            },
        },
        Case {
            name: "`CONNECT` with `:protocol: websocket` (RFC 8441) at chat completions",
            must: "refused, no provider is asked",
            run: |bench| {
                let head = [
                    (":method", "CONNECT"),
                    USUAL[1],
                    USUAL[2],
                    USUAL[3],
                    (":protocol", "websocket"),
                ];
                let status = ask(bench, &head, &[], "");
                assert_ne!(status, Some(200));
                bench.unheard();
            },
        },
    ],
};

#[test]
fn http2() {
    THEME.run();
}

type Header<'a> = (&'a str, &'a str);

const USUAL: [Header<'static>; 4] = [
    (":method", "POST"),
    (":path", "/v1/chat/completions"),
    (":scheme", "http"),
    (":authority", "g"),
];

/// The status of the answer, as far as the static table of RFC 7541 tells; `None`: the stream or
/// the connection has ended without an answer.
fn ask(bench: &Bench, pseudo: &[Header<'_>], more: &[Header<'_>], body: &str) -> Option<u16> {
    let mut stream = connect(bench);
    let usual = [("content-type", "application/json"), ("x-portkey-virtual-key", "oai")];
    let block = block(&[pseudo, more, &usual].concat());
    // END_HEADERS, and END_STREAM where there is no body.
    let flags = if body.is_empty() { 5 } else { 4 };
    let _ = stream.write_all(&frame(1, flags, 1, &block));
    if !body.is_empty() {
        let _ = stream.write_all(&frame(0, 1, 1, body.as_bytes()));
    }
    status(&wire::read(&mut stream, has_end).bytes)
}

/// The request is refused, and no provider hears of it.
fn unanswered(bench: &Bench, pseudo: &[Header<'_>], more: &[Header<'_>], body: &str) {
    let status = ask(bench, pseudo, more, body);
    assert!(status.is_none_or(|status| status == 400), "{pseudo:?} {more:?}: {status:?}");
    bench.unheard();
}

fn connect(bench: &Bench) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", bench.gateway.port)).unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    stream.write_all(&frame(4, 0, 0, b"")).unwrap();
    stream
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&size[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn block(headers: &[Header<'_>]) -> Vec<u8> {
    headers.iter().flat_map(|(name, value)| literal(name, value)).collect()
}

/// A literal header field that is never indexed, its texts as they are.
fn literal(name: &str, value: &str) -> Vec<u8> {
    [&[0x10], text(name).as_slice(), &text(value)].concat()
}

fn text(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    match text.len() {
        short if short < 127 => out.push(u8::try_from(short).unwrap()),
        long => {
            out.push(127);
            let mut rest = long - 127;
            while rest >= 128 {
                out.push(u8::try_from(rest % 128).unwrap() | 128);
                rest /= 128;
            }
            out.push(u8::try_from(rest).unwrap());
        }
    }
    out.extend_from_slice(text.as_bytes());
    out
}

/// Whether a stream has an answer or an end: frames of headers, RST_STREAM or GOAWAY.
fn has_end(bytes: &[u8]) -> bool {
    kinds(bytes).iter().any(|kind| [1, 3, 7].contains(kind))
}

/// The kinds of the frames.
fn kinds(mut bytes: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while bytes.len() >= 9 {
        let size = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]) as usize;
        kinds.push(bytes[3]);
        bytes = bytes.get(9 + size..).unwrap_or_default();
    }
    kinds
}

/// The status of the first frame of headers on stream 1.
fn status(mut bytes: &[u8]) -> Option<u16> {
    while bytes.len() >= 9 {
        let size = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]) as usize;
        let (kind, payload) = (bytes[3], bytes.get(9..9 + size)?);
        if kind == 1 {
            let table = [200, 204, 206, 304, 400, 404, 500];
            // A change of the table's size may stand before it.
            let first = payload.iter().find(|byte| **byte & 0xe0 != 0x20)?;
            return table.get(usize::from(first.wrapping_sub(0x88))).copied().or(Some(0));
        }
        bytes = &bytes[9 + size..];
    }
    None
}
