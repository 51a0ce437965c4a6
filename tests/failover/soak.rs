//! Many clients, providers that fail at random: whatever a client gets is complete, an error or
//! visibly broken, and nothing is left over in Envoy.

use super::answer::Answer;
use super::bench::{Bench, Provider};
use super::provider::{Events, Format, body, failing, good, text};
use super::support::gateway::Gateway;
use super::support::upstream::{Request, Step, answer};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: usize = 200;
const WORKERS: usize = 2;
const TIME: Duration = Duration::from_secs(30);
/// Percent of the answers of each provider that are none.
const FAILURES: u64 = 30;
/// Far above what this load needs, far below what a leak per request would need.
const MOST_MEMORY: u64 = 1 << 30;
const NAMES: [&str; 3] = ["a", "b", "c"];

/// What the clients got.
#[derive(Default)]
struct Counts {
    complete: AtomicUsize,
    errors: AtomicUsize,
    broken: AtomicUsize,
}

/// A pseudo-random number (splitmix64): another for every seed, the same in every run.
fn random(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn provider(at: usize) -> Provider {
    let name = NAMES[at];
    let format = if at == 1 { Format::Anthropic } else { Format::OpenAi };
    let script = move |request: &Request, number: usize| {
        let streams = request.json()["stream"] == true;
        let chance = random((number as u64) << 2 | at as u64);
        let bad = chance % 100 < FAILURES;
        match (bad, chance / 100 % 5) {
            (false, _) => good(format, streams, name),
            (true, 0) => failing(format, 500, "", "api_error", "oops"),
            (true, 1) => failing(format, 429, "", "rate_limit_error", "slow down"),
            (true, 2) => vec![Step::Close],
            (true, 3) => cut(format, streams, name),
            (true, _) => {
                let slow = Step::Sleep(Duration::from_millis(400));
                [vec![slow], good(format, streams, name)].concat()
            }
        }
    };
    Provider { name: name.to_owned(), format, script: Box::new(script) }
}

/// Half of an answer, and then nothing.
fn cut(format: Format, streams: bool, name: &str) -> Vec<Step> {
    let mut steps = match streams {
        true => Events::of(format, name).half(),
        false => {
            let whole = body(format, name);
            let steps = answer(200, "content-type: application/json\r\n", &whole);
            let [Step::Write(bytes)] = steps.as_slice() else { panic!("one write") };
            vec![Step::Write(bytes[..bytes.len() - whole.len() / 2].to_vec())]
        }
    };
    steps.extend([Step::Sleep(Duration::from_millis(5)), Step::Close]);
    steps
}

fn client(bench: &Bench, number: u64, config: &str, counts: &Counts) {
    let started = Instant::now();
    let mut asked = 0;
    while started.elapsed() < TIME {
        asked += 1;
        let chance = random(number << 32 | asked);
        let response = bench.ask(config, "soak", chance & 1 == 0);
        let count = match Answer::of(&response) {
            Answer::Complete { text: found, marked } => {
                let all = NAMES.iter().any(|name| text(name) == found);
                let looks = response.text();
                assert!(all && marked && response.whole, "truncated, but looks complete:\n{looks}");
                &counts.complete
            }
            Answer::Error(_) => &counts.errors,
            Answer::Broken => &counts.broken,
        };
        count.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(chance / 2 % 200));
    }
}

/// Resident memory of Envoy in bytes.
fn resident_memory(gateway: &Gateway) -> u64 {
    let tool = gateway.child.id();
    let children = std::fs::read_to_string(format!("/proc/{tool}/task/{tool}/children")).unwrap();
    let envoy = children.split_whitespace().next().expect("the tool has started Envoy");
    let status = std::fs::read_to_string(format!("/proc/{envoy}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}

/// Waits until nothing is in flight.
fn assert_idle(gateway: &Gateway) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let busy: Vec<_> =
            ["upstream_rq_active", "upstream_rq_pending_active", "portkey.downstream_rq_active"]
                .iter()
                .flat_map(|name| {
                    let gauges = gateway.stats(name);
                    assert!(!gauges.is_empty(), "there is no gauge {name}");
                    gauges
                })
                .filter(|(_, value)| *value > 0)
                .collect();
        if busy.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "left over: {busy:?}");
        thread::sleep(Duration::from_millis(200));
    }
}

/// A fallback over these, each tried again once after a 500.
fn config(names: &[&str]) -> String {
    let retry = r#""retry":{"attempts":1,"on_status_codes":[500]}"#;
    let targets: Vec<_> =
        names.iter().map(|name| format!(r#"{{"virtual_key":"{name}",{retry}}}"#)).collect();
    format!(r#"{{"strategy":{{"mode":"fallback"}},"targets":[{}]}}"#, targets.join(","))
}

#[test]
fn many_clients_and_failing_providers() {
    let bench = Bench::start(WORKERS, (0..NAMES.len()).map(provider).collect(), "");
    // Each format comes last for half of the clients.
    let configs = [config(&NAMES), config(&["c", "a", "b"])];
    let counts = Counts::default();
    let early = thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (bench, config, counts) = (&bench, &configs[number % 2], &counts);
            scope.spawn(move || client(bench, number as u64, config, counts));
        }
        thread::sleep(TIME / 3);
        resident_memory(&bench.gateway)
    });
    let late = resident_memory(&bench.gateway);
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    let (complete, errors, broken) =
        (count(&counts.complete), count(&counts.errors), count(&counts.broken));
    let all = complete + errors + broken;
    let asked = bench.asked(&NAMES).len();
    let (early, late) = (early >> 20, late >> 20);
    println!(
        "{all} requests: {complete} complete, {errors} errors, {broken} broken; {asked} attempts; \
         Envoy had {early} MiB after a third, {late} MiB at the end"
    );
    assert!(all > CLIENTS * 10, "only {all} requests");
    assert!(complete * 100 > all * 90, "only {complete} of {all} are complete");
    // Three targets, each once more after a 500, bound the attempts of every request.
    assert!(asked > all && asked < all * 2, "{asked} attempts for {all} requests");
    assert!(late << 20 < MOST_MEMORY && late < early * 2 + 64, "memory grows: {early} {late} MiB");
    assert_idle(&bench.gateway);
    bench.gateway.assert_healthy();
}
