//! Vertex AI behind the gateway: service accounts, whose key Envoy signs with and whose token is
//! kept; models in the formats of their publishers; the hosts of regions.

use super::support::gateway::{Gateway, free_port};
use super::support::name_server::NameServer;
use super::support::upstream::{Request, Step, Upstream, chunk, json, last_chunk, sse_head};
use super::{CHAT, COMPLETION, MESSAGE};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const GENERATED: &str = r#"{"candidates":[{"content":{"parts":[{"text":"hello"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":6,"totalTokenCount":11},"modelVersion":"gemini-x","responseId":"r-1"}"#;

const KEY_FILE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/vertex/service_account.json");
const VERTEX: &str = "x-portkey-provider: vertex-ai";
const REGION: &str = "x-portkey-vertex-region: us-central1";
const GENERATE: &str =
    "/v1/projects/proj-1/locations/us-central1/publishers/google/models/m:generateContent";

const HOSTS: [&str; 4] = [
    "us-central1-aiplatform.googleapis.com",
    "aiplatform.googleapis.com",
    "aiplatform.eu.rep.googleapis.com",
    "oauth2.googleapis.com",
];

/// The tests' key file, with another member if one is given.
fn account(change: Option<(&str, &str)>) -> Value {
    let text = std::fs::read_to_string(Path::new(KEY_FILE)).unwrap();
    let mut account: Value = serde_json::from_str(&text).unwrap();
    if let Some((name, value)) = change {
        account[name] = value.into();
    }
    account
}

fn header(account: &Value) -> String {
    format!("x-portkey-vertex-service-account-json: {account}")
}

/// Google's token endpoint, and a model's.
fn google(expires_in: u64) -> Upstream {
    Upstream::start(move |request, number| match request.path.as_str() {
        "/token" => {
            let token = format!("ya29.{number}");
            json(200, &json!({"access_token": token, "expires_in": expires_in}).to_string())
        }
        _ => json(200, GENERATED),
    })
}

fn gateway(google: &Upstream, more: &str) -> Gateway {
    let port = google.port;
    Gateway::start(&format!(
        "google_token_url: http://127.0.0.1:{port}/token\n\
         providers:\n  vertex-ai: {{base_url: 'http://127.0.0.1:{port}'}}\n{more}"
    ))
}

fn tokens(google: &Upstream) -> Vec<Request> {
    google.requests().into_iter().filter(|request| request.path == "/token").collect()
}

#[test]
fn one_token_serves_many_requests_of_one_account() {
    let google = google(3600);
    let gateway = gateway(&google, "");
    let by_header = header(&account(None));
    let target = json!({"provider": "vertex-ai", "vertex_region": "us-central1",
        "vertex_service_account_json": account(None)});
    let by_config = format!("x-portkey-config: {target}");
    for headers in [&[VERTEX, REGION, &by_header][..], &[&by_config], &[VERTEX, REGION, &by_header]]
    {
        let response = gateway.chat(headers, CHAT);
        assert_eq!(response.json()["choices"][0]["message"]["content"], "hello");
    }
    let requests = google.requests();
    assert_eq!((requests.len(), tokens(&google).len()), (4, 1));
    let body = String::from_utf8_lossy(&requests[0].body).into_owned();
    assert!(body.starts_with("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"));
    for request in &requests[1..] {
        assert_eq!(request.path, GENERATE);
        assert_eq!(request.header("authorization"), Some("Bearer ya29.0"));
        let sent = request.headers.iter().map(|(name, value)| format!("{name}: {value}\n"));
        let sent: String = sent.collect();
        assert!(!sent.contains("x-portkey") && !sent.contains("PRIVATE"), "{sent}");
    }
    // Another key is another account, whatever it calls itself.
    let other = account(Some(("client_email", "other@proj-1.iam.gserviceaccount.com")));
    assert_eq!(gateway.chat(&[VERTEX, REGION, &header(&other)], CHAT).status, 200);
    assert_eq!(tokens(&google).len(), 2);
    let log = format!("{:?}{}", gateway.log(4), gateway.stderr());
    assert!(!log.contains("PRIVATE") && !log.contains("ya29"), "{log}");
    gateway.assert_healthy();
}

