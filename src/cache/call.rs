//! Calls to other servers, as data: the host makes them.

use crate::config::settings::Server;
use crate::contract::cluster;
use crate::http::Headers;
use std::collections::VecDeque;

/// A request to a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The cluster.
    pub cluster: String,
    /// All headers.
    pub headers: Headers,
    /// The body.
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

/// Calls one after the other that no request waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    calls: VecDeque<Call>,
    /// What to do instead when the first call is answered 404.
    when_missing: Vec<Call>,
}

impl Job {
    /// One call; if it is answered 404, these others.
    pub fn new(call: Call, when_missing: Vec<Call>) -> Self {
        Self { calls: VecDeque::from([call]), when_missing }
    }

    /// The next call, after one that was answered with that status.
    pub fn next(&mut self, status: Option<u16>) -> Option<Call> {
        let missing = std::mem::take(&mut self.when_missing);
        match status {
            None => self.when_missing = missing,
            Some(404) => self.calls.extend(missing),
            Some(_) => {}
        }
        self.calls.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_made_once() {
        let call = |path| Call::json("c", "c", "PUT", path, Vec::new());
        let run = |statuses: &[u16]| {
            let mut job = Job::new(call("/add"), vec![call("/make"), call("/add again")]);
            let mut paths = Vec::new();
            let mut status = None;
            let mut statuses = statuses.iter();
            while let Some(call) = job.next(status) {
                paths.push(call.headers.text(":path").unwrap().to_owned());
                status = statuses.next().copied();
                assert!(paths.len() < 9);
            }
            paths
        };
        assert_eq!(run(&[200]), ["/add"]);
        assert_eq!(run(&[500]), ["/add"]);
        assert_eq!(run(&[404, 200, 200]), ["/add", "/make", "/add again"]);
        assert_eq!(run(&[404, 409, 404]), ["/add", "/make", "/add again"]);
    }
}
