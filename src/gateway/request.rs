//! The request side of the gateway role.

use super::address::Address;
use super::resolve::{Resolved, Resolver};
use super::{Forward, Gateway, State, Verdict, Waiting, World, envoy_error, local, resolve};
use crate::adapter::Format;
use crate::config::request::{PREFIX, RequestOptions};
use crate::contract::{CREDENTIAL_HEADERS, header};
use crate::dialect::bounded;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::http::{Headers, is_contained, media_type};
use crate::json::{Object, ObjectError};
use crate::trace::context::traceparent;

impl Gateway {
    pub(super) fn decide(
        &mut self,
        world: &dyn World,
        mut headers: Headers,
        end_of_stream: bool,
    ) -> Result<Verdict, Error> {
        self.place(world, &headers);
        let (method, bare) = operation(&headers);
        let endpoint = Endpoint::of(method, bare);
        self.record.endpoint = endpoint.map(Endpoint::as_str);
        self.format = endpoint.and_then(Format::of_errors);
        if let Some(reply) = local::answer(method, bare) {
            self.state = State::Replied;
            return Ok(Verdict::Reply(self.with_our_headers(reply)));
        }
        self.identify(world, &mut headers)?;
        let (method, bare) = operation(&headers);
        if let Some(reply) = self.models(world, method, bare, &headers) {
            self.state = State::Replied;
            return Ok(Verdict::Reply(self.with_our_headers(reply)));
        }
        let endpoint = endpoint.ok_or_else(local::not_found)?;
        if !is_contained(bare) {
            return Err(invalid_path());
        }
        let options = RequestOptions::parse(&headers)?;
        self.debug = options.debug == Some(true);
        let debug = options.debug;
        self.record.metadata = options.metadata.and_then(metadata);
        self.add_metadata();
        self.check_body(&headers)?;
        // Envoy leaves the header in a request that is one.
        self.upgrades = headers.get("upgrade").is_some();
        if self.upgrades && !endpoint.may_upgrade() {
            return Err(no_upgrade());
        }
        self.want_bodies(debug);
        let waiting = Waiting { headers, endpoint };
        if end_of_stream || self.upgrades || !wants_body(&waiting.headers, endpoint) {
            // Of all that may lack a body, the target is told first: it is what most forget.
            let resolved = self.resolve(world, &waiting, None)?;
            return match endpoint {
                endpoint if endpoint.takes_json() => Err(empty_body()),
                _ => self.forward(world, waiting.headers, resolved),
            };
        }
        self.state = State::Body(Box::new(waiting));
        Ok(Verdict::NeedBody)
    }

    pub(super) fn decide_with_body(
        &mut self,
        world: &dyn World,
        waiting: Waiting,
        body: &[u8],
    ) -> Result<Verdict, Error> {
        let length = body.len() as u64;
        if length > self.registry.max_body_bytes {
            return Err(envoy_error::too_large(self.registry.max_body_bytes));
        }
        let parsed = Object::parse(body);
        self.note_request_body(body, !matches!(parsed, Err(ObjectError::Syntax { .. })));
        let mut resolved = self.resolve(world, &waiting, parsed.as_ref().ok())?;
        if body.is_empty() {
            return Err(empty_body());
        }
        resolved.plan.body_length = Some(length);
        match parsed {
            Ok(ref object) => {
                self.record.stream = Some(resolved.plan.stream);
                self.record.model = object.string("model").map(|model| bounded(model.into()));
            }
            // Other operations may take a list, or an object of any size.
            Err(ObjectError::NotAnObject | ObjectError::TooManyKeys)
                if !waiting.endpoint.takes_json() => {}
            Err(error) => {
                return Err(Error::invalid("invalid_json", "Invalid JSON body")
                    .with_hint(format!("body: {error}")));
            }
        }
        match parsed.ok().and_then(|body| self.look_up(world, &waiting.headers, &resolved, body)) {
            Some(lookup) => self.begin_lookup(world, waiting.headers, resolved, lookup),
            None => self.forward(world, waiting.headers, resolved),
        }
    }

