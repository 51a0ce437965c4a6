//! The response side of the gateway role.

use super::{DETAILS, Gateway, Reply, envoy_error};
use crate::adapter::Format;
use crate::config::registry::Registry;
use crate::config::request::PREFIX;
use crate::contract::header;
use crate::endpoint::Endpoint;
use crate::error::NO_MODEL;
use crate::http::Headers;
use crate::plan::Plan;
use crate::provider::virtual_key_of;
use crate::record::Record;
use crate::report::{Position, Report};

impl Gateway {
    /// Edits the answer of a provider; gives the answer instead of one that Envoy made.
    pub(super) fn answer(
        &mut self,
        plan: &Plan,
        details: &str,
        report: &Report,
        headers: &mut Headers,
        end_of_stream: bool,
    ) -> Option<Reply> {
        note_target(&mut self.record, &self.registry, plan, report);
        self.note_requests(headers);
        let status = headers.text(":status").and_then(|text| text.parse().ok()).unwrap_or(502);
        let at = position(plan, report);
        let timeout = plan.targets.get(at.target).map_or(0, |target| target.timeout);
        let error = if let Some(own) = details.strip_prefix(DETAILS) {
            if let Some((source, code)) = own.split_once(':') {
                self.record.error_type = Some(code.to_owned());
                self.record.error_source = Some(source.to_owned());
            }
            None
        } else if details != "via_upstream" {
            let limit = self.registry.max_body_bytes;
            Some(envoy_error::translate(details, status, timeout, limit))
        } else if headers.get(header::LOCAL).is_some() {
            // The request was sent where nothing is tried any more.
            let last = report.attempts.last().map_or(503, |attempt| attempt.status);
            Some(envoy_error::without_answer(last, timeout))
        } else if end_of_stream
            && (self.is_translated(plan, at) || lacks_body(plan.endpoint, status))
        {
            Some(envoy_error::no_body(status))
        } else {
            None
        };
        headers.retain(|name| ![header::RETRY, header::RETRY_AFTER, header::LOCAL].contains(&name));
        let Some(error) = error else {
            match details.strip_prefix(DETAILS).is_some_and(|own| own.ends_with(NO_MODEL)) {
                true => {
                    self.add_headers(headers);
                    headers.set(&format!("{PREFIX}gateway-exception"), "true");
                }
                false => self.describe(plan, report, at, status, headers),
            }
            return None;
        };
        self.note_refusal(details, headers);
        let mut reply = self.error_reply(&error);
        // Envoy's own word for it stays in the log.
        reply.details.extend([":", details]);
        self.describe(plan, report, at, error.status, &mut reply.headers);
        Some(reply)
    }

    /// Whether the answer is a chat completion's, which must have a body.
    fn is_translated(&self, plan: &Plan, at: Position) -> bool {
        let row = || {
            let target = plan.targets.get(at.target)?;
            let upstream = self.registry.upstream(&target.cluster)?;
            Some(upstream.row(target.custom_host.as_deref(), &target.settings))
        };
        plan.endpoint == Endpoint::ChatCompletions
            || row().is_some_and(|row| Format::needed(plan.endpoint, row).is_some())
    }

    /// Adds the headers that say what was tried.
    pub(super) fn describe(
        &self,
        plan: &Plan,
        report: &Report,
        at: Position,
        status: u16,
        headers: &mut Headers,
    ) {
        self.add_headers(headers);
        let Some(target) = plan.targets.get(at.target) else { return };
        let exhausted = target.retry.attempts > 0 && target.retry.on_status_codes.contains(&status);
        let retries = if exhausted { -1 } else { i64::from(at.tries) - 1 };
        let mut set = |name: &str, value: &str| headers.set(&format!("{PREFIX}{name}"), value);
        set("provider", self.record.provider.unwrap_or_default());
        set("last-used-option-index", &target.option_index);
        set("retry-attempt-count", &retries.to_string());
        if let Some(dropped) = report.dropped.list() {
            set("dropped-params", &dropped);
        }
        set("cache-status", self.cache.status.as_str());
        if self.debug {
            set("attempts", &trail(plan, report));
        }
    }
}

/// Whether an answer without a body is none: one that holds a result, or tells what went wrong.
fn lacks_body(endpoint: Endpoint, status: u16) -> bool {
    endpoint.answers_as_openai() && (endpoint.takes_json() || status >= 400)
}

/// Where the request is, or was last.
fn position(plan: &Plan, report: &Report) -> Position {
    let last = report.attempts.last().map(|attempt| attempt.at);
    let begun = report.begun.map(|begun| begun.at);
    begun.or(report.next).or(last).unwrap_or_else(|| plan.start())
}

/// Notes for the log which target it is.
pub(super) fn note_target(record: &mut Record, registry: &Registry, plan: &Plan, report: &Report) {
    let Some(target) = plan.targets.get(position(plan, report).target) else { return };
    let upstream = registry.upstream(&target.cluster);
    record.provider = upstream.map(|upstream| upstream.provider.slug);
    record.virtual_key = virtual_key_of(&target.cluster).map(str::to_owned);
    record.cluster = Some(target.cluster.clone());
    record.option_index = Some(target.option_index.clone());
    record.trail = Some(trail(plan, report));
}

/// Every attempt: target, status and milliseconds.
fn trail(plan: &Plan, report: &Report) -> String {
    let mut out = String::new();
    for attempt in &report.attempts {
        let target = plan.targets.get(attempt.at.target);
        let index = target.map_or("", |target| target.option_index.as_str());
        let separator = if out.is_empty() { "" } else { ", " };
        out.extend([separator, index, "=", &attempt.status.to_string()]);
        out.extend([" ", &attempt.ms.to_string(), "ms"]);
    }
    out
}
