//! The answer of an attempt: translated or only observed, held back as long as another target
//! could answer better.

use super::events::{Events, Output, Source};
use super::{Inbound, outbound, outcome};
use crate::adapter::{self, Format};
use crate::decide::Outcome;
use crate::dialect::{self, Context, Dialect, Facts};
use crate::endpoint::{Endpoint, below};
use crate::error::Error;
use crate::http::{Headers, media_type};
use crate::plan::{Hold, Plan, Target};
use crate::provider::{Provider, Touches};
use crate::stream::lines::Lines;
use crate::stream::{Decoder, Framing};
use std::borrow::Cow;

/// Most bytes of a body that are kept to observe it, when it is not held anyway.
const MAX_OBSERVED: usize = 4 << 20;

/// What a piece of the answer led to.
#[derive(Debug)]
pub enum Progress {
    /// Nothing is decided by it.
    Open(Inbound),
    /// The attempt is judged; the answer goes out like this if it is the last.
    Judged(Outcome, Inbound),
}

/// An answer as it comes in.
#[derive(Debug)]
pub struct Answer {
    dialect: Dialect,
    /// The format of errors: the provider's, whatever the model speaks.
    platform: Dialect,
    context: Context,
    facts: Facts,
    mode: Mode,
    /// A chat completion.
    chat: bool,
    translates: bool,
    /// Whether the client asked for a stream of what is translated.
    streams: bool,
    /// Whether a failure is put into OpenAI's shape.
    openais_errors: bool,
    /// What is edited in an answer that is not translated.
    touches: Touches,
    /// The client's format, where it is neither OpenAI's chat completions nor the provider's own.
    adapter: Option<(Format, adapter::Context)>,
    /// The format of errors that the client reads, if it is not OpenAI's.
    errors: Option<Format>,
    /// The headers, as long as they are held.
    headers: Headers,
    outcome: Outcome,
    /// What a stream is held until.
    hold: Hold,
    /// Whether there is anywhere to go after this target.
    on: bool,
    /// Whether a stream that is over had content.
    content: bool,
}

#[derive(Debug)]
enum Mode {
    /// The bytes are nobody's business.
    Pass,
    /// JSON that is held until its first bytes show that it may be an object.
    First(Vec<u8>),
    /// JSON that passes as it is; a copy is read at its end.
    Observe(Vec<u8>),
    /// Events that are translated or read on their way.
    Stream(Box<Events>),
    /// The same, held; with what goes out once they are not.
    HeldStream(Box<Events>, Vec<u8>),
    /// A body that is translated or judged as a whole; what was read of it already.
    Whole(Vec<u8>),
    /// Envoy's own answer, which becomes this error.
    Failed(Box<Error>),
}

impl Answer {
    /// The answer of a target. `on` tells whether there is anywhere to go after it.
    pub fn new(
        row: &'static Provider,
        plan: &Plan,
        target: &Target,
        context: Context,
        adapted: Option<adapter::Context>,
        outcome: Outcome,
        on: bool,
    ) -> Self {
        let hold = match target.hold {
            Hold::FirstContent if !on && target.first_token_timeout.is_none() => Hold::None,
            hold => hold,
        };
        let dialect = row.dialect;
        let endpoint = outbound::operation(plan, row).0;
        let chat = endpoint == Endpoint::ChatCompletions;
        let format = Format::needed(plan.endpoint, row);
        // An adapter reads OpenAI's words alone.
        let strict = target.strict || format.is_some();
        let touches = Touches::new(row, endpoint, below(&plan.path), strict);
        let roles = context.roles && format.is_none();
        Self {
            adapter: format.zip(adapted),
            errors: Format::of_errors(plan.endpoint),
            on,
            dialect,
            context,
            facts: Facts::default(),
            mode: Mode::Pass,
            chat,
            translates: dialect.translates(endpoint),
            streams: plan.stream && chat,
            openais_errors: endpoint.answers_as_openai() && !(row.own_errors && format.is_none()),
            platform: dialect,
            touches: if roles { touches } else { touches.without_roles() },
            headers: Headers::default(),
            outcome,
            hold,
            content: false,
        }
    }

    /// The answer of a model that speaks another format than the provider.
    pub fn speaking(mut self, dialect: Dialect) -> Self {
        self.translates = dialect.translates(self.context.endpoint);
        self.dialect = dialect;
        if dialect != Dialect::OpenAi {
            self.touches = self.touches.none();
        }
        self
    }

    /// Whether the proper end of a stream is known here.
    fn ends(&self) -> bool {
        self.chat || self.translates
    }

