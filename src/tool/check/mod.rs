//! gateway.yaml from raw to valid. All problems are found in one go, each with its path.

mod aws;
mod cache;
mod caller;
mod credential;
mod custom_host;
mod jwt;
mod logs;
mod metrics;
mod prices;
mod resilience;
mod saved;
mod secret;
mod setting;
mod tls;
mod traces;
mod value;
mod virtual_key;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use serde_json::value::RawValue;

use super::field::{Field, Fields, Problems, suggest};
use super::model::{Cache, Gateway, Limits, Metrics, OutlierDetection, Overrides};
use super::yaml::Node;
use crate::provider::{self, PROVIDERS, Provider};

/// The variables of the environment by name.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Why there is no valid configuration.
#[derive(Debug)]
pub struct Rejected {
    /// One line per problem, each with the path of the field.
    pub problems: Vec<String>,
    /// Files that `file:` secrets name: a change of one of them may be the cure.
    pub secret_files: Vec<PathBuf>,
}

/// Reads and checks a file.
///
/// # Errors
/// Every problem that was found.
pub fn load(path: &Path, environment: Environment<'_>) -> Result<Gateway, Rejected> {
    match std::fs::read_to_string(path) {
        Ok(text) => check(&text, environment),
        Err(error) => Err(Rejected {
            problems: vec![format!("{} cannot be read: {error}", path.display())],
            secret_files: Vec::new(),
        }),
    }
}

/// Checks the text of a file. Relative paths in it start at the working directory.
///
/// # Errors
/// Every problem that was found.
pub fn check(text: &str, environment: Environment<'_>) -> Result<Gateway, Rejected> {
    let node = Node::parse(text).map_err(|error| Rejected {
        problems: vec![error.to_string()],
        secret_files: Vec::new(),
    })?;
    let mut checker = Checker { environment, problems: Problems::default(), files: Vec::new() };
    let gateway = checker.gateway(&Field::root(&node));
    let (problems, secret_files) = (checker.problems.into_lines(), checker.files);
    match problems.is_empty() {
        true => Ok(Gateway { secret_files, ..gateway }),
        false => Err(Rejected { problems, secret_files }),
    }
}

/// Checks fields; what is wrong is noted and replaced by its default, so that checking goes on.
struct Checker<'e> {
    environment: Environment<'e>,
    problems: Problems,
    /// Files that secrets came from.
    files: Vec<PathBuf>,
}

const KEYS: [&str; 24] = [
    "listen",
    "tls",
    "http3",
    "admin",
    "concurrency",
    "providers",
    "virtual_keys",
    "configs",
    "default_config",
    "google_token_url",
    "dns_resolvers",
    "custom_hosts",
    "circuit_breakers",
    "outlier_detection",
    "logs",
    "log_bodies",
    "limits",
    "cache",
    "prices",
    "api_keys",
    "jwt",
    "rate_limit_service",
    "metrics",
    "traces",
];

/// Most connections of clients: what the system has ports for, many times over.
const MAX_CONNECTIONS: u64 = 10_000_000;
/// Most streams of one connection: what Envoy takes.
const MAX_STREAMS: u64 = (1 << 31) - 1;
/// Memory that Envoy needs to serve at all, and 1 TiB.
const MIN_MEMORY: u64 = 64 << 20;
const MAX_MEMORY: u64 = 1 << 40;

