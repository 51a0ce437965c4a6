//! How the answer is to be: `output_config` and `thinking`, from `response_format` and
//! `reasoning_effort` or as the client wrote them.

use super::super::field::present;
use super::super::raw::{object, text, write_key};
use crate::json::Object;
use serde_json::value::RawValue;

/// Parts of the names of models that refuse a request with `output_config.format`. No model that
/// is still to come belongs here.
const NO_FORMAT: [&str; 8] = [
    "claude-2",
    "claude-instant",
    "claude-3",
    "claude-opus-4-0",
    "claude-opus-4-2025",
    "claude-opus-4@",
    "claude-sonnet-4-0",
    "claude-sonnet-4-2025",
];

/// The same for `output_config.effort`, beside those above.
const NO_EFFORT: [&str; 3] = ["claude-opus-4-1", "claude-sonnet-4-5", "claude-haiku-4-5"];

members! {
    struct ResponseFormat<'a> {
        kind: Option<&'a RawValue> = "type",
        json_schema: Option<&'a RawValue>,
    }

    struct JsonSchema<'a> {
        schema: Option<&'a RawValue>,
    }
}

/// Appends the members `output_config` and `thinking`, where there is something to say.
pub(super) fn write(out: &mut Vec<u8>, request: &Object<'_>) {
    let model = request.string("model").unwrap_or_default();
    let is = |parts: &[&str]| parts.iter().any(|part| model.contains(part));
    // `none` asks for no thinking, every other word for some amount of work.
    let effort = request.string("reasoning_effort").filter(|_| !is(&NO_FORMAT) && !is(&NO_EFFORT));
    match (present(request, "thinking"), effort.as_deref()) {
        (Some(own), _) => {
            write_key(out, "thinking");
            out.extend_from_slice(own.as_bytes());
        }
        (None, Some("none")) => {
            write_key(out, "thinking");
            out.extend_from_slice(b"{\"type\":\"disabled\"}");
        }
        _ => {}
    }
    let level = match effort.as_deref() {
        Some("minimal" | "low") => Some("\"low\""),
        Some("medium") => Some("\"medium\""),
        Some("high") => Some("\"high\""),
        Some("xhigh") => Some("\"xhigh\""),
        Some("max") => Some("\"max\""),
        _ => None,
    };
    let format = schema(request).filter(|_| !is(&NO_FORMAT));
    write_config(out, present(request, "output_config"), level, format);
}

/// The client's own `output_config` wins, member by member.
fn write_config(out: &mut Vec<u8>, own: Option<&str>, effort: Option<&str>, schema: Option<&str>) {
    let mut config = match own.map(|raw| Object::parse(raw.as_bytes())) {
        None => Object::default(),
        Some(Ok(config)) => config,
        // Anthropic knows best what is wrong with it.
        Some(Err(_)) => {
            write_key(out, "output_config");
            return out.extend_from_slice(own.unwrap_or_default().as_bytes());
        }
    };
    if let Some(effort) = effort.filter(|_| config.get("effort").is_none()) {
        config.set("effort", effort.to_owned());
    }
    if let Some(schema) = schema.filter(|_| config.get("format").is_none()) {
        let format = ["{\"type\":\"json_schema\",\"schema\":", schema, "}"].concat();
        config.set("format", format);
    }
    if own.is_some() || config.iter().next().is_some() {
        write_key(out, "output_config");
        out.extend_from_slice(&config.to_vec());
    }
}

/// The schema of a `response_format`. Without one (`json_object`) Messages has nothing for it.
fn schema<'a>(request: &'a Object<'_>) -> Option<&'a str> {
    let format: ResponseFormat<'a> = object(present(request, "response_format")?)?;
    let wanted = format.kind.and_then(text)? == "json_schema";
    let json_schema: JsonSchema<'a> = object(format.json_schema.filter(|_| wanted)?.get())?;
    json_schema.schema.map(RawValue::get)
}
