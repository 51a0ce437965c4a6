//! What a virtual key is for, which of its credentials is tried, and its name before a model's.

use super::*;
use serde_json::{Value, json};

const SETTINGS: &str = r#"{"version":1,"role":"gateway","max_body_bytes":1000,"request_timeout":60000,
    "upstreams":{
        "provider.openai":{"provider":"openai","base_url":"https://a.example/v1"},
        "provider.workers-ai":{"provider":"workers-ai","base_url":"https://w.example/v1"},
        "vk.open":{"provider":"openai","base_url":"http://a.example/v1"},
        "vk.off":{"provider":"openai","base_url":"http://a.example/v1"},
        "vk.old":{"provider":"openai","base_url":"http://a.example/v1"},
        "vk.team":{"provider":"openai","base_url":"http://a.example/v1"},
        "vk.small":{"provider":"openai","base_url":"http://a.example/v1",
            "default_params":{"model":"gpt-4o-mini"}},
        "vk.fixed":{"provider":"openai","base_url":"http://a.example/v1",
            "override_params":{"model":"gpt-4o-mini"}},
        "vk.azure":{"provider":"azure-openai","base_url":"http://a.example/openai"},
        "vk.many":{"provider":"openai","base_url":"http://a.example/v1","has_siblings":true},
        "vk.many@2":{"provider":"openai","base_url":"http://a.example/v1","has_siblings":true},
        "vk.many@3":{"provider":"openai","base_url":"http://a.example/v1","has_siblings":true}},
    "virtual_keys":{
        "open":{"clusters":["vk.open"]},
        "off":{"clusters":["vk.off"],"disabled":true},
        "old":{"clusters":["vk.old"],"expires_at":1000},
        "team":{"clusters":["vk.team"],"allowed_callers":["red"]},
        "small":{"clusters":["vk.small"],"allowed_models":["gpt-4o-mini","o4-*"]},
        "fixed":{"clusters":["vk.fixed"],"allowed_models":["gpt-4o-mini"]},
        "azure":{"clusters":["vk.azure"],"allowed_models":["mini"]},
        "many":{"clusters":["vk.many","vk.many@2","vk.many@3"]}},
    "default_config":"pc-split",
    "configs":{"pc-split":{"strategy":{"mode":"loadbalance"},
        "targets":[{"virtual_key":"open"},{"virtual_key":"old"}]}}}"#;

/// At some second, with a random number, and clusters that rest.
struct At<'a>(u64, u64, &'a [&'a str]);

impl World for At<'_> {
    fn random(&self) -> u64 {
        self.1
    }

    fn is_cooling(&self, cluster: &str) -> bool {
        self.2.contains(&cluster)
    }

    fn now(&self) -> u64 {
        self.0 * 1_000_000_000
    }
}

const NOW: At<'_> = At(2000, 0, &[]);

fn decide(world: &At<'_>, method: &str, path: &str, pairs: &[(&str, &str)], body: &str) -> Verdict {
    let mut gateway = Gateway::new(Rc::new(Registry::parse(SETTINGS.as_bytes()).unwrap()));
    let basis = [(":method", method), (":path", path)];
    let pairs = basis.iter().chain(pairs);
    let pairs = pairs.map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
    let headers = Headers::new(pairs.collect());
    match gateway.on_request_headers(world, headers, body.is_empty()) {
        Verdict::NeedBody => gateway.on_request_body(world, body.as_bytes()),
        other => other,
    }
}

/// The plan, and the error of the answer otherwise: `status type message`.
fn plan(verdict: Verdict) -> Result<Plan, String> {
    match verdict {
        Verdict::Forward(forward) => Ok(Plan::decode(&forward.plan).unwrap()),
        Verdict::Reply(reply) => {
            let body: Value = serde_json::from_slice(&reply.body).unwrap();
            let kind = body["error"]["type"].as_str().unwrap();
            Err(format!("{} {kind} {}", reply.status, body["message"].as_str().unwrap()))
        }
        other => panic!("{other:?}"),
    }
}

