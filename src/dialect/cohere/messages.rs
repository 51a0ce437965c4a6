//! The conversation: OpenAI's messages as Cohere's.

use super::super::message::Message;
use super::super::raw::{array, object, text, write_comma, write_key, write_member};
use super::super::tool_call::ToolCall;
use super::content::{self, Place};
use super::{missing, under, wrong_type};
use crate::error::Error;
use crate::json::write_string;
use serde_json::value::RawValue;

/// Appends the `messages` array.
///
/// # Errors
/// What is no conversation, or cannot be told to Cohere; `param` is the path of the field.
pub(super) fn write(out: &mut Vec<u8>, messages: &str) -> Result<(), Error> {
    let messages = array(messages).ok_or_else(|| wrong_type("messages", "an array"))?;
    out.push(b'[');
    let start = out.len();
    for (at, raw) in messages.into_iter().enumerate() {
        write_message(out, raw).map_err(|error| under(error, &format!("messages[{at}]")))?;
    }
    if out.len() == start {
        let message = "there must be a message with content";
        return Err(Error::invalid("invalid_value", message).with_param("messages"));
    }
    out.push(b']');
    Ok(())
}

fn write_message(out: &mut Vec<u8>, raw: &RawValue) -> Result<(), Error> {
    let Some(message) = object::<Message<'_>>(raw.get()) else {
        let message = "a message must be an object without duplicate members";
        return Err(Error::invalid("invalid_type", message));
    };
    let role = message.role.and_then(text).ok_or_else(|| missing("role"))?;
    match role.as_ref() {
        "system" | "developer" => write_plain(out, "system", &message, Place::System),
        "user" => write_plain(out, "user", &message, Place::User),
        "assistant" => write_assistant(out, &message),
        "tool" => write_result(out, &message),
        "function" => {
            let message = "messages of the role function are not supported by cohere; \
                           use tool_calls and the role tool";
            Err(Error::invalid("unsupported_content", message).with_param("role"))
        }
        _ => {
            let message = "the role must be system, developer, user, assistant or tool";
            Err(Error::invalid("invalid_value", message).with_param("role"))
        }
    }
}

/// A message of a role and a content.
fn write_plain(
    out: &mut Vec<u8>,
    role: &str,
    message: &Message<'_>,
    place: Place,
) -> Result<(), Error> {
    let content = message.content.ok_or_else(|| missing("content"))?;
    open(out, role);
    write_key(out, "content");
    content::write(out, content.get(), place).map_err(in_content)?;
    out.push(b'}');
    Ok(())
}

fn write_assistant(out: &mut Vec<u8>, message: &Message<'_>) -> Result<(), Error> {
    if message.function_call.is_some() {
        let message = "function_call is not supported by cohere; use tool_calls";
        return Err(Error::invalid("unsupported_content", message).with_param("function_call"));
    }
    let calls = match message.tool_calls {
        Some(raw) => array(raw.get()).ok_or_else(|| wrong_type("tool_calls", "an array"))?,
        None => Vec::new(),
    };
    let before = out.len();
    open(out, "assistant");
    let start = out.len();
    write_said(out, message)?;
    if let Some(plan) = message.tool_plan.and_then(text) {
        write_member(out, "tool_plan", &plan);
    }
    if !calls.is_empty() {
        write_key(out, "tool_calls");
        out.push(b'[');
        for (at, call) in calls.into_iter().enumerate() {
            write_tool_call(out, call)
                .map_err(|error| under(error, &format!("tool_calls[{at}]")))?;
        }
        out.push(b']');
    }
    match out.len() == start {
        // Cohere refuses a message without content, and there is nothing to lose.
        true => out.truncate(before),
        false => out.push(b'}'),
    }
    Ok(())
}

/// The content of the assistant's message, if it has any.
fn write_said(out: &mut Vec<u8>, message: &Message<'_>) -> Result<(), Error> {
    let before = out.len();
    write_key(out, "content");
    let start = out.len();
    let is_empty = |out: &[u8]| matches!(out.get(start..), Some(b"[]" | b"\"\""));
    if let Some(blocks) = message.content_blocks {
        content::write(out, blocks.get(), Place::Blocks)
            .map_err(|error| under(error, "content_blocks"))?;
        if !is_empty(out) {
            return Ok(());
        }
        out.truncate(start);
    }
    if let Some(content) = message.content {
        content::write(out, content.get(), Place::Assistant).map_err(in_content)?;
        if !is_empty(out) {
            return Ok(());
        }
        out.truncate(start);
    }
    match message.refusal.filter(|raw| text(raw).is_some()) {
        Some(refusal) => out.extend_from_slice(refusal.get().as_bytes()),
        None => out.truncate(before),
    }
    Ok(())
}

fn write_tool_call(out: &mut Vec<u8>, raw: &RawValue) -> Result<(), Error> {
    let call = ToolCall::read(raw, "cohere")?;
    let id = call.id.and_then(text).ok_or_else(|| missing("id"))?;
    let function = call.function()?;
    let arguments = function.arguments().map_err(|error| under(error, "function"))?;
    write_comma(out);
    out.push(b'{');
    write_member(out, "id", &id);
    out.extend_from_slice(b",\"type\":\"function\",\"function\":{");
    write_member(out, "name", &function.name);
    write_key(out, "arguments");
    write_string(out, &arguments);
    out.extend_from_slice(b"}}");
    Ok(())
}

fn write_result(out: &mut Vec<u8>, message: &Message<'_>) -> Result<(), Error> {
    let id = message.tool_call_id.and_then(text).ok_or_else(|| missing("tool_call_id"))?;
    open(out, "tool");
    write_member(out, "tool_call_id", &id);
    write_key(out, "content");
    match message.content {
        Some(content) => {
            content::write(out, content.get(), Place::ToolResult).map_err(in_content)?
        }
        // Cohere requires it, where a result may be nothing.
        None => out.extend_from_slice(b"\"\""),
    }
    out.push(b'}');
    Ok(())
}

fn open(out: &mut Vec<u8>, role: &str) {
    write_comma(out);
    out.push(b'{');
    write_member(out, "role", role);
}

fn in_content(error: Error) -> Error {
    under(error, "content")
}
