//! Every row of the table of providers: what its vendor gets of one and the same chat completion.

use super::support::client;
use super::support::gateway::Gateway;
use super::support::upstream::{Request, Upstream, json};
use super::{CHAT, COMPLETION, MESSAGE};
use portkey_envoy::dialect::Dialect;
use portkey_envoy::provider::{BaseUrl, Kind, Layout, PROVIDERS, Provider, Quirk, Values};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What any quirk of the table could be about, and what OpenAI does not have.
fn body() -> Value {
    let fields = PROVIDERS.iter().flat_map(|row| row.quirks).map(|quirk| quirk.field());
    let mut body: Value = fields.map(|field| (field.to_owned(), json!("x"))).collect();
    let known = json!({
        "model": "m",
        "messages": [
            {"role": "developer", "content": "a developer", "name": "d"},
            {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        ],
        "max_completion_tokens": 9,
        "temperature": 1.75,
        "seed": 31,
        "tool_choice": "required",
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "min_p": 0.05,
        "unheard_of": {"a": [1, null]},
    });
    body.as_object_mut().unwrap().extend(known.as_object().unwrap().clone());
    body
}

/// Gemini's answer.
const GENERATED: &str = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"hello"}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4,"totalTokenCount":7},"modelVersion":"m-1","responseId":"r-1"}"#;

/// Cohere's answer.
const COHERES: &str = r#"{"id":"r-1","message":{"role":"assistant","content":[{"type":"text","text":"hello"}]},"finish_reason":"COMPLETE"}"#;

/// Bedrock's answer.
const CONVERSE: &str = r#"{"output":{"message":{"role":"assistant","content":[{"text":"hello"}]}},"stopReason":"end_turn","usage":{"inputTokens":3,"outputTokens":4,"totalTokens":7}}"#;

/// What the vendor must get of it.
fn expected(row: &Provider) -> Value {
    let mut body = body();
    let fields = body.as_object_mut().unwrap();
    for quirk in row.quirks {
        match *quirk {
            Quirk::SystemRole => fields["messages"][0]["role"] = json!("system"),
            Quirk::Rename(from, to) => {
                let value = fields.remove(from).unwrap();
                fields.insert(to.to_owned(), value);
            }
            Quirk::Switch(from, to) => {
                assert_eq!(fields.remove(from).unwrap()["type"], "enabled");
                fields.insert(to.to_owned(), json!(true));
            }
            Quirk::Drop(field) | Quirk::InPath(field) => {
                assert!(fields.remove(field).is_some());
            }
            Quirk::List(field) => fields[field] = json!([fields[field]]),
            Quirk::Replace(field, from, to) => {
                assert_eq!(fields.insert(field.to_owned(), json!(to)), Some(json!(from)));
            }
            // A whole number is one in JSON, too.
            Quirk::Clamp(field, _, max) => fields[field] = max.to_string().parse().unwrap(),
            // Every field of any quirk is there.
            Quirk::Default(field, _) => assert!(fields.contains_key(field)),
            // No field has the word that it is about.
            Quirk::Standard(..) => {}
        }
    }
    if row.model.is_some() {
        fields["model"] = json!("x1");
    }
    body
}

/// A value for each setting of a row.
fn settings(row: &Provider) -> Values {
    let mut values = Values::default();
    for setting in row.settings {
        match setting.kind {
            // A host of the vendor's would be asked for; gateway.yaml names another place.
            Kind::Refused(_) | Kind::Secret | Kind::ServiceAccount => {}
            Kind::Url(_) => values.set(setting.name, "https://v1.example/base".to_owned()),
            _ => values.set(setting.name, "x1".to_owned()),
        }
    }
    values
}

/// The path of a row's base URL.
fn base_path(row: &Provider) -> String {
    BaseUrl::parse(&settings(row).expand(row.base_url).unwrap()).unwrap().path
}

/// Path and query of a row's chat completions below its base URL.
fn chat_path(row: &Provider) -> String {
    let own = row.paths.iter().find(|(from, _)| *from == "/chat/completions");
    let path = match (row.layout, own) {
        (Layout::Azure, _) => {
            return "/deployments/x1/chat/completions?api-version=x1".to_owned();
        }
        (Layout::Paths, Some((_, path))) => settings(row).expand(path).unwrap().into_owned(),
        (Layout::Paths, None) => {
            format!("{}/chat/completions", settings(row).expand(row.prefix).unwrap())
        }
    };
    let query = row
        .query
        .iter()
        .map(|(name, value)| format!("?{name}={}", settings(row).expand(value).unwrap()));
    [path].into_iter().chain(query).collect()
}

