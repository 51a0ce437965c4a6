//! Images of Stability AI's models
//! (<https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-stability-diffusion.html>)
//! and Amazon's
//! (<https://docs.aws.amazon.com/nova/latest/userguide/image-gen-req-resp-structure.html>).

use super::super::super::field::{first, parse};
use super::super::super::raw::{
    array, object, object_in, text, write_comma, write_key, write_member, write_number,
};
use super::super::super::{Context, Facts, Outgoing, failure};
use super::super::model::{Family, Model};
use super::super::present;
use super::{INVOKE, not_of, outgoing, prompt};
use crate::dialect::Dropped;
use crate::error::Error;
use crate::json::{Object, write_string};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Members that today's models of Stability AI take as they are.
const STABILITY: [&str; 8] = [
    "negative_prompt",
    "aspect_ratio",
    "seed",
    "style_preset",
    "mode",
    "output_format",
    "image",
    "strength",
];

/// Those of Stable Diffusion XL, after the names that clients give them.
const DIFFUSION: [(&[&str], &str); 9] = [
    (&["n"], "samples"),
    (&["style", "style_preset"], "style_preset"),
    (&["cfg_scale"], "cfg_scale"),
    (&["clip_guidance_preset"], "clip_guidance_preset"),
    (&["sampler"], "sampler"),
    (&["seed"], "seed"),
    (&["steps"], "steps"),
    (&["extras"], "extras"),
    (&["init_image", "image"], "init_image"),
];

/// Those of Amazon's models.
const AMAZON: [(&[&str], &str); 3] =
    [(&["n"], "numberOfImages"), (&["cfgScale", "cfg_scale"], "cfgScale"), (&["seed"], "seed")];

/// Translates the body of an image generation request.
///
/// # Errors
/// The body is not what OpenAI's API takes; the model makes no images, or its format is not known.
pub fn request(body: &[u8]) -> Result<Outgoing, Error> {
    let request = parse(body)?;
    let model = Model::read(&request)?;
    let prompt = prompt(&request)?;
    let mut out = Vec::with_capacity(body.len() + 128);
    let mut dropped = Dropped::default();
    out.push(b'{');
    match model.family {
        Family::Other if model.is(&["stable-diffusion-xl"]) => {
            write_diffusion(&mut out, prompt, &request);
        }
        Family::Other if model.is(&["stability."]) => write_stability(&mut out, prompt, &request),
        Family::Amazon if model.is(&["titan-image", "nova-canvas"]) => {
            write_amazon(&mut out, prompt, &request, &mut dropped);
        }
        _ => return Err(not_of("imageGenerate")),
    }
    out.push(b'}');
    // No model has URLs; the data is what the client gets whatever it asked for.
    if request.string("response_format").is_some_and(|format| format != "b64_json") {
        dropped.add("response_format");
    }
    Ok(outgoing(&request, &model, INVOKE, out, dropped))
}

fn write_stability(out: &mut Vec<u8>, prompt: &str, request: &Object<'_>) {
    write_key(out, "prompt");
    out.extend_from_slice(prompt.as_bytes());
    for key in STABILITY {
        if let Some(value) = present(request, key) {
            write_key(out, key);
            out.extend_from_slice(value.as_bytes());
        }
    }
}

/// The members of a request to Stable Diffusion; `prompt` is a JSON string.
pub(in crate::dialect) fn write_diffusion(out: &mut Vec<u8>, prompt: &str, request: &Object<'_>) {
    write_key(out, "text_prompts");
    out.extend_from_slice(&[b"[{\"text\":", prompt.as_bytes(), b",\"weight\":1}"].concat());
    if let Some(not) = present(request, "negative_prompt") {
        out.extend_from_slice(&[b",{\"text\":", not.as_bytes(), b",\"weight\":-1}"].concat());
    }
    out.push(b']');
    write_named(out, &DIFFUSION, request);
    write_size(out, request);
}

fn write_amazon(out: &mut Vec<u8>, prompt: &str, request: &Object<'_>, dropped: &mut Dropped) {
    write_member(out, "taskType", "TEXT_IMAGE");
    write_key(out, "textToImageParams");
    out.push(b'{');
    write_key(out, "text");
    out.extend_from_slice(prompt.as_bytes());
    write_named(
        out,
        &[
            (&["negativeText", "negative_text", "negative_prompt"], "negativeText"),
            (&["style"], "style"),
        ],
        request,
    );
    out.push(b'}');
    write_key(out, "imageGenerationConfig");
    out.push(b'{');
    write_named(out, &AMAZON, request);
    match request.string("quality").as_deref() {
        Some("hd" | "high" | "premium") => write_member(out, "quality", "premium"),
        Some("standard" | "medium" | "low") => write_member(out, "quality", "standard"),
        None | Some("auto") => {}
        Some(_) => dropped.add("quality"),
    }
    write_size(out, request);
    out.push(b'}');
}

