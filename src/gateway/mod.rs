//! The gateway role: one client request, from its headers to its log record. No I/O.

mod envoy_error;
mod local;
mod resolve;

use crate::config::registry::Registry;
use crate::config::request::PREFIX;
use crate::dialect::Facts;
use crate::endpoint::Endpoint;
use crate::error::{Error, Source};
use crate::http::{Headers, media_type};
use crate::json::Object;
use crate::record::Record;
use resolve::Resolved;
use std::rc::Rc;

/// Properties by which the roles speak to each other and to Envoy's route; in filter state they
/// have the prefix `wasm.`.
pub mod property {
    /// The encoded [`crate::plan::Plan`].
    pub const PLAN: &str = "portkey.plan";
    /// Name of the cluster that the route sends the request to.
    pub const CLUSTER: &str = "portkey.cluster";
    /// What the provider role learned of the answer: [`crate::dialect::Facts`] as JSON.
    pub const FACTS: &str = "portkey.facts";
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Verdict {
    /// The whole body is needed first.
    NeedBody,
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
    /// Value of [`property::PLAN`].
    pub plan: Vec<u8>,
    /// Value of [`property::CLUSTER`].
    pub cluster: String,
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
    /// Where the target stands in the config.
    option_index: String,
    /// Limit until the response headers, for the message when it passes.
    timeout: u64,
    /// A chat completion, which always has a body to answer with.
    chat: bool,
}

#[derive(Debug)]
enum State {
    /// Nothing was decided yet.
    Start,
    /// Waits for the body.
    Body(Box<(Headers, Resolved)>),
    /// A provider is being asked.
    Forwarded,
    /// The answer was made here.
    Replied,
}

impl Gateway {
    /// A request whose headers are to come.
    pub fn new(registry: Rc<Registry>) -> Self {
        let (record, state, option_index) = (Record::default(), State::Start, String::new());
        Self { registry, record, state, option_index, timeout: 0, chat: false }
    }

    /// The request headers.
    pub fn on_request_headers(&mut self, headers: Headers, end_of_stream: bool) -> Verdict {
        self.record.trace_id = trace_id(&headers);
        match self.decide(headers, end_of_stream) {
            Ok(verdict) => verdict,
            Err(error) => self.fail(&error),
        }
    }

    /// The whole request body, after [`Verdict::NeedBody`].
    pub fn on_request_body(&mut self, body: &[u8]) -> Verdict {
        let State::Body(waiting) = std::mem::replace(&mut self.state, State::Start) else {
            return self.fail(&Error::gateway("internal_error", "The body was not asked for"));
        };
        let (headers, mut resolved) = *waiting;
        match self.read_body(body, &mut resolved) {
            Ok(()) => self.forward(headers, resolved),
            Err(error) => self.fail(&error),
        }
    }

    fn decide(&mut self, headers: Headers, end_of_stream: bool) -> Result<Verdict, Error> {
        let (method, path) = (headers.text(":method"), headers.text(":path"));
        let (method, path) = (method.unwrap_or_default(), path.unwrap_or_default());
        let bare = path.split(['?', '#']).next().unwrap_or_default();
        let endpoint = Endpoint::of(method, bare);
        self.record.endpoint = endpoint.map(Endpoint::as_str);
        if let Some(reply) = local::answer(method, bare, &headers, &self.registry) {
            self.state = State::Replied;
            return Ok(Verdict::Reply(self.with_our_headers(reply)));
        }
        let endpoint = endpoint.ok_or_else(local::not_found)?;
        let resolved =
            resolve::resolve(&self.registry, &headers, endpoint, path, &mut self.record)?;
        self.check_body(&headers)?;
        if end_of_stream || !wants_body(&headers, endpoint) {
            if endpoint == Endpoint::ChatCompletions {
                return Err(empty_body());
            }
            return Ok(self.forward(headers, resolved));
        }
        self.state = State::Body(Box::new((headers, resolved)));
        Ok(Verdict::NeedBody)
    }

