//! Content parts of chat completion messages.

use super::write::{write_quoted, write_raw};
use super::{Extras, Taker};
use crate::dialect::raw::{write_comma, write_member};
use crate::error::Error;
use serde_json::value::RawValue;

/// Content parts that are being written.
pub(super) struct Parts<'t> {
    pub(super) taker: Taker,
    /// An array that is open.
    pub(super) out: Vec<u8>,
    /// The texts so far, as long as there is nothing that only a part can hold.
    texts: Option<Vec<&'t str>>,
}

impl<'t> Parts<'t> {
    pub(super) fn new(taker: Taker) -> Self {
        Self { taker, out: b"[".to_vec(), texts: Some(Vec::new()) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.out.len() < 2
    }

    /// Appends the content: a string where `join` lets its texts be one, or else the parts.
    pub(super) fn finish(mut self, out: &mut Vec<u8>, join: Option<&str>) {
        let texts = self.texts.filter(|texts| join.is_some() || texts.len() < 2);
        let Some(texts) = texts else {
            self.out.push(b']');
            return out.extend_from_slice(&self.out);
        };
        out.push(b'"');
        out.extend_from_slice(texts.join(join.unwrap_or_default()).as_bytes());
        out.push(b'"');
    }

    /// Adds a text, which is what stands between the quotes.
    pub(super) fn text(&mut self, text: &'t str, cache_control: Option<&RawValue>) {
        write_comma(&mut self.out);
        self.out.extend_from_slice(b"{\"type\":\"text\"");
        write_quoted(&mut self.out, "text", text);
        if let Some(texts) = &mut self.texts {
            texts.push(text);
        }
        self.end(cache_control);
    }

    /// Adds a text of ours.
    pub(super) fn note(&mut self, text: &str) {
        self.part("{\"type\":\"text\"");
        write_member(&mut self.out, "text", text);
        self.out.push(b'}');
    }

    /// Adds a part that is no text: the whole of it, or its begin, which [`Self::end`] ends.
    pub(super) fn part(&mut self, raw: &str) {
        self.texts = None;
        write_comma(&mut self.out);
        self.out.extend_from_slice(raw.as_bytes());
    }

    /// Closes a part.
    pub(super) fn end(&mut self, cache_control: Option<&RawValue>) {
        let taken = |_: &&RawValue| self.taker.extras >= Extras::CacheControl;
        if let Some(value) = cache_control.filter(taken) {
            self.texts = None;
            write_raw(&mut self.out, "cache_control", value.get());
        }
        self.out.push(b'}');
    }

    /// The error for what the target has no part for.
    pub(super) fn unsupported(&self, what: &str) -> Error {
        let what: String = what.chars().take(96).collect();
        let message = format!("{what} is not supported by {}", self.taker.provider);
        Error::invalid("unsupported_content", message)
    }
}
