//! The conversation: `system` and Anthropic's turns as messages.

use super::super::parts::Parts;
use super::super::write::write_raw;
use super::super::{Extras, Taker};
use super::assistant;
use super::content::Block;
use crate::dialect::Dropped;
use crate::dialect::field::{missing, present, under, wrong_type};
use crate::dialect::raw::{array, inside, object, text, write_comma, write_key};
use crate::error::Error;
use crate::json::Object;
use serde_json::value::RawValue;

members! {
    struct Turn<'a> {
        role: Option<&'a RawValue>,
        content: Option<&'a RawValue>,
    }
}

/// Appends the member `messages`.
///
/// # Errors
/// What is no conversation, or cannot be said to the target; `param` is the path of the field.
pub(super) fn write(
    out: &mut Vec<u8>,
    request: &Object<'_>,
    taker: Taker,
    dropped: &mut Dropped,
) -> Result<(), Error> {
    let turns = present(request, "messages").ok_or_else(|| missing("messages"))?;
    let turns = array(turns).ok_or_else(|| wrong_type("messages", "an array"))?;
    write_key(out, "messages");
    out.push(b'[');
    if let Some(system) = present(request, "system") {
        write_system(out, system, taker).map_err(|error| under(error, "system"))?;
    }
    for (at, raw) in turns.into_iter().enumerate() {
        let place = format!("messages[{at}]");
        write_turn(out, raw, taker, dropped).map_err(|error| under(error, &place))?;
    }
    out.push(b']');
    Ok(())
}

/// Blocks without `cache_control` become one text: not all servers take a list here.
fn write_system(out: &mut Vec<u8>, system: &str, taker: Taker) -> Result<(), Error> {
    let mut parts = Parts::new(taker);
    if let Some(text) = system.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        parts.text(text, None);
    } else {
        let list = array(system).ok_or_else(|| {
            Error::invalid("invalid_type", "system must be a string or an array of text blocks")
        })?;
        for (at, raw) in list.into_iter().enumerate() {
            parts.block(raw).map_err(|error| under(error, &format!("[{at}]")))?;
        }
    }
    if !parts.is_empty() {
        write_comma(out);
        out.extend_from_slice(b"{\"role\":\"system\",\"content\":");
        parts.finish(out, Some("\\n"));
        out.push(b'}');
    }
    Ok(())
}

fn write_turn(
    out: &mut Vec<u8>,
    raw: &RawValue,
    taker: Taker,
    dropped: &mut Dropped,
) -> Result<(), Error> {
    let Some(turn) = object::<Turn<'_>>(raw.get()) else {
        let message = "a message must be an object without duplicate members";
        return Err(Error::invalid("invalid_type", message));
    };
    let role = turn.role.and_then(text).ok_or_else(|| missing("role"))?;
    let content = turn.content.ok_or_else(|| missing("content"))?;
    let in_content = |error| under(error, "content");
    match role.as_ref() {
        "user" => write_user(out, content, taker).map_err(in_content),
        "assistant" => assistant::write(out, content, taker, dropped).map_err(in_content),
        "system" => write_system(out, content.get(), taker).map_err(in_content),
        _ => {
            let message = "the role must be user or assistant";
            Err(Error::invalid("invalid_value", message).with_param("role"))
        }
    }
}

/// Results of tools become messages of their own, right behind the calls; what else there is
/// follows.
fn write_user(out: &mut Vec<u8>, content: &RawValue, taker: Taker) -> Result<(), Error> {
    let mut parts = Parts::new(taker);
    if let Some(text) = inside(content) {
        parts.text(text, None);
    } else {
        let list = array(content.get()).ok_or_else(|| {
            Error::invalid("invalid_type", "content must be a string or an array of blocks")
        })?;
        let mut rest = Vec::with_capacity(list.len());
        for (at, raw) in list.into_iter().enumerate() {
            let place = format!("[{at}]");
            let (block, kind) = Block::read(raw).map_err(|error| under(error, &place))?;
            match kind == "tool_result" {
                true => write_result(out, &block, taker, &mut parts)
                    .map_err(|error| under(error, &place))?,
                false => rest.push((place, raw)),
            }
        }
        for (place, raw) in rest {
            parts.block(raw).map_err(|error| under(error, &place))?;
        }
        if parts.is_empty() {
            return Ok(());
        }
    }
    write_comma(out);
    out.extend_from_slice(b"{\"role\":\"user\",\"content\":");
    parts.finish(out, None);
    out.push(b'}');
    Ok(())
}

/// Appends the result of a tool. OpenAI takes texts alone for one: there, all else becomes the
/// user's, behind the results.
fn write_result<'t>(
    out: &mut Vec<u8>,
    block: &Block<'t>,
    taker: Taker,
    user: &mut Parts<'t>,
) -> Result<(), Error> {
    let id = block.tool_use_id.and_then(text).ok_or_else(|| missing("tool_use_id"))?;
    let failed = block.is_error.is_some_and(|raw| raw.get() == "true");
    let rich = taker.rich_results;
    let mut parts = Parts::new(taker);
    if let Some(text) = block.content.and_then(inside) {
        note_failure(&mut parts, text, failed && !rich);
        parts.text(text, None);
    }
    let list = block.content.and_then(|raw| array(raw.get())).unwrap_or_default();
    let mut moved = false;
    for (at, raw) in list.into_iter().enumerate() {
        let (inner, kind) = Block::read(raw)?;
        let text = inner.text.and_then(inside).filter(|_| kind == "text");
        let written = match text {
            Some(text) => {
                note_failure(&mut parts, text, at == 0 && failed && !rich);
                parts.text(text, None);
                Ok(())
            }
            None if rich || kind == "search_result" => parts.block(raw),
            None => {
                if !std::mem::replace(&mut moved, true) {
                    user.note(&format!("The result of the tool call {id}:"));
                }
                user.block(raw)
            }
        };
        written.map_err(|error| under(error, &format!("content[{at}]")))?;
    }
    if moved && parts.is_empty() {
        parts.text("The result is in the next message.", None);
    }
    write_comma(out);
    out.extend_from_slice(b"{\"role\":\"tool\",\"tool_call_id\":");
    out.extend_from_slice(block.tool_use_id.map_or("null", RawValue::get).as_bytes());
    write_key(out, "content");
    parts.finish(out, Some("\\n"));
    if rich && failed {
        write_raw(out, "is_error", "true");
    }
    if let Some(value) = block.cache_control.filter(|_| taker.extras >= Extras::CacheControl) {
        write_raw(out, "cache_control", value.get());
    }
    out.push(b'}');
    Ok(())
}

/// OpenAI has no mark for the result of a tool that failed; most results say it themselves.
fn note_failure(parts: &mut Parts<'_>, text: &str, failed: bool) {
    let start: String = text.chars().take(32).collect();
    if failed && !start.to_ascii_lowercase().contains("error") {
        parts.text("Error:", None);
    }
}