    fn mode(&self, headers: &Headers) -> Mode {
        let media = headers.get("content-type").map(media_type).unwrap_or_default();
        let success = self.outcome.is_success();
        // Compressed events cannot be read: they are judged as a whole, and refused.
        let framing = self.dialect.framing();
        // Google's proxy routes stream arrays, too, but those pass.
        let array = framing == Framing::Array && self.streams && media == "application/json";
        if (array || media == framing.media_type())
            && success
            && !(self.ends() && is_encoded(headers))
        {
            let stream = self.dialect.stream(self.context.clone());
            let events = Events::new(Decoder::new(framing), stream, self.output(headers));
            return match self.chat && self.hold != Hold::None {
                true => Mode::HeldStream(events, Vec::new()),
                false => Mode::Stream(events),
            };
        }
        let json = media == "application/json";
        // What calls itself something else than JSON may yet be a chat completion, or a page.
        let failure = self.openais_errors && !success;
        if self.translates || self.adapter.is_some() || failure || (self.chat && (self.on || !json))
        {
            return Mode::Whole(Vec::new());
        }
        let edited = self.chat || self.touches.edits_answers();
        match (json, edited && !is_encoded(headers)) {
            (true, true) if !self.touches.edits_text() => Mode::First(Vec::new()),
            (true, true) => Mode::Whole(Vec::new()),
            (true, false) => Mode::Observe(Vec::new()),
            (false, _) => Mode::Pass,
        }
    }

    /// What becomes of events on their way.
    fn output(&self, headers: &Headers) -> Output {
        match &self.adapter {
            Some((format, context)) => {
                let adapter = format.stream(context.clone());
                let source = match self.translates {
                    true => Source::Translated(Vec::new()),
                    false => Source::Edited(self.touches),
                };
                Output::Adapted(adapter, source)
            }
            None if self.translates => Output::Translated,
            None if self.touches.edits_chunks() && !is_encoded(headers) => {
                Output::Edited(Lines::default(), self.touches)
            }
            None => Output::Passed,
        }
    }

    /// What is known so far.
    pub fn facts(&self) -> &Facts {
        match &self.mode {
            Mode::Stream(events) | Mode::HeldStream(events, _) => events.stream.facts(),
            _ => &self.facts,
        }
    }

    /// Whether the first content of a stream has come.
    pub fn has_content(&self) -> bool {
        match &self.mode {
            Mode::Stream(events) | Mode::HeldStream(events, _) => events.stream.has_content(),
            _ => self.content,
        }
    }

    /// The headers that were held.
    pub fn into_headers(self) -> Headers {
        self.headers
    }

    /// Whether nothing may go out yet.
    pub fn holds(&self) -> bool {
        matches!(
            self.mode,
            Mode::First(_) | Mode::Whole(_) | Mode::HeldStream(..) | Mode::Failed(_)
        )
    }

    /// Whether a stream is held.
    pub fn holds_stream(&self) -> bool {
        matches!(self.mode, Mode::HeldStream(..))
    }

    /// Whether nothing is read before the whole body is there.
    pub fn wants_whole(&self) -> bool {
        matches!(self.mode, Mode::Whole(_) | Mode::Failed(_))
    }

    /// Whether the bytes matter.
    pub fn reads(&self) -> bool {
        !matches!(self.mode, Mode::Pass)
    }

    /// The response headers, edited in place. `failure` is set when a relay of ours made them.
    pub fn on_headers(
        &mut self,
        headers: &mut Headers,
        failure: Option<Error>,
        end_of_stream: bool,
    ) -> Progress {
        self.mode = match failure {
            Some(error) => {
                self.outcome = Outcome::of(error.status);
                Mode::Failed(Box::new(error))
            }
            None => self.mode(headers),
        };
        let longer = match &self.mode {
            Mode::Stream(events) => self.ends() || matches!(events.output, Output::Edited(..)),
            Mode::HeldStream(..) => true,
            _ => false,
        };
        if longer {
            headers.remove("content-length");
            if self.dialect.framing() != Framing::Sse {
                headers.set("content-type", Framing::Sse.media_type());
            }
        }
        if matches!(self.mode, Mode::First(_)) && !end_of_stream {
            self.make_room(headers);
        }
        self.headers = headers.clone();
        // What follows is the session, which is nobody's business.
        self.facts.complete = self.outcome.status == 101;
        if end_of_stream {
            // There is no body to translate: the gateway role answers for it.
            self.mode = Mode::Pass;
            self.facts.complete = true;
            return Progress::Judged(self.outcome, Inbound::Pass);
        }
        match self.holds() {
            true => Progress::Open(Inbound::Hold),
            false => Progress::Judged(self.outcome, Inbound::Pass),
        }
    }

