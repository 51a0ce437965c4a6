use super::log::Traffic;
use super::*;
use crate::report::{Attempt, Position};

mod virtual_keys;

const SETTINGS: &str = r#"{"version":1,"role":"gateway","max_body_bytes":1000,"request_timeout":60000,
    "upstreams":{
        "provider.databricks":{"provider":"databricks",
            "base_url":"https://{databricks_workspace}.cloud.databricks.com/x"},
        "provider.openai":{"provider":"openai","base_url":"https://a.example/v1"},
        "vk.ws":{"provider":"databricks","base_url":"https://own.cloud.databricks.com/x",
            "settings":{"databricks_workspace":"own"}},
        "vk.a":{"provider":"openai","base_url":"http://a.example/v1","timeout":250,"listed":true},
        "vk.b":{"provider":"anthropic","base_url":"http://b.example/v1"}},
    "virtual_keys":{"a":{"clusters":["vk.a"]},"b":{"clusters":["vk.b"]},"ws":{"clusters":["vk.ws"]}},
    "custom_hosts":[{"host":"c.example"}],
    "default_config":"pc-weights",
    "configs":{"pc-split":{"strategy":{"mode":"loadbalance"},
        "targets":[{"virtual_key":"a","request_timeout":9},{"virtual_key":"b"}]},
        "pc-weights":{"strategy":{"mode":"loadbalance"},
        "targets":[{"provider":"openai"},{"virtual_key":"b"}]}}}"#;

const CHAT: &[u8] = br#"{"model":"m","messages":[]}"#;

/// Always the first choice; the named cluster is to be left alone.
struct Cooling(&'static str);

impl World for Cooling {
    fn random(&self) -> u64 {
        0
    }

    fn is_cooling(&self, cluster: &str) -> bool {
        cluster == self.0
    }

    fn now(&self) -> u64 {
        0
    }
}

fn headers(pairs: &[(&str, &str)]) -> Headers {
    let basis = [(":method", "POST"), (":path", "/v1/chat/completions"), ("x-request-id", "r-1")];
    let all = basis.iter().chain(pairs);
    Headers::new(all.map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect())
}

fn gateway() -> Gateway {
    Gateway::new(Rc::new(Registry::parse(SETTINGS.as_bytes()).unwrap()))
}

/// Asks for a chat completion; gives the gateway and what it decided.
fn ask(world: &Cooling, pairs: &[(&str, &str)]) -> (Gateway, Verdict) {
    let mut gateway = gateway();
    let verdict = match gateway.on_request_headers(world, headers(pairs), false) {
        Verdict::NeedBody => gateway.on_request_body(world, CHAT),
        other => other,
    };
    (gateway, verdict)
}

fn forwarded(world: &Cooling, pairs: &[(&str, &str)]) -> (Gateway, Forward, Plan) {
    match ask(world, pairs) {
        (gateway, Verdict::Forward(forward)) => {
            let plan = Plan::decode(&forward.plan).unwrap();
            (gateway, forward, plan)
        }
        (_, other) => panic!("{other:?}"),
    }
}

const CALM: Cooling = Cooling("");

#[test]
fn a_request_leaves_without_what_was_ours_or_the_callers() {
    let (_, forward, plan) = forwarded(
        &CALM,
        &[
            ("x-portkey-provider", "openai"),
            ("authorization", "Bearer k"),
            ("cookie", "c"),
            ("x-own", "o"),
            ("content-type", "application/json"),
            ("x-portkey-openai-beta", "b"),
        ],
    );
    assert_eq!(forward.cluster, "provider.openai");
    let names: Vec<&str> = forward.headers.iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            ":method",
            ":path",
            "x-request-id",
            "content-type",
            "x-envoy-max-retries",
            "x-envoy-upstream-rq-per-try-timeout-ms"
        ]
    );
    assert_eq!(forward.headers.text("x-envoy-max-retries"), Some("0"));
    let target = &plan.targets[0];
    assert_eq!(target.api_key.as_ref().unwrap().0, "k");
    assert_eq!(plan.headers, [("openai-beta".to_owned(), "b".to_owned())]);
    assert_eq!(plan.body_length, Some(CHAT.len() as u64));
}

