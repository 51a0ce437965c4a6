//! A streamed chat completion as the events of the Responses API
//! (<https://platform.openai.com/docs/api-reference/responses-streaming>).

use super::super::Context;
use super::super::calls::{Calls, Step};
use super::super::chat::{Choice, Chunk, Piece};
use super::super::error::UNKNOWN;
use super::super::write::{begin_event, end_event, write_quoted};
use super::answer::{Head, Status};
use super::item::{Item, Kind, annotations, push_element, write_list};
use super::{REDACTED, SIGNATURE};
use crate::dialect::raw::{inside, object, text, write_key, write_line, write_number};
use crate::dialect::{Facts, status_of};
use crate::stream::sse::MAX_EVENT;
use serde_json::value::RawValue;

/// Where a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No chunk yet.
    Waiting,
    /// `response.created` is sent.
    Open,
    /// The last event is sent: nothing may follow.
    Closed,
}

/// State of one streamed answer.
#[derive(Debug)]
pub struct Stream {
    context: Context,
    state: State,
    calls: Calls,
    output: Output,
}

/// What goes out.
#[derive(Debug, Default)]
struct Output {
    head: Head,
    /// Number of the next event.
    sequence: u64,
    /// The item that is being sent.
    open: Option<Item>,
    /// Those that are over: elements of an array without its brackets.
    items: Vec<u8>,
    /// How many there are.
    over: u64,
}

members! {
    #[derive(Default)]
    struct Failure<'a> {
        message: Option<&'a RawValue>,
        kind: Option<&'a RawValue> = "type",
    }
}

impl Stream {
    /// A translator at the start of a stream.
    pub(in crate::adapter) fn new(context: Context) -> Self {
        let (calls, output) = (Calls::default(), Output::default());
        Self { context, state: State::Waiting, calls, output }
    }

    pub(in crate::adapter) fn on_chunk(&mut self, chunk: &Chunk<'_>, _: &Facts, out: &mut Vec<u8>) {
        if self.state == State::Closed {
            return;
        }
        if chunk.error.is_some_and(|error| error.get() != "null") {
            return self.fail(chunk.error, UNKNOWN, out);
        }
        if !chunk.has_choices() {
            return;
        }
        self.open(chunk, out);
        let Some(choice) = chunk.choice() else { return };
        for piece in choice.pieces() {
            self.on_piece(&piece, &choice, out);
        }
        self.output.annotate(&choice, out);
        if self.output.size() > MAX_EVENT {
            self.fail(None, "the answer is too long", out);
        }
    }

    /// The stream is complete.
    pub(in crate::adapter) fn finish(&mut self, facts: &Facts, out: &mut Vec<u8>) {
        if self.state == State::Closed {
            return;
        }
        self.open(&Chunk::default(), out);
        self.state = State::Closed;
        let Self { calls, output, context, .. } = self;
        calls.finish(&mut |step| output.on_step(&step, out));
        let status = Status::of(facts.finish_reason.as_deref());
        output.close(status.as_str(), out);
        let name = match status {
            Status::Incomplete(_) => "response.incomplete",
            _ => "response.completed",
        };
        output.send_response(name, &status, Some(facts), context, out);
    }

    /// The stream has failed: with this `error` member of a chunk, or else for this reason.
    pub(in crate::adapter) fn fail(
        &mut self,
        error: Option<&RawValue>,
        reason: &str,
        out: &mut Vec<u8>,
    ) {
        if self.state == State::Closed {
            return;
        }
        self.open(&Chunk::default(), out);
        self.state = State::Closed;
        let failure: Failure<'_> = error.and_then(|raw| object(raw.get())).unwrap_or_default();
        let kind = failure.kind.and_then(text);
        let code = match status_of(kind.as_deref().unwrap_or_default()) {
            429 => "rate_limit_exceeded",
            400 => "invalid_prompt",
            _ => "server_error",
        };
        let message = failure.message.or(error).and_then(inside).unwrap_or(reason);
        let status = Status::Failed(code, message);
        let Self { output, context, .. } = self;
        output.send_response("response.failed", &status, None, context, out);
    }