    fn resolve(
        &mut self,
        world: &dyn World,
        waiting: &Waiting,
        body: Option<&Object<'_>>,
    ) -> Result<Resolved, Error> {
        let Waiting { headers, endpoint } = waiting;
        let options = RequestOptions::parse(headers)?;
        // Not before: many requests may be waiting for their bodies.
        let registry = &self.registry;
        let path = headers.text(":path").unwrap_or_default();
        let address = Address::of(registry, path, body);
        let caller = self.record.caller.clone();
        let default = self.asking.default_config();
        let config = resolve::config(registry, &options, default, address.is_some())?;
        self.check_config(&config, options.config.is_some())?;
        let resolver = Resolver {
            registry,
            headers,
            options: &options,
            endpoint: *endpoint,
            path,
            body,
            address: address.as_ref(),
            caller: caller.as_deref(),
            world,
            saved: matches!(config, resolve::Config::Saved(_)),
        };
        let resolved = resolver.resolve(&config, &mut self.record)?;
        self.check_scope(&resolved.plan, headers, body)?;
        self.asking.needs = self.needs(&resolved.plan, headers, body)?;
        Ok(resolved)
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

    pub(super) fn forward(
        &mut self,
        world: &dyn World,
        mut headers: Headers,
        resolved: Resolved,
    ) -> Result<Verdict, Error> {
        let Resolved { mut plan, route, timeout } = resolved;
        plan.trace = self.parent();
        headers.retain(|name| match plan.endpoint.is_proxied() {
            true => !is_ours(name),
            false => name.starts_with(':') || KEPT.contains(&name),
        });
        if plan.max_retries() > 0 {
            plan.client_headers = Some(kept(&headers));
        }
        headers.set("x-envoy-max-retries", plan.max_retries().to_string());
        headers.set("x-envoy-upstream-rq-per-try-timeout-ms", timeout.to_string());
        let encoded = plan.encode();
        if encoded.len() > MAX_PLAN {
            let message = "The config is too large for its number of targets";
            return Err(Error::invalid("invalid_config", message).with_param("x-portkey-config"));
        }
        self.hold(world)?;
        if let Some(name) = self.asking.counted_as(self.counts_for_service()) {
            headers.set(header::CALLER, name);
        }
        self.state = State::Forwarded(Box::new(plan));
        Ok(Verdict::Forward(Forward {
            headers,
            plan: encoded,
            cluster: route,
            upgrades: self.upgrades,
        }))
    }
}

/// Method and path of a request.
fn operation(headers: &Headers) -> (&str, &str) {
    let path = headers.text(":path").unwrap_or_default();
    let bare = path.split(['?', '#']).next().unwrap_or_default();
    (headers.text(":method").unwrap_or_default(), bare)
}

/// Largest plan in bytes: it is read once an attempt, and what targets inherit is in each of them.
const MAX_PLAN: usize = 1 << 20;

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
    const TRACE: [&str; 3] = ["traceparent", "tracestate", "baggage"];
    name.starts_with(PREFIX) || CREDENTIAL_HEADERS.contains(&name) || TRACE.contains(&name)
}

/// The headers that every attempt starts with; what is no text cannot go into the plan.
fn kept(headers: &Headers) -> Vec<(String, String)> {
    let own = headers.iter().filter(|(name, _)| !name.starts_with(':'));
    own.filter_map(|(name, value)| Some((name.to_owned(), String::from_utf8(value.to_vec()).ok()?)))
        .collect()
}

/// Whether the body is JSON, which is read before anything is decided; other bodies stream through.
fn wants_body(headers: &Headers, endpoint: Endpoint) -> bool {
    let media = headers.get("content-type").map(media_type).unwrap_or_default();
    endpoint.takes_json() || media == "application/json"
}

/// A provider may decode a path once more than Envoy has, and would be asked for something that is
/// not below its base URL.
fn invalid_path() -> Error {
    let message = "The path must not hold dot segments or control characters, encoded or not";
    Error::invalid("invalid_path", message)
}

fn no_upgrade() -> Error {
    Error::invalid("invalid_upgrade", "This operation is not a WebSocket's")
        .with_hint("connect to /v1/realtime")
        .with_param("upgrade")
}

fn empty_body() -> Error {
    Error::invalid("empty_body", "The request body is empty").with_hint("send a JSON object")
}

fn metadata(json: &str) -> Option<serde_json::Value> {
    let metadata: serde_json::Value = serde_json::from_str(json).ok()?;
    (metadata.is_object() && depth(&metadata) <= MAX_METADATA_DEPTH).then_some(metadata)
}

/// Deepest nesting of metadata: readers of logs give up on deeper ones, and on the whole line with
/// it.
const MAX_METADATA_DEPTH: usize = 16;

fn depth(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        serde_json::Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

pub(super) fn trace_id(headers: &Headers) -> Option<String> {
    let given = headers.text("x-portkey-trace-id").map(str::trim).filter(|text| !text.is_empty());
    let client = || traceparent(headers).map(|client| format!("{:032x}", client.trace_id));
    given
        .map(str::to_owned)
        .or_else(client)
        .or_else(|| headers.text("x-request-id").map(str::to_owned))
}
