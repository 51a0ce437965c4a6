//! A streamed chat completion as the chunks of a completion.

use super::super::Context;
use super::super::chat::{Choice, Chunk};
use super::super::error::UNKNOWN;
use super::answer::{Begun, says, write};
use crate::dialect::raw::{write_line, write_member};
use serde_json::value::RawValue;

/// State of one streamed answer.
#[derive(Debug)]
pub struct Stream {
    context: Context,
    begun: Begun,
    /// The last event is sent: nothing may follow.
    closed: bool,
}

impl Stream {
    /// A translator at the start of a stream.
    pub(in crate::adapter) fn new(context: Context) -> Self {
        Self { context, begun: Begun::default(), closed: false }
    }

    pub(in crate::adapter) fn on_chunk(&mut self, chunk: &Chunk<'_>, out: &mut Vec<u8>) {
        if self.closed {
            return;
        }
        if chunk.error.is_some_and(|error| error.get() != "null") {
            return self.fail(chunk.error, UNKNOWN, out);
        }
        let choices: Vec<Choice<'_>> = chunk.choices().into_iter().filter(says).collect();
        let has_usage = chunk.usage.is_some_and(|usage| usage.get().starts_with('{'));
        if chunk.has_choices() && (has_usage || !choices.is_empty()) {
            out.extend_from_slice(b"data: ");
            write(out, chunk, &choices, &self.context, &mut self.begun);
            out.extend_from_slice(b"\n\n");
        }
    }

    /// The stream is complete.
    pub(in crate::adapter) fn finish(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.closed, true) {
            out.extend_from_slice(b"data: [DONE]\n\n");
        }
    }

    /// The stream has failed: with this `error` member of a chunk, or else for this reason.
    pub(in crate::adapter) fn fail(
        &mut self,
        error: Option<&RawValue>,
        reason: &str,
        out: &mut Vec<u8>,
    ) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        out.extend_from_slice(b"data: {\"error\":");
        match error {
            Some(error) => write_line(out, error.get()),
            None => {
                out.push(b'{');
                write_member(out, "message", reason);
                out.extend_from_slice(b",\"type\":\"api_error\",\"param\":null,\"code\":null}");
            }
        }
        out.extend_from_slice(b"}\n\n");
    }
}
