//! What only some models know: `additionalModelRequestFields`, which Bedrock hands to the model.

use super::super::raw::{string, write_key, write_member};
use super::model::{Family, Model};
use super::{present, wrong_type};
use crate::error::Error;
use crate::json::{Object, write_string};

/// Appends the member `additionalModelRequestFields`. The client's own fields come first, and none
/// of them is replaced. `tools` are the model's own tools as a JSON array, or nothing.
///
/// # Errors
/// The client's own fields are no object.
pub(super) fn write(
    out: &mut Vec<u8>,
    request: &Object<'_>,
    model: &Model,
    tools: &[u8],
) -> Result<(), Error> {
    let (name, own) = own(request);
    let parsed = own.map(|raw| Object::parse(raw.as_bytes())).transpose();
    let mut fields = parsed.map_err(|_| wrong_type(name, "an object"))?.unwrap_or_default();
    for (key, value) in of_model(request, model, tools) {
        if fields.get(key).is_none() {
            fields.set(key, value);
        }
    }
    if own.is_some() || fields.iter().next().is_some() {
        write_key(out, "additionalModelRequestFields");
        out.extend_from_slice(&fields.to_vec());
    }
    Ok(())
}

fn own<'a>(request: &'a Object<'_>) -> (&'static str, Option<&'a str>) {
    const NAMES: [&str; 2] = ["additionalModelRequestFields", "additional_model_request_fields"];
    let found = NAMES.iter().find_map(|name| Some((*name, present(request, name)?)));
    found.map_or((NAMES[0], None), |(name, raw)| (name, Some(raw)))
}

/// Fields of the request by the names that the model's family has for them.
fn of_model(request: &Object<'_>, model: &Model, tools: &[u8]) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    let mut carry = |names: &[(&str, &'static str)]| {
        for (name, key) in names {
            if let Some(raw) = present(request, name) {
                fields.push((*key, raw.to_owned()));
            }
        }
    };
    match model.family {
        Family::Anthropic | Family::Unknown => {
            carry(&[
                ("top_k", "top_k"),
                ("anthropic_version", "anthropic_version"),
                ("thinking", "thinking"),
            ]);
            fields.extend(user(request).map(|metadata| ("metadata", metadata)));
            fields.extend(betas(request).map(|betas| ("anthropic_beta", betas)));
            if !tools.is_empty() {
                fields.push(("tools", String::from_utf8_lossy(tools).into_owned()));
            }
        }
        Family::Cohere => carry(&[
            ("top_k", "top_k"),
            ("n", "n"),
            ("frequency_penalty", "frequency_penalty"),
            ("presence_penalty", "presence_penalty"),
            ("logit_bias", "logitBias"),
        ]),
        Family::Ai21 => {
            carry(&[("top_k", "top_k"), ("countPenalty", "countPenalty")]);
            for (names, key) in [
                (["frequency_penalty", "frequencyPenalty"], "frequencyPenalty"),
                (["presence_penalty", "presencePenalty"], "presencePenalty"),
            ] {
                fields.extend(penalty(request, names).map(|penalty| (key, penalty)));
            }
        }
        Family::Amazon => {
            let top_k = present(request, "top_k");
            fields.extend(top_k.map(|k| ("inferenceConfig", ["{\"topK\":", k, "}"].concat())));
        }
        Family::OpenAi => carry(&[("reasoning_effort", "reasoning_effort")]),
        Family::Mistral | Family::Other => carry(&[("top_k", "top_k")]),
        Family::Meta => {}
    }
    fields
}

/// OpenAI's `user` as Anthropic's metadata.
fn user(request: &Object<'_>) -> Option<String> {
    let mut metadata = b"{".to_vec();
    write_member(&mut metadata, "user_id", &request.string("user")?);
    metadata.push(b'}');
    String::from_utf8(metadata).ok()
}

/// Names of Anthropic's betas: a list, or a text with commas between them.
fn betas(request: &Object<'_>) -> Option<String> {
    let raw = present(request, "anthropic_beta")?;
    let Some(names) = string(raw) else { return Some(raw.to_owned()) };
    let mut list = Vec::new();
    for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        list.push(if list.is_empty() { b'[' } else { b',' });
        write_string(&mut list, name);
    }
    list.push(b']');
    String::from_utf8(list).ok().filter(|list| list != "]")
}

/// A penalty as AI21 has it: a number becomes the scale of one.
pub(super) fn penalty(request: &Object<'_>, names: [&str; 2]) -> Option<String> {
    let raw = names.iter().find_map(|name| present(request, name))?;
    Some(match raw.starts_with('{') {
        true => raw.to_owned(),
        false => ["{\"scale\":", raw, "}"].concat(),
    })
}
