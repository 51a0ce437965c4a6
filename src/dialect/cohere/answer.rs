//! The answers of the Chat API, whole and in events, as far as they are read.

use super::super::raw::{inside, object, write_number};
use crate::members::Members;
use serde_json::value::RawValue;

members! {
    /// A whole answer.
    pub(super) struct Answer<'a> {
        pub(super) id: Option<&'a RawValue>,
        pub(super) message: Option<&'a RawValue>,
        pub(super) finish_reason: Option<&'a RawValue>,
        pub(super) usage: Option<&'a RawValue>,
        pub(super) logprobs: Option<&'a RawValue>,
    }

    /// The members of all kinds of events.
    pub(super) struct Payload<'a> {
        pub(super) kind: Option<&'a RawValue> = "type",
        pub(super) id: Option<&'a RawValue>,
        pub(super) index: Option<u64>,
        pub(super) delta: Option<&'a RawValue>,
        pub(super) logprobs: Option<&'a RawValue>,
        /// Of an error alone, which has no type.
        pub(super) message: Option<&'a RawValue>,
    }

    /// The `delta` of an event.
    #[derive(Default)]
    pub(super) struct Delta<'a> {
        pub(super) message: Option<&'a RawValue>,
        pub(super) finish_reason: Option<&'a RawValue>,
        pub(super) usage: Option<&'a RawValue>,
        pub(super) error: Option<&'a RawValue>,
    }

    /// A message; where it has arrays, that of an event has one of their elements.
    #[derive(Default)]
    pub(super) struct Message<'a> {
        pub(super) content: Option<&'a RawValue>,
        pub(super) tool_plan: Option<&'a RawValue>,
        pub(super) tool_calls: Option<&'a RawValue>,
        pub(super) citations: Option<&'a RawValue>,
    }

    /// An element of a content, or a piece of one.
    #[derive(Default)]
    pub(super) struct Piece<'a> {
        pub(super) text: Option<&'a RawValue>,
        pub(super) thinking: Option<&'a RawValue>,
    }

    /// A tool call, or a piece of one.
    #[derive(Default)]
    pub(super) struct ToolCall<'a> {
        id: Option<&'a RawValue>,
        function: Option<&'a RawValue>,
    }

    #[derive(Default)]
    struct Function<'a> {
        name: Option<&'a RawValue>,
        arguments: Option<&'a RawValue>,
    }
}

/// The object of an optional member, without members if it is none.
pub(super) fn read<'a, T: Default + Members<'a>>(raw: Option<&'a RawValue>) -> T {
    raw.and_then(|raw| object(raw.get())).unwrap_or_default()
}

impl<'a> ToolCall<'a> {
    /// What is between the quotes of the arguments, or of a piece of them; empty without any.
    pub(super) fn arguments(&self) -> &'a str {
        let function: Function<'a> = read(self.function);
        function.arguments.and_then(inside).unwrap_or_default()
    }

    /// Appends the tool call in OpenAI's form with these arguments, as they are between quotes;
    /// `index` is that of a chunk.
    pub(super) fn write(&self, out: &mut Vec<u8>, index: Option<u64>, arguments: &str) {
        let function: Function<'_> = read(self.function);
        out.push(b'{');
        if let Some(index) = index {
            out.extend_from_slice(b"\"index\":");
            write_number(out, index);
            out.push(b',');
        }
        for (before, piece) in [
            ("\"id\":\"", self.id.and_then(inside).unwrap_or_default()),
            (
                "\",\"type\":\"function\",\"function\":{\"name\":\"",
                function.name.and_then(inside).unwrap_or_default(),
            ),
            ("\",\"arguments\":\"", arguments),
        ] {
            out.extend_from_slice(before.as_bytes());
            out.extend_from_slice(piece.as_bytes());
        }
        out.extend_from_slice(b"\"}}");
    }
}
