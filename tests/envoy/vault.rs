//! Virtual keys: several credentials under one, what it is for, its name before a model's, and
//! credentials that change while requests are under way.

use super::support::client::Response;
use super::support::gateway::Gateway;
use super::support::upstream::{Request, Upstream, answer, json};
use super::{CHAT, COMPLETION};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const REFUSED: &str = r#"{"error":{"message":"no","type":"t","param":null,"code":"c"}}"#;

/// A provider whose answer depends on the key: `sk-STATUS-...`.
fn provider() -> Upstream {
    Upstream::start(|request, _| {
        let status = key_of(request).and_then(|key| key.split('-').nth(1)?.parse().ok());
        match status.unwrap_or(200) {
            200 => json(200, COMPLETION),
            429 => answer(429, "content-type: application/json\r\nretry-after: 30\r\n", REFUSED),
            status => json(status, REFUSED),
        }
    })
}

fn key_of(request: &Request) -> Option<&str> {
    request.header("authorization")?.strip_prefix("Bearer ")
}

/// The keys that the provider has seen since then.
fn keys(provider: &Upstream, from: usize) -> Vec<String> {
    let requests = provider.requests();
    requests[from..].iter().map(|request| key_of(request).unwrap_or("-").to_owned()).collect()
}

fn virtual_key(slug: &str) -> String {
    format!("x-portkey-virtual-key: {slug}")
}

fn error_of(response: &Response) -> (u16, String) {
    let kind = response.json()["error"]["type"].as_str().unwrap_or_default().to_owned();
    (response.status, kind)
}

#[test]
fn a_failing_key_is_passed_over_and_left_alone() {
    let provider = provider();
    let port = provider.port;
    let key = |slug: &str, keys: &str| {
        format!(
            "  {slug}: {{provider: openai, api_keys: [{keys}], base_url: 'http://127.0.0.1:{port}/v1'}}\n"
        )
    };
    let yaml = ["virtual_keys:\n", &key("mixed", "sk-429-a, sk-401-b, sk-200-c")].concat()
        + &key("good", "sk-200-x, sk-200-y, sk-200-z")
        + &key("bad", "sk-401-p, sk-429-q")
        + &key("busy", "sk-429-u, sk-429-v")
        + &key("broken", "sk-500-k, sk-500-l");
    let gateway = Gateway::start(&yaml);
    for _ in 0..20 {
        let response = gateway.chat(&[&virtual_key("mixed"), "x-portkey-debug: true"], CHAT);
        assert_eq!((response.status, response.text()), (200, COMPLETION.to_owned()));
        assert_eq!(response.header("x-portkey-last-used-option-index"), Some("config"));
    }
    let seen = keys(&provider, 0);
    let count = |key: &str| seen.iter().filter(|seen| *seen == key).count();
    // Each is tried until it has failed once.
    assert!(count("sk-429-a") <= 1 && count("sk-401-b") <= 1, "{seen:?}");
    assert_eq!(count("sk-200-c"), 20);

    let from = provider.requests_count();
    for _ in 0..60 {
        assert_eq!(gateway.chat(&[&virtual_key("good")], CHAT).status, 200);
    }
    let seen = keys(&provider, from);
    for key in ["sk-200-x", "sk-200-y", "sk-200-z"] {
        let count = seen.iter().filter(|seen| *seen == key).count();
        assert!((5..40).contains(&count), "{key}: {count} of 60");
    }

    // The last answer is the client's, as it would be with one key.
    let from = provider.requests_count();
    let response = gateway.chat(&[&virtual_key("bad")], CHAT);
    assert!([401, 429].contains(&response.status), "{}", response.status);
    let mut seen = keys(&provider, from);
    seen.sort();
    assert_eq!(seen, ["sk-401-p", "sk-429-q"]);
    let from = provider.requests_count();
    assert_eq!(gateway.chat(&[&virtual_key("broken")], CHAT).status, 500);
    assert_eq!(keys(&provider, from).len(), 1, "a 500 is none of the key's");

    // Within strategies: when all have failed, the fallback is next, and a balance passes them by.
    let of = |mode: &str, targets: [&str; 2]| {
        let targets = targets.map(|slug| json!({"virtual_key": slug}));
        format!("x-portkey-config: {}", json!({"strategy": {"mode": mode}, "targets": targets}))
    };
    let from = provider.requests_count();
    let response = gateway.chat(&[&of("fallback", ["busy", "good"])], CHAT);
    let index = response.header("x-portkey-last-used-option-index");
    assert_eq!((response.status, index), (200, Some("config.targets[1]")));
    let seen = keys(&provider, from);
    assert_eq!((seen.len(), seen[2].starts_with("sk-200")), (3, true), "{seen:?}");
    let from = provider.requests_count();
    for mode in ["fallback", "loadbalance"] {
        for _ in 0..5 {
            assert_eq!(gateway.chat(&[&of(mode, ["busy", "good"])], CHAT).status, 200);
        }
    }
    let seen = keys(&provider, from);
    assert!(seen.iter().all(|key| key.starts_with("sk-200")), "{seen:?}");
    gateway.assert_healthy();
    let log = gateway.log(20 + 60 + 2 + 1 + 10);
    assert_eq!(log[0]["virtual_key"], "mixed");
    assert!(log.iter().all(|line| !line.to_string().contains("sk-")), "a key in the log");
}

