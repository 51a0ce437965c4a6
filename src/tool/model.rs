//! gateway.yaml after the checks: what is here is valid.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::value::RawValue;

use crate::config::caller::Caller;
use crate::config::settings::{LogBodies, Protocol};
use crate::config::tree::Known;
use crate::price::Catalogue;
use crate::provider::{BaseUrl, Provider, Values};

/// The whole file.
#[derive(Debug)]
pub struct Gateway {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// How clients connect there; `None`: without TLS.
    pub tls: Option<Tls>,
    /// Whether they may use HTTP/3 as well.
    pub http3: bool,
    /// Envoy's admin interface; always a loopback address.
    pub admin: SocketAddr,
    /// Envoy workers.
    pub concurrency: usize,
    /// Overrides by provider slug.
    pub providers: BTreeMap<&'static str, Overrides>,
    /// Virtual keys by slug.
    pub virtual_keys: BTreeMap<String, VirtualKey>,
    /// Saved config objects by slug.
    pub configs: BTreeMap<String, Box<RawValue>>,
    /// Slug of the config of requests that name nothing.
    pub default_config: Option<String>,
    /// Where assertions of service accounts become tokens, if it is not Google's own place.
    pub google_token_url: Option<String>,
    /// Name servers; none: the system's.
    pub dns_resolvers: Vec<SocketAddr>,
    /// Hosts that a caller may name.
    pub custom_hosts: Vec<CustomHost>,
    /// Limits of what one provider cluster may have under way.
    pub circuit_breakers: CircuitBreakers,
    /// When an address of a provider is left out for a while; `None`: never.
    pub outlier_detection: Option<OutlierDetection>,
    /// Sinks of the access log.
    pub logs: Vec<Log>,
    /// Sizes and times.
    pub limits: Limits,
    /// The cache of answers; `None`: there is none.
    pub cache: Option<Cache>,
    /// What models cost; empty: nobody wants to know.
    pub prices: Catalogue,
    /// Who may ask; `None`: everybody.
    pub callers: Option<Callers>,
    /// What is measured; `None`: nothing.
    pub metrics: Option<Metrics>,
    /// Where spans go; `None`: there are none.
    pub traces: Option<Traces>,
    /// How bodies are logged; `None`: never.
    pub log_bodies: Option<LogBodies>,
    /// Files that `file:` secrets were read from.
    pub secret_files: Vec<PathBuf>,
}

impl Known for Gateway {
    fn has_virtual_key(&self, slug: &str) -> bool {
        self.virtual_keys.contains_key(slug)
    }
}

/// How one provider, or one virtual key, differs from the table of providers.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Another place than the table's: a valid [`crate::provider::BaseUrl`].
    pub base_url: Option<String>,
    /// Milliseconds until the response headers.
    pub timeout: Option<u64>,
    /// Headers that every request carries, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The provider's settings, but for secrets.
    pub settings: Values,
}

/// A credential under a name.
#[derive(Debug)]
pub struct VirtualKey {
    /// The row of the table of providers.
    pub provider: &'static Provider,
    /// Any of them will do; none when the provider takes none, or is AWS and signs.
    pub credentials: Vec<Credential>,
    /// What Envoy signs requests to AWS with.
    pub aws: Option<AwsCredentials>,
    /// The key of a service account, instead of an API key.
    pub service_account: Option<Origin>,
    /// What is different from the provider.
    pub overrides: Overrides,
    /// Body fields for requests that lack them, a JSON object.
    pub default_params: Option<Box<RawValue>>,
    /// Body fields that nobody can change, a JSON object.
    pub override_params: Option<Box<RawValue>>,
    /// Which requests may use it.
    pub access: Access,
}

/// Which requests may use a virtual key.
#[derive(Debug, Default)]
pub struct Access {
    /// Models that it is for: names, or beginnings of names and a `*`.
    pub allowed_models: Option<Vec<String>>,
    /// Names of the callers that it is for.
    pub allowed_callers: Option<Vec<String>>,
    /// Unix time in seconds from which on it may not be used.
    pub expires_at: Option<u64>,
    /// Whether it may not be used at all.
    pub disabled: bool,
}

/// What Envoy puts into requests.
#[derive(Debug)]
pub enum Credential {
    /// A secret as it is.
    Held(Origin),
    /// A token, which Envoy asks for with a secret and renews in time.
    Exchanged(Exchange),
}

/// Where Envoy has a secret from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// From a file of ours that holds it.
    Given(Secret),
    /// From a file of somebody else's, in the format of Envoy's secret discovery.
    File {
        /// The secret's name in it.
        name: String,
        /// Where it is, absolute.
        path: PathBuf,
        /// The directory in which a move makes Envoy read it again.
        watched: PathBuf,
    },
    /// From a server of Envoy's secret discovery (gRPC).
    Server {
        /// The secret's name there.
        name: String,
        /// Where the server is; no path.
        url: BaseUrl,
    },
}

