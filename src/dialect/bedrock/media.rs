//! Images, documents, videos and audio: data URIs and `file` parts as Converse's blocks.
//!
//! Converse takes bytes, and objects of S3; it fetches no other address.

use super::super::data_uri::DataUri;
use super::super::raw::{object, text, write_comma, write_key, write_member};
use super::document::Names;
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
        /// Portkey's own: an address, here of an object of S3.
        file_url: Option<&'a RawValue>,
        filename: Option<&'a RawValue>,
        /// Portkey's spelling.
        file_name: Option<&'a RawValue>,
        /// Portkey's own: the type of `file_data` that is no data URI, and of `file_url`.
        mime_type: Option<&'a RawValue>,
    }

    struct Audio<'a> {
        data: Option<&'a RawValue>,
        format: Option<&'a RawValue>,
    }
}

/// The blocks that hold files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Audio,
    Document,
    Image,
    Video,
}

/// Media type, block, and Converse's format, which is also how names of such files end.
const FORMATS: [(&str, Block, &str); 27] = [
    ("application/msword", Block::Document, "doc"),
    ("application/pdf", Block::Document, "pdf"),
    ("application/vnd.ms-excel", Block::Document, "xls"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", Block::Document, "xlsx"),
    (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        Block::Document,
        "docx",
    ),
    ("audio/flac", Block::Audio, "flac"),
    ("audio/mp3", Block::Audio, "mp3"),
    ("audio/mp4", Block::Audio, "m4a"),
    ("audio/mpeg", Block::Audio, "mp3"),
    ("audio/ogg", Block::Audio, "ogg"),
    ("audio/wav", Block::Audio, "wav"),
    ("audio/x-wav", Block::Audio, "wav"),
    ("image/gif", Block::Image, "gif"),
    ("image/jpeg", Block::Image, "jpeg"),
    // A common misnomer.
    ("image/jpg", Block::Image, "jpeg"),
    ("image/png", Block::Image, "png"),
    ("image/webp", Block::Image, "webp"),
    ("text/csv", Block::Document, "csv"),
    ("text/html", Block::Document, "html"),
    ("text/markdown", Block::Document, "md"),
    ("text/plain", Block::Document, "txt"),
    ("video/3gpp", Block::Video, "three_gp"),
    ("video/mp4", Block::Video, "mp4"),
    ("video/mpeg", Block::Video, "mpeg"),
    ("video/quicktime", Block::Video, "mov"),
    ("video/webm", Block::Video, "webm"),
    ("video/x-matroska", Block::Video, "mkv"),
];

/// What a file is made of.
enum Source<'a> {
    /// Base64.
    Bytes(&'a str),
    /// The address of an object.
    S3(&'a str),
}

/// Appends the `image_url` of a part: `{"url":...}`, or the URL itself. The URL may hold a video or
/// a document, too.
pub(super) fn write_image(
    out: &mut Vec<u8>,
    image_url: &RawValue,
    names: &mut Names,
) -> Result<(), Error> {
    let url = match object::<ImageUrl<'_>>(image_url.get()) {
        Some(image) => image.url.and_then(text),
        None => text(image_url),
    };
    let url = url.ok_or_else(|| wrong_type("image_url.url", "a string"))?;
    let written = match DataUri::parse(&url) {
        Ok(Some(data)) => write_data(out, &data, "", names),
        Ok(None) => write_address(out, &url, None, names),
        Err(error) => Err(error),
    };
    written.map_err(|error| error.with_param("image_url.url"))
}

/// Appends the `file` of a part.
pub(super) fn write_file(
    out: &mut Vec<u8>,
    file: &RawValue,
    names: &mut Names,
) -> Result<(), Error> {
    let file: File<'_> = object(file.get()).ok_or_else(|| wrong_type("file", "an object"))?;
    let name = file.filename.or(file.file_name).and_then(text).unwrap_or_default();
    let media_type = file.mime_type.and_then(text).map(|it| it.to_ascii_lowercase());
    if let Some(data) = file.file_data.and_then(text) {
        let at = |error: Error| error.with_param("file.file_data");
        let bare = || {
            let media_type = media_type.unwrap_or_else(|| "application/pdf".to_owned());
            DataUri { media_type, base64: true, data: &data }
        };
        let data = DataUri::parse(&data).map_err(at)?.unwrap_or_else(bare);
        return write_data(out, &data, &name, names).map_err(at);
    }
    if let Some(url) = file.file_url.and_then(text) {
        return write_address(out, &url, media_type.as_deref(), names)
            .map_err(|error| error.with_param("file.file_url"));
    }
    Err(missing("file.file_data"))
}

/// Appends the `input_audio` of a part.
pub(super) fn write_audio(out: &mut Vec<u8>, audio: &RawValue) -> Result<(), Error> {
    let Some(audio) = object::<Audio<'_>>(audio.get()) else {
        return Err(wrong_type("input_audio", "an object"));
    };
    let data = audio.data.and_then(text).ok_or_else(|| missing("input_audio.data"))?;
    let format = audio.format.and_then(text).ok_or_else(|| missing("input_audio.format"))?;
    open(out, Block::Audio, &format);
    write_source(out, &Source::Bytes(&data));
    Ok(())
}

