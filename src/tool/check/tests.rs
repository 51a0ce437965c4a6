//! What is said of a bad gateway.yaml, and what a good one becomes.

use super::*;
use crate::tool::model::{Credential, Log, Origin, Sink};

fn environment(name: &str) -> Option<String> {
    match name {
        "KEY" => Some("sk-env".to_owned()),
        "EMPTY" => Some(String::new()),
        "LINES" => Some("sk-a\nsk-b".to_owned()),
        _ => None,
    }
}

fn problems(yaml: &str) -> Vec<String> {
    check(yaml, &environment).err().map(|rejected| rejected.problems).unwrap_or_default()
}

fn key(rest: &str) -> String {
    format!("virtual_keys: {{k: {{provider: openai, {rest}}}}}")
}

#[test]
fn every_problem_has_its_path() {
    let slug = "a slug is 1 to 64 letters, digits, \".\", \"_\" and \"-\", \
                and begins with a letter or digit";
    let day = "must be from 1 to 86400000";
    let size = "must be a number of bytes or such as \"64KiB\", at most \"1GiB\"";
    let cases: &[(&str, &str)] = &[
        ("- a", "must be a mapping, not a list"),
        ("listn: 127.0.0.1:1", "listn: unknown key, did you mean \"listen\"?"),
        ("zzz: 1", "zzz: unknown key"),
        ("\"a b\": 1", "\"a b\": unknown key"),
        ("listen: 8787", "listen: must be text, not a number"),
        (
            "listen: localhost:8787",
            "listen: must be an IP address and a port, such as 127.0.0.1:8787",
        ),
        ("listen: 1.2.3.4:0", "listen: must be an IP address and a port, such as 127.0.0.1:8787"),
        ("admin: \"\"", "admin: must not be empty"),
        (
            "admin: 0.0.0.0:9901",
            "admin: must be a loopback address: whoever reaches it controls the gateway",
        ),
        ("admin: 127.0.0.1:8787", "admin: must differ from listen"),
        (
            "configs: {c: {provider: openai, api_key: sk}}",
            "configs.c.api_key: a saved config holds no key: use a virtual key",
        ),
        (
            "default_config: pc-a\nconfigs: {pc-b: {provider: demo}}",
            "default_config: unknown config \"pc-a\", did you mean \"pc-b\"?",
        ),
        (
            "dns_resolvers: [10.0.0.53, ns.example]",
            "dns_resolvers[1]: must be an IP address, also with a port, such as 10.0.0.53:53",
        ),
        ("concurrency: 0", "concurrency: must be from 1 to 1024"),
        ("concurrency: two", "concurrency: must be a whole number, not text"),
        ("providers: [openai]", "providers: must be a mapping, not a list"),
        (
            "providers: {opnai: {}}",
            "providers.opnai: unknown provider \"opnai\", did you mean \"openai\"?",
        ),
        ("providers: {xyz: {}}", "providers.xyz: unknown provider \"xyz\""),
        (
            "providers: {palm: {}}",
            "providers.palm: palm is not supported yet: Google has switched it off",
        ),
        (
            "providers: {openai: {baseurl: x}}",
            "providers.openai.baseurl: unknown key, did you mean \"base_url\"?",
        ),
        (
            "providers: {openai: {base_url: api.openai.com}}",
            "providers.openai.base_url: must begin with http:// or https://",
        ),
        (
            "providers: {openai: {base_url: \"envoy://demo/v1\"}}",
            "providers.openai.base_url: must begin with http:// or https://",
        ),
        (
            "providers: {openai: {base_url: \"http://a:0/\"}}",
            "providers.openai.base_url: the port must be a number from 1 to 65535",
        ),
        ("providers: {openai: {timeout: 0}}", "providers.openai.timeout: @day"),
        ("providers: {openai: {timeout: -5}}", "providers.openai.timeout: @day"),
        (
            "providers: {openai: {timeout: 1.5}}",
            "providers.openai.timeout: must be a whole number, not a fraction",
        ),
        (
            "providers: {openai: {headers: {\"a b\": c}}}",
            "providers.openai.headers.\"a b\": this is no header name",
        ),
        (
            "providers: {openai: {headers: {X-Portkey-Config: c}}}",
            "providers.openai.headers.X-Portkey-Config: the gateway sets this header itself",
        ),
        (
            "providers: {openai: {headers: {Host: c}}}",
            "providers.openai.headers.Host: the gateway sets this header itself",
        ),
        (
            "providers: {openai: {headers: {a: \"x\\ny\"}}}",
            "providers.openai.headers.a: a header value holds no control characters",
        ),
        (
            "providers: {openai: {headers: {a: 1, A: 2}}}",
            "providers.openai.headers.A: this header is there twice",
        ),
        (
            "providers: {openai: {headers: {a: [x]}}}",
            "providers.openai.headers.a: must be text, not a list",
        ),
        ("virtual_keys: {-k: {provider: demo}}", "virtual_keys.-k: @slug"),
        ("virtual_keys: {\"a/b\": {provider: demo}}", "virtual_keys.\"a/b\": @slug"),
        ("virtual_keys: {k: {api_key: x}}", "virtual_keys.k: needs a provider"),
        (
            "virtual_keys: {k: {provider: opnai, api_key: x}}",
            "virtual_keys.k.provider: unknown provider \"opnai\", did you mean \"openai\"?",
        ),
        ("virtual_keys: {k: {provider: openai}}", "virtual_keys.k: needs an api_key"),
        (
            "virtual_keys: {k: {provider: demo, api_key: x}}",
            "virtual_keys.k.api_key: demo takes no key",
        ),
        ("@api_key: \"\"", "virtual_keys.k.api_key: must not be empty"),
        ("@api_keys: []", "virtual_keys.k.api_keys: must be from 1 to 16 keys"),
        ("@api_keys: k", "virtual_keys.k.api_keys: must be a list, not text"),
        (
            "@api_keys: [k, \"${NOPE}\"]",
            "virtual_keys.k.api_keys[1]: the environment variable NOPE is not set",
        ),
        (
            "@api_key: k, api_keys: [l]",
            "virtual_keys.k.api_keys: only one of api_key, api_keys, entra, oauth2 may be there",
        ),
        ("@api_key: k, allowed_models: []", "virtual_keys.k.allowed_models: must not be empty"),
        (
            "@api_key: k, allowed_models: ['g*-x']",
            "virtual_keys.k.allowed_models: a * stands at the end of a name",
        ),
        (
            "@api_key: k, expires_at: soon",
            "virtual_keys.k.expires_at: must be such as 2026-12-31 or 2026-12-31T23:59:59Z",
        ),
        (
            "@api_key: k, disabled: 1",
            "virtual_keys.k.disabled: must be true or false, not a number",
        ),
        (
            "@api_key: k, override_params: []",
            "virtual_keys.k.override_params: must be a mapping, not a list",
        ),
        (
            "@api_key: k, allowed_callers: [a]",
            "virtual_keys.k.allowed_callers: no caller is known by name: there are neither api_keys nor jwt",
        ),
        ("@api_key: 1234", "virtual_keys.k.api_key: must be text, not a number"),
        (
            "@api_key: \"${NOPE}\"",
            "virtual_keys.k.api_key: the environment variable NOPE is not set",
        ),
        ("@api_key: \"${EMPTY}\"", "virtual_keys.k.api_key: the key is empty"),
        ("@api_key: \"${LINES}\"", "virtual_keys.k.api_key: the key holds a control character"),
        ("@api_key: \"sk-${KEY}\"", "virtual_keys.k.api_key: ${...} must be the whole value"),
        ("@api_key: \"${KEY}x\"", "virtual_keys.k.api_key: ${...} must be the whole value"),
        ("@api_key: \" sk\"", "virtual_keys.k.api_key: the key begins or ends with a blank"),
        (
            "@api_key: \"file:/nonexistent/key\"",
            "virtual_keys.k.api_key: /nonexistent/key cannot be read: \
             No such file or directory (os error 2)",
        ),
        (
            "@api_key: x, default_params: [1]",
            "virtual_keys.k.default_params: must be a mapping, not a list",
        ),
        ("configs: {pc-a: text}", "configs.pc-a: must be a mapping, not text"),
        ("configs: {\"\": {}}", "configs.\"\": @slug"),
        (
            "configs: {pc-a: {provider: opnai}}",
            "configs.pc-a.provider: unknown provider \"opnai\", did you mean \"openai\"?",
        ),
        (
            "configs: {pc-a: {targets: [{provider: demo}, {targets: [{virtual_key: k}]}]}}",
            "configs.pc-a.targets[1].targets[0].virtual_key: unknown virtual key \"k\"",
        ),
        (
            "virtual_keys: {demo-1: {provider: demo}}\n\
             configs: {pc-a: {provider: \"@demo-2/gpt\"}}",
            "configs.pc-a.provider: unknown virtual key \"demo-2\", did you mean \"demo-1\"?",
        ),
        ("configs: {pc-a: {targets: {}}}", "configs.pc-a.targets: must be a list, not a mapping"),
        (
            "configs: {pc-a: {targets: [{provider: demo, retry: {attempts: x}}]}}",
            "configs.pc-a.targets[0].retry.attempts: Expected number, received string",
        ),
        ("logs: {type: stdout}", "logs: must be a list, not a mapping"),
        (
            "logs: [{path: a}]",
            "logs[0]: needs a type: one of file, stdout, opentelemetry, grpc, fluentd",
        ),
        ("logs: [{type: file}]", "logs[0]: needs path"),
        ("logs: [{type: stdout, path: a}]", "logs[0].path: a log of type stdout has none"),
        (
            "logs: [{type: stdout}, {type: fil}]",
            "logs[1].type: unknown type \"fil\", did you mean \"file\"?",
        ),
        ("limits: {idle_timeout: 0}", "limits.idle_timeout: @day"),
        ("limits: {request_timeout: 86400001}", "limits.request_timeout: @day"),
        ("limits: {request_body: 10MB}", "limits.request_body: @size"),
        ("log_bodies: {max_bytes: 0}", "log_bodies.max_bytes: must be from 1 to 1048576"),
        (
            "log_bodies: {max_bytes: 2MiB}",
            "log_bodies.max_bytes: must be a number of bytes or such as \"64KiB\", at most \"1MiB\"",
        ),
        ("log_bodies: {redact: ['']}", "log_bodies.redact[0]: must not be empty"),
        ("log_bodies: {default: 1}", "log_bodies.default: must be true or false, not a number"),
        (
            "api_keys: {a: {key: k, log_bodies: true}}",
            "api_keys.a.log_bodies: bodies are logged where the file has log_bodies only",
        ),
        ("limits: {request_body: 2GiB}", "limits.request_body: @size"),
        ("limits: {request_body: 0}", "limits.request_body: must be from 1 to 1073741824"),
        (
            "a: [1",
            "did not find expected ',' or ']' at line 2 column 1, while parsing a flow sequence at line 1 column 4",
        ),
    ];
    for (yaml, expected) in cases {
        let yaml = yaml.strip_prefix('@').map_or_else(|| (*yaml).to_owned(), key);
        let expected = match expected.rsplit_once('@') {
            Some((path, "day")) => format!("{path}{day}"),
            Some((path, "slug")) => format!("{path}{slug}"),
            Some((path, "size")) => format!("{path}{size}"),
            _ => (*expected).to_owned(),
        };
        assert_eq!(problems(&yaml), [expected], "{yaml}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let yaml = "listen: x\nproviders: {opnai: {}}\nlimits: {connect_timeout: 0}\nvirtual_keys:\n  \
                a: {provider: openai, api_key: \"${NOPE}\", timeout: 0}\nconfigs: {c: {virtual_key: a}}";
    let paths: Vec<String> = problems(yaml)
        .iter()
        .map(|line| line.split(": ").next().unwrap_or_default().to_owned())
        .collect();
    let expected = [
        "listen",
        "providers.opnai",
        "virtual_keys.a.timeout",
        "virtual_keys.a.api_key",
        "limits.connect_timeout",
    ];
    let sorted = |mut list: Vec<String>| {
        list.sort();
        list
    };
    assert_eq!(sorted(paths), sorted(expected.map(str::to_owned).to_vec()));
}

#[test]
fn nothing_said_means_the_defaults() {
    for yaml in ["", "# only a comment", "listen:\nproviders: {}\n"] {
        let gateway = check(yaml, &environment).unwrap();
        assert_eq!(gateway.listen, "127.0.0.1:8787".parse().unwrap());
        assert_eq!(gateway.admin, "127.0.0.1:9901".parse().unwrap());
        assert_eq!(gateway.limits, Limits::default());
        let file = std::path::absolute("portkey-access.jsonl").unwrap();
        assert_eq!(gateway.logs, [Log { sink: Sink::File(file), only: None }]);
        assert!(gateway.concurrency > 0);
    }
}

#[test]
fn what_is_said_is_taken() {
    let yaml = "listen: \"[::1]:80\"\nconcurrency: 3\nlogs: []\n\
        limits: {request_body: 64KiB, idle_timeout: 9}\n\
        providers: {openai: {headers: {X-A: 7}}, anthropic: }\n\
        virtual_keys:\n  a: {provider: openai, api_key: \"${KEY}\", \
        default_params: {z: 0.10, a: 12345678901234567890123}}\n  b: {provider: demo}\n\
        configs: {pc-1: {targets: [{provider: \"@a/gpt-4o\"}, {virtual_key: b}], id: 1}}";
    let gateway = check(yaml, &environment).unwrap();
    assert_eq!(gateway.listen, "[::1]:80".parse().unwrap());
    assert_eq!((gateway.concurrency, gateway.logs.len()), (3, 0));
    assert_eq!((gateway.limits.request_body, gateway.limits.idle_timeout), (65536, 9));
    assert_eq!(gateway.providers["openai"].headers["x-a"], "7");
    assert!(gateway.providers.contains_key("anthropic"));
    let key = &gateway.virtual_keys["a"];
    let [Credential::Held(Origin::Given(secret))] = key.credentials.as_slice() else {
        panic!("{key:?}")
    };
    assert_eq!(secret.reveal(), "sk-env");
    assert_eq!(format!("{:?}", key.credentials), "[Held(Given(***))]");
    let params = key.default_params.as_ref().unwrap().get();
    assert_eq!(params, r#"{"z":0.1,"a":12345678901234567890123}"#);
    let config = gateway.configs["pc-1"].get();
    assert_eq!(config, r#"{"targets":[{"provider":"@a/gpt-4o"},{"virtual_key":"b"}],"id":1}"#);
}

#[test]
fn settings_are_checked_and_a_key_needs_those_of_its_place() {
    for (yaml, expected) in [
        (
            "virtual_keys: {k: {provider: databricks, api_key: sk}}",
            "virtual_keys.k: needs databricks_workspace, or a base_url",
        ),
        (
            "providers: {databricks: {databricks_workspace: a.evil.example/}}",
            "providers.databricks.databricks_workspace: \
             must be letters, digits and inner \"-\", at most 63",
        ),
        (
            "providers: {openai: {databricks_workspace: a}}",
            "providers.openai.databricks_workspace: unknown key",
        ),
    ] {
        assert_eq!(problems(yaml), [expected], "{yaml}");
    }
    for settings in [
        "databricks_workspace: adb-1",
        "base_url: \"http://127.0.0.1:1\"",
        "}}\nproviders: {databricks: {databricks_workspace: 7",
    ] {
        let yaml = "virtual_keys: {k: {provider: databricks, api_key: sk, SETTINGS}}";
        let yaml = yaml.replace("SETTINGS", settings);
        assert_eq!(problems(&yaml), [""; 0], "{settings}");
    }
}

#[test]
fn a_key_file_loses_its_last_line_break_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    let path = path.to_str().unwrap();
    let yaml = key(&format!("api_key: \"file:{path}\""));
    for (text, expected) in [
        ("sk-1", Ok("sk-1")),
        ("sk-1\n", Ok("sk-1")),
        ("sk-1\r\n", Ok("sk-1")),
        ("sk-1\n\n", Err("the key holds a control character")),
        ("\n", Err("the key is empty")),
        ("", Err("the key is empty")),
    ] {
        std::fs::write(path, text).unwrap();
        let result = check(&yaml, &environment);
        match expected {
            Ok(key) => {
                let gateway = result.unwrap();
                let credentials = &gateway.virtual_keys["k"].credentials;
                let [Credential::Held(Origin::Given(secret))] = credentials.as_slice() else {
                    panic!("{credentials:?}")
                };
                assert_eq!(secret.reveal(), key);
                assert_eq!(gateway.secret_files, [PathBuf::from(path)]);
            }
            Err(message) => {
                let rejected = result.unwrap_err();
                assert_eq!(rejected.problems, [format!("virtual_keys.k.api_key: {message}")]);
                assert_eq!(rejected.secret_files, [PathBuf::from(path)]);
            }
        }
    }
}

#[test]
fn no_message_shows_a_key() {
    for key_text in ["sk-very-secret\\n", "sk-very-secret${X}", " sk-very-secret"] {
        for line in problems(&key(&format!("api_key: \"{key_text}\""))) {
            assert!(!line.contains("very-secret"), "{line}");
        }
    }
}
