//! Both targets fail: the client gets one error, soon, and neither is asked more than once. And
//! limits that must not cut what is good.

use super::answer::Answer;
use super::bench::{Bench, Provider, fallback, is_rescued};
use super::provider::{Events, Format};
use super::scenario::{FOREVER, busy, cut, endless, stalling_after, too_long};
use super::support::upstream::{Request, Step, chunk, last_chunk, sse_head};
use std::time::{Duration, Instant};

type Script = fn(Format) -> Vec<Step>;

struct Case {
    name: &'static str,
    streams: bool,
    /// Members of the config.
    config: &'static str,
    script: Script,
    /// What the client gets.
    status: u16,
    /// Status of each attempt in the log.
    logged: u16,
}

const HELD: &str = r#","stream_hold":"complete""#;

const CASES: &[Case] = &[
    Case {
        name: "no answer",
        streams: false,
        config: r#","request_timeout":400"#,
        script: |_| vec![Step::Sleep(FOREVER), Step::Close],
        status: 408,
        logged: 408,
    },
    Case {
        name: "no answer to a stream",
        streams: true,
        config: r#","request_timeout":400"#,
        script: |_| vec![Step::Sleep(FOREVER), Step::Close],
        status: 408,
        logged: 408,
    },
    Case {
        name: "no first token",
        streams: true,
        // The last target is held only where it is asked for.
        config: r#","first_token_timeout":400,"stream_hold":"complete""#,
        script: |format| stalling_after(format, 0),
        status: 504,
        logged: 504,
    },
    Case {
        name: "closed",
        streams: true,
        config: "",
        script: |_| vec![Step::Close],
        status: 503,
        logged: 503,
    },
    Case {
        name: "cut",
        streams: true,
        config: HELD,
        script: |format| cut(format, true, 0),
        status: 503,
        logged: 503,
    },
    Case {
        name: "no end",
        streams: true,
        config: HELD,
        script: |format| endless(format, false),
        status: 502,
        logged: 502,
    },
    Case {
        name: "busy",
        streams: true,
        config: "",
        script: |format| busy(format, ""),
        status: 429,
        logged: 429,
    },
    Case {
        name: "too long",
        streams: false,
        config: "",
        script: too_long,
        status: 400,
        logged: 400,
    },
];

/// Both targets, each with this script.
fn bench(format: Format, scripts: impl Iterator<Item = (String, Script)>) -> Bench {
    let both = scripts.flat_map(|(key, script)| {
        [("p", format), ("f", format.other())].map(|(target, format)| {
            let script = move |_: &Request, _| script(format);
            Provider { name: format!("{target}{key}"), format, script: Box::new(script) }
        })
    });
    Bench::start(1, both.collect(), "")
}

fn check(bench: &Bench, at: usize, case: &Case) {
    let keys = [format!("p{at}"), format!("f{at}")];
    let keys = keys.each_ref().map(String::as_str);
    let started = Instant::now();
    let response = bench.ask(&fallback(&keys, "", case.config), keys[0], case.streams);
    let took = started.elapsed();
    assert!(took < Duration::from_secs(5), "{}: {took:?}", case.name);
    assert_eq!(response.status, case.status, "{}: {}", case.name, response.text());
    assert!(matches!(Answer::of(&response), Answer::Error(_)), "{}", case.name);
    let order: Vec<_> = bench.asked(&keys).into_iter().map(|(name, _)| name).collect();
    assert_eq!(order, keys, "{}", case.name);
    let index = response.header("x-portkey-last-used-option-index");
    assert_eq!(index, Some("config.targets[1]"), "{}", case.name);
}

#[test]
fn when_both_fail_the_client_gets_one_error_and_neither_is_hammered() {
    for format in [Format::OpenAi, Format::Anthropic] {
        let scripts = CASES.iter().enumerate().map(|(at, case)| (at.to_string(), case.script));
        let bench = bench(format, scripts);
        for (at, case) in CASES.iter().enumerate() {
            check(&bench, at, case);
        }
        let log = bench.gateway.log(CASES.len());
        for (at, case) in CASES.iter().enumerate() {
            let record = log.iter().find(|record| record["trace_id"] == format!("p{at}"));
            let trail = record.and_then(|record| record["trail"].as_str()).unwrap_or_default();
            let attempts: Vec<_> =
                trail.split(", ").filter_map(|attempt| attempt.split(' ').next()).collect();
            let expected = [0, 1].map(|target| format!("config.targets[{target}]={}", case.logged));
            assert_eq!(attempts, expected, "{}", case.name);
            let record = record.unwrap();
            assert!(record["error_type"].is_string(), "{}: {record}", case.name);
            assert_eq!(record["error_source"], "provider", "{}", case.name);
        }
        bench.gateway.assert_healthy();
    }
}

/// A stream that takes its time.
fn slowly(format: Format) -> Vec<Step> {
    let Events { head, pieces, finish, end } = Events::of(format, "p");
    let mut steps = vec![sse_head()];
    for event in [head, pieces, finish, end].concat() {
        steps.extend([chunk(&event), Step::Sleep(Duration::from_millis(200))]);
    }
    steps.push(last_chunk());
    steps
}

#[test]
fn a_limit_until_the_headers_or_the_first_token_cuts_no_stream() {
    for format in [Format::OpenAi, Format::Anthropic] {
        let bench = bench(format, [(String::new(), slowly as Script)].into_iter());
        let target = r#","request_timeout":500,"first_token_timeout":800"#;
        for (number, hold) in ["", HELD, r#","stream_hold":"none""#].into_iter().enumerate() {
            // Longer than both limits; held until it is complete, the first token is the last.
            let target = if hold == HELD { r#","request_timeout":500"# } else { target };
            let response = bench.ask(&fallback(&["p", "f"], target, hold), "t", true);
            assert!(is_rescued(&response, &["p"]), "{format:?} {hold}: {}", response.text());
            assert_eq!(bench.asked(&["p", "f"]).len(), number + 1, "{format:?} {hold}");
        }
        bench.gateway.assert_healthy();
    }
}
