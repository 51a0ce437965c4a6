//! Contents of messages: strings and content parts as content blocks.

use super::super::raw::{array, object, text, write_comma, write_key};
use super::{media, missing, under, wrong_type};
use crate::error::Error;
use serde_json::value::RawValue;

/// Whose content it is: each takes other blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    System,
    User,
    /// `tool_use` blocks are left out when the message has `tool_calls`, which say the same.
    Assistant {
        tool_calls: bool,
    },
    ToolResult,
}

members! {
    /// The members of all kinds of content parts.
    struct Part<'a> {
        kind: Option<&'a RawValue> = "type",
        text: Option<&'a RawValue>,
        refusal: Option<&'a RawValue>,
        image_url: Option<&'a RawValue>,
        file: Option<&'a RawValue>,
        citations: Option<&'a RawValue>,
        cache_control: Option<&'a RawValue>,
    }
}

/// Appends the blocks of a content, a string or an array of parts, to an array that is open.
///
/// `cache_control` is the message's own, for a content that is a string.
///
/// # Errors
/// A part that Anthropic has no block for; `param` is relative to the content.
pub(super) fn write_blocks(
    out: &mut Vec<u8>,
    content: &str,
    cache_control: Option<&RawValue>,
    place: Place,
) -> Result<(), Error> {
    if content.starts_with('"') {
        write_text(out, content, None, cache_control);
        return Ok(());
    }
    let Some(parts) = array(content) else {
        let message = "content must be a string or an array of content parts";
        return Err(Error::invalid("invalid_type", message));
    };
    for (at, part) in parts.into_iter().enumerate() {
        write_part(out, part, place).map_err(|error| under(error, &format!("[{at}]")))?;
    }
    Ok(())
}

fn write_part(out: &mut Vec<u8>, raw: &RawValue, place: Place) -> Result<(), Error> {
    let Some(part) = object::<Part<'_>>(raw.get()) else {
        let message = "a content part must be an object without duplicate members";
        return Err(Error::invalid("invalid_type", message));
    };
    let kind = part.kind.and_then(text).ok_or_else(|| missing("type"))?;
    let takes_media = matches!(place, Place::User | Place::ToolResult);
    match kind.as_ref() {
        "text" => {
            let text = string_member(part.text, "text")?;
            write_text(out, text.get(), part.citations, part.cache_control);
        }
        "refusal" if matches!(place, Place::Assistant { .. }) => {
            let text = string_member(part.refusal, "refusal")?;
            write_text(out, text.get(), None, part.cache_control);
        }
        "image_url" if takes_media => {
            write_comma(out);
            media::write_image(out, part.image_url.ok_or_else(|| missing("image_url"))?)?;
            end_block(out, part.cache_control);
        }
        "file" if takes_media => {
            write_comma(out);
            media::write_file(out, part.file.ok_or_else(|| missing("file"))?)?;
            end_block(out, part.cache_control);
        }
        "tool_use" if place == (Place::Assistant { tool_calls: true }) => {}
        kind if is_native(kind, place) => {
            write_comma(out);
            out.extend_from_slice(raw.get().as_bytes());
        }
        kind => return Err(unsupported(kind)),
    }
    Ok(())
}

/// Whether a part is one of Anthropic's own blocks, which pass as they are.
fn is_native(kind: &str, place: Place) -> bool {
    match place {
        Place::System => false,
        Place::User => matches!(
            kind,
            "image" | "document" | "search_result" | "container_upload" | "tool_result"
        ),
        Place::ToolResult => {
            matches!(kind, "image" | "document" | "search_result" | "tool_reference")
        }
        // Answers that come back: thinking and a growing number of server tools' blocks.
        Place::Assistant { .. } => {
            !matches!(kind, "image_url" | "input_audio" | "audio" | "file" | "refusal")
        }
    }
}

fn string_member<'a>(raw: Option<&'a RawValue>, name: &str) -> Result<&'a RawValue, Error> {
    let raw = raw.ok_or_else(|| missing(name))?;
    match raw.get().starts_with('"') {
        true => Ok(raw),
        false => Err(wrong_type(name, "a string")),
    }
}

/// Appends a text block; `text` is raw JSON. Anthropic refuses empty ones, so they are left out.
pub(super) fn write_text(
    out: &mut Vec<u8>,
    text: &str,
    citations: Option<&RawValue>,
    cache_control: Option<&RawValue>,
) {
    if text == "\"\"" {
        return;
    }
    write_comma(out);
    out.extend_from_slice(b"{\"type\":\"text\",\"text\":");
    out.extend_from_slice(text.as_bytes());
    if let Some(citations) = citations {
        write_key(out, "citations");
        out.extend_from_slice(citations.get().as_bytes());
    }
    end_block(out, cache_control);
}

/// Closes a block, with its `cache_control` as it is (Portkey loses the `ttl`).
pub(super) fn end_block(out: &mut Vec<u8>, cache_control: Option<&RawValue>) {
    if let Some(cache_control) = cache_control {
        write_key(out, "cache_control");
        out.extend_from_slice(cache_control.get().as_bytes());
    }
    out.push(b'}');
}

fn unsupported(kind: &str) -> Error {
    let kind: String = kind.chars().take(64).collect();
    let message = format!("content of type {kind:?} is not supported by anthropic here");
    Error::invalid("unsupported_content", message)
}
