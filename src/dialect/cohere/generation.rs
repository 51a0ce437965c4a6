//! How the answer is to be: limits, sampling, format and reasoning.

use super::super::raw::{object, text, write_key};
use super::{first, missing, present, under, wrong_type};
use crate::error::Error;
use crate::json::Object;
use serde_json::value::RawValue;

/// A number that both APIs have: OpenAI's name, Cohere's, and the ends of Cohere's range, within
/// OpenAI's. What is no number is for Cohere to refuse.
const RANGES: [(&str, &str, f64, f64); 4] = [
    ("temperature", "temperature", 0.0, 1.0),
    ("top_p", "p", 0.01, 0.99),
    ("frequency_penalty", "frequency_penalty", 0.0, 1.0),
    ("presence_penalty", "presence_penalty", 0.0, 1.0),
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

/// Appends the members of the request, where there is something to say.
///
/// # Errors
/// A `stop` or a `response_format` that is none.
pub(super) fn write(out: &mut Vec<u8>, request: &Object<'_>) -> Result<(), Error> {
    let first = |names: &[&str]| first(request, names);
    for (key, value) in [
        ("max_tokens", first(&["max_completion_tokens", "max_tokens"])),
        ("k", first(&["k", "top_k"])),
    ] {
        if let Some(value) = value {
            write_key(out, key);
            out.extend_from_slice(value.as_bytes());
        }
    }
    for (name, key, min, max) in RANGES {
        if let Some(raw) = first(&[key, name]) {
            write_key(out, key);
            write_within(out, raw, min, max);
        }
    }
    write_stop(out, first(&["stop", "stop_sequences"]))?;
    if let Some(raw) = present(request, "response_format") {
        write_format(out, raw).map_err(|error| under(error, "response_format"))?;
    }
    write_thinking(out, request);
    Ok(())
}

fn write_within(out: &mut Vec<u8>, raw: &str, min: f64, max: f64) {
    match raw.parse::<f64>() {
        Ok(number) if number < min => out.extend_from_slice(min.to_string().as_bytes()),
        Ok(number) if number > max => out.extend_from_slice(max.to_string().as_bytes()),
        _ => out.extend_from_slice(raw.as_bytes()),
    }
}

fn write_stop(out: &mut Vec<u8>, given: Option<&str>) -> Result<(), Error> {
    let Some(raw) = given else { return Ok(()) };
    let list = raw.starts_with('[');
    if !list && !raw.starts_with('"') {
        return Err(wrong_type("stop", "a string or an array of strings"));
    }
    write_key(out, "stop_sequences");
    out.extend_from_slice(if list { b"" } else { b"[" });
    out.extend_from_slice(raw.as_bytes());
    out.extend_from_slice(if list { b"" } else { b"]" });
    Ok(())
}

/// What OpenAI calls `json_schema` is Cohere's `json_object` with a schema, which is the value of
/// `json_schema` itself. Everything else has the same form.
fn write_format(out: &mut Vec<u8>, raw: &str) -> Result<(), Error> {
    let Some(format) = object::<ResponseFormat<'_>>(raw) else {
        return Err(Error::invalid("invalid_type", "the response format must be an object"));
    };
    let kind = format.kind.and_then(text).ok_or_else(|| missing("type"))?;
    write_key(out, "response_format");
    if kind != "json_schema" {
        out.extend_from_slice(raw.as_bytes());
        return Ok(());
    }
    let named = format.json_schema.ok_or_else(|| missing("json_schema"))?;
    let Some(named) = object::<JsonSchema<'_>>(named.get()) else {
        return Err(wrong_type("json_schema", "an object"));
    };
    out.extend_from_slice(b"{\"type\":\"json_object\"");
    if let Some(schema) = named.schema {
        write_key(out, "json_schema");
        out.extend_from_slice(schema.get().as_bytes());
    }
    out.push(b'}');
    Ok(())
}

/// A model that can reason does so; only that it should not can be told.
fn write_thinking(out: &mut Vec<u8>, request: &Object<'_>) {
    let off = || request.string("reasoning_effort").is_some_and(|effort| effort == "none");
    match present(request, "thinking") {
        Some(raw) => {
            write_key(out, "thinking");
            match Object::parse(raw.as_bytes()) {
                Ok(thinking) => out.extend_from_slice(&own_thinking(thinking).to_vec()),
                Err(_) => out.extend_from_slice(raw.as_bytes()),
            }
        }
        None if off() => out.extend_from_slice(b",\"thinking\":{\"type\":\"disabled\"}"),
        None => {}
    }
}

/// Cohere's `thinking` may be in Anthropic's words.
fn own_thinking(mut thinking: Object<'_>) -> Object<'_> {
    if thinking.get("token_budget").is_none() {
        thinking.rename("budget_tokens", "token_budget");
    }
    if thinking.string("type").as_deref() == Some("adaptive") {
        thinking.set("type", "\"enabled\"".to_owned());
    }
    thinking
}
