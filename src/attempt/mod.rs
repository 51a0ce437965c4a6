//! The provider role: one attempt at one target. No I/O.
//!
//! Everything is derived from the plan and the original body, so that a second attempt starts
//! clean: Envoy hands every attempt the same header map, with what the one before left in it.

mod events;
mod inbound;
mod outbound;
mod outcome;
mod signature;
mod token;

use crate::adapter::{self, Echo, Format};
use crate::call::Call;
use crate::config::registry::{Registry, Upstream};
use crate::contract::{cluster, header};
use crate::decide::{self, Next, Outcome};
use crate::dialect::{Context, Dialect, Dropped, Facts};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::gateway::{Reply, World};
use crate::http::Headers;
use crate::plan::{Plan, Secret, Target};
use crate::report::{self, Position, Report};
use crate::service_account::Vault;
use inbound::{Answer, Progress};
use outbound::Made;
pub use outbound::effective;
use serde_json::value::RawValue;
use std::rc::Rc;
use token::{Request, Waiting};

/// What becomes of the request of an attempt.
#[derive(Debug)]
pub enum Outbound {
    /// The whole body is needed first.
    NeedBody,
    /// These headers go out, and the body as it is or as given.
    Send(Headers, Option<Vec<u8>>),
    /// Nothing goes out before this call has ended; see [`Attempt::on_call_response`].
    Call(Box<Call>),
    /// The request cannot be put in the provider's format.
    Reply(Reply),
}

/// What becomes of response headers, or of a piece of the response body.
#[derive(Debug, PartialEq, Eq)]
pub enum Inbound {
    /// As it came.
    Pass,
    /// Nothing goes out yet.
    Hold,
    /// This goes out instead of the piece, or of all that was held.
    Replace(Vec<u8>),
    /// The held answer goes out like this.
    Release(Headers, Vec<u8>),
}

/// What an attempt leaves behind.
#[derive(Debug, Default)]
pub struct News {
    /// Value of [`crate::contract::property::CLUSTER`], when the request goes on elsewhere.
    pub cluster: Option<String>,
    /// Value of [`crate::contract::property::REPORT`].
    pub report: Option<Vec<u8>>,
    /// A cluster that asked to be left alone, and for how many milliseconds.
    pub cooling: Option<(String, u64)>,
}

/// One attempt.
#[derive(Debug)]
pub struct Attempt {
    registry: Rc<Registry>,
    state: State,
    report: Report,
    at: Position,
    /// Unix time in milliseconds at which it began.
    started: u64,
    news: News,
    /// The model that was asked for, where the answer will not tell it.
    model: Option<Box<RawValue>>,
    /// What the answer repeats, where the client's API is another than the provider's.
    echo: Option<Echo>,
    /// The format of the answer, where it is not the provider's.
    speaks: Option<Dialect>,
    /// Whether the connection is to become a WebSocket.
    upgrades: bool,
    /// Whether the provider has answered.
    answered: bool,
    /// A service account's key that Envoy, or the attempt in front of the hop, has put in.
    key_file: Option<Secret>,
}

#[derive(Debug)]
enum State {
    Start,
    /// Waits for the request body.
    Body(Box<(Plan, Headers)>),
    /// Waits for an access token.
    Token(Box<Waiting>),
    /// Waits for the answer.
    Sent(Rc<Plan>),
    /// The answer is coming in.
    Answering(Rc<Plan>, Box<Answer>),
    /// All is done in front of the hop, to which the answer goes as it is.
    Relayed,
    /// Nothing is left to do.
    Done,
}

/// What the host knows when an attempt begins.
pub struct Beginning<'a> {
    /// What the gateway role wrote.
    pub plan: Option<&'a [u8]>,
    /// What earlier attempts left, for plans that allow several.
    pub report: &'a dyn Fn() -> Option<Vec<u8>>,
    /// Name of the cluster that the attempt is at, for plans whose target Envoy picks.
    pub cluster: &'a dyn Fn() -> String,
    /// What can make and keep tokens.
    pub vault: &'a dyn Vault,
    /// Unix time in milliseconds.
    pub now: u64,
}

impl Attempt {
    /// An attempt whose headers are to come.
    pub fn new(registry: Rc<Registry>) -> Self {
        let (report, news) = (Report::default(), News::default());
        let at = Position { target: 0, tries: 1 };
        Self {
            registry,
            state: State::Start,
            report,
            at,
            started: 0,
            news,
            model: None,
            echo: None,
            speaks: None,
            upgrades: false,
            answered: false,
            key_file: None,
        }
    }

