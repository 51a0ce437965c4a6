//! The gateway role: one client request, from its headers to its log record. No I/O.

mod address;
pub mod cache;
mod caller;
mod chain;
pub mod envoy_error;
mod local;
pub mod log;
mod models;
mod request;
mod resolve;
mod response;
mod setting;
pub mod spending;
mod target_error;
mod trace;
mod unfold;
mod virtual_key;

use crate::adapter::Format;
use crate::cache::job::Job;
use crate::cache::shared::Shared;
use crate::call::{Answer, Call};
use crate::caller::{NoTokens, Tokens};
use crate::config::registry::Registry;
use crate::config::request::PREFIX;
use crate::dialect::Facts;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::http::Headers;
use crate::plan::Plan;
use crate::record::bodies::Bodies;
use crate::record::{Record, Times};
use crate::report::Report;
use crate::trace::Context;
use std::rc::Rc;

/// What a decision needs of the world: chance, and what other requests have found out.
pub trait World {
    /// A new random number.
    fn random(&self) -> u64;
    /// Whether the provider behind a cluster asked to be left alone for the time being.
    fn is_cooling(&self, cluster: &str) -> bool;
    /// Unix time in nanoseconds.
    fn now(&self) -> u64;
    /// The memory of all workers; without one nothing is cached.
    fn shared(&self) -> Option<&dyn Shared> {
        None
    }
    /// What Envoy knows of the client's token.
    fn tokens(&self) -> &dyn Tokens {
        &NoTokens
    }
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Verdict {
    /// The whole body is needed first.
    NeedBody,
    /// The answer to this call is needed first.
    Call(Call),
    /// It goes on its way.
    Forward(Forward),
    /// It is answered here.
    Reply(Reply),
}

/// A request on its way to a provider.
#[derive(Debug)]
pub struct Forward {
    /// The request headers from here on.
    pub headers: Headers,
    /// Value of [`crate::contract::property::PLAN`].
    pub plan: Vec<u8>,
    /// Value of [`crate::contract::property::CLUSTER`].
    pub cluster: String,
    /// Whether the connection is to become a WebSocket.
    pub upgrades: bool,
}

/// An answer made here.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers beside `:status`.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
    /// Envoy's `response_code_details`: `portkey:<source>:<code>`, and after another colon what
    /// Envoy had said before.
    pub details: String,
}

/// One client request.
#[derive(Debug)]
pub struct Gateway {
    registry: Rc<Registry>,
    record: Record,
    state: State,
    /// Whether the caller wants to see what was tried.
    debug: bool,
    /// Bytes of a body that streamed through.
    passed: u64,
    /// Whether the connection is to become a WebSocket, which has no end and no length.
    upgrades: bool,
    /// What took how long.
    times: Times,
    /// The format of errors that the client reads, if it is not OpenAI's.
    format: Option<Format>,
    cache: cache::Cache,
    asking: caller::Asking,
    /// The plan of a request that is answered here after providers have been asked.
    asked: Option<Box<Plan>>,
    /// The place in its trace, where gateway.yaml wants traces.
    trace: Option<Context>,
    /// What the log is to have of the bodies, if that is wanted.
    bodies: Option<Box<Bodies>>,
}

#[derive(Debug)]
enum State {
    /// Nothing was decided yet.
    Start,
    /// Waits for the body.
    Body(Box<Waiting>),
    /// Waits for what the cache has.
    LookUp(Box<cache::Pending>),
    /// Providers are being asked.
    Forwarded(Box<Plan>),
    /// The answer was made here.
    Replied,
}

/// What is known of a request whose body is still to come.
#[derive(Debug)]
struct Waiting {
    headers: Headers,
    endpoint: Endpoint,
}

impl Gateway {
    /// A request whose headers are to come.
    pub fn new(registry: Rc<Registry>) -> Self {
        Self {
            registry,
            record: Record::default(),
            state: State::Start,
            debug: false,
            passed: 0,
            upgrades: false,
            times: Times::default(),
            format: None,
            cache: cache::Cache::default(),
            asking: caller::Asking::default(),
            asked: None,
            trace: None,
            bodies: None,
        }
    }

    /// The request headers.
    pub fn on_request_headers(
        &mut self,
        world: &dyn World,
        headers: Headers,
        end_of_stream: bool,
    ) -> Verdict {
        self.times.started = world.now();
        self.record.config_version = Some(self.registry.config_version.clone());
        self.record.trace_id = request::trace_id(&headers);
        self.decide(world, headers, end_of_stream).unwrap_or_else(|error| self.fail(&error))
    }

    /// The whole request body, after [`Verdict::NeedBody`].
    pub fn on_request_body(&mut self, world: &dyn World, body: &[u8]) -> Verdict {
        self.times.received = world.now();
        let State::Body(waiting) = std::mem::replace(&mut self.state, State::Start) else {
            return self.fail(&Error::gateway("internal_error", "The body was not asked for"));
        };
        self.decide_with_body(world, *waiting, body).unwrap_or_else(|error| self.fail(&error))
    }

