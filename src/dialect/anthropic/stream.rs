//! A streamed Messages answer as chat completion chunks
//! (<https://docs.anthropic.com/en/docs/build-with-claude/streaming>).
//!
//! Usage is on the chunk with the finish reason and on no other, whether
//! `stream_options.include_usage` asks for it or not, as Portkey has it. Clients that sum usage
//! (LangChain) and clients that keep the last one (OpenAI's SDK) both count each token once; with
//! OpenAI's further chunk without choices LangChain would count twice.

use super::super::completion::write_head;
use super::super::raw::{inside, object, text, write_line, write_number};
use super::super::{Context, Facts, bounded, failure};
use super::event::{Message, Payload, Piece};
use super::usage::{self, Counts};
use crate::json::{Object, write_string};
use crate::stream::{Event, sse};
use serde_json::value::RawValue;

/// What the chunks are.
const CHUNK: &str = "chat.completion.chunk";

/// Where a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No message yet.
    Waiting,
    /// The role is sent, blocks follow.
    Open,
    /// The finish reason is sent.
    Finished,
    /// `[DONE]` or an error event is sent: nothing may follow.
    Closed,
}

/// State of one streamed answer.
#[derive(Debug)]
pub struct Stream {
    pub(in crate::dialect) facts: Facts,
    context: Context,
    state: State,
    counts: Counts,
    /// What each chunk begins with, up to the value of `delta`.
    head: Vec<u8>,
    /// The block index of each tool call so far; its place here is OpenAI's index.
    tools: Vec<u64>,
    /// The input that the last tool call began with, while no piece of its arguments came.
    ///
    /// It is `{}` from Anthropic, and all there is for a tool without parameters: without it the
    /// client would assemble arguments that are no JSON.
    unsent_input: Option<String>,
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
            tools: Vec::new(),
            unsent_input: None,
            content: false,
        }
    }

    pub(in crate::dialect) fn on_event(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        if self.state == State::Closed {
            return;
        }
        let data = std::str::from_utf8(event.data).ok().map(str::trim_start);
        // What is not JSON does not end the stream: the pieces around it are still good.
        let Some(payload) = data.and_then(object::<Payload<'_>>) else {
            return;
        };
        match payload.kind.and_then(text).as_deref() {
            Some("message_start") => self.on_message_start(&payload, out),
            Some("content_block_start") => self.on_block_start(&payload, out),
            Some("content_block_delta") => self.on_block_delta(&payload, out),
            Some("content_block_stop") => self.flush_input(out),
            Some("message_delta") => self.on_message_delta(&payload, out),
            Some("message_stop") => self.on_message_stop(out),
            Some("error") => {
                self.state = State::Closed;
                failure::write_event(out, payload.error, self.context.provider, &mut self.facts);
            }
            // Pings, and events that are not known yet.
            _ => {}
        }
    }

    pub(in crate::dialect) fn on_end(&mut self, out: &mut Vec<u8>) {
        if self.state != State::Closed {
            self.state = State::Closed;
            failure::write_truncated(out, self.context.provider, &mut self.facts);
        }
    }

    fn on_message_start(&mut self, payload: &Payload<'_>, out: &mut Vec<u8>) {
        let raw = payload.message.and_then(|raw| object(raw.get()));
        let message: Message<'_> = raw.unwrap_or_default();
        self.update_usage(message.usage);
        self.open(&message, out);
    }

    /// Sends the role, once. A stream that lacks its first event is opened by its second.
    fn open(&mut self, message: &Message<'_>, out: &mut Vec<u8>) {
        if self.state != State::Waiting {
            return;
        }
        self.state = State::Open;
        self.facts.id = message.id.and_then(text).map(bounded);
        self.facts.model = message.model.and_then(text).map(bounded);
        self.head.extend_from_slice(b"data: ");
        let id = message.id.and_then(inside).unwrap_or_default();
        let id = stream_id(id, &self.context);
        write_head(&mut self.head, id.as_deref(), message.model, &self.context, CHUNK);
        self.head.extend_from_slice(b"{\"index\":0,\"delta\":");
        self.write_delta(out, |out| {
            out.extend_from_slice(b"\"role\":\"assistant\",\"content\":\"\"");
        });
    }

    fn on_block_start(&mut self, payload: &Payload<'_>, out: &mut Vec<u8>) {
        self.open(&Message::default(), out);
        self.flush_input(out);
        let raw = payload.content_block;
        let block: Piece<'_> = raw.and_then(|raw| object(raw.get())).unwrap_or_default();
        if block.kind.and_then(text).as_deref() == Some("tool_use") {
            return self.on_tool_use(&block, payload.index.unwrap_or_default(), out);
        }
        self.write_delta(out, |out| {
            let text = block.text.and_then(inside).filter(|text| !text.is_empty());
            self.write_content(text, payload.index, raw, out);
        });
    }

    fn on_tool_use(&mut self, block: &Piece<'_>, index: u64, out: &mut Vec<u8>) {
        self.content = true;
        let tool = self.tools.len() as u64;
        self.tools.push(index);
        self.unsent_input = Some(block.input.map_or("{}", RawValue::get).to_owned());
        self.write_delta(out, |out| {
            out.extend_from_slice(b"\"tool_calls\":[{\"index\":");
            write_number(out, tool);
            out.extend_from_slice(b",\"id\":\"");
            out.extend_from_slice(block.id.and_then(inside).unwrap_or_default().as_bytes());
            out.extend_from_slice(b"\",\"type\":\"function\",\"function\":{\"name\":\"");
            out.extend_from_slice(block.name.and_then(inside).unwrap_or_default().as_bytes());
            out.extend_from_slice(b"\",\"arguments\":\"\"}}]");
        });
    }

    fn on_block_delta(&mut self, payload: &Payload<'_>, out: &mut Vec<u8>) {
        self.content = true;
        self.open(&Message::default(), out);
        let raw = payload.delta;
        let delta: Piece<'_> = raw.and_then(|raw| object(raw.get())).unwrap_or_default();
        let index = payload.index.unwrap_or_default();
        let tool = self.tools.iter().rposition(|block| *block == index);
        if let (Some(tool), Some(json)) = (tool, delta.partial_json.and_then(inside)) {
            if !json.is_empty() {
                self.unsent_input = None;
            }
            return self.write_arguments(tool as u64, out, |out| {
                out.push(b'"');
                out.extend_from_slice(json.as_bytes());
                out.push(b'"');
            });
        }
        self.write_delta(out, |out| {
            self.write_content(delta.text.and_then(inside), payload.index, raw, out);
        });
    }

    fn on_message_delta(&mut self, payload: &Payload<'_>, out: &mut Vec<u8>) {
        self.open(&Message::default(), out);
        self.flush_input(out);
        self.update_usage(payload.usage);
        let raw = payload.delta;
        let delta: Piece<'_> = raw.and_then(|raw| object(raw.get())).unwrap_or_default();
        if let Some(stop_reason) = delta.stop_reason.and_then(text) {
            self.finish(&stop_reason, out);
        }
    }

    fn on_message_stop(&mut self, out: &mut Vec<u8>) {
        self.open(&Message::default(), out);
        self.flush_input(out);
        self.finish("end_turn", out);
        self.state = State::Closed;
        self.facts.complete = true;
        sse::write_done(out);
    }

    /// Sends the finish reason and the usage, once.
    fn finish(&mut self, stop_reason: &str, out: &mut Vec<u8>) {
        if self.state != State::Open {
            return;
        }
        self.state = State::Finished;
        self.content = true;
        let reason = super::finish_reason(stop_reason);
        self.facts.finish_reason = Some(reason.to_owned());
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b"{},\"finish_reason\":");
        let told = if self.context.strict { reason } else { stop_reason };
        write_string(out, told);
        out.extend_from_slice(b"}]");
        usage::write(out, &self.counts.usage());
        out.extend_from_slice(b"}\n\n");
    }

    fn update_usage(&mut self, raw: Option<&RawValue>) {
        if let Some(raw) = raw {
            self.counts.update(raw);
            self.facts.usage = Some(self.counts.usage());
        }
    }

    fn flush_input(&mut self, out: &mut Vec<u8>) {
        let tool = self.tools.len().saturating_sub(1) as u64;
        if let Some(input) = self.unsent_input.take() {
            self.write_arguments(tool, out, |out| write_string(out, &input));
        }
    }

    fn write_arguments(&self, tool: u64, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        self.write_delta(out, |out| {
            out.extend_from_slice(b"\"tool_calls\":[{\"index\":");
            write_number(out, tool);
            out.extend_from_slice(b",\"function\":{\"arguments\":");
            write(out);
            out.extend_from_slice(b"}}]");
        });
    }

    /// The members of a delta for a piece that is no tool call. With strict compliance what is
    /// not text leaves an empty delta, which still tells the client that the model is at work.
    fn write_content(
        &self,
        text: Option<&str>,
        index: Option<u64>,
        piece: Option<&RawValue>,
        out: &mut Vec<u8>,
    ) {
        if let Some(text) = text {
            out.extend_from_slice(b"\"content\":\"");
            out.extend_from_slice(text.as_bytes());
            out.push(b'"');
        }
        let Some(piece) = piece.filter(|_| !self.context.strict) else {
            return;
        };
        let Ok(mut piece) = Object::parse(piece.get().as_bytes()) else {
            return;
        };
        if text.is_some() {
            out.push(b',');
        }
        out.extend_from_slice(b"\"content_blocks\":[{\"index\":");
        write_number(out, index.unwrap_or_default());
        out.extend_from_slice(b",\"delta\":");
        // A reader tells text and thinking by the names of their members, other blocks it cannot.
        if piece.string("type").is_none_or(|kind| {
            matches!(kind.as_str(), "text" | "thinking" | "redacted_thinking")
                || kind.ends_with("_delta")
        }) {
            piece.remove("type");
        }
        write_line(out, &String::from_utf8_lossy(&piece.to_vec()));
        out.extend_from_slice(b"}]");
    }

    fn write_delta(&self, out: &mut Vec<u8>, write_members: impl FnOnce(&mut Vec<u8>)) {
        out.extend_from_slice(&self.head);
        out.push(b'{');
        write_members(out);
        out.extend_from_slice(b"},\"logprobs\":null,\"finish_reason\":null}]}\n\n");
    }
}

/// The id of a stream's chunks: as Portkey's it begins with the provider, but Anthropic's id follows
/// instead of a clock.
fn stream_id(id: &str, context: &Context) -> Option<Box<RawValue>> {
    let id = Some(id).filter(|id| !id.is_empty())?;
    RawValue::from_string(["\"", context.provider, "-", id, "\""].concat()).ok()
}
