//! The forms of answers that clients get: which there are, which are fit to be kept, and how a
//! stream becomes the JSON that is kept and the other way round.

mod chat;
mod merge;
mod messages;
mod pieces;
mod responses;

use crate::endpoint::Endpoint;
use crate::stream::Event;
use serde_json::{Map, Value};

/// A form of answers, by the operation that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's older completions.
    Completion,
    /// OpenAI's embeddings, which do not stream.
    Embedding,
    /// Anthropic's messages.
    Message,
    /// OpenAI's responses.
    Response,
}

impl Form {
    /// The form of the answers to an operation; `None` for those whose answers are not kept.
    pub fn of(endpoint: Endpoint) -> Option<Self> {
        match endpoint {
            Endpoint::ChatCompletions => Some(Self::Chat),
            Endpoint::Completions => Some(Self::Completion),
            Endpoint::Embeddings => Some(Self::Embedding),
            Endpoint::Messages => Some(Self::Message),
            Endpoint::Responses => Some(Self::Response),
            _ => None,
        }
    }

    /// The name, as a part of keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completion => "completion",
            Self::Embedding => "embedding",
            Self::Message => "message",
            Self::Response => "response",
        }
    }

    /// Whether an answer to a request without `stream` is whole and no error.
    pub fn is_whole(self, answer: &Value) -> bool {
        let filled = |name: &str| {
            answer.get(name).and_then(Value::as_array).is_some_and(|items| !items.is_empty())
        };
        let error = answer.get("error").is_some_and(|error| !error.is_null());
        !error
            && match self {
                Self::Chat | Self::Completion => chat::is_finished(answer),
                Self::Embedding => filled("data"),
                Self::Message => {
                    answer.get("type").is_some_and(|kind| kind == "message")
                        && answer.get("stop_reason").is_some_and(Value::is_string)
                }
                Self::Response => answer.get("status").is_some_and(|status| status == "completed"),
            }
    }

    /// Whether an answer asks for the call of a tool.
    pub fn calls_tools(self, answer: &Value) -> bool {
        let items = |name: &str| answer.get(name).and_then(Value::as_array).into_iter().flatten();
        let is_said = |item: &Value, known: &[&str]| {
            item.get("type").and_then(Value::as_str).is_some_and(|kind| known.contains(&kind))
        };
        match self {
            Self::Chat => items("choices").any(|choice| {
                let message = choice.get("message");
                ["tool_calls", "function_call"].into_iter().any(|name| {
                    message.and_then(|message| message.get(name)).is_some_and(|calls| {
                        !calls.is_null() && calls.as_array().is_none_or(|calls| !calls.is_empty())
                    })
                })
            }),
            Self::Completion | Self::Embedding => false,
            Self::Message => items("content")
                .any(|block| !is_said(block, &["text", "thinking", "redacted_thinking"])),
            Self::Response => items("output").any(|item| !is_said(item, &["message", "reasoning"])),
        }
    }

    /// The events of a stream that says what `answer` says; `usage`: whether a chat client asked
    /// for a last chunk with the token counts. `None` when it cannot be said so.
    pub fn replay(self, answer: &Value, usage: bool) -> Option<Vec<u8>> {
        let answer = answer.as_object()?;
        match self {
            Self::Chat => chat::replay(answer, usage),
            Self::Completion => chat::replay_text(answer, usage),
            Self::Embedding => None,
            Self::Message => messages::replay(answer),
            Self::Response => responses::replay(answer),
        }
    }
}

/// Puts the events of one stream together.
#[derive(Debug)]
pub struct Assembler {
    form: Form,
    answer: Map<String, Value>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The last event was seen.
    Done,
    /// Something that cannot be kept was seen.
    Failed,
}

impl Assembler {
    /// A stream of that form, from its begin.
    pub fn new(form: Form) -> Self {
        Self { form, answer: Map::new(), state: State::Open }
    }

    /// The next event.
    pub fn on_event(&mut self, event: Event<'_>) {
        if self.state != State::Open {
            // Whatever it is: nothing comes after the last event.
            self.state = State::Failed;
            return;
        }
        self.state = self.take(event).unwrap_or(State::Failed);
    }

    fn take(&mut self, event: Event<'_>) -> Option<State> {
        let is_openais = matches!(self.form, Form::Chat | Form::Completion);
        if event.data == b"[DONE]" {
            return is_openais.then_some(State::Done);
        }
        let Value::Object(chunk) = serde_json::from_slice(event.data).ok()? else { return None };
        if chunk.get("error").is_some_and(|error| !error.is_null()) {
            return None;
        }
        let done = match self.form {
            Form::Chat => chat::take(&mut self.answer, chunk, "delta").map(|()| false),
            Form::Completion => chat::take(&mut self.answer, chunk, "text").map(|()| false),
            Form::Embedding => None,
            Form::Message => messages::take(&mut self.answer, chunk),
            Form::Response => responses::take(&mut self.answer, chunk),
        };
        done.map(|done| if done { State::Done } else { State::Open })
    }

    /// The answer of a stream that is over; `None` unless it came to its own end.
    pub fn finish(self) -> Option<Value> {
        let Self { form, mut answer, state } = self;
        if state != State::Done {
            return None;
        }
        match form {
            Form::Chat => chat::finish(&mut answer)?,
            Form::Completion => chat::finish_text(&mut answer),
            Form::Embedding | Form::Message | Form::Response => {}
        }
        let answer = Value::Object(answer);
        form.is_whole(&answer).then_some(answer)
    }
}

/// Appends an event of OpenAI's or Anthropic's: the latter have a name.
fn write_event(out: &mut Vec<u8>, name: Option<&str>, data: &Value) {
    if let Some(name) = name {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(b"data: ");
    // Writing to a Vec cannot fail.
    let _ = serde_json::to_writer(&mut *out, data);
    out.extend_from_slice(b"\n\n");
}

/// A copy with other members.
fn with<const N: usize>(object: &Map<String, Value>, members: [(&str, Value); N]) -> Value {
    let mut copy = object.clone();
    for (name, value) in members {
        copy.insert(name.to_owned(), value);
    }
    Value::Object(copy)
}

#[cfg(test)]
mod tests;
