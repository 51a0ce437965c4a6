//! An edited gateway.yaml is taken over while requests are in flight.

use super::support::client;
use super::support::gateway::Gateway;
use super::support::upstream::{Step, Upstream, chunk, json, last_chunk, sse_head};
use super::{CHAT, CHAT_STREAM, COMPLETION, OAI};
use std::time::{Duration, Instant};

fn keys(names: &[(&str, u16)]) -> String {
    let line = |(name, port): &(&str, u16)| {
        format!(
            "  {name}: {{provider: openai, api_key: sk-{name}, base_url: 'http://127.0.0.1:{port}/v1'}}\n"
        )
    };
    format!("virtual_keys:\n{}", names.iter().map(line).collect::<String>())
}

fn rewrite(gateway: &Gateway, yaml: &str) {
    let text = Gateway::config(gateway.dir.path(), gateway.port, gateway.admin, yaml);
    std::fs::write(gateway.dir.path().join("gateway.yaml"), text).unwrap();
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_good_edit_is_taken_over_without_cutting_streams_and_a_bad_one_is_not() {
    let event =
        "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n";
    let mut steps = vec![sse_head()];
    for _ in 0..12 {
        steps.extend([chunk(event), Step::Sleep(Duration::from_millis(500))]);
    }
    steps.extend([chunk("data: [DONE]\n\n"), last_chunk()]);
    let slow = Upstream::answering(steps);
    let quick = Upstream::answering(json(200, COMPLETION));
    let gateway = Gateway::start(&keys(&[("oai", slow.port)]));
    let port = gateway.port;
    let stream = std::thread::spawn(move || client::chat(port, &[OAI], CHAT_STREAM));
    wait_for("the stream", || !slow.requests().is_empty());

    // The key in use moves, and another comes.
    rewrite(&gateway, &keys(&[("oai", quick.port), ("new", quick.port)]));
    wait_for("the new key", || gateway.chat(&["x-portkey-virtual-key: new"], CHAT).status == 200);
    wait_for("the moved key", || gateway.chat(&[OAI], CHAT).text() == COMPLETION);
    assert_eq!(quick.requests().last().unwrap().header("authorization"), Some("Bearer sk-oai"));

    rewrite(&gateway, &keys(&[("oai", 0), ("b@d", quick.port)]));
    wait_for("the refusal", || gateway.stderr().contains("virtual_keys.oai.base_url"));
    assert_eq!(gateway.chat(&[OAI], CHAT).text(), COMPLETION);

    rewrite(&gateway, &keys(&[("oai", quick.port)]));
    wait_for("the removal", || gateway.chat(&["x-portkey-virtual-key: new"], CHAT).status == 400);

    let response = stream.join().unwrap();
    assert!(response.whole, "the stream was cut");
    assert_eq!(response.text().matches(event).count(), 12);
    gateway.assert_healthy();
}

#[test]
fn the_tool_ends_with_envoy_and_by_signals() {
    let mut gateway = Gateway::start("");
    let status = gateway.stop(15);
    assert!(status.success(), "{status}: {}", gateway.stderr());
    assert!(std::net::TcpStream::connect(("127.0.0.1", gateway.port)).is_err());
    assert!(std::net::TcpStream::connect(("127.0.0.1", gateway.admin)).is_err());
}
