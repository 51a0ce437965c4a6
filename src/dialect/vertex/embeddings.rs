//! Embeddings of Vertex AI: `predict` for most models, `embedContent` for the later ones
//! (<https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api>).

use super::super::embedding::{self, inputs, write_list};
use super::super::field::{first, present, under};
use super::super::gemini;
use super::super::raw::{
    array, object, object_in, text, write_comma, write_key, write_member, write_number,
};
use super::super::{Ask, Context, Facts, Outgoing, failure};
use super::model::Model;
use super::wrong_type;
use crate::error::Error;
use crate::json::Object;
use serde_json::value::RawValue;

/// Translates the body of an embeddings request.
///
/// # Errors
/// The body is not what OpenAI's API takes, or Portkey's for media; project or region is missing.
pub(super) fn request(
    ask: &Ask<'_>,
    model: &Model<'_>,
    request: &Object<'_>,
) -> Result<Outgoing, Error> {
    let inputs = inputs(request)?;
    let mut out = Vec::new();
    let method = if embeds_content(&model.name) {
        write_content(&mut out, &inputs, request)?;
        "embedContent"
    } else {
        write_instances(&mut out, &inputs, request)?;
        "predict"
    };
    let asked = serde_json::value::to_raw_value(&*model.name).ok();
    let (path, dropped) = (model.path(method, ask.settings)?.into(), embedding::dropped(request));
    Ok(Outgoing { model: asked, dropped, ..Outgoing::new(path, out) })
}

/// Whether a model has `embedContent` and no `predict`: all of Gemini's but the first.
fn embeds_content(model: &str) -> bool {
    model.starts_with("gemini-embedding-") && model != "gemini-embedding-001"
}

fn write_content(out: &mut Vec<u8>, inputs: &[&str], request: &Object<'_>) -> Result<(), Error> {
    let [input] = inputs else {
        let message = "this model embeds one text at a time";
        return Err(Error::invalid("invalid_value", message).with_param("input"));
    };
    if !input.starts_with('"') {
        return Err(wrong_type("input", "a string"));
    }
    out.push(b'{');
    gemini::embeddings::write_content(out, input);
    write_key(out, "embedContentConfig");
    out.push(b'{');
    gemini::embeddings::write_options(out, request);
    out.extend_from_slice(b"}}");
    Ok(())
}

fn write_instances(out: &mut Vec<u8>, inputs: &[&str], request: &Object<'_>) -> Result<(), Error> {
    let task = first(request, &["task_type", "taskType"]);
    out.extend_from_slice(b"{\"instances\":[");
    for (at, input) in inputs.iter().enumerate() {
        write_comma(out);
        if input.starts_with('{') {
            write_media(out, input).map_err(|error| under(error, &format!("input[{at}]")))?;
            continue;
        }
        out.push(b'{');
        write_key(out, "content");
        out.extend_from_slice(input.as_bytes());
        for (key, value) in [("task_type", task), ("title", present(request, "title"))] {
            if let Some(value) = value {
                write_key(out, key);
                out.extend_from_slice(value.as_bytes());
            }
        }
        out.push(b'}');
    }
    out.push(b']');
    let media = inputs.iter().any(|input| input.starts_with('{'));
    let size = if media { "dimension" } else { "outputDimensionality" };
    let mut parameters = b"{".to_vec();
    for (names, key) in
        [(&["dimensions"][..], size), (&["auto_truncate", "autoTruncate"], "autoTruncate")]
    {
        if let Some(value) = first(request, names) {
            write_key(&mut parameters, key);
            parameters.extend_from_slice(value.as_bytes());
        }
    }
    let own = present(request, "parameters").filter(|own| own.starts_with('{'));
    if let Some(own) = own {
        write_key(out, "parameters");
        out.extend_from_slice(own.as_bytes());
    } else if parameters.len() > 1 {
        parameters.push(b'}');
        write_key(out, "parameters");
        out.extend_from_slice(&parameters);
    }
    out.push(b'}');
    Ok(())
}

members! {
    /// Portkey's input for models that embed media.
    struct Media<'a> {
        text: Option<&'a RawValue>,
        image: Option<Place<'a>>,
        video: Option<Place<'a>>,
    }

    struct Place<'a> {
        url: Option<&'a RawValue>,
        base64: Option<&'a RawValue>,
        mime_type: Option<&'a RawValue>,
        start_offset: Option<u64>,
        end_offset: Option<u64>,
        interval: Option<u64>,
    }
}