    /// A piece of the body that was not seen before; all of it when the whole is wanted.
    pub fn on_body(&mut self, bytes: &[u8], end_of_stream: bool) -> Progress {
        let (chat, translates) = (self.chat, self.translates);
        let progress = match &mut self.mode {
            Mode::Pass => return Progress::Open(Inbound::Pass),
            Mode::First(_) => return self.on_first(bytes, end_of_stream),
            Mode::Observe(seen) => {
                if seen.len() + bytes.len() > MAX_OBSERVED {
                    self.mode = Mode::Pass;
                    return Progress::Open(Inbound::Pass);
                }
                seen.extend_from_slice(bytes);
                if end_of_stream {
                    self.dialect.observe(seen, &mut self.facts);
                }
                Progress::Open(Inbound::Pass)
            }
            Mode::Stream(events) => Progress::Open(match events.output {
                Output::Translated if translates => events.translate(bytes, end_of_stream),
                Output::Adapted(..) => events.translate(bytes, end_of_stream),
                _ => events.observe(bytes, end_of_stream, chat),
            }),
            Mode::HeldStream(..) => return self.on_held(bytes, end_of_stream),
            Mode::Whole(_) | Mode::Failed(_) if !end_of_stream => {
                return Progress::Open(Inbound::Hold);
            }
            Mode::Whole(seen) => {
                let seen = std::mem::take(seen);
                self.judge_whole(&joined(seen, bytes))
            }
            Mode::Failed(error) => {
                let error = std::mem::replace(&mut **error, Error::gateway("", ""));
                self.give_up(&error)
            }
        };
        if end_of_stream {
            self.finish();
        }
        progress
    }

    /// Makes the length what it will be.
    fn make_room(&self, headers: &mut Headers) {
        let length = headers.text("content-length").and_then(|text| text.parse::<usize>().ok());
        if let Some(length) = length {
            headers.set("content-length", (length + self.touches.front().len()).to_string());
        }
    }

    /// A body whose first bytes are an object's goes on; any other is judged as a whole.
    fn on_first(&mut self, bytes: &[u8], end_of_stream: bool) -> Progress {
        let Mode::First(seen) = &mut self.mode else { return Progress::Open(Inbound::Pass) };
        seen.extend_from_slice(bytes);
        let seen = std::mem::take(seen);
        let mut text = seen.trim_ascii_start();
        let brace = seen.len() - text.len();
        let is_object = text.starts_with(b"{");
        text = text.get(1..).unwrap_or_default().trim_ascii_start();
        let is_member = text.starts_with(b"\"");
        if !end_of_stream && text.is_empty() && (is_object || brace == seen.len()) {
            self.mode = Mode::First(seen);
            return Progress::Open(Inbound::Hold);
        }
        if !(is_object && is_member) {
            self.mode = Mode::Whole(seen);
            return self.on_body(&[], end_of_stream);
        }
        let (head, tail) = seen.split_at(brace + 1);
        let front = self.touches.front();
        let edited = (!front.is_empty()).then(|| [head, &front, tail].concat());
        self.mode = Mode::Observe(Vec::new());
        self.on_body(&seen, end_of_stream);
        let inbound = edited.map_or(Inbound::Pass, Inbound::Replace);
        Progress::Judged(self.outcome, inbound)
    }

    /// The time for the first content of a held stream is over.
    pub fn on_first_token_timeout(&mut self) -> Progress {
        if !self.holds_stream() {
            return Progress::Open(Inbound::Pass);
        }
        let message = "The provider's stream began, but its first content did not come in time";
        let error = Error::provider(504, "first_token_timeout", message);
        self.finish();
        self.give_up(&error)
    }

    fn on_held(&mut self, bytes: &[u8], end_of_stream: bool) -> Progress {
        let Mode::HeldStream(events, out) = &mut self.mode else {
            return Progress::Open(Inbound::Pass);
        };
        events.feed(bytes, end_of_stream, out);
        let content = events.stream.has_content();
        if let Some(kind) = &events.stream.facts().error_type {
            let status = dialect::status_of(kind);
            let event = events.error.take().unwrap_or_default();
            self.finish();
            return self.fail_with(status, &event);
        }
        let enough = match end_of_stream {
            true => content && events.is_complete(out),
            false => content && self.hold != Hold::Complete,
        };
        if !enough && end_of_stream {
            let message = "The provider ended its stream before it was complete";
            self.finish();
            return self.give_up(&Error::provider(502, "stream_truncated", message));
        }
        if !enough {
            return Progress::Open(Inbound::Hold);
        }
        let (out, passes) = (std::mem::take(out), matches!(events.output, Output::Passed));
        self.release(end_of_stream);
        let inbound = if passes { Inbound::Pass } else { Inbound::Replace(out) };
        Progress::Judged(self.outcome, inbound)
    }

