//! The items of an answer.

use super::super::chat::Choice;
use super::super::write::{write_quoted, write_raw};
use crate::dialect::raw::{inside, object, write_comma, write_key, write_line, write_number};
use serde_json::value::RawValue;

/// A kind of item, with what only it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// With its `encrypted_content`, if it has one.
    Reasoning(Option<String>),
    /// Whether its part is a refusal.
    Message(bool),
    /// Id and name.
    Call(String, String),
}

/// An item. Strings are what stands between the quotes.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) kind: Kind,
    /// The text, the reasoning or the arguments.
    pub(super) text: String,
    /// Elements of an array without its brackets.
    pub(super) annotations: Vec<u8>,
    /// The same.
    pub(super) logprobs: Vec<u8>,
}

impl Item {
    /// `base` is what ids of this answer have in common, `number` the place in the output.
    pub(super) fn new(kind: Kind, base: &str, number: u64) -> Self {
        let prefix = match &kind {
            Kind::Reasoning(_) => "rs",
            Kind::Message(_) => "msg",
            Kind::Call(..) => "fc",
        };
        let id = format!("{prefix}_{base}_{number}");
        let (annotations, logprobs) = (Vec::new(), Vec::new());
        Self { id, kind, text: String::new(), annotations, logprobs }
    }

    /// Appends the item with this status.
    pub(super) fn write(&self, out: &mut Vec<u8>, status: &str) {
        out.push(b'{');
        write_quoted(out, "id", &self.id);
        match &self.kind {
            Kind::Reasoning(sealed) => {
                write_quoted(out, "type", "reasoning");
                write_key(out, "summary");
                out.push(b'[');
                if !self.text.is_empty() {
                    self.write_part(out);
                }
                out.push(b']');
                if let Some(sealed) = sealed {
                    write_quoted(out, "encrypted_content", sealed);
                }
            }
            Kind::Message(_) => {
                write_quoted(out, "type", "message");
                write_quoted(out, "status", status);
                write_quoted(out, "role", "assistant");
                write_key(out, "content");
                out.push(b'[');
                self.write_part(out);
                out.push(b']');
            }
            Kind::Call(id, name) => {
                write_quoted(out, "type", "function_call");
                write_quoted(out, "status", status);
                write_quoted(out, "call_id", id);
                write_quoted(out, "name", name);
                write_quoted(out, "arguments", &self.text);
            }
        }
        out.push(b'}');
    }

    /// Appends the item as it is announced: without what is still to come.
    pub(super) fn write_empty(&self, out: &mut Vec<u8>) {
        let (text, kind) = (String::new(), self.kind.clone());
        match &self.kind {
            Kind::Message(_) => {
                out.push(b'{');
                write_quoted(out, "id", &self.id);
                write_quoted(out, "type", "message");
                write_quoted(out, "status", "in_progress");
                write_quoted(out, "role", "assistant");
                write_raw(out, "content", "[]");
                out.push(b'}');
            }
            _ => {
                let (annotations, logprobs) = (Vec::new(), Vec::new());
                let empty = Self { id: self.id.clone(), kind, text, annotations, logprobs };
                empty.write(out, "in_progress");
            }
        }
    }

    /// Appends the content part, or the part of the summary.
    pub(super) fn write_part(&self, out: &mut Vec<u8>) {
        self.write_part_of(out, &self.text, [&self.annotations, &self.logprobs]);
    }

    /// The same without what is still to come.
    pub(super) fn write_empty_part(&self, out: &mut Vec<u8>) {
        self.write_part_of(out, "", [&[], &[]]);
    }

    fn write_part_of(&self, out: &mut Vec<u8>, text: &str, [annotations, logprobs]: [&[u8]; 2]) {
        out.push(b'{');
        match self.kind {
            Kind::Message(true) => {
                write_quoted(out, "type", "refusal");
                write_quoted(out, "refusal", text);
            }
            Kind::Message(false) => {
                write_quoted(out, "type", "output_text");
                write_quoted(out, "text", text);
                write_list(out, "annotations", annotations);
                write_list(out, "logprobs", logprobs);
            }
            _ => {
                write_quoted(out, "type", "summary_text");
                write_quoted(out, "text", text);
            }
        }
        out.push(b'}');
    }

    /// Takes the log probabilities that come with a piece of the text.
    pub(super) fn add_logprobs(&mut self, raw: &str) {
        let elements = raw.trim_start_matches('[').trim_end_matches(']').trim();
        if elements.is_empty() {
            return;
        }
        if !self.logprobs.is_empty() {
            self.logprobs.push(b',');
        }
        // Only the outer brackets are gone: their inner ones are not at the ends.
        write_line(&mut self.logprobs, elements);
    }
}

/// Appends an array of these elements.
pub(super) fn write_list(out: &mut Vec<u8>, key: &str, elements: &[u8]) {
    write_key(out, key);
    out.push(b'[');
    out.extend_from_slice(elements);
    out.push(b']');
}

members! {
    /// A citation of a chat completion.
    #[derive(Default)]
    struct Annotation<'a> {
        url_citation: Option<&'a RawValue>,
    }

    #[derive(Default)]
    struct UrlCitation<'a> {
        start_index: Option<u64>,
        end_index: Option<u64>,
        url: Option<&'a RawValue>,
        title: Option<&'a RawValue>,
    }
}

/// The citations of a choice as annotations of a text; others than of web pages have no place.
pub(super) fn annotations(choice: &Choice<'_>) -> Vec<Vec<u8>> {
    let citations = choice.annotations().into_iter().filter_map(|raw| {
        let annotation: Annotation<'_> = object(raw.get())?;
        let citation: UrlCitation<'_> = object(annotation.url_citation?.get())?;
        let mut out = b"{".to_vec();
        write_quoted(&mut out, "type", "url_citation");
        for (key, number) in
            [("start_index", citation.start_index), ("end_index", citation.end_index)]
        {
            write_key(&mut out, key);
            write_number(&mut out, number.unwrap_or_default());
        }
        write_quoted(&mut out, "url", citation.url.and_then(inside)?);
        write_quoted(&mut out, "title", citation.title.and_then(inside).unwrap_or_default());
        out.push(b'}');
        Some(out)
    });
    citations.collect()
}

/// Appends an element to elements without their brackets.
pub(super) fn push_element(elements: &mut Vec<u8>, element: &[u8]) {
    if !elements.is_empty() {
        write_comma(elements);
    }
    elements.extend_from_slice(element);
}