    /// The request headers.
    pub fn on_request_headers(
        &mut self,
        beginning: &Beginning<'_>,
        headers: Headers,
        end_of_stream: bool,
    ) -> Outbound {
        self.started = beginning.now;
        self.key_file = headers.text(header::SERVICE_ACCOUNT).map(|text| Secret(text.to_owned()));
        let begun = match headers.get(header::RELAYED) {
            // This is behind the hop: all but the token was done in front of it.
            Some(_) => {
                let request =
                    Request { plan: None, headers: outbound::relayed(headers), body: None };
                self.authorize(request, beginning.vault, beginning.now)
            }
            None => self.prepare(beginning, headers, end_of_stream),
        };
        begun.unwrap_or_else(|error| self.fail(&error))
    }

    fn prepare(
        &mut self,
        beginning: &Beginning<'_>,
        mut headers: Headers,
        end_of_stream: bool,
    ) -> Result<Outbound, Error> {
        let plan = beginning.plan.and_then(Plan::decode).ok_or_else(|| {
            Error::gateway("no_plan", "The gateway filter is missing in front of this cluster")
        })?;
        let report = (plan.max_retries() > 0).then(beginning.report).flatten();
        self.report = report.as_deref().and_then(Report::decode).unwrap_or_default();
        // What the attempt before said is not this one's answer.
        self.report.facts = Facts::default();
        self.report.dropped = Dropped::default();
        self.report.first_content = None;
        self.at = self.report.next.take().unwrap_or_else(|| match plan.weighted {
            true => picked(&plan, &(beginning.cluster)()),
            false => plan.start(),
        });
        let (target, upstream) = place(&self.registry, &plan, self.at)?;
        outbound::rewrite_headers(&plan, target, upstream, &mut headers)?;
        if let Some(parent) = &plan.trace {
            self.report.begun = Some(report::Begun { at: self.at, started: self.started });
            outbound::add_trace(parent, self.report.attempts.len(), &mut headers);
            if parent.sampled {
                // The client may leave before anything else is known.
                self.news.report = Some(self.report.encode());
            }
        }
        if let Some(length) = plan.body_length {
            headers.set("content-length", length.to_string());
        }
        let signs = signature::is_due(target, upstream);
        self.upgrades = headers.get("upgrade").is_some();
        // What follows an upgrade is no body.
        let has_body = !end_of_stream && !self.upgrades;
        if (signs || outbound::changes_body(&plan, target, upstream)) && has_body {
            self.state = State::Body(Box::new((plan, headers)));
            return Ok(Outbound::NeedBody);
        }
        signature::add(target, upstream, &mut headers, b"", self.started)?;
        let request = Request { plan: Some(plan), headers, body: None };
        self.authorize(request, beginning.vault, beginning.now)
    }

    /// The whole request body, after [`Outbound::NeedBody`].
    pub fn on_request_body(&mut self, body: &[u8], vault: &dyn Vault) -> Outbound {
        let State::Body(waiting) = std::mem::replace(&mut self.state, State::Done) else {
            return self.fail(&Error::gateway("internal_error", "The body was not asked for"));
        };
        let (plan, mut headers) = *waiting;
        let now = self.started;
        let made = place(&self.registry, &plan, self.at).and_then(|(target, upstream)| {
            let made = outbound::make_body(&plan, target, upstream, body, &mut headers)?;
            let sent = made.body.as_deref().unwrap_or(body);
            signature::add(target, upstream, &mut headers, sent, now)?;
            Ok(made)
        });
        match made {
            Ok(Made { body, model, dropped, echo, speaks }) => {
                (self.model, self.speaks) = (model, speaks);
                self.echo = echo;
                self.report.dropped = dropped;
                if let Some(body) = &body {
                    headers.remove("transfer-encoding");
                    headers.set("content-length", body.len().to_string());
                }
                let request = Request { plan: Some(plan), headers, body };
                self.authorize(request, vault, now).unwrap_or_else(|error| self.fail(&error))
            }
            Err(error) => self.fail_as(plan.endpoint, &error),
        }
    }

    /// Fails in the shape that a client of the operation reads.
    fn fail_as(&mut self, endpoint: Endpoint, error: &Error) -> Outbound {
        self.state = State::Done;
        Outbound::Reply(Reply::error(error, Format::of_errors(endpoint)))
    }

    fn fail(&mut self, error: &Error) -> Outbound {
        self.state = State::Done;
        Outbound::Reply(error.into())
    }

