//! Providers at a host that holds the name of the caller's account.

use super::support::client;
use super::support::gateway::Gateway;
use super::support::name_server::NameServer;
use super::support::upstream::{Upstream, json};
use super::{CHAT, COMPLETION};

const HOST: &str = "adb-1.cloud.databricks.com";

#[test]
fn an_accounts_host_is_resolved_on_use_and_must_be_public() {
    let names = NameServer::start(&[HOST]);
    let gateway = Gateway::start(&format!("dns_resolvers: ['127.0.0.1:{}']\n", names.port));
    assert_eq!(names.asked(), [""; 0], "an idle gateway asks nobody");
    let config = r#"x-portkey-config: {"provider":"databricks","api_key":"k","databricks_workspace":"adb-1"}"#;
    let by_headers =
        ["x-portkey-provider: databricks", "x-portkey-databricks-workspace: adb-1"].as_slice();
    for headers in [by_headers, &[config]] {
        let response = gateway.chat(headers, CHAT);
        // The name server says 127.0.0.1, which is nobody's account.
        assert_eq!(response.status, 503, "{}", response.text());
        assert_eq!(response.json()["error"]["code"], "upstream_unreachable");
    }
    let asked = names.asked();
    assert!(!asked.is_empty() && asked.iter().all(|name| name == HOST), "{asked:?}");
    gateway.assert_healthy();
}

#[test]
fn a_setting_cannot_lead_elsewhere_and_what_is_missing_is_named() {
    let names = NameServer::start(&[]);
    let gateway = Gateway::start(&format!("dns_resolvers: ['127.0.0.1:{}']\n", names.port));
    let provider = "x-portkey-provider: databricks";
    for value in ["evil.example/", "evil.example#", "a@evil.example", "a.b", "a:1", "a%2e", "-a"] {
        let setting = format!("x-portkey-databricks-workspace: {value}");
        let response = gateway.chat(&[provider, &setting], CHAT);
        assert_eq!(response.status, 400, "{value}");
        let error = &response.json()["error"];
        assert_eq!(error["code"], "invalid_setting", "{value}");
        assert_eq!(error["param"], "x-portkey-databricks-workspace");
        assert!(!response.text().contains(value), "{value}");
    }
    let response = gateway.chat(&[provider], CHAT);
    assert_eq!((response.status, response.whole), (400, true));
    let error = &response.json()["error"];
    assert_eq!(
        (&error["code"], &error["param"]),
        (&"missing_setting".into(), &"databricks_workspace".into())
    );
    assert!(response.text().contains("x-portkey-databricks-workspace"), "{}", response.text());
    assert_eq!(names.asked(), [""; 0]);
    gateway.assert_healthy();
}

#[test]
fn settings_default_to_what_the_body_says() {
    let upstream = Upstream::answering(json(200, COMPLETION));
    let gateway = Gateway::start("custom_hosts: [{host: 127.0.0.1, private: true}]\n");
    let host = format!("x-portkey-custom-host: http://127.0.0.1:{}", upstream.port);
    let predibase = ["x-portkey-provider: predibase", "authorization: Bearer k", &host];
    for (model, user, path, sent) in [
        ("llama:ad/2", "t-1", "/t-1/deployments/v2/llms/llama/v1/chat/completions", "ad/2"),
        ("llama", "t-1", "/t-1/deployments/v2/llms/llama/v1/chat/completions", ""),
    ] {
        let body = format!(r#"{{"model":"{model}","user":"{user}","messages":[]}}"#);
        assert_eq!(gateway.chat(&predibase, &body).status, 200);
        let request = upstream.requests().pop().unwrap();
        assert_eq!(request.path, path);
        assert_eq!(request.json(), serde_json::json!({"model": sent, "messages": []}));
    }
    let before = upstream.requests().len();
    for body in [
        r#"{"model":"../x","user":"t","messages":[]}"#,
        r#"{"model":"m","user":"a/b","messages":[]}"#,
        r#"{"model":"m","messages":[]}"#,
    ] {
        let response = gateway.chat(&predibase, body);
        assert_eq!(response.status, 400, "{body}");
        assert_eq!(response.json()["error"]["code"], "missing_setting", "{body}");
    }
    assert_eq!(upstream.requests().len(), before);
    gateway.assert_healthy();
}

#[test]
fn a_server_without_a_host_of_its_own_needs_one() {
    let upstream = Upstream::answering(json(200, "{}"));
    let port = upstream.port;
    let gateway = Gateway::start(&format!(
        "virtual_keys: {{mine: {{provider: qdrant, api_key: sk-q, base_url: 'http://127.0.0.1:{port}'}}}}\n"
    ));
    let get = |headers: &[&str]| client::send(gateway.port, "GET", "/v1/collections", headers, b"");
    assert_eq!(get(&["x-portkey-virtual-key: mine"]).status, 200);
    let request = upstream.request();
    assert_eq!((request.path.as_str(), request.header("api-key")), ("/collections", Some("sk-q")));
    let response = get(&["x-portkey-provider: milvus", "authorization: Bearer k"]);
    assert_eq!(response.status, 400);
    assert_eq!(response.json()["error"]["param"], "custom_host", "{}", response.text());
    let host = format!("x-portkey-custom-host: http://127.0.0.1:{port}");
    let response = get(&["x-portkey-provider: milvus", &host]);
    assert_eq!(response.json()["error"]["code"], "custom_host_not_allowed");
    gateway.assert_healthy();
}
