//! Embeddings by Cohere's Embed API (<https://docs.cohere.com/reference/embed>).

use super::super::embedding::{SEND_TEXTS, is_tokens};
use super::super::field::parse;
use super::super::raw::{
    array, object, object_in, string, text, write_comma, write_key, write_line, write_member,
    write_number,
};
use super::super::{Context, Dropped, Facts, Outgoing, Usage, bounded, failure};
use super::answer::read;
use super::{missing, present, under, wrong_type};
use crate::error::Error;
use crate::json::Object;
use serde_json::value::RawValue;

const PATH: &str = "/embed";

/// Members that pass as they are.
const CARRIED: [&str; 8] = [
    "embedding_types",
    "images",
    "input_type",
    "inputs",
    "max_tokens",
    "priority",
    "texts",
    "truncate",
];

/// Cohere's own names for what is to be embedded.
const INPUTS: [&str; 3] = ["images", "inputs", "texts"];

members! {
    /// One element of `input` that is no string: Portkey's form, or a part of a message's content.
    struct Part<'a> {
        text: Option<&'a RawValue>,
        image: Option<&'a RawValue>,
        image_url: Option<&'a RawValue>,
    }

    struct Image<'a> {
        url: Option<&'a RawValue>,
        base64: Option<&'a RawValue>,
    }
}

/// How the URL of an image beside texts is written.
#[derive(Clone, Copy)]
pub(in crate::dialect) enum ImageUrl {
    /// As Cohere has it: in an object.
    Object,
    /// As Amazon Bedrock has it.
    Bare,
}

/// What is to be embedded, as raw JSON strings.
enum Input<'a> {
    Text(&'a RawValue),
    Image(&'a RawValue),
}

/// Translates the body of an embeddings request. Cohere refuses one without `input_type`, which
/// only the client can know.
///
/// # Errors
/// The body is not what OpenAI's API takes, or holds token ids.
pub fn request(body: &[u8]) -> Result<Outgoing, Error> {
    let request = parse(body)?;
    let raw = present(&request, "model").ok_or_else(|| missing("model"))?;
    let model = string(raw).ok_or_else(|| wrong_type("model", "a string"))?;
    let mut out = Vec::with_capacity(body.len() + 64);
    out.push(b'{');
    write_member(&mut out, "model", &model);
    write(&mut out, &request, ImageUrl::Object)?;
    out.push(b'}');
    let mut dropped = Dropped::default();
    dropped.add_unread(&request);
    let model = RawValue::from_string(raw.to_owned()).ok();
    Ok(Outgoing { model, dropped, ..Outgoing::new(PATH.into(), out) })
}

/// Appends the members of a request but its model.
///
/// # Errors
/// There is nothing to embed, or it is of another type.
pub(in crate::dialect) fn write(
    out: &mut Vec<u8>,
    request: &Object<'_>,
    image_url: ImageUrl,
) -> Result<(), Error> {
    match present(request, "input") {
        Some(input) => {
            write_input(out, input, image_url).map_err(|error| under(error, "input"))?;
        }
        None if INPUTS.into_iter().any(|own| present(request, own).is_some()) => {}
        None => return Err(missing("input")),
    }
    if let Some(dimensions) = present(request, "dimensions") {
        write_key(out, "output_dimension");
        out.extend_from_slice(dimensions.as_bytes());
    }
    write_format(out, request);
    for (key, _) in request.iter() {
        if CARRIED.contains(&key)
            && let Some(value) = present(request, key)
        {
            write_key(out, key);
            out.extend_from_slice(value.as_bytes());
        }
    }
    Ok(())
}

/// OpenAI's two encodings have the same names with Cohere.
fn write_format(out: &mut Vec<u8>, request: &Object<'_>) {
    let format = present(request, "encoding_format");
    if let Some(format) = format.filter(|_| request.get("embedding_types").is_none()) {
        write_key(out, "embedding_types");
        out.extend_from_slice(&[b"[", format.as_bytes(), b"]"].concat());
    }
}

fn write_input(out: &mut Vec<u8>, raw: &str, image_url: ImageUrl) -> Result<(), Error> {
    if raw.starts_with('"') {
        write_key(out, "texts");
        out.extend_from_slice(&[b"[", raw.as_bytes(), b"]"].concat());
        return Ok(());
    }
    let elements = array(raw).ok_or_else(|| wrong_input(None))?;
    let inputs = elements.into_iter().enumerate().map(|(at, element)| {
        input(element).ok_or_else(|| under(wrong_input(Some(element)), &format!("[{at}]")))
    });
    let inputs = inputs.collect::<Result<Vec<_>, Error>>()?;
    let images = inputs.iter().filter(|input| matches!(input, Input::Image(_))).count();
    let kind = match images {
        0 => "texts",
        all if all == inputs.len() => "images",
        _ => "inputs",
    };
    write_key(out, kind);
    out.push(b'[');
    for input in inputs {
        write_comma(out);
        match (kind, input) {
            ("inputs", Input::Text(text)) => {
                out.extend_from_slice(b"{\"content\":[{\"type\":\"text\",\"text\":");
                out.extend_from_slice(text.get().as_bytes());
                out.extend_from_slice(b"}]}");
            }
            ("inputs", Input::Image(url)) => {
                let (before, after): (&[u8], &[u8]) = match image_url {
                    ImageUrl::Object => (b"{\"url\":", b"}"),
                    ImageUrl::Bare => (b"", b""),
                };
                out.extend_from_slice(b"{\"content\":[{\"type\":\"image_url\",\"image_url\":");
                out.extend_from_slice(&[before, url.get().as_bytes(), after].concat());
                out.extend_from_slice(b"}]}");
            }
            (_, Input::Text(raw) | Input::Image(raw)) => {
                out.extend_from_slice(raw.get().as_bytes());
            }
        }
    }
    out.push(b']');
    Ok(())
}

fn input(element: &RawValue) -> Option<Input<'_>> {
    let is_string = |raw: &&RawValue| raw.get().starts_with('"');
    if is_string(&element) {
        return Some(Input::Text(element));
    }
    let part: Part<'_> = object(element.get())?;
    if let Some(text) = part.text.filter(is_string) {
        return Some(Input::Text(text));
    }
    let image = part.image.or(part.image_url)?;
    if is_string(&image) {
        return Some(Input::Image(image));
    }
    let image: Image<'_> = object(image.get())?;
    image.base64.or(image.url).filter(is_string).map(Input::Image)
}

