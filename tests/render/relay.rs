//! The listeners inside Envoy: what passes, what does not, and how failures are marked.

use std::net::SocketAddr;
use std::time::Duration;

use super::bare::{Bare, Front, upstream};
use super::gateway;

const LOCAL: &str = "x-portkey-local: ";

fn status(head: &str) -> &str {
    head.split(' ').nth(1).unwrap()
}

/// The mark of an answer that a listener has made itself.
fn mark(head: &str) -> Option<&str> {
    head.lines().find_map(|line| line.strip_prefix(LOCAL))
}

fn has_private_header(text: &str) -> bool {
    ["x-portkey-", "x-envoy-", "x-forwarded-"].iter().any(|prefix| text.contains(prefix))
}

/// A gateway with clusters that lead to an upstream and to a port where nothing listens.
fn yaml(upstream: SocketAddr) -> String {
    let [closed] = gateway::free();
    format!(
        "providers: {{anthropic: {{base_url: 'http://{upstream}/v1'}}}}\n\
         virtual_keys:\n  \
         key: {{provider: openai, api_key: sk-own, base_url: 'http://{upstream}/v1'}}\n  \
         down: {{provider: openai, api_key: sk-own, base_url: 'http://{closed}/v1'}}\n\
         logs: []\n"
    )
}

#[test]
fn the_hop_leads_to_provider_clusters_and_marks_its_own_answers() {
    let bare = Bare::start(&yaml(upstream()), [Front::Listener("hop")]);
    let ask = |path: &str, cluster: &str| {
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: a\r\nx-portkey-cluster: {cluster}\r\n\
             x-test-timeout: 200\r\n"
        );
        bare.ask(0, &head).0
    };
    for (path, cluster, expected) in [
        // The upstream says that it is one of ours, and lies.
        ("/v1/x", "vk.key", ("200", None)),
        ("/v1/hang", "vk.key", ("504", Some("UT"))),
        ("/v1/x", "vk.down", ("503", Some("UF"))),
        ("/v1/x", "vk.nobody", ("503", Some("NC"))),
        ("/v1/x", "portkey.hop", ("404", Some("NR"))),
        ("/v1/x", "resolve_on_use", ("404", Some("NR"))),
    ] {
        let head = ask(path, cluster);
        assert_eq!((status(&head), mark(&head)), expected, "{cluster}{path}: {head}");
    }
}

#[test]
fn a_credential_reaches_the_provider_that_it_is_for_alone() {
    let bare = Bare::start(
        &yaml(upstream()),
        [
            Front::Listener("hop"),
            Front::Cluster("vk.key"),
            Front::Cluster("provider.anthropic"),
            Front::Cluster("portkey.hop"),
        ],
    );
    let own = "authorization: Bearer sk-own";
    for (front, cluster, expected) in [
        // Behind the hop stands what the module has set in front of it, or what Envoy injects.
        (0, "provider.anthropic", ["authorization: Bearer sk-foreign", "x-api-key: foreign"]),
        (0, "vk.key", [own, "x-api-key: foreign"]),
        // Everywhere else, even if an earlier attempt went to the hop, nothing that came along.
        (1, "vk.key", [own, ""]),
        (2, "vk.key", ["", ""]),
    ] {
        let head = format!(
            "GET /v1/x HTTP/1.1\r\nhost: a\r\nauthorization: Bearer sk-foreign\r\n\
             x-api-key: foreign\r\nx-portkey-cluster: {cluster}\r\nx-portkey-scheme: http\r\n\
             x-portkey-config: c\r\nx-envoy-max-retries: 3\r\nx-forwarded-for: 1.2.3.4\r\n"
        );
        let (answer, seen) = bare.ask(front, &head);
        assert_eq!(status(&answer), "200", "{answer}");
        let credential = |line: &&str| line.contains("sk-") || line.contains("x-api-key");
        let credentials: Vec<&str> = seen.lines().filter(credential).collect();
        let expected: Vec<&str> = expected.into_iter().filter(|line| !line.is_empty()).collect();
        assert_eq!(sorted(credentials), sorted(expected), "{front}: {seen}");
        assert!(!has_private_header(&seen), "{front}: {seen}");
        assert!(!has_private_header(&answer), "{front}: {answer}");
    }
    // What an earlier attempt left in the request must not steer the hop: the module names the
    // cluster anew.
    let head = "GET /v1/x HTTP/1.1\r\nhost: a\r\nx-portkey-cluster: vk.key\r\n";
    assert_eq!(mark(&bare.ask(3, head).0), Some("NR"));
}

