//! What whole answers and chunks have alike: both are `text_completion` objects.

use super::super::Context;
use super::super::chat::{Choice, Chunk, Piece};
use super::super::write::{write_quoted, write_raw};
use crate::dialect::raw::{inside, write_comma, write_key, write_line, write_number};
use serde_json::value::RawValue;

/// Longest id and model that an answer repeats, in bytes.
const MAX_NAME: usize = 256;

/// Most choices that the prompt is repeated in, which is what OpenAI gives at most.
const MAX_CHOICES: usize = 128;

/// The choices that have begun.
#[derive(Debug, Default)]
pub(super) struct Begun(Vec<u64>);

impl Begun {
    /// Whether a choice begins with this piece of it.
    fn begins(&mut self, index: u64) -> bool {
        let begins = self.0.len() < MAX_CHOICES && !self.0.contains(&index);
        if begins {
            self.0.push(index);
        }
        begins
    }
}

/// Appends an object with these choices.
pub(super) fn write(
    out: &mut Vec<u8>,
    chunk: &Chunk<'_>,
    choices: &[Choice<'_>],
    context: &Context,
    begun: &mut Begun,
) {
    let some = |raw: Option<&RawValue>| {
        let text = raw.and_then(inside).filter(|text| !text.is_empty() && text.len() <= MAX_NAME);
        text.map(str::to_owned)
    };
    let created = chunk.created().unwrap_or(context.created);
    let model = some(chunk.model).or_else(|| some(context.echo.model.as_deref()));
    out.push(b'{');
    write_quoted(out, "id", &some(chunk.id).unwrap_or_else(|| format!("cmpl-{created}")));
    write_quoted(out, "object", "text_completion");
    write_key(out, "created");
    write_number(out, created);
    write_quoted(out, "model", &model.unwrap_or_default());
    if let Some(provider) = some(chunk.provider) {
        write_quoted(out, "provider", &provider);
    }
    write_key(out, "choices");
    out.push(b'[');
    for choice in choices {
        write_comma(out);
        write_choice(out, choice, context, begun);
    }
    out.push(b']');
    if let Some(usage) = chunk.usage.filter(|usage| usage.get().starts_with('{')) {
        write_key(out, "usage");
        write_line(out, usage.get());
    }
    out.push(b'}');
}

/// Appends a choice; reasoning and tool calls have no place in it.
fn write_choice(out: &mut Vec<u8>, choice: &Choice<'_>, context: &Context, begun: &mut Begun) {
    out.extend_from_slice(b"{\"text\":\"");
    let index = choice.index().unwrap_or_default();
    if !context.echo.text.is_empty() && begun.begins(index) {
        out.extend_from_slice(context.echo.text.as_bytes());
    }
    for piece in choice.pieces() {
        if let Piece::Text(text) | Piece::Refusal(text) = piece {
            out.extend_from_slice(text.as_bytes());
        }
    }
    out.push(b'"');
    write_key(out, "index");
    write_number(out, index);
    write_raw(out, "logprobs", "null");
    write_raw(out, "finish_reason", finish_reason(choice));
    out.push(b'}');
}

/// One of the reasons that a completion has.
fn finish_reason(choice: &Choice<'_>) -> &'static str {
    match choice.finish_reason.and_then(inside) {
        None => "null",
        Some("length") => "\"length\"",
        Some("content_filter") => "\"content_filter\"",
        // Calls of tools, and reasons of vendors.
        Some(_) => "\"stop\"",
    }
}

/// Whether a chunk's choice says anything that a completion has a place for.
pub(super) fn says(choice: &Choice<'_>) -> bool {
    choice.finish_reason.and_then(inside).is_some()
        || choice.pieces().iter().any(|it| matches!(it, Piece::Text(_) | Piece::Refusal(_)))
}
