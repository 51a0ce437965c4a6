//! A Messages request as a chat completion request.

use super::super::write::write_raw;
use super::super::{Echo, Extras, Request, Taker};
use super::{conversation, settings, tools};
use crate::dialect::Dropped;
use crate::dialect::field::{parse, present};
use crate::dialect::raw::{string, write_member};
use crate::error::Error;
use crate::json::Object;
use serde_json::value::RawValue;

/// Members that become others, and are written one by one.
const TRANSLATED: [&str; 12] = [
    "max_tokens",
    "messages",
    "metadata",
    "model",
    "output_config",
    "output_format",
    "service_tier",
    "stop_sequences",
    "stream",
    "system",
    "thinking",
    "tools",
];

/// Members of Anthropic's that chat completions have nothing for.
const NATIVE: [&str; 15] = [
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
    "thread",
    "top_k",
    // Of the clouds that host Claude.
    "anthropic_beta",
    "anthropic_version",
];

/// Translates the body of a Messages request. What the API does not know passes: the target may,
/// and what a caller says in the words of chat completions wins.
///
/// # Errors
/// The body is not what Anthropic's API takes, or holds what cannot be said in a chat completion
/// request.
pub fn translate(body: &[u8], taker: Taker) -> Result<Request, Error> {
    let request = parse(body)?;
    let mut out = Vec::with_capacity(body.len() + 256);
    let mut dropped = Dropped::default();
    out.push(b'{');
    let model = present(&request, "model");
    if let Some(model) = model {
        write_raw(&mut out, "model", model);
    }
    conversation::write(&mut out, &request, taker, &mut dropped)?;
    tools::write(&mut out, &request, taker, &mut dropped)?;
    settings::write(&mut out, &request, taker, &mut dropped);
    write_limits(&mut out, &request, taker);
    for (key, value) in request.iter() {
        if TRANSLATED.contains(&key) || key == "tool_choice" || value == "null" {
            continue;
        }
        match NATIVE.contains(&key) && taker.extras < Extras::Portkey {
            true => dropped.add(key),
            false => write_raw(&mut out, key, value),
        }
    }
    out.push(b'}');
    let model = model.and_then(|raw| RawValue::from_string(raw.to_owned()).ok());
    Ok(Request { body: out, echo: Echo { model, ..Echo::default() }, dropped })
}

fn write_limits(out: &mut Vec<u8>, request: &Object<'_>, taker: Taker) {
    for (from, to) in [("max_tokens", "max_completion_tokens"), ("stop_sequences", "stop")] {
        // An empty list of stop sequences says nothing, and some servers refuse it.
        let value = present(request, from).filter(|value| *value != "[]");
        if let Some(value) = value.filter(|_| request.get(to).is_none()) {
            write_raw(out, to, value);
        }
    }
    if let Some(stream) = present(request, "stream") {
        write_raw(out, "stream", stream);
        if stream == "true" && request.get("stream_options").is_none() {
            // Anthropic's streams always end with the usage.
            write_raw(out, "stream_options", "{\"include_usage\":true}");
        }
    }
    if let Some(user) = user(request).filter(|_| request.get("user").is_none()) {
        write_member(out, "user", &user);
    }
    match present(request, "service_tier") {
        Some("\"standard_only\"") => write_raw(out, "service_tier", "\"default\""),
        Some("\"auto\"") if taker.extras < Extras::Portkey => {}
        Some(tier) => write_raw(out, "service_tier", tier),
        None => {}
    }
}

/// The user's id, of which OpenAI takes no more than this.
fn user(request: &Object<'_>) -> Option<String> {
    const MAX_CHARS: usize = 64;
    let metadata = Object::parse(present(request, "metadata")?.as_bytes()).ok()?;
    let id = string(metadata.get("user_id")?)?;
    Some(id.chars().take(MAX_CHARS).collect())
}
