//! The events of a streamed Messages answer, as far as they are read.

use serde_json::value::RawValue;

members! {
    /// The members of all kinds of events.
    pub(super) struct Payload<'a> {
        pub(super) kind: Option<&'a RawValue> = "type",
        pub(super) index: Option<u64>,
        pub(super) message: Option<&'a RawValue>,
        pub(super) content_block: Option<&'a RawValue>,
        pub(super) delta: Option<&'a RawValue>,
        pub(super) usage: Option<&'a RawValue>,
        pub(super) error: Option<&'a RawValue>,
    }

    /// The `message` of the first event.
    #[derive(Default)]
    pub(super) struct Message<'a> {
        pub(super) id: Option<&'a RawValue>,
        pub(super) model: Option<&'a RawValue>,
        pub(super) usage: Option<&'a RawValue>,
    }

    /// The members of content blocks and of all kinds of deltas.
    #[derive(Default)]
    pub(super) struct Piece<'a> {
        pub(super) kind: Option<&'a RawValue> = "type",
        pub(super) text: Option<&'a RawValue>,
        pub(super) partial_json: Option<&'a RawValue>,
        pub(super) id: Option<&'a RawValue>,
        pub(super) name: Option<&'a RawValue>,
        pub(super) input: Option<&'a RawValue>,
        pub(super) stop_reason: Option<&'a RawValue>,
    }
}
