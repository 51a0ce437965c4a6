//! A streamed chat completion as the events of the Messages API
//! (<https://docs.anthropic.com/en/docs/build-with-claude/streaming>).

use super::super::Context;
use super::super::calls::{Calls, Step};
use super::super::chat::{Chunk, Piece};
use super::super::error;
use super::super::write::{begin_event, end_event, write_quoted, write_raw};
use super::response::{write_head, write_id};
use super::{stop_reason, usage};
use crate::dialect::Facts;
use crate::dialect::raw::{write_key, write_number};
use serde_json::value::RawValue;

/// Where a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No chunk yet.
    Waiting,
    /// `message_start` is sent.
    Open,
    /// `message_stop` or an error is sent: nothing may follow.
    Closed,
}

/// A kind of content block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Thinking,
    Text,
    ToolUse,
}

/// State of one streamed answer.
#[derive(Debug)]
pub struct Stream {
    context: Context,
    state: State,
    calls: Calls,
    blocks: Blocks,
    refused: bool,
}

impl Stream {
    /// A translator at the start of a stream.
    pub(in crate::adapter) fn new(context: Context) -> Self {
        Self {
            context,
            state: State::Waiting,
            calls: Calls::default(),
            blocks: Blocks::default(),
            refused: false,
        }
    }

    pub(in crate::adapter) fn on_chunk(
        &mut self,
        chunk: &Chunk<'_>,
        facts: &Facts,
        out: &mut Vec<u8>,
    ) {
        if self.state == State::Closed {
            return;
        }
        if chunk.error.is_some_and(|error| error.get() != "null") {
            return self.fail(chunk.error, error::UNKNOWN, out);
        }
        if !chunk.has_choices() {
            return;
        }
        self.open(chunk, facts, out);
        let Some(choice) = chunk.choice() else { return };
        for piece in choice.pieces() {
            self.on_piece(&piece, out);
        }
    }

    /// The stream is complete.
    pub(in crate::adapter) fn finish(&mut self, facts: &Facts, out: &mut Vec<u8>) {
        if self.state == State::Closed {
            return;
        }
        self.open(&Chunk::default(), facts, out);
        self.state = State::Closed;
        let Self { calls, blocks, context, .. } = self;
        calls.finish(&mut |step| blocks.on_step(&step, context, out));
        blocks.close(out);
        let reason = match self.refused {
            true => "refusal",
            false => stop_reason(facts.finish_reason.as_deref(), !self.calls.is_empty()),
        };
        begin_event(out, "message_delta");
        write_key(out, "delta");
        out.push(b'{');
        write_quoted(out, "stop_reason", reason);
        write_raw(out, "stop_sequence", "null");
        out.extend_from_slice(b"},");
        usage::write(out, facts, false);
        end_event(out);
        begin_event(out, "message_stop");
        end_event(out);
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
        self.state = State::Closed;
        out.extend_from_slice(b"event: error\ndata: {");
        match error {
            Some(error) => error::write_chunk(out, error),
            None => error::write_failure(out, "api_error", reason),
        }
        end_event(out);
    }

    /// Sends the first event, once. The counts are those that are known by now.
    fn open(&mut self, chunk: &Chunk<'_>, facts: &Facts, out: &mut Vec<u8>) {
        if self.state != State::Waiting {
            return;
        }
        self.state = State::Open;
        begin_event(out, "message_start");
        write_key(out, "message");
        out.push(b'{');
        write_head(out, chunk, &self.context);
        write_raw(out, "content", "[]");
        write_raw(out, "stop_reason", "null");
        write_raw(out, "stop_sequence", "null");
        out.push(b',');
        usage::write(out, facts, true);
        out.push(b'}');
        end_event(out);
    }

    fn on_piece(&mut self, piece: &Piece<'_>, out: &mut Vec<u8>) {
        let Self { calls, blocks, context, refused, .. } = self;
        if !matches!(piece, Piece::Call(_)) {
            calls.finish(&mut |step| blocks.on_step(&step, context, out));
        }
        match piece {
            Piece::Thinking(text) => {
                blocks.open(Block::Thinking, out);
                blocks.delta("thinking_delta", "thinking", text, out);
            }
            Piece::Signature(signature) => {
                blocks.open(Block::Thinking, out);
                blocks.delta("signature_delta", "signature", signature, out);
                blocks.close(out);
            }
            Piece::Redacted(data) => blocks.redacted(data, out),
            Piece::Text(text) | Piece::Refusal(text) => {
                *refused |= matches!(piece, Piece::Refusal(_));
                blocks.open(Block::Text, out);
                blocks.delta("text_delta", "text", text, out);
            }
            Piece::Call(call) => {
                calls.on_piece(call, &mut |step| blocks.on_step(&step, context, out));
            }
        }
    }
}

/// The content blocks: one after the other, each closed before the next begins.
#[derive(Debug, Default)]
struct Blocks {
    /// The one that is open.
    open: Option<Block>,
    /// How many are over.
    over: u64,
}

impl Blocks {
    fn on_step(&mut self, step: &Step<'_>, context: &Context, out: &mut Vec<u8>) {
        match step {
            Step::Begin { number, id, name } => {
                self.start(Block::ToolUse, out, |out| {
                    out.extend_from_slice(b"{\"type\":\"tool_use\",\"id\":\"");
                    write_id(out, id, *number, context);
                    out.push(b'"');
                    write_quoted(out, "name", name);
                    out.extend_from_slice(b",\"input\":{}}");
                });
            }
            Step::Arguments(text) => self.delta("input_json_delta", "partial_json", text, out),
        }
    }

    /// Opens a block of text or reasoning, unless it is open.
    fn open(&mut self, kind: Block, out: &mut Vec<u8>) {
        if self.open == Some(kind) {
            return;
        }
        let empty = match kind {
            Block::Thinking => "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}",
            _ => "{\"type\":\"text\",\"text\":\"\"}",
        };
        self.start(kind, out, |out| out.extend_from_slice(empty.as_bytes()));
    }

    fn redacted(&mut self, data: &str, out: &mut Vec<u8>) {
        self.start(Block::Thinking, out, |out| {
            out.extend_from_slice(b"{\"type\":\"redacted_thinking\"");
            write_quoted(out, "data", data);
            out.push(b'}');
        });
        self.close(out);
    }

    fn start(&mut self, kind: Block, out: &mut Vec<u8>, write_block: impl FnOnce(&mut Vec<u8>)) {
        self.close(out);
        self.open = Some(kind);
        begin_event(out, "content_block_start");
        self.write_index(out);
        write_key(out, "content_block");
        write_block(out);
        end_event(out);
    }

    fn delta(&self, kind: &str, member: &str, text: &str, out: &mut Vec<u8>) {
        begin_event(out, "content_block_delta");
        self.write_index(out);
        write_key(out, "delta");
        out.push(b'{');
        write_quoted(out, "type", kind);
        write_quoted(out, member, text);
        out.push(b'}');
        end_event(out);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            begin_event(out, "content_block_stop");
            self.write_index(out);
            end_event(out);
            self.over += 1;
        }
    }

    fn write_index(&self, out: &mut Vec<u8>) {
        write_key(out, "index");
        write_number(out, self.over);
    }
}