fn wrong_input(element: Option<&RawValue>) -> Error {
    match element {
        Some(raw) if is_tokens(raw.get()) => {
            Error::invalid("invalid_type", "cohere takes texts, not token ids")
                .with_hint(SEND_TEXTS)
        }
        Some(_) => Error::invalid("invalid_type", "an input must be a text or an image"),
        None => Error::invalid("invalid_type", "the input must be a string or an array"),
    }
}

members! {
    struct Answer<'a> {
        id: Option<&'a RawValue>,
        embeddings: &'a RawValue,
        meta: Option<&'a RawValue>,
    }

    /// Vectors by encoding; more than one only for a client that names Cohere's own.
    #[derive(Default)]
    struct ByType<'a> {
        float: Option<&'a RawValue>,
        base64: Option<&'a RawValue>,
        int8: Option<&'a RawValue>,
        uint8: Option<&'a RawValue>,
        binary: Option<&'a RawValue>,
        ubinary: Option<&'a RawValue>,
    }

    #[derive(Default)]
    struct Meta<'a> {
        billed_units: Option<&'a RawValue>,
    }

    /// Cohere documents the counts as floating-point numbers.
    #[derive(Default)]
    struct Units {
        input_tokens: Option<f64>,
        image_tokens: Option<f64>,
    }
}

/// Translates a successful answer.
///
/// # Errors
/// The body is not what the Embed API answers.
pub fn response(body: &[u8], context: &Context, facts: &mut Facts) -> Result<Vec<u8>, Error> {
    let answer = object_in(body);
    let vectors = answer.as_ref().and_then(|answer: &Answer<'_>| vectors(answer.embeddings));
    let Some((answer, vectors)) = answer.as_ref().zip(vectors) else {
        return Err(failure::invalid_response(body, context.provider, facts));
    };
    let units: Units = read(read::<Meta<'_>>(answer.meta).billed_units);
    // The casts saturate; nobody has a fraction of a token.
    let tokens =
        units.input_tokens.unwrap_or(0.0) as u64 + units.image_tokens.unwrap_or(0.0) as u64;
    let tokens = context.counted.map_or(tokens, |usage| usage.prompt_tokens);
    facts.complete = true;
    facts.id = answer.id.and_then(text).map(bounded);
    facts.model = context.model.as_deref().and_then(text).map(bounded);
    facts.usage = Some(Usage { prompt_tokens: tokens, ..Usage::default() });

    let mut out = Vec::with_capacity(body.len() + 64 * vectors.len() + 256);
    out.extend_from_slice(b"{\"object\":\"list\",\"data\":[");
    for (at, vector) in vectors.iter().enumerate() {
        write_comma(&mut out);
        out.extend_from_slice(b"{\"object\":\"embedding\",\"index\":");
        write_number(&mut out, at as u64);
        out.extend_from_slice(b",\"embedding\":");
        write_line(&mut out, vector.get());
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"model\":");
    let model = context.model.as_deref().map_or("\"\"", RawValue::get);
    out.extend_from_slice(model.as_bytes());
    write_member(&mut out, "provider", context.provider);
    out.extend_from_slice(b",\"usage\":{\"prompt_tokens\":");
    write_number(&mut out, tokens);
    out.extend_from_slice(b",\"total_tokens\":");
    write_number(&mut out, tokens);
    out.extend_from_slice(b"}}");
    Ok(out)
}

/// The vectors of one encoding: OpenAI's answer has room for one.
fn vectors<'a>(embeddings: &'a RawValue) -> Option<Vec<&'a RawValue>> {
    if let Some(floats) = array(embeddings.get()) {
        return Some(floats);
    }
    let by_type: ByType<'a> = object(embeddings.get())?;
    let ByType { float, base64, int8, uint8, binary, ubinary } = by_type;
    array(float.or(base64).or(int8).or(uint8).or(binary).or(ubinary)?.get())
}
