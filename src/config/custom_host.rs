//! Which hosts `custom_host` may name. Envoy refuses private addresses again when it has resolved
//! the name; here they are refused before anything is sent.

use super::settings::CustomHost;
use crate::provider::BaseUrl;
use std::net::Ipv4Addr;

/// Whether a base URL's host is on the list.
pub fn allows(list: &[CustomHost], url: &BaseUrl) -> bool {
    let host = url.host.to_ascii_lowercase();
    list.iter().any(|entry| {
        let (name, port) = match entry.host.rsplit_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (entry.host.as_str(), None),
        };
        let port_fits = port.is_none_or(|port| port.parse() == Ok(url.port));
        port_fits && name_fits(name, &host) && (entry.private || !is_private(&host))
    })
}

fn name_fits(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(suffix) => host.len().checked_sub(suffix.len() + 1).is_some_and(|dot| {
            dot > 0 && host.get(dot..).is_some_and(|end| end.strip_prefix('.') == Some(suffix))
        }),
        None => pattern.eq_ignore_ascii_case(host),
    }
}

/// Whether a host is an address that only a private network has. Names are judged by Envoy.
fn is_private(host: &str) -> bool {
    // Anything that is only digits, dots or hexadecimal may be read as an address somewhere.
    let numeric = host.bytes().all(|b| b.is_ascii_digit() || b == b'.') || host.starts_with("0x");
    match host.parse::<Ipv4Addr>() {
        Ok(address) => {
            let [first, second, third, _] = address.octets();
            address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || address.is_multicast()
                || address.is_broadcast()
                || first == 0
                || first >= 240
                || (first == 100 && (64..128).contains(&second))
                || (first == 198 && (18..20).contains(&second))
                || (first, second, third) == (192, 0, 0)
        }
        Err(_) => {
            numeric || host.contains(':') || host == "localhost" || host.ends_with(".localhost")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_listed_and_public_unless_said_otherwise() {
        let entry = |host: &str, private| CustomHost { host: host.to_owned(), private };
        let list = [
            entry("api.acme.example", false),
            entry("*.wild.example", false),
            entry("one.example:8443", false),
            entry("10.0.0.1", false),
            entry("2130706433", false),
            entry("localhost", false),
            entry("127.0.0.1", true),
        ];
        for (url, allowed) in [
            ("https://api.acme.example/v1", true),
            ("https://API.acme.example:8443", true),
            ("https://evil.example", false),
            ("https://a.wild.example", true),
            ("https://a.b.wild.example", true),
            ("https://wild.example", false),
            ("https://.wild.example", false),
            ("https://notwild.example", false),
            ("https://one.example:8443", true),
            ("https://one.example", false),
            ("http://10.0.0.1", false),
            ("http://2130706433", false),
            ("http://localhost", false),
            ("http://127.0.0.1:9", true),
            ("http://127.0.0.2", false),
            ("http://[::1]", false),
        ] {
            assert_eq!(allows(&list, &BaseUrl::parse(url).unwrap()), allowed, "{url}");
        }
    }
}