    /// The response headers. `details` is Envoy's `response_code_details`, `report` the value of
    /// [`crate::contract::property::REPORT`]. An answer of Envoy's own becomes one of ours; the
    /// others only get our headers.
    pub fn on_response_headers(
        &mut self,
        world: &dyn World,
        details: &str,
        report: Option<&[u8]>,
        headers: &mut Headers,
        end_of_stream: bool,
    ) -> Option<Reply> {
        let waited = world.now().saturating_sub(self.times.started) / 1_000_000;
        self.record.time_to_first_byte_ms = Some(waited);
        let report = report.and_then(Report::decode).unwrap_or_default();
        match std::mem::replace(&mut self.state, State::Replied) {
            State::Forwarded(plan) => {
                let reply = self.answer(&plan, details, &report, headers, end_of_stream);
                self.record_answer(&plan, &report, headers, reply.is_none() && !end_of_stream);
                if let (Some(bodies), None) = (&mut self.bodies, &reply) {
                    bodies.on_headers(headers);
                }
                match &reply {
                    None => self.state = State::Forwarded(plan),
                    Some(_) => self.asked = Some(plan),
                }
                reply
            }
            State::Start | State::Body(_) | State::LookUp(_) if !details.starts_with(DETAILS) => {
                // Envoy did not wait for the rest of the request.
                let status = headers.text(":status").and_then(|text| text.parse().ok());
                let limit = self.registry.max_body_bytes;
                let error = envoy_error::translate(details, status.unwrap_or(500), 0, limit);
                let mut reply = self.error_reply(&error);
                reply.details.extend([":", details]);
                Some(self.with_our_headers(reply))
            }
            _ => None,
        }
    }

    /// Bytes of a request body that streams through; gives an answer when there are too many.
    pub fn on_request_bytes(&mut self, size: usize) -> Option<Reply> {
        self.passed += size as u64;
        let limit = self.registry.max_body_bytes;
        if self.upgrades || self.passed <= limit || matches!(self.state, State::Replied) {
            return None;
        }
        self.state = State::Replied;
        let reply = self.error_reply(&envoy_error::too_large(limit));
        Some(self.with_our_headers(reply))
    }

    /// The answer to [`Verdict::Call`]; `None` when there is none.
    pub fn on_call_answer(&mut self, world: &dyn World, answer: Option<Answer>) -> Verdict {
        self.go_on(world, answer).unwrap_or_else(|error| self.fail(&error))
    }

    /// Whether the bytes of the answer are to be given to [`Self::on_response_bytes`].
    pub fn reads_response(&self) -> bool {
        self.cache.reads() || self.bodies.as_ref().is_some_and(|bodies| bodies.reads())
    }

    /// The next bytes of the answer, as the client gets them.
    pub fn on_response_bytes(&mut self, bytes: &[u8]) {
        if self.cache.reads() {
            self.cache.on_bytes(bytes);
        }
        if let Some(bodies) = &mut self.bodies {
            bodies.on_bytes(bytes);
        }
    }

    /// The answer is over. `report` is the value of [`crate::contract::property::REPORT`]. Gives
    /// what is to be done for the cache when nobody waits for it.
    pub fn on_response_end(&mut self, world: &dyn World, report: Option<&[u8]>) -> Vec<Job> {
        let report = report.and_then(Report::decode).unwrap_or_default();
        self.keep_answer(world, report)
    }

    /// Micro-USD for the tokens of an answer, by the model that answered or else was asked for.
    fn cost(&self, facts: &Facts) -> Option<u64> {
        let (usage, provider) = (facts.usage?, self.record.provider?);
        let models = [facts.model.as_deref(), self.record.model.as_deref()];
        let mut models = models.into_iter().flatten();
        models.find_map(|model| self.registry.prices.cost(provider, model, &usage))
    }

    fn fail(&mut self, error: &Error) -> Verdict {
        self.state = State::Replied;
        let reply = self.error_reply(error);
        Verdict::Reply(self.with_our_headers(reply))
    }

    fn error_reply(&mut self, error: &Error) -> Reply {
        self.record.error_type = Some(error.code.to_owned());
        self.record.error_source = Some(error.source.as_str().to_owned());
        Reply::error(error, self.format)
    }

    /// Adds the headers of every answer, whoever made it.
    fn with_our_headers(&self, mut reply: Reply) -> Reply {
        self.add_headers(&mut reply.headers);
        reply
    }

    fn add_headers(&self, headers: &mut Headers) {
        let trace_id = self.record.trace_id.as_deref().unwrap_or_default();
        headers.set(&format!("{PREFIX}trace-id"), trace_id);
        for (name, value) in &self.asking.headers {
            headers.set(name, value.as_str());
        }
    }
}

impl Reply {
    /// The answer for an error, in the shape of a client's format; `None`: OpenAI's.
    pub fn error(error: &Error, format: Option<Format>) -> Self {
        let mut headers = Headers::default();
        headers.set("content-type", "application/json");
        let details = format!("{DETAILS}{}:{}", error.source.as_str(), error.code);
        let body = match format {
            Some(format) => format.error(error.status, error.body()),
            None => error.body(),
        };
        Self { status: error.status, headers, body, details }
    }

    /// The answer that goes out instead of a provider's, by the headers that this would have had.
    pub fn instead(headers: &Headers, body: &[u8]) -> Self {
        let status = headers.text(":status").and_then(|text| text.parse().ok()).unwrap_or(502);
        let mut own = Headers::default();
        own.set("content-type", "application/json");
        // The provider role's report has the code.
        let details = format!("{DETAILS}provider");
        Self { status, headers: own, body: body.to_vec(), details }
    }
}

/// Start of the `response_code_details` of every answer that the module makes.
const DETAILS: &str = "portkey:";

impl From<&Error> for Reply {
    fn from(error: &Error) -> Self {
        Self::error(error, None)
    }
}

#[cfg(test)]
mod tests;
