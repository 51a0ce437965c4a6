//! Chat completions and chunks of them, as far as a client's format has a place for what they
//! say. Strings are what stands between the quotes, escapes as they are.

use crate::dialect::raw::{array, inside, object, object_in, text};
use crate::json::write_string;
use crate::members::Members;
use serde_json::value::RawValue;
use std::borrow::Cow;

members! {
    /// A chat completion, or a chunk of one.
    #[derive(Default)]
    pub(super) struct Chunk<'a> {
        pub(super) id: Option<&'a RawValue>,
        created: Option<&'a RawValue>,
        pub(super) model: Option<&'a RawValue>,
        choices: Option<&'a RawValue>,
        pub(super) usage: Option<&'a RawValue>,
        /// Who answered, where our dialects or a gateway say so.
        pub(super) provider: Option<&'a RawValue>,
        pub(super) error: Option<&'a RawValue>,
    }
}

members! {
    #[derive(Default)]
    pub(super) struct Choice<'a> {
        index: Option<&'a RawValue>,
        message: Option<&'a RawValue>,
        /// What a chunk has in the place of a message.
        delta: Option<&'a RawValue>,
        logprobs: Option<&'a RawValue>,
        pub(super) finish_reason: Option<&'a RawValue>,
    }

    #[derive(Default)]
    struct Logprobs<'a> {
        content: Option<&'a RawValue>,
    }

    /// What vendors have in a message or a delta.
    #[derive(Default)]
    struct Message<'a> {
        content: Option<&'a RawValue>,
        refusal: Option<&'a RawValue>,
        /// Where most vendors have reasoning.
        reasoning_content: Option<&'a RawValue>,
        /// Where OpenRouter and Groq have it.
        reasoning: Option<&'a RawValue>,
        /// Where our dialects have it, as Portkey does.
        content_blocks: Option<&'a RawValue>,
        tool_calls: Option<&'a RawValue>,
        annotations: Option<&'a RawValue>,
    }

    #[derive(Default)]
    struct Block<'a> {
        /// The block of a chunk.
        delta: Option<&'a RawValue>,
        kind: Option<&'a RawValue> = "type",
        text: Option<&'a RawValue>,
        /// A string, or Mistral's list of text parts.
        thinking: Option<&'a RawValue>,
        signature: Option<&'a RawValue>,
        data: Option<&'a RawValue>,
    }

    #[derive(Default)]
    struct RawCall<'a> {
        index: Option<&'a RawValue>,
        id: Option<&'a RawValue>,
        function: Option<&'a RawValue>,
    }

    #[derive(Default)]
    struct Function<'a> {
        name: Option<&'a RawValue>,
        arguments: Option<&'a RawValue>,
    }
}