#[test]
fn a_token_is_renewed_before_its_end() {
    let google = google(2);
    let gateway = gateway(&google, "");
    let account = header(&account(None));
    for wait in [0, 0, 1200] {
        std::thread::sleep(Duration::from_millis(wait));
        assert_eq!(gateway.chat(&[VERTEX, REGION, &account], CHAT).status, 200);
    }
    let sent = google.requests().into_iter().filter(|request| request.path == GENERATE);
    let sent: Vec<_> = sent.map(|it| it.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(sent, ["Bearer ya29.0", "Bearer ya29.0", "Bearer ya29.3"]);
    gateway.assert_healthy();
}

#[test]
fn a_virtual_key_holds_a_key_file_or_a_token() {
    let google = google(3600);
    let keys = format!(
        "virtual_keys:\n  \
         sa: {{provider: vertex-ai, vertex_region: us-central1, \
         vertex_service_account_json: 'file:{KEY_FILE}'}}\n  \
         token: {{provider: vertex-ai, vertex_region: us-central1, vertex_project_id: p2, \
         api_key: ya29.own}}\n"
    );
    let gateway = gateway(&google, &keys);
    assert_eq!(gateway.chat(&["x-portkey-virtual-key: sa"], CHAT).status, 200);
    // With a limit of its own and somewhere to go, the target is behind the hop.
    let config = json!({"strategy": {"mode": "fallback"}, "targets": [
        {"virtual_key": "sa", "request_timeout": 5000}, {"virtual_key": "token"}]});
    assert_eq!(gateway.chat(&[&format!("x-portkey-config: {config}")], CHAT).status, 200);
    assert_eq!(gateway.chat(&["x-portkey-virtual-key: token"], CHAT).status, 200);
    let requests = google.requests();
    assert_eq!(tokens(&google).len(), 1);
    let sent: Vec<_> = requests[1..].iter().map(|it| it.header("authorization")).collect();
    assert_eq!(sent, [Some("Bearer ya29.0"), Some("Bearer ya29.0"), Some("Bearer ya29.own")]);
    assert!(requests[3].path.contains("/projects/p2/"), "{}", requests[3].path);
    for request in requests {
        assert!(request.headers.iter().all(|(name, _)| !name.starts_with("x-portkey")));
    }
    let dump = super::support::client::send(gateway.admin, "GET", "/config_dump", &[], b"");
    assert!(!dump.text().contains("PRIVATE"), "the key is in Envoy's configuration");
    gateway.assert_healthy();
}

#[test]
fn without_a_token_the_request_goes_on_or_says_why() {
    let refusal = r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#;
    let refusing = Upstream::answering(json(400, refusal));
    let good = Upstream::answering(json(200, COMPLETION));
    let dead = free_port();
    let late = Upstream::answering(vec![Step::Close]);
    for (port, status, code) in [
        (refusing.port, 401, "service_account_refused"),
        (late.port, 502, "token_endpoint_failed"),
        (dead, 502, "token_endpoint_failed"),
    ] {
        let gateway = Gateway::start(&format!(
            "google_token_url: http://127.0.0.1:{port}/token\nproviders:\n  \
             vertex-ai: {{base_url: 'http://127.0.0.1:{}'}}\nvirtual_keys:\n  \
             sa: {{provider: vertex-ai, vertex_region: us-central1, \
             vertex_service_account_json: 'file:{KEY_FILE}'}}\n  \
             oai: {{provider: openai, api_key: sk-oai, base_url: 'http://127.0.0.1:{}/v1'}}\n",
            good.port, good.port
        ));
        let before = good.requests().len();
        let alone = gateway.chat(&[VERTEX, REGION, &header(&account(None))], CHAT);
        let error = &alone.json()["error"];
        assert_eq!((alone.status, &error["code"]), (status, &code.into()), "{}", alone.text());
        assert_eq!(good.requests().len(), before, "nothing is sent without a token");
        let own = json!({"provider": "vertex-ai", "vertex_region": "us-central1",
            "vertex_service_account_json": account(None)});
        for first in [own, json!({"virtual_key": "sa"})] {
            let config = json!({"strategy": {"mode": "fallback"},
                "targets": [first, {"virtual_key": "oai"}]});
            let response = gateway.chat(&[&format!("x-portkey-config: {config}")], CHAT);
            assert_eq!(response.status, 200, "{}", response.text());
            let index = response.header("x-portkey-last-used-option-index");
            assert_eq!(index, Some("config.targets[1]"));
            let last = good.requests().pop().unwrap();
            assert_eq!(last.header("authorization"), Some("Bearer sk-oai"));
            assert!(!format!("{:?}", last.headers).contains("PRIVATE"));
        }
        // The last target's failure is told as it is.
        let config = json!({"retry": {"attempts": 1, "on_status_codes": [status]},
            "virtual_key": "sa"});
        let response = gateway.chat(&[&format!("x-portkey-config: {config}")], CHAT);
        assert_eq!(response.status, status, "{}", response.text());
        assert_eq!(response.json()["error"]["code"], code);
        gateway.assert_healthy();
    }
}

#[test]
fn a_bad_key_file_is_the_callers_fault() {
    let google = google(3600);
    let gateway = gateway(&google, "");
    for (name, value, code) in [
        ("token_uri", "http://169.254.169.254/token", "invalid_setting"),
        ("private_key", "secret", "invalid_setting"),
        ("private_key", "-----BEGIN PRIVATE KEY-----\nsecret\n", "invalid_service_account"),
        (
            "private_key",
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nsecret\n",
            "invalid_service_account",
        ),
    ] {
        let bad = header(&account(Some((name, value))));
        let response = gateway.chat(&[VERTEX, REGION, &bad], CHAT);
        assert_eq!(response.status, 400, "{name}");
        assert_eq!(response.json()["error"]["code"], code, "{}", response.text());
        assert!(!response.text().contains("secret") && !response.text().contains("169.254"));
    }
    let forged = "x-portkey-service-account: {\"client_email\":\"a\"}";
    let project = "x-portkey-vertex-project-id: proj-1";
    let response = gateway.chat(&[VERTEX, REGION, project, forged], CHAT);
    assert_eq!(response.status, 200, "a private header of a client's says nothing");
    assert_eq!(google.request().header("authorization"), None);
    gateway.assert_healthy();
}

#[test]
fn models_speak_the_formats_of_their_publishers() {
    let start = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"usage":{"input_tokens":5,"output_tokens":0}}}"#;
    let events = [
        format!("event: vertex_event\ndata: {{\"x\":1}}\n\nevent: message_start\ndata: {start}\n\n"),
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\n".to_owned(),
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":2}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n".to_owned(),
    ];
    let google = Upstream::start(move |request, _| match request.path.rsplit(':').next() {
        Some("streamRawPredict") => {
            let chunks = events.iter().map(|event| chunk(event));
            [sse_head()].into_iter().chain(chunks).chain([last_chunk()]).collect()
        }
        Some("rawPredict") => json(200, MESSAGE),
        Some("predict") => json(
            200,
            r#"{"predictions":[{"embeddings":{"values":[0.5],"statistics":{"token_count":2}}}]}"#,
        ),
        _ => json(200, COMPLETION),
    });
    let gateway = gateway(&google, "");
    let headers =
        [VERTEX, REGION, "x-portkey-vertex-project-id: proj-1", "authorization: Bearer t"];
    let chat =
        |model: &str| gateway.chat(&headers, &CHAT.replace("\"m\"", &format!("\"{model}\"")));
    for model in ["anthropic.claude-x@1", "meta.llama", "endpoints.7"] {
        let answer = chat(model).json();
        assert_eq!(answer["choices"][0]["message"]["content"], "hello", "{model}");
        assert_eq!(answer["provider"], "vertex-ai", "{model}");
    }
    let body = r#"{"model":"anthropic.claude-x@1","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let text = gateway.chat(&headers, body).text();
    assert!(text.contains("\"content\":\"hi\"") && text.ends_with("data: [DONE]\n\n"), "{text}");
    let send = |path: &str, body: &str| {
        let headers = [&headers[..], &["content-type: application/json"]].concat();
        super::support::client::send(gateway.port, "POST", path, &headers, body.as_bytes())
    };
    let native = r#"{"model":"anthropic.claude-x@1","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
    assert_eq!(send("/v1/messages", native).json()["content"][0]["text"], "hello");
    let vector = send("/v1/embeddings", r#"{"model":"text-embedding-005","input":"a"}"#).json();
    assert_eq!(
        (&vector["data"][0]["embedding"][0], &vector["usage"]["total_tokens"]),
        (&json!(0.5), &json!(2))
    );
    let requests = google.requests();
    let bodies: Vec<Value> = requests.iter().map(Request::json).collect();
    assert_eq!(bodies[0]["anthropic_version"], "vertex-2023-10-16");
    assert_eq!((&bodies[1]["model"], &bodies[2]["model"]), (&json!("meta/llama"), &json!("7")));
    for at in [0, 3, 4] {
        assert!(bodies[at].get("model").is_none(), "{}", bodies[at]);
        assert!(requests[at].header("anthropic-version").is_none());
    }
    assert!(requests.iter().all(|it| it.header("authorization") == Some("Bearer t")));
    gateway.assert_healthy();
}

