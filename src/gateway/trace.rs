//! The spans of a request: its own, and one for each attempt.

use super::caller::override_of;
use super::log::{LOCAL, has_left, plan_of};
use super::{Gateway, World, envoy_error};
use crate::config::registry::Upstream;
use crate::config::request::PREFIX;
use crate::dialect::bounded;
use crate::http::Headers;
use crate::plan::{Plan, Target};
use crate::provider::{BaseUrl, virtual_key_of};
use crate::record::table::FIELDS;
use crate::report::{Attempt, Report};
use crate::trace::context::{Context, Given, Parent, attempt_id, traceparent};
use crate::trace::export::SPANS;
use crate::trace::names;
use crate::trace::queue::Spans;
use crate::trace::span::{Attributes, Kind, Span};
use serde_json::{Map, Value};

/// Tags of `x-portkey-metadata` that become attributes, at most.
const MAX_TAGS: usize = 64;

/// `error.type` of a request whose client has left.
const CLIENT_LEFT: &str = "client_disconnected";

impl Gateway {
    /// Notes what the headers say about the trace.
    pub(super) fn place(&mut self, world: &dyn World, headers: &Headers) {
        let header = |name: &str| {
            let text = headers.text(&format!("{PREFIX}{name}")).map(str::trim);
            text.filter(|text| !text.is_empty()).map(|text| bounded(text.into()))
        };
        let record = &mut self.record;
        (record.span_id, record.span_name) = (header("span-id"), header("span-name"));
        record.parent_span_id = header("parent-span-id");
        let trace_id = record.trace_id.as_deref().unwrap_or_default();
        let given = Given {
            trace_id,
            span_id: record.span_id.as_deref(),
            parent_span_id: record.parent_span_id.as_deref(),
        };
        if let Some(traces) = &self.registry.traces {
            let context = Context::of(given, headers, traces.sampling, world.random());
            if record.span_id.is_none() {
                record.span_id = Some(format!("{:016x}", context.span_id));
            }
            self.trace = Some(context);
        }
        if record.parent_span_id.is_none()
            && let Some(client) = traceparent(headers)
            && record.trace_id == Some(format!("{:032x}", client.trace_id))
        {
            record.parent_span_id = Some(format!("{:016x}", client.span_id));
        }
    }

    /// What the attempts are told of the trace.
    pub(super) fn parent(&self) -> Option<Parent> {
        let traces = self.registry.traces.as_ref()?;
        Some(self.trace.as_ref()?.parent(traces.propagate))
    }

    /// The spans, at the very end, and the milliseconds that they may wait. `details` is Envoy's,
    /// `status` what the client got, 0 if it got none, `record` the log record.
    pub(super) fn spans(
        &self,
        report: Option<&Report>,
        details: &str,
        status: u16,
        record: &[u8],
    ) -> Option<(Spans, u64)> {
        let interval = self.registry.traces.as_ref()?.interval;
        let context = self.trace.as_ref().filter(|context| context.sampled)?;
        if details == LOCAL {
            return None;
        }
        let none = Report::default();
        let spans = self.list(context, report.unwrap_or(&none), details, status, record);
        let mut bytes = Vec::with_capacity(spans.len() * 1024);
        spans.iter().for_each(|span| span.encode(&mut bytes, SPANS));
        Some((Spans { bytes, count: spans.len() }, interval))
    }

    fn list(
        &self,
        context: &Context,
        report: &Report,
        details: &str,
        status: u16,
        record: &[u8],
    ) -> Vec<Span> {
        let left = has_left(details);
        let mut attributes = attributes(record);
        if status > 0 {
            attributes.add("http.response.status_code", status);
        }
        let known = attributes.get("error.type").and_then(Value::as_str).map(str::to_owned);
        let failed = (status >= 400).then(|| status.to_string());
        let error = left.then(|| CLIENT_LEFT.to_owned()).or(known.clone()).or(failed);
        if let (None, Some(error)) = (known, &error) {
            attributes.add("error.type", error.as_str());
        }
        let given = self.record.span_name.clone();
        let request = Span {
            trace_id: context.trace_id,
            span_id: context.span_id,
            parent: context.parent,
            state: context.state.clone(),
            name: given.unwrap_or_else(|| self.name(self.record.model.as_deref())),
            kind: Kind::Server,
            start: self.times.started,
            end: self.times.ended,
            attributes,
            error,
        };
        let mut spans = vec![request];
        let plan = plan_of(&self.state, &self.asked);
        if let (Some(plan), Some(request)) = (plan, spans.first()) {
            let attempts = self.attempt_spans(request, plan, report);
            spans.extend(attempts);
        }
        spans
    }

    /// The name of a span that has none: operation and model.
    fn name(&self, model: Option<&str>) -> String {
        let operation = names::operation(self.record.endpoint.unwrap_or("request"));
        model.map_or_else(|| operation.to_owned(), |model| format!("{operation} {model}"))
    }

