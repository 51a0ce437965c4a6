//! The log record of a request: what Envoy's access loggers read from filter state.
//!
//! It is the rest of a JSON object, `,"trace_id":...,"trail":...`, so that a line of the log is put
//! together by pasting: Envoy's own ways to typed values in a log, expressions or JSON made of
//! protobuf, cost more than all the rest of a request.

pub mod bodies;
pub mod table;

use crate::report::Report;
use serde::Serialize;
use serde_json::Value;

/// Name of the property that holds the record; in filter state it has the prefix `wasm.`.
pub const PROPERTY: &str = "portkey.log";

/// Name of another, which is there for requests with an error alone.
pub const FAILED: &str = "portkey.failed";

/// What the gateway role knows of a request. `None` means that the request did not get so far.
#[derive(Debug, Default, Serialize)]
pub struct Record {
    /// `x-portkey-trace-id`, the trace of `traceparent`, or Envoy's request id.
    pub trace_id: Option<String>,
    /// Who asks, where gateway.yaml names callers.
    pub caller: Option<String>,
    /// `x-portkey-span-id`.
    pub span_id: Option<String>,
    /// `x-portkey-parent-span-id`.
    pub parent_span_id: Option<String>,
    /// `x-portkey-span-name`.
    pub span_name: Option<String>,
    /// The JSON object of `x-portkey-metadata`.
    pub metadata: Option<Value>,
    /// Name of the operation.
    pub endpoint: Option<&'static str>,
    /// Slug of the provider.
    pub provider: Option<&'static str>,
    /// Slug of the virtual key.
    pub virtual_key: Option<String>,
    /// Slug of the saved config.
    pub config: Option<String>,
    /// Which state of the configuration it was.
    pub config_version: Option<String>,
    /// The model that the client asked for.
    #[serde(rename = "request_model")]
    pub model: Option<String>,
    /// Whether the client asked for a stream.
    pub stream: Option<bool>,
    /// The cluster of the last target.
    pub cluster: Option<String>,
    /// Code of the error that the gateway itself answered with.
    pub error_type: Option<String>,
    /// Whose fault that was.
    pub error_source: Option<String>,
    /// Where the last target stands in the config.
    pub option_index: Option<String>,
    /// Every attempt, as `config.targets[0]=503 12ms`.
    pub trail: Option<String>,
    /// `x-portkey-cache-status`, where the cache was asked.
    pub cache_status: Option<&'static str>,
    /// The cosine of a question that means the same.
    pub cache_similarity: Option<f32>,
    /// Tokens of prompt and answer that a kept answer saved, as far as they are known.
    pub saved_tokens: Option<u64>,
    /// Milliseconds that the kept answer took the first time.
    pub saved_ms: Option<u64>,
    /// Micro-USD that a kept answer would have cost, if the price is known.
    pub saved_cost_micro_usd: Option<u64>,
    /// Micro-USD that the tokens of the answer cost, if they and their price are known.
    pub cost_micro_usd: Option<u64>,
    /// The limit of the caller that has stopped the request.
    pub limited_by: Option<&'static str>,
    /// Tokens that the caller's allowance of this minute has paid.
    pub booked_tokens: Option<u64>,
    /// Micro-USD that the caller's budget has paid.
    pub booked_micro_usd: Option<u64>,
    /// Micro-USD that the budget has left.
    pub budget_left_micro_usd: Option<u64>,
    /// Milliseconds until the request was whole.
    pub request_ms: Option<u64>,
    /// Milliseconds of all attempts.
    pub upstream_ms: Option<u64>,
    /// Milliseconds of the gateway itself until the response headers.
    pub gateway_ms: Option<u64>,
    /// Milliseconds from the request headers to the response headers.
    pub time_to_first_byte_ms: Option<u64>,
    /// Milliseconds from the request headers to the first content of a stream.
    pub time_to_first_token_ms: Option<u64>,
    /// Microseconds for each output token of a stream but the first.
    pub time_per_output_token_us: Option<u64>,
    /// Envoy's word for how the response came about.
    pub response_code_details: Option<String>,
    /// The request's body, where it is wanted.
    pub request_body: Option<String>,
    /// The answer's body as the client got it, where it is wanted.
    pub response_body: Option<String>,
}

/// What the provider role found out.
#[derive(Default, Serialize)]
struct Found<'a> {
    response_id: Option<&'a str>,
    response_model: Option<&'a str>,
    finish_reason: Option<&'a str>,
    complete: Option<bool>,
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    total_tokens: Option<u64>,
    cached_tokens: Option<u64>,
    cache_creation_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
    audio_input_tokens: Option<u64>,
    audio_output_tokens: Option<u64>,
    dropped_params: Option<String>,
}

/// Times of a request, as Unix time in nanoseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Times {
    /// The request headers.
    pub started: u64,
    /// The request was whole; 0: it was not waited for.
    pub received: u64,
    /// Everything is over.
    pub ended: u64,
}

impl Record {
    /// Fills in how long the request took to come.
    pub fn note_received(&mut self, times: Times) {
        let Times { started, received, .. } = times;
        let since = received.saturating_sub(started) / 1_000_000;
        self.request_ms = (received > 0).then_some(since);
    }

