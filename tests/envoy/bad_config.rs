//! Configs that make no sense: each is refused with a 400 that says what is wrong and where, and no
//! upstream is asked.

use super::support::client::Response;
use super::support::gateway::Gateway;
use super::support::upstream::{Upstream, json};
use super::{CHAT, COMPLETION, virtual_keys};
use portkey_envoy::config::portkeys;

/// A config, `error.param`, and all of `errors`.
const INVALID: &[(&str, &str, &[&str])] = &[
    ("[]", "config", &["path: , message: Expected object, received array"]),
    (r#""x""#, "config", &["path: , message: Expected object, received string"]),
    (
        r#"{"provider":"opnai"}"#,
        "config.provider",
        &[r#"path: provider, message: Invalid 'provider' value: there is no provider "opnai""#],
    ),
    (
        r#"{"provider":"openai"}"#,
        "config",
        &[
            "path: , message: Invalid configuration. It must have either 'provider' and 'api_key', or 'strategy' and 'targets', or 'cache', or 'retry', or 'request_timeout'",
        ],
    ),
    (
        r#"{"provider":7}"#,
        "config.provider",
        &["path: provider, message: Expected string, received number"],
    ),
    (
        r#"{"virtual_key":"nobody"}"#,
        "config.virtual_key",
        &[r#"path: virtual_key, message: there is no virtual key "nobody""#],
    ),
    (
        r#"{"provider":"@nobody"}"#,
        "config.provider",
        &[r#"path: provider, message: there is no virtual key "nobody""#],
    ),
    (
        r#"{"strategy":{"mode":"round-robin"},"targets":[{"virtual_key":"oai"}]}"#,
        "config.strategy.mode",
        &[
            "path: strategy,mode, message: Invalid 'mode' value. Must be one of: single, loadbalance, fallback, conditional",
        ],
    ),
    (
        r#"{"strategy":{},"targets":[{"virtual_key":"oai"}]}"#,
        "config.strategy.mode",
        &["path: strategy,mode, message: Required"],
    ),
    (
        r#"{"strategy":"fallback","targets":[{"virtual_key":"oai"}]}"#,
        "config.strategy",
        &["path: strategy, message: Expected object, received string"],
    ),
    (
        r#"{"strategy":{"mode":"fallback"}}"#,
        "config",
        &["path: , message: a strategy needs 'targets'"],
    ),
    (
        r#"{"strategy":{"mode":"fallback"},"targets":[]}"#,
        "config.targets",
        &["path: targets, message: must not be empty"],
    ),
    (
        r#"{"strategy":{"mode":"fallback"},"targets":{"virtual_key":"oai"}}"#,
        "config.targets",
        &["path: targets, message: Expected array, received object"],
    ),
    (
        r#"{"strategy":{"mode":"fallback"},"targets":["oai"]}"#,
        "config.targets[0]",
        &["path: targets,0, message: Expected object, received string"],
    ),
    (
        r#"{"strategy":{"mode":"fallback"},"targets":[{"virtual_key":"oai"},{}]}"#,
        "config.targets[1]",
        &[
            "path: targets,1, message: Invalid configuration. It must have either 'provider' and 'api_key', or 'strategy' and 'targets', or 'cache', or 'retry', or 'request_timeout'",
        ],
    ),
    (
        r#"{"strategy":{"mode":"fallback"},"targets":[{"virtual_key":"oai"},{"virtual_key":"nobody"}]}"#,
        "config.targets[1].virtual_key",
        &[r#"path: targets,1,virtual_key, message: there is no virtual key "nobody""#],
    ),
    (
        r#"{"strategy":{"mode":"fallback","on_status_codes":429},"targets":[{"virtual_key":"oai"}]}"#,
        "config.strategy.on_status_codes",
        &["path: strategy,on_status_codes, message: Expected array, received number"],
    ),
    (
        r#"{"strategy":{"mode":"fallback","on_status_codes":[42]},"targets":[{"virtual_key":"oai"}]}"#,
        "config.strategy.on_status_codes",
        &["path: strategy,on_status_codes, message: must be a list of HTTP statuses"],
    ),
    (
        r#"{"strategy":{"mode":"fallback","on_content_policy":"no"},"targets":[{"virtual_key":"oai"}]}"#,
        "config.strategy.on_content_policy",
        &["path: strategy,on_content_policy, message: Expected boolean, received string"],
    ),
    (
        r#"{"strategy":{"mode":"loadbalance"},"targets":[{"virtual_key":"oai","weight":-1},{"virtual_key":"ant"}]}"#,
        "config.targets[0].weight",
        &["path: targets,0,weight, message: must be from 0 to 1000000000"],
    ),
    (
        r#"{"strategy":{"mode":"loadbalance"},"targets":[{"virtual_key":"oai","weight":"1"}]}"#,
        "config.targets[0].weight",
        &["path: targets,0,weight, message: Expected number, received string"],
    ),
    (
        r#"{"strategy":{"mode":"loadbalance"},"targets":[{"virtual_key":"oai","weight":0},{"virtual_key":"ant","weight":0}]}"#,
        "config.targets",
        &["path: targets, message: need a weight above 0"],
    ),
    (
        r#"{"strategy":{"mode":"loadbalance","sticky":{"hash_fields":["user"]}},"targets":[{"virtual_key":"oai"}]}"#,
        "config.strategy.sticky.hash_fields",
        &[
            r#"path: strategy,sticky,hash_fields, message: hash_fields must start with "metadata.", "params.", or "headers.""#,
        ],
    ),
    (
        r#"{"virtual_key":"oai","retry":{}}"#,
        "config.retry.attempts",
        &["path: retry,attempts, message: Required"],
    ),
    (
        r#"{"virtual_key":"oai","retry":{"attempts":"3"}}"#,
        "config.retry.attempts",
        &["path: retry,attempts, message: Expected number, received string"],
    ),
    (
        r#"{"virtual_key":"oai","retry":{"attempts":-1}}"#,
        "config.retry.attempts",
        &["path: retry,attempts, message: must be a whole number"],
    ),
    (
        r#"{"virtual_key":"oai","retry":3}"#,
        "config.retry",
        &["path: retry, message: Expected object, received number"],
    ),
    (
        r#"{"virtual_key":"oai","retry":{"attempts":1,"on_status_codes":["5xx"]}}"#,
        "config.retry.on_status_codes[0]",
        &["path: retry,on_status_codes,0, message: Expected number, received string"],
    ),
    (
        r#"{"virtual_key":"oai","request_timeout":0}"#,
        "config.request_timeout",
        &["path: request_timeout, message: must be a whole number of milliseconds, at least 1"],
    ),
    (
        r#"{"virtual_key":"oai","request_timeout":"1s"}"#,
        "config.request_timeout",
        &["path: request_timeout, message: Expected number, received string"],
    ),
    (
        r#"{"virtual_key":"oai","first_token_timeout":1.5}"#,
        "config.first_token_timeout",
        &["path: first_token_timeout, message: must be a whole number of milliseconds, at least 1"],
    ),
    (
        r#"{"virtual_key":"oai","stream_hold":"forever"}"#,
        "config.stream_hold",
        &["path: stream_hold, message: must be one of: first_content, none, complete"],
    ),
    (
        r#"{"virtual_key":"oai","override_params":[]}"#,
        "config.override_params",
        &["path: override_params, message: must be a JSON object"],
    ),
    (
        r#"{"virtual_key":"oai","drop_params":"user"}"#,
        "config.drop_params",
        &["path: drop_params, message: Expected array, received string"],
    ),
    (
        r#"{"virtual_key":"oai","forward_headers":"x-own"}"#,
        "config.forward_headers",
        &["path: forward_headers, message: Expected array, received string"],
    ),
    (
        r#"{"virtual_key":"oai","strict_open_ai_compliance":"no"}"#,
        "config.strict_open_ai_compliance",
        &["path: strict_open_ai_compliance, message: Expected boolean, received string"],
    ),
    (
        r#"{"strategy":{"mode":"conditional","conditions":[{"query":{"metadata.a":1}}]},"targets":[{"name":"a","virtual_key":"oai"}]}"#,
        "config.strategy.conditions[0].then",
        &["path: strategy,conditions,0,then, message: Required"],
    ),
    (
        r#"{"strategy":{"mode":"conditional","conditions":[{"query":{"user":1},"then":"a"}]},"targets":[{"name":"a","virtual_key":"oai"}]}"#,
        "config.strategy.conditions[0].query.user",
        &[
            "path: strategy,conditions,0,query,user, message: must begin with metadata., params. or url.",
        ],
    ),
    (
        r#"{"strategy":{"mode":"conditional","conditions":[{"query":{"metadata.a":{"$regex":"("}},"then":"a"}]},"targets":[{"name":"a","virtual_key":"oai"}]}"#,
        "config.strategy.conditions[0].query.metadata.a.$regex",
        &[
            "path: strategy,conditions,0,query,metadata,a,$regex, message: must be a short regular expression without look-around and back-references",
        ],
    ),
    (
        r#"{"strategy":{"mode":"conditional","conditions":[{"query":{"metadata.a":{"$in":1}},"then":"a"}],"default":"z"},"targets":[{"name":"a","virtual_key":"oai"}]}"#,
        "config.strategy.conditions[0].query.metadata.a.$in",
        &[
            "path: strategy,conditions,0,query,metadata,a,$in, message: must be a list",
            "path: strategy, message: Invalid target name found in the query router: z",
        ],
    ),
    (
        r#"{"request_timeout":0,"retry":{"attempts":"x"},"provider":"opnai"}"#,
        "config.provider",
        &[
            r#"path: provider, message: Invalid 'provider' value: there is no provider "opnai""#,
            "path: retry,attempts, message: Expected number, received string",
            "path: request_timeout, message: must be a whole number of milliseconds, at least 1",
        ],
    ),
];

/// A config that is wrong in a way for which Portkey has words of its own: the config, `message`,
/// `error.param`, `error.message`.
const IN_PORTKEYS_WORDS: &[(&str, &str, &str, &str)] = &[
    (
        "{",
        "Invalid config passed. You need to pass a valid json",
        "x-portkey-config",
        "Invalid config passed. You need to pass a valid json",
    ),
    (
        r#"{"strategy":{"mode":"fallback"},"targets":[{"virtual_key":"oai"}]"#,
        "Invalid config passed. You need to pass a valid json",
        "x-portkey-config",
        "Invalid config passed. You need to pass a valid json",
    ),
    (
        r#"{"virtual_key":"oai","custom_host":"ftp://a.example"}"#,
        "Invalid custom host",
        "config.custom_host",
        "Invalid custom host: config.custom_host: must begin with http:// or https://",
    ),
    (
        r#"{"virtual_key":"oai","custom_host":"http://127.0.0.1:1"}"#,
        "Invalid custom host",
        "config.custom_host",
        "Invalid custom host: gateway.yaml's custom_hosts does not allow it",
    ),
    (
        r#"{"strategy":{"mode":"conditional"},"targets":[{"name":"a","virtual_key":"oai"}]}"#,
        "No conditions passed in the query router",
        "config.strategy.conditions",
        "No conditions passed in the query router: config.strategy.conditions",
    ),
    (
        r#"{"strategy":{"mode":"conditional","conditions":[{"query":{"metadata.a":1},"then":"b"}]},"targets":[{"name":"a","virtual_key":"oai"}]}"#,
        "Invalid target name found in the query router: b",
        "config.strategy",
        "Invalid target name found in the query router: b: config.strategy",
    ),
    (
        r#"{"strategy":{"mode":"conditional","conditions":[{"query":{"metadata.a":{"$like":1}},"then":"a"}]},"targets":[{"name":"a","virtual_key":"oai"}]}"#,
        "Unsupported operator used in the query router: $like",
        "config.strategy.conditions[0].query.metadata.a",
        "Unsupported operator used in the query router: $like: config.strategy.conditions[0].query.metadata.a",
    ),
    (
        r#"{"mode":"fallback","options":[{"provider":"openai"}]}"#,
        "This version of config is not supported in this route. Please migrate to the latest version",
        "config",
        "This version of config is not supported in this route. Please migrate to the latest version: config",
    ),
];

/// Checks the parts that all refusals share; gives `error.message`.
fn refusal(config: &str, response: &Response, message: &str, param: &str) -> String {
    let body = response.json();
    assert_eq!(response.status, 400, "{config}: {body}");
    assert_eq!(body["status"], "failure", "{config}");
    assert_eq!(body["message"], message, "{config}");
    let error = &body["error"];
    assert_eq!(error["param"], param, "{config}");
    assert_eq!(error["type"], "invalid_request_error", "{config}");
    error["message"].as_str().unwrap_or_default().to_owned()
}

/// An error as it stands in `errors`.
fn in_list(error: &str) -> String {
    match error.split_once(portkeys::INVALID_PROVIDER) {
        Some((path, _)) => [path, portkeys::UNKNOWN_PROVIDER].concat(),
        None => error.to_owned(),
    }
}

#[test]
fn each_is_refused_with_what_is_wrong_and_where() {
    let upstream = Upstream::answering(json(200, COMPLETION));
    let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
    let ask = |config: &str| gateway.chat(&[&format!("x-portkey-config: {config}")], CHAT);
    for (config, param, errors) in INVALID {
        let response = ask(config);
        let words = refusal(config, &response, "Invalid config passed", param);
        // The list has Portkey's words for a provider that nobody knows, the message ours.
        let (listed, body) =
            (errors.iter().map(|error| in_list(error)).collect::<Vec<_>>(), response.json());
        assert_eq!(body["errors"], serde_json::json!(listed), "{config}");
        let (_, reason) = errors[0].split_once(", message: ").unwrap();
        assert_eq!(words, format!("Invalid config passed: {param}: {reason}"), "{config}");
    }
    for (config, message, param, full) in IN_PORTKEYS_WORDS {
        let response = ask(config);
        assert_eq!(refusal(config, &response, message, param), *full, "{config}");
        assert_eq!(response.json().get("errors"), None, "{config}");
    }
    assert_eq!(upstream.requests().len(), 0);
    // What is refused leaves nothing behind.
    let good = ask(r#"{"virtual_key":"oai"}"#);
    assert_eq!((good.status, good.text()), (200, COMPLETION.to_owned()));
    gateway.assert_healthy();
}