    /// Sends the first events, once.
    fn open(&mut self, chunk: &Chunk<'_>, out: &mut Vec<u8>) {
        if self.state != State::Waiting {
            return;
        }
        self.state = State::Open;
        let Self { output, context, .. } = self;
        output.head = Head::new(chunk, context);
        for name in ["response.created", "response.in_progress"] {
            output.send_response(name, &Status::InProgress, None, context, out);
        }
    }

    fn on_piece(&mut self, piece: &Piece<'_>, choice: &Choice<'_>, out: &mut Vec<u8>) {
        let Self { calls, output, .. } = self;
        if !matches!(piece, Piece::Call(_)) {
            calls.finish(&mut |step| output.on_step(&step, out));
        }
        match piece {
            Piece::Thinking(text) => output.text(Kind::Reasoning(None), text, None, out),
            Piece::Signature(signature) => {
                output.open(Kind::Reasoning(None), out);
                output.seal([SIGNATURE, signature].concat(), out);
            }
            Piece::Redacted(data) => {
                output.close("completed", out);
                output.open(Kind::Reasoning(None), out);
                output.seal([REDACTED, data].concat(), out);
            }
            Piece::Text(text) => output.text(Kind::Message(false), text, choice.logprobs(), out),
            Piece::Refusal(text) => output.text(Kind::Message(true), text, None, out),
            Piece::Call(call) => {
                calls.on_piece(call, &mut |step| output.on_step(&step, out));
            }
        }
    }
}

impl Output {
    /// Bytes that are kept.
    fn size(&self) -> usize {
        let open = self.open.as_ref().map_or(0, |item| item.text.len() + item.logprobs.len());
        self.items.len() + open
    }

    fn on_step(&mut self, step: &Step<'_>, out: &mut Vec<u8>) {
        match step {
            Step::Begin { number, id, name } => {
                self.close("completed", out);
                let id = match id.is_empty() {
                    true => format!("call_{}_{number}", self.head.base),
                    false => (*id).to_owned(),
                };
                self.open(Kind::Call(id, (*name).to_owned()), out);
            }
            Step::Arguments(text) => {
                let Some(item) = &mut self.open else { return };
                item.text.push_str(text);
                self.event("response.function_call_arguments.delta", out, |out, _| {
                    write_quoted(out, "delta", text);
                });
            }
        }
    }

    /// Sends a piece of a text, in the open item if that is of its kind.
    fn text(&mut self, kind: Kind, text: &str, logprobs: Option<&str>, out: &mut Vec<u8>) {
        self.open(kind, out);
        let Some(item) = &mut self.open else { return };
        // The part of a summary is announced when there is something for it.
        let first = matches!(item.kind, Kind::Reasoning(_)) && item.text.is_empty();
        if first {
            self.part("response.reasoning_summary_part.added", false, out);
        }
        let Some(item) = &mut self.open else { return };
        item.text.push_str(text);
        if let Some(logprobs) = logprobs {
            item.add_logprobs(logprobs);
        }
        let name = match item.kind {
            Kind::Message(true) => "response.refusal.delta",
            Kind::Message(false) => "response.output_text.delta",
            _ => "response.reasoning_summary_text.delta",
        };
        self.event(name, out, |out, item| {
            write_part_index(out, item);
            write_quoted(out, "delta", text);
            if item.kind == Kind::Message(false) {
                write_key(out, "logprobs");
                write_line(out, logprobs.unwrap_or("[]"));
            }
        });
    }

    /// Citations, which belong to the text that is open.
    fn annotate(&mut self, choice: &Choice<'_>, out: &mut Vec<u8>) {
        for (at, annotation) in (0..).zip(annotations(choice)) {
            let Some(item) = self.open.as_mut().filter(|item| item.kind == Kind::Message(false))
            else {
                return;
            };
            push_element(&mut item.annotations, &annotation);
            self.event("response.output_text.annotation.added", out, |out, item| {
                write_part_index(out, item);
                write_key(out, "annotation_index");
                write_number(out, at);
                write_key(out, "annotation");
                out.extend_from_slice(&annotation);
            });
        }
    }

