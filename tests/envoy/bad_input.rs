//! What no upstream may ever see, and the answer to it.

use super::support::client::{self, Response};
use super::support::gateway::Gateway;
use super::support::upstream::{Upstream, json};
use super::{ANT, CHAT, COMPLETION, OAI, virtual_keys};

const JSON: &str = "content-type: application/json";
const POST: &str = "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nconnection: close\r\n";

struct Case {
    name: &'static str,
    /// Header lines beside those of every request.
    headers: &'static [&'static [u8]],
    body: &'static [u8],
    status: u16,
    code: &'static str,
    message: &'static str,
}

const CASES: &[Case] = &[
    Case {
        name: "no provider",
        headers: &[],
        body: CHAT.as_bytes(),
        status: 400,
        code: "no_provider",
        message: "Either x-portkey-config or x-portkey-provider header is required",
    },
    Case {
        name: "unknown provider",
        headers: &[b"x-portkey-provider: opnai"],
        body: CHAT.as_bytes(),
        status: 400,
        code: "unknown_provider",
        message: "Invalid provider passed",
    },
    Case {
        name: "unknown virtual key",
        headers: &[b"x-portkey-virtual-key: nobody"],
        body: CHAT.as_bytes(),
        status: 400,
        code: "unknown_virtual_key",
        message: "Invalid virtual key passed",
    },
    Case {
        name: "unknown virtual key as a provider",
        headers: &[b"x-portkey-provider: @nobody"],
        body: CHAT.as_bytes(),
        status: 400,
        code: "unknown_virtual_key",
        message: "Invalid virtual key passed",
    },
    Case {
        name: "unknown saved config",
        headers: &[b"x-portkey-config: pc-nobody"],
        body: CHAT.as_bytes(),
        status: 400,
        code: "unknown_config",
        message: "Invalid config passed. You need to pass a valid json",
    },
    Case {
        name: "config that is no JSON",
        headers: &[b"x-portkey-config: {\"provider\":"],
        body: CHAT.as_bytes(),
        status: 400,
        code: "invalid_config",
        message: "Invalid config passed. You need to pass a valid json",
    },
    Case {
        name: "config with a wrong field",
        headers: &[b"x-portkey-config: {\"provider\":\"openai\",\"retry\":{\"attempts\":\"x\"}}"],
        body: CHAT.as_bytes(),
        status: 400,
        code: "invalid_config",
        message: "Invalid config passed",
    },
    Case {
        name: "config without a target",
        headers: &[b"x-portkey-config: {\"request_timeout\":5}"],
        body: CHAT.as_bytes(),
        status: 400,
        code: "no_provider",
        message: "Either x-portkey-provider needs to be passed. Or the x-portkey-config header \
                  should have a valid config with provider details in it.",
    },
    Case {
        name: "custom host",
        headers: &[b"x-portkey-provider: openai", b"x-portkey-custom-host: http://127.0.0.1:1/v1"],
        body: CHAT.as_bytes(),
        status: 400,
        code: "custom_host_not_allowed",
        message: "Invalid custom host",
    },
    Case {
        name: "repeated control header",
        headers: &[OAI.as_bytes(), b"x-portkey-provider: openai", b"x-portkey-provider: demo"],
        body: CHAT.as_bytes(),
        status: 400,
        code: "duplicate_header",
        message: "The header x-portkey-provider is there more than once",
    },
    Case {
        name: "control header that is no UTF-8",
        headers: &[OAI.as_bytes(), b"x-portkey-metadata: {\"a\":\"\xff\xfe\"}"],
        body: CHAT.as_bytes(),
        status: 400,
        code: "invalid_header",
        message: "The header x-portkey-metadata is not valid UTF-8",
    },
    Case {
        name: "time-out that is no number",
        headers: &[OAI.as_bytes(), b"x-portkey-request-timeout: soon"],
        body: CHAT.as_bytes(),
        status: 400,
        code: "invalid_request_timeout",
        message: "The header x-portkey-request-timeout must be a whole number of milliseconds, at \
                  least 1",
    },
    Case {
        name: "empty body",
        headers: &[OAI.as_bytes()],
        body: b"",
        status: 400,
        code: "empty_body",
        message: "The request body is empty",
    },
    Case {
        name: "cut JSON",
        headers: &[OAI.as_bytes()],
        body: b"{\"model\":\"m\",\"messages\":[",
        status: 400,
        code: "invalid_json",
        message: "Invalid JSON body",
    },
    Case {
        name: "JSON that is no object",
        headers: &[OAI.as_bytes()],
        body: b"[1]",
        status: 400,
        code: "invalid_json",
        message: "Invalid JSON body",
    },
    Case {
        name: "the same key twice",
        headers: &[OAI.as_bytes()],
        body: b"{\"model\":\"a\",\"model\":\"b\"}",
        status: 400,
        code: "invalid_json",
        message: "Invalid JSON body",
    },
    Case {
        name: "body that is no UTF-8",
        headers: &[OAI.as_bytes()],
        body: b"{\"model\":\"\xff\"}",
        status: 400,
        code: "invalid_json",
        message: "Invalid JSON body",
    },
    Case {
        name: "body of NULs",
        headers: &[OAI.as_bytes()],
        body: &[0; 64],
        status: 400,
        code: "invalid_json",
        message: "Invalid JSON body",
    },
    Case {
        name: "compressed body",
        headers: &[OAI.as_bytes(), b"content-encoding: gzip"],
        body: b"\x1f\x8b\x08\x00",
        status: 415,
        code: "unsupported_content_encoding",
        message: "Compressed request bodies are not supported",
    },
    Case {
        name: "body that a translator cannot take",
        headers: &[ANT.as_bytes()],
        body: b"{\"model\":\"m\",\"messages\":\"hi\"}",
        status: 400,
        code: "invalid_type",
        message: "the field messages must be an array",
    },
];

