//! The plugin configuration: what the native tool renders and the module reads.

use super::caller::Callers;
use crate::price::Catalogue;
use crate::provider::Values;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};

/// Version of this format. A module refuses any other, so that Envoy keeps the old pair.
pub const VERSION: u32 = 1;

/// The plugin configuration of either role.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// [`VERSION`].
    pub version: u32,
    /// Which of the two roles this instance plays.
    pub role: Role,
    /// Largest request body in bytes.
    pub max_body_bytes: u64,
    /// Milliseconds until the response headers when neither request, config nor upstream says another.
    pub request_timeout: u64,
    /// Where assertions of service accounts become tokens, if it is not
    /// [`crate::service_account::TOKEN_URL`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub google_token_url: Option<String>,
    /// Provider clusters by name.
    pub upstreams: BTreeMap<String, Upstream>,
    /// Virtual keys by slug.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub virtual_keys: BTreeMap<String, VirtualKey>,
    /// Hosts that `custom_host` may name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub custom_hosts: Vec<CustomHost>,
    /// Slug of the saved config of requests that name nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_config: Option<String>,
    /// Saved config objects by slug.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub configs: BTreeMap<String, Box<RawValue>>,
    /// The cache of answers; `None`: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Cache>,
    /// What models cost.
    #[serde(default, skip_serializing_if = "Catalogue::is_empty")]
    pub prices: Catalogue,
    /// Who may ask; `None`: everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callers: Option<Callers>,
    /// What is measured; `None`: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Metrics>,
    /// Where spans go; `None`: there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traces: Option<Traces>,
    /// How bodies are logged; `None`: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_bodies: Option<LogBodies>,
}

/// How bodies are logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogBodies {
    /// Whether they are where neither request nor caller says.
    pub default: bool,
    /// Bytes of each, at most.
    pub max_bytes: usize,
    /// Names of JSON members whose values are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redact: Vec<String>,
}

/// By which labels requests are counted, and how many values they have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// Keys of metadata that are labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Names of models that are labels beside those of the catalogue of prices.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub models: BTreeSet<String>,
    /// Values of a tag, at most.
    pub max_values: u64,
    /// Different sets of labels of requests, at most.
    pub max_series: u64,
}

/// Where spans go, and which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traces {
    /// The cluster of the collector.
    pub cluster: String,
    /// Value of the `:authority` header.
    pub authority: String,
    /// The path of OTLP/HTTP.
    pub path: String,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// The share of the traces that is recorded where the client does not say, from 0 to 1.
    pub sampling: f64,
    /// Whether providers get `traceparent` and `tracestate`.
    pub propagate: bool,
    /// The attribute `service.name`.
    pub service_name: String,
    /// Milliseconds that spans wait for others to go with.
    pub interval: u64,
}

/// How a collector is spoken to: OTLP in protobuf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// By HTTP.
    Http,
    /// By gRPC.
    Grpc,
}

/// A virtual key: where its requests go, and which may.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VirtualKey {
    /// A cluster for each of its credentials.
    pub clusters: Vec<String>,
    /// Models that it is for: names, or beginnings of names and a `*`. `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_models: Option<Vec<String>>,
    /// Names of the callers that it is for; `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_callers: Option<Vec<String>>,
    /// Unix time in seconds from which on it may not be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// Whether it may not be used at all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
}

/// The cache of answers. It keeps what configs ask it to keep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// Entries of the store inside the process, at most.
    pub max_entries: u64,
    /// Bytes of all of them, at most.
    pub max_bytes: u64,
    /// Bytes of one entry, at most, in any store.
    pub max_entry_bytes: u64,
    /// Seconds that an answer is kept when the config does not say.
    pub max_age: u64,
    /// Milliseconds that all calls of one request to embedding and stores may take together.
    pub timeout: u64,
    /// Milliseconds that a request waits for an equal one that is under way; `None`: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub single_flight: Option<u64>,
    /// Where answers are kept, if not inside the process: a server of Redis's commands over HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redis: Option<Server>,
    /// How requests that mean the same are found; `None`: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub semantic: Option<Semantic>,
}

/// A server that the cache uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Its cluster.
    pub cluster: String,
    /// Value of the `:authority` header.
    pub authority: String,
    /// Prefix of every path.
    pub path: String,
}

/// How requests that mean the same are found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Semantic {
    /// Value of `x-portkey-provider` on the requests for embeddings: a slug, or `@` and a virtual
    /// key.
    pub provider: String,
    /// The embedding model.
    pub model: String,
    /// Length of the vectors, for models that know several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<u32>,
    /// Least cosine of two questions that mean the same.
    pub threshold: f32,
    /// Whether numbers, negations and names must agree, too.
    pub guard: bool,
    /// Vectors of one partition inside the process, at most.
    pub max_vectors: u64,
    /// Where vectors are kept, if not inside the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qdrant: Option<Server>,
    /// What the names of Qdrant's collections begin with.
    pub collection: String,
}

/// A host that `custom_host` may name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomHost {
    /// A name, `*.` and a name, or an IPv4 address, each also with a port.
    pub host: String,
    /// Whether it may be, or resolve to, a private address.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
}

/// The part that a module instance plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// HTTP filter of the listener: once per client request.
    Gateway,
    /// Upstream HTTP filter of the provider clusters: once per attempt.
    Provider,
}

/// One provider cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// Slug of the row in the table of providers.
    pub provider: String,
    /// Base URL; see [`crate::provider::BaseUrl`]. The caller's settings stand for the placeholders
    /// that it may hold.
    pub base_url: String,
    /// The provider's settings that gateway.yaml gives, no secrets among them.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub settings: Values,
    /// Milliseconds until the response headers; `None` means no limit of this upstream's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// Headers that every request to it carries, over those of the provider's row.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Whether Envoy injects the credential, so that the filter must not send one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub injects_credential: bool,
    /// Whether that credential is the key of a service account, which the filter exchanges for a
    /// token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub service_account: bool,
    /// Whether it is reached through an internal listener, whose failures arrive as answers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub relayed: bool,
    /// Whether its virtual key has other credentials, which may do where this one does not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_siblings: bool,
    /// Body fields for requests that lack them, as a JSON object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_params: Option<Box<RawValue>>,
    /// Body fields that nobody can change, as a JSON object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub override_params: Option<Box<RawValue>>,
    /// Whether gateway.yaml names it, so that `GET /v1/models` lists it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub listed: bool,
}
