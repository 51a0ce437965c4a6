//! Stability AI's images: `text-to-image` of its first API
//! (<https://platform.stability.ai/docs/api-reference#tag/SDXL-1.0-and-SD1.6>). The second takes
//! forms, which pass as they are below `/v2beta`.

use super::bedrock::invoke::images;
use super::field::{missing, parse, present, wrong_type};
use super::raw::{array, object_in, string};
use super::segment::push_segment;
use super::{Dropped, Outgoing};
use crate::error::Error;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What the names of the models of the first API begin with.
const FIRST: &str = "stable-diffusion-";

/// Longest name of a model, in bytes: it becomes part of the path.
const MAX_NAME: usize = 256;

/// Translates the body of an image generation request.
///
/// # Errors
/// The body is not what OpenAI's API takes; the model is none of the first API's.
pub(super) fn request(body: &[u8]) -> Result<Outgoing, Error> {
    let request = parse(body)?;
    let model = present(&request, "model").ok_or_else(|| missing("model"))?;
    let model = string(model).ok_or_else(|| wrong_type("model", "a string"))?;
    if !model.starts_with(FIRST) || model.len() > MAX_NAME {
        let message = "imageGenerate is not supported by stability-ai for this model";
        return Err(Error::invalid("unsupported_endpoint", message)
            .with_param("model")
            .with_hint("send Stability's own form to /v2beta/stable-image/generate/..."));
    }
    let prompt = present(&request, "prompt").ok_or_else(|| missing("prompt"))?;
    if !prompt.starts_with('"') {
        return Err(wrong_type("prompt", "a string"));
    }
    let mut path = "/generation/".to_owned();
    push_segment(&mut path, &model);
    path.push_str("/text-to-image");
    let mut out = Vec::with_capacity(body.len() + 64);
    out.push(b'{');
    images::write_diffusion(&mut out, prompt, &request);
    out.push(b'}');
    let mut dropped = Dropped::default();
    // There are no URLs; the data is what the client gets whatever it asked for.
    if request.string("response_format").is_some_and(|format| format != "b64_json") {
        dropped.add("response_format");
    }
    dropped.add_unread(&request);
    Ok(Outgoing { dropped, ..Outgoing::new(path.into(), out) })
}

/// An error, whose type is its `name`, and whose messages may be several, as OpenAI has them; every
/// other body as it is.
pub(super) fn in_openais_shape(body: &[u8]) -> Cow<'_, [u8]> {
    members! {
        struct Failure<'a> {
            name: &'a RawValue,
            message: Option<&'a RawValue>,
            errors: Option<&'a RawValue>,
        }
    }
    let read = || {
        let failure: Failure<'_> = object_in(body)?;
        let first = || array(failure.errors?.get())?.first().copied();
        let message = failure.message.or_else(first)?.get();
        let kind = failure.name.get();
        Some(["{\"message\":", message, ",\"type\":", kind, "}"].concat().into_bytes())
    };
    read().map_or(Cow::Borrowed(body), Cow::Owned)
}
