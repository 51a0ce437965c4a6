//! How the answer is to be: `generationConfig`.

use super::super::raw::{array, object, text, write_comma, write_key};
use super::model::Model;
use super::{first, present, schema, thinking, under, wrong_type};
use crate::error::Error;
use crate::json::{Object, write_string};
use serde_json::value::RawValue;

/// Members that are the same in both APIs but for their names; of several names the first that is
/// there counts.
const RENAMED: [(&[&str], &str); 12] = [
    (&["temperature"], "temperature"),
    (&["top_p"], "topP"),
    (&["top_k"], "topK"),
    (&["max_completion_tokens", "max_tokens"], "maxOutputTokens"),
    (&["n"], "candidateCount"),
    (&["seed"], "seed"),
    (&["presence_penalty"], "presencePenalty"),
    (&["frequency_penalty"], "frequencyPenalty"),
    (&["logprobs"], "responseLogprobs"),
    (&["top_logprobs"], "logprobs"),
    (&["media_resolution"], "mediaResolution"),
    (&["speech_config"], "speechConfig"),
];

members! {
    struct ResponseFormat<'a> {
        kind: Option<&'a RawValue> = "type",
        json_schema: Option<&'a RawValue>,
    }

    struct JsonSchema<'a> {
        schema: Option<&'a RawValue>,
    }
}

/// Appends the member `generationConfig`, if there is anything to say. The client's own wins,
/// member by member.
///
/// # Errors
/// What Gemini has no form for; `param` is the path of the field.
pub(super) fn write(out: &mut Vec<u8>, request: &Object<'_>, model: &Model) -> Result<(), Error> {
    let own = present(request, "generationConfig").or(present(request, "generation_config"));
    let parsed = own.map(|raw| Object::parse(raw.as_bytes())).transpose();
    let mut config = parsed
        .map_err(|_| wrong_type("generationConfig", "an object without duplicate members"))?
        .unwrap_or_default();
    for (names, key) in RENAMED {
        if let Some(value) = first(request, names) {
            fill(&mut config, key, || value.to_owned());
        }
    }
    if let Some(stop) = present(request, "stop").or(present(request, "stop_sequences")) {
        let list = stop_sequences(stop)?;
        fill(&mut config, "stopSequences", || list);
    }
    if let Some(modalities) = present(request, "modalities") {
        let list = upper_case(modalities).ok_or_else(|| wrong_type("modalities", "an array"))?;
        fill(&mut config, "responseModalities", || list);
    }
    if let Some(image) = present(request, "image_config") {
        fill(&mut config, "imageConfig", || image_config(image));
    }
    if let Some(format) = present(request, "response_format") {
        let prefix = "response_format.json_schema.schema";
        fill_format(&mut config, format).map_err(|error| under(error, prefix))?;
    }
    let thinks = ["thinkingConfig", "thinking_config"].iter().any(|it| config.get(it).is_some());
    if let Some((name, thinking)) = thinking::config(request, model).filter(|_| !thinks) {
        fill(&mut config, name, || thinking);
    }
    if config.iter().next().is_some() {
        write_key(out, "generationConfig");
        out.extend_from_slice(&config.to_vec());
    }
    Ok(())
}

fn fill(config: &mut Object<'_>, key: &str, value: impl FnOnce() -> String) {
    if config.get(key).is_none() {
        config.set(key, value());
    }
}

/// Always a list, where OpenAI takes a string, too.
fn stop_sequences(raw: &str) -> Result<String, Error> {
    match raw.as_bytes().first() {
        Some(b'[') => Ok(raw.to_owned()),
        Some(b'"') => Ok(["[", raw, "]"].concat()),
        _ => Err(wrong_type("stop", "a string or an array of strings")),
    }
}

/// An array of words in capitals, as Gemini writes the values of enumerations.
fn upper_case(raw: &str) -> Option<String> {
    let mut out = b"[".to_vec();
    for word in array(raw)? {
        write_comma(&mut out);
        write_string(&mut out, &text(word)?.to_ascii_uppercase());
    }
    out.push(b']');
    String::from_utf8(out).ok()
}

/// Portkey's names of the options are in snake case.
fn image_config(raw: &str) -> String {
    let Ok(given) = Object::parse(raw.as_bytes()) else { return raw.to_owned() };
    let mut config = Object::default();
    for (name, value) in given.iter() {
        let name = match name {
            "aspect_ratio" => "aspectRatio",
            "image_size" => "imageSize",
            name => name,
        };
        config.set(name, value.to_owned());
    }
    String::from_utf8(config.to_vec()).unwrap_or_default()
}

fn fill_format(config: &mut Object<'_>, format: &str) -> Result<(), Error> {
    let Some(format) = object::<ResponseFormat<'_>>(format) else { return Ok(()) };
    let schema = match format.kind.and_then(text).as_deref() {
        Some("json_object") => None,
        Some("json_schema") => {
            let parsed = format.json_schema.and_then(|raw| object::<JsonSchema<'_>>(raw.get()));
            parsed.and_then(|it| it.schema)
        }
        _ => return Ok(()),
    };
    fill(config, "responseMimeType", || "\"application/json\"".to_owned());
    if let Some(schema) = schema.filter(|_| config.get("responseJsonSchema").is_none()) {
        let schema = String::from_utf8(schema::clean(schema.get(), &mut { schema::MAX_WORK })?)
            .unwrap_or_default();
        fill(config, "responseSchema", || schema);
    }
    Ok(())
}
