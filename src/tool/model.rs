//! gateway.yaml after the checks: what is here is valid.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::value::RawValue;

use crate::provider::{BaseUrl, Provider};

/// The whole file.
#[derive(Debug)]
pub struct Gateway {
    /// Where clients connect.
    pub listen: SocketAddr,
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
    /// Sinks of the access log.
    pub logs: Vec<Log>,
    /// Sizes and times.
    pub limits: Limits,
    /// Files that `file:` secrets were read from.
    pub secret_files: Vec<PathBuf>,
}

/// How one provider, or one virtual key, differs from the table of providers.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Another place than the table's.
    pub base_url: Option<Url>,
    /// Milliseconds until the response headers.
    pub timeout: Option<u64>,
    /// Headers that every request carries, names in lower case.
    pub headers: BTreeMap<String, String>,
}

/// A base URL and its spelling.
#[derive(Debug, Clone)]
pub struct Url {
    /// As it was written.
    pub text: String,
    /// Its parts.
    pub parts: BaseUrl,
}

/// A credential under a name.
#[derive(Debug)]
pub struct VirtualKey {
    /// The row of the table of providers.
    pub provider: &'static Provider,
    /// `None` when the provider takes none.
    pub api_key: Option<Secret>,
    /// What is different from the provider.
    pub overrides: Overrides,
    /// Body fields for requests that lack them, a JSON object.
    pub default_params: Option<Box<RawValue>>,
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

/// A sink of the access log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Log {
    /// One JSON object a line, appended to this (absolute) file.
    File(PathBuf),
    /// The same on the standard output.
    Stdout,
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
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_body: 100 << 20,
            request_timeout: 600_000,
            idle_timeout: 300_000,
            connect_timeout: 5_000,
        }
    }
}
