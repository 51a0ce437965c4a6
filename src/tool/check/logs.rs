//! Sinks of the log, and which requests each gets.

use super::Checker;
use crate::config::settings::LogBodies;
use crate::provider::BaseUrl;
use crate::tool::field::{Field, Fields, suggest};
use crate::tool::model::{Callers, Log, Only, Sink};
use crate::tool::yaml::Node;

/// Each type, and the keys that it has beside `type` and `only`.
const TYPES: [(&str, &[&str]); 5] = [
    ("file", &["path"]),
    ("stdout", &[]),
    ("opentelemetry", &["url", "protocol"]),
    ("grpc", &["address", "name"]),
    ("fluentd", &["address", "tag"]),
];

/// Bytes of a body in the log: usually, and at most, for the record is in memory until it is written.
const BODY: u64 = 16 << 10;
const MAX_BODY: u64 = 1 << 20;

impl Checker<'_> {
    pub(super) fn log_bodies(&mut self, field: &Field<'_>) -> LogBodies {
        let known = ["default", "max_bytes", "redact"];
        let fields = Fields::open(field, &known, &mut self.problems);
        let max_bytes = self.size_within(fields.get("max_bytes"), 1..=MAX_BODY).unwrap_or(BODY);
        let names = fields.get("redact").and_then(|field| field.items(&mut self.problems));
        let mut redact = Vec::new();
        for item in names.unwrap_or_default() {
            redact.extend(item.text(&mut self.problems).map(str::to_owned));
        }
        LogBodies {
            default: self.flag(fields.get("default")).unwrap_or_default(),
            max_bytes: usize::try_from(max_bytes).unwrap_or(usize::MAX),
            redact,
        }
    }

    /// No caller may count on bodies in the log where there are none.
    pub(super) fn no_bodies(&mut self, callers: Option<&Callers>) {
        let keys = callers.iter().flat_map(|callers| &callers.keys);
        for (name, _) in keys.filter(|(_, rules)| rules.log_bodies.is_some()) {
            let path = format!("api_keys.{name}.log_bodies");
            self.problems.add(&path, "bodies are logged where the file has log_bodies only");
        }
    }

    pub(super) fn logs(&mut self, field: &Field<'_>) -> Vec<Log> {
        let items = field.items(&mut self.problems).unwrap_or_default();
        items.iter().filter_map(|item| self.log(item)).collect()
    }

    /// A file that gets every request.
    pub(super) fn log_file(&mut self, path: &str) -> Option<Log> {
        match std::path::absolute(path) {
            Ok(path) => Some(Log { sink: Sink::File(path), only: None }),
            Err(error) => {
                self.problems.add("logs", format_args!("{path:?}: {error}"));
                None
            }
        }
    }

    fn log(&mut self, item: &Field<'_>) -> Option<Log> {
        let known = ["type", "only", "path", "url", "protocol", "address", "name", "tag"];
        let fields = Fields::open(item, &known, &mut self.problems);
        let Some(kind) = fields.get("type") else {
            let names = TYPES.map(|(name, _)| name).join(", ");
            self.problems.add(&item.path, format_args!("needs a type: one of {names}"));
            return None;
        };
        let name = kind.text(&mut self.problems)?;
        let Some((name, own)) = TYPES.iter().find(|(known, _)| *known == name) else {
            let hint = suggest(name, TYPES.iter().map(|(name, _)| *name));
            self.problems.add(&kind.path, format_args!("unknown type {name:?}{hint}"));
            return None;
        };
        for key in known.iter().skip(2).filter(|key| !own.contains(key)) {
            if let Some(field) = fields.get(key) {
                self.problems.add(&field.path, format_args!("a log of type {name} has none"));
            }
        }
        let only = fields.get("only").map(|field| self.only(field));
        let sink = match *name {
            "file" => {
                let path = self.needed(item, &fields, "path")?.text(&mut self.problems)?;
                self.log_file(path)?.sink
            }
            "opentelemetry" => self.opentelemetry(item, &fields)?,
            "grpc" => {
                let name = self.named(fields.get("name"));
                Sink::Grpc { url: self.host_and_port(item, &fields)?, name }
            }
            "fluentd" => {
                let tag = self.named(fields.get("tag"));
                Sink::Fluentd { url: self.host_and_port(item, &fields)?, tag }
            }
            _ => Sink::Stdout,
        };
        Some(Log { sink, only })
    }

    fn opentelemetry(&mut self, item: &Field<'_>, fields: &Fields<'_>) -> Option<Sink> {
        let field = self.needed(item, fields, "url")?.clone();
        let mut url = self.url(&field).and_then(|url| BaseUrl::parse(&url).ok())?;
        let http = match fields.get("protocol") {
            None => false,
            Some(protocol) => match protocol.text(&mut self.problems)? {
                "grpc" => false,
                "http" => true,
                _ => {
                    self.problems.add(&protocol.path, "must be grpc or http");
                    return None;
                }
            },
        };
        match (http, url.path.is_empty()) {
            (true, true) => "/v1/logs".clone_into(&mut url.path),
            (false, false) => {
                self.problems.add(&field.path, "has no path with gRPC");
                return None;
            }
            _ => {}
        }
        Some(Sink::OpenTelemetry { url, http })
    }

    pub(super) fn needed<'f, 'n>(
        &mut self,
        item: &Field<'_>,
        fields: &'f Fields<'n>,
        key: &str,
    ) -> Option<&'f Field<'n>> {
        let field = fields.get(key);
        if field.is_none() {
            self.problems.add(&item.path, format_args!("needs {key}"));
        }
        field
    }

    fn named(&mut self, field: Option<&Field<'_>>) -> String {
        let text = field.and_then(|field| field.text(&mut self.problems));
        text.unwrap_or("portkey").to_owned()
    }

    fn host_and_port(&mut self, item: &Field<'_>, fields: &Fields<'_>) -> Option<BaseUrl> {
        let field = self.needed(item, fields, "address")?.clone();
        let text = field.text(&mut self.problems)?;
        let url = BaseUrl::parse(&format!("http://{text}")).ok();
        let said = |url: &BaseUrl| text.ends_with(&format!(":{}", url.port));
        let url = url.filter(|url| url.path.is_empty() && said(url));
        if url.is_none() {
            self.problems.add(&field.path, "must be a host and a port, such as 127.0.0.1:24224");
        }
        url
    }

    fn only(&mut self, field: &Field<'_>) -> Only {
        let known = ["errors", "slower_than", "sample"];
        let fields = Fields::open(field, &known, &mut self.problems);
        let only = Only {
            errors: self.flag(fields.get("errors")).unwrap_or_default(),
            slower_than: self.milliseconds(fields.get("slower_than")),
            sample: fields.get("sample").and_then(|field| self.percent(field)),
        };
        let others = known.iter().skip(1).any(|key| fields.get(key).is_some());
        if !only.errors && !others {
            self.problems.add(&field.path, "needs errors, slower_than or sample");
        }
        only
    }

    /// A percentage in thousandths.
    fn percent(&mut self, field: &Field<'_>) -> Option<u64> {
        let thousandths = match field.node {
            Node::Integer(number) => Some(*number as f64 * 1000.0),
            Node::Float(number) => Some(number * 1000.0),
            other => {
                field.mismatch("a percentage", other, &mut self.problems);
                return None;
            }
        };
        let thousandths = thousandths.filter(|number| (1.0..=100_000.0).contains(number));
        if thousandths.is_none() {
            self.problems.add(&field.path, "must be a percentage from 0.001 to 100");
        }
        // It is in the range of the type.
        thousandths.map(|number| number.round() as u64)
    }
}

