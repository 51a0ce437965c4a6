//! Contents of messages: strings and content parts as Gemini's parts.

use super::super::raw::{array, inside, object, text, write_comma, write_key};
use super::{media, missing, under, wrong_type};
use crate::error::Error;
use serde_json::value::RawValue;

/// Whose content it is: the system has no media, only the assistant refuses or thinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    System,
    User,
    Assistant,
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
    }
}

/// Appends the parts of a content, a string or an array, to an array that is open.
///
/// # Errors
/// A part that Gemini has nothing for; `param` is relative to the content.
pub(super) fn write_parts(out: &mut Vec<u8>, content: &str, place: Place) -> Result<(), Error> {
    if content.starts_with('"') {
        write_text(out, content);
        return Ok(());
    }
    each_part(content, |part, kind| {
        match kind {
            "text" => write_text(out, string(part.text, "text")?.get()),
            "refusal" if place == Place::Assistant => {
                write_text(out, string(part.refusal, "refusal")?.get());
            }
            // Gemini does not want its thoughts back.
            "thinking" | "redacted_thinking" if place == Place::Assistant => {}
            _ if place == Place::System => return Err(unsupported(kind)),
            _ => write_media(out, part, kind)?,
        }
        Ok(())
    })
}

/// Appends the members `response` and, for media, `parts` of a `functionResponse`; `key` is
/// Gemini's name for what the content is.
///
/// # Errors
/// As [`write_parts`].
pub(super) fn write_result(
    out: &mut Vec<u8>,
    key: &str,
    content: Option<&RawValue>,
) -> Result<(), Error> {
    let mut media = b"[".to_vec();
    write_key(out, "response");
    out.push(b'{');
    write_key(out, key);
    out.push(b'"');
    match content.map(|raw| (raw.get(), inside(raw))) {
        None => {}
        Some((_, Some(text))) => out.extend_from_slice(text.as_bytes()),
        Some((parts, None)) => each_part(parts, |part, kind| {
            if kind != "text" {
                return write_media(&mut media, part, kind);
            }
            let text = inside(string(part.text, "text")?).unwrap_or_default();
            out.extend_from_slice(text.as_bytes());
            Ok(())
        })?,
    }
    out.extend_from_slice(b"\"}");
    if media.len() > 1 {
        write_key(out, "parts");
        out.extend_from_slice(&media);
        out.push(b']');
    }
    Ok(())
}

/// Appends a text part; `text` is raw JSON. Gemini refuses empty ones, so they are left out.
pub(super) fn write_text(out: &mut Vec<u8>, text: &str) {
    if text != "\"\"" {
        write_comma(out);
        out.extend_from_slice(b"{\"text\":");
        out.extend_from_slice(text.as_bytes());
        out.push(b'}');
    }
}

/// Calls `on_part` with each part of an array and its type.
fn each_part(
    content: &str,
    mut on_part: impl FnMut(&Part<'_>, &str) -> Result<(), Error>,
) -> Result<(), Error> {
    let Some(parts) = array(content) else {
        let message = "content must be a string or an array of content parts";
        return Err(Error::invalid("invalid_type", message));
    };
    let mut read = |raw: &RawValue| {
        let Some(part) = object::<Part<'_>>(raw.get()) else {
            let message = "a content part must be an object without duplicate members";
            return Err(Error::invalid("invalid_type", message));
        };
        let kind = part.kind.and_then(text).ok_or_else(|| missing("type"))?;
        on_part(&part, &kind)
    };
    for (at, raw) in parts.into_iter().enumerate() {
        read(raw).map_err(|error| under(error, &format!("[{at}]")))?;
    }
    Ok(())
}

fn write_media(out: &mut Vec<u8>, part: &Part<'_>, kind: &str) -> Result<(), Error> {
    write_comma(out);
    match kind {
        "image_url" => media::write_image(out, part.image_url.ok_or_else(|| missing(kind))?),
        "input_audio" => media::write_audio(out, part.input_audio.ok_or_else(|| missing(kind))?),
        "file" => media::write_file(out, part.file.ok_or_else(|| missing(kind))?),
        _ => Err(unsupported(kind)),
    }
}

fn string<'a>(raw: Option<&'a RawValue>, name: &str) -> Result<&'a RawValue, Error> {
    let raw = raw.ok_or_else(|| missing(name))?;
    match raw.get().starts_with('"') {
        true => Ok(raw),
        false => Err(wrong_type(name, "a string")),
    }
}

fn unsupported(kind: &str) -> Error {
    let kind: String = kind.chars().take(64).collect();
    let message = format!("content of type {kind:?} is not supported by google here");
    Error::invalid("unsupported_content", message)
}