fn write_named(out: &mut Vec<u8>, names: &[(&[&str], &str)], request: &Object<'_>) {
    for (names, key) in names {
        if let Some(value) = first(request, names) {
            write_key(out, key);
            out.extend_from_slice(value.as_bytes());
        }
    }
}

/// OpenAI's `size` in two members. What is no size, such as `auto`, is the model's choice.
fn write_size(out: &mut Vec<u8>, request: &Object<'_>) {
    let size = request.string("size");
    let sides = size.as_deref().and_then(|size| size.split_once('x'));
    let number = |side: &str| side.parse::<u64>().ok();
    let Some((width, height)) = sides.and_then(|(w, h)| number(w).zip(number(h))) else { return };
    for (key, side) in [("width", width), ("height", height)] {
        write_key(out, key);
        write_number(out, side);
    }
}

members! {
    #[derive(Default)]
    struct Answer<'a> {
        images: Option<&'a RawValue>,
        /// Why images of Stability AI's are missing; null for those that are not.
        finish_reasons: Option<&'a RawValue>,
        /// Why images of Amazon's are missing.
        error: Option<&'a RawValue>,
        /// Those of Stable Diffusion XL.
        artifacts: Option<&'a RawValue>,
    }

    #[derive(Default)]
    struct Artifact<'a> {
        base64: Option<&'a RawValue>,
        reason: Option<&'a RawValue> = "finishReason",
    }
}

/// Translates a complete, successful answer.
///
/// # Errors
/// The body is not what the models answer; every image was filtered out.
pub fn response(body: &[u8], context: &Context, facts: &mut Facts) -> Result<Vec<u8>, Error> {
    let answer = object_in(body);
    let read = answer.as_ref().and_then(read);
    let Some((images, reason)) = read else {
        return Err(failure::invalid_response(body, context.provider, facts));
    };
    if images.is_empty() {
        let reason = reason.unwrap_or("there is no image in the answer".into());
        let message = format!("{} error: {reason}", context.provider);
        return Err(Error::client(400, "content_filter", message));
    }
    let mut out = Vec::with_capacity(body.len() + 128);
    out.extend_from_slice(b"{\"created\":");
    write_number(&mut out, context.created);
    out.extend_from_slice(b",\"data\":[");
    for image in images {
        write_comma(&mut out);
        out.extend_from_slice(&[b"{\"b64_json\":", image.get().as_bytes(), b"}"].concat());
    }
    out.extend_from_slice(b"],\"provider\":");
    write_string(&mut out, context.provider);
    out.push(b'}');
    facts.complete = true;
    Ok(out)
}

/// The images, and why some are missing. `None` when the answer can have none.
fn read<'a>(answer: &Answer<'a>) -> Option<(Vec<&'a RawValue>, Option<Cow<'a, str>>)> {
    if let Some(artifacts) = answer.artifacts.and_then(|raw| array(raw.get())) {
        let read = |raw: &'a RawValue| object::<Artifact<'a>>(raw.get()).unwrap_or_default();
        let artifacts: Vec<_> = artifacts.into_iter().map(read).collect();
        // What is filtered out comes blurred.
        let filtered = |one: &&Artifact<'_>| {
            one.reason.and_then(text).is_some_and(|why| why == "CONTENT_FILTERED")
        };
        let reason = artifacts.iter().find(filtered).and_then(|one| one.reason.and_then(text));
        let images = artifacts.iter().filter(|one| !filtered(one)).filter_map(|one| one.base64);
        return Some((images.collect(), reason));
    }
    let reasons = answer.finish_reasons.and_then(|raw| array(raw.get())).unwrap_or_default();
    let reason = reasons.into_iter().find_map(text).or(answer.error.and_then(text));
    let images = answer.images.and_then(|raw| array(raw.get()));
    if images.is_none() && reason.is_none() {
        return None;
    }
    let is_data = |image: &&RawValue| image.get().starts_with('"') && image.get() != "\"\"";
    Some((images.unwrap_or_default().into_iter().filter(is_data).collect(), reason))
}
