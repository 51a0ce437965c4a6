//! A ConverseStream answer as chat completion chunks
//! (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html>).
//!
//! The stop reason waits for the usage, which comes after it: both are on the last chunk, as
//! Portkey has it.

use super::super::completion::write_head;
use super::super::raw::{inside, object, text, write_key, write_line, write_number};
use super::super::{Context, Facts, failure};
use super::answer::{Block, Payload, Reasoning, ToolUse, read};
use super::{END_TURN, usage};
use crate::json::write_string;
use crate::stream::{Event, sse};
use serde_json::value::RawValue;

/// The role, as a member of a delta.
const ROLE: &[u8] = b"\"role\":\"assistant\"";
/// What follows the members of a delta.
const DELTA_END: &[u8] = b"},\"finish_reason\":null}]}\n\n";

/// Where a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No message yet.
    Waiting,
    /// The role is sent, blocks follow.
    Open,
    /// `[DONE]` or an error event is sent: nothing may follow.
    Closed,
}

/// A call of a tool whose block is open.
#[derive(Debug)]
struct Call {
    /// Bedrock's index of the block.
    block: u64,
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
    /// What each chunk begins with, up to the members of `delta`.
    head: Vec<u8>,
    call: Option<Call>,
    /// Number of calls so far.
    calls: u64,
    /// Bedrock's stop reason, once it is known.
    reason: Option<String>,
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
            call: None,
            calls: 0,
            reason: None,
            content: false,
        }
    }

    pub(in crate::dialect) fn on_event(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        if self.state == State::Closed {
            return;
        }
        if event.failed {
            return self.fail(event, out);
        }
        let data = std::str::from_utf8(event.data).ok().map(str::trim_start);
        // What is not JSON does not end the stream: the pieces around it are still good.
        let Some(payload) = data.and_then(object::<Payload<'_>>) else { return };
        match event.name {
            b"messageStart" => self.open(out),
            b"contentBlockStart" => self.on_block_start(&payload, out),
            b"contentBlockDelta" => self.on_block_delta(&payload, out),
            b"contentBlockStop" => {
                self.end_call(out);
                self.say_nothing(out);
            }
            b"messageStop" => {
                self.open(out);
                self.end_call(out);
                self.say_nothing(out);
                self.content = true;
                let reason = payload.stop_reason.and_then(text);
                self.reason = Some(reason.map_or_else(|| END_TURN.to_owned(), Into::into));
            }
            b"metadata" => self.on_metadata(payload.usage, out),
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

    /// An exception in the middle of a stream; its type is the name of the event.
    fn fail(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        self.state = State::Closed;
        let error = error_object(event);
        let raw = serde_json::from_str(&error).ok();
        failure::write_event(out, raw, self.context.provider, &mut self.facts);
    }

    /// Sends the role, once. A stream that lacks its first event is opened by its second.
    fn open(&mut self, out: &mut Vec<u8>) {
        if self.state != State::Waiting {
            return;
        }
        self.state = State::Open;
        self.head.extend_from_slice(b"data: ");
        write_head(&mut self.head, None, None, &self.context, "chat.completion.chunk");
        self.head.extend_from_slice(b"{\"index\":0,\"delta\":{");
        out.extend_from_slice(&self.head);
        if !self.context.roles {
            out.extend_from_slice(b"\"role\":\"assistant\",\"content\":\"\"");
        } else {
            out.extend_from_slice(ROLE);
        }
        out.extend_from_slice(DELTA_END);
    }

    /// Portkey has a chunk for each event, also where there is nothing in it.
    fn say_nothing(&self, out: &mut Vec<u8>) {
        if self.context.roles && self.state == State::Open {
            self.write_delta(out, |_| {});
        }
    }

    fn on_block_start(&mut self, payload: &Payload<'_>, out: &mut Vec<u8>) {
        self.open(out);
        self.end_call(out);
        let start: Block<'_> = read(payload.start);
        let Some(raw) = start.tool_use else { return };
        self.content = true;
        let (number, block) = (self.calls, payload.index.unwrap_or_default());
        self.calls += 1;
        self.call = Some(Call { block, number, bare: true });
        let call: ToolUse<'_> = read(Some(raw));
        self.write_delta(out, |out| {
            write_key(out, "tool_calls");
            out.extend_from_slice(b"[{\"index\":");
            write_number(out, number);
            out.extend_from_slice(b",\"id\":\"");
            out.extend_from_slice(call.id.and_then(inside).unwrap_or_default().as_bytes());
            out.extend_from_slice(b"\",\"type\":\"function\",\"function\":{\"name\":\"");
            out.extend_from_slice(call.name.and_then(inside).unwrap_or_default().as_bytes());
            out.extend_from_slice(b"\",\"arguments\":\"\"}}]");
        });
    }

    fn on_block_delta(&mut self, payload: &Payload<'_>, out: &mut Vec<u8>) {
        self.open(out);
        self.content = true;
        let delta: Block<'_> = read(payload.delta);
        let index = payload.index.unwrap_or_default();
        if let Some(raw) = delta.tool_use {
            let piece = read::<ToolUse<'_>>(Some(raw)).input.and_then(inside).unwrap_or_default();
            // A piece of a call when none has begun can be given to nobody.
            let Some(call) = self.call.as_mut().filter(|call| call.block == index) else { return };
            if !piece.is_empty() {
                call.bare = false;
                let number = call.number;
                self.write_arguments(number, piece, out);
            }
            return;
        }
        self.write_delta(out, |out| self.write_content(&delta, index, out));
    }

    /// The members of a delta for a piece that is no call. With strict compliance what is not text
    /// leaves an empty delta, which still tells the client that the model is at work.
    fn write_content(&self, delta: &Block<'_>, index: u64, out: &mut Vec<u8>) {
        if let Some(text) = delta.text.and_then(inside) {
            write_quoted(out, "content", text);
        }
        if self.context.strict {
            return;
        }
        let reasoning: Reasoning<'_> = read(delta.reasoning);
        let pieces = [
            ("text", delta.text),
            ("thinking", reasoning.text),
            ("signature", reasoning.signature),
            ("data", reasoning.redacted),
            ("citation", delta.citation),
        ];
        let Some((key, raw)) = pieces.into_iter().find_map(|(key, raw)| Some((key, raw?))) else {
            return;
        };
        write_key(out, "content_blocks");
        out.extend_from_slice(b"[{\"index\":");
        write_number(out, index);
        out.extend_from_slice(b",\"delta\":{");
        write_key(out, key);
        write_line(out, raw.get());
        out.extend_from_slice(b"}}]");
    }

    fn end_call(&mut self, out: &mut Vec<u8>) {
        if let Some(call) = self.call.take().filter(|call| call.bare) {
            self.write_arguments(call.number, "{}", out);
        }
    }

    /// The last event. Without a stop reason before it the stream has lost something.
    fn on_metadata(&mut self, raw: Option<&RawValue>, out: &mut Vec<u8>) {
        self.facts.usage = raw.and_then(usage::parse);
        let Some(reason) = self.reason.take() else { return };
        self.state = State::Closed;
        let finish_reason = super::finish_reason(&reason);
        self.facts.finish_reason = Some(finish_reason.to_owned());
        self.facts.complete = true;
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b"},\"finish_reason\":");
        write_string(out, if self.context.strict { finish_reason } else { &reason });
        out.extend_from_slice(b"}]");
        usage::write(out, self.facts.usage.as_ref());
        out.extend_from_slice(b"}\n\n");
        sse::write_done(out);
    }

    fn write_arguments(&self, number: u64, arguments: &str, out: &mut Vec<u8>) {
        self.write_delta(out, |out| {
            write_key(out, "tool_calls");
            out.extend_from_slice(b"[{\"index\":");
            write_number(out, number);
            out.extend_from_slice(b",\"function\":{");
            write_quoted(out, "arguments", arguments);
            out.extend_from_slice(b"}}]");
        });
    }

    fn write_delta(&self, out: &mut Vec<u8>, write_members: impl FnOnce(&mut Vec<u8>)) {
        out.extend_from_slice(&self.head);
        if self.context.roles {
            out.extend_from_slice(ROLE);
        }
        write_members(out);
        out.extend_from_slice(DELTA_END);
    }
}

/// An exception as an error object: its payload has the message, or is it.
pub(super) fn error_object(event: Event<'_>) -> String {
    members! {
        struct Exception<'a> {
            message: Option<&'a RawValue>,
        }
    }
    let data = String::from_utf8_lossy(event.data);
    let exception: Option<Exception<'_>> = object(data.trim_start());
    let mut out = b"{\"message\":".to_vec();
    match exception.and_then(|exception| exception.message) {
        Some(message) => write_line(&mut out, message.get()),
        None => write_string(&mut out, &data),
    }
    write_key(&mut out, "type");
    write_string(&mut out, &String::from_utf8_lossy(event.name));
    out.push(b'}');
    String::from_utf8_lossy(&out).into_owned()
}

/// Appends a member that is a string; `text` is what is between its quotes.
fn write_quoted(out: &mut Vec<u8>, key: &str, text: &str) {
    write_key(out, key);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}