fn sorted(mut lines: Vec<&str>) -> Vec<&str> {
    lines.sort_unstable();
    lines
}

#[test]
fn the_stop_answers_503() {
    let bare = Bare::start("logs: []", [Front::Cluster("portkey.stop")]);
    let (head, body) = bare.ask(0, "GET /v1/x HTTP/1.1\r\nhost: a\r\n");
    assert_eq!((status(&head), mark(&head), body.as_str()), ("503", Some("STOP"), "{}"));
}

#[test]
fn the_timer_does_not_answer() {
    let bare = Bare::start("logs: []", [Front::Listener("hop"), Front::Cluster("portkey.timer")]);
    let started = std::time::Instant::now();
    let head = "GET / HTTP/1.1\r\nhost: a\r\n";
    assert!(bare.is_silent(1, head, Duration::from_millis(700)));
    assert!(started.elapsed() >= Duration::from_millis(700));
    assert!(!bare.is_silent(0, head, Duration::from_secs(5)));
}

#[test]
fn a_host_that_nobody_knows_is_not_resolved() {
    let bare = Bare::start("logs: []", [Front::Listener("resolve_on_use")]);
    let (head, _) = bare.ask(0, "GET /v1/x HTTP/1.1\r\nhost: evil.example\r\n");
    assert_eq!((status(&head), mark(&head)), ("404", Some("NR")));
}

#[test]
fn callers_reach_the_hosts_that_are_allowed_at_addresses_that_are_allowed() {
    let upstream = upstream();
    let [closed] = gateway::free();
    let (port, down) = (upstream.port(), closed.port());
    let yaml = format!(
        "custom_hosts:\n  - '*.example'\n  - {{host: '127.0.0.1:{port}', private: true}}\n  \
         - {{host: '*.localhost', private: true}}\n  - {{host: '127.0.0.1:{down}', private: true}}\n\
         limits: {{connect_timeout: 300}}\nlogs: []\n"
    );
    let bare = Bare::start(&yaml, [Front::Listener("custom")]);
    let ask = |host: &str, scheme: &str| {
        let head = format!(
            "GET /v1/x HTTP/1.1\r\nhost: {host}\r\nx-portkey-scheme: {scheme}\r\n\
             x-portkey-cluster: c\r\nx-api-key: own\r\n"
        );
        bare.ask(0, &head)
    };
    let (head, seen) = ask(&format!("127.0.0.1:{port}"), "http");
    assert_eq!((status(&head), mark(&head)), ("200", None), "{head}");
    assert!(seen.contains("x-api-key: own"), "{seen}");
    assert!(!has_private_header(&seen) && !has_private_header(&head), "{head}\n{seen}");
    for (host, scheme, expected) in [
        // No TLS there, and nothing at all here.
        (format!("127.0.0.1:{port}"), "https", ("503", Some("UF"))),
        (format!("127.0.0.1:{down}"), "http", ("503", Some("UF"))),
        (format!("127.0.0.1:{port}"), "ftp", ("403", Some("NR"))),
        ("127.0.0.1:1".to_owned(), "http", ("403", Some("NR"))),
        ("127.0.0.1".to_owned(), "http", ("403", Some("NR"))),
        (format!("127.0.0.2:{port}"), "http", ("403", Some("NR"))),
        (format!("[::1]:{port}"), "http", ("403", Some("NR"))),
        ("example".to_owned(), "https", ("403", Some("NR"))),
    ] {
        let (head, _) = ask(&host, scheme);
        assert_eq!((status(&head), mark(&head)), expected, "{scheme} {host}: {head}");
    }
    // The same host, had it been allowed as a public one.
    bare.replace_text("custom_routes.json", "custom.private.", "custom.");
    bare.wait_until("denied", || {
        let (head, _) = ask(&format!("127.0.0.1:{port}"), "http");
        (status(&head), mark(&head)) == ("503", Some("UH"))
    });
    let stats = bare.admin("GET", "/stats?filter=dns_cache.custom.http.dns_address_filter_out");
    assert!(!stats.trim_end().ends_with(": 0"), "{stats}");
}