    /// A held stream goes on as one that is not held.
    fn release(&mut self, end_of_stream: bool) {
        let mode = std::mem::replace(&mut self.mode, Mode::Pass);
        if let Mode::HeldStream(events, _) = mode {
            self.mode = Mode::Stream(events);
        }
        if end_of_stream {
            self.finish();
        }
    }

    /// Nothing more comes: what was learned is kept, the rest is let go.
    fn finish(&mut self) {
        match std::mem::replace(&mut self.mode, Mode::Pass) {
            Mode::Stream(events) | Mode::HeldStream(events, _) => {
                self.content = events.stream.has_content();
                self.facts = events.stream.into_facts();
                self.facts.complete |= !self.ends();
            }
            _ => {}
        }
    }

    /// Judges a body that is all there.
    fn judge_whole(&mut self, body: &[u8]) -> Progress {
        let (context, facts) = (&self.context, &mut self.facts);
        let status = self.outcome.status;
        if !(200..300).contains(&status) {
            return self.fail_with(status, body);
        }
        if is_encoded(&self.headers) {
            let message = format!("{} answered with a compressed body", context.provider);
            return self.give_up(&Error::provider(502, "invalid_response", message));
        }
        match self.dialect.response(body, context, facts) {
            Err(error) => self.give_up(&error),
            Ok(answer) => {
                let answer = match self.translates {
                    true => answer,
                    false => self.touches.answer(&answer),
                };
                let adapted = match &self.adapter {
                    Some((format, context)) => format.response(&answer, context, &self.facts),
                    None => Some(answer),
                };
                let Some(answer) = adapted else { return self.no_completion(body) };
                if let Some(kind) = &self.facts.error_type {
                    self.outcome.status = dialect::status_of(kind);
                }
                self.json(status, answer)
            }
        }
    }

    /// A body that was to be a chat completion is something else: an error, if it says so.
    fn no_completion(&mut self, body: &[u8]) -> Progress {
        match &self.facts.error_type {
            Some(kind) => self.fail_with(dialect::status_of(kind), body),
            None => {
                let message = format!("{} answered with no completion", self.context.provider);
                self.give_up(&Error::provider(502, "invalid_response", message))
            }
        }
    }

    /// The provider failed, with this body or event of its own format.
    fn fail_with(&mut self, status: u16, body: &[u8]) -> Progress {
        let body = self.platform.error(status, body, &self.context, &mut self.facts);
        self.outcome.status = status;
        self.outcome.refusal = outcome::refusal(&body);
        let body = self.shaped(status, body);
        self.json(status, body)
    }

    /// The attempt failed with this error.
    fn give_up(&mut self, error: &Error) -> Progress {
        self.mode = Mode::Pass;
        self.facts.error_type = Some(error.code.to_owned());
        self.facts.complete = false;
        self.outcome =
            Outcome { retry_after: self.outcome.retry_after, ..Outcome::of(error.status) };
        let body = self.shaped(error.status, error.body());
        self.json(error.status, body)
    }

    /// An error body in the shape that the client reads.
    fn shaped(&self, status: u16, body: Vec<u8>) -> Vec<u8> {
        match self.errors {
            Some(format) => format.error(status, body),
            None => body,
        }
    }

    /// The held headers with another body.
    fn json(&mut self, status: u16, body: Vec<u8>) -> Progress {
        let mut headers = std::mem::take(&mut self.headers);
        headers.remove("content-encoding");
        headers.remove("transfer-encoding");
        headers.set(":status", status.to_string());
        headers.set("content-type", "application/json");
        headers.set("content-length", body.len().to_string());
        Progress::Judged(self.outcome, Inbound::Release(headers, body))
    }
}

/// All of a body: what was kept of it, and the rest.
fn joined(seen: Vec<u8>, rest: &[u8]) -> Cow<'_, [u8]> {
    match seen.is_empty() {
        true => rest.into(),
        false => [&seen, rest].concat().into(),
    }
}

fn is_encoded(headers: &Headers) -> bool {
    let encoding = headers.get("content-encoding").unwrap_or_default();
    !encoding.is_empty() && !encoding.eq_ignore_ascii_case(b"identity")
}
