//! A chat completion request as a Converse request.

use super::super::field::parse;
use super::super::nested::{self, Nested};
use super::super::raw::write_key;
use super::super::{Dropped, Outgoing};
use super::model::Model;
use super::{additional, inference, messages, missing, output, present, tools};
use crate::error::Error;
use serde_json::value::RawValue;

/// Members that pass as they are: Bedrock's own names, and how clients of Portkey write them.
const CARRIED: [(&str, &[&str]); 5] = [
    ("guardrailConfig", &["guardrailConfig", "guardrail_config"]),
    (
        "additionalModelResponseFieldPaths",
        &["additionalModelResponseFieldPaths", "additional_model_response_field_paths"],
    ),
    ("performanceConfig", &["performanceConfig", "performance_config"]),
    ("requestMetadata", &["requestMetadata", "request_metadata"]),
    ("promptVariables", &["promptVariables", "prompt_variables"]),
];

/// Translates the body of a chat completion request.
///
/// # Errors
/// The body is not what OpenAI's API takes, or holds what cannot be told to Bedrock.
pub fn translate(body: &[u8]) -> Result<Outgoing, Error> {
    let request = parse(body)?;
    let model = Model::read(&request)?;
    let mut out = Vec::with_capacity(body.len() + 256);
    out.push(b'{');
    let conversation = present(&request, "messages").ok_or_else(|| missing("messages"))?;
    let spoken = messages::write(&mut out, conversation)?;
    let mut dropped = Dropped::default();
    inference::write(&mut out, &request, &mut dropped)?;
    let own_tools = tools::write(&mut out, &request, &model, spoken, &mut dropped)?;
    additional::write(&mut out, &request, &model, &own_tools)?;
    output::write(&mut out, &request, &model, &mut dropped);
    for (key, names) in CARRIED {
        if let Some(value) = names.iter().find_map(|name| present(&request, name)) {
            write_key(&mut out, key);
            out.extend_from_slice(value.as_bytes());
        }
    }
    out.push(b'}');
    let operation = if request.is_true("stream") { "converse-stream" } else { "converse" };
    // Bedrock's answers do not tell the model.
    let asked = present(&request, "model").and_then(|raw| RawValue::from_string(raw.into()).ok());
    dropped.add_unread(&request);
    nested::add(&mut dropped, &request, &[Nested::Name, Nested::Detail]);
    let path = model.path(operation).into();
    Ok(Outgoing { model: asked, dropped, ..Outgoing::new(path, out) })
}

#[cfg(test)]
mod tests;