fn post(port: u16, headers: &[&[u8]], body: &[u8]) -> Response {
    let mut request = POST.as_bytes().to_vec();
    for line in headers {
        request.extend_from_slice(line);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    request.extend_from_slice(body);
    client::send_raw(port, &request)
}

fn assert_error(name: &str, response: &Response, status: u16, code: &str) {
    assert_eq!(response.status, status, "{name}: {}", response.text());
    let body = response.json();
    // What Portkey has for a path that leads nowhere.
    let lost = status == 404 && body["ok"] == false && body.get("status").is_none();
    assert!(lost || (body["status"] == "failure" && body.get("ok").is_none()), "{name}: {body}");
    assert_eq!(lost, code == "not_found", "{name}");
    assert_eq!(body["error"]["code"], code, "{name}: {body}");
    assert!(body["error"]["type"].is_string() && body["error"].get("param").is_some(), "{name}");
    let (outer, inner) = (body["message"].as_str(), body["error"]["message"].as_str());
    assert!(inner.unwrap().starts_with(outer.unwrap()), "{name}: {body}");
    assert!(!response.header("x-portkey-trace-id").unwrap().is_empty(), "{name}");
    assert!(response.whole, "{name}");
}

#[test]
fn bad_input_is_a_clear_error_and_nothing_else_happens() {
    let upstream = Upstream::answering(json(200, COMPLETION));
    let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
    for case in CASES {
        let headers = [&[JSON.as_bytes()], case.headers].concat();
        let response = post(gateway.port, &headers, case.body);
        assert_error(case.name, &response, case.status, case.code);
        let message = response.json()["message"].as_str().unwrap().to_owned();
        assert_eq!(message, case.message, "{}", case.name);
    }
    assert_eq!(upstream.requests().len(), 0);
    let records = gateway.log(CASES.len());
    for (case, record) in CASES.iter().zip(&records) {
        assert_eq!(record["error_type"], case.code, "{}", case.name);
        assert_eq!(record["error_source"], "client", "{}", case.name);
    }
    gateway.assert_healthy();
}

#[test]
fn wrong_content_types_and_paths() {
    let upstream = Upstream::answering(json(200, COMPLETION));
    let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
    let send = |method, path, headers: &[&str]| {
        client::send(gateway.port, method, path, headers, CHAT.as_bytes())
    };
    let chat = "/v1/chat/completions";
    let xml = send("POST", chat, &[OAI, "content-type: application/xml"]);
    assert_error("xml", &xml, 400, "invalid_content_type");
    assert_eq!(xml.json()["message"], "Invalid content type passed");
    for path in ["/v2/chat/completions", "/chat/completions", "/v1", "/favicon.ico"] {
        assert_error(path, &send("POST", path, &[OAI, JSON]), 404, "not_found");
    }
    for method in ["PUT", "PATCH"] {
        assert_error(method, &send(method, chat, &[OAI, JSON]), 404, "not_found");
    }
    let embeddings = send("POST", "/v1/embeddings", &[ANT, JSON]);
    assert_error("embeddings", &embeddings, 400, "unsupported_endpoint");
    let tokens = send("POST", "/v1/messages/count_tokens", &[OAI, JSON]);
    // A client of Anthropic's API reads Anthropic's errors.
    assert_eq!((tokens.status, &tokens.json()["type"]), (400, &"error".into()));
    let told = tokens.json()["error"]["message"].to_string();
    assert!(told.contains("messagesCountTokens is not supported by openai"), "{told}");
    assert_eq!(upstream.requests().len(), 0);
    // A body without a type is JSON, as with Portkey.
    assert_eq!(send("POST", chat, &[OAI]).status, 200);
    gateway.assert_healthy();
}

#[test]
fn a_body_over_the_limit_is_refused_however_it_is_sent() {
    let upstream = Upstream::answering(json(200, COMPLETION));
    let yaml = virtual_keys(upstream.port, upstream.port) + "limits: {request_body: 64KiB}\n";
    let gateway = Gateway::start(&yaml);
    let big = format!("{{\"model\":\"m\",\"messages\":[],\"x\":\"{}\"}}", "x".repeat(200 << 10));
    let announced = gateway.chat(&[OAI], &big);
    assert_error("announced", &announced, 413, "payload_too_large");
    let head = format!("{POST}{JSON}\r\n{OAI}\r\ntransfer-encoding: chunked\r\n\r\n");
    let body = format!("{:x}\r\n{big}\r\n0\r\n\r\n", big.len());
    let chunked = client::send_raw(gateway.port, format!("{head}{body}").as_bytes());
    assert_error("chunked", &chunked, 413, "payload_too_large");
    assert_eq!(upstream.requests().len(), 0);
    let small = &big[..60 << 10];
    assert_eq!(gateway.chat(&[OAI], &format!("{small}\"}}")).status, 200);
    gateway.assert_healthy();
}

#[test]
fn a_form_over_the_limit_is_refused_while_it_streams_through() {
    let upstream = Upstream::answering(json(200, "{}"));
    let yaml = virtual_keys(upstream.port, upstream.port) + "limits: {request_body: 64KiB}\n";
    let gateway = Gateway::start(&yaml);
    let head = format!(
        "POST /v1/files HTTP/1.1\r\nhost: g\r\nconnection: close\r\n{OAI}\r\n\
         content-type: multipart/form-data; boundary=b\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    let chunk = format!("{:x}\r\n{}\r\n", 16 << 10, "x".repeat(16 << 10));
    let body = chunk.repeat(8) + "0\r\n\r\n";
    let response = client::send_raw(gateway.port, (head + &body).as_bytes());
    assert_error("form", &response, 413, "payload_too_large");
    gateway.assert_healthy();
}

#[test]
fn no_request_takes_the_worker_from_the_others() {
    let upstream = Upstream::answering(json(200, COMPLETION));
    let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
    let conditional = |query: &str| {
        format!(
            r#"x-portkey-config: {{"strategy":{{"mode":"conditional","conditions":[{{"query":{query},"then":"a"}}],"default":"a"}},"targets":[{{"name":"a","virtual_key":"oai"}}]}}"#
        )
    };
    let alike = |count: usize| {
        let key = "k".repeat(10_000);
        (0..count).map(|n| format!("\"{key}{n}\":1,")).collect::<String>()
    };
    let numbers = format!("[1{}]", ",1".repeat(8 << 20));
    let spoilt = format!("\"{}{}\"", "1".repeat(200_000), "e+".repeat(200_000));
    for (name, header, field) in [
        ("a large field", conditional(r#"{"params.x":1}"#), format!("\"x\":{numbers}")),
        ("an item of it", conditional(r#"{"params.x.5":1}"#), format!("\"x\":{numbers}")),
        ("no number", conditional(r#"{"params.x":{"$gt":1}}"#), format!("\"x\":{spoilt}")),
        ("long keys", OAI.to_owned(), alike(990) + "\"x\":1"),
    ] {
        let body = format!("{{\"model\":\"m\",\"messages\":[],{field}}}");
        let started = std::time::Instant::now();
        let response = gateway.chat(&[&header], &body);
        assert_eq!(response.status, 200, "{name}: {}", response.text());
        // A debug build of the client alone takes a part of this; the faults took many times more.
        assert!(started.elapsed().as_secs() < 5, "{name}: {:?}", started.elapsed());
    }
    gateway.assert_healthy();
}
