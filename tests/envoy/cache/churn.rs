//! What takes minutes, and is run by `make cache`: the store under churn, and what hits and misses
//! cost.

use super::*;
use crate::support::upstream::{read_chunk, read_headers};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

/// A connection that asks again and again.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    /// Sends a request; gives the cache's status.
    fn ask(&mut self, path: &str, headers: &str, body: &str) -> String {
        let (length, method) = (body.len(), if body.is_empty() { "GET" } else { "POST" });
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\n{headers}\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        assert!(line.contains("200"), "{line}");
        let headers = read_headers(&mut self.0).unwrap();
        let header = |name: &str| {
            headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
        };
        match header("content-length") {
            Some(length) => {
                let mut body = vec![0; length.parse().unwrap()];
                self.0.read_exact(&mut body).unwrap();
            }
            None => while read_chunk(&mut self.0).is_some() {},
        }
        header("x-portkey-cache-status").unwrap_or_default().to_owned()
    }
}

/// Resident memory of Envoy in MiB.
fn resident(gateway: &Gateway) -> u64 {
    let children = format!("/proc/{0}/task/{0}/children", gateway.child.id());
    let envoy = std::fs::read_to_string(children).unwrap();
    let status = format!("/proc/{}/status", envoy.split_whitespace().next().unwrap());
    let status = std::fs::read_to_string(status).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[test]
#[ignore = "takes minutes: make cache"]
fn a_hundred_thousand_entries_go_through_64_mib() {
    const ENTRIES: usize = 100_000;
    let answer = crate::COMPLETION.replace("hello", &"x".repeat(2000));
    let upstream = Upstream::start(move |_, _| json(200, &answer));
    let gateway = gateway(2, &upstream, "cache: {max_bytes: 64MiB}\n");
    let before = resident(&gateway);
    let put = |part: usize| {
        let mut client = Client::connect(gateway.port);
        for number in (0..ENTRIES).filter(|number| number % 4 == part) {
            client.ask("/v1/chat/completions", SIMPLE, &ask(&number.to_string()));
        }
    };
    let mut sizes = Vec::new();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|part| scope.spawn(move || put(part))).collect();
        while threads.iter().any(|thread| !thread.is_finished()) {
            thread::sleep(Duration::from_secs(1));
            sizes.push((upstream.requests_count(), resident(&gateway)));
        }
    });
    // Once the cap is reached, memory stays.
    let full = sizes.iter().find(|(count, _)| *count > ENTRIES * 2 / 5).unwrap().1;
    let last = sizes.last().unwrap().1;
    println!("MiB: {before} at the start, {full} when full, {last} after {ENTRIES} entries");
    assert!(last <= full + full / 10, "{sizes:?}");
    // The newest that fit are there, the oldest are not.
    let mut client = Client::connect(gateway.port);
    let mut rate = |from: usize, to: usize| {
        let numbers = (from..to).step_by((to - from) / 200);
        let hits = numbers.filter(|number| {
            client.ask("/v1/chat/completions", SIMPLE, &ask(&number.to_string())) == "HIT"
        });
        hits.count()
    };
    let (newest, oldest) = (rate(ENTRIES - 10_000, ENTRIES), rate(0, 10_000));
    println!("hits of 200: {newest} among the newest, {oldest} among the oldest");
    assert!(newest >= 195 && oldest <= 5, "{newest} {oldest}");
    gateway.assert_healthy();
}

/// The median of what `run` takes, in microseconds.
fn median(times: &mut [Duration]) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e6
}

#[test]
#[ignore = "measures: make cache"]
fn what_hits_and_misses_cost() {
    let upstream = Upstream::start(|_, _| json(200, crate::COMPLETION));
    let gateway = gateway(1, &upstream, "");
    let plain = "x-portkey-virtual-key: a";
    let [mut hits, mut direct, mut misses, mut without] = [const { Vec::new() }; 4];
    let mut client = Client::connect(gateway.port);
    for round in 0..4000 {
        let unique = ask(&format!("question {round}"));
        let mut timed = |times: &mut Vec<Duration>, headers: &str, body: &str| {
            let path = if body.is_empty() { "/health" } else { "/v1/chat/completions" };
            let started = Instant::now();
            client.ask(path, headers, body);
            if round > 500 {
                times.push(started.elapsed());
            }
        };
        timed(&mut hits, SIMPLE, &ask("the same"));
        timed(&mut direct, plain, "");
        timed(&mut misses, SIMPLE, &unique);
        timed(&mut without, plain, &unique);
    }
    let [hit, direct, miss, without] =
        [&mut hits, &mut direct, &mut misses, &mut without].map(|times| median(times));
    println!("hit {hit:.0} us, direct response {direct:.0} us: {:.2}", hit / direct);
    println!("miss {miss:.0} us, without cache {without:.0} us: {:.2}", miss / without);
}