    /// Announces an item, unless the one that is open is of its kind.
    fn open(&mut self, kind: Kind, out: &mut Vec<u8>) {
        if self.open.as_ref().is_some_and(|item| item.kind == kind) {
            return;
        }
        self.close("completed", out);
        let item = Item::new(kind, &self.head.base, self.over);
        let message = matches!(item.kind, Kind::Message(_));
        self.open = Some(item);
        self.item_event("response.output_item.added", out, Item::write_empty);
        if message {
            self.part("response.content_part.added", false, out);
        }
    }

    /// Ends an item of reasoning with what only its provider can read.
    fn seal(&mut self, sealed: String, out: &mut Vec<u8>) {
        if let Some(item) = &mut self.open {
            item.kind = Kind::Reasoning(Some(sealed));
        }
        self.close("completed", out);
    }

    fn close(&mut self, status: &str, out: &mut Vec<u8>) {
        let Some(item) = &mut self.open else { return };
        let call = matches!(item.kind, Kind::Call(..));
        if call && item.text.is_empty() {
            // No arguments are an empty object: a client reads them as JSON.
            item.text.push_str("{}");
        }
        let (name, member, part) = match item.kind {
            Kind::Call(..) => ("response.function_call_arguments.done", "arguments", None),
            Kind::Message(true) => {
                ("response.refusal.done", "refusal", Some("response.content_part.done"))
            }
            Kind::Message(false) => {
                ("response.output_text.done", "text", Some("response.content_part.done"))
            }
            Kind::Reasoning(_) => (
                "response.reasoning_summary_text.done",
                "text",
                Some("response.reasoning_summary_part.done"),
            ),
        };
        if call || !item.text.is_empty() || matches!(item.kind, Kind::Message(_)) {
            self.event(name, out, |out, item| {
                if part.is_some() {
                    write_part_index(out, item);
                }
                write_quoted(out, member, &item.text);
                if item.kind == Kind::Message(false) {
                    write_list(out, "logprobs", &item.logprobs);
                }
            });
            if let Some(part) = part {
                self.part(part, true, out);
            }
        }
        self.item_event("response.output_item.done", out, |item, out| item.write(out, status));
        if let Some(item) = self.open.take() {
            let mut written = Vec::new();
            item.write(&mut written, status);
            push_element(&mut self.items, &written);
            self.over += 1;
        }
    }

    /// Sends an event about a part, empty or as it is by now.
    fn part(&mut self, name: &str, whole: bool, out: &mut Vec<u8>) {
        self.event(name, out, |out, item| {
            write_part_index(out, item);
            write_key(out, "part");
            match whole {
                true => item.write_part(out),
                false => item.write_empty_part(out),
            }
        });
    }

    /// Sends an event about the open item.
    fn event(
        &mut self,
        name: &str,
        out: &mut Vec<u8>,
        write_members: impl FnOnce(&mut Vec<u8>, &Item),
    ) {
        let Some(item) = &self.open else { return };
        begin(name, &mut self.sequence, out);
        write_quoted(out, "item_id", &item.id);
        write_key(out, "output_index");
        write_number(out, self.over);
        write_members(out, item);
        end_event(out);
    }

    /// Sends an event that has the open item.
    fn item_event(
        &mut self,
        name: &str,
        out: &mut Vec<u8>,
        write_item: impl FnOnce(&Item, &mut Vec<u8>),
    ) {
        let Some(item) = &self.open else { return };
        begin(name, &mut self.sequence, out);
        write_key(out, "output_index");
        write_number(out, self.over);
        write_key(out, "item");
        write_item(item, out);
        end_event(out);
    }

    /// Sends an event that has the response.
    fn send_response(
        &mut self,
        name: &str,
        status: &Status<'_>,
        facts: Option<&Facts>,
        context: &Context,
        out: &mut Vec<u8>,
    ) {
        begin(name, &mut self.sequence, out);
        write_key(out, "response");
        self.head.write(out, status, &self.items, facts, context);
        end_event(out);
    }
}

fn begin(name: &str, sequence: &mut u64, out: &mut Vec<u8>) {
    begin_event(out, name);
    write_key(out, "sequence_number");
    write_number(out, *sequence);
    *sequence += 1;
}

/// There is one part in each.
fn write_part_index(out: &mut Vec<u8>, item: &Item) {
    let key = match item.kind {
        Kind::Reasoning(_) => "summary_index",
        _ => "content_index",
    };
    write_key(out, key);
    write_number(out, 0);
}
