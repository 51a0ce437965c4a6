//! Images of Imagen: `predict`
//! (<https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/imagen-api>).

use super::super::field::{first, missing, present};
use super::super::raw::{
    array, object, object_in, text, write_comma, write_key, write_member, write_number,
};
use super::super::{Ask, Context, Dropped, Facts, Outgoing, failure, gemini};
use super::model::Model;
use crate::error::Error;
use crate::json::Object;
use serde_json::value::RawValue;

/// Members of `parameters`, after the names that clients give them.
const PARAMETERS: [(&[&str], &str); 11] = [
    (&["n"], "sampleCount"),
    (&["style"], "sampleImageStyle"),
    (&["aspectRatio", "aspect_ratio"], "aspectRatio"),
    (&["imageSize", "image_size"], "sampleImageSize"),
    (&["seed"], "seed"),
    (&["negativePrompt", "negative_prompt"], "negativePrompt"),
    (&["personGeneration", "person_generation"], "personGeneration"),
    (&["safetySetting", "safety_setting"], "safetySetting"),
    (&["addWatermark", "add_watermark"], "addWatermark"),
    (&["enhancePrompt", "enhance_prompt"], "enhancePrompt"),
    (&["language"], "language"),
];

/// Translates the body of an image generation request.
///
/// # Errors
/// The body is not what OpenAI's API takes; project or region is missing.
pub(super) fn request(
    ask: &Ask<'_>,
    model: &Model<'_>,
    request: &Object<'_>,
) -> Result<Outgoing, Error> {
    let prompt = present(request, "prompt").ok_or_else(|| missing("prompt"))?;
    let prompts = match array(prompt) {
        Some(prompts) => prompts.into_iter().map(RawValue::get).collect(),
        None => vec![prompt],
    };
    let mut out = b"{\"instances\":[".to_vec();
    for prompt in prompts {
        write_comma(&mut out);
        out.extend_from_slice(b"{\"prompt\":");
        out.extend_from_slice(prompt.as_bytes());
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"parameters\":{");
    for (names, key) in PARAMETERS {
        if let Some(value) = first(request, names) {
            write_key(&mut out, key);
            out.extend_from_slice(value.as_bytes());
        }
    }
    write_output_options(&mut out, request);
    out.extend_from_slice(b"}}");
    let mut dropped = Dropped::default();
    dropped.add_unread(request);
    let path = model.path("predict", ask.settings)?.into();
    Ok(Outgoing { dropped, ..Outgoing::new(path, out) })
}

/// Form and quality of the files.
fn write_output_options(out: &mut Vec<u8>, request: &Object<'_>) {
    let quality = present(request, "quality").map(|raw| match raw.trim_matches('"') {
        "hd" | "high" => "100",
        number if number.parse::<u8>().is_ok() => number,
        _ => "75",
    });
    let own = request.string("mimeType").or_else(|| request.string("mime_type"));
    let format = request.string("output_format").map(|format| format!("image/{format}"));
    let media_type = own.or(format);
    if quality.is_none() && media_type.is_none() {
        return;
    }
    write_key(out, "outputOptions");
    out.push(b'{');
    if let Some(media_type) = media_type {
        write_member(out, "mimeType", &media_type);
    }
    if let Some(quality) = quality {
        write_key(out, "compressionQuality");
        out.extend_from_slice(quality.as_bytes());
    }
    out.push(b'}');
}

members! {
    struct Answer<'a> {
        predictions: Option<&'a RawValue>,
    }

    struct Prediction<'a> {
        bytes_base64_encoded: Option<&'a RawValue> = "bytesBase64Encoded",
        /// The prompt that the model made of the client's.
        prompt: Option<&'a RawValue>,
        /// Why there is no image.
        rai_filtered_reason: Option<&'a RawValue> = "raiFilteredReason",
    }
}

/// Translates a complete, successful answer.
///
/// # Errors
/// The body is not what the method answers; every image was filtered out.
pub(super) fn response(
    body: &[u8],
    context: &Context,
    facts: &mut Facts,
) -> Result<Vec<u8>, Error> {
    let read = || {
        let answer: Answer<'_> = object_in(body)?;
        let list = array(answer.predictions.map_or("[]", RawValue::get))?;
        list.into_iter().map(|raw| object::<Prediction<'_>>(raw.get())).collect::<Option<Vec<_>>>()
    };
    let Some(predictions) = read() else {
        let body = gemini::error::in_openais_shape(body);
        return Err(failure::invalid_response(&body, context.provider, facts));
    };
    let images = predictions.iter().filter_map(|one| Some((one.bytes_base64_encoded?, one.prompt)));
    let mut out = b"{\"created\":".to_vec();
    write_number(&mut out, context.created);
    out.extend_from_slice(b",\"data\":[");
    for (data, prompt) in images {
        write_comma(&mut out);
        out.extend_from_slice(b"{\"b64_json\":");
        out.extend_from_slice(data.get().as_bytes());
        if let Some(prompt) = prompt {
            write_key(&mut out, "revised_prompt");
            out.extend_from_slice(prompt.get().as_bytes());
        }
        out.push(b'}');
    }
    if out.last() == Some(&b'[') {
        let reason = predictions.iter().find_map(|one| one.rai_filtered_reason.and_then(text));
        let reason = reason.unwrap_or("there is no image in the answer".into());
        let message = format!("{} error: {reason}", context.provider);
        return Err(Error::client(400, "content_filter", message));
    }
    out.extend_from_slice(b"],\"provider\":");
    crate::json::write_string(&mut out, context.provider);
    out.push(b'}');
    facts.complete = true;
    Ok(out)
}