    fn attempt_spans(&self, request: &Span, plan: &Plan, report: &Report) -> Vec<Span> {
        let judged = report.attempts.iter().map(|one| (one.clone(), true));
        let begun = report.begun.iter().map(|one| {
            let ms = (self.times.ended / 1_000_000).saturating_sub(one.started);
            let (at, started) = (one.at, one.started);
            (Attempt { at, status: 0, ms, started, answered: false }, false)
        });
        let all: Vec<(Attempt, bool)> = judged.chain(begun).collect();
        let last = all.len().saturating_sub(1);
        let span = |(number, (attempt, judged)): (usize, &(Attempt, bool))| {
            let target = plan.targets.get(attempt.at.target)?;
            let is_last = number == last && report.next.is_none();
            let whole = request.attributes.get("error.type").and_then(Value::as_str);
            let error = match (judged, attempt.answered) {
                (false, _) => whole.map(str::to_owned),
                (true, false) => {
                    let error = envoy_error::without_answer(attempt.status, target.timeout);
                    Some(error.code.to_owned())
                }
                (true, true) if is_last => whole.map(str::to_owned),
                (true, true) => None,
            };
            let failed = (attempt.status >= 400).then(|| attempt.status.to_string());
            let start = attempt.started.saturating_mul(1_000_000).max(request.start);
            let end = match is_last && attempt.answered {
                true => request.end,
                false => start.saturating_add(attempt.ms.saturating_mul(1_000_000)),
            };
            let mut span = self.attempt_span(request, target, attempt);
            span.span_id = attempt_id(request.span_id, number);
            (span.start, span.end) = (start, end.min(request.end));
            span.error = error.or(failed);
            let error = span.error.clone();
            span.attributes.add("error.type", error);
            span.attributes.add("http.request.resend_count", (number > 0).then_some(number));
            if is_last {
                for name in ["gen_ai.response.model", "gen_ai.response.id"] {
                    span.attributes.add(name, request.attributes.get(name).cloned());
                }
            }
            Some(span)
        };
        all.iter().enumerate().filter_map(span).collect()
    }

    fn attempt_span(&self, request: &Span, target: &Target, attempt: &Attempt) -> Span {
        let upstream = self.registry.upstream(&target.cluster);
        let model = override_of(target).or_else(|| self.record.model.clone());
        let mut attributes = Attributes::default();
        let operation = self.record.endpoint.map(names::operation);
        attributes.add("gen_ai.operation.name", operation);
        attributes.add(
            "gen_ai.provider.name",
            upstream.map(|upstream| names::provider(upstream.provider.slug)),
        );
        attributes.add("gen_ai.request.model", model.as_deref());
        if let Some(url) = upstream.and_then(|upstream| url(upstream, target)) {
            attributes.add("server.address", url.host);
            attributes.add("server.port", url.port);
        }
        attributes.add("portkey.cluster", target.cluster.as_str());
        attributes.add("portkey.virtual_key", virtual_key_of(&target.cluster));
        attributes.add("portkey.option_index", target.option_index.as_str());
        if attempt.answered {
            attributes.add("http.response.status_code", attempt.status);
        }
        Span {
            trace_id: request.trace_id,
            span_id: 0,
            parent: Some(request.span_id),
            state: request.state.clone(),
            name: self.name(model.as_deref()),
            kind: Kind::Client,
            start: 0,
            end: 0,
            attributes,
            error: None,
        }
    }
}

/// Where a target's requests go.
fn url(upstream: &Upstream, target: &Target) -> Option<BaseUrl> {
    match &target.custom_host {
        Some(url) => BaseUrl::parse_public(url).ok(),
        None => upstream.base.url(&target.settings).ok()?,
    }
}

/// The attributes of a request: what the log has of it, by the table's names.
fn attributes(record: &[u8]) -> Attributes {
    let mut attributes = Attributes::default();
    // The record is the rest of an object.
    let rest = record.strip_prefix(b",").unwrap_or_default();
    let object = [b"{", rest, b"}"].concat();
    let mut members: Map<String, Value> = serde_json::from_slice(&object).unwrap_or_default();
    if let Some(operation) = members.get("endpoint").and_then(Value::as_str) {
        attributes.add("gen_ai.operation.name", names::operation(operation));
    }
    for field in FIELDS {
        let (Some(name), Some(value)) = (field.attribute, members.remove(field.name)) else {
            continue;
        };
        match (name, value) {
            ("portkey.metadata", Value::Object(tags)) => {
                for (tag, value) in tags.into_iter().take(MAX_TAGS) {
                    // Few collectors take more than a number or a text.
                    let value = match value {
                        nested @ (Value::Array(_) | Value::Object(_)) => nested.to_string().into(),
                        plain => plain,
                    };
                    attributes.add(format!("{name}.{tag}"), value);
                }
            }
            ("gen_ai.provider.name", Value::String(slug)) => {
                attributes.add(name, names::provider(&slug));
            }
            ("gen_ai.response.finish_reasons", reason @ Value::String(_)) => {
                attributes.add(name, vec![reason]);
            }
            (name, value) => attributes.add(name, value),
        }
    }
    attributes
}
