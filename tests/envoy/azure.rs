//! Azure: deployments, API versions, tokens, and the models of its Foundry.

use super::support::client;
use super::support::gateway::Gateway;
use super::support::name_server::NameServer;
use super::support::upstream::{Upstream, json};
use super::{CHAT, COMPLETION, MESSAGE};
use serde_json::Value;

const DATED: &str = "x-portkey-azure-api-version: 2024-10-21";
const DEPLOYMENT: &str = "x-portkey-azure-deployment-id: dep";
const JSON: &str = "content-type: application/json";
const ANY_HOST: &str = "custom_hosts: [{host: 127.0.0.1, private: true}]\n";

fn custom_host(port: u16, path: &str) -> String {
    format!("x-portkey-custom-host: http://127.0.0.1:{port}{path}")
}

#[test]
fn operations_go_to_deployments_and_versions() {
    let upstream = Upstream::answering(json(200, COMPLETION));
    let gateway = Gateway::start(ANY_HOST);
    let host = custom_host(upstream.port, "/openai");
    let base = ["x-portkey-provider: azure-openai", "authorization: Bearer k", &host, JSON];
    let query = "?api-version=2024-10-21";
    let post = |path: &str, headers: &[&str], body: &[u8]| {
        let response =
            client::send(gateway.port, "POST", path, &[base.as_slice(), headers].concat(), body);
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        let request = upstream.requests().pop().unwrap();
        assert_eq!(request.header("api-key"), Some("k"), "{path}");
        assert_eq!(request.header("authorization"), None, "{path}");
        request
    };
    let chat = CHAT.as_bytes();
    let form = "content-type: multipart/form-data; boundary=b";
    let parts = b"--b\r\ncontent-disposition: form-data; name=\"f\"\r\n\r\n\x00\r\n--b--\r\n";
    for (path, headers, expected) in [
        (
            "/v1/chat/completions",
            [DATED, DEPLOYMENT].as_slice(),
            "deployments/dep/chat/completions",
        ),
        // Without a deployment it is the model.
        ("/v1/chat/completions", &[DATED], "deployments/m/chat/completions"),
        ("/v1/embeddings", &[DATED, DEPLOYMENT], "deployments/dep/embeddings"),
        ("/v1/responses", &[DATED, DEPLOYMENT], "responses"),
    ] {
        let request = post(path, headers, chat);
        assert_eq!(request.path, format!("/openai/{expected}{query}"), "{headers:?}");
        assert_eq!(request.body, chat, "the body is the client's");
    }
    let request = post("/v1/chat/completions?foo=bar&api-version=1", &[DATED, DEPLOYMENT], chat);
    assert_eq!(request.path, format!("/openai/deployments/dep/chat/completions{query}&foo=bar"));
    // The version v1, also when none is named: the deployment is the model.
    for headers in
        [&[DEPLOYMENT, "x-portkey-azure-api-version: v1"], [DEPLOYMENT, "x-own: o"].as_slice()]
    {
        let request = post("/v1/chat/completions", headers, chat);
        assert_eq!(request.path, "/openai/v1/chat/completions");
        assert_eq!(request.json()["model"], "dep");
    }
    assert_eq!(post("/v1/chat/completions", &[], chat).body, chat);
    let multipart =
        ["x-portkey-provider: azure-openai", "api-key: k", &host, form, DATED, DEPLOYMENT];
    let path = "/v1/audio/transcriptions";
    assert_eq!(client::send(gateway.port, "POST", path, &multipart, parts).status, 200);
    let request = upstream.requests().pop().unwrap();
    assert_eq!(request.path, format!("/openai/deployments/dep/audio/transcriptions{query}"));
    assert_eq!((request.body.as_slice(), request.header("api-key")), (parts.as_slice(), Some("k")));
    gateway.assert_healthy();
}

#[test]
fn a_virtual_key_names_the_resource_and_callers_the_deployment() {
    let upstream = Upstream::answering(json(200, COMPLETION));
    let gateway = Gateway::start(&format!(
        "virtual_keys:\n  az: {{provider: azure-openai, api_key: sk-az, api_version: 2024-10-21, \
         base_url: 'http://127.0.0.1:{}/openai'}}\n",
        upstream.port
    ));
    let key = "x-portkey-virtual-key: az";
    assert_eq!(gateway.chat(&[key], CHAT).status, 200);
    // Nobody changes what the operator has said, nor gets a token of their own in its place.
    let own = ["x-portkey-azure-api-version: v1", "x-portkey-azure-ad-token: t", DEPLOYMENT];
    assert_eq!(gateway.chat(&[&[key], own.as_slice()].concat(), CHAT).status, 200);
    let config = r#"x-portkey-config: {"virtual_key":"az","deployment_id":"other"}"#;
    assert_eq!(gateway.chat(&[config], CHAT).status, 200);
    for (request, deployment) in upstream.requests().iter().zip(["m", "dep", "other"]) {
        let path =
            format!("/openai/deployments/{deployment}/chat/completions?api-version=2024-10-21");
        assert_eq!(request.path, path);
        assert_eq!(request.header("api-key"), Some("sk-az"));
        assert_eq!(request.header("authorization"), None);
    }
    gateway.assert_healthy();
}

