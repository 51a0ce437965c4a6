//! A streamed answer of Cohere's Chat API as chat completion chunks
//! (<https://docs.cohere.com/docs/streaming>).
//!
//! Usage is on the chunk with the finish reason and on no other, as for the other formats.

use super::super::completion::write_start;
use super::super::raw::{inside, object, text, write_key, write_line, write_number};
use super::super::{Context, Facts, bounded, failure};
use super::answer::{Delta, Message, Payload, Piece, ToolCall, read};
use super::{COMPLETE, error, logprobs, usage};
use crate::json::write_string;
use crate::stream::{Event, sse};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What precedes the members of a delta; chunks of Cohere's do not name the provider.
const CHOICE: &[u8] = b",\"choices\":[{\"index\":0,\"delta\":{";

/// Where a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No message yet.
    Waiting,
    /// The role is sent, pieces follow.
    Open,
    /// `[DONE]` or an error event is sent: nothing may follow.
    Closed,
}

/// A tool call so far.
#[derive(Debug)]
struct Call {
    /// OpenAI's index.
    number: u64,
    /// No piece of its arguments has come. If none does, the client would assemble arguments that
    /// are no JSON.
    bare: bool,
}

/// State of one streamed answer.
#[derive(Debug)]
pub struct Stream {
    pub(in crate::dialect) facts: Facts,
    context: Context,
    state: State,
    /// What each chunk begins with, up to the model.
    head: Vec<u8>,
    /// The tool calls, by Cohere's index.
    calls: BTreeMap<u64, Call>,
    /// Number of tool calls.
    count: u64,
    /// Cohere's index of the last one.
    last: u64,
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
            head: Vec::new(),
            calls: BTreeMap::new(),
            count: 0,
            last: 0,
            content: false,
        }
    }

    pub(in crate::dialect) fn on_event(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        if self.state == State::Closed {
            return;
        }
        let data = std::str::from_utf8(event.data).ok().map(str::trim_start);
        // What is not JSON does not end the stream: the pieces around it are still good.
        let Some(payload) = data.and_then(object::<Payload<'_>>) else { return };
        let Some(kind) = payload.kind.and_then(text) else {
            // An error has the form of a body.
            if payload.message.and_then(text).is_some() {
                self.fail(payload.message, out);
            }
            return;
        };
        let delta: Delta<'_> = read(payload.delta);
        let message: Message<'_> = read(delta.message);
        match kind.as_ref() {
            "message-start" => self.open(payload.id, out),
            "content-start" | "content-delta" => self.on_content(&payload, &message, out),
            "content-end" | "citation-end" => self.say_nothing(out),
            "tool-plan-delta" => self.on_plan(&message, out),
            "tool-call-start" => self.on_call(payload.index, &message, out),
            "tool-call-delta" => self.on_arguments(payload.index, &message, out),
            "tool-call-end" => self.end_call(payload.index.unwrap_or(self.last), out),
            "citation-start" => self.on_citation(&message, out),
            "message-end" => self.on_message_end(payload.id, &delta, out),
            // Events that are not known yet.
            _ => {}
        }
    }

    pub(in crate::dialect) fn on_end(&mut self, out: &mut Vec<u8>) {
        if self.state != State::Closed {
            self.state = State::Closed;
            failure::write_truncated(out, self.context.provider, &mut self.facts);
        }
    }

    fn fail(&mut self, message: Option<&RawValue>, out: &mut Vec<u8>) {
        self.state = State::Closed;
        failure::write_event(out, message, self.context.provider, &mut self.facts);
    }

    /// Sends the role, once. A stream that lacks its first event is opened by its second.
    fn open(&mut self, id: Option<&RawValue>, out: &mut Vec<u8>) {
        if self.state != State::Waiting {
            return;
        }
        self.state = State::Open;
        self.facts.id = id.and_then(text).map(bounded);
        self.head.extend_from_slice(b"data: ");
        write_start(&mut self.head, id, None, &self.context, "chat.completion.chunk");
        self.write_delta(out, Some(""), None, |out| {
            let (key, value): (_, &[u8]) = match self.context.roles {
                true => ("tool_calls", b"[]"),
                false => ("role", b"\"assistant\""),
            };
            write_key(out, key);
            out.extend_from_slice(value);
        });
    }

    /// With strict compliance what is not text leaves an empty delta, which still tells the client
    /// that the model is at work.
    fn on_content(&mut self, payload: &Payload<'_>, message: &Message<'_>, out: &mut Vec<u8>) {
        self.open(None, out);
        let piece: Piece<'_> = read(message.content);
        let [text, thinking] = [piece.text, piece.thinking].map(|raw| raw.and_then(inside));
        self.content |= [text, thinking].into_iter().flatten().any(|it| !it.is_empty());
        self.write_delta(out, text, payload.logprobs, |out| {
            let said = thinking.map(|it| ("thinking", it)).or(text.map(|it| ("text", it)));
            let Some((key, said)) = said.filter(|_| !self.context.strict) else { return };
            write_key(out, "content_blocks");
            out.extend_from_slice(b"[{\"index\":");
            write_number(out, payload.index.unwrap_or_default());
            out.extend_from_slice(b",\"delta\":{");
            write_quoted(out, key, said);
            out.extend_from_slice(b"}}]");
        });
    }

    /// What the model thinks of tools before it calls them.
    fn on_plan(&mut self, message: &Message<'_>, out: &mut Vec<u8>) {
        self.open(None, out);
        self.content = true;
        let plan = message.tool_plan.and_then(inside).filter(|_| !self.context.strict);
        self.write_delta(out, None, None, |out| {
            if let Some(plan) = plan {
                write_quoted(out, "tool_plan", plan);
            }
        });
    }

    fn on_call(&mut self, index: Option<u64>, message: &Message<'_>, out: &mut Vec<u8>) {
        self.open(None, out);
        self.content = true;
        let call: ToolCall<'_> = read(message.tool_calls);
        let (number, arguments) = (self.count, call.arguments());
        self.count += 1;
        self.last = index.unwrap_or(number);
        self.end_call(self.last, out);
        self.calls.insert(self.last, Call { number, bare: arguments.is_empty() });
        self.write_delta(out, None, None, |out| {
            write_key(out, "tool_calls");
            out.push(b'[');
            call.write(out, Some(number), arguments);
            out.push(b']');
        });
    }

    fn on_arguments(&mut self, index: Option<u64>, message: &Message<'_>, out: &mut Vec<u8>) {
        let known = index.filter(|index| self.calls.contains_key(index));
        // A piece of a call when none has begun can be given to nobody.
        let Some(call) = self.calls.get_mut(&known.unwrap_or(self.last)) else { return };
        let piece: ToolCall<'_> = read(message.tool_calls);
        let arguments = piece.arguments();
        call.bare &= arguments.is_empty();
        let number = call.number;
        self.write_arguments(number, arguments, out);
    }

    fn end_call(&mut self, index: u64, out: &mut Vec<u8>) {
        if let Some(call) = self.calls.remove(&index).filter(|call| call.bare) {
            self.write_arguments(call.number, "{}", out);
        }
    }

    fn on_citation(&mut self, message: &Message<'_>, out: &mut Vec<u8>) {
        self.open(None, out);
        let citation = message.citations.filter(|_| !self.context.strict);
        self.write_delta(out, None, None, |out| {
            if let Some(citation) = citation {
                write_key(out, "citations");
                out.push(b'[');
                write_line(out, citation.get());
                out.push(b']');
            }
        });
    }

    fn on_message_end(&mut self, id: Option<&RawValue>, delta: &Delta<'_>, out: &mut Vec<u8>) {
        self.facts.usage = delta.usage.and_then(usage::parse);
        if let Some(message) = error::of_delta(delta) {
            return self.fail(Some(message), out);
        }
        self.open(id, out);
        for call in std::mem::take(&mut self.calls).into_values().filter(|call| call.bare) {
            self.write_arguments(call.number, "{}", out);
        }
        self.state = State::Closed;
        self.content = true;
        let reason = delta.finish_reason.and_then(text).unwrap_or(Cow::Borrowed(COMPLETE));
        let finish_reason = super::finish_reason(&reason);
        self.facts.finish_reason = Some(finish_reason.to_owned());
        self.facts.complete = true;
        out.extend_from_slice(&self.head);
        out.extend_from_slice(CHOICE);
        out.extend_from_slice(b"},\"logprobs\":null,\"finish_reason\":");
        write_string(out, if self.context.strict { finish_reason } else { &reason });
        out.extend_from_slice(b"}]");
        usage::write(out, self.facts.usage.as_ref());
        out.extend_from_slice(b"}\n\n");
        sse::write_done(out);
    }

    fn write_arguments(&self, number: u64, arguments: &str, out: &mut Vec<u8>) {
        self.write_delta(out, None, None, |out| {
            write_key(out, "tool_calls");
            out.extend_from_slice(b"[{\"index\":");
            write_number(out, number);
            out.extend_from_slice(b",\"function\":{");
            write_quoted(out, "arguments", arguments);
            out.extend_from_slice(b"}}]");
        });
    }

    /// Portkey has a chunk for each event, also where there is nothing in it.
    fn say_nothing(&self, out: &mut Vec<u8>) {
        if self.context.roles && self.state == State::Open {
            self.write_delta(out, None, None, |_| {});
        }
    }

    /// A chunk with this text, what is between its quotes, and other members of the delta.
    fn write_delta(
        &self,
        out: &mut Vec<u8>,
        text: Option<&str>,
        item: Option<&RawValue>,
        write_members: impl FnOnce(&mut Vec<u8>),
    ) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b",\"system_fingerprint\":null");
        out.extend_from_slice(CHOICE);
        if self.context.roles {
            out.extend_from_slice(b"\"role\":\"assistant\"");
        }
        if let Some(text) = text.or(self.context.roles.then_some("")) {
            write_quoted(out, "content", text);
        }
        write_members(out);
        out.extend_from_slice(b"},\"logprobs\":");
        logprobs::write(out, item.as_slice());
        out.extend_from_slice(b",\"finish_reason\":null}]}\n\n");
    }
}

/// Appends a member that is a string; `text` is what is between its quotes.
fn write_quoted(out: &mut Vec<u8>, key: &str, text: &str) {
    write_key(out, key);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}