#[cfg(test)]
mod tests {
    use crate::tool::check::check;
    use crate::tool::model::{Only, Sink};

    #[test]
    fn every_problem_has_its_path() {
        for (log, problem) in [
            ("{}", ": needs a type: one of file, stdout, opentelemetry, grpc, fluentd"),
            ("{type: fluent}", ".type: unknown type \"fluent\", did you mean \"fluentd\"?"),
            ("{type: file}", ": needs path"),
            ("{type: stdout, path: x}", ".path: a log of type stdout has none"),
            ("{type: opentelemetry}", ": needs url"),
            ("{type: opentelemetry, url: 'tcp://a'}", ".url: must begin with http:// or https://"),
            ("{type: opentelemetry, url: 'http://a/x'}", ".url: has no path with gRPC"),
            (
                "{type: opentelemetry, url: 'http://a', protocol: x}",
                ".protocol: must be grpc or http",
            ),
            ("{type: grpc}", ": needs address"),
            (
                "{type: grpc, address: a}",
                ".address: must be a host and a port, such as 127.0.0.1:24224",
            ),
            (
                "{type: fluentd, address: 'a:1/x'}",
                ".address: must be a host and a port, such as 127.0.0.1:24224",
            ),
            ("{type: stdout, only: {}}", ".only: needs errors, slower_than or sample"),
            (
                "{type: stdout, only: {sample: 0}}",
                ".only.sample: must be a percentage from 0.001 to 100",
            ),
            (
                "{type: stdout, only: {sample: 101}}",
                ".only.sample: must be a percentage from 0.001 to 100",
            ),
        ] {
            let problems = check(&format!("logs: [{log}]"), &|_| None).unwrap_err().problems;
            assert_eq!(problems, [format!("logs[0]{problem}")], "{log}");
        }
    }

    #[test]
    fn sinks_are_read_as_written() {
        let yaml = "logs: [{type: opentelemetry, url: 'http://c:4318', protocol: http}, \
                    {type: grpc, address: '127.0.0.1:9', only: {sample: 0.5, errors: true}}]";
        let logs = check(yaml, &|_| None).unwrap().logs;
        let paths: Vec<_> =
            logs.iter().filter_map(|log| log.sink.server()).map(|url| &url.path).collect();
        assert_eq!(paths, ["/v1/logs", ""]);
        let only = Only { errors: true, slower_than: None, sample: Some(500) };
        assert_eq!(logs[1].only, Some(only));
        assert!(matches!(&logs[1].sink, Sink::Grpc { name, .. } if name == "portkey"));
    }
}
