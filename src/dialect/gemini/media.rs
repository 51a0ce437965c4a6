//! Images, audio and files: OpenAI's URLs, data URIs and base64 as Gemini's `inlineData` and
//! `fileData`.

use super::super::data_uri::DataUri;
use super::super::raw::{object, text, write_member};
use super::{missing, wrong_type};
use crate::error::Error;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What precedes the names of Google's Files API in their addresses.
const FILES: &str = "https://generativelanguage.googleapis.com/v1beta/";

/// Media types by the extension of a file's name.
const EXTENSIONS: [(&str, &str); 24] = [
    ("aac", "audio/aac"),
    ("avi", "video/avi"),
    ("csv", "text/csv"),
    ("flac", "audio/flac"),
    ("gif", "image/gif"),
    ("heic", "image/heic"),
    ("heif", "image/heif"),
    ("html", "text/html"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("m4a", "audio/m4a"),
    ("md", "text/md"),
    ("mov", "video/mov"),
    ("mp3", "audio/mp3"),
    ("mp4", "video/mp4"),
    ("mpeg", "video/mpeg"),
    ("mpg", "video/mpg"),
    ("ogg", "audio/ogg"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("txt", "text/plain"),
    ("wav", "audio/wav"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
];

members! {
    struct ImageUrl<'a> {
        url: Option<&'a RawValue>,
        /// Portkey's own.
        mime_type: Option<&'a RawValue>,
    }

    struct InputAudio<'a> {
        data: Option<&'a RawValue>,
        format: Option<&'a RawValue>,
    }

    struct File<'a> {
        file_data: Option<&'a RawValue>,
        file_id: Option<&'a RawValue>,
        /// Portkey's own: the address of a file.
        file_url: Option<&'a RawValue>,
        filename: Option<&'a RawValue>,
        /// Portkey's own: the type of what does not tell it itself.
        mime_type: Option<&'a RawValue>,
    }
}

/// The `image_url` of a part: `{"url":...}`, or the URL itself.
pub(super) fn write_image(out: &mut Vec<u8>, image_url: &RawValue) -> Result<(), Error> {
    let (url, media_type) = match object::<ImageUrl<'_>>(image_url.get()) {
        Some(image) => (image.url.and_then(text), image.mime_type.and_then(text)),
        None => (text(image_url), None),
    };
    let url = url.ok_or_else(|| wrong_type("image_url.url", "a string"))?;
    let media_type = media_type.as_deref();
    if write_data_uri(out, &url).map_err(|error| error.with_param("image_url.url"))? {
        return Ok(());
    }
    match url.contains("://") {
        true => write_file_data(out, &url, media_type.or_else(|| media_type_of(&url))),
        // As Portkey does: what is no address is base64.
        false => write_inline(out, media_type.unwrap_or("image/jpeg"), &url),
    }
    Ok(())
}

/// The `input_audio` of a part.
pub(super) fn write_audio(out: &mut Vec<u8>, audio: &RawValue) -> Result<(), Error> {
    let audio: InputAudio<'_> =
        object(audio.get()).ok_or_else(|| wrong_type("input_audio", "an object"))?;
    let data = audio.data.and_then(text).ok_or_else(|| missing("input_audio.data"))?;
    if write_data_uri(out, &data).map_err(|error| error.with_param("input_audio.data"))? {
        return Ok(());
    }
    let format = audio.format.and_then(text).ok_or_else(|| missing("input_audio.format"))?;
    let media_type = match format.as_ref() {
        "opus" => "audio/ogg",
        "pcm16" => "audio/pcm",
        "x-aac" => "audio/aac",
        "x-m4a" => "audio/m4a",
        word if word.contains('/') => word,
        word => &["audio/", word].concat(),
    };
    write_inline(out, media_type, &data);
    Ok(())
}

/// The `file` of a part.
pub(super) fn write_file(out: &mut Vec<u8>, file: &RawValue) -> Result<(), Error> {
    let file: File<'_> = object(file.get()).ok_or_else(|| wrong_type("file", "an object"))?;
    let name = file.filename.and_then(text);
    let own = file.mime_type.and_then(text);
    let media_type = own.as_deref().or_else(|| name.as_deref().and_then(media_type_of));
    if let Some(data) = file.file_data.and_then(text) {
        if !write_data_uri(out, &data).map_err(|error| error.with_param("file.file_data"))? {
            write_inline(out, media_type.unwrap_or("application/pdf"), &data);
        }
    } else if let Some(url) = file.file_url.and_then(text) {
        write_file_data(out, &url, media_type.or_else(|| media_type_of(&url)));
    } else if let Some(id) = file.file_id.and_then(text) {
        let uri = match id.starts_with("files/") {
            true => Cow::Owned([FILES, &id].concat()),
            false => id,
        };
        write_file_data(out, &uri, media_type);
    } else {
        return Err(missing("file.file_data"));
    }
    Ok(())
}

/// Writes the contents of a data URI; tells whether it was one.
fn write_data_uri(out: &mut Vec<u8>, url: &str) -> Result<bool, Error> {
    let Some(file) = DataUri::parse(url)? else { return Ok(false) };
    if !file.base64 {
        return Err(Error::invalid("invalid_value", "a data URI must be base64"));
    }
    let media_type = match file.media_type.as_str() {
        "" => "text/plain",
        // A common misnomer.
        "image/jpg" => "image/jpeg",
        other => other,
    };
    write_inline(out, media_type, file.data);
    Ok(true)
}

fn write_inline(out: &mut Vec<u8>, media_type: &str, data: &str) {
    out.extend_from_slice(b"{\"inlineData\":{");
    write_member(out, "mimeType", media_type);
    write_member(out, "data", data);
    out.extend_from_slice(b"}}");
}

fn write_file_data(out: &mut Vec<u8>, uri: &str, media_type: Option<&str>) {
    out.extend_from_slice(b"{\"fileData\":{");
    if let Some(media_type) = media_type {
        write_member(out, "mimeType", media_type);
    }
    write_member(out, "fileUri", uri);
    out.extend_from_slice(b"}}");
}

/// By the extension; `None` when it tells nothing.
fn media_type_of(address: &str) -> Option<&'static str> {
    let path = address.split(['?', '#']).next()?;
    let (_, extension) = path.rsplit('/').next()?.rsplit_once('.')?;
    let is = |(known, _): &&(&str, &str)| known.eq_ignore_ascii_case(extension);
    EXTENSIONS.iter().find(is).map(|(_, media_type)| *media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_tell_the_type() {
        for (address, expected) in [
            ("https://example.org/a/cat.WEBP?w=3#x", Some("image/webp")),
            ("gs://bucket/report.v2.pdf", Some("application/pdf")),
            ("cat.png", Some("image/png")),
            ("https://example.org/a.png/raw", None),
            ("https://example.org", None),
            ("", None),
        ] {
            assert_eq!(media_type_of(address), expected, "{address}");
        }
    }
}
