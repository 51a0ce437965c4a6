//! A chat completion request as a `generateContent` request.

use super::super::field::parse;
use super::super::nested::{self, Nested};
use super::super::raw::{array, write_key, write_member};
use super::super::tool_choice::ToolChoice;
use super::super::{Dropped, Outgoing};
use super::model::Model;
use super::{first, generation, messages, missing, present, tool_config, tools};
use crate::error::Error;
use crate::json::Object;

/// Gemini's own members that have none in OpenAI's API, each after the names that clients give it.
const NATIVE: [(&[&str], &str); 5] = [
    (&["safetySettings", "safety_settings"], "safety_settings"),
    (&["cachedContent", "cached_content"], "cachedContent"),
    (&["labels"], "labels"),
    (&["serviceTier"], "serviceTier"),
    (&["store"], "store"),
];

/// Translates the body of a chat completion request.
///
/// # Errors
/// The body is not what OpenAI's API takes, or holds what cannot be told to Gemini.
pub fn translate(body: &[u8]) -> Result<Outgoing, Error> {
    let request = parse(body)?;
    let method = match request.is_true("stream") {
        // Without `alt` the stream is one long JSON array, which is what Portkey asks for.
        true => "streamGenerateContent",
        false => "generateContent",
    };
    let path = Model::read(&request)?.path(method);
    let (body, dropped) = write(&request, body.len())?;
    Ok(Outgoing { dropped, ..Outgoing::new(path.into(), body) })
}

/// The body for a request, which had this length.
///
/// # Errors
/// As [`translate`].
pub(in crate::dialect) fn write(
    request: &Object<'_>,
    length: usize,
) -> Result<(Vec<u8>, Dropped), Error> {
    let model = Model::read(request)?;
    let mut out = Vec::with_capacity(length + 256);
    out.push(b'{');
    // The path decides; Portkey repeats it here.
    write_member(&mut out, "model", model.name());
    write_conversation(&mut out, request, &model)?;
    write_tools(&mut out, request)?;
    generation::write(&mut out, request, &model)?;
    for (names, key) in NATIVE {
        if let Some(value) = first(request, names) {
            write_key(&mut out, key);
            out.extend_from_slice(value.as_bytes());
        }
    }
    let mut dropped = Dropped::default();
    write_service_tier(&mut out, request, &mut dropped);
    out.push(b'}');
    dropped.add_unread(request);
    nested::add(&mut dropped, request, &[Nested::Name, Nested::Detail, Nested::Strict]);
    Ok((out, dropped))
}

fn write_conversation(out: &mut Vec<u8>, request: &Object<'_>, model: &Model) -> Result<(), Error> {
    let mut system = b"[".to_vec();
    let conversation = present(request, "messages").ok_or_else(|| missing("messages"))?;
    write_key(out, "contents");
    messages::write(out, &mut system, conversation, model.wants_signatures())?;
    if system.len() > 1 {
        write_key(out, "systemInstruction");
        out.extend_from_slice(b"{\"role\":\"system\",\"parts\":");
        out.extend_from_slice(&system);
        out.extend_from_slice(b"]}");
    }
    Ok(())
}

fn write_tools(out: &mut Vec<u8>, request: &Object<'_>) -> Result<(), Error> {
    let choice = present(request, "tool_choice").map(ToolChoice::parse).transpose()?;
    let choice = choice.unwrap_or_default();
    let given = present(request, "tools").filter(|raw| array(raw).is_none_or(|it| !it.is_empty()));
    let tools = match given {
        Some(raw) => tools::write(out, raw, choice.allowed.as_ref())?,
        None => tools::Written::default(),
    };
    let own = present(request, "toolConfig").or(present(request, "tool_config"));
    tool_config::write(out, own, &choice.mode, tools);
    Ok(())
}

/// OpenAI's tiers, where Gemini has the same.
fn write_service_tier(out: &mut Vec<u8>, request: &Object<'_>, dropped: &mut Dropped) {
    let tier = match request.string("service_tier").as_deref() {
        Some("default" | "standard") => "standard",
        Some("flex") => "flex",
        Some("priority") => "priority",
        // Google chooses, as it does without a word.
        None | Some("auto") => return,
        Some(_) => return dropped.add("service_tier"),
    };
    if present(request, "serviceTier").is_none() {
        write_member(out, "serviceTier", tier);
    }
}

#[cfg(test)]
mod tests;
