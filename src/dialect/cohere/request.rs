//! A chat completion request as a request of Cohere's Chat API.

use super::super::field::parse;
use super::super::nested::{self, Nested};
use super::super::raw::{string, write_key, write_member};
use super::super::{Dropped, Outgoing};
use super::{generation, messages, missing, present, tools, wrong_type};
use crate::error::Error;
use serde_json::value::RawValue;

/// Path below the base URL and its version.
const PATH: &str = "/chat";

/// Members that pass as they are: Cohere's own, and what has the same meaning in both APIs. All
/// others are dropped, since Cohere refuses what it does not know.
const CARRIED: [&str; 7] =
    ["citation_options", "documents", "logprobs", "priority", "safety_mode", "seed", "stream"];

/// Translates the body of a chat completion request.
///
/// # Errors
/// The body is not what OpenAI's API takes, or holds what cannot be told to Cohere.
pub fn translate(body: &[u8]) -> Result<Outgoing, Error> {
    let request = parse(body)?;
    let raw = present(&request, "model").ok_or_else(|| missing("model"))?;
    let model = string(raw).ok_or_else(|| wrong_type("model", "a string"))?;
    let mut out = Vec::with_capacity(body.len() + 256);
    out.push(b'{');
    write_member(&mut out, "model", &model);
    let conversation = present(&request, "messages").ok_or_else(|| missing("messages"))?;
    write_key(&mut out, "messages");
    messages::write(&mut out, conversation)?;
    let strict = tools::write(&mut out, &request)?;
    generation::write(&mut out, &request)?;
    for (key, _) in request.iter() {
        if CARRIED.contains(&key)
            && let Some(value) = present(&request, key)
        {
            write_key(&mut out, key);
            out.extend_from_slice(value.as_bytes());
        }
    }
    out.push(b'}');
    // Cohere's answers do not tell the model.
    let model = RawValue::from_string(raw.to_owned()).ok();
    let mut dropped = Dropped::default();
    dropped.add_unread(&request);
    nested::add(&mut dropped, &request, &[Nested::Name]);
    if !strict {
        nested::add(&mut dropped, &request, &[Nested::Strict]);
    }
    Ok(Outgoing { model, dropped, ..Outgoing::new(PATH.into(), out) })
}

#[cfg(test)]
mod tests;
