//! The conversation: OpenAI's messages as Converse's `messages` and `system`.
//!
//! Converse wants turns that alternate, so neighbouring messages of one side become one turn.

use super::super::message::Message;
use super::super::raw::{array, object, text, write_comma, write_key, write_member};
use super::super::tool_call::ToolCall;
use super::content::{self, Place};
use super::document::Names;
use super::{missing, under, wrong_type};
use crate::error::Error;
use serde_json::value::RawValue;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    User,
    Assistant,
}

/// The two arrays as they grow.
struct Conversation<'o> {
    /// Ends in the `messages` array, within the content of a turn if one is open.
    out: &'o mut Vec<u8>,
    /// The elements of `system`, in an open array.
    system: Vec<u8>,
    turn: Option<Side>,
    names: Names,
    /// Whether there are calls or results of tools.
    tools: bool,
}

/// Appends the members `messages` and `system`; tells whether there are calls or results of tools.
///
/// # Errors
/// What is no conversation, or cannot be told to Bedrock; `param` is the path of the field.
pub(super) fn write(out: &mut Vec<u8>, messages: &str) -> Result<bool, Error> {
    let messages = array(messages).ok_or_else(|| wrong_type("messages", "an array"))?;
    write_key(out, "messages");
    out.push(b'[');
    let (system, names) = (b"[".to_vec(), Names::default());
    let mut conversation = Conversation { out, system, turn: None, names, tools: false };
    for (at, raw) in messages.into_iter().enumerate() {
        conversation.message(raw).map_err(|error| under(error, &format!("messages[{at}]")))?;
    }
    let Conversation { out, system, turn, tools, .. } = conversation;
    if turn.is_none() {
        let message = "there must be a message with content that is not the system's";
        return Err(Error::invalid("invalid_value", message).with_param("messages"));
    }
    out.extend_from_slice(b"]}]");
    if system.len() > 1 {
        write_key(out, "system");
        out.extend_from_slice(&system);
        out.push(b']');
    }
    Ok(tools)
}

impl Conversation<'_> {
    fn message(&mut self, raw: &RawValue) -> Result<(), Error> {
        let Some(message) = object::<Message<'_>>(raw.get()) else {
            let message = "a message must be an object without duplicate members";
            return Err(Error::invalid("invalid_type", message));
        };
        let role = message.role.and_then(text).ok_or_else(|| missing("role"))?;
        match role.as_ref() {
            "system" | "developer" => {
                let content = message.content.ok_or_else(|| missing("content"))?.get();
                let (out, place) = (&mut self.system, Place::System);
                content::write(out, content, message.cache_control, place, &mut self.names)
                    .map_err(in_content)
            }
            "user" => self.speak(Side::User, |it| it.user(&message)),
            "assistant" => self.speak(Side::Assistant, |it| it.assistant(&message)),
            "tool" => self.speak(Side::User, |it| it.result(&message)),
            "function" => {
                let message = "messages of the role function are not supported by bedrock; \
                               use tool_calls and the role tool";
                Err(Error::invalid("unsupported_content", message).with_param("role"))
            }
            _ => {
                let message = "the role must be system, developer, user, assistant or tool";
                Err(Error::invalid("invalid_value", message).with_param("role"))
            }
        }
    }

    /// Lets a side speak: in its own turn if that is the last one. What says nothing leaves no turn
    /// behind, since Converse refuses a message without content.
    fn speak(
        &mut self,
        side: Side,
        write: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (before, turn) = (self.out.len(), self.turn);
        if turn != Some(side) {
            if turn.is_some() {
                self.out.extend_from_slice(b"]}");
            }
            write_comma(self.out);
            self.out.extend_from_slice(match side {
                Side::User => b"{\"role\":\"user\",\"content\":[".as_slice(),
                Side::Assistant => b"{\"role\":\"assistant\",\"content\":[",
            });
            self.turn = Some(side);
        }
        let start = self.out.len();
        write(self)?;
        if self.out.len() == start {
            self.out.truncate(before);
            self.turn = turn;
        }
        Ok(())
    }

    fn user(&mut self, message: &Message<'_>) -> Result<(), Error> {
        let content = message.content.ok_or_else(|| missing("content"))?.get();
        let (out, place) = (&mut *self.out, Place::User);
        content::write(out, content, message.cache_control, place, &mut self.names)
            .map_err(in_content)
    }

    fn assistant(&mut self, message: &Message<'_>) -> Result<(), Error> {
        if message.function_call.is_some() {
            let message = "function_call is not supported by bedrock; use tool_calls";
            return Err(Error::invalid("unsupported_content", message).with_param("function_call"));
        }
        let calls = match message.tool_calls {
            Some(raw) => array(raw.get()).ok_or_else(|| wrong_type("tool_calls", "an array"))?,
            None => Vec::new(),
        };
        let start = self.out.len();
        let out = &mut *self.out;
        let tool_calls = !calls.is_empty();
        if let Some(blocks) = message.content_blocks {
            let place = Place::Blocks { tool_calls };
            content::write(out, blocks.get(), None, place, &mut self.names)
                .map_err(|error| under(error, "content_blocks"))?;
        }
        if let Some(content) = message.content.filter(|_| out.len() == start) {
            let place = Place::Assistant { tool_calls };
            content::write(out, content.get(), message.cache_control, place, &mut self.names)
                .map_err(in_content)?;
        }
        let refusal = message.refusal.filter(|raw| out.len() == start && text(raw).is_some());
        if let Some(refusal) = refusal {
            content::write_text(out, refusal.get());
        }
        self.tools |= tool_calls;
        for (at, call) in calls.into_iter().enumerate() {
            write_tool_call(self.out, call)
                .map_err(|error| under(error, &format!("tool_calls[{at}]")))?;
        }
        Ok(())
    }

    fn result(&mut self, message: &Message<'_>) -> Result<(), Error> {
        self.tools = true;
        let id = message.tool_call_id.and_then(text).ok_or_else(|| missing("tool_call_id"))?;
        write_comma(self.out);
        self.out.extend_from_slice(b"{\"toolResult\":{");
        write_member(self.out, "toolUseId", &id);
        write_key(self.out, "content");
        self.out.push(b'[');
        if let Some(content) = message.content {
            let place = Place::ToolResult;
            content::write(self.out, content.get(), None, place, &mut self.names)
                .map_err(in_content)?;
        }
        self.out.push(b']');
        match message.is_error.map(RawValue::get) {
            Some("true") => write_member(self.out, "status", "error"),
            Some("false") => write_member(self.out, "status", "success"),
            _ => {}
        }
        self.out.extend_from_slice(b"}}");
        content::write_cache_point(self.out, message.cache_control);
        Ok(())
    }
}

fn write_tool_call(out: &mut Vec<u8>, raw: &RawValue) -> Result<(), Error> {
    let call = ToolCall::read(raw, "bedrock")?;
    let id = call.id.and_then(text).ok_or_else(|| missing("id"))?;
    let function = call.function()?;
    let arguments = function.arguments().map_err(|error| under(error, "function"))?;
    content::write_tool_use(out, &id, &function.name, &arguments);
    content::write_cache_point(out, call.cache_control);
    Ok(())
}

fn in_content(error: Error) -> Error {
    under(error, "content")
}
