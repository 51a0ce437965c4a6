//! The conversation: OpenAI's messages as Gemini's `contents` and `systemInstruction`.

use super::super::message::Message;
use super::super::raw::{array, object, text, write_comma, write_key, write_member};
use super::super::tool_call::{Function, ToolCall};
use super::content::{self, Place};
use super::{missing, under, wrong_type};
use crate::error::Error;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Stands for the thought signature of a call that another model made, or a client that lost it.
/// Google documents it for this.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

members! {
    struct ExtraContent<'a> {
        google: Option<Google<'a>>,
    }

    struct Google<'a> {
        thought_signature: Option<&'a RawValue>,
    }
}

/// Whose turn it is. Neighbours of the same kind are one turn; the results of calls stay apart
/// from what the user says after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    User,
    Model,
    Results,
}

/// Appends the `contents` array; system messages go to `system`, an array that is open.
///
/// # Errors
/// What is no conversation, or cannot be told to Gemini; `param` is the path of the field.
pub(super) fn write(
    out: &mut Vec<u8>,
    system: &mut Vec<u8>,
    messages: &str,
    wants_signatures: bool,
) -> Result<(), Error> {
    let messages = array(messages).ok_or_else(|| wrong_type("messages", "an array"))?;
    out.push(b'[');
    let mut turns = Turns { out, system, turn: None, wants_signatures, calls: BTreeMap::new() };
    for (at, raw) in messages.into_iter().enumerate() {
        turns.write(raw).map_err(|error| under(error, &format!("messages[{at}]")))?;
    }
    if turns.turn.is_none() {
        let message = "there must be a message with content that is not the system's";
        return Err(Error::invalid("invalid_value", message).with_param("messages"));
    }
    out.extend_from_slice(b"]}]");
    Ok(())
}

struct Turns<'a, 'o> {
    out: &'o mut Vec<u8>,
    system: &'o mut Vec<u8>,
    /// The turn that is open.
    turn: Option<Turn>,
    wants_signatures: bool,
    /// The function of each call so far, by the call's id: results name the id alone.
    calls: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
}

impl<'a> Turns<'a, '_> {
    fn write(&mut self, raw: &'a RawValue) -> Result<(), Error> {
        let Some(message) = object::<Message<'_>>(raw.get()) else {
            let message = "a message must be an object without duplicate members";
            return Err(Error::invalid("invalid_type", message));
        };
        let role = message.role.and_then(text).ok_or_else(|| missing("role"))?;
        match role.as_ref() {
            "system" | "developer" => {
                let content = message.content.ok_or_else(|| missing("content"))?;
                content::write_parts(self.system, content.get(), Place::System).map_err(in_content)
            }
            "user" => {
                let content = message.content.ok_or_else(|| missing("content"))?;
                self.turn(Turn::User, |turns| {
                    content::write_parts(turns.out, content.get(), Place::User).map_err(in_content)
                })
            }
            "assistant" => self.turn(Turn::Model, |turns| turns.write_assistant(&message)),
            "tool" | "function" => self.turn(Turn::Results, |turns| turns.write_result(&message)),
            _ => {
                let message = "the role must be system, developer, user, assistant or tool";
                Err(Error::invalid("invalid_value", message).with_param("role"))
            }
        }
    }

    /// Lets `write_parts` append the parts of a message to a turn of this kind. Gemini refuses a
    /// turn without parts, and there is nothing to lose.
    fn turn(
        &mut self,
        turn: Turn,
        write_parts: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (before, last) = (self.out.len(), self.turn);
        if last != Some(turn) {
            self.out.extend_from_slice(if last.is_some() { b"]}" } else { b"" });
            write_comma(self.out);
            self.out.extend_from_slice(match turn {
                Turn::Model => b"{\"role\":\"model\",\"parts\":[",
                Turn::User | Turn::Results => b"{\"role\":\"user\",\"parts\":[",
            });
            self.turn = Some(turn);
        }
        let start = self.out.len();
        write_parts(self)?;
        if self.out.len() == start {
            self.out.truncate(before);
            self.turn = last;
        }
        Ok(())
    }

    fn write_assistant(&mut self, message: &Message<'a>) -> Result<(), Error> {
        if let Some(content) = message.content {
            content::write_parts(self.out, content.get(), Place::Assistant).map_err(in_content)?;
        } else if let Some(refusal) = message.refusal.filter(|raw| text(raw).is_some()) {
            content::write_text(self.out, refusal.get());
        }
        if let Some(function) = message.function_call {
            Function::read(function)
                .and_then(|function| self.write_call(None, &function, true))
                .map_err(|error| under(error, "function_call"))?;
        }
        let calls = match message.tool_calls {
            Some(raw) => array(raw.get()).ok_or_else(|| wrong_type("tool_calls", "an array"))?,
            None => Vec::new(),
        };
        for (at, raw) in calls.into_iter().enumerate() {
            self.write_tool_call(raw, at == 0)
                .map_err(|error| under(error, &format!("tool_calls[{at}]")))?;
        }
        Ok(())
    }

    fn write_tool_call(&mut self, raw: &'a RawValue, first: bool) -> Result<(), Error> {
        let call = ToolCall::read(raw, "google")?;
        let function = call.function()?;
        self.write_call(Some(&call), &function, first).map_err(|error| under(error, "function"))
    }

    /// Appends a `functionCall`; of parallel ones only the `first` needs a signature.
    fn write_call(
        &mut self,
        call: Option<&ToolCall<'a>>,
        function: &Function<'a>,
        first: bool,
    ) -> Result<(), Error> {
        let arguments = function.arguments()?;
        let out = &mut *self.out;
        write_comma(out);
        out.extend_from_slice(b"{\"functionCall\":{");
        if let Some(id) = call.and_then(|call| call.id).and_then(text) {
            write_member(out, "id", &id);
            self.calls.insert(id, function.name.clone());
        }
        write_member(out, "name", &function.name);
        write_key(out, "args");
        out.extend_from_slice(arguments.as_bytes());
        out.push(b'}');
        let google = || {
            let extra: ExtraContent<'_> = object(call?.extra_content?.get())?;
            extra.google?.thought_signature
        };
        match function.thought_signature.or_else(google).and_then(text) {
            Some(signature) => write_member(out, "thoughtSignature", &signature),
            None if first && self.wants_signatures => {
                write_member(out, "thoughtSignature", NO_SIGNATURE);
            }
            None => {}
        }
        out.push(b'}');
        Ok(())
    }

    fn write_result(&mut self, message: &Message<'a>) -> Result<(), Error> {
        let id = message.tool_call_id.and_then(text);
        let called = id.as_ref().and_then(|id| self.calls.get(id)).cloned();
        let Some(name) = called.or_else(|| message.name.and_then(text)) else {
            let message = match id {
                Some(_) => "no tool call before it has this id, and the message has no name",
                None => return Err(missing("tool_call_id")),
            };
            return Err(Error::invalid("invalid_value", message).with_param("tool_call_id"));
        };
        let out = &mut *self.out;
        write_comma(out);
        out.extend_from_slice(b"{\"functionResponse\":{");
        if let Some(id) = id {
            write_member(out, "id", &id);
        }
        write_member(out, "name", &name);
        let failed = message.is_error.is_some_and(|raw| raw.get() == "true");
        let key = if failed { "error" } else { "output" };
        content::write_result(out, key, message.content).map_err(in_content)?;
        out.extend_from_slice(b"}}");
        Ok(())
    }
}

fn in_content(error: Error) -> Error {
    under(error, "content")
}