    /// The response headers, edited in place. `now` is Unix time in milliseconds.
    pub fn on_response_headers(
        &mut self,
        world: &dyn World,
        headers: &mut Headers,
        end_of_stream: bool,
        now: u64,
    ) -> Inbound {
        if matches!(self.state, State::Relayed) {
            return Inbound::Pass;
        }
        let local = headers.text(header::LOCAL).map(str::to_owned);
        let State::Sent(plan) = std::mem::replace(&mut self.state, State::Done) else {
            outbound::drop_forged(headers);
            return Inbound::Pass;
        };
        outbound::drop_forged(headers);
        let Ok((target, upstream)) = place(&self.registry, &plan, self.at) else {
            return Inbound::Pass;
        };
        let relayed = upstream.relayed || target.hop || target.custom_host.is_some();
        // Without a flag it is the answer of a filter behind the hop, such as this one.
        let failure = local
            .filter(|flags| relayed && flags != "-")
            .map(|flags| outcome::local(&flags, target.timeout))
            .or_else(|| outcome::of_no_answer(headers, self.upgrades));
        self.answered = failure.is_none();
        let row = outbound::row(target, upstream);
        let adapted = self.echo.take().map(|echo| adapter::Context { echo, created: now / 1000 });
        let context = Context {
            endpoint: outbound::operation(&plan, row).0,
            provider: upstream.provider.slug,
            // What OpenAI's format does not have may be the client's format's.
            strict: target.strict && adapted.is_none(),
            roles: !plan.helper,
            created: now / 1000,
            model: self.model.take(),
            counted: row.dialect.counts(headers),
        };
        let outcome = outcome::of_headers(headers, now);
        if let Some(pause) = cooling(outcome, upstream).filter(|_| target.custom_host.is_none()) {
            self.news.cooling = Some((target.cluster.clone(), pause));
        }
        // Whether there may be anywhere to go if the rest of the answer turns out bad.
        let on = self.at.tries <= target.retry.attempts || !target.fallbacks.is_empty();
        let mut answer = Answer::new(row, &plan, target, context, adapted, outcome, on);
        if let Some(dialect) = self.speaks {
            answer = answer.speaking(dialect);
        }
        let progress = answer.on_headers(headers, failure, end_of_stream);
        self.state = State::Answering(plan, Box::new(answer));
        match self.conclude(world, progress, now) {
            Inbound::Release(asking, _) => {
                *headers = asking;
                Inbound::Pass
            }
            other => other,
        }
    }

    /// Whether the answer is held.
    pub fn holds(&self) -> bool {
        matches!(&self.state, State::Answering(_, answer) if answer.holds())
    }

    /// Whether nothing is read before the whole body is there.
    pub fn wants_whole(&self) -> bool {
        matches!(&self.state, State::Answering(_, answer) if answer.wants_whole())
    }

    /// Whether the bytes of the answer matter; if not, they need not be read.
    pub fn reads(&self) -> bool {
        matches!(&self.state, State::Answering(_, answer) if answer.reads())
    }

    /// A piece of the response body that was not seen before; all of it when the whole is wanted.
    pub fn on_response_body(
        &mut self,
        world: &dyn World,
        bytes: &[u8],
        end_of_stream: bool,
        now: u64,
    ) -> Inbound {
        let State::Answering(_, answer) = &mut self.state else { return Inbound::Pass };
        let progress = answer.on_body(bytes, end_of_stream);
        self.conclude(world, progress, now)
    }

    /// Milliseconds that a held stream has until its first content.
    pub fn first_token_timeout(&self) -> Option<u64> {
        let State::Answering(plan, answer) = &self.state else { return None };
        let target = plan.targets.get(self.at.target)?;
        target.first_token_timeout.filter(|_| answer.holds_stream())
    }

    /// The time for a held stream's first content is over. The answer goes out as given: if its
    /// headers do not ask for a retry, as a reply of ours.
    pub fn on_first_token_timeout(&mut self, world: &dyn World, now: u64) -> Inbound {
        let State::Answering(_, answer) = &mut self.state else { return Inbound::Pass };
        let progress = answer.on_first_token_timeout();
        self.conclude(world, progress, now)
    }

    /// The attempt is over. If it had no answer, it is decided here where the request goes on:
    /// Envoy asks only afterwards.
    pub fn on_done(&mut self, world: &dyn World, now: impl FnOnce() -> u64) {
        let state = std::mem::replace(&mut self.state, State::Done);
        let plan = match state {
            State::Sent(plan) => plan,
            State::Token(waiting) => match waiting.request.plan {
                Some(plan) => Rc::new(plan),
                None => return,
            },
            State::Answering(plan, answer) if answer.holds() => plan,
            _ => return,
        };
        if plan.max_retries() == 0 {
            return;
        }
        let now = now();
        let ms = now.saturating_sub(self.started);
        let limit = plan.targets.get(self.at.target).map_or(u64::MAX, |target| target.timeout);
        let outcome = Outcome::of(if ms + EARLY >= limit { 408 } else { 503 });
        let next = self.step(world, &plan, outcome, now);
        if next.is_none() && !plan.weighted {
            self.news.cluster = Some(cluster::STOP.to_owned());
        }
    }

