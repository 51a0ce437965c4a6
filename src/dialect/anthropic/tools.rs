//! Tools: OpenAI's functions, and Anthropic's own tools in two forms.

use super::super::raw::{array, object, text, write_comma, write_key, write_member};
use super::{missing, under, wrong_type};
use crate::error::Error;
use crate::json::Object;
use serde_json::value::RawValue;
use std::collections::HashSet;

members! {
    pub(super) struct Tool<'a> {
        pub(super) kind: Option<&'a RawValue> = "type",
        function: Option<&'a RawValue>,
        name: Option<&'a RawValue>,
    }

    struct Function<'a> {
        name: Option<&'a RawValue>,
        description: Option<&'a RawValue>,
        parameters: Option<&'a RawValue>,
        strict: Option<&'a RawValue>,
    }
}

/// Members of Anthropic's that clients put beside `function`, as Portkey lets them.
const BESIDE: [&str; 5] = [
    "cache_control",
    "defer_loading",
    "allowed_callers",
    "input_examples",
    "eager_input_streaming",
];

/// Appends the `tools` array; with `allowed` only the functions of these names.
///
/// # Errors
/// A tool that Anthropic has nothing for; `param` is the path of the field.
pub(super) fn write(
    out: &mut Vec<u8>,
    tools: &str,
    allowed: Option<&HashSet<String>>,
) -> Result<(), Error> {
    let tools = array(tools).ok_or_else(|| wrong_type("tools", "an array"))?;
    out.push(b'[');
    for (at, raw) in tools.into_iter().enumerate() {
        write_tool(out, raw, allowed).map_err(|error| under(error, &format!("tools[{at}]")))?;
    }
    out.push(b']');
    Ok(())
}

fn write_tool(
    out: &mut Vec<u8>,
    raw: &RawValue,
    allowed: Option<&HashSet<String>>,
) -> Result<(), Error> {
    let (Some(tool), Ok(members)) =
        (object::<Tool<'_>>(raw.get()), Object::parse(raw.get().as_bytes()))
    else {
        let message = "a tool must be an object without duplicate members";
        return Err(Error::invalid("invalid_type", message));
    };
    match (tool.kind.and_then(text).as_deref(), tool.function) {
        (Some("function"), Some(function)) => {
            write_function(out, function, &members, allowed)
                .map_err(|error| under(error, "function"))?;
        }
        (Some("function"), None) => return Err(missing("function")),
        (Some("custom"), _) if members.get("custom").is_some() => {
            let message = "tools of type custom are not supported by anthropic; use a function";
            return Err(Error::invalid("unsupported_tool", message).with_param("type"));
        }
        (Some(kind), _) if members.get(kind).is_some_and(|options| options.starts_with('{')) => {
            write_builtin(out, kind, members.get(kind).unwrap_or_default())?;
        }
        // Anthropic's own form.
        (kind, _) if kind.is_some() || tool.name.is_some() => {
            write_comma(out);
            out.extend_from_slice(raw.get().as_bytes());
        }
        _ => return Err(missing("type")),
    }
    Ok(())
}

fn write_function(
    out: &mut Vec<u8>,
    function: &RawValue,
    beside: &Object<'_>,
    allowed: Option<&HashSet<String>>,
) -> Result<(), Error> {
    let Some(function) = object::<Function<'_>>(function.get()) else {
        return Err(Error::invalid("invalid_type", "function must be an object"));
    };
    let name = function.name.and_then(text).ok_or_else(|| missing("name"))?;
    if allowed.is_some_and(|allowed| !allowed.contains(name.as_ref())) {
        return Ok(());
    }
    write_comma(out);
    out.push(b'{');
    write_member(out, "name", &name);
    write_key(out, "description");
    let description = function.description.map(RawValue::get).filter(|raw| *raw != "null");
    out.extend_from_slice(description.unwrap_or("\"\"").as_bytes());
    write_key(out, "input_schema");
    write_schema(out, function.parameters)?;
    if let Some(strict) = function.strict {
        write_key(out, "strict");
        out.extend_from_slice(strict.get().as_bytes());
    }
    for key in BESIDE {
        if let Some(value) = beside.get(key).filter(|value| *value != "null") {
            write_key(out, key);
            out.extend_from_slice(value.as_bytes());
        }
    }
    out.push(b'}');
    Ok(())
}

/// Anthropic wants a schema with a type, where OpenAI lets a function without parameters have none.
/// The definitions and the description are there as in Portkey's requests, so that what Anthropic
/// has cached of the tools stays good.
fn write_schema(out: &mut Vec<u8>, parameters: Option<&RawValue>) -> Result<(), Error> {
    let parameters = parameters.map_or("{\"type\":\"object\",\"properties\":{}}", RawValue::get);
    let parsed = Object::parse(parameters.as_bytes());
    let mut schema = parsed.map_err(|_| wrong_type("parameters", "an object"))?;
    for (key, value) in [("type", "\"object\""), ("$defs", "{}")] {
        if schema.get(key).is_none() {
            schema.set(key, value.to_owned());
        }
    }
    out.extend_from_slice(&schema.to_vec());
    Ok(())
}

/// Portkey's form of Anthropic's own tools: `{"type":T,"T":{"name":N,...}}` is what Anthropic
/// calls `{"type":N,"name":T,...}`.
fn write_builtin(out: &mut Vec<u8>, kind: &str, options: &str) -> Result<(), Error> {
    let parsed = Object::parse(options.as_bytes());
    let options = parsed.map_err(|_| wrong_type(kind, "an object without duplicate members"))?;
    let Some(version) = options.string("name") else {
        return Err(under(missing("name"), kind));
    };
    write_comma(out);
    out.push(b'{');
    write_member(out, "type", &version);
    write_member(out, "name", kind);
    for (key, value) in options.iter().filter(|(key, _)| !matches!(*key, "name" | "type")) {
        write_key(out, key);
        out.extend_from_slice(value.as_bytes());
    }
    out.push(b'}');
    Ok(())
}
