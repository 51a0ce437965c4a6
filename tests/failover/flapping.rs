//! Scenario 15: a first target that is good and bad by turns, under steady load.

use super::bench::{Bench, Provider, fallback, is_rescued};
use super::provider::{Format, failing, good};
use super::support::upstream::{Request, Step};
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const FIRST: &str = "pflap";
const SECOND: &str = "fflap";
const CLIENTS: usize = 4;
/// Between two requests of a client.
const PAUSE: Duration = Duration::from_millis(60);
/// How long the first target stays as it is.
const TURN: Duration = Duration::from_millis(350);

/// What the load was.
pub struct Load {
    pub requests: usize,
    /// Requests that the second target got.
    failovers: usize,
}

/// Both targets.
pub fn providers(format: Format) -> [Provider; 2] {
    let started = Instant::now();
    let first = move |request: &Request, _| -> Vec<Step> {
        let streams = request.json()["stream"] == true;
        let turn = started.elapsed().as_millis() / TURN.as_millis();
        match turn % 6 {
            1 => failing(format, 500, "", "api_error", "oops"),
            3 => vec![Step::Close],
            5 => failing(format, 429, "", "rate_limit_error", "slow down"),
            _ => good(format, streams, "p"),
        }
    };
    let second = move |request: &Request, _| -> Vec<Step> {
        good(format.other(), request.json()["stream"] == true, "f")
    };
    [
        Provider { name: FIRST.to_owned(), format, script: Box::new(first) },
        Provider { name: SECOND.to_owned(), format: format.other(), script: Box::new(second) },
    ]
}

/// Asks for so long; every request must be rescued, with one request at the first target and at
/// most one at the second.
pub fn load(bench: &Bench, held: bool, time: Duration) -> Load {
    let more = if held { r#","stream_hold":"complete""# } else { "" };
    let config = fallback(&[FIRST, SECOND], "", more);
    let (started, requests) = (Instant::now(), AtomicUsize::new(0));
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (config, requests) = (&config, &requests);
            scope.spawn(move || {
                while started.elapsed() < time {
                    requests.fetch_add(1, Ordering::SeqCst);
                    let response = bench.ask(config, FIRST, client % 2 == 0);
                    assert!(is_rescued(&response, &["p", "f"]), "{}", response.text());
                    thread::sleep(PAUSE);
                }
            });
        }
    });
    let requests = requests.load(Ordering::SeqCst);
    let (first, second) = (bench.asked(&[FIRST]).len(), bench.asked(&[SECOND]).len());
    assert_eq!(first, requests, "requests at the first target");
    // Half of the turns are bad.
    assert!((requests / 4..requests * 3 / 4).contains(&second), "{second} of {requests}");
    Load { requests, failovers: second }
}

/// The log tells of every failed attempt.
pub fn check_log(log: &[Value], load: &Load) {
    let lines: Vec<_> = log.iter().filter(|record| record["trace_id"] == FIRST).collect();
    assert_eq!(lines.len(), load.requests);
    let twice = lines.iter().filter(|record| record["attempts"] == 2);
    let twice: Vec<_> = twice.filter_map(|record| record["trail"].as_str()).collect();
    assert_eq!(twice.len(), load.failovers);
    for trail in twice {
        let failed = ["500", "503", "429"]
            .iter()
            .any(|status| trail.starts_with(&format!("config.targets[0]={status} ")));
        assert!(failed && trail.contains(", config.targets[1]=200 "), "{trail}");
    }
}