    /// Notes what is known of the answer, and once it is judged, finds out whether it is the last.
    fn conclude(&mut self, world: &dyn World, progress: Progress, now: u64) -> Inbound {
        let State::Answering(plan, answer) = &self.state else { return Inbound::Pass };
        let plan = Rc::clone(plan);
        let first = self.report.first_content.is_none() && answer.has_content();
        if first || self.report.facts != *answer.facts() {
            self.report.facts = answer.facts().clone();
            if first {
                self.report.first_content = Some(now);
            }
            self.publish();
        }
        let (outcome, inbound) = match progress {
            Progress::Open(inbound) => return inbound,
            Progress::Judged(outcome, inbound) => (outcome, inbound),
        };
        let Some(next) = self.step(world, &plan, outcome, now) else { return inbound };
        // If Envoy should refuse to retry, this answer is the client's after all.
        let State::Answering(_, answer) = std::mem::replace(&mut self.state, State::Done) else {
            return inbound;
        };
        let (mut headers, body) = match inbound {
            Inbound::Release(headers, body) => (headers, body),
            _ => (answer.into_headers(), Vec::new()),
        };
        headers.set(header::RETRY, "1");
        if next.wait > 0 {
            headers.set(header::RETRY_AFTER, next.wait.to_string());
        }
        Inbound::Release(headers, body)
    }

    /// Ends this attempt in the report and finds the next.
    fn step(
        &mut self,
        world: &dyn World,
        plan: &Plan,
        mut outcome: Outcome,
        now: u64,
    ) -> Option<Next> {
        outcome.waited = self.report.waited;
        let ms = now.saturating_sub(self.started);
        let (at, status) = (self.at, outcome.status);
        let (started, answered) = (self.started, self.answered);
        self.report.begun = None;
        self.report.attempts.push(report::Attempt { at, status, ms, started, answered });
        let avoid = |target: &Target| world.is_cooling(&target.cluster);
        let next = decide::next(plan, at, outcome, &avoid);
        self.report.next = next.map(|next| next.at);
        if let Some(next) = next
            && let Some(target) = plan.targets.get(next.at.target)
        {
            self.news.cluster = Some(target.route().to_owned());
            self.report.waited += next.wait * 1000;
        }
        self.publish();
        next
    }

    fn publish(&mut self) {
        self.news.report = Some(self.report.encode());
    }

    /// The answer is broken off after all, for what ends it cannot be written any more.
    pub fn on_broken_off(&mut self) {
        self.report.facts.complete = false;
        self.report.facts.error_type = Some("upstream_reset".to_owned());
        self.publish();
    }

    /// Whether the request goes on at another attempt.
    pub fn goes_on(&self) -> bool {
        self.report.next.is_some()
    }

    /// What is to be written down since the last call.
    pub fn news(&mut self) -> News {
        std::mem::take(&mut self.news)
    }
}

/// Milliseconds by which Envoy's timers may end before their time by the clock: they count from the
/// begin of the turn of the event loop that sets them.
const EARLY: u64 = 20;

/// Milliseconds for which everybody leaves a credential alone that Envoy injects: after a 429 as
/// long as its `Retry-After` says. One that has siblings also rests after a 429 without, and after
/// answers that say that it is no good.
fn cooling(outcome: Outcome, upstream: &Upstream) -> Option<u64> {
    let pause = match (outcome.status, outcome.retry_after) {
        (429, Some(pause)) => pause.min(decide::MAX_PAUSE),
        (429, None) if upstream.has_siblings => SHORT_REST,
        (401 | 402, _) if upstream.has_siblings => decide::MAX_PAUSE,
        _ => return None,
    };
    upstream.injects_credential.then_some(pause)
}

/// Milliseconds that a credential rests after a 429 that does not say for how long.
const SHORT_REST: u64 = 5_000;

/// The target that Envoy picked, by its cluster.
fn picked(plan: &Plan, cluster: &str) -> Position {
    let target = plan.targets.iter().position(|target| target.cluster == cluster);
    Position { target: target.unwrap_or(plan.first), tries: 1 }
}

fn place<'a>(
    registry: &'a Registry,
    plan: &'a Plan,
    at: Position,
) -> Result<(&'a Target, &'a Upstream), Error> {
    let target = plan.targets.get(at.target);
    let upstream = target.and_then(|target| registry.upstream(&target.cluster));
    target
        .zip(upstream)
        .ok_or_else(|| Error::gateway("no_upstream", "The plan names an unknown cluster"))
}

#[cfg(test)]
mod tests;
