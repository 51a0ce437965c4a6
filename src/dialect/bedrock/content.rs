//! Contents of messages: strings and content parts as Converse's content blocks.

use super::super::raw::{array, object, text, write_comma, write_key, write_member};
use super::document::Names;
use super::{media, missing, under, wrong_type};
use crate::error::Error;
use serde_json::value::RawValue;

/// Whose content it is: each takes other parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    System,
    User,
    /// `tool_use` blocks are left out when the message has `tool_calls`, which say the same.
    Assistant {
        tool_calls: bool,
    },
    /// The content blocks of an earlier answer, of any provider: what Converse has nothing for is
    /// left out.
    Blocks {
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
        input_audio: Option<&'a RawValue>,
        file: Option<&'a RawValue>,
        json: Option<&'a RawValue>,
        thinking: Option<&'a RawValue>,
        signature: Option<&'a RawValue>,
        /// Of thinking that is not shown.
        data: Option<&'a RawValue>,
        id: Option<&'a RawValue>,
        name: Option<&'a RawValue>,
        input: Option<&'a RawValue>,
        cache_control: Option<&'a RawValue>,
    }
}

/// Appends the blocks of a content, a string or an array of parts, to an array that is open.
///
/// `cache_control` is the message's own, for a content that is a string.
///
/// # Errors
/// A part that Converse has no block for; `param` is relative to the content.
pub(super) fn write(
    out: &mut Vec<u8>,
    content: &str,
    cache_control: Option<&RawValue>,
    place: Place,
    names: &mut Names,
) -> Result<(), Error> {
    if content.starts_with('"') {
        if write_text(out, content) {
            write_cache_point(out, cache_control);
        }
        return Ok(());
    }
    // OpenAI's clients send null for an assistant's content that is calls alone.
    if content == "null" && matches!(place, Place::Assistant { .. } | Place::Blocks { .. }) {
        return Ok(());
    }
    let Some(parts) = array(content) else {
        let message = "content must be a string or an array of content parts";
        return Err(Error::invalid("invalid_type", message));
    };
    for (at, part) in parts.into_iter().enumerate() {
        write_part(out, part, place, names).map_err(|error| under(error, &format!("[{at}]")))?;
    }
    Ok(())
}

fn write_part(
    out: &mut Vec<u8>,
    raw: &RawValue,
    place: Place,
    names: &mut Names,
) -> Result<(), Error> {
    let Some(part) = object::<Part<'_>>(raw.get()) else {
        let message = "a content part must be an object without duplicate members";
        return Err(Error::invalid("invalid_type", message));
    };
    let kind = part.kind.and_then(text).ok_or_else(|| missing("type"))?;
    let before = out.len();
    match (kind.as_ref(), place) {
        ("text", _) => _ = write_text(out, string_member(part.text, "text")?.get()),
        ("refusal", Place::Assistant { .. }) => {
            _ = write_text(out, string_member(part.refusal, "refusal")?.get());
        }
        ("image_url", Place::User | Place::ToolResult) => {
            let image = part.image_url.ok_or_else(|| missing("image_url"))?;
            media::write_image(out, image, names)?;
        }
        ("file", Place::User | Place::ToolResult) => {
            media::write_file(out, part.file.ok_or_else(|| missing("file"))?, names)?;
        }
        ("input_audio", Place::User) => {
            media::write_audio(out, part.input_audio.ok_or_else(|| missing("input_audio"))?)?;
        }
        ("json", Place::ToolResult) => {
            write_comma(out);
            out.extend_from_slice(b"{\"json\":");
            out.extend_from_slice(part.json.ok_or_else(|| missing("json"))?.get().as_bytes());
            out.push(b'}');
        }
        ("thinking", Place::Assistant { .. } | Place::Blocks { .. }) => write_thinking(out, &part)?,
        ("redacted_thinking", Place::Assistant { .. } | Place::Blocks { .. }) => {
            let data = string_member(part.data, "data")?;
            write_comma(out);
            out.extend_from_slice(b"{\"reasoningContent\":{\"redactedContent\":");
            out.extend_from_slice(data.get().as_bytes());
            out.extend_from_slice(b"}}");
        }
        ("tool_use", Place::Assistant { tool_calls } | Place::Blocks { tool_calls }) => {
            if !tool_calls {
                let id = part.id.and_then(text).ok_or_else(|| missing("id"))?;
                let name = part.name.and_then(text).ok_or_else(|| missing("name"))?;
                write_tool_use(out, &id, &name, part.input.map_or("{}", RawValue::get));
            }
        }
        (_, Place::Blocks { .. }) => {}
        (kind, _) => return Err(unsupported(kind)),
    }
    // A tool result has no place for a cache point within it.
    if out.len() > before && place != Place::ToolResult {
        write_cache_point(out, part.cache_control);
    }
    Ok(())
}

fn string_member<'a>(raw: Option<&'a RawValue>, name: &str) -> Result<&'a RawValue, Error> {
    let raw = raw.ok_or_else(|| missing(name))?;
    match raw.get().starts_with('"') {
        true => Ok(raw),
        false => Err(wrong_type(name, "a string")),
    }
}

/// Appends a text block; `text` is raw JSON. Converse refuses empty ones, so they are left out;
/// tells whether it was not.
pub(super) fn write_text(out: &mut Vec<u8>, text: &str) -> bool {
    if text == "\"\"" {
        return false;
    }
    write_comma(out);
    out.extend_from_slice(b"{\"text\":");
    out.extend_from_slice(text.as_bytes());
    out.push(b'}');
    true
}

/// What the model thought, with the signature that proves it.
fn write_thinking(out: &mut Vec<u8>, part: &Part<'_>) -> Result<(), Error> {
    let thinking = string_member(part.thinking, "thinking")?;
    write_comma(out);
    out.extend_from_slice(b"{\"reasoningContent\":{\"reasoningText\":{\"text\":");
    out.extend_from_slice(thinking.get().as_bytes());
    if let Some(signature) = part.signature.filter(|raw| raw.get().starts_with('"')) {
        write_key(out, "signature");
        out.extend_from_slice(signature.get().as_bytes());
    }
    out.extend_from_slice(b"}}}");
    Ok(())
}

/// Appends a call of a tool; `input` is raw JSON.
pub(super) fn write_tool_use(out: &mut Vec<u8>, id: &str, name: &str, input: &str) {
    write_comma(out);
    out.extend_from_slice(b"{\"toolUse\":{");
    write_member(out, "toolUseId", id);
    write_member(out, "name", name);
    write_key(out, "input");
    out.extend_from_slice(input.as_bytes());
    out.extend_from_slice(b"}}");
}

/// Appends the block that says that all before it may be cached, if there is a `cache_control`.
pub(super) fn write_cache_point(out: &mut Vec<u8>, cache_control: Option<&RawValue>) {
    members! {
        struct CacheControl<'a> {
            ttl: Option<&'a RawValue>,
        }
    }
    let control = cache_control.and_then(|raw| object::<CacheControl<'_>>(raw.get()));
    let Some(control) = control else { return };
    write_comma(out);
    out.extend_from_slice(b"{\"cachePoint\":{\"type\":\"default\"");
    if let Some(ttl) = control.ttl.and_then(text) {
        write_member(out, "ttl", &ttl);
    }
    out.extend_from_slice(b"}}");
}

fn unsupported(kind: &str) -> Error {
    let kind: String = kind.chars().take(64).collect();
    let message = format!("content of type {kind:?} is not supported by bedrock here");
    Error::invalid("unsupported_content", message)
}