#[test]
fn a_token_goes_in_the_place_of_a_key_and_is_in_no_log() {
    let upstream = Upstream::answering(json(200, COMPLETION));
    let gateway = Gateway::start(ANY_HOST);
    let host = custom_host(upstream.port, "/openai");
    let token = "x-portkey-azure-ad-token: eyJ-secret";
    for provider in ["azure-openai", "azure-ai"] {
        let provider = format!("x-portkey-provider: {provider}");
        let headers = [&provider, "authorization: Bearer k", &host, token, DATED, DEPLOYMENT];
        assert_eq!(gateway.chat(&headers, CHAT).status, 200);
        let request = upstream.requests().pop().unwrap();
        assert_eq!(request.header("authorization"), Some("Bearer eyJ-secret"));
        assert_eq!(request.header("api-key"), None);
    }
    let log = std::fs::read_to_string(gateway.dir.path().join("access.jsonl")).unwrap();
    assert!(gateway.log(2).len() == 2 && !log.contains("eyJ-secret"));
    assert!(!gateway.stderr().contains("eyJ-secret"));
    let mode = ["x-portkey-provider: azure-openai", &host, "x-portkey-azure-auth-mode: entra"];
    let response = gateway.chat(&mode, CHAT);
    assert_eq!(response.status, 400);
    assert_eq!(response.json()["error"]["code"], "invalid_setting");
    assert!(response.text().contains("azure_ad_token"), "{}", response.text());
    gateway.assert_healthy();
}

#[test]
fn a_foundry_has_models_of_many_vendors_and_anthropics_api() {
    let upstream = Upstream::start(|request, _| match request.path.contains("/messages") {
        true => json(200, MESSAGE),
        false => json(200, COMPLETION),
    });
    let gateway = Gateway::start(ANY_HOST);
    let url = |path: &str| {
        format!("x-portkey-azure-foundry-url: http://127.0.0.1:{}{path}", upstream.port)
    };
    let provider = ["x-portkey-provider: azure-ai", "authorization: Bearer k", JSON];
    let send = |path: &str, headers: &[&str], body: &str| {
        let headers = [provider.as_slice(), headers].concat();
        let response = client::send(gateway.port, "POST", path, &headers, body.as_bytes());
        assert_eq!(response.status, 200, "{}", response.text());
        (response, upstream.requests().pop().unwrap())
    };
    let version = "x-portkey-azure-api-version: 2024-05-01-preview";
    let name = "x-portkey-azure-deployment-name: phi";
    let (response, request) = send("/v1/chat/completions", &[&url("/models"), version, name], CHAT);
    assert_eq!(response.header("x-portkey-provider"), Some("azure-ai"));
    assert_eq!(request.path, "/models/chat/completions?api-version=2024-05-01-preview");
    for (header, value) in [
        ("authorization", Some("Bearer k")),
        ("extra-parameters", Some("drop")),
        ("azureml-model-deployment", Some("phi")),
    ] {
        assert_eq!(request.header(header), value, "{header}");
    }
    let extra = "x-portkey-azure-extra-params: pass-through";
    let (_, request) = send("/v1/embeddings?a=1", &[&url("/models"), extra], CHAT);
    assert_eq!(request.path, "/models/embeddings?a=1");
    assert_eq!(request.header("extra-parameters"), Some("pass-through"));
    assert_eq!(request.header("azureml-model-deployment"), None);

    let (response, request) = send("/v1/chat/completions", &[&url("/anthropic")], CHAT);
    assert_eq!(response.json()["choices"][0]["message"]["content"], "hello");
    assert_eq!(response.header("x-portkey-provider"), Some("azure-ai"));
    assert_eq!(request.path, "/anthropic/v1/messages");
    assert_eq!((request.header("x-api-key"), request.header("authorization")), (Some("k"), None));
    assert_eq!(request.header("anthropic-version"), Some("2023-06-01"));
    assert!(request.json()["max_tokens"].is_u64());
    let own = r#"{"model":"claude","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}"#;
    let token = "x-portkey-azure-ad-token: t";
    let (_, request) = send("/v1/messages", &[&url("/anthropic"), token], own);
    assert_eq!(
        (request.path.as_str(), request.body.as_slice()),
        ("/anthropic/v1/messages", own.as_bytes())
    );
    assert_eq!(
        (request.header("x-api-key"), request.header("authorization")),
        (None, Some("Bearer t"))
    );
    gateway.assert_healthy();
}

#[test]
fn a_foundry_elsewhere_is_a_custom_host() {
    let host = "res.services.ai.azure.com";
    let names = NameServer::start(&[]);
    let gateway = Gateway::start(&format!("dns_resolvers: ['127.0.0.1:{}']\n", names.port));
    let ask = |url: &str| {
        let url = format!("x-portkey-azure-foundry-url: {url}");
        gateway.chat(&["x-portkey-provider: azure-ai", "authorization: Bearer k", &url], CHAT)
    };
    for url in [
        "https://evil.example/models",
        "https://services.ai.azure.com.evil.example",
        "https://evilservices.ai.azure.com",
        "https://.services.ai.azure.com",
        "http://res.services.ai.azure.com",
        "https://res.services.ai.azure.com:8443",
        "https://169.254.169.254/metadata",
    ] {
        let response = ask(url);
        assert_eq!(response.status, 400, "{url}: {}", response.text());
        let error: Value = response.json()["error"].clone();
        assert_eq!(
            (&error["code"], &error["param"]),
            (&"custom_host_not_allowed".into(), &"azure_foundry_url".into()),
            "{url}"
        );
    }
    assert_eq!(names.asked(), [""; 0]);
    assert_eq!(ask(&format!("https://{host}/models")).status, 503);
    assert!(names.asked().iter().all(|name| name == host) && !names.asked().is_empty());
    gateway.assert_healthy();
}
