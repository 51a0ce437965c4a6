//! The cache in the gateway role: what is looked up before a provider is asked, and what is kept of
//! its answer.

use super::resolve::Resolved;
use super::response::note_target;
use super::{DETAILS, Gateway, Reply, State, Verdict, World};
use crate::attempt::effective;
use crate::cache::entry::About;
use crate::cache::form::Form;
use crate::cache::identity::Identity;
use crate::cache::job::Job;
use crate::cache::lookup::{self, Hit, Lookup, Next, Stores};
use crate::cache::recording::Recording;
use crate::call::Answer;
use crate::config::caching::{Caching, MAX_AGE, Mode};
use crate::config::request::{PREFIX, RequestOptions};
use crate::error::Error;
use crate::http::Headers;
use crate::json::Object;
use crate::plan::Plan;
use crate::report::Report;

/// What the cache has to do with a request.
#[derive(Debug, Default)]
pub(super) struct Cache {
    /// `x-portkey-cache-status`.
    pub status: Status,
    recording: Option<Box<Recording>>,
    /// What the provider role has reported of the kept answer that was given.
    report: Option<Report>,
    /// The key that others wait for.
    flight: Option<crate::cache::key::Key>,
    /// Whether the answer was kept.
    pub stored: bool,
}

/// Portkey's states.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Status {
    /// The cache was not asked.
    #[default]
    Disabled,
    /// An equal request's answer.
    Hit,
    /// There was none.
    Miss,
    /// The answer to a question that means the same.
    SemanticHit,
    /// There was neither.
    SemanticMiss,
    /// A new answer was asked for.
    Refresh,
}

impl Status {
    /// The value of the header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "DISABLED",
            Self::Hit => "HIT",
            Self::Miss => "MISS",
            Self::SemanticHit => "SEMANTIC HIT",
            Self::SemanticMiss => "SEMANTIC MISS",
            Self::Refresh => "REFRESH",
        }
    }
}

/// A request that is being looked up.
#[derive(Debug)]
pub(super) struct Pending {
    headers: Headers,
    resolved: Resolved,
    request: Request,
}

/// What is asked of the cache.
#[derive(Debug)]
pub(super) struct Request {
    lookup: Lookup,
    form: Form,
    /// Seconds to keep a new answer.
    max_age: u64,
    refresh: bool,
    /// Whether the last chunk of a stream is to tell the token counts.
    usage: bool,
}

impl Cache {
    /// Whether the bytes of the answer matter.
    pub fn reads(&self) -> bool {
        self.recording.as_ref().is_some_and(|recording| recording.reads())
    }

    pub fn on_bytes(&mut self, bytes: &[u8]) {
        if let Some(recording) = &mut self.recording {
            recording.on_bytes(bytes);
        }
    }

    /// What the provider role has reported of the kept answer. Nothing was used for it now.
    pub fn report(&self) -> Option<Report> {
        let mut report = self.report.clone()?;
        report.facts.usage = None;
        Some(report)
    }
}

impl Gateway {
    /// What is to be looked up; `None` when the cache has nothing to do with the request.
    pub(super) fn look_up(
        &mut self,
        world: &dyn World,
        headers: &Headers,
        resolved: &Resolved,
        body: Object<'_>,
    ) -> Option<Request> {
        let settings = self.registry.cache.as_ref()?;
        world.shared()?;
        let plan = &resolved.plan;
        let form = Form::of(plan.endpoint)?;
        let target = plan.targets.get(plan.first)?;
        let caching = target.cache?;
        let upstream = self.registry.upstream(&target.cluster)?;
        let options = RequestOptions::parse(headers).ok()?;
        let identity = Identity {
            form,
            headers,
            caller: self.record.caller.as_deref(),
            namespace: options.cache_namespace,
            metadata: self.record.metadata.as_ref(),
            plan,
            target,
            upstream,
        };
        let usage = body.get("stream_options").and_then(|raw| {
            Object::parse(raw.as_bytes()).ok().map(|options| options.is_true("include_usage"))
        });
        let body = effective(target, upstream, body)?;
        let guarded = settings.semantic.as_ref().is_some_and(|semantic| semantic.guard);
        let (key, question) = identity.keys(&body, guarded)?;
        let question = question.filter(|_| caching.mode == Mode::Semantic);
        let trace_id = self.record.trace_id.clone().unwrap_or_default();
        Some(Request {
            lookup: Lookup::new(
                key,
                question,
                options.cache_refresh,
                trace_id,
                self.record.caller.clone(),
            ),
            form,
            max_age: max_age(caching, headers).unwrap_or(settings.max_age),
            refresh: options.cache_refresh,
            usage: usage.unwrap_or_default(),
        })
    }

    pub(super) fn begin_lookup(
        &mut self,
        world: &dyn World,
        headers: Headers,
        resolved: Resolved,
        mut request: Request,
    ) -> Result<Verdict, Error> {
        let next = match self.stores(world) {
            Some(stores) => request.lookup.start(&stores),
            None => Next::Miss,
        };
        self.follow(world, Box::new(Pending { headers, resolved, request }), next)
    }

    /// Goes on after a call.
    pub(super) fn go_on(
        &mut self,
        world: &dyn World,
        answer: Option<Answer>,
    ) -> Result<Verdict, Error> {
        let State::LookUp(mut pending) = std::mem::replace(&mut self.state, State::Start) else {
            return Err(Error::gateway("internal_error", "The call was not asked for"));
        };
        let next = match self.stores(world) {
            Some(stores) => pending.request.lookup.on_answer(&stores, answer),
            None => Next::Miss,
        };
        self.follow(world, pending, next)
    }