fn write_media(out: &mut Vec<u8>, input: &str) -> Result<(), Error> {
    let media: Media<'_> = object(input)
        .ok_or_else(|| Error::invalid("invalid_type", "must have text, image or video"))?;
    out.push(b'{');
    if let Some(text) = media.text {
        write_key(out, "text");
        out.extend_from_slice(text.get().as_bytes());
    }
    for (key, place) in [("image", &media.image), ("video", &media.video)] {
        if let Some(place) = place {
            write_key(out, key);
            place.write(out);
        }
    }
    if out.last() == Some(&b'{') {
        return Err(Error::invalid("invalid_value", "must have text, image or video"));
    }
    out.push(b'}');
    Ok(())
}

impl Place<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (key, value) in [
            ("gcsUri", self.url),
            ("bytesBase64Encoded", self.base64),
            ("mimeType", self.mime_type),
        ] {
            if let Some(value) = value.and_then(text) {
                write_member(out, key, &value);
            }
        }
        let segment = [
            ("startOffsetSec", self.start_offset),
            ("endOffsetSec", self.end_offset),
            ("intervalSec", self.interval),
        ];
        if segment.iter().any(|(_, value)| value.is_some()) {
            write_key(out, "videoSegmentConfig");
            out.push(b'{');
            for (key, value) in segment {
                if let Some(value) = value {
                    write_key(out, key);
                    write_number(out, value);
                }
            }
            out.push(b'}');
        }
        out.push(b'}');
    }
}

members! {
    struct Answer<'a> {
        predictions: Option<&'a RawValue>,
    }

    struct Prediction<'a> {
        embeddings: Option<Embeddings<'a>>,
        text_embedding: Option<&'a RawValue> = "textEmbedding",
        image_embedding: Option<&'a RawValue> = "imageEmbedding",
        video_embeddings: Option<&'a RawValue> = "videoEmbeddings",
    }

    struct Embeddings<'a> {
        values: &'a RawValue,
        statistics: Option<Statistics>,
    }

    struct Statistics {
        token_count: Option<f64>,
    }

    struct Video<'a> {
        embedding: &'a RawValue,
        start_offset_sec: Option<u64> = "startOffsetSec",
        end_offset_sec: Option<u64> = "endOffsetSec",
    }
}

/// Translates a complete, successful answer of either method.
///
/// # Errors
/// The body is not what the method answers.
pub(super) fn response(
    body: &[u8],
    context: &Context,
    facts: &mut Facts,
) -> Result<Vec<u8>, Error> {
    let read = || {
        let answer: Answer<'_> = object_in(body)?;
        let (mut vectors, mut tokens) = (Vec::new(), 0.0);
        for raw in array(answer.predictions?.get())? {
            let prediction: Prediction<'_> = object(raw.get())?;
            vectors.push(members(&prediction)?);
            let statistics = prediction.embeddings.and_then(|it| it.statistics);
            tokens += statistics.and_then(|it| it.token_count).unwrap_or_default();
        }
        // What is no count becomes 0.
        Some((vectors, tokens as u64))
    };
    match read() {
        Some((vectors, tokens)) => Ok(write_list(&vectors, tokens, context, facts)),
        None if body.trim_ascii_start().starts_with(b"{\"predictions") => {
            Err(failure::invalid_response(body, context.provider, facts))
        }
        None => gemini::embeddings::response(body, context, facts),
    }
}

/// The members of an item; `None` when the prediction has no vector.
fn members(prediction: &Prediction<'_>) -> Option<Vec<u8>> {
    let mut out = b"{".to_vec();
    let text = prediction.embeddings.as_ref().map(|it| it.values).or(prediction.text_embedding);
    for (key, value) in [("embedding", text), ("image_embedding", prediction.image_embedding)] {
        if let Some(value) = value {
            write_key(&mut out, key);
            out.extend_from_slice(value.get().as_bytes());
        }
    }
    if let Some(videos) = prediction.video_embeddings {
        write_key(&mut out, "video_embeddings");
        out.push(b'[');
        for (index, raw) in (0..).zip(array(videos.get())?) {
            let video: Video<'_> = object(raw.get())?;
            write_comma(&mut out);
            out.extend_from_slice(b"{\"embedding\":");
            out.extend_from_slice(video.embedding.get().as_bytes());
            let offsets = [
                ("index", Some(index)),
                ("start_offset", video.start_offset_sec),
                ("end_offset", video.end_offset_sec),
            ];
            for (key, value) in offsets {
                if let Some(value) = value {
                    write_key(&mut out, key);
                    write_number(&mut out, value);
                }
            }
            out.push(b'}');
        }
        out.push(b']');
    }
    (out.len() > 1).then(|| out.split_off(1))
}