#[test]
fn one_limit_is_envoys_and_several_take_the_hop() {
    let limit = |forward: &Forward| {
        forward.headers.text("x-envoy-upstream-rq-per-try-timeout-ms").map(str::to_owned)
    };
    let (_, forward, plan) = forwarded(&CALM, &[("x-portkey-virtual-key", "a")]);
    assert_eq!((limit(&forward).as_deref(), plan.targets[0].hop), (Some("250"), false));
    let config = r#"{"strategy":{"mode":"fallback"},"targets":[
        {"virtual_key":"a"},{"virtual_key":"b"},{"virtual_key":"b","request_timeout":9}]}"#;
    let (_, forward, plan) = forwarded(&CALM, &[("x-portkey-config", config)]);
    assert_eq!(
        (limit(&forward).as_deref(), forward.cluster.as_str()),
        (Some("60000"), "portkey.hop")
    );
    let hops: Vec<_> = plan.targets.iter().map(|target| (target.hop, target.timeout)).collect();
    assert_eq!(hops, [(true, 250), (false, 60000), (true, 9)]);
}

#[test]
fn a_key_that_cools_down_is_not_the_first() {
    let config =
        r#"{"strategy":{"mode":"fallback"},"targets":[{"virtual_key":"a"},{"virtual_key":"b"}]}"#;
    let config = [("x-portkey-config", config)];
    assert_eq!(forwarded(&CALM, &config).1.cluster, "portkey.hop");
    assert_eq!(forwarded(&Cooling("vk.a"), &config).1.cluster, "vk.b");
    let alone = [("x-portkey-virtual-key", "b")];
    assert_eq!(forwarded(&Cooling("vk.b"), &alone).1.cluster, "vk.b");
}

#[test]
fn envoy_splits_a_plain_saved_loadbalance_unless_a_target_cools_down() {
    let ask = |world, slug| forwarded(world, &[("x-portkey-config", slug)]);
    let (_, forward, plan) = ask(&CALM, "pc-weights");
    assert_eq!((forward.cluster.as_str(), plan.weighted), ("config.pc-weights", true));
    let (_, forward, plan) = ask(&Cooling("vk.b"), "pc-weights");
    assert_eq!((forward.cluster.as_str(), plan.weighted), ("provider.openai", false));
    let (_, forward, plan) = ask(&CALM, "pc-split");
    assert_eq!((forward.cluster.as_str(), plan.weighted), ("vk.a", false));
}

#[test]
fn a_request_that_names_nothing_gets_the_default() {
    assert_eq!(forwarded(&CALM, &[]).1.cluster, "config.pc-weights");
    assert_eq!(forwarded(&CALM, &[("x-portkey-provider", "openai")]).1.cluster, "provider.openai");
    assert_eq!(forwarded(&CALM, &[("x-portkey-virtual-key", "b")]).1.cluster, "vk.b");
}

