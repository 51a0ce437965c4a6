//! A `streamGenerateContent` answer as chat completion chunks.
//!
//! Gemini has no last event: the stream is complete when every candidate has its finish reason.
//! The chunk that has one waits for what follows, since a candidate may go on. Usage is on the last
//! chunk and on no other, as for the other formats.

use super::super::completion::write_head;
use super::super::raw::{array, inside, text, write_key, write_line, write_number};
use super::super::{Context, Facts, bounded, failure};
use super::answer::{Answer, Block, Candidate, Content, Feedback};
use super::message::{self, Calls, write_quoted};
use super::response::write_reason;
use super::usage::Counts;
use super::{BLOCKED, error, finish_reason, logprobs};
use crate::stream::{Event, sse};
use serde_json::value::RawValue;

/// The members of a delta that says nothing.
const NOTHING: &[u8] = b"\"role\":\"assistant\",\"content\":\"\"";

/// Most candidates that are followed; Gemini has at most eight.
const MAX_CANDIDATES: usize = 64;

/// Where a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing yet.
    Waiting,
    /// Chunks are sent.
    Open,
    /// `[DONE]` or an error event is sent: nothing may follow.
    Closed,
}

/// What a content block is, as far as it matters for its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Thinking,
    Text,
    Other,
}

/// A choice so far.
#[derive(Debug)]
struct Choice {
    index: u64,
    /// Number of tool calls.
    calls: u64,
    /// Gemini's finish reason.
    reason: Option<String>,
    /// The reason is that the prompt was refused.
    blocked: bool,
    /// Number and kind of the last content block.
    block: Option<(u64, Kind)>,
    /// The chunk that came with the finish reason, up to where that goes: it is the last one unless
    /// the candidate goes on.
    last: Vec<u8>,
}

/// State of one streamed answer.
#[derive(Debug)]
pub struct Stream {
    pub(in crate::dialect) facts: Facts,
    context: Context,
    state: State,
    counts: Counts,
    /// What each chunk begins with, up to the index of its choice.
    head: Vec<u8>,
    choices: Vec<Choice>,
    /// Anything of an answer has come.
    pub(in crate::dialect) content: bool,
}

impl Stream {
    /// A translator at the start of a stream.
    pub fn new(context: Context) -> Self {
        Self {
            facts: Facts::default(),
            context,
            state: State::Waiting,
            counts: Counts::default(),
            head: Vec::new(),
            choices: Vec::new(),
            content: false,
        }
    }

    pub(in crate::dialect) fn on_event(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        if self.state == State::Closed {
            return;
        }
        // What is not JSON does not end the stream: the chunks around it are still good.
        let Some(answer) = Answer::parse(event.data) else { return };
        if let Some(error) = answer.error {
            return self.on_error(error, out);
        }
        self.open(&answer);
        if let Some(raw) = answer.usage_metadata {
            self.counts.update(raw);
            self.facts.usage = self.counts.usage();
        }
        let candidates = answer.candidates.and_then(|raw| array(raw.get())).unwrap_or_default();
        for candidate in candidates.into_iter().filter_map(Candidate::parse) {
            self.on_candidate(&candidate, &answer, out);
        }
        if let Some(feedback) = answer.blocked().filter(|_| self.choices.is_empty()) {
            self.on_blocked(&feedback, out);
        }
    }

    /// The stream has ended; it is complete when every choice is.
    pub(in crate::dialect) fn on_end(&mut self, out: &mut Vec<u8>) {
        if self.state == State::Closed {
            return;
        }
        self.state = State::Closed;
        let complete = self.choices.iter().all(|choice| choice.reason.is_some());
        if !complete || self.choices.is_empty() {
            return failure::write_truncated(out, self.context.provider, &mut self.facts);
        }
        let last = self.choices.len() - 1;
        for (at, choice) in self.choices.iter().enumerate() {
            if choice.last.is_empty() {
                write_start(out, &self.head, choice.index);
                if self.context.roles {
                    out.extend_from_slice(NOTHING);
                }
                out.extend_from_slice(b"},");
            }
            out.extend_from_slice(&choice.last);
            let reason = choice.reason.as_deref().unwrap_or_default();
            write_reason(out, choice.finish(reason), reason, self.context.strict);
            out.extend_from_slice(b"}]");
            if at == last {
                self.counts.write_in_chunk(out);
            }
            out.extend_from_slice(b"}\n\n");
        }
        self.facts.complete = true;
        sse::write_done(out);
    }

    fn on_error(&mut self, error: &RawValue, out: &mut Vec<u8>) {
        self.state = State::Closed;
        let translated = error::translate(error);
        let read = translated.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let error = read.unwrap_or(error);
        failure::write_event(out, Some(error), self.context.provider, &mut self.facts);
    }

    fn open(&mut self, answer: &Answer<'_>) {
        if self.state != State::Waiting {
            return;
        }
        self.state = State::Open;
        self.facts.id = answer.response_id.and_then(text).map(bounded);
        self.facts.model = answer.model_version.and_then(text).map(bounded);
        self.head.extend_from_slice(b"data: ");
        let (id, model) = (answer.response_id, answer.model_version);
        write_head(&mut self.head, id, model, &self.context, "chat.completion.chunk");
        self.head.extend_from_slice(b"{\"index\":");
    }

