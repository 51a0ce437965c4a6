//! A chat completion request as a Messages request.

use super::super::field::{parse, present};
use super::super::nested::{self, Nested};
use super::super::raw::{array, object, string, write_key, write_member, write_number};
use super::super::{Dropped, Outgoing};
use super::content::{self, Place};
use super::tool_choice::Choice;
use super::{messages, missing, output, tools, under, wrong_type};
use crate::error::Error;
use crate::json::Object;

/// Path below the base URL.
const PATH: &str = "/messages";

/// `max_tokens` when the client names none: Anthropic requires one, and every model takes this.
const DEFAULT_MAX_TOKENS: u64 = 4096;

/// Members that pass as they are: Anthropic's own, and what has the same meaning in both APIs.
/// All others are dropped, since Anthropic refuses what it does not know.
const CARRIED: [&str; 15] = [
    "billing_policy",
    "cache_control",
    "compaction",
    "container",
    "context_management",
    "diagnostics",
    "fallback_credit_token",
    "fallbacks",
    "inference_geo",
    "mcp_servers",
    "speed",
    "stream",
    "thread",
    "top_k",
    "top_p",
];

/// Translates the body of a chat completion request.
///
/// # Errors
/// The body is not what OpenAI's API takes, or holds what cannot be told to Anthropic.
pub fn translate(body: &[u8]) -> Result<Outgoing, Error> {
    let request = parse(body)?;
    let mut out = Vec::with_capacity(body.len() + 256);
    out.push(b'{');
    write_model(&mut out, &request)?;
    let dropped = write(&mut out, &request)?;
    Ok(Outgoing { dropped, ..Outgoing::new(PATH.into(), out) })
}

/// Appends all members but the model to an object, and ends it.
///
/// # Errors
/// As [`translate`].
pub(in crate::dialect) fn write(out: &mut Vec<u8>, request: &Object<'_>) -> Result<Dropped, Error> {
    let mut dropped = Dropped::default();
    write_conversation(out, request)?;
    write_tools(out, request)?;
    write_limits(out, request);
    write_stop(out, request)?;
    write_metadata(out, request, &mut dropped);
    write_tier(out, request, &mut dropped);
    output::write(out, request);
    for (key, _) in request.iter() {
        if CARRIED.contains(&key)
            && let Some(value) = present(request, key)
        {
            write_key(out, key);
            out.extend_from_slice(value.as_bytes());
        }
    }
    out.push(b'}');
    dropped.add_unread(request);
    nested::add(&mut dropped, request, &[Nested::Name, Nested::Detail]);
    Ok(dropped)
}

fn write_model(out: &mut Vec<u8>, request: &Object<'_>) -> Result<(), Error> {
    let model = present(request, "model").ok_or_else(|| missing("model"))?;
    let model = string(model).ok_or_else(|| wrong_type("model", "a string"))?;
    write_member(out, "model", &model);
    Ok(())
}

fn write_conversation(out: &mut Vec<u8>, request: &Object<'_>) -> Result<(), Error> {
    let mut system = b"[".to_vec();
    if let Some(own) = present(request, "system") {
        content::write_blocks(&mut system, own, None, Place::System)
            .map_err(|error| under(error, "system"))?;
    }
    let conversation = present(request, "messages").ok_or_else(|| missing("messages"))?;
    write_key(out, "messages");
    messages::write(out, &mut system, conversation)?;
    // Also when it is empty, as Portkey sends it.
    write_key(out, "system");
    out.extend_from_slice(&system);
    out.push(b']');
    Ok(())
}

fn write_tools(out: &mut Vec<u8>, request: &Object<'_>) -> Result<(), Error> {
    let choice = present(request, "tool_choice").map(Choice::parse).transpose()?;
    let choice = choice.unwrap_or_default();
    let tools = present(request, "tools").filter(|raw| array(raw).is_none_or(|it| !it.is_empty()));
    if let Some(raw) = tools {
        write_key(out, "tools");
        tools::write(out, raw, choice.allowed())?;
    }
    let parallel = request.get("parallel_tool_calls") != Some("false");
    choice.write(out, tools.is_some(), parallel);
    Ok(())
}

fn write_limits(out: &mut Vec<u8>, request: &Object<'_>) {
    let given = present(request, "max_completion_tokens").or(present(request, "max_tokens"));
    write_key(out, "max_tokens");
    match given {
        Some(raw) => out.extend_from_slice(raw.as_bytes()),
        None => write_number(out, DEFAULT_MAX_TOKENS.saturating_add(thinking_budget(request))),
    }
    if let Some(raw) = present(request, "temperature") {
        write_key(out, "temperature");
        // Anthropic's range ends at 1, OpenAI's at 2. What is no number is for Anthropic to refuse.
        out.extend_from_slice(match raw.parse::<f64>() {
            Ok(number) if number > 1.0 => b"1",
            Ok(number) if number < 0.0 => b"0",
            _ => raw.as_bytes(),
        });
    }
}

/// Tokens for thinking, which `max_tokens` must exceed.
fn thinking_budget(request: &Object<'_>) -> u64 {
    members! {
        struct Thinking {
            budget_tokens: Option<u64>,
        }
    }
    let thinking: Option<Thinking> = present(request, "thinking").and_then(object);
    thinking.and_then(|thinking| thinking.budget_tokens).unwrap_or(0)
}

fn write_stop(out: &mut Vec<u8>, request: &Object<'_>) -> Result<(), Error> {
    let given = present(request, "stop").or(present(request, "stop_sequences"));
    let Some(raw) = given else { return Ok(()) };
    let list = raw.starts_with('[');
    if !list && !raw.starts_with('"') {
        return Err(wrong_type("stop", "a string or an array of strings"));
    }
    write_key(out, "stop_sequences");
    out.extend_from_slice(if list { b"" } else { b"[" });
    out.extend_from_slice(raw.as_bytes());
    out.extend_from_slice(if list { b"" } else { b"]" });
    Ok(())
}

/// Messages knows one member of `metadata`; `user` is OpenAI's name for it.
fn write_metadata(out: &mut Vec<u8>, request: &Object<'_>, dropped: &mut Dropped) {
    let own = || {
        let metadata = Object::parse(request.get("metadata")?.as_bytes()).ok()?;
        let user = metadata.string("user_id");
        if metadata.unread().next().is_some() {
            dropped.add("metadata");
        }
        user
    };
    if let Some(user) = request.string("user").or_else(own) {
        write_key(out, "metadata");
        out.push(b'{');
        write_member(out, "user_id", &user);
        out.push(b'}');
    }
}

/// Anthropic chooses between two tiers.
fn write_tier(out: &mut Vec<u8>, request: &Object<'_>, dropped: &mut Dropped) {
    let tier = match request.string("service_tier").as_deref() {
        Some("auto") => "auto",
        Some("standard_only" | "default") => "standard_only",
        Some(_) => return dropped.add("service_tier"),
        None => return,
    };
    write_member(out, "service_tier", tier);
}

#[cfg(test)]
mod tests;