fn chat(world: &At<'_>, pairs: &[(&str, &str)], model: &str) -> Result<Plan, String> {
    let body = json!({ "model": model, "messages": [] }).to_string();
    plan(decide(world, "POST", "/v1/chat/completions", pairs, &body))
}

fn key(slug: &str) -> [(&str, &str); 1] {
    [("x-portkey-virtual-key", slug)]
}

/// The clusters of the targets and the model that each makes of the request's, if another.
fn targets(plan: &Plan) -> Vec<(String, Option<String>)> {
    let model = |target: &crate::plan::Target| {
        let params: Value = serde_json::from_str(target.override_params.as_ref()?.get()).unwrap();
        params["model"].as_str().map(str::to_owned)
    };
    plan.targets.iter().map(|target| (target.cluster.clone(), model(target))).collect()
}

#[test]
fn who_may_not_use_a_virtual_key_is_told_why() {
    let refused = |world: &At<'_>, slug, model| chat(world, &key(slug), model).unwrap_err();
    assert_eq!(
        refused(&NOW, "off", "m"),
        "403 virtual_key_disabled_error Portkey Virtual Key off is disabled"
    );
    assert_eq!(
        refused(&NOW, "old", "m"),
        "401 virtual_key_expired_error Portkey Virtual Key old has expired"
    );
    assert_eq!(refused(&At(1000, 0, &[]), "old", "m"), refused(&NOW, "old", "m"));
    assert!(chat(&At(999, 0, &[]), &key("old"), "m").is_ok());
    assert_eq!(
        refused(&NOW, "team", "m"),
        "403 virtual_key_not_allowed_error Portkey Virtual Key team is not for this caller"
    );
    assert_eq!(
        refused(&NOW, "small", "gpt-4o"),
        "412 model_not_allowed_error Model gpt-4o is not allowed for this integration"
    );
    for model in ["gpt-4o-mini", "o4-", "o4-mini"] {
        assert!(chat(&NOW, &key("small"), model).is_ok(), "{model}");
    }
    for model in ["gpt-4o-mini-2", "GPT-4o-mini", "", "*", "o4"] {
        assert!(chat(&NOW, &key("small"), model).is_err(), "{model}");
    }
}

