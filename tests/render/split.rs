//! A saved config that Envoy splits by weight, whose weights change while the gateway runs.

use super::bare::{Bare, upstream};

/// Requests of one sample.
const SAMPLE: usize = 60;

fn yaml(upstream: std::net::SocketAddr, first: u32, second: u32) -> String {
    format!(
        "virtual_keys:\n  \
         one: {{provider: openai, api_key: sk-one, base_url: 'http://{upstream}/v1'}}\n  \
         two: {{provider: openai, api_key: sk-two, base_url: 'http://{upstream}/v1'}}\n\
         configs:\n  pc-split:\n    strategy: {{mode: loadbalance}}\n    targets:\n      \
         - {{virtual_key: one, weight: {first}}}\n      - {{virtual_key: two, weight: {second}}}\n\
         logs: []\n"
    )
}

/// How many requests of a sample go to each target.
fn sample(bare: &Bare) -> (usize, usize) {
    let bodies: Vec<String> = (0..SAMPLE).map(|_| bare.ask_for("config.pc-split").1).collect();
    let count = |key: &str| bodies.iter().filter(|body| body.contains(key)).count();
    let counts = (count("sk-one"), count("sk-two"));
    assert_eq!(counts.0 + counts.1, SAMPLE, "{bodies:?}");
    counts
}

#[test]
fn weights_change_by_an_edit_and_by_runtime_keys() {
    let upstream = upstream();
    let bare = Bare::start::<0>(&yaml(upstream, 1, 0), []);
    assert_eq!(sample(&bare), (SAMPLE, 0));
    bare.replace("routes.json", &yaml(upstream, 0, 1));
    bare.wait_until("edited", || bare.ask_for("config.pc-split").1.contains("sk-two"));
    assert_eq!(sample(&bare), (0, SAMPLE));
    let modify = |keys: &str| bare.admin("POST", &format!("/runtime_modify?{keys}"));
    assert_eq!(modify("portkey.config.pc-split.vk.one=1"), "OK\n");
    // A worker learns of it a little later.
    bare.wait_until("shared", || {
        let (one, two) = sample(&bare);
        one > 0 && two > 0
    });
    assert_eq!(modify("portkey.config.pc-split.vk.two=0"), "OK\n");
    bare.wait_until("shifted", || sample(&bare) == (SAMPLE, 0));
    // The general route is behind it.
    assert!(bare.ask_for("vk.two").1.contains("sk-two"));
    assert!(bare.ask_for("config.pc-other").0.contains(" 503 "));
}