#[test]
fn regions_and_the_token_host_are_resolved_on_use() {
    // They are this machine, where nothing listens or nothing is let through.
    let names = NameServer::start(&HOSTS);
    let gateway = Gateway::start(&format!("dns_resolvers: ['127.0.0.1:{}']\n", names.port));
    assert_eq!(names.asked(), [""; 0], "an idle gateway asks nobody");
    let project = "x-portkey-vertex-project-id: p";
    for region in ["us-central1", "global", "eu"] {
        let region = format!("x-portkey-vertex-region: {region}");
        let response = gateway.chat(&[VERTEX, project, &region, "authorization: Bearer t"], CHAT);
        assert_eq!(response.status, 503, "{}", response.text());
    }
    let response = gateway.chat(&[VERTEX, REGION, &header(&account(None))], CHAT);
    assert_eq!(response.json()["error"]["code"], "token_endpoint_failed", "{}", response.text());
    let asked = names.asked();
    for host in HOSTS {
        assert!(asked.iter().any(|name| name == host), "{host}: {asked:?}");
    }
    for bad in ["us.evil", "a/b", "a@b", ""] {
        let region = format!("x-portkey-vertex-region: {bad}");
        assert_eq!(gateway.chat(&[VERTEX, project, &region], CHAT).status, 400, "{bad}");
    }
    gateway.assert_healthy();
}
