//! A completion request as a chat completion request.

use super::super::write::write_raw;
use super::super::{Echo, Request};
use crate::dialect::Dropped;
use crate::dialect::field::{missing, parse, present, wrong_type};
use crate::dialect::raw::{array, write_key};
use crate::error::Error;
use crate::json::Object;
use serde_json::value::RawValue;

/// Members that become others, or that a chat completion has in another sense.
const TRANSLATED: [&str; 11] = [
    "best_of",
    "echo",
    "function_call",
    "functions",
    "logprobs",
    "messages",
    "model",
    "prompt",
    "suffix",
    "tool_choice",
    "tools",
];

/// Those of them that are left out: the answer is a text, and has no place for them.
const LEFT_OUT: [&str; 6] =
    ["logprobs", "messages", "tools", "tool_choice", "functions", "function_call"];

/// Translates the body of a completion request. Everything else passes: chat completions have it
/// under the same name. OpenAI's default of 16 tokens is not imposed.
///
/// # Errors
/// The body is not what OpenAI's API takes, or asks for what a chat model cannot do: to go on from
/// tokens or from several prompts, or to fill a gap.
pub fn translate(body: &[u8]) -> Result<Request, Error> {
    let request = parse(body)?;
    if present(&request, "suffix").is_some_and(|suffix| suffix != "\"\"") {
        return Err(unsupported("suffix is not supported: a chat model fills no gaps", "suffix"));
    }
    let prompt = prompt(&request)?;
    let mut out = Vec::with_capacity(body.len() + 64);
    out.push(b'{');
    let model = present(&request, "model");
    if let Some(model) = model {
        write_raw(&mut out, "model", model);
    }
    write_key(&mut out, "messages");
    out.extend_from_slice(b"[{\"role\":\"user\",\"content\":");
    out.extend_from_slice(prompt.as_bytes());
    out.extend_from_slice(b"}]");
    for (key, value) in request.iter() {
        if !TRANSLATED.contains(&key) && value != "null" {
            write_raw(&mut out, key, value);
        }
    }
    out.push(b'}');
    let echoed = if request.is_true("echo") { inside(prompt) } else { "" };
    let model = model.and_then(|raw| RawValue::from_string(raw.to_owned()).ok());
    let echo = Echo { model, text: echoed.to_owned(), ..Echo::default() };
    Ok(Request { body: out, echo, dropped: dropped(&request) })
}

/// The one prompt, a JSON string.
fn prompt<'a>(request: &'a Object<'_>) -> Result<&'a str, Error> {
    let raw = present(request, "prompt").ok_or_else(|| missing("prompt"))?;
    if raw.starts_with('"') {
        return Ok(raw);
    }
    let prompts = array(raw).unwrap_or_default();
    let is = |start: &[char]| prompts.first().is_some_and(|first| first.get().starts_with(start));
    match prompts.as_slice() {
        [one] if is(&['"']) => Ok(one.get()),
        [_, _, ..] if is(&['"']) => Err(unsupported(
            "several prompts in one request are not supported: send a request for each",
            "prompt",
        )),
        _ if is(&['[', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) => Err(unsupported(
            "a prompt of token ids is not supported: the model has a tokenizer of its own; send \
             text",
            "prompt",
        )),
        _ => Err(wrong_type("prompt", "a string, or an array of one string")),
    }
}

/// What asks for something and is left out.
fn dropped(request: &Object<'_>) -> Dropped {
    let mut dropped = Dropped::default();
    let best_of = present(request, "best_of");
    if best_of.is_some_and(|count| count != present(request, "n").unwrap_or("1")) {
        dropped.add("best_of");
    }
    for name in LEFT_OUT {
        if present(request, name).is_some_and(|value| value != "false") {
            dropped.add(name);
        }
    }
    dropped
}

fn unsupported(message: &str, field: &'static str) -> Error {
    Error::invalid("unsupported_parameter", message).with_param(field)
}

/// What is between the quotes.
fn inside(prompt: &str) -> &str {
    prompt.get(1..prompt.len().saturating_sub(1)).unwrap_or_default()
}