#[test]
fn a_virtual_key_says_what_it_is_for() {
    let provider = provider();
    let port = provider.port;
    let key = |slug: &str, more: &str| {
        format!(
            "  {slug}: {{provider: openai, api_key: sk-200-{slug}, base_url: 'http://127.0.0.1:{port}/v1', {more}}}\n"
        )
    };
    let yaml = ["virtual_keys:\n", &key("off", "disabled: true")].concat()
        + &key("old", "expires_at: '2020-01-01T00:00:00Z'")
        + &key("new", "expires_at: '2100-01-01T00:00:00+01:00'")
        + &key("small", "allowed_models: [gpt-4o-mini, 'o4-*']")
        + &key("fixed", "override_params: {temperature: 0, user: gateway}")
        + &format!(
            "providers:\n  ollama: {{base_url: 'http://127.0.0.1:{port}/v1'}}\n  \
             openai: {{base_url: 'http://127.0.0.1:{port}/v1'}}\n  \
             workers-ai: {{base_url: 'http://127.0.0.1:{port}/v1'}}\n"
        );
    let gateway = Gateway::start(&yaml);
    let ask = |headers: &[&str], model: &str| {
        gateway.chat(headers, &json!({"model": model, "messages": []}).to_string())
    };
    for (slug, expected) in [
        ("off", (403, "virtual_key_disabled_error")),
        ("old", (401, "virtual_key_expired_error")),
        ("small", (412, "model_not_allowed_error")),
    ] {
        let response = ask(&[&virtual_key(slug)], "gpt-4o");
        assert_eq!(error_of(&response), (expected.0, expected.1.to_owned()), "{slug}");
        let fallback = json!({"strategy": {"mode": "fallback"},
            "targets": [{"virtual_key": slug}, {"virtual_key": "new"}]});
        let response = ask(&[&format!("x-portkey-config: {fallback}")], "gpt-4o");
        let index = response.header("x-portkey-last-used-option-index");
        assert_eq!((response.status, index), (200, Some("config.targets[1]")), "{slug}");
    }
    assert_eq!(provider.requests_count(), 3);
    assert_eq!(ask(&[&virtual_key("small")], "o4-mini").status, 200);
    let body = |more: Value| {
        let mut body = json!({"model": "m", "messages": [], "temperature": 1});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body.to_string()
    };
    let config = json!({"virtual_key": "fixed", "override_params": {"user": "x"},
        "drop_params": ["temperature"]});
    gateway.chat(&[&format!("x-portkey-config: {config}")], &body(json!({"user": "me"})));
    let sent = provider.requests().last().unwrap().json();
    assert_eq!((&sent["temperature"], &sent["user"]), (&json!(0), &json!("gateway")));

    // The newer form, in which the model's name has the virtual key's before it.
    let last = || {
        let request = provider.requests().pop().unwrap();
        (key_of(&request).unwrap_or("-").to_owned(), request.json()["model"].clone())
    };
    assert_eq!(ask(&[], "@new/gpt-4o").status, 200);
    assert_eq!(last(), ("sk-200-new".to_owned(), json!("gpt-4o")));
    let config = json!({"targets": [{"override_params": {"model": "@new/gpt-5"}}]});
    assert_eq!(ask(&[&format!("x-portkey-config: {config}")], "m").status, 200);
    assert_eq!(last(), ("sk-200-new".to_owned(), json!("gpt-5")));
    let workers = ["x-portkey-provider: workers-ai", "authorization: Bearer sk-200-own"];
    assert_eq!(ask(&workers, "@cf/meta/llama-3").status, 200);
    assert_eq!(last(), ("sk-200-own".to_owned(), json!("@cf/meta/llama-3")));
    let missing = ask(&[], "@nobody/gpt-4o");
    assert_eq!((missing.status, missing.json()["error"]["param"].clone()), (400, json!("model")));

    // Without any virtual key: providers without keys, and callers with their own.
    assert_eq!(ask(&["x-portkey-provider: ollama"], "llama3").status, 200);
    assert_eq!(last(), ("-".to_owned(), json!("llama3")));
    let own = ["x-portkey-provider: openai", "authorization: Bearer sk-200-mine"];
    assert_eq!(ask(&own, "gpt-4o").status, 200);
    assert_eq!(last(), ("sk-200-mine".to_owned(), json!("gpt-4o")));
    gateway.assert_healthy();
}

