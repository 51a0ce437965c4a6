//! `run`: Envoy takes what was rendered, edits are taken over, nothing is left behind.

use std::net::TcpListener;

use serde_json::{Value, json};

use super::gateway::{Gateway, fixtures};
use super::{cases, config};

const BODY: &str = r#"{"model":"demo","messages":[{"role":"user","content":"Hi"}]}"#;

/// Counters of updates that Envoy refused, with a value other than zero.
fn refused(gateway: &Gateway) -> Vec<String> {
    let stats = gateway.admin("/stats?filter=update_rejected|config_fail");
    assert!(stats.contains("cluster_manager.cds.update_rejected: 0"), "{stats}");
    stats.lines().filter(|line| !line.ends_with(": 0")).map(str::to_owned).collect()
}

#[test]
fn envoy_takes_every_case_without_a_refusal() {
    for case in cases() {
        let mut gateway = Gateway::start(&std::fs::read_to_string(config(&case)).unwrap());
        assert_eq!(refused(&gateway), [""; 0], "{case}: {}", gateway.log());
        let stats = gateway.admin("/stats?filter=update_success");
        for source in ["cds", "rds.portkey", "portkey.gateway", "portkey.provider"] {
            assert!(stats.contains(&format!("{source}.update_success: 1")), "{case}: {stats}");
        }
        assert!(!gateway.log().contains("eprecated"), "{case}: {}", gateway.log());
        assert_eq!(gateway.stop(), Some(0), "{case}: {}", gateway.log());
    }
}

#[test]
fn the_demo_answers_as_openai_does() {
    let mut gateway =
        Gateway::start("logs: [{type: file, path: new/access.jsonl}, {type: stdout}]");
    let answer: Value = serde_json::from_str(&gateway.chat("demo", BODY)).unwrap();
    assert_eq!(answer["object"], "chat.completion");
    let message = &answer["choices"][0]["message"];
    assert_eq!(message["role"], "assistant");
    let usage = |answer: &Value| answer["usage"]["total_tokens"].as_u64();
    assert!(usage(&answer).is_some_and(|tokens| tokens > 0));

    let option = r#"{"stream":true,"stream_options":{"include_usage":true},"#;
    let stream = gateway.chat("demo", &BODY.replacen('{', option, 1));
    let mut events: Vec<&str> =
        stream.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    assert_eq!(events.pop(), Some("[DONE]"), "{stream}");
    let chunks: Vec<Value> =
        events.iter().map(|data| serde_json::from_str(data).unwrap()).collect();
    assert!(chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk"));
    let texts = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
    assert_eq!(texts.collect::<String>(), message["content"].as_str().unwrap());
    assert_eq!(chunks.last().and_then(usage), usage(&answer));

    gateway.wait_until("log", || gateway.file("new/access.jsonl").lines().count() == 2);
    let log = gateway.file("new/access.jsonl");
    let record: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!((&record["cluster"], &record["status"]), (&json!("provider.demo"), &json!(200)));
    assert_eq!((&record["provider"], &record["attempts"]), (&json!("demo"), &json!(1)));
    for field in portkey_envoy::record::table::FIELDS {
        assert!(record.get(field.name).is_some(), "{}", field.name);
    }
    gateway.wait_until("log", || gateway.file("stdout") == log);
    assert_eq!(gateway.stop(), Some(0));
}

#[test]
fn a_good_edit_is_taken_over_and_a_bad_one_is_not() {
    let mut gateway = Gateway::start("logs: []");
    let says = |text: &str| gateway.wait_until(text, || gateway.log().contains(text));
    let knows = |name: &str| gateway.admin("/config_dump").contains(name);
    gateway.edit("virtual_keys: {first: {provider: demo}}\nlogs: []");
    says("gateway.yaml reloaded");
    gateway.wait_until("vk.first", || gateway.chat("@first", BODY).contains("chat.completion"));
    gateway.edit("virtual_keys: {second: {provider: nobody}}\nlogs: []");
    says("virtual_keys.second.provider: unknown provider \"nobody\"");
    says("gateway.yaml: not reloaded");
    assert!(knows("vk.first") && !knows("vk.second"));
    assert!(gateway.chat("@first", BODY).contains("chat.completion"));
    assert_eq!(refused(&gateway), [""; 0], "{}", gateway.log());
    assert_eq!(gateway.stop(), Some(0));
}

#[test]
fn nothing_is_left_when_the_gateway_is_stopped() {
    let mut gateway = Gateway::start("logs: []");
    let directory = gateway.rendered();
    assert!(directory.join("bootstrap.json").is_file());
    assert_eq!(gateway.stop(), Some(0));
    assert!(!directory.exists());
    assert!(TcpListener::bind(gateway.listen()).is_ok(), "Envoy still listens");
}

#[test]
fn a_port_in_use_is_refused_as_envoy_would_share_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let said = Gateway::start_in_vain(Some(address), &fixtures().join("empty.wasm"));
    assert!(said.starts_with(&format!("listen: {address} cannot be used: ")), "{said}");
}

#[test]
fn a_module_that_envoy_cannot_load_ends_the_run() {
    let said = Gateway::start_in_vain(None, &fixtures().join("empty.wasm"));
    assert!(said.contains("Envoy refused the configuration"), "{said}");
    assert!(!said.contains("listening on"), "{said}");
}
