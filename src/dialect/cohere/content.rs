//! Contents of messages: strings and content parts as Cohere's.

use super::super::data_uri::DataUri;
use super::super::raw::{array, object, text, write_comma, write_key, write_member};
use super::{missing, under, wrong_type};
use crate::error::Error;
use serde_json::value::RawValue;

/// Whose content it is: each takes other parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    System,
    User,
    Assistant,
    /// The content blocks of an earlier answer, of any provider: what Cohere has nothing for is
    /// left out.
    Blocks,
    ToolResult,
}

members! {
    /// The members of all kinds of content parts.
    struct Part<'a> {
        kind: Option<&'a RawValue> = "type",
        text: Option<&'a RawValue>,
        thinking: Option<&'a RawValue>,
        refusal: Option<&'a RawValue>,
        image_url: Option<&'a RawValue>,
        document: Option<&'a RawValue>,
    }

    struct ImageUrl<'a> {
        url: Option<&'a RawValue>,
        detail: Option<&'a RawValue>,
    }
}

/// Appends a content, a string or an array of parts.
///
/// # Errors
/// A part that Cohere has nothing for; `param` is relative to the content.
pub(super) fn write(out: &mut Vec<u8>, content: &str, place: Place) -> Result<(), Error> {
    if content.starts_with('"') {
        out.extend_from_slice(content.as_bytes());
        return Ok(());
    }
    let Some(parts) = array(content) else {
        let message = "content must be a string or an array of content parts";
        return Err(Error::invalid("invalid_type", message));
    };
    out.push(b'[');
    for (at, part) in parts.into_iter().enumerate() {
        write_part(out, part, place).map_err(|error| under(error, &format!("[{at}]")))?;
    }
    out.push(b']');
    Ok(())
}

fn write_part(out: &mut Vec<u8>, raw: &RawValue, place: Place) -> Result<(), Error> {
    let Some(part) = object::<Part<'_>>(raw.get()) else {
        let message = "a content part must be an object without duplicate members";
        return Err(Error::invalid("invalid_type", message));
    };
    let kind = part.kind.and_then(text).ok_or_else(|| missing("type"))?;
    match (kind.as_ref(), place) {
        ("text", _) => write_piece(out, "text", "text", part.text),
        ("refusal", Place::Assistant) => write_piece(out, "text", "refusal", part.refusal),
        ("thinking", Place::Assistant | Place::Blocks) => {
            write_piece(out, "thinking", "thinking", part.thinking)
        }
        ("image_url", Place::User) => {
            write_image(out, part.image_url.ok_or_else(|| missing("image_url"))?)
        }
        ("document", Place::ToolResult) => {
            let document = part.document.ok_or_else(|| missing("document"))?;
            write_comma(out);
            out.extend_from_slice(b"{\"type\":\"document\",\"document\":");
            out.extend_from_slice(document.get().as_bytes());
            out.push(b'}');
            Ok(())
        }
        (_, Place::Blocks) => Ok(()),
        (kind, _) => Err(unsupported(kind)),
    }
}

/// Appends a part of text; `name` is the client's name for it, `kind` Cohere's.
fn write_piece(
    out: &mut Vec<u8>,
    kind: &str,
    name: &str,
    raw: Option<&RawValue>,
) -> Result<(), Error> {
    let raw = raw.ok_or_else(|| missing(name))?;
    if !raw.get().starts_with('"') {
        return Err(wrong_type(name, "a string"));
    }
    write_comma(out);
    out.push(b'{');
    write_member(out, "type", kind);
    write_key(out, kind);
    out.extend_from_slice(raw.get().as_bytes());
    out.push(b'}');
    Ok(())
}

/// The `image_url` of a part: `{"url":...}`, or the URL itself.
fn write_image(out: &mut Vec<u8>, image_url: &RawValue) -> Result<(), Error> {
    let image = object::<ImageUrl<'_>>(image_url.get());
    let detail = image.as_ref().and_then(|image| image.detail);
    let url = image.map_or(Some(image_url), |image| image.url);
    let url = url.and_then(text).ok_or_else(|| wrong_type("image_url.url", "a string"))?;
    check_image(&url).map_err(|error| error.with_param("image_url.url"))?;
    write_comma(out);
    out.extend_from_slice(b"{\"type\":\"image_url\",\"image_url\":{");
    write_member(out, "url", &url);
    if let Some(detail) = detail {
        write_key(out, "detail");
        out.extend_from_slice(detail.get().as_bytes());
    }
    out.extend_from_slice(b"}}");
    Ok(())
}

fn check_image(url: &str) -> Result<(), Error> {
    match DataUri::parse(url)? {
        Some(data) if !data.media_type.starts_with("image/") => {
            let media_type: String = data.media_type.chars().take(64).collect();
            let message = format!("files of type {media_type:?} are not supported by cohere");
            Err(Error::invalid("unsupported_content", message))
        }
        Some(data) if !data.base64 => {
            Err(Error::invalid("invalid_value", "a data URI must be base64"))
        }
        _ => Ok(()),
    }
}

fn unsupported(kind: &str) -> Error {
    let kind: String = kind.chars().take(64).collect();
    let message = format!("content of type {kind:?} is not supported by cohere here");
    Error::invalid("unsupported_content", message)
}