    /// Refuses by its headers a body that could not be understood, or not be held.
    fn check_body(&self, headers: &Headers) -> Result<(), Error> {
        let length = headers.text("content-length").and_then(|text| text.parse::<u64>().ok());
        if length.is_some_and(|length| length > self.registry.max_body_bytes) {
            return Err(envoy_error::too_large(self.registry.max_body_bytes));
        }
        let encoding = headers.get("content-encoding").unwrap_or_default();
        if !encoding.is_empty() && !encoding.eq_ignore_ascii_case(b"identity") {
            let message = "Compressed request bodies are not supported";
            return Err(Error::client(415, "unsupported_content_encoding", message)
                .with_hint("send the body without content-encoding")
                .with_param("content-encoding"));
        }
        let media = headers.get("content-type").map(media_type).unwrap_or_default();
        let known = ["", "application/json", "multipart/form-data", "application/octet-stream"];
        if !known.contains(&media.as_str()) && !media.starts_with("audio") {
            return Err(Error::invalid("invalid_content_type", "Invalid content type passed")
                .with_hint("send application/json, multipart/form-data or audio")
                .with_param("content-type"));
        }
        Ok(())
    }

    fn read_body(&mut self, body: &[u8], resolved: &mut Resolved) -> Result<(), Error> {
        let length = body.len() as u64;
        if length > self.registry.max_body_bytes {
            return Err(envoy_error::too_large(self.registry.max_body_bytes));
        }
        if body.is_empty() {
            return Err(empty_body());
        }
        let object = Object::parse(body).map_err(|error| {
            Error::invalid("invalid_json", "Invalid JSON body").with_hint(format!("body: {error}"))
        })?;
        let plan = &mut resolved.plan;
        plan.body_length = Some(length);
        plan.stream = object.is_true("stream");
        self.record.stream = Some(plan.stream);
        self.record.model = object.string("model");
        Ok(())
    }

    fn forward(&mut self, mut headers: Headers, resolved: Resolved) -> Verdict {
        let Resolved { plan, option_index, timeout } = resolved;
        let proxied = plan.endpoint == Endpoint::Other || plan.endpoint == Endpoint::Models;
        headers.retain(|name| match proxied {
            true => !is_ours(name),
            false => name.starts_with(':') || KEPT.contains(&name),
        });
        headers.set("x-envoy-max-retries", plan.retry.attempts.to_string());
        headers.set("x-envoy-upstream-rq-per-try-timeout-ms", timeout.to_string());
        self.chat = plan.endpoint == Endpoint::ChatCompletions;
        self.timeout = timeout;
        self.option_index = option_index;
        self.state = State::Forwarded;
        Verdict::Forward(Forward { headers, plan: plan.encode(), cluster: plan.cluster })
    }

    fn fail(&mut self, error: &Error) -> Verdict {
        self.state = State::Replied;
        Verdict::Reply(self.error_reply(error))
    }

    fn error_reply(&mut self, error: &Error) -> Reply {
        self.record.error_type = Some(error.code.to_owned());
        self.record.error_source = Some(error.source.as_str().to_owned());
        self.with_our_headers(error.into())
    }

    fn with_our_headers(&self, mut reply: Reply) -> Reply {
        self.add_headers(&mut reply.headers, 0);
        reply
    }