#[test]
fn a_virtual_key_is_for_some_callers() {
    let provider = provider();
    let key = |slug: &str, more: &str| {
        let port = provider.port;
        format!(
            "  {slug}: {{provider: openai, api_key: sk-200-{slug}, base_url: 'http://127.0.0.1:{port}/v1'{more}}}\n"
        )
    };
    let yaml = ["virtual_keys:\n", &key("team", ", allowed_callers: [red]")].concat()
        + &key("all", "")
        + "api_keys:\n  red: {key: key-of-red}\n  blue: {key: key-of-blue}\n";
    let gateway = Gateway::start(&yaml);
    let ask = |caller: &str, header: &str| {
        gateway.chat(&[&format!("x-portkey-api-key: key-of-{caller}"), header], CHAT)
    };
    let team = virtual_key("team");
    assert_eq!(ask("red", &team).status, 200);
    let refused = ask("blue", &team);
    assert_eq!(error_of(&refused), (403, "virtual_key_not_allowed_error".to_owned()));
    let fallback = r#"x-portkey-config: {"strategy":{"mode":"fallback"},"targets":[{"virtual_key":"team"},{"virtual_key":"all"}]}"#;
    assert_eq!(ask("blue", fallback).status, 200);
    assert_eq!(keys(&provider, 0), ["sk-200-team", "sk-200-all"]);
    gateway.assert_healthy();
}

/// Sends requests from several clients until `total` are answered; `meanwhile` runs beside them.
fn under_load(gateway: &Gateway, headers: &[&str], total: usize, meanwhile: impl FnOnce()) {
    let sent = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while sent.fetch_add(1, Ordering::SeqCst) < total {
                    // So that there is load for as long as the change takes.
                    std::thread::sleep(Duration::from_millis(10));
                    let response = gateway.chat(headers, CHAT);
                    assert_eq!((response.status, response.text()), (200, COMPLETION.to_owned()));
                }
            });
        }
        meanwhile();
    });
}

#[test]
fn a_key_file_changes_under_load_and_no_request_fails() {
    let provider = Upstream::answering(json(200, COMPLETION));
    let (port, keys_dir) = (provider.port, tempfile::tempdir().unwrap());
    let file = keys_dir.path().join("key");
    std::fs::write(&file, "sk-old\n").unwrap();
    let gateway = Gateway::start(&format!(
        "virtual_keys:\n  oai: {{provider: openai, api_key: 'file:{}', \
         base_url: 'http://127.0.0.1:{port}/v1'}}\n",
        file.display()
    ));
    let updates = || {
        let stats =
            gateway.stats("(listener_manager|cluster_manager.cds|extension_config_discovery)");
        let changes = stats.into_iter().filter(|(name, _)| {
            ["config_reload", "cluster_modified", "listener_modified"]
                .iter()
                .any(|part| name.contains(part))
        });
        changes.collect::<Vec<_>>()
    };
    let before = updates();
    let since = std::sync::Mutex::new(None);
    under_load(&gateway, &[&virtual_key("oai")], 1000, || {
        std::thread::sleep(Duration::from_millis(200));
        // In place, as `echo` does it.
        std::fs::write(&file, "sk-new\n").unwrap();
        std::thread::sleep(Duration::from_secs(2));
        *since.lock().unwrap() = Some(provider.requests_count());
    });
    let since = since.into_inner().unwrap().unwrap();
    let seen = keys(&provider, 0);
    assert_eq!(seen.len(), 1000);
    let (early, late) = seen.split_at(since);
    assert!(early.contains(&"sk-old".to_owned()) && early.contains(&"sk-new".to_owned()));
    assert!(late.len() > 20, "there was load after those 2 s");
    assert!(late.iter().all(|key| key == "sk-new"), "the old key after 2 s");
    assert_eq!(updates(), before, "nothing but the secret was loaded again");
    gateway.assert_healthy();
}
