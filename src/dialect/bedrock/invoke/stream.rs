//! A streamed completion: each frame has a chunk of the model's own format, in base64
//! (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html>).

use super::super::super::completion::write_head;
use super::super::super::raw::{inside, object};
use super::super::super::{Context, Facts, Usage, failure};
use super::super::stream::error_object;
use super::generated::{KIND, Piece, finish_reason, parse, write_choice, write_usage};
use crate::base64;
use crate::stream::{Event, sse};
use serde_json::value::RawValue;

/// State of one streamed completion.
#[derive(Debug)]
pub struct Stream {
    pub(in crate::dialect) facts: Facts,
    context: Context,
    /// The model's reason to stop, once it is known.
    reason: Option<String>,
    /// `[DONE]` or an error event is sent: nothing may follow.
    closed: bool,
    /// Anything of an answer has come.
    pub(in crate::dialect) content: bool,
}

members! {
    /// The payload of a frame.
    struct Chunk<'a> {
        bytes: &'a RawValue,
    }
}

impl Stream {
    /// A translator at the start of a stream.
    pub fn new(context: Context) -> Self {
        let facts = Facts::default();
        Self { facts, context, reason: None, closed: false, content: false }
    }

    pub(in crate::dialect) fn on_event(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        if self.closed {
            return;
        }
        if event.failed {
            self.closed = true;
            let error = error_object(event);
            let raw = serde_json::from_str(&error).ok();
            return failure::write_event(out, raw, self.context.provider, &mut self.facts);
        }
        let data = std::str::from_utf8(event.data).ok().map(str::trim_start);
        let chunk = data.and_then(object::<Chunk<'_>>).and_then(|chunk| inside(chunk.bytes));
        let bytes = chunk.and_then(|chunk| base64::decode(chunk.as_bytes()));
        let text = bytes.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok());
        // What cannot be read does not end the stream: the pieces around it are still good.
        let Some((pieces, usage)) = text.and_then(|text| parse(text.trim_start())) else { return };
        for (index, piece) in (0..).zip(pieces) {
            if piece.text.is_some_and(|text| !text.is_empty()) {
                self.content = true;
                self.write(out, index, &piece, None, None);
            }
            if index == 0 && piece.reason.is_some() {
                self.content = true;
                self.reason = piece.reason;
            }
        }
        self.facts.usage = usage.map(|usage| self.add(usage)).or(self.facts.usage);
    }

    /// Input is counted in the first chunk, output in the last, or both in each.
    fn add(&self, usage: Usage) -> Usage {
        let before = self.facts.usage.unwrap_or_default();
        Usage {
            prompt_tokens: usage.prompt_tokens.max(before.prompt_tokens),
            completion_tokens: usage.completion_tokens.max(before.completion_tokens),
            ..usage
        }
    }

    pub(in crate::dialect) fn on_end(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        let Some(reason) = self.reason.take() else {
            return failure::write_truncated(out, self.context.provider, &mut self.facts);
        };
        let openais = finish_reason(&reason);
        self.facts.complete = true;
        self.facts.finish_reason = Some(openais.to_owned());
        let told = if self.context.strict { openais } else { &reason };
        self.facts.usage = self.facts.usage.or(self.context.counted);
        self.write(out, 0, &Piece::default(), Some(told), Some(self.facts.usage));
        sse::write_done(out);
    }

    fn write(
        &self,
        out: &mut Vec<u8>,
        index: u64,
        piece: &Piece<'_>,
        reason: Option<&str>,
        usage: Option<Option<Usage>>,
    ) {
        out.extend_from_slice(b"data: ");
        write_head(out, None, None, &self.context, KIND);
        write_choice(out, index, piece, reason);
        out.push(b']');
        if let Some(usage) = usage {
            write_usage(out, usage);
        }
        out.extend_from_slice(b"}\n\n");
    }
}