    /// The response headers. `details` is Envoy's `response_code_details`; `attempts` counts all.
    /// An answer of Envoy's own becomes one of ours; the others only get our headers.
    pub fn on_response_headers(
        &mut self,
        details: &str,
        attempts: u64,
        headers: &mut Headers,
        end_of_stream: bool,
    ) -> Option<Reply> {
        if matches!(self.state, State::Replied) {
            return None;
        }
        let status = headers.text(":status").and_then(|text| text.parse().ok()).unwrap_or(502);
        if let Some(own) = details.strip_prefix(DETAILS) {
            let (source, code) = own.split_once(':').unwrap_or(("gateway", own));
            self.record.error_type = Some(code.to_owned());
            self.record.error_source = Some(source.to_owned());
        } else if details != "via_upstream" {
            let (timeout, limit) = (self.timeout, self.registry.max_body_bytes);
            let error = envoy_error::translate(details, status, timeout, limit);
            let mut reply = self.error_reply(&error);
            // Envoy's own word for it stays in the log.
            reply.details.extend([":", details]);
            return Some(reply);
        } else if end_of_stream && self.chat {
            return Some(self.error_reply(&envoy_error::no_body(status)));
        }
        headers.retain(|name| name != RETRY_HEADER);
        self.add_headers(headers, attempts.saturating_sub(1));
        None
    }

    fn add_headers(&self, headers: &mut Headers, retries: u64) {
        let mut set = |name: &str, value: &str| headers.set(&format!("{PREFIX}{name}"), value);
        set("trace-id", self.record.trace_id.as_deref().unwrap_or_default());
        let Some(provider) = self.record.provider else {
            return;
        };
        set("provider", provider);
        if matches!(self.state, State::Forwarded) {
            set("last-used-option-index", &self.option_index);
            set("retry-attempt-count", &retries.to_string());
            set("cache-status", "DISABLED");
        }
    }

    /// The log record, at the very end. `facts` is the value of [`property::FACTS`], `details` is
    /// Envoy's `response_code_details`.
    pub fn record(&mut self, facts: Option<&[u8]>, details: &str) -> Vec<u8> {
        // The headers were out already, so that the status does not tell.
        if details.starts_with("upstream_reset_after_response_started") {
            self.record.error_type = Some("upstream_reset".to_owned());
            self.record.error_source = Some(Source::Provider.as_str().to_owned());
        }
        let facts: Option<Facts> = facts.and_then(|json| serde_json::from_slice(json).ok());
        self.record.encode(facts.as_ref())
    }
}

/// The private header by which the provider role tells Envoy's router to try again.
pub const RETRY_HEADER: &str = "x-portkey-retry";

/// Start of the `response_code_details` of every answer that the module makes.
const DETAILS: &str = "portkey:";

impl From<&Error> for Reply {
    fn from(error: &Error) -> Self {
        let mut headers = Headers::default();
        headers.set("content-type", "application/json");
        let details = format!("{DETAILS}{}:{}", error.source.as_str(), error.code);
        Self { status: error.status, headers, body: error.body(), details }
    }
}

/// Headers that a translated request keeps; all others are the client's own business. The last two
/// are Envoy's: without the protocol it finds no route.
const KEPT: [&str; 7] = [
    "content-type",
    "content-length",
    "transfer-encoding",
    "accept",
    "user-agent",
    "x-request-id",
    "x-forwarded-proto",
];

/// Headers that no provider gets, whatever the operation.
fn is_ours(name: &str) -> bool {
    const NAMES: [&str; 9] = [
        "authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "proxy-authorization",
        "cookie",
        "traceparent",
        "tracestate",
        "baggage",
    ];
    name.starts_with(PREFIX) || NAMES.contains(&name)
}

/// Whether the body is JSON, which is read before anything is decided; other bodies stream through.
fn wants_body(headers: &Headers, endpoint: Endpoint) -> bool {
    let media = headers.get("content-type").map(media_type).unwrap_or_default();
    match endpoint {
        Endpoint::ChatCompletions | Endpoint::Messages => true,
        _ => media == "application/json",
    }
}

fn empty_body() -> Error {
    Error::invalid("empty_body", "The request body is empty").with_hint("send a JSON object")
}

fn trace_id(headers: &Headers) -> Option<String> {
    let given = headers.text("x-portkey-trace-id").map(str::trim).filter(|text| !text.is_empty());
    given.or_else(|| headers.text("x-request-id")).map(str::to_owned)
}
