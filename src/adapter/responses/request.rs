//! A Responses request as a chat completion request.

use super::super::write::write_raw;
use super::super::{Echo, Request, Taker};
use super::{echo, input, settings, tools};
use crate::dialect::Dropped;
use crate::dialect::field::{parse, present};
use crate::error::Error;
use crate::json::Object;
use serde_json::value::RawValue;

/// Members that become others, or that say nothing to a chat completion.
const TRANSLATED: [&str; 19] = [
    "background",
    "conversation",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "messages",
    "model",
    "previous_response_id",
    "prompt",
    "reasoning",
    "store",
    "stream",
    "stream_options",
    "text",
    "tool_choice",
    "tools",
    "truncation",
];

/// Translates the body of a Responses request. What the API does not know passes: the target may,
/// and what a caller says in the words of chat completions wins.
///
/// # Errors
/// The body is not what OpenAI's API takes, needs an earlier answer to be stored, or cannot be
/// said in a chat completion request.
pub fn translate(body: &[u8], taker: Taker) -> Result<Request, Error> {
    let request = parse(body)?;
    check_stored(&request, taker)?;
    let mut out = Vec::with_capacity(body.len() + 256);
    let mut dropped = Dropped::default();
    out.push(b'{');
    let model = present(&request, "model");
    if let Some(model) = model {
        write_raw(&mut out, "model", model);
    }
    input::write(&mut out, &request, taker, &mut dropped)?;
    let repeated = tools::write(&mut out, &request, taker, &mut dropped)?;
    settings::write(&mut out, &request, &mut dropped)?;
    for (key, value) in request.iter() {
        if !TRANSLATED.contains(&key) && value != "null" {
            write_raw(&mut out, key, value);
        }
    }
    out.push(b'}');
    let model = model.and_then(|raw| RawValue::from_string(raw.to_owned()).ok());
    let members = echo::members(&request, &repeated);
    let echo = Echo { model, members, ..Echo::default() };
    Ok(Request { body: out, echo, dropped })
}

/// Refuses what needs something that only OpenAI has: an answer, a conversation or a prompt that
/// is stored.
fn check_stored(request: &Object<'_>, taker: Taker) -> Result<(), Error> {
    for name in ["previous_response_id", "conversation", "prompt"] {
        if present(request, name).is_some() {
            let message =
                format!("{name} is not supported by {}: nothing is stored", taker.provider);
            return Err(Error::invalid("unsupported_parameter", message)
                .with_hint("send the whole conversation as input")
                .with_param(name));
        }
    }
    if request.is_true("background") {
        let message = format!("background is not supported by {}", taker.provider);
        return Err(Error::invalid("unsupported_parameter", message).with_param("background"));
    }
    Ok(())
}