/// A piece of an answer. In a whole answer each is complete.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    /// Reasoning.
    Thinking(&'a str),
    /// What ends a block of reasoning: the proof that it is the model's own.
    Signature(&'a str),
    /// A block of reasoning that only the provider can read.
    Redacted(&'a str),
    /// The answer.
    Text(&'a str),
    /// Why there is no answer.
    Refusal(&'a str),
    /// A tool call.
    Call(Call<'a>),
}

/// A tool call, or a piece of one.
#[derive(Debug)]
pub(super) struct Call<'a> {
    /// Which one it is a piece of.
    pub(super) index: Option<u64>,
    pub(super) id: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    pub(super) arguments: Cow<'a, str>,
}

impl<'a> Chunk<'a> {
    /// `None` when it is none; what is not JSON does not end a stream.
    pub(super) fn parse(data: &'a [u8]) -> Option<Self> {
        object_in(data)
    }

    /// Unix time in seconds.
    pub(super) fn created(&self) -> Option<u64> {
        self.created.and_then(|raw| raw.get().parse().ok())
    }

    /// The first of the choices: other formats have one answer.
    pub(super) fn choice(&self) -> Option<Choice<'a>> {
        let mut choices = self.choices().into_iter();
        choices.find(|choice| choice.index.is_none_or(|index| matches!(index.get(), "0" | "null")))
    }

    /// All of them.
    pub(super) fn choices(&self) -> Vec<Choice<'a>> {
        let choices = self.choices.and_then(|raw| array(raw.get())).unwrap_or_default();
        choices.into_iter().filter_map(|raw| object(raw.get())).collect()
    }

    /// Whether it is a chat completion at all.
    pub(super) fn has_choices(&self) -> bool {
        self.choices.is_some_and(|raw| raw.get().starts_with('['))
    }
}

impl<'a> Choice<'a> {
    /// Its place among the choices.
    pub(super) fn index(&self) -> Option<u64> {
        self.index.and_then(|raw| raw.get().parse().ok())
    }

    /// Log probabilities of the text: raw JSON, as both of OpenAI's APIs have them.
    pub(super) fn logprobs(&self) -> Option<&'a str> {
        let logprobs: Logprobs<'a> = object(self.logprobs?.get())?;
        logprobs.content.map(RawValue::get).filter(|raw| raw.starts_with('['))
    }

    /// Citations of the text, as chat completions have them.
    pub(super) fn annotations(&self) -> Vec<&'a RawValue> {
        let message: Message<'a> = read(self.message.or(self.delta));
        message.annotations.and_then(|raw| array(raw.get())).unwrap_or_default()
    }

    /// What it says: reasoning first, tool calls last.
    pub(super) fn pieces(&self) -> Vec<Piece<'a>> {
        let message: Message<'a> = read(self.message.or(self.delta));
        let mut pieces = Vec::new();
        let blocks = message.content_blocks.and_then(|raw| array(raw.get()));
        for raw in blocks.into_iter().flatten() {
            let block: Block<'a> = object(raw.get()).unwrap_or_default();
            let block = block.delta.map_or(block, |delta| read(Some(delta)));
            // The text is the content's, too.
            add_reasoning(&block, &mut pieces);
        }
        if pieces.is_empty() {
            let reasoning = message.reasoning_content.or(message.reasoning).and_then(inside);
            pieces.extend(reasoning.filter(|text| !text.is_empty()).map(Piece::Thinking));
        }
        add_content(message.content, &mut pieces);
        let refusal = message.refusal.and_then(inside).filter(|text| !text.is_empty());
        pieces.extend(refusal.map(Piece::Refusal));
        let calls = message.tool_calls.and_then(|raw| array(raw.get()));
        pieces.extend(calls.into_iter().flatten().map(|raw| Piece::Call(call(raw))));
        pieces
    }
}

fn read<'a, T: Default + Members<'a>>(raw: Option<&'a RawValue>) -> T {
    raw.and_then(|raw| object(raw.get())).unwrap_or_default()
}

fn add_reasoning<'a>(block: &Block<'a>, pieces: &mut Vec<Piece<'a>>) {
    let some = |raw: Option<&'a RawValue>| raw.and_then(inside).filter(|text| !text.is_empty());
    pieces.extend(some(block.thinking).map(Piece::Thinking));
    pieces.extend(some(block.signature).map(Piece::Signature));
    let redacted = block.kind.is_none_or(|kind| text(kind).as_deref() == Some("redacted_thinking"));
    pieces.extend(some(block.data).filter(|_| redacted).map(Piece::Redacted));
    for part in block.thinking.and_then(|raw| array(raw.get())).into_iter().flatten() {
        let part: Block<'a> = read(Some(part));
        pieces.extend(some(part.text).map(Piece::Thinking));
    }
}

/// A string; or a list of parts, as Mistral's models answer that reason.
fn add_content<'a>(content: Option<&'a RawValue>, pieces: &mut Vec<Piece<'a>>) {
    let Some(raw) = content else { return };
    if let Some(text) = inside(raw) {
        pieces.extend((!text.is_empty()).then_some(Piece::Text(text)));
        return;
    }
    for part in array(raw.get()).into_iter().flatten() {
        let part: Block<'a> = read(Some(part));
        add_reasoning(&part, pieces);
        let text = part.text.and_then(inside).filter(|text| !text.is_empty());
        pieces.extend(text.map(Piece::Text));
    }
}

fn call(raw: &RawValue) -> Call<'_> {
    let call: RawCall<'_> = read(Some(raw));
    let function: Function<'_> = read(call.function);
    let arguments = function.arguments.filter(|raw| raw.get() != "null");
    Call {
        index: call.index.and_then(|raw| raw.get().parse().ok()),
        id: call.id.and_then(inside).filter(|id| !id.is_empty()),
        name: function.name.and_then(inside).filter(|name| !name.is_empty()),
        arguments: arguments.map_or(Cow::Borrowed(""), quoted),
    }
}

/// Arguments are a string that holds JSON; some servers send the JSON itself.
fn quoted(raw: &RawValue) -> Cow<'_, str> {
    if let Some(text) = inside(raw) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::new();
    write_string(&mut out, raw.get());
    let text = out.get(1..out.len().saturating_sub(1)).unwrap_or_default();
    Cow::Owned(String::from_utf8_lossy(text).into_owned())
}