    /// The place of a choice, and whether it is new; `None` when there are too many.
    fn choice(&mut self, index: u64) -> Option<(usize, bool)> {
        if let Some(at) = self.choices.iter().position(|choice| choice.index == index) {
            return Some((at, false));
        }
        if self.choices.len() == MAX_CANDIDATES {
            return None;
        }
        self.choices.push(Choice {
            index,
            calls: 0,
            reason: None,
            blocked: false,
            block: None,
            last: Vec::new(),
        });
        Some((self.choices.len() - 1, true))
    }

    fn on_candidate(&mut self, candidate: &Candidate<'_>, answer: &Answer<'_>, out: &mut Vec<u8>) {
        let Some((at, new)) = self.choice(candidate.index()) else { return };
        let content = candidate.content();
        self.content |= !content.is_empty() || candidate.finish_reason.is_some();
        let Self { choices, context, head, .. } = self;
        let Some(choice) = choices.get_mut(at) else { return };
        let grounding = candidate.grounding_metadata.filter(|_| !context.strict);
        let beside = candidate.logprobs_result.or(candidate.finish_message).or(grounding);
        if new || !content.is_empty() || beside.is_some() {
            choice.go_on(out);
            let mut chunk = Vec::new();
            write_start(&mut chunk, head, choice.index);
            choice.write_delta(&mut chunk, new, candidate, &content, answer.response_id, context);
            chunk.extend_from_slice(b"},");
            logprobs::write(&mut chunk, candidate.logprobs_result);
            if let Some(grounding) = grounding {
                chunk.extend_from_slice(b"\"groundingMetadata\":");
                write_line(&mut chunk, grounding.get());
                chunk.push(b',');
            }
            choice.last = chunk;
            if candidate.finish_reason.is_none() {
                choice.go_on(out);
            }
        }
        if let Some(reason) = candidate.finish_reason.and_then(text) {
            choice.reason = Some(reason.into_owned());
        }
        if at == 0
            && let Some(reason) = &choice.reason
        {
            self.facts.finish_reason = Some(choice.finish(reason).to_owned());
        }
    }

    /// The prompt was refused: there will be no candidate.
    fn on_blocked(&mut self, feedback: &Feedback<'_>, out: &mut Vec<u8>) {
        let reason = feedback.block_reason.and_then(text).unwrap_or_default();
        let reason = Some(reason.into_owned());
        self.content = true;
        self.facts.finish_reason = Some(BLOCKED.to_owned());
        self.choices.push(Choice {
            index: 0,
            calls: 0,
            reason,
            blocked: true,
            block: None,
            last: Vec::new(),
        });
        write_start(out, &self.head, 0);
        out.extend_from_slice(b"\"role\":\"assistant\",\"content\":\"\"");
        message::write_refusal(out, feedback);
        out.extend_from_slice(b"},\"finish_reason\":null}]}\n\n");
    }
}

impl Choice {
    /// Appends the chunk that is not the last one.
    fn go_on(&mut self, out: &mut Vec<u8>) {
        if !self.last.is_empty() {
            out.append(&mut self.last);
            out.extend_from_slice(b"\"finish_reason\":null}]}\n\n");
        }
    }

    /// OpenAI's finish reason for one of Gemini's.
    fn finish(&self, reason: &str) -> &'static str {
        if self.blocked { BLOCKED } else { finish_reason(reason, self.calls > 0) }
    }

    /// Appends the members of a delta, the role before all others. With strict compliance what is
    /// neither text nor a call leaves an empty delta, which still tells the client that the model
    /// is at work.
    fn write_delta(
        &mut self,
        out: &mut Vec<u8>,
        new: bool,
        candidate: &Candidate<'_>,
        content: &Content<'_>,
        response_id: Option<&RawValue>,
        context: &Context,
    ) {
        if new || context.roles {
            out.extend_from_slice(b"\"role\":\"assistant\"");
        }
        let silent = content.is_empty() && self.calls == 0 && self.block.is_none();
        let excuse = candidate.finish_message.filter(|_| silent).and_then(inside);
        if !content.text.is_empty() || excuse.is_some() {
            write_quoted(out, "content", &[&content.text.concat(), excuse.unwrap_or("")].concat());
        } else if new {
            write_key(out, "content");
            let none: &[u8] = if content.calls.is_empty() { b"\"\"" } else { b"null" };
            out.extend_from_slice(none);
        }
        if !content.calls.is_empty() {
            let (choice, before) = (self.index, self.calls);
            let calls = Calls { response_id, choice, before, indexed: true };
            calls.write(out, &content.calls, context);
            self.calls += content.calls.len() as u64;
        }
        for (at, block) in content.blocks.iter().enumerate() {
            let number = self.number(block);
            if !context.strict {
                message::write_block_delta(out, at == 0, number, block);
            }
        }
        if !context.strict && !content.blocks.is_empty() {
            out.push(b']');
        }
    }

    /// The number of a content block: pieces of one text that follow each other have the same.
    fn number(&mut self, block: &Block<'_>) -> u64 {
        let kind = match block {
            Block::Thinking(_) => Kind::Thinking,
            Block::Text(_) => Kind::Text,
            Block::Image(..) | Block::Other(_) => Kind::Other,
        };
        let number = match self.block {
            None => 0,
            Some((number, last)) if last == kind && kind != Kind::Other => number,
            Some((number, _)) => number.saturating_add(1),
        };
        self.block = Some((number, kind));
        number
    }
}

/// Appends a chunk up to the members of its delta.
fn write_start(out: &mut Vec<u8>, head: &[u8], index: u64) {
    out.extend_from_slice(head);
    write_number(out, index);
    out.extend_from_slice(b",\"delta\":{");
}
