//! Refusals, which no retry helps against, and what stops at them.

use super::answer::Answer;
use super::bench::{Bench, Provider, fallback};
use super::provider::{Format, good};
use super::scenario::{against_policy, too_long};
use super::support::upstream::Request;

const KEYS: [&str; 2] = ["p", "f"];

fn bench(format: Format, policy: bool) -> Bench {
    let first = move |_: &Request, _| {
        if policy { against_policy(format) } else { too_long(format) }
    };
    let second =
        move |request: &Request, _| good(format.other(), request.json()["stream"] == true, "f");
    let providers = vec![
        Provider { name: "p".into(), format, script: Box::new(first) },
        Provider { name: "f".into(), format: format.other(), script: Box::new(second) },
    ];
    Bench::start(1, providers, "")
}

#[test]
fn on_content_policy_false_stops_at_the_content_policy_alone() {
    let retried = r#","retry":{"attempts":2,"on_status_codes":[400]}"#;
    let config = fallback(&KEYS, retried, "");
    let config = config.replacen("\"fallback\"", "\"fallback\",\"on_content_policy\":false", 1);
    for format in [Format::OpenAi, Format::Anthropic] {
        for policy in [true, false] {
            let bench = bench(format, policy);
            for streams in [false, true] {
                let before = bench.asked(&KEYS).len();
                let response = bench.ask(&config, "t", streams);
                let asked = bench.asked(&KEYS);
                let order: String = asked[before..].iter().map(|(name, _)| name.as_str()).collect();
                let what = format!("{format:?} policy {policy} stream {streams}");
                if policy {
                    assert_eq!((order.as_str(), response.status), ("p", 400), "{what}");
                    assert!(matches!(Answer::of(&response), Answer::Error(_)), "{what}");
                } else {
                    assert_eq!((order.as_str(), response.status), ("pf", 200), "{what}");
                }
            }
            bench.gateway.assert_healthy();
        }
    }
}

#[test]
fn a_list_of_statuses_rules_refusals_too() {
    for on in ["[400]", "[429]"] {
        let bench = bench(Format::OpenAi, true);
        let codes = format!("\"fallback\",\"on_status_codes\":{on}");
        let config = fallback(&KEYS, "", "").replacen("\"fallback\"", &codes, 1);
        let response = bench.ask(&config, "t", false);
        let expected = if on == "[400]" { (2, 200) } else { (1, 400) };
        assert_eq!((bench.asked(&KEYS).len(), response.status), expected, "{on}");
    }
}