/// The rows in their order, each with a base URL on `port` that ends as its own does.
fn gateway_yaml(port: u16) -> String {
    let row = |row: &Provider| {
        let path = base_path(row);
        format!("  {}: {{base_url: 'http://127.0.0.1:{port}/{}{path}'}}\n", row.slug, row.slug)
    };
    ["providers:\n".to_owned()].into_iter().chain(reached().map(row)).collect()
}

/// All but what is inside of the gateway itself.
fn reached() -> impl Iterator<Item = &'static Provider> {
    PROVIDERS.iter().filter(|row| row.slug != "demo")
}

#[test]
fn every_vendor_gets_what_it_wants_and_nothing_else() {
    let upstream = Upstream::start(|request, _| {
        let path = request.path.split('?').next().unwrap_or_default();
        match path.rsplit(['/', ':']).next() {
            Some("messages") => json(200, MESSAGE),
            Some("generateContent") => json(200, GENERATED),
            Some("chat") => json(200, COHERES),
            Some("converse") => json(200, CONVERSE),
            _ => json(200, COMPLETION),
        }
    });
    let gateway = Gateway::start(&gateway_yaml(upstream.port));
    let text = body().to_string();
    let mut seen = 0;
    for row in reached() {
        let provider = format!("x-portkey-provider: {}", row.slug);
        let values = settings(row);
        // gateway.yaml names another place.
        let sent = row.settings.iter().filter(|one| one.name != "custom_host");
        let sent = sent.filter_map(|one| Some((one.header, values.get(one.name)?)));
        let settings: Vec<String> =
            sent.map(|(name, value)| format!("x-portkey-{name}: {value}")).collect();
        let headers = [&provider, "authorization: Bearer sk-caller", "cookie: c", "x-own: o"];
        let headers: Vec<&str> =
            headers.into_iter().chain(settings.iter().map(String::as_str)).collect();
        // What only OpenAI's own format has is no matter of quirks for the others.
        let text = if row.dialect == Dialect::OpenAi { text.as_str() } else { CHAT };
        let response = gateway.chat(&headers, text);
        if !row.chat {
            assert_eq!(response.status, 400, "{}: {}", row.slug, response.text());
            assert_eq!(response.json()["error"]["code"], "unsupported_endpoint", "{}", row.slug);
            continue;
        }
        assert_eq!(response.status, 200, "{}: {}", row.slug, response.text());
        let requests = upstream.requests();
        assert_eq!(requests.len(), seen + 1, "{}", row.slug);
        check(row, &requests[seen], text, upstream.port);
        seen += 1;
    }
    assert!(seen > 60, "{seen}");
    gateway.assert_healthy();
}

fn check(row: &Provider, request: &Request, sent: &str, port: u16) {
    let slug = row.slug;
    let (path, length) = (request.path.as_str(), request.body.len().to_string());
    let base = format!("/{slug}{}", base_path(row));
    if row.dialect == Dialect::OpenAi {
        assert_eq!(path, format!("{base}{}", chat_path(row)));
        assert_eq!(request.json(), expected(row), "{slug}");
        assert!(!row.quirks.is_empty() || request.body == sent.as_bytes(), "{slug}");
    } else {
        assert!(path.starts_with(&base), "{slug}: {path}");
    }
    let host = format!("127.0.0.1:{port}");
    let mut headers = BTreeMap::from([
        ("host", host),
        ("content-type", "application/json".to_owned()),
        ("content-length", length),
        ("accept", "application/json".to_owned()),
    ]);
    let settings = settings(row);
    let value = |value| settings.expand(value).unwrap().into_owned();
    headers.extend(row.headers.iter().map(|(name, text)| (*name, value(text))));
    let key = row.auth.header().map(|(name, prefix)| (name, format!("{prefix}sk-caller")));
    match row.key_parameter {
        Some(name) => assert!(path.ends_with(&format!("?{name}=sk-caller")), "{slug}: {path}"),
        None => headers.extend(key),
    }
    let got: BTreeMap<&str, String> =
        request.headers.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    assert_eq!(got, headers, "{slug}");
    assert_eq!(request.headers.len(), headers.len(), "{slug}: a header is there twice");
}

