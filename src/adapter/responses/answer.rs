//! The response object, whole or so far.

use super::super::Context;
use super::super::chat::Chunk;
use super::super::write::{write_quoted, write_raw};
use super::item::write_list;
use crate::dialect::raw::{inside, write_key, write_number};
use crate::dialect::{Facts, Usage};
use serde_json::value::RawValue;

/// Longest id and model that an answer repeats, in bytes.
const MAX_NAME: usize = 256;

/// What all response objects of an answer have in common. Strings are what stands between the
/// quotes.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// What the ids of the response and of its items have in common.
    pub(super) base: String,
    created: u64,
    model: String,
}

/// How far an answer has come.
pub(super) enum Status<'a> {
    InProgress,
    Completed,
    /// With the reason.
    Incomplete(&'static str),
    /// With OpenAI's code, and a message that is what stands between the quotes.
    Failed(&'static str, &'a str),
}

impl Status<'_> {
    /// The status of an answer that has come to this end.
    pub(super) fn of(finish_reason: Option<&str>) -> Self {
        match finish_reason {
            Some("length" | "max_tokens") => Self::Incomplete("max_output_tokens"),
            Some("content_filter") => Self::Incomplete("content_filter"),
            _ => Self::Completed,
        }
    }

    /// The word for it, also of the item that is last.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
            Self::Failed(..) => "failed",
        }
    }
}

impl Head {
    pub(super) fn new(chunk: &Chunk<'_>, context: &Context) -> Self {
        let some = |raw: Option<&RawValue>| {
            let text = raw.and_then(inside);
            let text = text.filter(|text| !text.is_empty() && text.len() <= MAX_NAME);
            text.map(str::to_owned)
        };
        let created = chunk.created().unwrap_or(context.created);
        let id = some(chunk.id).unwrap_or_else(|| created.to_string());
        let prefixes = ["chatcmpl-", "resp_", "msg_"];
        let base = prefixes.into_iter().find_map(|prefix| id.strip_prefix(prefix));
        Self {
            base: base.unwrap_or(&id).to_owned(),
            created,
            model: some(chunk.model)
                .or_else(|| some(context.echo.model.as_deref()))
                .unwrap_or_default(),
        }
    }

    /// Appends the object; `output` are elements of an array without its brackets. Counts are
    /// those of `facts`, if it is time for them.
    pub(super) fn write(
        &self,
        out: &mut Vec<u8>,
        status: &Status<'_>,
        output: &[u8],
        facts: Option<&Facts>,
        context: &Context,
    ) {
        out.extend_from_slice(b"{\"id\":\"resp_");
        out.extend_from_slice(self.base.as_bytes());
        out.extend_from_slice(b"\",\"object\":\"response\",\"created_at\":");
        write_number(out, self.created);
        write_quoted(out, "status", status.as_str());
        match status {
            Status::Failed(code, message) => {
                out.extend_from_slice(b",\"error\":{");
                write_quoted(out, "code", code);
                write_quoted(out, "message", message);
                out.push(b'}');
            }
            _ => write_raw(out, "error", "null"),
        }
        match status {
            Status::Incomplete(reason) => {
                out.extend_from_slice(b",\"incomplete_details\":{");
                write_quoted(out, "reason", reason);
                out.push(b'}');
            }
            _ => write_raw(out, "incomplete_details", "null"),
        }
        write_quoted(out, "model", &self.model);
        write_list(out, "output", output);
        out.extend_from_slice(&context.echo.members);
        write_key(out, "usage");
        match facts.and_then(|facts| facts.usage) {
            Some(usage) => write_usage(out, &usage),
            None => out.extend_from_slice(b"null"),
        }
        out.push(b'}');
    }
}

fn write_usage(out: &mut Vec<u8>, usage: &Usage) {
    for (name, count) in [
        ("{\"input_tokens\":", usage.prompt_tokens),
        (",\"input_tokens_details\":{\"cached_tokens\":", usage.cached_tokens),
        (",\"cache_write_tokens\":", usage.cache_creation_tokens),
        ("},\"output_tokens\":", usage.completion_tokens),
        (",\"output_tokens_details\":{\"reasoning_tokens\":", usage.reasoning_tokens),
        ("},\"total_tokens\":", usage.total_tokens()),
    ] {
        out.extend_from_slice(name.as_bytes());
        write_number(out, count);
    }
    out.push(b'}');
}