/// A client of OAuth 2.0 that asks for tokens for itself (RFC 6749, section 4.4).
#[derive(Debug)]
pub struct Exchange {
    /// The token endpoint: a valid [`crate::provider::BaseUrl`].
    pub token_url: String,
    /// The client's name there.
    pub client_id: String,
    /// What it proves that with.
    pub client_secret: Origin,
    /// What the token is to be good for.
    pub scopes: Vec<String>,
}

/// Where Envoy has the keys that it signs requests to AWS with.
#[derive(Debug)]
pub enum AwsCredentials {
    /// Here.
    Keys {
        /// Names the key.
        access_key_id: Secret,
        /// The key.
        secret_access_key: Secret,
        /// Of temporary credentials.
        session_token: Option<Secret>,
    },
    /// In a file as AWS's tools have it; a file that takes its place is noticed.
    File {
        /// An absolute path.
        path: PathBuf,
        /// Another section than `default`.
        profile: Option<String>,
    },
    /// Wherever AWS's tools look: the environment, the files of the user, the role of the machine.
    Environment,
}

/// A credential; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a credential.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The credential itself, for its one file.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A host that a caller may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomHost {
    /// A name or an IPv4 address, or `*.` and a name; lower case.
    pub name: String,
    /// `None`: every port.
    pub port: Option<u16>,
    /// Whether it may have a private address.
    pub private: bool,
}

impl CustomHost {
    /// Whether every host that `name` stands for is one of those of this entry.
    pub fn covers(&self, name: &str) -> bool {
        match self.name.strip_prefix('*') {
            Some(suffix) => name.ends_with(suffix),
            None => name == self.name,
        }
    }
}

impl fmt::Display for CustomHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// What the listener shows clients, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The certificate, and those that lead to one that clients trust.
    pub certificate: String,
    /// Its key.
    pub private_key: Secret,
    /// Who signs the certificates of clients; `None`: they need none.
    pub client_ca: Option<String>,
}

/// Thresholds of each provider cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CircuitBreakers {
    /// Connections at a time.
    pub max_connections: u64,
    /// Requests that wait for a connection.
    pub max_pending_requests: u64,
    /// Requests at a time.
    pub max_requests: u64,
    /// Retries at a time.
    pub max_retries: u64,
}

impl Default for CircuitBreakers {
    /// Far above what one machine serves. Envoy's own default of 3 retries at a time would fail
    /// fallbacks under load.
    fn default() -> Self {
        let far = 1_000_000;
        Self {
            max_connections: far,
            max_pending_requests: far,
            max_requests: far,
            max_retries: far,
        }
    }
}

/// When an address of a provider that has several is left out, times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutlierDetection {
    /// After so many 5xx in a row.
    pub consecutive_5xx: u64,
    /// After so many 502, 503, 504 or failed connections in a row.
    pub consecutive_gateway_failure: u64,
    /// Between looks at who may come back.
    pub interval: u64,
    /// How long the first time; each further time is as much longer.
    pub base_ejection_time: u64,
    /// Share of the addresses that may be left out at a time.
    pub max_ejection_percent: u64,
}

impl Default for OutlierDetection {
    fn default() -> Self {
        Self {
            consecutive_5xx: 20,
            consecutive_gateway_failure: 5,
            interval: 10_000,
            base_ejection_time: 30_000,
            max_ejection_percent: 49,
        }
    }
}

/// The cache of answers, times in milliseconds.
#[derive(Debug)]
pub struct Cache {
    /// Entries inside the process.
    pub max_entries: u64,
    /// Bytes of all of them.
    pub max_bytes: u64,
    /// Bytes of one.
    pub max_entry_bytes: u64,
    /// How long an answer is kept when the config does not say, in seconds.
    pub max_age: u64,
    /// What all calls of one request may take together.
    pub timeout: u64,
    /// How long a request waits for an equal one.
    pub single_flight: Option<u64>,
    /// Where answers are kept, if not inside the process.
    pub redis: Option<Server>,
    /// How requests that mean the same are found.
    pub semantic: Option<Semantic>,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            max_entries: 1 << 16,
            max_bytes: 64 << 20,
            max_entry_bytes: 1 << 20,
            max_age: 7 * 24 * 3600,
            timeout: 300,
            single_flight: None,
            redis: None,
            semantic: None,
        }
    }
}

/// A server that the cache uses.
#[derive(Debug)]
pub struct Server {
    /// Where it is.
    pub url: BaseUrl,
    /// The credential for it.
    pub secret: Option<Origin>,
}