fn write_data(
    out: &mut Vec<u8>,
    file: &DataUri<'_>,
    name: &str,
    names: &mut Names,
) -> Result<(), Error> {
    let known = FORMATS.iter().find(|(media_type, ..)| *media_type == file.media_type);
    let Some((_, block, format)) = known else {
        return Err(unsupported(&file.media_type));
    };
    if !file.base64 {
        return Err(Error::invalid("invalid_value", "a data URI must be base64"));
    }
    write_block(out, *block, format, &Source::Bytes(file.data), name, names);
    Ok(())
}

/// An object of S3; its type is told, or is in its name.
fn write_address(
    out: &mut Vec<u8>,
    url: &str,
    media_type: Option<&str>,
    names: &mut Names,
) -> Result<(), Error> {
    if !url.starts_with("s3://") {
        let message = "bedrock takes files as data URIs or from s3://, and fetches no other URL";
        return Err(Error::invalid("unsupported_content", message));
    }
    let name = url.rsplit('/').next().unwrap_or_default();
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    let ending = match ending.as_deref() {
        Some("jpg") => Some("jpeg"),
        ending => ending,
    };
    let known = FORMATS.iter().find(|(known, _, format)| match media_type {
        Some(media_type) => *known == media_type,
        None => ending == Some(*format),
    });
    let Some((_, block, format)) = known else {
        return Err(unsupported(media_type.or(ending).unwrap_or("unknown")));
    };
    write_block(out, *block, format, &Source::S3(url), name, names);
    Ok(())
}

fn write_block(
    out: &mut Vec<u8>,
    block: Block,
    format: &str,
    source: &Source<'_>,
    name: &str,
    names: &mut Names,
) {
    open(out, block, format);
    if block == Block::Document {
        write_member(out, "name", &names.of(name));
    }
    write_source(out, source);
}

fn open(out: &mut Vec<u8>, block: Block, format: &str) {
    write_comma(out);
    out.extend_from_slice(match block {
        Block::Audio => b"{\"audio\":{".as_slice(),
        Block::Document => b"{\"document\":{",
        Block::Image => b"{\"image\":{",
        Block::Video => b"{\"video\":{",
    });
    write_member(out, "format", format);
}

fn write_source(out: &mut Vec<u8>, source: &Source<'_>) {
    write_key(out, "source");
    out.push(b'{');
    match source {
        Source::Bytes(data) => write_member(out, "bytes", data),
        Source::S3(uri) => {
            out.extend_from_slice(b"\"s3Location\":{");
            write_member(out, "uri", uri);
            out.push(b'}');
        }
    }
    out.extend_from_slice(b"}}}");
}

fn unsupported(media_type: &str) -> Error {
    let media_type: Cow<'_, str> = media_type.chars().take(64).collect();
    let message = format!("files of type {media_type:?} are not supported by bedrock");
    Error::invalid("unsupported_content", message)
}
