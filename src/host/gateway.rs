//! The gateway role's stream: Envoy's callbacks to [`Gateway`], its verdicts to Envoy.

use super::abi::{self, Buffer, HostResult, Map};
use super::world::Envoy;
use super::{caller, exporter, headers, metrics, refuse, reply, set_headers};
use crate::config::registry::Registry;
use crate::contract::{APPLICATION_PROTOCOLS, HTTP1, property};
use crate::gateway::log::Traffic;
use crate::gateway::{Forward, Gateway, Reply, Verdict};
use crate::record;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::rc::Rc;

/// One client request.
pub struct Stream {
    core: Gateway,
    /// The body is being collected.
    waiting: bool,
    replied: bool,
    /// The call whose answer is waited for.
    call: Option<u32>,
    traffic: Traffic,
}

impl Stream {
    pub fn new(registry: Rc<Registry>) -> Self {
        Self {
            core: Gateway::new(registry),
            waiting: false,
            replied: false,
            call: None,
            traffic: Traffic::default(),
        }
    }

    fn apply(&mut self, verdict: Verdict) -> Action {
        self.waiting = matches!(verdict, Verdict::NeedBody);
        self.replied = matches!(verdict, Verdict::Reply(_));
        match verdict {
            Verdict::NeedBody => Action::Pause,
            Verdict::Reply(answer) => self.reply(&answer),
            Verdict::Call(call) => match caller::dispatch(&call) {
                Some(token) => {
                    self.call = Some(token);
                    Action::Pause
                }
                None => {
                    let verdict = self.core.on_call_answer(&Envoy, None);
                    self.apply(verdict)
                }
            },
            Verdict::Forward(forward) => match send(&forward) {
                Ok(()) => Action::Continue,
                Err(error) => refuse(&error.to_string()),
            },
        }
    }

    fn reply(&mut self, answer: &Reply) -> Action {
        self.replied = true;
        self.traffic.status = answer.status;
        reply(answer)
    }

    fn on_whole_body(&mut self, size: usize) -> Action {
        match abi::buffer(Buffer::RequestBody, 0, size) {
            Ok(body) => {
                let verdict = self.core.on_request_body(&Envoy, &body);
                self.apply(verdict)
            }
            Err(error) => refuse(&error.to_string()),
        }
    }

    /// The whole answer went out.
    fn on_end(&mut self) {
        match abi::property(property::REPORT) {
            Ok(report) => caller::leave(self.core.on_response_end(&Envoy, report.as_deref())),
            Err(error) => log::error!("an answer was not kept: {error}"),
        }
    }

    fn on_response(&mut self, end_of_stream: bool) -> HostResult<Action> {
        let details = abi::property("response\0code_details")?.unwrap_or_default();
        let report = abi::property(property::REPORT)?;
        let details = String::from_utf8_lossy(&details);
        let mut map = headers(Map::ResponseHeaders)?;
        self.traffic.status =
            map.text(":status").and_then(|text| text.parse().ok()).unwrap_or_default();
        let answer = self.core.on_response_headers(
            &Envoy,
            &details,
            report.as_deref(),
            &mut map,
            end_of_stream,
        );
        match answer {
            Some(answer) => Ok(self.reply(&answer)),
            None => set_headers(Map::ResponseHeaders, &map).map(|()| Action::Continue),
        }
    }
}

/// Puts the plan where the provider role and Envoy's route find it.
fn send(forward: &Forward) -> HostResult<()> {
    abi::set_property(property::PLAN, &forward.plan)?;
    abi::set_property(property::CLUSTER, forward.cluster.as_bytes())?;
    set_headers(Map::RequestHeaders, &forward.headers)?;
    if forward.upgrades {
        abi::call_foreign_function("set_envoy_filter_state", &http1_alone())?;
    }
    // Envoy chose a route before this filter ran.
    abi::call_foreign_function("clear_route_cache", b"").map(|_| ())
}

/// What has Envoy offer the provider HTTP/1.1 alone, as `SetEnvoyFilterStateArguments` in protobuf
/// (1: path, 2: value): few servers take a WebSocket in HTTP/2.
fn http1_alone() -> Vec<u8> {
    let fields = [(1, APPLICATION_PROTOCOLS), (2, HTTP1)];
    // The wire type of a text is 2; these lengths fit in one byte.
    let field = |(number, text): (u8, &str)| {
        [&[number << 3 | 2, text.len() as u8], text.as_bytes()].concat()
    };
    fields.into_iter().flat_map(field).collect()
}

impl Context for Stream {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body: usize, _: usize) {
        if self.call.take() != Some(token) {
            return;
        }
        let verdict = self.core.on_call_answer(&Envoy, caller::answer(headers, body));
        if self.apply(verdict) == Action::Continue
            && let Err(error) = abi::resume_request()
        {
            log::error!("a request was not sent on: {error}");
        }
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        match headers(Map::RequestHeaders) {
            Ok(map) => {
                let verdict = self.core.on_request_headers(&Envoy, map, end_of_stream);
                self.apply(verdict)
            }
            Err(error) => refuse(&error.to_string()),
        }
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        // What is held counts again and again.
        let before = if self.waiting { 0 } else { self.traffic.received };
        self.traffic.received = before.saturating_add(size as u64);
        match (self.waiting, end_of_stream) {
            (true, true) => self.on_whole_body(size),
            (true, false) => Action::Pause,
            (false, _) if self.replied => Action::Pause,
            (false, _) => match self.core.on_request_bytes(size) {
                Some(answer) => self.reply(&answer),
                None => Action::Continue,
            },
        }
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        match self.waiting {
            true => self.on_whole_body(usize::MAX),
            false => Action::Continue,
        }
    }

    fn on_http_response_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        if self.replied {
            return Action::Continue;
        }
        self.on_response(end_of_stream).unwrap_or_else(|error| {
            log::error!("response headers were not read: {error}");
            Action::Continue
        })
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.traffic.sent = self.traffic.sent.saturating_add(size as u64);
        if self.core.reads_response() {
            match abi::buffer(Buffer::ResponseBody, 0, size) {
                Ok(bytes) => self.core.on_response_bytes(&bytes),
                Err(error) => log::error!("the response body was not read: {error}"),
            }
            if end_of_stream {
                self.on_end();
            }
        }
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        if self.core.reads_response() {
            self.on_end();
        }
        Action::Continue
    }

    fn on_log(&mut self) {
        let written = abi::property(property::REPORT).and_then(|report| {
            let details = abi::property("response\0code_details")?.unwrap_or_default();
            let details = String::from_utf8_lossy(&details);
            let logged = self.core.on_log(&Envoy, report.as_deref(), &details, self.traffic);
            metrics::add(logged.groups);
            if logged.failed {
                abi::set_property(record::FAILED, b"1")?;
            }
            if let Some(tokens) = self.core.tokens() {
                abi::set_property(property::TOKENS, tokens.to_string().as_bytes())?;
            }
            if let Some(spans) = logged.spans {
                exporter::queue(spans);
            }
            abi::set_property(record::PROPERTY, &logged.record)
        });
        if let Err(error) = written {
            log::error!("the log record was not written: {error}");
        }
    }
}
