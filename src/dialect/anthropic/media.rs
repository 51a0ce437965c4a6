//! Images and documents: OpenAI's URLs, data URIs and `file` parts as Anthropic's blocks.
//!
//! Each writer leaves its block open, so that the caller can add `cache_control`.

use super::super::data_uri::DataUri;
use super::super::raw::{object, text, write_member};
use super::{missing, wrong_type};
use crate::error::Error;
use serde_json::value::RawValue;
use std::borrow::Cow;

members! {
    struct ImageUrl<'a> {
        url: Option<&'a RawValue>,
    }

    struct File<'a> {
        file_data: Option<&'a RawValue>,
        file_id: Option<&'a RawValue>,
        /// Portkey's own: the address of a PDF.
        file_url: Option<&'a RawValue>,
        filename: Option<&'a RawValue>,
        /// Portkey's own: the type of `file_data` that is no data URI.
        mime_type: Option<&'a RawValue>,
    }
}

/// Which block a source is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Image,
    Document,
}

/// The `image_url` of a part: `{"url":...}`, or the URL itself.
pub(super) fn write_image(out: &mut Vec<u8>, image_url: &RawValue) -> Result<(), Error> {
    let url = match object::<ImageUrl<'_>>(image_url.get()) {
        Some(image) => image.url.and_then(text),
        None => text(image_url),
    };
    let url = url.ok_or_else(|| wrong_type("image_url.url", "a string"))?;
    let at = |error: Error| error.with_param("image_url.url");
    match DataUri::parse(&url).map_err(at)? {
        Some(data) => write_data(out, &data).map(|_| ()).map_err(at),
        None => {
            write_source(out, Block::Image, "url", &[("url", &url)]);
            Ok(())
        }
    }
}

/// The `file` of a part.
pub(super) fn write_file(out: &mut Vec<u8>, file: &RawValue) -> Result<(), Error> {
    let file: File<'_> = object(file.get()).ok_or_else(|| wrong_type("file", "an object"))?;
    let block = if let Some(data) = file.file_data.and_then(text) {
        let at = |error: Error| error.with_param("file.file_data");
        let media_type = file.mime_type.and_then(text).unwrap_or(Cow::Borrowed("application/pdf"));
        let data = DataUri::parse(&data).map_err(at)?.unwrap_or(DataUri {
            media_type: media_type.to_ascii_lowercase(),
            // As Portkey does: bare text is text, everything else is base64.
            base64: media_type != "text/plain",
            data: &data,
        });
        write_data(out, &data).map_err(at)?
    } else if let Some(url) = file.file_url.and_then(text) {
        write_source(out, Block::Document, "url", &[("url", &url)]);
        Block::Document
    } else if let Some(id) = file.file_id.and_then(text) {
        write_source(out, Block::Document, "file", &[("file_id", &id)]);
        Block::Document
    } else {
        return Err(missing("file.file_data"));
    };
    if let Some(name) = file.filename.and_then(text).filter(|_| block == Block::Document) {
        write_member(out, "title", &name);
    }
    Ok(())
}

/// Writes the block that contents of a file are; tells which it was.
fn write_data(out: &mut Vec<u8>, file: &DataUri<'_>) -> Result<Block, Error> {
    if file.media_type == "text/plain" {
        let decoded;
        let data = match file.base64 {
            false => file.data,
            true => {
                decoded = decode_base64(file.data).and_then(|data| String::from_utf8(data).ok());
                decoded.as_deref().ok_or_else(|| {
                    Error::invalid("invalid_value", "the file is not text in UTF-8 and base64")
                })?
            }
        };
        let members = [("media_type", "text/plain"), ("data", data)];
        write_source(out, Block::Document, "text", &members);
        return Ok(Block::Document);
    }
    let (block, media_type) = match file.media_type.as_str() {
        // A common misnomer, which Anthropic refuses.
        "image/jpg" => (Block::Image, "image/jpeg"),
        "application/pdf" => (Block::Document, "application/pdf"),
        other if other.starts_with("image/") => (Block::Image, other),
        other => {
            let other: String = other.chars().take(64).collect();
            let message = format!("files of type {other:?} are not supported by anthropic");
            return Err(Error::invalid("unsupported_content", message));
        }
    };
    if !file.base64 {
        return Err(Error::invalid("invalid_value", "a data URI must be base64"));
    }
    write_source(out, block, "base64", &[("media_type", media_type), ("data", file.data)]);
    Ok(block)
}

fn write_source(out: &mut Vec<u8>, block: Block, kind: &str, members: &[(&str, &str)]) {
    out.extend_from_slice(match block {
        Block::Image => b"{\"type\":\"image\",\"source\":{",
        Block::Document => b"{\"type\":\"document\",\"source\":{",
    });
    write_member(out, "type", kind);
    for (key, value) in members {
        write_member(out, key, value);
    }
    out.push(b'}');
}

/// Decodes base64 (RFC 4648, standard alphabet). `None` when it is none.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held & 0xff) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded() {
        for (text, decoded) in [
            ("", Some("")),
            ("Zg==", Some("f")),
            ("Zm8=", Some("fo")),
            ("Zm9v", Some("foo")),
            ("Zm9vYmFy", Some("foobar")),
            ("Zm 9v", None),
            ("Zm9v-_", None),
        ] {
            assert_eq!(decode_base64(text).as_deref(), decoded.map(str::as_bytes), "{text}");
        }
    }
}
