//! An answer on its way to the client, of which a copy is to be kept.

use super::entry::{About, Entry};
use super::form::{Assembler, Form};
use super::key::Key;
use super::semantic::Point;
use crate::http::{Headers, media_type};
use crate::report::Report;
use crate::stream::Event;
use crate::stream::sse::Decoder;
use serde_json::Value;

/// What is to be recorded.
#[derive(Debug)]
pub struct Recording {
    /// What it is to be kept under.
    pub key: Key,
    /// The question, where its answer may serve others.
    pub point: Option<Point>,
    form: Form,
    /// Seconds to keep it.
    max_age: u64,
    /// Most bytes of an entry.
    limit: usize,
    /// When the provider was asked: Unix time in milliseconds.
    started: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The headers are to come.
    Waiting,
    /// JSON.
    Whole(Vec<u8>),
    /// Events, and how many bytes they had.
    Stream(Box<(Decoder, Assembler)>, usize),
    /// Nothing to keep.
    Dropped,
}

/// Bytes of a stream for one of its answer, at most: each event repeats what it belongs to.
const OVERHEAD: usize = 64;

/// An answer to be kept.
#[derive(Debug)]
pub struct Kept {
    /// What it is kept under.
    pub key: Key,
    /// The answer.
    pub entry: Entry,
    /// The question, where the answer may serve others.
    pub point: Option<Point>,
}

impl Recording {
    /// Of the answer to a request that is sent now.
    pub fn new(key: Key, form: Form, max_age: u64, limit: u64, now: u64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self { key, point: None, form, max_age, limit, started: now, state: State::Waiting }
    }

    /// The headers of the answer, as the client gets them.
    pub fn on_headers(&mut self, headers: &Headers) {
        let media = headers.get("content-type").map(media_type).unwrap_or_default();
        let length = headers.text("content-length").and_then(|text| text.parse::<usize>().ok());
        let plain = headers.get("content-encoding").is_none();
        let good = headers.text(":status") == Some("200") && plain;
        self.state = match media.as_str() {
            "text/event-stream" if good => {
                State::Stream(Box::new((Decoder::default(), Assembler::new(self.form))), 0)
            }
            "application/json" if good && length.is_none_or(|length| length <= self.limit) => {
                State::Whole(Vec::new())
            }
            _ => State::Dropped,
        };
    }

    /// Whether the bytes of the answer matter.
    pub fn reads(&self) -> bool {
        matches!(self.state, State::Whole(_) | State::Stream(..))
    }

    /// The next bytes of the answer.
    pub fn on_bytes(&mut self, bytes: &[u8]) {
        let fits = match &mut self.state {
            State::Whole(body) => {
                body.extend_from_slice(bytes);
                body.len() <= self.limit
            }
            State::Stream(parts, seen) => {
                let (decoder, assembler) = &mut **parts;
                *seen += bytes.len();
                let mut on_event = |event: Event<'_>| assembler.on_event(event);
                let read = decoder.push(bytes, &mut on_event).is_ok();
                read && *seen <= self.limit.saturating_mul(OVERHEAD)
            }
            State::Waiting | State::Dropped => false,
        };
        if !fits {
            self.state = State::Dropped;
        }
    }

    /// The answer is over; gives it if it is whole and no error. `report` is what the provider
    /// role knows of it.
    pub fn finish(self, report: Report, now: u64) -> Option<Kept> {
        if report.facts.error_type.is_some() {
            return None;
        }
        let (answer, body) = match self.state {
            State::Whole(body) => {
                let answer: Value = serde_json::from_slice(&body).ok()?;
                self.form.is_whole(&answer).then_some((answer, body))?
            }
            State::Stream(parts, _) => {
                let (mut decoder, mut assembler) = *parts;
                decoder.finish(&mut |event: Event<'_>| assembler.on_event(event));
                let answer = assembler.finish()?;
                let body = serde_json::to_vec(&answer).ok()?;
                (answer, body)
            }
            State::Waiting | State::Dropped => return None,
        };
        let expires = now.saturating_add(self.max_age.saturating_mul(1000));
        let about = About::new(&self.key, now, expires, now.saturating_sub(self.started), report);
        let entry = Entry { about, body };
        // A question that needs a tool may need it again.
        let point = self.point.filter(|_| !self.form.calls_tools(&answer));
        (entry.body.len() <= self.limit).then_some(Kept { key: self.key, entry, point })
    }
}
