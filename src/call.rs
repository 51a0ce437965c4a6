//! Calls to other servers, as data: the host makes them.

use crate::config::settings::Server;
use crate::contract::cluster;
use crate::http::Headers;

/// A request to a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The cluster.
    pub cluster: String,
    /// All headers.
    pub headers: Headers,
    /// The body; it may hold secrets.
    pub body: Vec<u8>,
    /// Milliseconds until the answer, at least 1.
    pub timeout: u64,
}

/// What came back; a call that failed has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status; Envoy's own answers, such as that of a time-out, have one as well.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Call {
    /// A JSON request to a server.
    pub fn to(server: &Server, method: &str, path: &str, body: Vec<u8>) -> Self {
        let path = [server.path.as_str(), path].concat();
        Self::json(&server.cluster, &server.authority, method, &path, body)
    }

    /// A JSON request to a cluster.
    pub fn json(cluster: &str, authority: &str, method: &str, path: &str, body: Vec<u8>) -> Self {
        let mut headers = Headers::default();
        for (name, value) in [
            (":method", method),
            (":path", path),
            (":authority", authority),
            ("content-type", "application/json"),
        ] {
            headers.push(name, value);
        }
        Self { cluster: cluster.to_owned(), headers, body, timeout: DEFAULT_TIMEOUT }
    }

    /// A call that nobody answers: its time-out is the end of a pause.
    pub fn pause(milliseconds: u64) -> Self {
        let call = Self::json(cluster::TIMER, "timer", "GET", "/", Vec::new());
        call.within(milliseconds)
    }

    /// The call with that limit in milliseconds.
    #[must_use]
    pub fn within(mut self, milliseconds: u64) -> Self {
        self.timeout = milliseconds.max(1);
        self
    }
}

/// The limit of calls that nobody waits for, in milliseconds.
const DEFAULT_TIMEOUT: u64 = 5000;
