//! Operations that Bedrock has no common format for: the body is the model's own, and goes through
//! InvokeModel
//! (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html>).

mod completions;
pub mod embeddings;
mod generated;
pub mod images;
pub mod stream;
pub mod tokens;

pub use completions::request as completion;
pub use generated::response as completed;

use super::super::{Outgoing, Usage};
use super::model::Model;
use super::{missing, present, wrong_type};
use crate::dialect::Dropped;
use crate::error::Error;
use crate::http::Headers;
use crate::json::Object;
use serde_json::value::RawValue;

const INVOKE: &str = "invoke";
const INVOKE_STREAM: &str = "invoke-with-response-stream";

/// The request of an operation on a model; what nobody has read of the client's is noted.
fn outgoing(
    request: &Object<'_>,
    model: &Model,
    operation: &str,
    body: Vec<u8>,
    mut dropped: Dropped,
) -> Outgoing {
    // What models answer here does not tell which they are.
    let asked = present(request, "model").and_then(|raw| RawValue::from_string(raw.into()).ok());
    dropped.add_unread(request);
    Outgoing { model: asked, dropped, ..Outgoing::new(model.path(operation).into(), body) }
}

/// Token counts, which InvokeModel tells in headers for all models alike.
pub fn counts(headers: &Headers) -> Option<Usage> {
    let count = |name| headers.text(name).and_then(|text| text.parse::<u64>().ok());
    let input = count("x-amzn-bedrock-input-token-count");
    let output = count("x-amzn-bedrock-output-token-count");
    input.or(output)?;
    Some(Usage {
        prompt_tokens: input.unwrap_or_default(),
        completion_tokens: output.unwrap_or_default(),
        ..Usage::default()
    })
}

/// A 400 for an operation whose format of this model is not known, or that it does not have.
fn not_of(operation: &str) -> Error {
    let message = format!("{operation} is not supported by bedrock for this model");
    Error::invalid("unsupported_endpoint", message).with_param("model")
}

/// The only prompt of a request, a JSON string.
fn prompt<'a>(request: &'a Object<'_>) -> Result<&'a str, Error> {
    let raw = present(request, "prompt").ok_or_else(|| missing("prompt"))?;
    let prompts = super::super::raw::array(raw);
    let only = match prompts.as_deref() {
        None => raw,
        Some([one]) => one.get(),
        Some(_) => "",
    };
    match only.starts_with('"') {
        true => Ok(only),
        false => Err(wrong_type("prompt", "one string: the models of bedrock take one prompt")),
    }
}

#[cfg(test)]
mod tests;