    fn follow(
        &mut self,
        world: &dyn World,
        pending: Box<Pending>,
        next: Next,
    ) -> Result<Verdict, Error> {
        let hit = match next {
            Next::Call(call) => {
                self.state = State::LookUp(pending);
                return Ok(Verdict::Call(call));
            }
            Next::Hit(hit) => hit,
            Next::Miss => return self.miss(world, *pending),
        };
        match self.replay(world, &pending, *hit) {
            Some(reply) => {
                self.state = State::Replied;
                Ok(Verdict::Reply(reply))
            }
            None => self.miss(world, *pending),
        }
    }

    /// The provider is asked, and a copy of its answer kept.
    fn miss(&mut self, world: &dyn World, pending: Pending) -> Result<Verdict, Error> {
        let Pending { headers, resolved, request } = pending;
        let Request { lookup, form, max_age, refresh, .. } = request;
        self.note_status(match (refresh, lookup.is_semantic()) {
            (true, _) => Status::Refresh,
            (false, true) => Status::SemanticMiss,
            (false, false) => Status::Miss,
        });
        let limit = self.registry.cache.as_ref().map_or(0, |settings| settings.max_entry_bytes);
        let key = lookup.key();
        self.cache.flight = lookup.leads().then_some(key);
        let mut recording = Recording::new(key, form, max_age, limit, milliseconds(world));
        recording.point = lookup.into_point();
        self.cache.recording = Some(Box::new(recording));
        self.forward(world, headers, resolved)
    }

    fn note_status(&mut self, status: Status) {
        self.cache.status = status;
        self.record.cache_status = Some(status.as_str());
    }

    /// The kept answer in the form that the client asked for.
    fn replay(&mut self, world: &dyn World, pending: &Pending, hit: Hit) -> Option<Reply> {
        let Hit { entry, similarity } = hit;
        let plan = &pending.resolved.plan;
        let (media, body) = match plan.stream {
            true => {
                let answer = serde_json::from_slice(&entry.body).ok()?;
                let request = &pending.request;
                ("text/event-stream", request.form.replay(&answer, request.usage)?)
            }
            false => ("application/json", entry.body.clone()),
        };
        self.note_status(match similarity {
            Some(_) => Status::SemanticHit,
            None => Status::Hit,
        });
        let About { facts, dropped, .. } = entry.about.clone();
        let tokens = facts.usage.map_or(0, |usage| usage.total_tokens());
        self.record.saved_tokens = Some(tokens);
        self.record.saved_ms = Some(entry.about.took);
        self.record.cache_similarity = similarity;
        let report = Report { facts, dropped, ..Report::default() };
        note_target(&mut self.record, &self.registry, plan, &report);
        self.record.saved_cost_micro_usd = self.cost(&report.facts);
        let mut headers = Headers::default();
        headers.set("content-type", media);
        headers.set("age", entry.age(milliseconds(world)).to_string());
        if let Some(similarity) = similarity {
            headers.set(&format!("{PREFIX}cache-similarity"), format!("{similarity:.4}"));
        }
        self.describe(plan, &report, plan.start(), 200, &mut headers);
        self.cache.report = Some(report);
        let details = format!("{DETAILS}cache");
        Some(Reply { status: 200, headers, body, details })
    }

    /// The headers of the answer are there; `goes_out`: it is a provider's, and has a body.
    pub(super) fn record_answer(
        &mut self,
        plan: &Plan,
        report: &Report,
        headers: &Headers,
        goes_out: bool,
    ) {
        let Some(recording) = &mut self.cache.recording else { return };
        // The key is that of the first target.
        let last = report.attempts.last().map_or(plan.first, |attempt| attempt.at.target);
        match goes_out && last == plan.first {
            true => recording.on_headers(headers),
            false => self.cache.recording = None,
        }
    }

    pub(super) fn keep_answer(&mut self, world: &dyn World, report: Report) -> Vec<Job> {
        let recording = self.cache.recording.take();
        let kept = recording.and_then(|recording| recording.finish(report, milliseconds(world)));
        self.cache.stored = kept.is_some();
        let jobs = kept.zip(self.stores(world)).map(|(kept, stores)| lookup::keep(&stores, &kept));
        self.leave_flight();
        jobs.unwrap_or_default()
    }

    /// Nobody needs to wait for this request any more.
    pub(super) fn leave_flight(&mut self) {
        if let Some(key) = self.cache.flight.take() {
            self.registry.flights.end(&key);
        }
    }

    fn stores<'a>(&'a self, world: &'a dyn World) -> Option<Stores<'a>> {
        Some(Stores {
            settings: self.registry.cache.as_ref()?,
            shared: world.shared()?,
            flights: &self.registry.flights,
            now: milliseconds(world),
            random: world.random(),
        })
    }
}

/// Unix time in milliseconds.
fn milliseconds(world: &dyn World) -> u64 {
    world.now() / 1_000_000
}

/// Seconds to keep an answer: what the config says, else `max-age` of the client's `cache-control`.
fn max_age(caching: Caching, headers: &Headers) -> Option<u64> {
    caching.max_age.or_else(|| {
        let directives = headers.text("cache-control")?.split(',');
        let ages = directives.filter_map(|one| one.trim().strip_prefix("max-age="));
        let mut ages = ages.filter_map(|age| age.parse().ok());
        ages.find(|age| (1..=MAX_AGE).contains(age))
    })
}