#[test]
fn weighted_configs_that_retry_are_ours() {
    // Envoy would retry every reset and time-out there, whatever the statuses.
    let with = |retry: &str| {
        let settings = SETTINGS.replace(
            r#""targets":[{"provider":"openai"},{"virtual_key":"b"}]"#,
            &format!(
                r#""retry":{retry},"targets":[{{"provider":"openai"}},{{"virtual_key":"b"}}]"#
            ),
        );
        let registry = Rc::new(Registry::parse(settings.as_bytes()).unwrap());
        let mut gateway = Gateway::new(registry);
        gateway.on_request_headers(&CALM, headers(&[]), false);
        match gateway.on_request_body(&CALM, CHAT) {
            Verdict::Forward(forward) => forward.cluster,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(with(r#"{"attempts":0}"#), "config.pc-weights");
    assert_eq!(with(r#"{"attempts":2}"#), "provider.openai");
    assert_eq!(with(r#"{"attempts":2,"on_status_codes":[408,503]}"#), "config.pc-weights");
}

#[test]
fn what_callers_choose_is_bounded() {
    let names = |count: usize| (0..count).map(|n| format!("h{n}")).collect::<Vec<_>>().join(",");
    let provider = ("x-portkey-provider", "openai");
    let many = names(65);
    let (_, verdict) = ask(&CALM, &[provider, ("x-portkey-forward-headers", &many)]);
    assert!(matches!(verdict, Verdict::Reply(reply) if reply.details.contains("forward_headers")));
    let repeated = vec!["x-own"; 60].join(",");
    let pairs = [provider, ("x-portkey-forward-headers", &repeated), ("x-own", "o")];
    let plan = forwarded(&CALM, &pairs).2;
    assert_eq!(plan.targets[0].forwarded, [("x-own".to_owned(), "o".to_owned())]);
    for (depth, kept) in [(16, true), (17, false), (100, false)] {
        let metadata = format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        let (mut gateway, ..) = forwarded(&CALM, &[provider, ("x-portkey-metadata", &metadata)]);
        let record = gateway.on_log(&CALM, None, "via_upstream", Traffic::default()).record;
        assert_eq!(String::from_utf8_lossy(&record).contains("\"metadata\":{"), kept, "{depth}");
    }
}

#[test]
fn an_operators_key_is_not_for_a_callers_host() {
    let settings = SETTINGS.replace(
        r#""configs":{"#,
        r#""configs":{"pc-key":{"provider":"openai","api_key":"operators"},"#,
    );
    let registry = Rc::new(Registry::parse(settings.as_bytes()).unwrap());
    let mut gateway = Gateway::new(registry);
    let pairs = [("x-portkey-config", "pc-key"), ("x-portkey-custom-host", "https://c.example/v1")];
    gateway.on_request_headers(&CALM, headers(&pairs), false);
    let verdict = gateway.on_request_body(&CALM, CHAT);
    assert!(matches!(verdict, Verdict::Reply(reply) if reply.status == 400));
}

#[test]
fn custom_hosts_are_asked_of_the_list() {
    let host =
        |url| [("x-portkey-provider", "openai"), ("x-portkey-custom-host", url)].map(|pair| pair);
    let (_, forward, plan) = forwarded(&CALM, &host("https://c.example/v2"));
    assert_eq!(forward.cluster, "portkey.custom");
    assert_eq!(plan.targets[0].custom_host.as_deref(), Some("https://c.example/v2"));
    for url in ["https://d.example", "ftp://c.example", "http://127.0.0.1", "envoy://demo"] {
        let (_, verdict) = ask(&CALM, &host(url));
        let Verdict::Reply(reply) = verdict else { panic!("{url}: {verdict:?}") };
        assert!(reply.details.contains("custom_host"), "{url}: {}", reply.details);
    }
}

#[test]
fn settings_come_from_the_operator_then_the_config_then_the_headers_that_name_the_provider() {
    let header = ("x-portkey-databricks-workspace", "header");
    let own = ("x-portkey-config", r#"{"provider":"databricks","databricks_workspace":"own-1"}"#);
    let camel = ("x-portkey-config", r#"{"databricksWorkspace":"own-2"}"#);
    let databricks = ("x-portkey-provider", "databricks");
    for (pairs, workspace) in [
        ([databricks, header], "header"),
        ([own, header], "own-1"),
        ([camel, databricks], "own-2"),
        ([("x-portkey-virtual-key", "ws"), header], "own"),
    ] {
        let (.., plan) = forwarded(&CALM, &pairs);
        let settings = &plan.targets[0].settings;
        assert_eq!(settings.get("databricks_workspace"), Some(workspace), "{pairs:?}");
    }
    let not_named_by_headers = r#"{"provider":"databricks"}"#;
    for (pairs, code) in [
        ([databricks, ("x-own", "o")], "missing_setting"),
        ([("x-portkey-config", not_named_by_headers), header], "missing_setting"),
        ([databricks, ("x-portkey-databricks-workspace", "a.evil.example/")], "invalid_setting"),
        ([("x-portkey-config", r#"{"databricks_workspace":7}"#), databricks], "invalid_config"),
    ] {
        let (_, verdict) = ask(&CALM, &pairs);
        let Verdict::Reply(reply) = verdict else { panic!("{pairs:?}: {verdict:?}") };
        assert!(reply.status == 400 && reply.details.contains(code), "{}", reply.details);
    }
    // The place is another one: the account does not matter.
    let host = ("x-portkey-custom-host", "https://c.example/v2");
    assert_eq!(forwarded(&CALM, &[databricks, host]).1.cluster, "portkey.custom");
}

/// The answer for an attempt's end as Envoy tells it.
fn respond(
    gateway: &mut Gateway,
    details: &str,
    report: &Report,
    pairs: &[(&str, &str)],
) -> (Option<Reply>, Headers) {
    let owned = pairs.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
    let mut map = Headers::new(owned.collect());
    let reply =
        gateway.on_response_headers(&CALM, details, Some(&report.encode()), &mut map, false);
    (reply, map)
}

#[test]
fn the_answer_tells_which_target_it_is_from() {
    let config = r#"{"strategy":{"mode":"fallback"},"targets":[
        {"virtual_key":"a"},{"virtual_key":"b","retry":{"attempts":2}}]}"#;
    let pairs = [("x-portkey-config", config), ("x-portkey-debug", "true")];
    let attempt = |target, tries, status| Attempt {
        at: Position { target, tries },
        status,
        ms: 5,
        started: 0,
        answered: true,
    };
    let attempts = vec![attempt(0, 1, 500), attempt(1, 1, 429), attempt(1, 2, 200)];
    let report = Report { attempts, ..Report::default() };
    let (mut gateway, ..) = forwarded(&CALM, &pairs);
    let good = [(":status", "200"), ("x-portkey-retry", "1"), ("x-own", "o")];
    let (reply, headers) = respond(&mut gateway, "via_upstream", &report, &good);
    assert!(reply.is_none());
    for (name, value) in [
        ("x-portkey-provider", Some("anthropic")),
        ("x-portkey-last-used-option-index", Some("config.targets[1]")),
        ("x-portkey-retry-attempt-count", Some("1")),
        ("x-portkey-trace-id", Some("r-1")),
        (
            "x-portkey-attempts",
            Some("config.targets[0]=500 5ms, config.targets[1]=429 5ms, config.targets[1]=200 5ms"),
        ),
        ("x-portkey-retry", None),
        ("x-own", Some("o")),
    ] {
        assert_eq!(headers.text(name), value, "{name}");
    }
}

#[test]
fn answers_of_envoy_and_of_the_dead_end_become_ours() {
    let attempts = vec![Attempt {
        at: Position { target: 0, tries: 1 },
        status: 408,
        ms: 5,
        started: 0,
        answered: true,
    }];
    let timed_out = Report { attempts, ..Report::default() };
    let stopped = [(":status", "503"), ("x-portkey-local", "STOP")];
    for (details, report, pairs, status, code) in [
        (
            "no_healthy_upstream",
            Report::default(),
            [(":status", "503")].as_slice(),
            503,
            "no_healthy_upstream",
        ),
        ("via_upstream", timed_out, &stopped, 408, "request_timeout"),
        ("via_upstream", Report::default(), &stopped, 503, "upstream_unreachable"),
    ] {
        let (mut gateway, ..) = forwarded(&CALM, &[("x-portkey-virtual-key", "a")]);
        let reply = respond(&mut gateway, details, &report, pairs).0.unwrap();
        assert_eq!(reply.status, status);
        assert!(reply.details.contains(code), "{}", reply.details);
        // A reply comes by once more on its way out.
        assert!(respond(&mut gateway, "portkey:x:y", &report, pairs).0.is_none());
    }
}

#[test]
fn a_stream_that_breaks_off_is_told_by_what_envoy_says_at_the_end() {
    for (details, code) in [
        ("upstream_reset_after_response_started{remote_reset}", Some("upstream_reset")),
        ("upstream_per_try_idle_timeout", Some("upstream_timeout")),
        ("stream_idle_timeout", Some("upstream_timeout")),
        ("via_upstream", None),
        ("downstream_remote_disconnect", None),
    ] {
        let (mut gateway, ..) = forwarded(&Cooling(""), &[("x-portkey-virtual-key", "a")]);
        let record = gateway.on_log(&CALM, None, details, Traffic::default()).record;
        let record = String::from_utf8_lossy(&record);
        let error = code.map_or("null".to_owned(), |code| format!("\"{code}\""));
        assert!(record.contains(&format!("\"error_type\":{error}")), "{details}: {record}");
    }
}

#[test]
fn a_websocket_is_not_waited_for_and_has_no_length() {
    let upgrade = |method: &str, path: &str| {
        let mut map = headers(&[
            ("x-portkey-virtual-key", "a"),
            ("content-type", "application/json"),
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
        ]);
        map.set(":method", method);
        map.set(":path", path);
        let mut gateway = gateway();
        let verdict = gateway.on_request_headers(&CALM, map, false);
        (gateway, verdict)
    };
    let (mut socket, verdict) = upgrade("GET", "/v1/realtime?model=m");
    let Verdict::Forward(forward) = verdict else { panic!("{verdict:?}") };
    assert!(forward.upgrades);
    assert_eq!(forward.headers.text("upgrade"), Some("websocket"));
    assert!((0..3).all(|_| socket.on_request_bytes(usize::MAX >> 2).is_none()));
    for (method, path) in [("POST", "/v1/chat/completions"), ("GET", "/v1/files")] {
        match upgrade(method, path).1 {
            Verdict::Reply(reply) => assert_eq!(reply.status, 400, "{path}"),
            other => panic!("{other:?}"),
        }
    }
}