#[test]
fn the_model_that_counts_is_the_one_that_runs() {
    let small = |body: &str| {
        plan(decide(&NOW, "POST", "/v1/chat/completions", &key("small"), body)).is_ok()
    };
    assert!(small(r#"{"messages":[]}"#), "the default");
    assert!(!small(r#"{"model":"gpt-4o-mini","models":["gpt-4o"]}"#));
    assert!(small(r#"{"model":"gpt-4o-mini","models":["o4-x"]}"#));
    assert!(small(r#"{"model":"gpt-4o-mini","models":null}"#));
    for unreadable in [r#"["o4-x",{"model":"gpt-4o"}]"#, r#""gpt-4o""#, r#"{"a":"gpt-4o"}"#] {
        let body = format!(r#"{{"model":"gpt-4o-mini","models":{unreadable}}}"#);
        assert!(!small(&body), "{body}");
    }
    let config = |target: &str| {
        let config = format!(r#"{{"virtual_key":"small",{target}}}"#);
        chat(&NOW, &[("x-portkey-config", &config)], "gpt-4o-mini").is_ok()
    };
    assert!(!config(r#""override_params":{"model":"gpt-4o"}"#));
    assert!(!config(r#""drop_params":["model"]"#), "who knows what the provider makes of it");
    assert!(config(r#""override_params":{"model":"o4-mini"}"#));
    assert!(chat(&NOW, &key("fixed"), "gpt-4o").is_ok(), "it is replaced");
    let deployment = ("x-portkey-azure-deployment-id", "large");
    assert!(chat(&NOW, &key("azure"), "mini").is_ok());
    for version in ["v1", "2024-10-21"] {
        let version = ("x-portkey-azure-api-version", version);
        let pairs = [("x-portkey-virtual-key", "azure"), deployment, version];
        assert!(chat(&NOW, &pairs, "mini").is_err(), "{version:?}");
    }
}

#[test]
fn what_does_not_tell_its_model_is_refused_if_it_may_run_one() {
    let ask = |method, path, body| plan(decide(&NOW, method, path, &key("small"), body)).is_ok();
    assert!(ask("GET", "/v1/models", "") && ask("DELETE", "/v1/files/f", ""));
    assert!(ask("GET", "/v1/realtime?model=o4-realtime", ""));
    for (method, path, body) in [
        ("POST", "/v1/batches", r#"{"model":"gpt-4o-mini"}"#),
        ("POST", "/v1/proxy/chat/completions", r#"{"model":"gpt-4o-mini"}"#),
        ("POST", "/v1/assistants", r#"{"model":"gpt-4o-mini"}"#),
        ("GET", "/v1/realtime", ""),
        ("GET", "/v1/realtime?model=gpt-realtime", ""),
        ("GET", "/v1/realtime?model=o4-realtime&mode%6c=gpt-realtime", ""),
    ] {
        assert!(!ask(method, path, body), "{method} {path}");
    }
    // What only looks like reading.
    for name in ["upgrade", "x-http-method-override"] {
        let pairs = [key("small")[0], (name, "websocket")];
        let path = "/v1/proxy/realtime?model=gpt-realtime";
        assert!(plan(decide(&NOW, "GET", path, &pairs, "")).is_err(), "{name}");
    }
    assert!(ask("GET", "/v1/proxy/models", ""));
    let form =
        [("x-portkey-virtual-key", "small"), ("content-type", "multipart/form-data; boundary=b")];
    assert!(plan(decide(&NOW, "POST", "/v1/audio/transcriptions", &form, "--b--")).is_err());
}

#[test]
fn strategies_pass_by_what_may_not_be_used() {
    let of = |mode: &str, targets: &str| {
        let config = format!(r#"{{"strategy":{{"mode":{mode}}},"targets":[{targets}]}}"#);
        chat(&NOW, &[("x-portkey-config", &config)], "m").map(|plan| targets_of(&plan))
    };
    fn targets_of(plan: &Plan) -> Vec<String> {
        plan.targets.iter().map(|target| target.cluster.clone()).collect()
    }
    let [off, old, open] =
        ["off", "old", "open"].map(|slug| format!(r#"{{"virtual_key":"{slug}"}}"#));
    let all = [off.as_str(), &old, &open].join(",");
    assert_eq!(of(r#""fallback""#, &all), Ok(vec!["vk.open".to_owned()]));
    assert_eq!(of(r#""loadbalance""#, &all), Ok(vec!["vk.open".to_owned()]));
    let wrong = of(r#""fallback","on_status_codes":[500]"#, &all).unwrap_err();
    assert!(wrong.starts_with("403 virtual_key_disabled_error"), "{wrong}");
    let none = of(r#""loadbalance""#, &format!("{off},{old}")).unwrap_err();
    assert!(none.starts_with("403 virtual_key_disabled_error"), "{none}");
    // Envoy's own split would go to the one that has expired.
    let split = decide(&NOW, "POST", "/v1/chat/completions", &[], r#"{"model":"m"}"#);
    let Verdict::Forward(forward) = split else { panic!("{split:?}") };
    assert_eq!(forward.cluster, "vk.open");
}

#[test]
fn credentials_take_turns_and_those_that_rest_come_last() {
    let order = |random, cooling: &[&str]| {
        let plan = chat(&At(2000, random, cooling), &key("many"), "m").unwrap();
        let place = |cluster: &str| cluster.trim_start_matches("vk.many").to_owned();
        let order: Vec<String> = plan.targets.iter().map(|target| place(&target.cluster)).collect();
        let siblings: Vec<_> = plan.targets.iter().map(|target| target.sibling).collect();
        assert_eq!(siblings, [Some(1), Some(2), None]);
        (order.join(" "), plan.first)
    };
    assert_eq!(order(0, &[]), (" @2 @3".to_owned(), 0));
    assert_eq!(order(1, &[]), ("@2 @3 ".to_owned(), 0));
    assert_eq!(order(5, &[]), ("@3  @2".to_owned(), 0));
    assert_eq!(order(1, &["vk.many"]), ("@3 @2 ".to_owned(), 0));
    assert_eq!(order(0, &["vk.many", "vk.many@3"]), ("@2  @3".to_owned(), 0));
    assert_eq!(order(2, &["vk.many", "vk.many@2", "vk.many@3"]), ("@3  @2".to_owned(), 0));
}

#[test]
fn a_model_names_its_virtual_key() {
    let ask = |pairs: &[(&str, &str)], model| {
        chat(&NOW, pairs, model).map(|plan| targets(&plan).swap_remove(0))
    };
    let to =
        |cluster: &str, model: Option<&str>| Ok((cluster.to_owned(), model.map(str::to_owned)));
    assert_eq!(ask(&[], "@open/gpt-4o"), to("vk.open", Some("gpt-4o")));
    assert_eq!(ask(&[], "@open/org/model"), to("vk.open", Some("org/model")));
    let openai = [("x-portkey-provider", "openai")];
    assert_eq!(ask(&openai, "@open/gpt-4o"), to("vk.open", Some("gpt-4o")));
    assert_eq!(ask(&openai, "@none/gpt-4o"), to("provider.openai", None));
    assert_eq!(ask(&key("fixed"), "@open/gpt-4o-mini"), to("vk.fixed", Some("gpt-4o-mini")));
    let cloudflare = [("x-portkey-provider", "workers-ai"), ("authorization", "k")];
    let llama = "@cf/meta/llama-3";
    assert_eq!(ask(&cloudflare, llama), to("provider.workers-ai", None));
    let nothing = [("x-portkey-config", r#"{"request_timeout":1}"#)];
    let unknown = "400 invalid_request_error Invalid virtual key passed";
    assert_eq!(ask(&nothing, "@none/m"), Err(unknown.to_owned()));
    let refused = ask(&[], "@small/gpt-4o").unwrap_err();
    assert!(refused.contains("Model gpt-4o is not allowed"), "{refused}");
}

#[test]
fn a_model_of_override_params_names_its_virtual_key() {
    let ask = |config: &str, model: &str| {
        chat(&NOW, &[("x-portkey-config", config)], model).map(|plan| targets(&plan))
    };
    let to = |cluster: &str, model: &str| (cluster.to_owned(), Some(model.to_owned()));
    let fallback = r#"{"strategy":{"mode":"fallback"},"targets":[
        {"override_params":{"model":"@open/a"}},{"override_params":{"model":"@team/b"}},
        {"override_params":{"model":"@small/o4-c"}},
        {"virtual_key":"fixed","override_params":{"model":"@open/gpt-4o-mini"}}]}"#;
    assert_eq!(
        ask(fallback, "m"),
        Ok(vec![to("vk.open", "a"), to("vk.small", "o4-c"), to("vk.fixed", "gpt-4o-mini")])
    );
    let single = r#"{"override_params":{"model":"@open/a","x":1}}"#;
    assert_eq!(ask(single, "@small/m"), Ok(vec![to("vk.open", "a")]));
    let unknown = r#"{"targets":[{"override_params":{"model":"@none/a"}}]}"#;
    assert_eq!(ask(unknown, "m").unwrap_err(), "400 invalid_request_error Invalid config passed");
}

#[test]
fn a_model_of_the_query_names_its_virtual_key() {
    let ask = |path| plan(decide(&NOW, "GET", path, &[], ""));
    let plan = ask("/v1/realtime?a=1&model=%40open%2Fgpt-realtime&b").unwrap();
    assert_eq!(plan.path, "/v1/realtime?a=1&model=gpt-realtime&b");
    assert_eq!(plan.targets[0].cluster, "vk.open");
}

#[test]
fn a_callers_models_are_as_strict_as_a_virtual_keys() {
    let caller =
        r#""callers":{"keys":{"red":{"sha256":"HASH","models":["gpt-4o-mini","o4-*"]}}},"configs""#;
    let hash: String = {
        use sha2::{Digest, Sha256};
        Sha256::digest(b"k").iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let settings = SETTINGS
        .replace("\"configs\"", &caller.replace("HASH", &hash))
        .replace(r#","allowed_models":["mini"]"#, "");
    let ask = |method: &str, path: &str, pairs: &[(&str, &str)], body: &str| {
        let mut gateway = Gateway::new(Rc::new(Registry::parse(settings.as_bytes()).unwrap()));
        let basis = [(":method", method), (":path", path), ("x-portkey-api-key", "k")];
        let pairs = basis.iter().chain(pairs);
        let pairs = pairs.map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
        let headers = Headers::new(pairs.collect());
        let verdict = match gateway.on_request_headers(&NOW, headers, body.is_empty()) {
            Verdict::NeedBody => gateway.on_request_body(&NOW, body.as_bytes()),
            other => other,
        };
        plan(verdict).map(drop)
    };
    let chat = "/v1/chat/completions";
    let open = key("open");
    assert_eq!(ask("POST", chat, &open, r#"{"model":"o4-mini","messages":[]}"#), Ok(()));
    assert_eq!(ask("GET", "/v1/realtime?model=o4-x", &open, ""), Ok(()));
    assert_eq!(ask("GET", "/v1/proxy/models", &open, ""), Ok(()));
    let azure = [key("azure")[0], ("x-portkey-azure-deployment-id", "large")];
    let json = ("content-type", "application/json");
    let upgrade = [open[0], ("upgrade", "websocket")];
    for (method, path, pairs, body) in [
        ("POST", chat, &open[..], r#"{"model":"o4-mini","models":["gpt-4o"],"messages":[]}"#),
        ("POST", chat, &open, r#"{"model":"o4-mini","models":[1],"messages":[]}"#),
        ("POST", chat, &azure, r#"{"model":"o4-mini","messages":[]}"#),
        ("POST", "/v1/proxy/models/gpt-4o", &[open[0], json], r#"{"model":"o4-mini"}"#),
        ("POST", "/v1/batches", &[open[0], json], r#"{"model":"o4-mini"}"#),
        ("GET", "/v1/proxy/realtime?model=gpt-4o", &upgrade, ""),
        ("GET", "/v1/realtime?model=o4-x&model=gpt-4o", &open, ""),
    ] {
        let refused = ask(method, path, pairs, body).unwrap_err();
        assert!(refused.starts_with("403"), "{method} {path} {body}: {refused}");
    }
}

#[test]
fn what_may_not_be_used_is_not_listed() {
    let settings = SETTINGS.replace("/v1\"", "/v1\",\"listed\":true");
    let listed = |seconds| {
        let mut gateway = Gateway::new(Rc::new(Registry::parse(settings.as_bytes()).unwrap()));
        let pairs = [(":method", "GET"), (":path", "/v1/models")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        let headers = Headers::new(pairs.to_vec());
        let Verdict::Reply(reply) = gateway.on_request_headers(&At(seconds, 0, &[]), headers, true)
        else {
            panic!("no list");
        };
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        let names = body["data"].as_array().unwrap().iter().map(|one| one["id"].to_string());
        names.collect::<Vec<_>>().join(" ").replace('"', "")
    };
    assert_eq!(listed(2000), "openai workers-ai fixed many open small");
    assert_eq!(listed(999), "openai workers-ai fixed many old open small");
}
