//! What passes: bodies untouched, edited or translated, and operations beside chat.

use super::support::client;
use super::support::gateway::Gateway;
use super::support::upstream::{Upstream, answer, json};
use super::{ANT, CHAT, CHAT_STREAM, COMPLETION, MESSAGE, OAI, virtual_keys};

const JSON: &str = "content-type: application/json";

#[test]
fn an_openai_body_passes_byte_for_byte() {
    let upstream = Upstream::answering(json(200, COMPLETION));
    let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
    let body = "{ \"unknown\" : 1.00, \"model\":\"m\",\"n\":123456789012345678901234567890,\n\
                \"messages\":[{\"role\":\"user\",\"content\":\"\\u00e9\\ud83d\\ude00\"}] , \"z\":{\"a\":[]}}";
    let response = gateway.chat(&[OAI], body);
    assert_eq!(response.text(), COMPLETION);
    let request = upstream.request();
    assert_eq!(String::from_utf8(request.body.clone()).unwrap(), body);
    assert_eq!(request.path, "/v1/chat/completions");
    assert_eq!(request.header("content-length"), Some(body.len().to_string().as_str()));
    gateway.assert_healthy();
}

#[test]
fn twenty_megabytes_pass() {
    let upstream = Upstream::start(|request, _| match request.path.as_str() {
        "/v1/messages" => json(200, MESSAGE),
        _ => json(200, COMPLETION),
    });
    let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
    let text = "0123456789".repeat(2 << 20);
    let body =
        format!("{{\"model\":\"m\",\"messages\":[{{\"role\":\"user\",\"content\":\"{text}\"}}]}}");
    assert!(body.len() > 20 << 20);
    assert_eq!(gateway.chat(&[OAI], &body).text(), COMPLETION);
    let response = gateway.chat(&[ANT], &body);
    assert_eq!(response.json()["choices"][0]["message"]["content"], "hello");
    let requests = upstream.requests();
    assert!(requests[0].body == body.as_bytes(), "the body was changed");
    let sent = &requests[1].json()["messages"][0]["content"];
    assert!(sent == &text || sent[0]["text"] == text, "the text was changed");
    gateway.assert_healthy();
}

#[test]
fn a_translated_answer_is_openais() {
    let upstream = Upstream::answering(json(200, MESSAGE));
    let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
    let response = gateway.chat(&[ANT, "x-portkey-trace-id: t-1"], CHAT);
    let body = response.json();
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["choices"][0]["message"]["content"], "hello");
    assert_eq!(body["usage"]["total_tokens"], 11);
    assert_eq!(response.header("x-portkey-trace-id"), Some("t-1"));
    assert_eq!(response.header("x-portkey-provider"), Some("anthropic"));
    assert_eq!(response.header("x-portkey-cache-status"), Some("DISABLED"));
    let length = response.body.len().to_string();
    assert_eq!(response.header("content-length"), Some(length.as_str()));
    let request = upstream.request();
    assert_eq!(request.path, "/v1/messages");
    assert_eq!(request.json()["messages"][0]["role"], "user");
    assert!(request.json()["max_tokens"].is_u64());
    gateway.assert_healthy();
}

#[test]
fn numbers_come_into_range_and_all_else_stays() {
    let upstream = Upstream::answering(json(200, COMPLETION));
    let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
    let body = r#"{"model":"m","temperature":3.5,"top_p":-1,"max_tokens":-4,"presence_penalty":"9","messages":[],"min_p":0.0}"#;
    gateway.chat(&[OAI], body);
    let sent = body.replace("3.5", "2").replace("-1", "0").replace("-4", "0");
    assert_eq!(String::from_utf8(upstream.request().body).unwrap(), sent);
    gateway.assert_healthy();
}

