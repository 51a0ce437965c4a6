//! How the answer is to be: limits, `text`, `reasoning`, `include`, `stream`.

use super::super::write::write_raw;
use crate::dialect::Dropped;
use crate::dialect::field::{present, wrong_type};
use crate::dialect::raw::{array, object, text, write_key, write_member};
use crate::error::Error;
use crate::json::Object;
use serde_json::value::RawValue;

members! {
    #[derive(Default)]
    struct Text<'a> {
        format: Option<&'a RawValue>,
        verbosity: Option<&'a RawValue>,
    }

    #[derive(Default)]
    struct Format<'a> {
        kind: Option<&'a RawValue> = "type",
        name: Option<&'a RawValue>,
        description: Option<&'a RawValue>,
        schema: Option<&'a RawValue>,
        strict: Option<&'a RawValue>,
    }

    #[derive(Default)]
    struct Reasoning<'a> {
        effort: Option<&'a RawValue>,
    }
}

/// Appends what there is to say.
///
/// # Errors
/// A `text` that is none.
pub(super) fn write(
    out: &mut Vec<u8>,
    request: &Object<'_>,
    dropped: &mut Dropped,
) -> Result<(), Error> {
    let own = |names: &[&str]| names.iter().any(|name| request.get(name).is_some());
    let limit = present(request, "max_output_tokens");
    if let Some(limit) = limit.filter(|_| !own(&["max_completion_tokens", "max_tokens"])) {
        write_raw(out, "max_completion_tokens", limit);
    }
    if let Some(stream) = present(request, "stream") {
        write_raw(out, "stream", stream);
        if stream == "true" {
            // The last event of the client's stream has the usage.
            write_raw(out, "stream_options", "{\"include_usage\":true}");
        }
    }
    write_text(out, request)?;
    let reasoning: Reasoning<'_> =
        present(request, "reasoning").and_then(object).unwrap_or_default();
    let effort = reasoning.effort.filter(|raw| raw.get() != "null");
    if let Some(effort) = effort.filter(|_| !own(&["reasoning_effort"])) {
        write_raw(out, "reasoning_effort", effort.get());
    }
    write_logprobs(out, request);
    for (name, nothing) in [("store", "false"), ("truncation", "\"disabled\"")] {
        if present(request, name).is_some_and(|value| value != nothing) {
            dropped.add(name);
        }
    }
    if present(request, "max_tool_calls").is_some() {
        dropped.add("max_tool_calls");
    }
    Ok(())
}

/// Chat completions give no log probabilities unless they are asked for by name.
fn write_logprobs(out: &mut Vec<u8>, request: &Object<'_>) {
    let include = present(request, "include").and_then(array).unwrap_or_default();
    let included =
        include.iter().any(|raw| text(raw).as_deref() == Some("message.output_text.logprobs"));
    let counted = present(request, "top_logprobs").is_some_and(|count| count != "0");
    if (included || counted) && request.get("logprobs").is_none() {
        write_raw(out, "logprobs", "true");
    }
}

fn write_text(out: &mut Vec<u8>, request: &Object<'_>) -> Result<(), Error> {
    let Some(raw) = present(request, "text") else { return Ok(()) };
    let config: Text<'_> = object(raw).ok_or_else(|| wrong_type("text", "an object"))?;
    let verbosity = config.verbosity.filter(|raw| raw.get() != "null");
    if let Some(verbosity) = verbosity.filter(|_| request.get("verbosity").is_none()) {
        write_raw(out, "verbosity", verbosity.get());
    }
    let format = config.format.filter(|raw| raw.get() != "null");
    let Some(raw) = format.filter(|_| request.get("response_format").is_none()) else {
        return Ok(());
    };
    let format: Format<'_> =
        object(raw.get()).ok_or_else(|| wrong_type("text.format", "an object"))?;
    match format.kind.and_then(text).as_deref() {
        Some("json_schema") => {
            write_key(out, "response_format");
            out.extend_from_slice(b"{\"type\":\"json_schema\",\"json_schema\":{");
            let name = format.name.and_then(text);
            write_member(out, "name", name.as_deref().unwrap_or("response"));
            for (key, value) in [
                ("description", format.description),
                ("schema", format.schema),
                ("strict", format.strict),
            ] {
                if let Some(value) = value.filter(|value| value.get() != "null") {
                    write_raw(out, key, value.get());
                }
            }
            out.extend_from_slice(b"}}");
        }
        Some("json_object") => write_raw(out, "response_format", "{\"type\":\"json_object\"}"),
        Some("text") => {}
        _ => {
            let message = "text.format must be of type text, json_schema or json_object";
            return Err(Error::invalid("invalid_value", message).with_param("text.format.type"));
        }
    }
    Ok(())
}
