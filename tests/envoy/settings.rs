//! Providers at a host that holds the name of the caller's account.

use super::CHAT;
use super::support::gateway::Gateway;
use super::support::name_server::NameServer;

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