/// How requests that mean the same are found; see [`crate::config::settings::Semantic`].
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Semantic {
    pub provider: String,
    pub model: String,
    pub dimensions: Option<u32>,
    pub threshold: f32,
    pub guard: bool,
    pub max_vectors: u64,
    pub collection: String,
    pub qdrant: Option<Server>,
}

/// Everybody who may ask.
#[derive(Debug)]
pub struct Callers {
    /// By name.
    pub keys: BTreeMap<String, Caller>,
    /// Whose tokens are good as well.
    pub jwt: Option<Jwt>,
    /// Who counts requests and tokens, if not this gateway.
    pub rate_limit_service: Option<RateLimitService>,
}

/// Whose tokens are good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwt {
    /// Who has signed them.
    pub issuer: String,
    /// Whom they are for, one of these.
    pub audiences: Vec<String>,
    /// The keys that they are signed with.
    pub jwks: Jwks,
    /// The request header, in lower case.
    pub header: String,
    /// The claim that is the caller's name.
    pub claim: String,
    /// The caller whose rules hold for everybody who is not named.
    pub default: Option<String>,
}

/// Where a JSON Web Key Set is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Jwks {
    /// This one.
    Given(String),
    /// At this URL.
    Server(BaseUrl),
}

/// A server of Envoy's rate-limit protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimitService {
    /// Where it is; it speaks gRPC without TLS.
    pub url: BaseUrl,
    /// The domain of its configuration.
    pub domain: String,
    /// Milliseconds that it may take.
    pub timeout: u64,
    /// Whether requests are refused while it does not answer.
    pub deny_on_failure: bool,
}

/// By which labels requests are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    /// Keys of metadata that are labels.
    pub tags: Vec<String>,
    /// Names of models that are labels, beside those that the rest of the file and the catalogue of
    /// prices know.
    pub models: Vec<String>,
    /// Values of a tag, at most.
    pub max_values: u64,
    /// Different sets of labels of requests, at most.
    pub max_series: u64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { tags: Vec::new(), models: Vec::new(), max_values: 100, max_series: 2000 }
    }
}

/// Where spans go, and which; see [`crate::config::settings::Traces`].
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Traces {
    pub url: BaseUrl,
    pub protocol: Protocol,
    /// Headers that the collector wants, names in lower case.
    pub headers: BTreeMap<String, Origin>,
    pub sampling: f64,
    pub propagate: bool,
    pub service_name: String,
    /// Milliseconds.
    pub interval: u64,
}

/// A sink of the access log, and which requests it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Where to.
    pub sink: Sink,
    /// `None`: every request.
    pub only: Option<Only>,
}

/// Where records of the log go. Each is one JSON object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sink {
    /// A line each, appended to this (absolute) file.
    File(PathBuf),
    /// The same on the standard output.
    Stdout,
    /// Bodies of OpenTelemetry's log records, by gRPC, or by HTTP at this URL.
    OpenTelemetry {
        /// Where the collector is.
        url: BaseUrl,
        /// Whether it is HTTP.
        http: bool,
    },
    /// A tag of the entries of Envoy's gRPC access-log service.
    Grpc {
        /// Where it is; it speaks without TLS.
        url: BaseUrl,
        /// Name of the log.
        name: String,
    },
    /// Events of Fluentd's forward protocol.
    Fluentd {
        /// Where it is; it speaks without TLS.
        url: BaseUrl,
        /// Their tag.
        tag: String,
    },
}

impl Sink {
    /// The server, if it is one.
    pub fn server(&self) -> Option<&BaseUrl> {
        match self {
            Self::File(_) | Self::Stdout => None,
            Self::OpenTelemetry { url, .. }
            | Self::Grpc { url, .. }
            | Self::Fluentd { url, .. } => Some(url),
        }
    }
}

/// Requests to which one of these applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Only {
    /// Those that failed, broke off or had an error.
    pub errors: bool,
    /// Those that took so many milliseconds or more.
    pub slower_than: Option<u64>,
    /// A share of all, in thousandths of a percent.
    pub sample: Option<u64>,
}

/// Sizes in bytes, times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest request body.
    pub request_body: u64,
    /// Until the response headers, when nothing else says another time.
    pub request_timeout: u64,
    /// Without a byte in either direction of a stream.
    pub idle_timeout: u64,
    /// Until a connection to a provider stands.
    pub connect_timeout: u64,
    /// Connections of clients at a time.
    pub connections: u64,
    /// Requests at a time on one of them, with HTTP/2 and HTTP/3.
    pub streams: u64,
    /// Memory of Envoy but for the VMs; above it requests are refused.
    pub memory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_body: 100 << 20,
            request_timeout: 600_000,
            idle_timeout: 300_000,
            connect_timeout: 5_000,
            connections: 50_000,
            streams: 100,
            memory: 2 << 30,
        }
    }
}
