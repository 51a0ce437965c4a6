//! Members of messages and deltas: tool calls, content blocks, refusals.

use super::super::Context;
use super::super::completion::{write_array, write_id};
use super::super::raw::{compact, inside, write_key, write_line, write_number};
use super::answer::{Block, Call, Feedback};
use crate::json::write_string;
use serde_json::value::RawValue;

/// What tool calls are written with.
pub(super) struct Calls<'c> {
    /// Id of the response, from which calls without an id get one.
    pub(super) response_id: Option<&'c RawValue>,
    /// Index of the choice.
    pub(super) choice: u64,
    /// Number of the choice's calls before these.
    pub(super) before: u64,
    /// Whether calls carry their index, as in deltas.
    pub(super) indexed: bool,
}

impl Calls<'_> {
    /// Appends the member `tool_calls`.
    pub(super) fn write(&self, out: &mut Vec<u8>, calls: &[Call<'_>], context: &Context) {
        write_key(out, "tool_calls");
        out.push(b'[');
        for (index, call) in (self.before..).zip(calls) {
            if index > self.before {
                out.push(b',');
            }
            out.push(b'{');
            if self.indexed {
                write_key(out, "index");
                write_number(out, index);
            }
            write_key(out, "id");
            out.push(b'"');
            match call.id {
                Some(id) => out.extend_from_slice(id.as_bytes()),
                None => self.write_id(out, index, context),
            }
            out.extend_from_slice(b"\",\"type\":\"function\",\"function\":{\"name\":\"");
            out.extend_from_slice(call.name.as_bytes());
            out.extend_from_slice(b"\",\"arguments\":");
            write_string(out, &compact(call.args));
            if let Some(signature) = call.signature.filter(|_| !context.strict) {
                write_quoted(out, "thought_signature", signature);
            }
            out.extend_from_slice(b"}}");
        }
        out.push(b']');
    }

    /// The same for the same response, and another for every call of it.
    fn write_id(&self, out: &mut Vec<u8>, index: u64, context: &Context) {
        out.extend_from_slice(b"call_");
        write_id(out, self.response_id, "", context);
        if self.choice > 0 {
            out.push(b'_');
            write_number(out, self.choice);
        }
        out.push(b'_');
        write_number(out, index);
    }
}

/// Appends a content block, as Portkey has them for all providers.
pub(super) fn write_block(out: &mut Vec<u8>, block: &Block<'_>) {
    match block {
        Block::Thinking(text) => {
            out.extend_from_slice(b"{\"type\":\"thinking\"");
            write_quoted(out, "thinking", text);
            out.push(b'}');
        }
        Block::Text(text) => {
            out.extend_from_slice(b"{\"type\":\"text\"");
            write_quoted(out, "text", text);
            out.push(b'}');
        }
        Block::Image(media_type, data) => {
            out.extend_from_slice(b"{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:");
            out.extend_from_slice(media_type.as_bytes());
            out.extend_from_slice(b";base64,");
            out.extend_from_slice(data.as_bytes());
            out.extend_from_slice(b"\"}}");
        }
        Block::Other(part) => write_line(out, part),
    }
}

/// Appends the member `content_blocks` of a whole message.
pub(super) fn write_blocks(out: &mut Vec<u8>, blocks: &[Block<'_>]) {
    write_key(out, "content_blocks");
    write_array(out, blocks, write_block);
}

/// Appends a block to the member `content_blocks` of a delta, which the `first` one opens.
pub(super) fn write_block_delta(out: &mut Vec<u8>, first: bool, number: u64, block: &Block<'_>) {
    match first {
        true => {
            write_key(out, "content_blocks");
            out.push(b'[');
        }
        false => out.push(b','),
    }
    out.extend_from_slice(b"{\"index\":");
    write_number(out, number);
    out.extend_from_slice(b",\"delta\":");
    match block {
        // A reader tells these by the names of their members.
        Block::Thinking(text) => {
            out.push(b'{');
            write_quoted(out, "thinking", text);
            out.push(b'}');
        }
        Block::Text(text) => {
            out.push(b'{');
            write_quoted(out, "text", text);
            out.push(b'}');
        }
        block => write_block(out, block),
    }
    out.push(b'}');
}

/// Appends the member `refusal`: why there is no answer to the prompt.
pub(super) fn write_refusal(out: &mut Vec<u8>, feedback: &Feedback<'_>) {
    let reason = feedback.block_reason.and_then(inside).unwrap_or_default();
    let message = feedback.block_reason_message.and_then(inside);
    write_quoted(out, "refusal", message.unwrap_or(reason));
}

/// Appends a string member whose value is escaped already.
pub(super) fn write_quoted(out: &mut Vec<u8>, key: &str, value: &str) {
    write_key(out, key);
    out.push(b'"');
    out.extend_from_slice(value.as_bytes());
    out.push(b'"');
}
