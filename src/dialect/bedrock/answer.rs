//! The answers of Converse, whole and in events, as far as they are read.

use super::super::raw::object;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A whole answer.
#[derive(Deserialize)]
pub(super) struct Answer<'a> {
    #[serde(borrow)]
    pub(super) output: Option<&'a RawValue>,
    #[serde(borrow, rename = "stopReason")]
    pub(super) stop_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) usage: Option<&'a RawValue>,
}

/// Its `output`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Output<'a> {
    #[serde(borrow)]
    pub(super) message: Option<&'a RawValue>,
}

/// The `message` of that.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) content: Option<&'a RawValue>,
}

/// A content block, or a `delta` of one: one of the members is there.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Block<'a> {
    #[serde(borrow)]
    pub(super) text: Option<&'a RawValue>,
    #[serde(borrow, rename = "toolUse")]
    pub(super) tool_use: Option<&'a RawValue>,
    #[serde(borrow, rename = "reasoningContent")]
    pub(super) reasoning: Option<&'a RawValue>,
    /// Text with its sources, of a whole answer.
    #[serde(borrow, rename = "citationsContent")]
    pub(super) cited: Option<&'a RawValue>,
    /// A source of the text of the same block, of an event.
    #[serde(borrow)]
    pub(super) citation: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ToolUse<'a> {
    #[serde(borrow, rename = "toolUseId")]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) name: Option<&'a RawValue>,
    /// An object; in an event a piece of its text.
    #[serde(borrow)]
    pub(super) input: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Reasoning<'a> {
    /// Text and signature of a whole answer.
    #[serde(borrow, rename = "reasoningText")]
    pub(super) whole: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) text: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) signature: Option<&'a RawValue>,
    #[serde(borrow, rename = "redactedContent")]
    pub(super) redacted: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Cited<'a> {
    #[serde(borrow)]
    pub(super) content: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) citations: Option<&'a RawValue>,
}

/// The members of all kinds of events.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Payload<'a> {
    #[serde(rename = "contentBlockIndex")]
    pub(super) index: Option<u64>,
    #[serde(borrow)]
    pub(super) start: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) delta: Option<&'a RawValue>,
    #[serde(borrow, rename = "stopReason")]
    pub(super) stop_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) usage: Option<&'a RawValue>,
}

/// The object of an optional member, without members if it is none.
pub(super) fn read<'a, T: Default + Deserialize<'a>>(raw: Option<&'a RawValue>) -> T {
    raw.and_then(|raw| object(raw.get())).unwrap_or_default()
}
