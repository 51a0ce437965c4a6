//! `traces`.

use std::collections::BTreeMap;

use super::Checker;
use super::value::is_token;
use crate::config::settings::Protocol;
use crate::provider::BaseUrl;
use crate::tool::field::{Field, Fields, suggest};
use crate::tool::model::{Origin, Traces};

/// Longest time that spans wait, in milliseconds.
const MAX_INTERVAL: u64 = 60_000;

impl Checker<'_> {
    pub(super) fn traces(&mut self, field: &Field<'_>) -> Option<Traces> {
        let known =
            ["url", "protocol", "headers", "sampling", "propagate", "service_name", "interval"];
        let fields = Fields::open(field, &known, &mut self.problems);
        let protocol = fields.get("protocol").map_or(Protocol::Http, |field| self.protocol(field));
        let headers = fields.get("headers").map(|field| self.secret_headers(field));
        let sampling = self.share(fields.get("sampling")).unwrap_or(1.0);
        let service_name =
            fields.get("service_name").and_then(|field| field.text(&mut self.problems));
        let propagate = self.flag(fields.get("propagate")).unwrap_or(true);
        let interval = self.number(fields.get("interval"), 1..=MAX_INTERVAL).unwrap_or(1000);
        let Some(url) = fields.get("url") else {
            self.problems.add(&field.path, "needs a url");
            return None;
        };
        let parsed = BaseUrl::parse(&self.url(url)?).ok()?;
        if protocol == Protocol::Grpc && !parsed.path.is_empty() {
            self.problems.add(&url.path, "has no path where the protocol is grpc");
        }
        Some(Traces {
            url: parsed,
            protocol,
            headers: headers.unwrap_or_default(),
            sampling,
            propagate,
            service_name: service_name.unwrap_or("portkey-envoy").to_owned(),
            interval,
        })
    }

    fn protocol(&mut self, field: &Field<'_>) -> Protocol {
        match field.text(&mut self.problems) {
            Some("grpc") => return Protocol::Grpc,
            Some("http") | None => {}
            Some(other) => {
                let hint = suggest(other, ["http", "grpc"].into_iter());
                self.problems.add(&field.path, format_args!("unknown protocol {other:?}{hint}"));
            }
        }
        Protocol::Http
    }

    /// Headers whose values are credentials.
    fn secret_headers(&mut self, field: &Field<'_>) -> BTreeMap<String, Origin> {
        let mut headers = BTreeMap::new();
        for (name, entry) in field.entries(&mut self.problems) {
            let name = name.to_ascii_lowercase();
            if !is_token(&name) || name.starts_with("x-envoy-") || name == "content-type" {
                self.problems.add(&entry.path, "this header cannot be set");
            }
            if let Some(secret) = self.secret(&entry)
                && headers.insert(name, Origin::Given(secret)).is_some()
            {
                self.problems.add(&entry.path, "this header is there twice");
            }
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use crate::config::settings::Protocol;
    use crate::tool::check::check;
    use crate::tool::model::{Origin, Secret};

    #[test]
    fn every_problem_has_its_path() {
        for (yaml, expected) in [
            ("traces: 1", "traces: must be a mapping, not a number"),
            ("traces: {sampling: 1}", "traces: needs a url"),
            ("traces: {url: 'ftp://x'}", "traces.url: must begin with http:// or https://"),
            (
                "traces: {url: 'http://x:4317/v1', protocol: grpc}",
                "traces.url: has no path where the protocol is grpc",
            ),
            (
                "traces: {url: 'http://x', protocol: gprc}",
                "traces.protocol: unknown protocol \"gprc\"",
            ),
            (
                "traces: {url: 'http://x', sampling: 2}",
                "traces.sampling: must be a number from 0 to 1",
            ),
            ("traces: {url: 'http://x', interval: 0}", "traces.interval: must be from 1 to 60000"),
            (
                "traces: {url: 'http://x', headers: {'a b': c}}",
                "traces.headers.\"a b\": this header cannot be set",
            ),
            (
                "traces: {url: 'http://x', headers: {a: '${NOT_THERE}'}}",
                "traces.headers.a: the environment variable NOT_THERE is not set",
            ),
        ] {
            let rejected = check(yaml, &|_| None).unwrap_err();
            let lines: Vec<&String> =
                rejected.problems.iter().filter(|line| line.starts_with(expected)).collect();
            assert_eq!(lines.len(), 1, "{expected}: {:?}", rejected.problems);
        }
    }

    #[test]
    fn what_is_not_said_keeps_its_default() {
        let traces = |yaml: &str| check(yaml, &|_| None).unwrap().traces;
        assert!(traces("").is_none());
        let usual = traces("traces: {url: 'http://127.0.0.1:4318'}").unwrap();
        assert_eq!((usual.protocol, usual.sampling, usual.propagate), (Protocol::Http, 1.0, true));
        let yaml = "traces: {url: 'https://x', headers: {X-Team: t}, propagate: false}";
        let own = traces(yaml).unwrap();
        let secret = Origin::Given(Secret::new("t".to_owned()));
        assert_eq!(own.headers["x-team"], secret);
        assert!(!own.propagate);
    }
}
