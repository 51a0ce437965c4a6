//! A gateway in front of one server that plays all providers.

use super::answer::Answer;
use super::client;
use super::provider::{Format, text};
use super::support::client::Response;
use super::support::gateway::Gateway;
use super::support::upstream::{Request, Step, Upstream};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// What a provider answers, by request and its number.
pub type Script = dyn Fn(&Request, usize) -> Vec<Step> + Send + Sync;

/// A provider: its virtual key, its format, what it answers to the request of a number.
pub struct Provider {
    pub name: String,
    pub format: Format,
    pub script: Box<Script>,
}

/// One gateway at a time: the tests measure times, and share a machine.
static TURN: Mutex<()> = Mutex::new(());

/// The gateway and what its providers were asked.
pub struct Bench {
    pub gateway: Gateway,
    /// Names of the providers that were asked, in order, with what they got.
    asked: Arc<Mutex<Vec<(String, Request)>>>,
    _upstream: Upstream,
    _turn: MutexGuard<'static, ()>,
}

impl Bench {
    /// Starts a gateway with a virtual key per provider; `yaml` is the rest of its gateway.yaml.
    pub fn start(workers: usize, providers: Vec<Provider>, yaml: &str) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut keys = String::from("virtual_keys:\n");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, counts) = (asked.clone(), Mutex::new(HashMap::<String, usize>::new()));
        let list: Vec<_> =
            providers.iter().map(|one| (one.name.clone(), one.format.provider())).collect();
        let scripts: HashMap<_, _> =
            providers.into_iter().map(|one| (one.name, one.script)).collect();
        let upstream = Upstream::start(move |request, _| {
            let name = request.path.split('/').nth(1).unwrap_or_default();
            let number = {
                let mut counts = counts.lock().unwrap();
                let count = counts.entry(name.to_owned()).or_default();
                *count += 1;
                *count - 1
            };
            log.lock().unwrap().push((name.to_owned(), request.clone()));
            scripts[name](request, number)
        });
        for (name, provider) in list {
            let port = upstream.port;
            keys += &format!(
                "  {name}: {{provider: {provider}, api_key: sk-{name}, \
                 base_url: 'http://127.0.0.1:{port}/{name}'}}\n"
            );
        }
        let gateway = Gateway::with_workers(workers, &(keys + yaml));
        Self { gateway, asked, _upstream: upstream, _turn: turn }
    }

    /// Asks with this config; the trace id finds the line in the log.
    pub fn ask(&self, config: &str, trace_id: &str, streams: bool) -> Response {
        let (headers, body) = request(config, trace_id, streams);
        client::chat(self.gateway.port, &headers.each_ref().map(String::as_str), &body)
    }

    /// Asks, and leaves after so long.
    pub fn ask_and_leave(&self, config: &str, streams: bool, after: Duration) {
        let (headers, body) = request(config, "left", streams);
        let headers = headers.each_ref().map(String::as_str);
        let connection = client::begin(self.gateway.port, &headers, &body);
        thread::sleep(after);
        drop(connection);
    }

    /// The requests of these providers, in order.
    pub fn asked(&self, names: &[&str]) -> Vec<(String, Request)> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(name, _)| names.contains(&name.as_str())).cloned().collect()
    }
}

fn request(config: &str, trace_id: &str, streams: bool) -> ([String; 2], String) {
    let headers =
        [format!("x-portkey-config: {config}"), format!("x-portkey-trace-id: {trace_id}")];
    let body = format!(
        r#"{{"model":"m","stream":{streams},"messages":[{{"role":"user","content":"hi"}}]}}"#
    );
    (headers, body)
}

/// A fallback over virtual keys; `target` are further members of the first, `more` of the config.
pub fn fallback(keys: &[&str], target: &str, more: &str) -> String {
    let targets: Vec<_> = keys
        .iter()
        .zip([target].into_iter().chain(std::iter::repeat("")))
        .map(|(key, more)| format!(r#"{{"virtual_key":"{key}"{more}}}"#))
        .collect();
    let targets = targets.join(",");
    format!(r#"{{"strategy":{{"mode":"fallback"}},"targets":[{targets}]{more}}}"#)
}

/// Whether the client got the whole answer of one of these providers.
///
/// # Panics
/// It got something that looks complete and is not.
pub fn is_rescued(response: &Response, names: &[&str]) -> bool {
    match Answer::of(response) {
        Answer::Complete { text: found, .. } => {
            let whole = names.iter().any(|name| text(name) == found);
            assert!(whole && response.whole, "truncated: {response:?}\n{}", response.text());
            true
        }
        Answer::Error(_) | Answer::Broken => false,
    }
}
