//! A `GenerateContentResponse`, as far as it is read: a whole answer, or a chunk of one.

use super::super::raw::{array, inside, object, object_in};
use serde_json::value::RawValue;

members! {
    /// The top level.
    #[derive(Default)]
    pub(super) struct Answer<'a> {
        pub(super) candidates: Option<&'a RawValue>,
        pub(super) prompt_feedback: Option<&'a RawValue> = "promptFeedback",
        pub(super) usage_metadata: Option<&'a RawValue> = "usageMetadata",
        pub(super) model_version: Option<&'a RawValue> = "modelVersion",
        pub(super) response_id: Option<&'a RawValue> = "responseId",
        pub(super) error: Option<&'a RawValue>,
    }

    /// Why a prompt was refused.
    #[derive(Default)]
    pub(super) struct Feedback<'a> {
        pub(super) block_reason: Option<&'a RawValue> = "blockReason",
        pub(super) block_reason_message: Option<&'a RawValue> = "blockReasonMessage",
    }
}

members! {
    /// What becomes a choice.
    pub(super) struct Candidate<'a> {
        index: Option<u64>,
        content: Option<&'a RawValue>,
        pub(super) finish_reason: Option<&'a RawValue> = "finishReason",
        pub(super) finish_message: Option<&'a RawValue> = "finishMessage",
        pub(super) logprobs_result: Option<&'a RawValue> = "logprobsResult",
        pub(super) grounding_metadata: Option<&'a RawValue> = "groundingMetadata",
    }

    #[derive(Default)]
    struct RawContent<'a> {
        parts: Option<&'a RawValue>,
    }

    #[derive(Default)]
    struct Part<'a> {
        text: Option<&'a RawValue>,
        thought: Option<&'a RawValue>,
        thought_signature: Option<&'a RawValue> = "thoughtSignature",
        function_call: Option<&'a RawValue> = "functionCall",
        inline_data: Option<&'a RawValue> = "inlineData",
    }

    #[derive(Default)]
    struct RawCall<'a> {
        id: Option<&'a RawValue>,
        name: Option<&'a RawValue>,
        args: Option<&'a RawValue>,
    }

    struct InlineData<'a> {
        mime_type: Option<&'a RawValue> = "mimeType",
        data: Option<&'a RawValue>,
    }
}

/// A function that the model wants called. Strings are without their quotes, escapes as they are.
pub(super) struct Call<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) name: &'a str,
    /// Raw JSON.
    pub(super) args: &'a str,
    pub(super) signature: Option<&'a str>,
}

/// What is not a call, for clients that want more than text.
pub(super) enum Block<'a> {
    Thinking(&'a str),
    Text(&'a str),
    /// Media type and base64.
    Image(&'a str, &'a str),
    /// A part of another kind, such as code that ran at Google's.
    Other(&'a str),
}

/// The parts of a candidate by what they become; strings as in [`Call`].
#[derive(Default)]
pub(super) struct Content<'a> {
    pub(super) text: Vec<&'a str>,
    pub(super) calls: Vec<Call<'a>>,
    pub(super) blocks: Vec<Block<'a>>,
}

impl<'a> Candidate<'a> {
    /// `None` when an element of `candidates` is none.
    pub(super) fn parse(raw: &'a RawValue) -> Option<Self> {
        object(raw.get())
    }

    /// Left out for the first.
    pub(super) fn index(&self) -> u64 {
        self.index.unwrap_or_default()
    }

    /// Parts that cannot be read are left out: those around them are still good.
    pub(super) fn content(&self) -> Content<'a> {
        let mut content = Content::default();
        let raw: Option<RawContent<'_>> = self.content.and_then(|raw| object(raw.get()));
        let parts = raw.and_then(|raw| array(raw.parts?.get()));
        for raw in parts.into_iter().flatten() {
            if let Some(part) = object::<Part<'_>>(raw.get()) {
                content.add(&part, raw);
            }
        }
        content
    }
}

impl<'a> Content<'a> {
    fn add(&mut self, part: &Part<'a>, raw: &'a RawValue) {
        let thought = part.thought.is_some_and(|raw| raw.get() == "true");
        let image = || {
            let data: InlineData<'_> = object(part.inline_data?.get())?;
            let media_type = data.mime_type.and_then(inside)?;
            Some(Block::Image(media_type, data.data.and_then(inside)?))
        };
        if let Some(call) = part.function_call {
            let call: RawCall<'_> = object(call.get()).unwrap_or_default();
            self.calls.push(Call {
                id: call.id.and_then(inside).filter(|id| !id.is_empty()),
                name: call.name.and_then(inside).unwrap_or_default(),
                args: call.args.map_or("{}", RawValue::get),
                signature: part.thought_signature.and_then(inside),
            });
        } else if let Some(text) = part.text.and_then(inside) {
            if thought {
                self.blocks.push(Block::Thinking(text));
            } else if !text.is_empty() {
                self.text.push(text);
                self.blocks.push(Block::Text(text));
            }
        } else if !thought {
            self.blocks.push(image().unwrap_or(Block::Other(raw.get())));
        }
    }

    /// Whether there is nothing at all.
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.blocks.is_empty()
    }
}

impl<'a> Answer<'a> {
    /// Reads the top level; `None` when it is no object.
    pub(super) fn parse(data: &'a [u8]) -> Option<Self> {
        object_in(data)
    }

    /// Why the prompt was refused, if it was.
    pub(super) fn blocked(&self) -> Option<Feedback<'a>> {
        let feedback: Feedback<'_> = object(self.prompt_feedback?.get())?;
        feedback.block_reason.is_some().then_some(feedback)
    }
}
