//! `custom_hosts`: the hosts that a caller may name.

use std::net::Ipv4Addr;

use super::Checker;
use crate::tool::field::{Field, Fields};
use crate::tool::model::CustomHost;
use crate::tool::yaml::Node;

/// Longest host name, and longest part of one.
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

const SYNTAX: &str = "must be a host name, an IPv4 address or \"*.\" and a host name, \
                      with or without \":\" and a port";
const NEEDS_PRIVATE: &str = "is a private address: say so with {host: ..., private: true}";

impl Checker<'_> {
    pub(super) fn custom_hosts(&mut self, field: &Field<'_>) -> Vec<CustomHost> {
        let mut hosts: Vec<CustomHost> = Vec::new();
        for item in field.items(&mut self.problems).unwrap_or_default() {
            let Some(host) = self.custom_host(&item) else { continue };
            if hosts.iter().any(|other| (&other.name, other.port) == (&host.name, host.port)) {
                self.problems.add(&item.path, "this host is there twice");
            } else {
                hosts.push(host);
            }
        }
        hosts
    }

    fn custom_host(&mut self, item: &Field<'_>) -> Option<CustomHost> {
        let (field, private) = match item.node {
            Node::Map(_) => {
                let fields = Fields::open(item, &["host", "private"], &mut self.problems);
                let Some(host) = fields.get("host") else {
                    self.problems.add(&item.path, "needs a host");
                    return None;
                };
                (host.clone(), self.flag(fields.get("private")).unwrap_or(false))
            }
            _ => (item.clone(), false),
        };
        let text = field.text(&mut self.problems)?;
        let Some((name, port)) = parse(text) else {
            self.problems.add(&field.path, SYNTAX);
            return None;
        };
        if !private && is_private(&name) {
            self.problems.add(&field.path, format_args!("{name} {NEEDS_PRIVATE}"));
            return None;
        }
        Some(CustomHost { name, port, private })
    }
}

/// Name in lower case, and port.
fn parse(text: &str) -> Option<(String, Option<u16>)> {
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, Some(port.parse().ok().filter(|port| *port > 0)?)),
        None => (text, None),
    };
    let name = name.to_ascii_lowercase();
    let bare = name.strip_prefix("*.").unwrap_or(&name);
    let is_address = bare == name && bare.parse::<Ipv4Addr>().is_ok();
    (is_address || is_name(bare)).then_some((name, port))
}

/// A name of RFC 1123 that no resolver takes for an address.
fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        let valid = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let inner = !label.starts_with('-') && !label.ends_with('-');
        !label.is_empty() && label.len() <= MAX_LABEL && inner && label.bytes().all(valid)
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    let number = last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x");
    name.len() <= MAX_NAME && !number && name.split('.').all(label)
}

/// Whether it stands for nothing but addresses that are not public.
fn is_private(name: &str) -> bool {
    match name.parse::<Ipv4Addr>() {
        Ok(address) => is_private_address(address),
        Err(_) => name == "localhost" || name.ends_with(".localhost"),
    }
}

/// As far as literals go, what the rendered address filter denies.
fn is_private_address(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || matches!(first, 0 | 224..)
        || (first == 100 && (64..128).contains(&second))
        || (first == 198 && (second == 18 || second == 19))
        || (first == 192 && second == 0 && third == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::check::check;

    #[test]
    fn hosts_are_taken_apart() {
        let label = "a".repeat(MAX_LABEL);
        for (text, expected) in [
            ("API.Acme.example", Some(("api.acme.example", None))),
            ("*.acme.example", Some(("*.acme.example", None))),
            ("llm_1:8080", Some(("llm_1", Some(8080)))),
            ("*.acme.example:443", Some(("*.acme.example", Some(443)))),
            ("10.0.0.1:1", Some(("10.0.0.1", Some(1)))),
            (&label, Some((label.as_str(), None))),
            ("https://acme.example", None),
            ("acme.example/v1", None),
            ("user@acme.example", None),
            ("[::1]", None),
            ("::1", None),
            ("acme.example:0", None),
            ("acme.example:65536", None),
            ("acme.example:", None),
            ("acme.example.", None),
            ("*", None),
            ("*.", None),
            ("*.10.0.0.1", None),
            ("a.*.example", None),
            ("*acme.example", None),
            ("-a.example", None),
            ("a..example", None),
            ("127.1", None),
            ("0x7f000001", None),
            ("2130706433", None),
            ("10.0.0.256", None),
            ("b\u{fc}cher.example", None),
            (&format!("{label}a"), None),
        ] {
            let expected = expected.map(|(name, port)| (name.to_owned(), port));
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn every_problem_has_its_path() {
        for (yaml, expected) in [
            ("a.example", "custom_hosts: must be a list, not text".to_owned()),
            ("[1]", "custom_hosts[0]: must be text, not a number".to_owned()),
            ("[\"\"]", "custom_hosts[0]: must not be empty".to_owned()),
            ("[{private: true}]", "custom_hosts[0]: needs a host".to_owned()),
            (
                "[{host: a.example, privat: true}]",
                "custom_hosts[0].privat: unknown key, did you mean \"private\"?".to_owned(),
            ),
            (
                "[{host: a.example, private: 1}]",
                "custom_hosts[0].private: must be true or false, not a number".to_owned(),
            ),
            ("[a.example, \"http://b.example\"]", format!("custom_hosts[1]: {SYNTAX}")),
            ("[{host: \"[::1]\", private: true}]", format!("custom_hosts[0].host: {SYNTAX}")),
            ("[\"10.0.0.1:80\"]", format!("custom_hosts[0]: 10.0.0.1 {NEEDS_PRIVATE}")),
            (
                "[{host: localhost, private: false}]",
                format!("custom_hosts[0].host: localhost {NEEDS_PRIVATE}"),
            ),
            (
                "[a.example, {host: A.example, private: true}]",
                "custom_hosts[1]: this host is there twice".to_owned(),
            ),
        ] {
            let rejected = check(&format!("custom_hosts: {yaml}"), &|_| None).unwrap_err();
            assert_eq!(rejected.problems, [expected], "{yaml}");
        }
    }

    #[test]
    fn hosts_keep_their_order_and_ports() {
        let yaml = "custom_hosts: [b.example, \"*.A.example:8\", {host: \"b.example:9\"}, \
                    {host: 10.0.0.1, private: true}]";
        let gateway = check(yaml, &|_| None).unwrap();
        let hosts = gateway.custom_hosts.iter().map(|host| (host.to_string(), host.private));
        let expected = [
            ("b.example", false),
            ("*.a.example:8", false),
            ("b.example:9", false),
            ("10.0.0.1", true),
        ];
        let expected = expected.map(|(host, private)| (host.to_owned(), private));
        assert_eq!(hosts.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn private_is_what_is_not_public() {
        for (name, expected) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.31.0.1", true),
            ("172.32.0.1", false),
            ("192.168.0.1", true),
            ("169.254.169.254", true),
            ("100.64.0.1", true),
            ("100.128.0.1", false),
            ("0.0.0.0", true),
            ("224.0.0.1", true),
            ("255.255.255.255", true),
            ("198.19.0.1", true),
            ("192.0.0.8", true),
            ("8.8.8.8", false),
            ("localhost", true),
            ("a.localhost", true),
            ("*.localhost", true),
            ("localhost.example", false),
        ] {
            assert_eq!(is_private(name), expected, "{name}");
        }
    }
}
