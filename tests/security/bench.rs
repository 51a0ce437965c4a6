//! A gateway that is attacked, and the server behind it.

use super::support::client::{self, Response};
use super::support::gateway::Gateway;
use super::support::upstream::{Request, Step, Upstream, json};
use super::wire;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

pub const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
pub const STREAM: &str =
    r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
pub const COMPLETION: &str = r#"{"id":"c-1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#;
pub const OAI: &str = "x-portkey-virtual-key: oai";

/// Cases that share a gateway.
pub struct Theme {
    pub name: &'static str,
    /// Its gateway.yaml; the port is that of the server behind it.
    pub yaml: fn(u16) -> String,
    pub cases: &'static [Case],
}

/// An attack.
pub struct Case {
    pub name: &'static str,
    /// For readers; `run` asserts it.
    pub must: &'static str,
    pub run: fn(&Bench),
}

type Script = dyn Fn(&Request) -> Vec<Step> + Send + Sync;

/// The gateway and the server in all providers' place.
pub struct Bench {
    pub gateway: Gateway,
    upstream: Upstream,
    script: Arc<Mutex<Arc<Script>>>,
    /// Requests that earlier cases have seen.
    seen: AtomicUsize,
    /// Lines of the access log that they have seen.
    logged: AtomicUsize,
}

impl Theme {
    /// Runs every case, and tells all that failed.
    pub fn run(&self) {
        let bench = Bench::start(self.yaml);
        let mut failed = Vec::new();
        for case in self.cases {
            bench.answer(json(200, COMPLETION));
            bench.seen();
            if catch_unwind(AssertUnwindSafe(|| (case.run)(&bench))).is_err() {
                failed.push(case.name);
            }
        }
        assert!(failed.is_empty(), "{}: {failed:#?}\n{}", self.name, bench.gateway.stderr());
        // Whatever was sent, the gateway serves as before.
        bench.answer(json(200, COMPLETION));
        assert_eq!(bench.chat(&[OAI], CHAT).status, 200);
        bench.gateway.assert_healthy();
    }
}

impl Bench {
    fn start(yaml: fn(u16) -> String) -> Self {
        let script: Arc<Mutex<Arc<Script>>> = Arc::new(Mutex::new(Arc::new(|_| Vec::new())));
        let current = script.clone();
        let upstream = Upstream::start(move |request, _| {
            let script = current.lock().unwrap().clone();
            script(request)
        });
        let gateway = Gateway::start(&yaml(upstream.port));
        let (seen, logged) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { gateway, upstream, script, seen, logged }
    }

    /// What the server answers from now on.
    pub fn answer(&self, steps: Vec<Step>) {
        self.script(move |_| steps.clone());
    }

    /// What the server answers from now on, by request.
    pub fn script(&self, script: impl Fn(&Request) -> Vec<Step> + Send + Sync + 'static) {
        *self.script.lock().unwrap() = Arc::new(script);
    }

    /// What the server got since this was asked last.
    pub fn seen(&self) -> Vec<Request> {
        let all = self.upstream.requests();
        let before = self.seen.swap(all.len(), Ordering::SeqCst);
        all[before..].to_vec()
    }

    /// The one request that the server got.
    pub fn request(&self) -> Request {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "requests at the provider: {seen:#?}");
        seen[0].clone()
    }

    pub fn chat(&self, headers: &[&str], body: &str) -> Response {
        self.gateway.chat(headers, body)
    }

    /// A chat completion through the config, which may be anything.
    pub fn chat_with(&self, config: &str, headers: &[&str]) -> Response {
        let config = format!("x-portkey-config: {config}");
        self.chat(&[headers, &[config.as_str()]].concat(), CHAT)
    }

    pub fn send(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Response {
        client::send(self.gateway.port, method, path, headers, body.as_bytes())
    }

    /// Sends bytes as they are, and gives what comes back until the gateway closes or falls silent.
    pub fn raw(&self, bytes: impl AsRef<[u8]>) -> wire::Answers {
        wire::talk(self.gateway.port, bytes.as_ref())
    }

    /// A chat completion whose header lines are bytes.
    pub fn chat_bytes(&self, lines: &[&[u8]]) -> wire::Answers {
        let mut request = b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\
                            content-type: application/json\r\n"
            .to_vec();
        for line in lines {
            request.extend_from_slice(line);
            request.extend_from_slice(b"\r\n");
        }
        request.extend(format!("content-length: {}\r\n\r\n{CHAT}", CHAT.len()).into_bytes());
        self.raw(request)
    }

    /// The request is refused by the gateway with this error, and no provider hears of it.
    pub fn refuses(&self, response: &Response, status: u16, code: &str) {
        assert_eq!(response.status, status, "{}", response.text());
        assert_eq!(response.json()["error"]["code"], code, "{}", response.text());
        assert!(response.whole);
        self.unheard();
    }

    /// No provider was asked.
    pub fn unheard(&self) {
        let seen = self.seen();
        assert!(seen.is_empty(), "a provider was asked: {seen:#?}");
    }

    /// The line of the access log about the request with that trace id.
    pub fn record(&self, trace_id: &str) -> serde_json::Value {
        let path = self.gateway.dir.path().join("access.jsonl");
        for _ in 0..100 {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            for line in text.lines() {
                let record: serde_json::Value =
                    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                if record["trace_id"] == trace_id {
                    return record;
                }
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("nothing in the log about {trace_id:?}");
    }
}

/// The names of the headers that a provider got.
pub fn names(request: &Request) -> Vec<&str> {
    request.headers.iter().map(|(name, _)| name.as_str()).collect()
}

/// No header of those that the gateway and Envoy keep to themselves.
pub fn assert_clean(request: &Request) {
    for name in names(request) {
        let private = ["x-portkey-", "x-envoy-", "x-forwarded-"];
        assert!(
            !private.iter().any(|prefix| name.starts_with(prefix)),
            "{name} reached a provider"
        );
        assert!(!["cookie", "proxy-authorization", "forwarded", "te"].contains(&name), "{name}");
    }
}
