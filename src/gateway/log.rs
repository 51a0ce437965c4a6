//! The end of a request: its log record, and what it adds to the metrics.

use super::{DETAILS, Gateway, State, World, response};
use crate::error::Source;
use crate::metric::{self, Group};
use crate::plan::Plan;
use crate::provider::virtual_key_of;
use crate::record::bodies::Bodies;
use crate::report::Report;
use crate::trace::queue::Spans;

/// What the host has seen of a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Traffic {
    /// The status that the client got; 0: none.
    pub status: u16,
    /// Bytes of the request's body.
    pub received: u64,
    /// Bytes of the answer's body.
    pub sent: u64,
}

/// What is known of a request in the end.
#[derive(Debug)]
pub struct Logged {
    /// The log record.
    pub record: Vec<u8>,
    /// Whether the request had an error.
    pub failed: bool,
    /// What it adds to the metrics.
    pub groups: Vec<Group>,
    /// Its spans, and the milliseconds that they may wait.
    pub spans: Option<(Spans, u64)>,
}

impl Gateway {
    /// The very end. `report` is the value of [`crate::contract::property::REPORT`], `details` is
    /// Envoy's `response_code_details`.
    pub fn on_log(
        &mut self,
        world: &dyn World,
        report: Option<&[u8]>,
        details: &str,
        traffic: Traffic,
    ) -> Logged {
        self.leave_flight();
        let report = match report.and_then(Report::decode) {
            None => self.cache.report(),
            report => report,
        };
        self.times.ended = world.now();
        self.record.note_received(self.times);
        let report = report.as_ref();
        if let (Some(plan), Some(report)) = (plan_of(&self.state, &self.asked), report) {
            response::note_target(&mut self.record, &self.registry, plan, report);
            self.record.note_times(self.times, report);
        }
        self.record.cost_micro_usd = match self.record.saved_tokens {
            Some(_) => Some(0),
            None => report.and_then(|report| self.cost(&report.facts)),
        };
        self.settle(world, report);
        self.record.response_code_details = Some(details.to_owned());
        self.note_break(details);
        self.note_bodies();
        let record = self.record.encode(report);
        let spans = self.spans(report, details, traffic.status, &record);
        let failed = self.record.error_type.is_some();
        Logged { record, failed, groups: self.observe(world, report, details, traffic), spans }
    }

    /// Decides whether the log is to have the bodies: `debug` is what the request says.
    pub(super) fn want_bodies(&mut self, debug: Option<bool>) {
        let Some(settings) = &self.registry.log_bodies else { return };
        let of_caller = || self.asking.policy().and_then(|policy| policy.rules.log_bodies);
        let wanted = debug.or_else(of_caller).unwrap_or(settings.default);
        // What follows the headers of an upgrade is no body.
        self.bodies = (wanted && !self.upgrades).then(|| Box::new(Bodies::new(settings)));
    }

    /// What is no JSON could show what is to be left out.
    pub(super) fn note_request_body(&mut self, body: &[u8], is_json: bool) {
        let Some(settings) = &self.registry.log_bodies else { return };
        if let Some(bodies) = self.bodies.as_mut().filter(|_| is_json) {
            bodies.on_request(body, settings);
        }
    }

    fn note_bodies(&mut self) {
        let Some(settings) = &self.registry.log_bodies else { return };
        let Some(bodies) = self.bodies.take() else { return };
        (self.record.request_body, self.record.response_body) = bodies.finish(settings);
    }

    /// What breaks a stream off comes after the headers, so that the status does not tell.
    fn note_break(&mut self, details: &str) {
        let code = match details.split(['{', '(']).next().unwrap_or_default() {
            // So do sessions end.
            "upstream_reset_after_response_started"
                if self.upgrades && details.contains("connection_termination") =>
            {
                return;
            }
            "upstream_reset_after_response_started" => "upstream_reset",
            "upstream_per_try_idle_timeout" | "stream_idle_timeout" => "upstream_timeout",
            _ => return,
        };
        if matches!(self.state, State::Forwarded(_)) {
            self.record.error_type = Some(code.to_owned());
            self.record.error_source = Some(Source::Provider.as_str().to_owned());
        }
    }

    fn observe(
        &self,
        world: &dyn World,
        report: Option<&Report>,
        details: &str,
        traffic: Traffic,
    ) -> Vec<Group> {
        let Some(metrics) = &self.registry.metrics else { return Vec::new() };
        // Nobody counts looks at whether the gateway lives, and bad HTTP is Envoy's.
        let is_probe = self.record.endpoint.is_none() && details == LOCAL;
        if is_probe || self.times.started == 0 {
            return Vec::new();
        }
        let plan = plan_of(&self.state, &self.asked);
        let attempts = plan.zip(report).map(|(plan, report)| self.attempts(plan, report));
        let Traffic { status, received, sent } = traffic;
        let seen = metric::Seen {
            record: &self.record,
            facts: report.map(|report| &report.facts),
            attempts: &attempts.unwrap_or_default(),
            waited: report.map_or(0, |report| report.waited),
            dropped: report.is_some_and(|report| report.dropped.list().is_some()),
            status,
            left: has_left(details),
            stored: self.cache.stored,
            ms: self.times.ended.saturating_sub(self.times.started) / 1_000_000,
            received,
            sent,
            prices: &self.registry.prices,
        };
        metrics.observe(world.shared(), &seen)
    }

    fn attempts<'a>(&'a self, plan: &'a Plan, report: &Report) -> Vec<metric::Attempt<'a>> {
        let attempt = |one: &crate::report::Attempt| {
            let target = plan.targets.get(one.at.target)?;
            let upstream = self.registry.upstream(&target.cluster)?;
            Some(metric::Attempt {
                target: one.at.target,
                provider: upstream.provider.slug,
                virtual_key: virtual_key_of(&target.cluster),
                status: one.status,
                ms: one.ms,
            })
        };
        report.attempts.iter().filter_map(attempt).collect()
    }
}

/// Details of what is answered without a provider.
pub(super) const LOCAL: &str = "portkey:local";

/// The plan of a request for which providers were asked.
pub(super) fn plan_of<'a>(state: &'a State, asked: &'a Option<Box<Plan>>) -> Option<&'a Plan> {
    match state {
        State::Forwarded(plan) => Some(plan),
        _ => asked.as_deref(),
    }
}

/// Whether the client left before the end, by Envoy's details.
pub(super) fn has_left(details: &str) -> bool {
    !details.starts_with(DETAILS)
        && (details.starts_with("downstream_") || details.contains("remote_reset"))
}