impl Checker<'_> {
    fn gateway(&mut self, root: &Field<'_>) -> Gateway {
        let fields = Fields::open(root, &KEYS, &mut self.problems);
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let listen = self.address(fields.get("listen"), 8787);
        let admin = self.address(fields.get("admin"), 9901);
        if !admin.ip().is_loopback() {
            let message = "must be a loopback address: whoever reaches it controls the gateway";
            self.problems.add("admin", message);
        }
        if listen == admin {
            self.problems.add("admin", "must differ from listen");
        }
        let keys = fields.get("virtual_keys").map(|field| field.entries(&mut self.problems));
        let keys = keys.unwrap_or_default();
        let slugs: Vec<&str> = keys.iter().map(|(slug, _)| *slug).collect();
        let configs = fields.get("configs").map(|field| field.entries(&mut Problems::default()));
        let configs: Vec<&str> = configs.iter().flatten().map(|(slug, _)| *slug).collect();
        let names = caller::Names { virtual_keys: &slugs, configs: &configs };
        let callers = self.callers(&fields, &names);
        if fields.get("log_bodies").is_none() {
            self.no_bodies(callers.as_ref());
        }
        let tls = fields.get("tls").and_then(|field| self.tls(field));
        let providers = fields.get("providers").map(|f| self.providers(f)).unwrap_or_default();
        Gateway {
            listen,
            http3: self.http3(&fields, tls.as_ref()),
            tls,
            admin,
            concurrency: self
                .number(fields.get("concurrency"), 1..=1024)
                .map_or_else(cores, |count| usize::try_from(count).unwrap_or(1)),
            virtual_keys: self.virtual_keys(&keys, &providers, callers.as_ref()),
            providers,
            default_config: fields
                .get("default_config")
                .and_then(|field| self.default_config(field, fields.get("configs"))),
            configs: fields.get("configs").map(|f| self.configs(f, &slugs)).unwrap_or_default(),
            google_token_url: fields.get("google_token_url").and_then(|field| self.url(field)),
            dns_resolvers: fields
                .get("dns_resolvers")
                .map(|field| self.dns_resolvers(field))
                .unwrap_or_default(),
            custom_hosts: fields
                .get("custom_hosts")
                .map(|field| self.custom_hosts(field))
                .unwrap_or_default(),
            circuit_breakers: fields
                .get("circuit_breakers")
                .map(|field| self.circuit_breakers(field))
                .unwrap_or_default(),
            outlier_detection: match fields.get("outlier_detection") {
                Some(field) => self.outlier_detection(field),
                None => Some(OutlierDetection::default()),
            },
            logs: match fields.get("logs") {
                Some(field) => self.logs(field),
                None => self.log_file("portkey-access.jsonl").into_iter().collect(),
            },
            limits: fields.get("limits").map(|f| self.limits(f)).unwrap_or_default(),
            cache: match fields.get("cache") {
                Some(field) => self.cache(field, &slugs),
                None => Some(Cache::default()),
            },
            prices: self.prices(fields.get("prices")),
            callers,
            metrics: match fields.get("metrics") {
                Some(field) => self.metrics(field),
                None => Some(Metrics::default()),
            },
            traces: fields.get("traces").and_then(|field| self.traces(field)),
            log_bodies: fields.get("log_bodies").map(|field| self.log_bodies(field)),
            secret_files: Vec::new(),
        }
    }

    fn providers(&mut self, field: &Field<'_>) -> BTreeMap<&'static str, Overrides> {
        let mut providers = BTreeMap::new();
        for (slug, entry) in field.entries(&mut self.problems) {
            let row = self.provider(&entry.path, slug);
            let known = ["base_url", "timeout", "headers"].into_iter().chain(setting::names(row));
            let fields = Fields::open(&entry, &known.collect::<Vec<_>>(), &mut self.problems);
            let overrides = self.overrides(&fields, row);
            if let Some(row) = row {
                providers.insert(row.slug, overrides);
            }
        }
        providers
    }

    fn overrides(&mut self, fields: &Fields<'_>, row: Option<&'static Provider>) -> Overrides {
        Overrides {
            base_url: fields.get("base_url").and_then(|field| self.url(field)),
            timeout: self.milliseconds(fields.get("timeout")),
            headers: fields.get("headers").map(|field| self.headers(field)).unwrap_or_default(),
            settings: self.settings(fields, row),
        }
    }

    /// The row of a provider that a field names.
    fn provider(&mut self, path: &str, slug: &str) -> Option<&'static Provider> {
        let row = provider::find(slug);
        match (row, provider::reason(slug)) {
            (Some(_), _) => {}
            (None, Some(reason)) => {
                self.problems.add(path, format_args!("{slug} is not supported yet: {reason}"));
            }
            (None, None) => {
                let hint = suggest(slug, PROVIDERS.iter().map(|row| row.slug));
                self.problems.add(path, format_args!("unknown provider {slug:?}{hint}"));
            }
        }
        row
    }

    fn limits(&mut self, field: &Field<'_>) -> Limits {
        let known = [
            "request_body",
            "request_timeout",
            "idle_timeout",
            "connect_timeout",
            "connections",
            "streams",
            "memory",
        ];
        let fields = Fields::open(field, &known, &mut self.problems);
        let usual = Limits::default();
        let mut time = |name, default| self.milliseconds(fields.get(name)).unwrap_or(default);
        Limits {
            request_timeout: time("request_timeout", usual.request_timeout),
            idle_timeout: time("idle_timeout", usual.idle_timeout),
            connect_timeout: time("connect_timeout", usual.connect_timeout),
            request_body: self.size(fields.get("request_body")).unwrap_or(usual.request_body),
            connections: self
                .number(fields.get("connections"), 1..=MAX_CONNECTIONS)
                .unwrap_or(usual.connections),
            streams: self.number(fields.get("streams"), 1..=MAX_STREAMS).unwrap_or(usual.streams),
            memory: self
                .size_within(fields.get("memory"), MIN_MEMORY..=MAX_MEMORY)
                .unwrap_or(usual.memory),
        }
    }

    fn address(&mut self, field: Option<&Field<'_>>, default_port: u16) -> SocketAddr {
        let default = SocketAddr::from(([127, 0, 0, 1], default_port));
        let Some(field) = field else { return default };
        let Some(text) = field.text(&mut self.problems) else {
            return default;
        };
        match text.parse::<SocketAddr>() {
            Ok(address) if address.port() > 0 => return address,
            _ => {
                let message = format_args!("must be an IP address and a port, such as {default}");
                self.problems.add(&field.path, message);
            }
        }
        default
    }

    /// The slug of one of the file's configs.
    fn default_config(&mut self, field: &Field<'_>, configs: Option<&Field<'_>>) -> Option<String> {
        let slug = field.text(&mut self.problems)?;
        // What is wrong with the configs themselves is noted where they are read.
        let entries = configs.map(|field| field.entries(&mut Problems::default()));
        let slugs: Vec<&str> = entries.iter().flatten().map(|(slug, _)| *slug).collect();
        if !slugs.contains(&slug) {
            let hint = suggest(slug, slugs.iter().copied());
            self.problems.add(&field.path, format_args!("unknown config {slug:?}{hint}"));
        }
        Some(slug.to_owned())
    }

    /// Addresses of name servers; the port is 53 where none is given.
    fn dns_resolvers(&mut self, field: &Field<'_>) -> Vec<SocketAddr> {
        let mut resolvers = Vec::new();
        for item in field.items(&mut self.problems).unwrap_or_default() {
            let Some(text) = item.text(&mut self.problems) else { continue };
            let plain = text.parse::<IpAddr>().map(|address| SocketAddr::from((address, 53)));
            match plain.or_else(|_| text.parse()) {
                Ok(address) if address.port() > 0 => resolvers.push(address),
                _ => {
                    let message = "must be an IP address, also with a port, such as 10.0.0.53:53";
                    self.problems.add(&item.path, message);
                }
            }
        }
        resolvers
    }

    /// A mapping as raw JSON.
    fn object(&mut self, field: &Field<'_>) -> Option<Box<RawValue>> {
        match field.node {
            Node::Map(_) => serde_json::value::to_raw_value(field.node).ok(),
            other => {
                field.mismatch("a mapping", other, &mut self.problems);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
