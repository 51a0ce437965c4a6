//! The answers of Converse, whole and in events, as far as they are read.

use super::super::raw::object;
use crate::members::Members;
use serde_json::value::RawValue;

members! {
    /// A whole answer.
    pub(super) struct Answer<'a> {
        pub(super) output: Option<&'a RawValue>,
        pub(super) stop_reason: Option<&'a RawValue> = "stopReason",
        pub(super) usage: Option<&'a RawValue>,
    }

    /// Its `output`.
    #[derive(Default)]
    pub(super) struct Output<'a> {
        pub(super) message: Option<&'a RawValue>,
    }

    /// The `message` of that.
    #[derive(Default)]
    pub(super) struct Message<'a> {
        pub(super) content: Option<&'a RawValue>,
    }

    /// A content block, or a `delta` of one: one of the members is there.
    #[derive(Default)]
    pub(super) struct Block<'a> {
        pub(super) text: Option<&'a RawValue>,
        pub(super) tool_use: Option<&'a RawValue> = "toolUse",
        pub(super) reasoning: Option<&'a RawValue> = "reasoningContent",
        /// Text with its sources, of a whole answer.
        pub(super) cited: Option<&'a RawValue> = "citationsContent",
        /// A source of the text of the same block, of an event.
        pub(super) citation: Option<&'a RawValue>,
    }

    #[derive(Default)]
    pub(super) struct ToolUse<'a> {
        pub(super) id: Option<&'a RawValue> = "toolUseId",
        pub(super) name: Option<&'a RawValue>,
        /// An object; in an event a piece of its text.
        pub(super) input: Option<&'a RawValue>,
    }

    #[derive(Default)]
    pub(super) struct Reasoning<'a> {
        /// Text and signature of a whole answer.
        pub(super) whole: Option<&'a RawValue> = "reasoningText",
        pub(super) text: Option<&'a RawValue>,
        pub(super) signature: Option<&'a RawValue>,
        pub(super) redacted: Option<&'a RawValue> = "redactedContent",
    }

    #[derive(Default)]
    pub(super) struct Cited<'a> {
        pub(super) content: Option<&'a RawValue>,
        pub(super) citations: Option<&'a RawValue>,
    }

    /// The members of all kinds of events.
    #[derive(Default)]
    pub(super) struct Payload<'a> {
        pub(super) index: Option<u64> = "contentBlockIndex",
        pub(super) start: Option<&'a RawValue>,
        pub(super) delta: Option<&'a RawValue>,
        pub(super) stop_reason: Option<&'a RawValue> = "stopReason",
        pub(super) usage: Option<&'a RawValue>,
    }
}

/// The object of an optional member, without members if it is none.
pub(super) fn read<'a, T: Default + Members<'a>>(raw: Option<&'a RawValue>) -> T {
    raw.and_then(|raw| object(raw.get())).unwrap_or_default()
}
