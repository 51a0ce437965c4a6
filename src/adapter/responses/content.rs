//! Content of items as content parts: texts, images, files, audio.

use super::super::Extras;
use super::super::parts::Parts;
use super::super::write::write_raw;
use crate::dialect::field::{missing, under, wrong_type};
use crate::dialect::raw::{array, inside, object, text, write_key};
use crate::error::Error;
use serde_json::value::RawValue;

members! {
    /// The members of all kinds of contents.
    struct Content<'a> {
        kind: Option<&'a RawValue> = "type",
        text: Option<&'a RawValue>,
        refusal: Option<&'a RawValue>,
        image_url: Option<&'a RawValue>,
        detail: Option<&'a RawValue>,
        file_id: Option<&'a RawValue>,
        file_data: Option<&'a RawValue>,
        file_url: Option<&'a RawValue>,
        filename: Option<&'a RawValue>,
        input_audio: Option<&'a RawValue>,
        cache_control: Option<&'a RawValue>,
    }
}

impl<'t> Parts<'t> {
    /// Adds the content of an item: a string, or a list.
    ///
    /// # Errors
    /// What the target has no part for; `param` is relative to the content.
    pub(super) fn contents(&mut self, raw: &'t RawValue) -> Result<(), Error> {
        if let Some(text) = inside(raw) {
            self.text(text, None);
            return Ok(());
        }
        let list = array(raw.get()).ok_or_else(|| {
            Error::invalid("invalid_type", "it must be a string or an array of content parts")
        })?;
        for (at, raw) in list.into_iter().enumerate() {
            self.content(raw).map_err(|error| under(error, &format!("[{at}]")))?;
        }
        Ok(())
    }

    /// Adds one element of such a list.
    ///
    /// # Errors
    /// What the target has no part for.
    pub(super) fn content(&mut self, raw: &'t RawValue) -> Result<(), Error> {
        let Some(content) = object::<Content<'t>>(raw.get()) else {
            let message = "a content part must be an object without duplicate members";
            return Err(Error::invalid("invalid_type", message));
        };
        let kind = content.kind.and_then(text).ok_or_else(|| missing("type"))?;
        match kind.as_ref() {
            "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text" => {
                let text = content.text.and_then(inside);
                let text = text.ok_or_else(|| wrong_type("text", "a string"))?;
                self.text(text, content.cache_control);
                return Ok(());
            }
            "refusal" => {
                let text = content.refusal.and_then(inside);
                let text = text.ok_or_else(|| wrong_type("refusal", "a string"))?;
                self.text(text, content.cache_control);
                return Ok(());
            }
            "input_image" => self.picture(&content)?,
            "input_file" => self.attachment(&content)?,
            "input_audio" => {
                let audio = content.input_audio.ok_or_else(|| missing("input_audio"))?;
                self.part("{\"type\":\"input_audio\"");
                write_raw(&mut self.out, "input_audio", audio.get());
            }
            _ => return Err(self.unsupported(&format!("content of type {kind:?}"))),
        }
        self.end(content.cache_control);
        Ok(())
    }

    fn picture(&mut self, content: &Content<'_>) -> Result<(), Error> {
        let url = content.image_url.filter(|raw| inside(raw).is_some());
        let Some(url) = url else {
            return Err(match content.file_id {
                Some(_) => self.unsupported("an image by the id of its file"),
                None => missing("image_url"),
            });
        };
        self.part("{\"type\":\"image_url\",\"image_url\":{");
        write_raw(&mut self.out, "url", url.get());
        if let Some(detail) = content.detail.filter(|raw| raw.get() != "null") {
            write_raw(&mut self.out, "detail", detail.get());
        }
        self.out.push(b'}');
        Ok(())
    }

    fn attachment(&mut self, content: &Content<'_>) -> Result<(), Error> {
        let url = content.file_url.filter(|raw| raw.get() != "null");
        if url.is_some() && self.taker.extras < Extras::Portkey {
            return Err(self.unsupported("a file by its URL"));
        }
        let members = [
            ("filename", content.filename),
            ("file_data", content.file_data),
            ("file_id", content.file_id),
            ("file_url", url),
        ];
        if members.iter().skip(1).all(|(_, value)| value.is_none()) {
            return Err(missing("file_data"));
        }
        self.part("{\"type\":\"file\"");
        write_key(&mut self.out, "file");
        self.out.push(b'{');
        for (key, value) in members {
            if let Some(value) = value.filter(|value| value.get() != "null") {
                write_raw(&mut self.out, key, value.get());
            }
        }
        self.out.push(b'}');
        Ok(())
    }
}

/// Whether an element of a list is a text.
pub(super) fn is_text(raw: &RawValue) -> bool {
    let kind = object::<Content<'_>>(raw.get()).and_then(|content| content.kind);
    matches!(kind.and_then(text).as_deref(), Some("input_text" | "output_text" | "text"))
}
