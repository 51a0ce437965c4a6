//! Tools and the choice among them.

use super::super::write::write_raw;
use super::super::{Extras, Taker};
use crate::dialect::Dropped;
use crate::dialect::field::{missing, present, under, wrong_type};
use crate::dialect::raw::{array, object, text, write_comma, write_key, write_member};
use crate::error::Error;
use crate::json::Object;
use serde_json::value::RawValue;

members! {
    struct Tool<'a> {
        kind: Option<&'a RawValue> = "type",
        name: Option<&'a RawValue>,
        description: Option<&'a RawValue>,
        input_schema: Option<&'a RawValue>,
        strict: Option<&'a RawValue>,
        cache_control: Option<&'a RawValue>,
    }

    struct Choice<'a> {
        kind: Option<&'a RawValue> = "type",
        name: Option<&'a RawValue>,
        disable_parallel_tool_use: Option<&'a RawValue>,
    }
}

/// Appends the members `tools`, `tool_choice` and `parallel_tool_calls`, where there is something
/// to say. Tools that Anthropic runs, or knows the input of, are left out for all others.
///
/// # Errors
/// What is no tool, or a choice of one that had to be left out.
pub(super) fn write(
    out: &mut Vec<u8>,
    request: &Object<'_>,
    taker: Taker,
    dropped: &mut Dropped,
) -> Result<(), Error> {
    let mut tools = b"[".to_vec();
    let mut left_out = Vec::new();
    if let Some(raw) = present(request, "tools") {
        let list = array(raw).ok_or_else(|| wrong_type("tools", "an array"))?;
        for (at, raw) in list.into_iter().enumerate() {
            let place = format!("tools[{at}]");
            let written = write_tool(&mut tools, raw, taker);
            if let Some(name) = written.map_err(|error| under(error, &place))? {
                dropped.add(&format!("tools.{name}"));
                left_out.push(name);
            }
        }
    }
    let any = tools.len() > 1;
    if any {
        tools.push(b']');
        write_key(out, "tools");
        out.extend_from_slice(&tools);
    }
    match present(request, "tool_choice") {
        Some(choice) => {
            let own = request.get("parallel_tool_calls").is_some();
            write_choice(out, choice, any, &left_out, taker).map(|parallel| {
                if !parallel && !own {
                    write_raw(out, "parallel_tool_calls", "false");
                }
            })
        }
        None => Ok(()),
    }
}

/// Appends a tool; gives the name of one that is left out.
fn write_tool(out: &mut Vec<u8>, raw: &RawValue, taker: Taker) -> Result<Option<String>, Error> {
    let Some(tool) = object::<Tool<'_>>(raw.get()) else {
        let message = "a tool must be an object without duplicate members";
        return Err(Error::invalid("invalid_type", message));
    };
    let name = tool.name.and_then(text);
    let kind = tool.kind.and_then(text);
    let own = kind.as_deref().is_none_or(|kind| kind == "custom");
    if !own && taker.extras == Extras::Anthropic {
        write_comma(out);
        out.extend_from_slice(raw.get().as_bytes());
        return Ok(None);
    }
    if !own {
        return Ok(Some(name.or(kind).unwrap_or_default().into_owned()));
    }
    let name = name.ok_or_else(|| missing("name"))?;
    write_comma(out);
    out.extend_from_slice(b"{\"type\":\"function\",\"function\":{");
    write_member(out, "name", &name);
    for (key, value) in [
        ("description", tool.description),
        ("parameters", tool.input_schema),
        ("strict", tool.strict),
    ] {
        if let Some(value) = value.filter(|value| value.get() != "null") {
            write_raw(out, key, value.get());
        }
    }
    out.push(b'}');
    if let Some(value) = tool.cache_control.filter(|_| taker.extras >= Extras::CacheControl) {
        write_raw(out, "cache_control", value.get());
    }
    out.push(b'}');
    Ok(None)
}

/// Appends the choice; tells whether calls may run side by side.
fn write_choice(
    out: &mut Vec<u8>,
    raw: &str,
    any: bool,
    left_out: &[String],
    taker: Taker,
) -> Result<bool, Error> {
    let choice: Choice<'_> =
        object(raw).ok_or_else(|| wrong_type("tool_choice", "an object with a type"))?;
    let kind = choice.kind.and_then(text).ok_or_else(|| under(missing("type"), "tool_choice"))?;
    let name = choice.name.and_then(text);
    let forced = match kind.as_ref() {
        "tool" => name.as_deref().is_some_and(|name| left_out.iter().any(|it| it == name)),
        "any" => !any && !left_out.is_empty(),
        _ => false,
    };
    if forced {
        let message =
            format!("the tools that must be used are not supported by {}", taker.provider);
        return Err(Error::invalid("unsupported_tool", message).with_param("tool_choice"));
    }
    match (kind.as_ref(), &name) {
        // A choice without tools is refused by most, and says nothing.
        ("auto" | "none", _) if !any => return Ok(true),
        ("auto", _) => write_raw(out, "tool_choice", "\"auto\""),
        ("none", _) => write_raw(out, "tool_choice", "\"none\""),
        ("any", _) => write_raw(out, "tool_choice", "\"required\""),
        ("tool", Some(name)) => {
            write_key(out, "tool_choice");
            out.extend_from_slice(b"{\"type\":\"function\",\"function\":{");
            write_member(out, "name", name);
            out.extend_from_slice(b"}}");
        }
        ("tool", None) => return Err(under(missing("name"), "tool_choice")),
        _ => {
            let message = "tool_choice must be of type auto, any, tool or none";
            return Err(Error::invalid("invalid_value", message).with_param("tool_choice.type"));
        }
    }
    Ok(choice.disable_parallel_tool_use.is_none_or(|raw| raw.get() != "true"))
}