#[test]
fn answers_of_a_vendor_name_it_and_what_is_no_answer_is_an_error() {
    let chunks = "data: {\"id\":\"c\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n\
                  data: {\"id\":\"c\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
                  data: [DONE]\n\n";
    let upstream = Upstream::start(move |request, at| match at {
        0 => json(200, COMPLETION),
        1 => json(200, "no object"),
        _ => {
            assert!(request.header("accept").is_some());
            answer(200, "content-type: text/event-stream\r\n", chunks)
        }
    });
    let port = upstream.port;
    let url = format!("http://127.0.0.1:{port}/openai/v1");
    let gateway = Gateway::start(&format!("providers:\n  groq: {{base_url: \"{url}\"}}\n"));
    let groq = ["x-portkey-provider: groq", "authorization: Bearer k"];
    let response = gateway.chat(&groq, CHAT);
    assert_eq!(response.text(), COMPLETION.replacen('{', "{\"provider\":\"groq\",", 1));
    let length = response.body.len().to_string();
    assert_eq!(response.header("content-length"), Some(length.as_str()));
    let response = gateway.chat(&groq, CHAT);
    assert_eq!(response.status, 502, "{}", response.text());
    let message = "Invalid response received from groq: no object";
    assert_eq!(response.json()["error"]["message"], message);
    let response = gateway.chat(&groq, CHAT_STREAM);
    // Groq's deltas get what Portkey gives them.
    let named = chunks
        .replace("{\"id\"", "{\"provider\":\"groq\",\"id\"")
        .replace(r#"{"content":"a"}"#, r#"{"content":"a","role":"assistant","tool_calls":[]}"#)
        .replace("{}", r#"{"role":"assistant","content":"","tool_calls":[]}"#);
    assert_eq!(response.text(), named);
    gateway.assert_healthy();
}

#[test]
fn params_are_filled_in_and_overridden() {
    let upstream = Upstream::answering(json(200, COMPLETION));
    let port = upstream.port;
    let gateway = Gateway::start(&format!(
        "virtual_keys:\n  oai:\n    provider: openai\n    api_key: sk\n    \
         base_url: http://127.0.0.1:{port}/v1\n    default_params: {{temperature: 0.5, top_p: 0.25}}\n\
         configs:\n  pc-cold: {{virtual_key: oai, override_params: {{temperature: 0, user: u}}}}\n"
    ));
    let body = r#"{"model":"m","messages":[],"top_p":1.0}"#;
    assert_eq!(gateway.chat(&[OAI], body).status, 200);
    assert_eq!(gateway.chat(&["x-portkey-config: pc-cold"], body).status, 200);
    let inline = "x-portkey-config: {\"targets\":[{\"virtual_key\":\"oai\",\"override_params\":{\"model\":\"n\"}}]}";
    let response = gateway.chat(&[inline], body);
    assert_eq!(response.header("x-portkey-last-used-option-index"), Some("config.targets[0]"));
    let bodies: Vec<String> = upstream
        .requests()
        .iter()
        .map(|request| String::from_utf8(request.body.clone()).unwrap())
        .collect();
    assert_eq!(
        bodies,
        [
            r#"{"model":"m","messages":[],"top_p":1.0,"temperature":0.5}"#,
            r#"{"model":"m","messages":[],"top_p":1.0,"temperature":0,"user":"u"}"#,
            r#"{"model":"n","messages":[],"top_p":1.0,"temperature":0.5}"#,
        ]
    );
    assert_eq!(gateway.log(3)[1]["config"], "pc-cold");
    gateway.assert_healthy();
}

#[test]
fn other_operations_pass_through() {
    let upstream = Upstream::start(|request, _| match request.path.as_str() {
        "/v1/audio/speech" => answer(200, "content-type: audio/mpeg\r\n", "\u{1}\u{2}sound"),
        _ => {
            json(200, r#"{"object":"list","data":[],"usage":{"prompt_tokens":2,"total_tokens":2}}"#)
        }
    });
    let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
    let send = |method, path, headers: &[&str], body: &[u8]| {
        client::send(gateway.port, method, path, &[&[OAI], headers].concat(), body)
    };
    let embeddings = br#"{"model":"e","input":"x"}"#;
    assert_eq!(send("POST", "/v1/embeddings", &[JSON], embeddings).status, 200);
    let form = "content-type: multipart/form-data; boundary=b";
    let parts = b"--b\r\ncontent-disposition: form-data; name=\"f\"\r\n\r\n\x00\xff\r\n--b--\r\n";
    assert_eq!(send("POST", "/v1/audio/transcriptions", &[form], parts).status, 200);
    assert_eq!(send("POST", "/v1/audio/speech", &[JSON], b"{}").text(), "\u{1}\u{2}sound");
    assert_eq!(send("GET", "/v1/files?purpose=batch&limit=2", &[], b"").status, 200);
    assert_eq!(send("DELETE", "/v1/files/f-1", &[], b"").status, 200);
    assert_eq!(send("GET", "/v1/models", &[], b"").status, 200);
    assert_eq!(send("POST", "/v1/proxy/rerank", &[JSON], b"{}").status, 200);
    let requests = upstream.requests();
    let seen: Vec<_> = requests.iter().map(|r| format!("{} {}", r.method, r.path)).collect();
    assert_eq!(
        seen,
        [
            "POST /v1/embeddings",
            "POST /v1/audio/transcriptions",
            "POST /v1/audio/speech",
            "GET /v1/files?purpose=batch&limit=2",
            "DELETE /v1/files/f-1",
            "GET /v1/models",
            "POST /v1/rerank",
        ]
    );
    assert_eq!(requests[0].body, embeddings);
    assert_eq!(requests[1].body, parts);
    assert_eq!(requests[1].header("content-type"), Some("multipart/form-data; boundary=b"));
    assert!(requests.iter().all(|r| r.header("authorization") == Some("Bearer sk-oai-secret")));
    gateway.assert_healthy();
}

#[test]
fn anthropics_own_api_passes_to_anthropic() {
    let upstream = Upstream::answering(json(200, MESSAGE));
    let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
    let body =
        br#"{"model":"claude-x","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
    let headers = [ANT, JSON, "anthropic-beta: b-1"];
    let response = client::send(gateway.port, "POST", "/v1/messages?beta=true", &headers, body);
    assert_eq!(response.text(), MESSAGE);
    let request = upstream.request();
    assert_eq!(
        (request.path.as_str(), request.body.as_slice()),
        ("/v1/messages?beta=true", &body[..])
    );
    assert_eq!(request.header("anthropic-beta"), Some("b-1"));
    let record = &gateway.log(1)[0];
    assert_eq!((&record["prompt_tokens"], &record["completion_tokens"]), (&5.into(), &6.into()));
    gateway.assert_healthy();
}

#[test]
fn the_demo_needs_nothing_and_what_is_configured_is_listed() {
    let gateway = Gateway::start("virtual_keys: {oai: {provider: openai, api_key: sk}}");
    let response = gateway.chat(&["x-portkey-provider: demo"], CHAT);
    assert_eq!(response.json()["object"], "chat.completion");
    let streamed = CHAT.replace("\"model\"", "\"stream\":true,\"model\"");
    let response = gateway.chat(&["x-portkey-provider: demo"], &streamed);
    assert!(response.text().ends_with("data: [DONE]\n\n"), "{}", response.text());
    let models = client::send(gateway.port, "GET", "/v1/models", &[], b"").json();
    let ids: Vec<_> = models["data"].as_array().unwrap().iter().map(|m| m["id"].clone()).collect();
    assert_eq!(ids, ["demo", "oai"]);
    let health = client::send(gateway.port, "GET", "/health", &[], b"");
    assert_eq!((health.status, health.text()), (200, "{\"status\":\"ok\"}".to_owned()));
    gateway.assert_healthy();
}
