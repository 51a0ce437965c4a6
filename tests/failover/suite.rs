//! Runs the table of scenarios, once for each format of the first target and each way to hold
//! streams, and counts what was rescued.

use super::bench::{Bench, Provider, fallback, is_rescued};
use super::flapping;
use super::provider::{self, COMPLETION_TOKENS, Format, PROMPT_TOKENS};
use super::scenario::{Case, Expected, Verdict};
use super::support::upstream::{Request, Step};
use super::table::cases;
use serde_json::Value;
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

/// Scenarios in the table.
const SCENARIOS: usize = 16;
/// Short, so that a stalled stream is noticed; longer than any pause before a retry.
const LIMITS: &str = "limits: {idle_timeout: 3000}\n";

#[test]
fn openai_first() {
    run(Format::OpenAi, false, 12);
}

#[test]
fn anthropic_first() {
    run(Format::Anthropic, false, 12);
}

#[test]
fn openai_first_held_until_complete() {
    run(Format::OpenAi, true, 16);
}

#[test]
fn anthropic_first_held_until_complete() {
    run(Format::Anthropic, true, 16);
}

/// One request of a case.
struct Run {
    case: &'static Case,
    streams: bool,
    expected: Expected,
    /// Virtual keys of both targets.
    keys: [String; 2],
}

impl Run {
    fn name(&self) -> String {
        let kind = if self.streams { "stream" } else { "JSON" };
        format!("{} {} ({kind})", self.case.scenario, self.case.name)
    }

    /// Asks, and checks all that can be seen from outside.
    fn ask(&self, bench: &Bench, held: bool) -> Verdict {
        let name = self.name();
        let more = if held { r#","stream_hold":"complete""# } else { "" };
        let keys = self.keys.each_ref().map(String::as_str);
        let config = fallback(&keys, self.case.target, more);
        let started = Instant::now();
        let response = bench.ask(&config, &self.keys[0], self.streams);
        let took = started.elapsed();
        let rescued = is_rescued(&response, &["p", "f"]);
        let verdict = if rescued { Verdict::Rescued } else { Verdict::CleanError };
        assert_eq!(verdict, self.expected.verdict, "{name}: {}", response.text());
        assert!(took >= self.case.waits, "{name}: waited only {took:?}");
        let asked = bench.asked(&keys);
        let order: String = asked.iter().map(|(key, _)| &key[..1]).collect();
        assert_eq!(order, self.expected.order, "{name}: requests at the providers");
        for (key, request) in &asked {
            let messages = request.json()["messages"].clone();
            assert_eq!(messages.as_array().map(Vec::len), Some(1), "{name}: {key} got {messages}");
        }
        verdict
    }

    /// The log line of the request.
    fn check_log(&self, record: &Value, rescuer: Format) {
        let name = self.name();
        let trail = record["trail"].as_str().unwrap_or_default();
        let targets = self.expected.order.chars().map(|target| usize::from(target == 'f'));
        let statuses = self.expected.statuses.iter();
        let expected: Vec<String> = targets
            .zip(statuses)
            .map(|(target, status)| format!("config.targets[{target}]={status}"))
            .collect();
        let attempts: Vec<&str> = trail
            .split(", ")
            .map(|attempt| attempt.split_once(' ').map_or(attempt, |(what, _)| what))
            .collect();
        assert_eq!(attempts, expected, "{name}");
        assert_eq!(record["attempts"], self.expected.order.len(), "{name}");
        let rescued = self.expected.verdict == Verdict::Rescued;
        assert_eq!(record["complete"], rescued, "{name}: {record}");
        if rescued {
            // Of the answer that the client got, and of no other.
            assert_eq!(record["prompt_tokens"], PROMPT_TOKENS as f64, "{name}: {record}");
            assert_eq!(record["completion_tokens"], COMPLETION_TOKENS as f64, "{name}: {record}");
            assert_eq!(record["provider"], rescuer.provider(), "{name}");
            assert_eq!(record["error_type"], Value::Null, "{name}: {record}");
        } else {
            assert!(record["error_type"].is_string(), "{name}: {record}");
        }
    }
}

/// All scenarios at once, each at providers of its own.
fn run(format: Format, held: bool, least_rescued: usize) {
    let runs: Vec<Run> = cases()
        .filter(|case| case.formats.contains(&format))
        .flat_map(|case| case.streams.iter().map(move |streams| (case, *streams)))
        .enumerate()
        .map(|(at, (case, streams))| Run {
            case,
            streams,
            expected: case.expected[usize::from(held)],
            keys: [format!("p{at}"), format!("f{at}")],
        })
        .collect();
    let mut providers: Vec<Provider> =
        runs.iter().flat_map(|run| [first(run, format), second(run, format.other())]).collect();
    providers.extend(flapping::providers(format));
    let bench = Bench::start(1, providers, LIMITS);
    let (verdicts, load) = thread::scope(|scope| {
        let load = scope.spawn(|| flapping::load(&bench, held, Duration::from_secs(10)));
        let all: Vec<_> = runs.iter().map(|run| scope.spawn(|| run.ask(&bench, held))).collect();
        let all: Vec<_> = all.into_iter().map(|one| one.join()).collect();
        (all, load.join())
    });
    let load = load.expect("the flapping primary");
    let failed = verdicts.iter().filter(|verdict| verdict.is_err()).count();
    assert_eq!(failed, 0, "failed cases; see above");
    let log = bench.gateway.log(runs.len() + load.requests);
    flapping::check_log(&log, &load);
    let mut worst = BTreeMap::from([(15, Verdict::Rescued)]);
    for (run, verdict) in runs.iter().zip(verdicts.into_iter().flatten()) {
        let record = log.iter().find(|record| record["trace_id"] == *run.keys[0]);
        let second = run.expected.order.ends_with('f');
        let rescuer = if second { format.other() } else { format };
        run.check_log(record.expect("a log line"), rescuer);
        let slot = worst.entry(run.case.scenario).or_insert(verdict);
        *slot = verdict.min(*slot);
    }
    assert_eq!(worst.len(), SCENARIOS);
    let rescued = worst.values().filter(|verdict| **verdict == Verdict::Rescued).count();
    println!("{format:?} first, held: {held}: {rescued} of {SCENARIOS} rescued");
    assert!(rescued >= least_rescued, "{rescued} rescued: {worst:?}");
    bench.gateway.assert_healthy();
}

fn first(run: &Run, format: Format) -> Provider {
    let (primary, streams) = (run.case.primary, run.streams);
    let script = move |_: &Request, number| primary(format, streams, number);
    Provider { name: run.keys[0].clone(), format, script: Box::new(script) }
}

/// The second target is good, but refuses to go on with somebody else's answer.
fn second(run: &Run, format: Format) -> Provider {
    let streams = run.streams;
    let script = move |request: &Request, _| -> Vec<Step> {
        let body = request.json();
        let messages = body["messages"].as_array().cloned().unwrap_or_default();
        if messages.last().is_some_and(|message| message["role"] == "assistant") {
            let words = "This model does not support assistant message prefill";
            return provider::failing(format, 400, "", "invalid_request_error", words);
        }
        provider::good(format, streams, "f")
    };
    Provider { name: run.keys[1].clone(), format, script: Box::new(script) }
}
