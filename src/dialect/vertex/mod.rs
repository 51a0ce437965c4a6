//! Google's Vertex AI: models of several publishers, each in a format of its own, behind one API
//! (<https://cloud.google.com/vertex-ai/docs/reference/rest>). Here is where and how a model is
//! asked; what is said is in the publishers' dialects.

mod embeddings;
mod images;
mod model;

use super::field::{parse, present, wrong_type};
use super::raw::{string, write_member};
use super::{Ask, Context, Dialect, Dropped, Facts, Outgoing, anthropic, gemini};
use crate::endpoint::Endpoint;
use crate::error::{Error, NO_MODEL};
use crate::json::Object;
use crate::provider;
use model::{Model, Publisher};

/// What stands in the body for Anthropic's header of a similar name.
const VERSION: &str = "anthropic_version";
const ANTHROPIC_VERSION: &str = "vertex-2023-10-16";

/// In Portkey's words.
fn no_model() -> Error {
    Error::invalid(NO_MODEL, "Model is required").with_param("model")
}

/// Translates the body of a request.
///
/// # Errors
/// The body is not what OpenAI's API takes, or holds what cannot be told to the model; the model
/// has no such operation; project or region is missing.
pub fn request(ask: &Ask<'_>, body: &[u8]) -> Result<Outgoing, Error> {
    let request = parse(body)?;
    let raw = present(&request, "model").ok_or_else(no_model)?;
    let name = string(raw).ok_or_else(|| wrong_type("model", "a string"))?.into_owned();
    let model = Model::parse(&name)?;
    match (model.publisher, ask.endpoint) {
        (Publisher::Google, Endpoint::ChatCompletions) => google(ask, &model, request),
        (Publisher::Google, Endpoint::Embeddings) => embeddings::request(ask, &model, &request),
        (Publisher::Google, Endpoint::ImageGenerations) => images::request(ask, &model, &request),
        (Publisher::Anthropic, Endpoint::ChatCompletions) => anthropic(ask, &model, &request),
        (Publisher::Anthropic, Endpoint::CountTokens) => count_tokens(ask, &model, request),
        (Publisher::Mistral, Endpoint::ChatCompletions) => mistral(ask, &model, request),
        (Publisher::OpenApi | Publisher::Endpoint, Endpoint::ChatCompletions) => {
            let path = model.path("", ask.settings)?;
            Ok(openai(path, &model, request))
        }
        _ => {
            let message = "This endpoint is not supported by vertex-ai for this model";
            Err(Error::invalid("unsupported_endpoint", message).with_param("model"))
        }
    }
}

/// Translates a complete, successful answer of what is not the publisher's own format.
///
/// # Errors
/// The body is not what the method answers.
pub fn response(body: &[u8], context: &Context, facts: &mut Facts) -> Result<Vec<u8>, Error> {
    match context.endpoint {
        Endpoint::ImageGenerations => images::response(body, context, facts),
        _ => embeddings::response(body, context, facts),
    }
}

fn google(ask: &Ask<'_>, model: &Model<'_>, mut request: Object<'_>) -> Result<Outgoing, Error> {
    let method = match ask.stream {
        // Without `alt` the stream is one long JSON array.
        true => "streamGenerateContent?alt=sse",
        false => "generateContent",
    };
    let path = model.path(method, ask.settings)?.into();
    // The path says it.
    let _ = request.get("stream");
    // The Gemini API alone keeps answers.
    let stores = request.is_true("store");
    request.remove("store");
    let (body, mut dropped) = gemini::request::write(&request, 0)?;
    if stores {
        dropped.add("store");
    }
    Ok(Outgoing { dropped, speaks: Some(Dialect::Gemini), ..Outgoing::new(path, body) })
}

/// The method by which publishers' own formats are passed on.
fn raw_predict(ask: &Ask<'_>, model: &Model<'_>) -> Result<String, Error> {
    let method = if ask.stream { "streamRawPredict" } else { "rawPredict" };
    model.path(method, ask.settings)
}

fn anthropic(ask: &Ask<'_>, model: &Model<'_>, request: &Object<'_>) -> Result<Outgoing, Error> {
    let path = raw_predict(ask, model)?.into();
    let mut body = b"{".to_vec();
    write_member(&mut body, VERSION, &version(request));
    let dropped = anthropic::request::write(&mut body, request)?;
    Ok(Outgoing { dropped, speaks: Some(Dialect::Anthropic), ..Outgoing::new(path, body) })
}

/// The version that a client asks for, if it is one of Vertex AI's.
fn version(request: &Object<'_>) -> String {
    let asked = request.string(VERSION).filter(|version| version.starts_with("vertex-"));
    asked.unwrap_or(ANTHROPIC_VERSION.to_owned())
}

/// The one method of a model's that has the model's name in its body.
fn count_tokens(
    ask: &Ask<'_>,
    model: &Model<'_>,
    mut message: Object<'_>,
) -> Result<Outgoing, Error> {
    let counter = Model { publisher: Publisher::Anthropic, name: "count-tokens".into() };
    let path = counter.path("rawPredict", ask.settings)?.into();
    set_string(&mut message, "model", &model.name);
    Ok(Outgoing { speaks: Some(Dialect::Anthropic), ..Outgoing::new(path, message.to_vec()) })
}

fn mistral(ask: &Ask<'_>, model: &Model<'_>, mut request: Object<'_>) -> Result<Outgoing, Error> {
    let mut dropped = Dropped::default();
    if let Some(row) = provider::find("mistral-ai") {
        provider::apply(row.edits(ask.endpoint), &mut request, &mut dropped);
    }
    let path = raw_predict(ask, model)?;
    Ok(Outgoing { dropped, ..openai(path, model, request) })
}

/// OpenAI's own format, with the model's name as Vertex has it.
fn openai(path: String, model: &Model<'_>, mut request: Object<'_>) -> Outgoing {
    set_string(&mut request, "model", &model.name);
    Outgoing { speaks: Some(Dialect::OpenAi), ..Outgoing::new(path.into(), request.to_vec()) }
}

fn set_string(object: &mut Object<'_>, key: &str, value: &str) {
    object.set(key, serde_json::Value::from(value).to_string());
}

#[cfg(test)]
mod tests;
