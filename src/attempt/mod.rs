//! The provider role: one attempt at one provider. No I/O.
//!
//! Everything is derived from the plan and the original body, so that a second attempt starts
//! clean: Envoy hands every attempt the same header map, with what the one before left in it.

mod inbound;
mod outbound;

use crate::config::registry::{Registry, Upstream};
use crate::dialect::{Context, Facts};
use crate::error::Error;
use crate::gateway::{RETRY_HEADER, Reply};
use crate::http::Headers;
use crate::plan::Plan;
use inbound::Answer;
use std::rc::Rc;

/// What becomes of the request of an attempt.
#[derive(Debug)]
pub enum Outbound {
    /// The whole body is needed first.
    NeedBody,
    /// These headers go out, and the body as it is or as given.
    Send(Headers, Option<Vec<u8>>),
    /// The request cannot be put in the provider's format.
    Reply(Reply),
}

/// What becomes of response headers, or of a piece of the response body.
#[derive(Debug, PartialEq, Eq)]
pub enum Inbound {
    /// As it came.
    Pass,
    /// Nothing goes out before the whole body is here.
    Hold,
    /// This goes out instead of the piece.
    Replace(Vec<u8>),
    /// The held answer goes out like this.
    Release(Headers, Vec<u8>),
}

/// One attempt.
#[derive(Debug)]
pub struct Attempt {
    registry: Rc<Registry>,
    state: State,
    /// What was last handed out by [`Self::news`].
    published: Option<Facts>,
}

#[derive(Debug)]
enum State {
    Start,
    /// Waits for the request body.
    Body(Box<(Plan, Headers)>),
    /// Waits for the answer.
    Sent(Box<Plan>),
    /// The answer is coming in.
    Answering(Box<Answer>),
    /// Nothing is left to do.
    Done,
}

impl Attempt {
    /// An attempt whose headers are to come.
    pub fn new(registry: Rc<Registry>) -> Self {
        Self { registry, state: State::Start, published: None }
    }

    /// The request headers. `plan` is what the gateway role wrote.
    pub fn on_request_headers(
        &mut self,
        plan: Option<&[u8]>,
        headers: Headers,
        end_of_stream: bool,
    ) -> Outbound {
        match self.prepare(plan, headers, end_of_stream) {
            Ok(outbound) => outbound,
            Err(error) => self.fail(&error),
        }
    }

    fn prepare(
        &mut self,
        plan: Option<&[u8]>,
        mut headers: Headers,
        end_of_stream: bool,
    ) -> Result<Outbound, Error> {
        let plan = plan.and_then(Plan::decode).ok_or_else(|| {
            Error::gateway("no_plan", "The gateway filter is missing in front of this cluster")
        })?;
        let upstream = upstream(&self.registry, &plan)?;
        outbound::rewrite_headers(&plan, upstream, &mut headers)?;
        if outbound::changes_body(&plan, upstream) && !end_of_stream {
            self.state = State::Body(Box::new((plan, headers)));
            return Ok(Outbound::NeedBody);
        }
        if let Some(length) = plan.body_length {
            headers.set("content-length", length.to_string());
        }
        self.state = State::Sent(Box::new(plan));
        Ok(Outbound::Send(headers, None))
    }

    /// The whole request body, after [`Outbound::NeedBody`].
    pub fn on_request_body(&mut self, body: &[u8]) -> Outbound {
        let State::Body(waiting) = std::mem::replace(&mut self.state, State::Done) else {
            return self.fail(&Error::gateway("internal_error", "The body was not asked for"));
        };
        let (plan, mut headers) = *waiting;
        let made = upstream(&self.registry, &plan)
            .and_then(|upstream| outbound::make_body(&plan, upstream, body));
        match made {
            Ok(body) => {
                headers.remove("transfer-encoding");
                headers.set("content-length", body.len().to_string());
                self.state = State::Sent(Box::new(plan));
                Outbound::Send(headers, Some(body))
            }
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&mut self, error: &Error) -> Outbound {
        self.state = State::Done;
        Outbound::Reply(error.into())
    }

    /// The response headers, edited in place. `attempt` counts from 1; `now` is Unix time in
    /// seconds.
    pub fn on_response_headers(
        &mut self,
        headers: &mut Headers,
        end_of_stream: bool,
        attempt: u64,
        now: u64,
    ) -> Inbound {
        // Only we may speak in these names.
        headers.retain(|name| !name.starts_with("x-portkey-") && !name.starts_with("x-envoy-"));
        let State::Sent(plan) = std::mem::replace(&mut self.state, State::Done) else {
            return Inbound::Pass;
        };
        let Ok(upstream) = upstream(&self.registry, &plan) else {
            return Inbound::Pass;
        };
        let status = headers.text(":status").and_then(|text| text.parse().ok()).unwrap_or(502);
        if plan.retry.on_status_codes.contains(&status) && attempt <= u64::from(plan.retry.attempts)
        {
            headers.set(RETRY_HEADER, "1");
        }
        let context =
            Context { provider: upstream.provider.slug, strict: plan.strict, created: now };
        let dialect = upstream.provider.dialect;
        let mut answer = Answer::new(dialect, &plan, status, headers, context);
        let verdict = answer.on_headers(headers, end_of_stream);
        self.state = State::Answering(Box::new(answer));
        verdict
    }

    /// Whether the answer is held: then [`Self::on_response_body`] wants the whole body at once.
    pub fn holds(&self) -> bool {
        matches!(&self.state, State::Answering(answer) if answer.holds())
    }

    /// Whether the bytes of the answer matter; if not, they need not be read.
    pub fn reads(&self) -> bool {
        matches!(&self.state, State::Answering(answer) if answer.reads())
    }

    /// A piece of the response body; of a held answer, all of it.
    pub fn on_response_body(&mut self, bytes: &[u8], end_of_stream: bool) -> Inbound {
        match &mut self.state {
            State::Answering(answer) => answer.on_body(bytes, end_of_stream),
            _ => Inbound::Pass,
        }
    }

    /// What is known of the answer, as JSON for [`crate::gateway::property::FACTS`], if it is more
    /// than at the last call.
    pub fn news(&mut self) -> Option<Vec<u8>> {
        let State::Answering(answer) = &self.state else {
            return None;
        };
        let facts = answer.facts();
        if self.published.as_ref() == Some(facts) {
            return None;
        }
        self.published = Some(facts.clone());
        serde_json::to_vec(facts).ok()
    }
}

fn upstream<'a>(registry: &'a Registry, plan: &Plan) -> Result<&'a Upstream, Error> {
    registry
        .upstream(&plan.cluster)
        .ok_or_else(|| Error::gateway("no_upstream", "The plan names an unknown cluster"))
}
