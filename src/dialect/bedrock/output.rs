//! How the answer is to be: `outputConfig`, from `response_format` and `reasoning_effort`.
//!
//! A model that takes no schema gets none: Converse would refuse the request. `json_object` has
//! nothing that would stand for it.

use super::super::Dropped;
use super::super::raw::{object, text, write_key, write_member};
use super::model::Model;
use super::present;
use crate::json::{Object, write_string};
use serde_json::value::RawValue;

members! {
    struct ResponseFormat<'a> {
        kind: Option<&'a RawValue> = "type",
        json_schema: Option<&'a RawValue>,
    }

    struct JsonSchema<'a> {
        name: Option<&'a RawValue>,
        description: Option<&'a RawValue>,
        schema: Option<&'a RawValue>,
    }
}

/// Appends the member `outputConfig`; the client's own wins.
pub(super) fn write(out: &mut Vec<u8>, request: &Object<'_>, model: &Model, dropped: &mut Dropped) {
    let own = present(request, "outputConfig").or_else(|| present(request, "output_config"));
    if let Some(own) = own {
        write_key(out, "outputConfig");
        return out.extend_from_slice(own.as_bytes());
    }
    // What is not read is named as dropped.
    let schema = if model.takes_schema() { schema(request, dropped) } else { None };
    let effort = if model.takes_effort() { effort(request) } else { None };
    if schema.is_none() && effort.is_none() {
        return;
    }
    write_key(out, "outputConfig");
    out.push(b'{');
    if let Some(schema) = schema {
        write_schema(out, &schema);
    }
    if let Some(effort) = effort {
        write_member(out, "effort", effort);
    }
    out.push(b'}');
}

fn write_schema(out: &mut Vec<u8>, schema: &JsonSchema<'_>) {
    write_key(out, "textFormat");
    out.extend_from_slice(b"{\"type\":\"json_schema\",\"structure\":{\"jsonSchema\":{");
    write_key(out, "schema");
    // A text that holds the schema.
    write_string(out, schema.schema.map_or("{}", RawValue::get));
    for (key, value) in [("name", schema.name), ("description", schema.description)] {
        if let Some(value) = value.and_then(text).filter(|value| !value.is_empty()) {
            write_member(out, key, &value);
        }
    }
    out.extend_from_slice(b"}}}");
}

/// The `json_schema` of a `response_format` that has one. Plain text is what comes anyway.
fn schema<'a>(request: &'a Object<'_>, dropped: &mut Dropped) -> Option<JsonSchema<'a>> {
    let format: ResponseFormat<'a> = object(present(request, "response_format")?)?;
    let kind = format.kind.and_then(text);
    let schema = format.json_schema.filter(|_| kind.as_deref() == Some("json_schema"));
    let schema = schema.and_then(|raw| object::<JsonSchema<'a>>(raw.get()));
    let schema = schema.filter(|schema| schema.schema.is_some());
    if schema.is_none() && kind.as_deref() != Some("text") {
        dropped.add("response_format");
    }
    schema
}

fn effort(request: &Object<'_>) -> Option<&'static str> {
    match request.string("reasoning_effort")?.as_str() {
        "minimal" | "low" => Some("low"),
        "medium" => Some("medium"),
        "high" => Some("high"),
        "xhigh" => Some("xhigh"),
        "max" => Some("max"),
        _ => None,
    }
}