    /// Fills in what the attempts took.
    pub fn note_times(&mut self, times: Times, report: &Report) {
        let Times { started, ended, .. } = times;
        if !report.attempts.is_empty() {
            let upstream = report.attempts.iter().fold(0u64, |sum, one| sum.saturating_add(one.ms));
            let others = [self.request_ms.unwrap_or_default(), upstream, report.waited];
            self.upstream_ms = Some(upstream);
            self.gateway_ms = self
                .time_to_first_byte_ms
                .map(|until| others.into_iter().fold(until, u64::saturating_sub));
        }
        let Some(first) = report.first_content else { return };
        self.time_to_first_token_ms = Some(first.saturating_sub(started / 1_000_000));
        let output = report.facts.usage.map_or(0, |usage| usage.completion_tokens);
        let after = (ended / 1000).saturating_sub(first.saturating_mul(1000));
        self.time_per_output_token_us = after.checked_div(output.saturating_sub(1));
    }

    /// The record as bytes, with what the provider role found out.
    pub fn encode(&mut self, report: Option<&Report>) -> Vec<u8> {
        let facts = report.map(|report| &report.facts);
        if let Some(kind) = facts.and_then(|facts| facts.error_type.as_ref())
            && self.error_type.is_none()
        {
            self.error_type = Some(kind.clone());
            self.error_source.get_or_insert_with(|| "provider".to_owned());
        }
        let mut out = Vec::with_capacity(1024);
        append(&mut out, self);
        append(&mut out, &report.map(Found::of).unwrap_or_default());
        out
    }
}

impl<'a> Found<'a> {
    fn of(report: &'a Report) -> Self {
        let facts = &report.facts;
        let usage = facts.usage;
        Self {
            response_id: facts.id.as_deref(),
            response_model: facts.model.as_deref(),
            finish_reason: facts.finish_reason.as_deref(),
            complete: Some(facts.complete),
            prompt_tokens: usage.map(|usage| usage.prompt_tokens),
            completion_tokens: usage.map(|usage| usage.completion_tokens),
            total_tokens: usage.map(|usage| usage.total_tokens()),
            cached_tokens: usage.map(|usage| usage.cached_tokens),
            cache_creation_tokens: usage.map(|usage| usage.cache_creation_tokens),
            reasoning_tokens: usage.map(|usage| usage.reasoning_tokens),
            audio_input_tokens: usage.map(|usage| usage.audio_input_tokens),
            audio_output_tokens: usage.map(|usage| usage.audio_output_tokens),
            dropped_params: report.dropped.list(),
        }
    }
}

/// Appends the members of an object, each with a comma in front.
fn append(out: &mut Vec<u8>, members: &impl Serialize) {
    let start = out.len();
    // Strings, numbers and values always serialise.
    if serde_json::to_writer(&mut *out, members).is_err() {
        return out.truncate(start);
    }
    if let Some(brace) = out.get_mut(start) {
        *brace = b',';
    }
    out.pop();
}

#[cfg(test)]
mod tests {
    use super::table::{FIELDS, Source};
    use super::*;
    use crate::dialect::{Facts, Usage};
    use std::collections::BTreeSet;

    fn of_the_module() -> impl Iterator<Item = &'static str> {
        FIELDS.iter().filter(|field| field.source != Source::Envoy).map(|field| field.name)
    }

    /// The line that Envoy makes of it.
    fn line(record: &[u8]) -> Value {
        serde_json::from_slice(&[br#"{"time":"now""#, record, b"}"].concat()).unwrap()
    }

    #[test]
    fn a_line_has_every_field() {
        let metadata = serde_json::json!({ "_user": "é\n\"", "n": 1.5, "deep": {"a": [null]} });
        let mut record = Record {
            metadata: Some(metadata.clone()),
            trail: Some("config=200 5ms".into()),
            ..Record::default()
        };
        let usage = Usage { prompt_tokens: 3, completion_tokens: 4, ..Usage::default() };
        let error_type = Some("rate_limit".into());
        let facts = Facts { usage: Some(usage), error_type, complete: true, ..Facts::default() };
        let mut report = Report { facts, ..Report::default() };
        report.dropped.add("seed");
        let bytes = record.encode(Some(&report));
        assert!(!bytes.contains(&b'\n'), "a line");
        let read = line(&bytes);
        assert_eq!(read["metadata"], metadata);
        assert_eq!(read["total_tokens"], 7);
        assert_eq!(read["complete"], true);
        assert_eq!(read["dropped_params"], "seed");
        assert_eq!(
            (&read["error_type"], &read["error_source"]),
            (&"rate_limit".into(), &"provider".into())
        );
        let names: BTreeSet<&str> = read.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, of_the_module().chain(["time"]).collect());
    }

    #[test]
    fn what_is_unknown_is_null_and_the_gateways_own_error_wins() {
        let read = line(&Record::default().encode(None));
        assert!(of_the_module().all(|name| read[name].is_null()), "{read}");
        let mut mine = Record { error_type: Some("no_route".into()), ..Record::default() };
        let facts = Facts { error_type: Some("other".into()), ..Facts::default() };
        let read = line(&mine.encode(Some(&Report { facts, ..Report::default() })));
        assert_eq!(
            (&read["error_type"], &read["error_source"]),
            (&"no_route".into(), &Value::Null)
        );
    }
}
