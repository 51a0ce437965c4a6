//! The conversation: OpenAI's messages as Anthropic's `messages` and `system`.

use super::super::message::Message;
use super::super::raw::{array, object, text, write_comma, write_key, write_member};
use super::super::tool_call::ToolCall;
use super::content::{self, Place};
use super::{missing, under, wrong_type};
use crate::error::Error;
use serde_json::value::RawValue;

/// Appends the `messages` array; system messages go to `system`, an array that is open.
///
/// # Errors
/// What is no conversation, or cannot be told to Anthropic; `param` is the path of the field.
pub(super) fn write(out: &mut Vec<u8>, system: &mut Vec<u8>, messages: &str) -> Result<(), Error> {
    let messages = array(messages).ok_or_else(|| wrong_type("messages", "an array"))?;
    out.push(b'[');
    let start = out.len();
    // Results of parallel tool calls belong into one message, so it is left open for the next.
    let mut in_results = false;
    for (at, raw) in messages.into_iter().enumerate() {
        write_message(out, system, raw, &mut in_results)
            .map_err(|error| under(error, &format!("messages[{at}]")))?;
    }
    if in_results {
        out.extend_from_slice(b"]}");
    }
    if out.len() == start {
        let message = "there must be a message that is not the system's";
        return Err(Error::invalid("invalid_value", message).with_param("messages"));
    }
    out.push(b']');
    Ok(())
}

fn write_message(
    out: &mut Vec<u8>,
    system: &mut Vec<u8>,
    raw: &RawValue,
    in_results: &mut bool,
) -> Result<(), Error> {
    let Some(message) = object::<Message<'_>>(raw.get()) else {
        let message = "a message must be an object without duplicate members";
        return Err(Error::invalid("invalid_type", message));
    };
    let role = message.role.and_then(text).ok_or_else(|| missing("role"))?;
    if *in_results && matches!(role.as_ref(), "user" | "assistant") {
        *in_results = false;
        out.extend_from_slice(b"]}");
    }
    match role.as_ref() {
        "system" | "developer" => {
            let content = message.content.ok_or_else(|| missing("content"))?;
            content::write_blocks(system, content.get(), message.cache_control, Place::System)
                .map_err(in_content)
        }
        "user" => write_user(out, &message),
        "assistant" => write_assistant(out, &message),
        "tool" => {
            if !std::mem::replace(in_results, true) {
                write_comma(out);
                out.extend_from_slice(b"{\"role\":\"user\",\"content\":[");
            }
            write_result(out, &message)
        }
        "function" => {
            let message = "messages of the role function are not supported by anthropic; \
                           use tool_calls and the role tool";
            Err(Error::invalid("unsupported_content", message).with_param("role"))
        }
        _ => {
            let message = "the role must be system, developer, user, assistant or tool";
            Err(Error::invalid("invalid_value", message).with_param("role"))
        }
    }
}

fn write_user(out: &mut Vec<u8>, message: &Message<'_>) -> Result<(), Error> {
    let content = message.content.ok_or_else(|| missing("content"))?.get();
    write_comma(out);
    out.extend_from_slice(b"{\"role\":\"user\",\"content\":");
    match (content.starts_with('"'), message.cache_control) {
        (true, None) => out.extend_from_slice(content.as_bytes()),
        (_, cache_control) => {
            out.push(b'[');
            content::write_blocks(out, content, cache_control, Place::User).map_err(in_content)?;
            out.push(b']');
        }
    }
    out.push(b'}');
    Ok(())
}

fn write_assistant(out: &mut Vec<u8>, message: &Message<'_>) -> Result<(), Error> {
    if message.function_call.is_some() {
        let message = "function_call is not supported by anthropic; use tool_calls";
        return Err(Error::invalid("unsupported_content", message).with_param("function_call"));
    }
    let calls = match message.tool_calls {
        Some(raw) => array(raw.get()).ok_or_else(|| wrong_type("tool_calls", "an array"))?,
        None => Vec::new(),
    };
    let before = out.len();
    write_comma(out);
    out.extend_from_slice(b"{\"role\":\"assistant\",\"content\":[");
    let start = out.len();
    let place = Place::Assistant { tool_calls: !calls.is_empty() };
    let blocks =
        message.content_blocks.filter(|raw| array(raw.get()).is_none_or(|it| !it.is_empty()));
    if let Some(blocks) = blocks {
        content::write_blocks(out, blocks.get(), None, place)
            .map_err(|error| under(error, "content_blocks"))?;
    } else if let Some(content) = message.content {
        content::write_blocks(out, content.get(), message.cache_control, place)
            .map_err(in_content)?;
    } else if let Some(refusal) = message.refusal.filter(|raw| text(raw).is_some()) {
        content::write_text(out, refusal.get(), None, message.cache_control);
    }
    for (at, call) in calls.into_iter().enumerate() {
        write_tool_call(out, call).map_err(|error| under(error, &format!("tool_calls[{at}]")))?;
    }
    match out.len() == start {
        // Anthropic refuses a message without content, and there is nothing to lose.
        true => out.truncate(before),
        false => out.extend_from_slice(b"]}"),
    }
    Ok(())
}

fn write_tool_call(out: &mut Vec<u8>, raw: &RawValue) -> Result<(), Error> {
    let call = ToolCall::read(raw, "anthropic")?;
    let id = call.id.and_then(text).ok_or_else(|| missing("id"))?;
    let function = call.function()?;
    let arguments = function.arguments().map_err(|error| under(error, "function"))?;
    write_comma(out);
    out.extend_from_slice(b"{\"type\":\"tool_use\"");
    write_member(out, "id", &id);
    write_member(out, "name", &function.name);
    write_key(out, "input");
    out.extend_from_slice(arguments.as_bytes());
    content::end_block(out, call.cache_control);
    Ok(())
}

fn write_result(out: &mut Vec<u8>, message: &Message<'_>) -> Result<(), Error> {
    let id = message.tool_call_id.and_then(text).ok_or_else(|| missing("tool_call_id"))?;
    write_comma(out);
    out.extend_from_slice(b"{\"type\":\"tool_result\"");
    write_member(out, "tool_use_id", &id);
    if let Some(content) = message.content {
        write_key(out, "content");
        match content.get().starts_with('"') {
            true => out.extend_from_slice(content.get().as_bytes()),
            false => {
                out.push(b'[');
                content::write_blocks(out, content.get(), None, Place::ToolResult)
                    .map_err(in_content)?;
                out.push(b']');
            }
        }
    }
    if let Some(is_error) = message.is_error.filter(|raw| matches!(raw.get(), "true" | "false")) {
        write_key(out, "is_error");
        out.extend_from_slice(is_error.get().as_bytes());
    }
    content::end_block(out, message.cache_control);
    Ok(())
}

fn in_content(error: Error) -> Error {
    under(error, "content")
}
