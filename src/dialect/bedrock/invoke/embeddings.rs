//! Embeddings by Amazon's Titan models
//! (<https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html>)
//! and Cohere's
//! (<https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html>).

use super::super::super::embedding::{inputs, write_list};
use super::super::super::field::parse;
use super::super::super::raw::{array, object, object_in, text, write_key, write_member};
use super::super::super::{Context, Facts, Outgoing, cohere, failure};
use super::super::model::{Family, Model};
use super::super::{present, under, wrong_type};
use super::{INVOKE, not_of, outgoing};
use crate::dialect::Dropped;
use crate::dialect::data_uri::DataUri;
use crate::error::Error;
use crate::json::{Object, write_string};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Translates the body of an embeddings request.
///
/// # Errors
/// The body is not what OpenAI's API takes, or more than the model takes; the model's format is not
/// known.
pub fn request(body: &[u8]) -> Result<Outgoing, Error> {
    let mut request = parse(body)?;
    let model = Model::read(&request)?;
    let mut dropped = Dropped::default();
    let mut out = Vec::with_capacity(body.len() + 64);
    out.push(b'{');
    match model.family {
        Family::Cohere => {
            as_numbers(&mut request);
            cohere::embed::write(&mut out, &request, cohere::embed::ImageUrl::Bare)?;
        }
        Family::Amazon if model.is(&["titan-embed"]) => {
            as_numbers(&mut request);
            write_titan(&mut out, &request, &model, &mut dropped)?;
        }
        _ => return Err(not_of("embed")),
    }
    out.push(b'}');
    Ok(outgoing(&request, &model, INVOKE, out, dropped))
}

/// No model of Bedrock's has base64. OpenAI's clients ask for it and take numbers as well.
fn as_numbers(request: &mut Object<'_>) {
    if request.string("encoding_format").is_some_and(|format| format == "base64") {
        request.remove("encoding_format");
    }
}

fn write_titan(
    out: &mut Vec<u8>,
    request: &Object<'_>,
    model: &Model,
    dropped: &mut Dropped,
) -> Result<(), Error> {
    let inputs = inputs(request)?;
    let [input] = inputs.as_slice() else {
        let message = "the Titan models of bedrock embed one input per request";
        return Err(Error::invalid("invalid_value", message).with_param("input"));
    };
    let images = model.is(&["titan-embed-image"]);
    write_input(out, input, images).map_err(|error| under(error, "input"))?;
    // Only these of the models for text know more than the text.
    let knows = model.is(&["titan-embed-text-v2"]);
    if let Some(length) = present(request, "dimensions") {
        match (images, knows) {
            (true, _) => {
                write_key(out, "embeddingConfig");
                let config = [b"{\"outputEmbeddingLength\":", length.as_bytes(), b"}"].concat();
                out.extend_from_slice(&config);
            }
            (_, true) => {
                write_key(out, "dimensions");
                out.extend_from_slice(length.as_bytes());
            }
            _ => dropped.add("dimensions"),
        }
    }
    if let Some(format) = present(request, "encoding_format") {
        match knows {
            true => {
                write_key(out, "embeddingTypes");
                let list = array(format).is_some();
                let types = if list { format.to_owned() } else { ["[", format, "]"].concat() };
                out.extend_from_slice(types.as_bytes());
            }
            false if format == "\"float\"" => {}
            false => dropped.add("encoding_format"),
        }
    }
    if knows && let Some(normalize) = present(request, "normalize") {
        write_key(out, "normalize");
        out.extend_from_slice(normalize.as_bytes());
    }
    Ok(())
}

members! {
    /// An input that is an object: Portkey's form, or a part of a message's content.
    #[derive(Default)]
    struct Input<'a> {
        text: Option<Cow<'a, str>>,
        image: Option<&'a RawValue>,
        image_url: Option<&'a RawValue>,
    }

    struct Image<'a> {
        base64: Option<Cow<'a, str>>,
        url: Option<Cow<'a, str>>,
    }
}

fn write_input(out: &mut Vec<u8>, raw: &str, images: bool) -> Result<(), Error> {
    if raw.starts_with('"') {
        write_key(out, "inputText");
        out.extend_from_slice(raw.as_bytes());
        return Ok(());
    }
    let wrong = || Error::invalid("invalid_type", "an input must be a text or an image");
    let input: Input<'_> = object(raw).ok_or_else(wrong)?;
    let image = match input.image.or(input.image_url) {
        None => None,
        Some(raw) => match text(raw) {
            Some(image) => Some(image),
            None => object(raw.get())
                .map(|image: Image<'_>| image.base64.or(image.url))
                .ok_or_else(wrong)?,
        },
    };
    if input.text.is_none() && image.is_none() {
        return Err(wrong());
    }
    if let Some(text) = input.text {
        write_member(out, "inputText", &text);
    }
    let Some(image) = image else { return Ok(()) };
    if !images {
        return Err(Error::invalid("invalid_value", "this model of bedrock takes texts alone"));
    }
    let data = match DataUri::parse(&image)? {
        Some(uri) => uri.data,
        None if image.contains(':') => {
            return Err(wrong_type("image", "base64 or a data URI: bedrock fetches no images"));
        }
        None => &image,
    };
    write_key(out, "inputImage");
    write_string(out, data);
    Ok(())
}

members! {
    /// What a Titan model answers.
    struct Answer<'a> {
        embedding: Option<&'a RawValue>,
        embeddings_by_type: Option<&'a RawValue> = "embeddingsByType",
        input_text_token_count: Option<u64> = "inputTextTokenCount",
    }

    #[derive(Default)]
    struct ByType<'a> {
        float: Option<&'a RawValue>,
        binary: Option<&'a RawValue>,
    }
}

/// Translates a complete, successful answer: Titan's has one vector, Cohere's a list.
///
/// # Errors
/// The body is neither.
pub fn response(body: &[u8], context: &Context, facts: &mut Facts) -> Result<Vec<u8>, Error> {
    let answer: Option<Answer<'_>> = object_in(body);
    let found = answer.as_ref().and_then(|answer| {
        let by_type: ByType<'_> = super::super::answer::read(answer.embeddings_by_type);
        let vector = answer.embedding.or(by_type.float).or(by_type.binary)?;
        array(vector.get())?;
        let tokens = answer.input_text_token_count;
        let tokens = tokens.or(context.counted.map(|usage| usage.prompt_tokens));
        Some((vector.get(), tokens.unwrap_or_default()))
    });
    match (found, answer) {
        (Some((vector, tokens)), _) => {
            let vector = [b"\"embedding\":", vector.as_bytes()].concat();
            let mut out = write_list(&[vector], tokens, context, facts);
            // The last brace, which comes back behind one more member.
            out.pop();
            write_member(&mut out, "provider", context.provider);
            out.push(b'}');
            Ok(out)
        }
        (None, Some(answer)) if answer.embeddings_by_type.is_none() => {
            cohere::embed::response(body, context, facts)
        }
        _ => Err(failure::invalid_response(body, context.provider, facts)),
    }
}