#[test]
fn operations_beside_chat_have_their_own_paths_and_bodies() {
    let upstream = Upstream::answering(json(200, "{}"));
    let gateway = Gateway::start(&gateway_yaml(upstream.port));
    let body = r#"{"max_completion_tokens":1,"seed":2}"#;
    let cases = [
        ("hyperbolic", "images/generations", "/hyperbolic/v1/image/generation", body),
        ("together-ai", "embeddings?a=/v1", "/together-ai/v1/embeddings?a=/v1", body),
        ("meshy", "text-to-3d/t1", "/meshy/openapi/v2/text-to-3d/t1", body),
        ("meshy", "rigging", "/meshy/openapi/v1/rigging", body),
        ("cohere", "rerank", "/cohere/v2/rerank", body),
        (
            "mistral-ai",
            "completions",
            "/mistral-ai/v1/completions",
            r#"{"max_tokens":1,"random_seed":2}"#,
        ),
    ];
    for (slug, below, ..) in cases {
        let headers = ["content-type: application/json", &format!("x-portkey-provider: {slug}")];
        let path = format!("/v1/{below}");
        let response = client::send(gateway.port, "POST", &path, &headers, body.as_bytes());
        assert_eq!(response.status, 200, "{slug}: {}", response.text());
    }
    for (request, (slug, _, path, body)) in upstream.requests().iter().zip(cases) {
        assert_eq!(request.path, path);
        assert_eq!(String::from_utf8_lossy(&request.body), body, "{slug} {path}");
    }
    assert_eq!(upstream.requests().len(), cases.len());
    gateway.assert_healthy();
}

#[test]
fn a_callers_own_value_and_a_base_url_with_the_prefix_count() {
    let upstream = Upstream::answering(json(200, COMPLETION));
    let port = upstream.port;
    let gateway = Gateway::start(&format!(
        "virtual_keys:\n  or: {{provider: openrouter, api_key: sk-or, \
         base_url: 'http://127.0.0.1:{port}/api/v1'}}\n  ol: {{provider: ollama, \
         base_url: 'http://127.0.0.1:{port}/v1'}}\n"
    ));
    let body = r#"{"model":"m", "messages":[{"role":"user","content":"hi"}]}"#;
    let own = ["x-portkey-virtual-key: or", "http-referer: https://own.example", "x-title: own"];
    assert_eq!(gateway.chat(&own, body).status, 200);
    assert_eq!(gateway.chat(&["x-portkey-virtual-key: ol", "x-title: own"], body).status, 200);
    let requests = upstream.requests();
    assert_eq!(requests[0].path, "/api/v1/chat/completions");
    assert_eq!(requests[0].header("authorization"), Some("Bearer sk-or"));
    assert_eq!(requests[0].header("http-referer"), Some("https://own.example"));
    assert_eq!(requests[0].header("x-title"), Some("own"));
    assert_eq!(requests[1].path, "/v1/chat/completions");
    assert_eq!((requests[1].header("authorization"), requests[1].header("x-title")), (None, None));
    // Quirks that find nothing leave every byte alone.
    assert!(requests.iter().all(|request| request.body == body.as_bytes()));
    gateway.assert_healthy();
}

#[test]
fn what_is_not_in_the_table_yet_is_refused_with_the_reason() {
    let gateway = Gateway::start("");
    let portkey = gateway.chat(&["x-portkey-provider: portkey"], super::CHAT);
    assert_eq!(portkey.status, 400);
    let error = &portkey.json()["error"];
    assert_eq!(error["code"], "unsupported_provider");
    assert!(portkey.text().contains("portkey is not supported yet: "), "{}", portkey.text());
    let config = r#"x-portkey-config: {"provider":"palm","api_key":"k"}"#;
    let palm = gateway.chat(&[config], super::CHAT);
    assert_eq!(palm.status, 400);
    assert!(palm.text().contains("palm is not supported yet: "), "{}", palm.text());
    let nobody = gateway.chat(&["x-portkey-provider: nobody"], super::CHAT);
    assert!(nobody.text().contains("there is no provider"), "{}", nobody.text());
    gateway.assert_healthy();
}
