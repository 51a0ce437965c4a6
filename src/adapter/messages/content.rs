//! Content blocks as content parts: texts, images, documents, search results.

use super::super::Extras;
use super::super::parts::Parts;
use super::super::write::write_quoted;
use crate::dialect::field::{missing, under, wrong_type};
use crate::dialect::raw::{array, inside, object, text, write_key};
use crate::error::Error;
use serde_json::value::RawValue;

members! {
    /// The members of all kinds of blocks that a user sends.
    #[derive(Default)]
    pub(super) struct Block<'a> {
        pub(super) kind: Option<&'a RawValue> = "type",
        pub(super) text: Option<&'a RawValue>,
        pub(super) cache_control: Option<&'a RawValue>,
        /// Of a tool's result, and of a search result.
        pub(super) content: Option<&'a RawValue>,
        pub(super) tool_use_id: Option<&'a RawValue>,
        pub(super) is_error: Option<&'a RawValue>,
        /// An object; of a search result a string.
        source: Option<&'a RawValue>,
        title: Option<&'a RawValue>,
    }

    #[derive(Default)]
    struct Source<'a> {
        kind: Option<&'a RawValue> = "type",
        media_type: Option<&'a RawValue>,
        data: Option<&'a RawValue>,
        url: Option<&'a RawValue>,
        file_id: Option<&'a RawValue>,
        content: Option<&'a RawValue>,
    }
}

impl<'a> Block<'a> {
    /// Reads a block and its type.
    ///
    /// # Errors
    /// It is no object, or has no type.
    pub(super) fn read(raw: &'a RawValue) -> Result<(Self, String), Error> {
        let Some(block) = object::<Self>(raw.get()) else {
            let message = "a content block must be an object without duplicate members";
            return Err(Error::invalid("invalid_type", message));
        };
        let kind = block.kind.and_then(text).ok_or_else(|| missing("type"))?.into_owned();
        Ok((block, kind))
    }
}

impl<'t> Parts<'t> {
    /// Adds a block of a user's message, or of a tool's result.
    ///
    /// # Errors
    /// A block that the target has no part for.
    pub(super) fn block(&mut self, raw: &'t RawValue) -> Result<(), Error> {
        let (block, kind) = Block::read(raw)?;
        match kind.as_str() {
            "text" => {
                let text = block.text.and_then(inside);
                self.text(text.ok_or_else(|| wrong_type("text", "a string"))?, block.cache_control);
                Ok(())
            }
            // Anthropic has more of them than are known here.
            _ if self.taker.extras == Extras::Anthropic => {
                self.part(raw.get());
                Ok(())
            }
            "image" => self.image(&block),
            "document" => self.document(&block),
            "search_result" => self.search_result(&block),
            _ => Err(self.unsupported(&format!("content of type {kind:?}"))),
        }
    }

    fn image(&mut self, block: &Block<'_>) -> Result<(), Error> {
        let source = source(block)?;
        match source.kind.and_then(text).as_deref() {
            Some("base64") => {
                let [media_type, data] = base64(&source)?;
                self.part("{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:");
                for piece in [media_type, ";base64,", data, "\"}"] {
                    self.out.extend_from_slice(piece.as_bytes());
                }
            }
            Some("url") => {
                let url = source.url.and_then(inside).ok_or_else(|| missing("source.url"))?;
                self.part("{\"type\":\"image_url\",\"image_url\":{");
                write_quoted(&mut self.out, "url", url);
                self.out.push(b'}');
            }
            _ => return Err(self.unsupported("an image that is no base64 and no URL")),
        }
        self.end(block.cache_control);
        Ok(())
    }

    fn document(&mut self, block: &Block<'t>) -> Result<(), Error> {
        let source = source(block)?;
        match source.kind.and_then(text).as_deref() {
            Some("text") => {
                let data = source.data.and_then(inside).ok_or_else(|| missing("source.data"))?;
                self.title(block);
                self.text(data, block.cache_control);
                return Ok(());
            }
            Some("content") => {
                self.title(block);
                return self.nested(source.content, "source.content");
            }
            Some("base64") => {
                let [media_type, data] = base64(&source)?;
                self.file(block);
                write_key(&mut self.out, "file_data");
                for piece in ["\"data:", media_type, ";base64,", data, "\""] {
                    self.out.extend_from_slice(piece.as_bytes());
                }
            }
            Some("file") => {
                let id =
                    source.file_id.and_then(inside).ok_or_else(|| missing("source.file_id"))?;
                self.file(block);
                write_quoted(&mut self.out, "file_id", id);
            }
            Some("url") if self.taker.extras >= Extras::Portkey => {
                let url = source.url.and_then(inside).ok_or_else(|| missing("source.url"))?;
                self.file(block);
                write_quoted(&mut self.out, "file_url", url);
            }
            _ => return Err(self.unsupported("a document of such a source")),
        }
        self.out.push(b'}');
        self.end(block.cache_control);
        Ok(())
    }

    /// Opens a file part, with the name that OpenAI wants.
    fn file(&mut self, block: &Block<'_>) {
        self.part("{\"type\":\"file\",\"file\":{");
        let title = block.title.and_then(inside).filter(|title| !title.is_empty());
        write_quoted(&mut self.out, "filename", title.unwrap_or("document.pdf"));
    }

    fn title(&mut self, block: &Block<'t>) {
        if let Some(title) = block.title.and_then(inside).filter(|title| !title.is_empty()) {
            self.text(title, None);
        }
    }

    fn search_result(&mut self, block: &Block<'t>) -> Result<(), Error> {
        self.title(block);
        if let Some(source) = block.source.and_then(inside) {
            self.text(source, None);
        }
        self.nested(block.content, "content")
    }

    /// Texts, and whatever else documents are made of.
    fn nested(&mut self, content: Option<&'t RawValue>, place: &str) -> Result<(), Error> {
        let raw = content.ok_or_else(|| missing(place))?;
        if let Some(text) = inside(raw) {
            self.text(text, None);
            return Ok(());
        }
        let list = array(raw.get()).ok_or_else(|| wrong_type(place, "an array"))?;
        for raw in list {
            let (block, kind) = Block::read(raw).map_err(|error| under(error, place))?;
            match (kind.as_str(), block.text.and_then(inside)) {
                ("text", Some(text)) => self.text(text, block.cache_control),
                ("image", _) => self.image(&block).map_err(|error| under(error, place))?,
                _ => return Err(under(self.unsupported("such a content"), place)),
            }
        }
        Ok(())
    }
}

fn source<'a>(block: &Block<'a>) -> Result<Source<'a>, Error> {
    let raw = block.source.ok_or_else(|| missing("source"))?;
    object(raw.get()).ok_or_else(|| wrong_type("source", "an object"))
}

/// Media type and data.
fn base64<'a>(source: &Source<'a>) -> Result<[&'a str; 2], Error> {
    let media_type = source.media_type.and_then(inside);
    let media_type = media_type.ok_or_else(|| missing("source.media_type"))?;
    let data = source.data.and_then(inside).ok_or_else(|| missing("source.data"))?;
    Ok([media_type, data])
}
