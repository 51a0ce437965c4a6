//! A `GenerateContentResponse`, as far as it is read: a whole answer, or a chunk of one.

use super::super::raw::{array, inside, object};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The top level.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Answer<'a> {
    #[serde(borrow)]
    pub(super) candidates: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) prompt_feedback: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) usage_metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) model_version: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) response_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

/// Why a prompt was refused.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Feedback<'a> {
    #[serde(borrow)]
    pub(super) block_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) block_reason_message: Option<&'a RawValue>,
}

/// What becomes a choice.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Candidate<'a> {
    /// Left out for the first.
    pub(super) index: u64,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) finish_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) finish_message: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) logprobs_result: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) grounding_metadata: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawContent<'a> {
    #[serde(borrow)]
    parts: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Part<'a> {
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    thought: Option<&'a RawValue>,
    #[serde(borrow)]
    thought_signature: Option<&'a RawValue>,
    #[serde(borrow)]
    function_call: Option<&'a RawValue>,
    #[serde(borrow)]
    inline_data: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawCall<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InlineData<'a> {
    #[serde(borrow)]
    mime_type: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
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
        object(std::str::from_utf8(data).ok()?.trim_start())
    }

    /// Why the prompt was refused, if it was.
    pub(super) fn blocked(&self) -> Option<Feedback<'a>> {
        let feedback: Feedback<'_> = object(self.prompt_feedback?.get())?;
        feedback.block_reason.is_some().then_some(feedback)
    }
}
