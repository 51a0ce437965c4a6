//! Tools and the choice among them. Cohere has functions alone, and can be told to call any of
//! them or none; a narrower choice is made by leaving out the others.

use super::super::raw::{array, object, string, text, write_comma, write_key, write_member};
use super::super::tool_choice::{Mode, ToolChoice};
use super::{missing, present, under, wrong_type};
use crate::error::Error;
use crate::json::Object;
use serde_json::value::RawValue;

members! {
    struct Tool<'a> {
        kind: Option<&'a RawValue> = "type",
        function: Option<&'a RawValue>,
    }

    struct Function<'a> {
        name: Option<&'a RawValue>,
        description: Option<&'a RawValue>,
        parameters: Option<&'a RawValue>,
        strict: Option<&'a RawValue>,
    }
}

/// Appends the members `tools`, `strict_tools` and `tool_choice`, where there is something to say;
/// tells whether it said how strict the tools are.
///
/// # Errors
/// A tool or a choice that Cohere has nothing for; `param` is the path of the field.
pub(super) fn write(out: &mut Vec<u8>, request: &Object<'_>) -> Result<bool, Error> {
    let choice = present(request, "tool_choice").map(parse_choice).transpose()?;
    let choice = choice.unwrap_or_default();
    let mut tools = b"[".to_vec();
    // Cohere is strict with all tools or with none; no tool gets what it was not made for.
    let mut strict = true;
    let given = present(request, "tools");
    let list = given.map(|raw| array(raw).ok_or_else(|| wrong_type("tools", "an array")));
    for (at, raw) in list.transpose()?.into_iter().flatten().enumerate() {
        strict &= write_tool(&mut tools, raw, &choice)
            .map_err(|error| under(error, &format!("tools[{at}]")))?;
    }
    let any = tools.len() > 1;
    if let (Mode::Function(_), false) = (&choice.mode, any) {
        let message = "tool_choice names a function that is not among the tools";
        return Err(Error::invalid("invalid_value", message).with_param("tool_choice"));
    }
    if any {
        write_key(out, "tools");
        out.extend_from_slice(&tools);
        out.push(b']');
    }
    let told = present(request, "strict_tools").or((any && strict).then_some("true"));
    if let Some(own) = told {
        write_key(out, "strict_tools");
        out.extend_from_slice(own.as_bytes());
    }
    match choice.mode {
        Mode::Required | Mode::Function(_) => write_member(out, "tool_choice", "REQUIRED"),
        Mode::None if any => write_member(out, "tool_choice", "NONE"),
        // Cohere has no word for `auto`, and `none` says nothing without tools.
        Mode::None | Mode::Absent | Mode::Auto => {}
    }
    Ok(told.is_some())
}

/// All of OpenAI's forms, and Cohere's words.
fn parse_choice(raw: &str) -> Result<ToolChoice<'_>, Error> {
    let mode = match string(raw).as_deref() {
        Some("REQUIRED") => Mode::Required,
        Some("NONE") => Mode::None,
        _ => return ToolChoice::parse(raw),
    };
    Ok(ToolChoice { mode, allowed: None })
}

/// Appends a tool that may be called; tells whether it is strict, as one that may not be is.
fn write_tool(out: &mut Vec<u8>, raw: &RawValue, choice: &ToolChoice<'_>) -> Result<bool, Error> {
    let Some(tool) = object::<Tool<'_>>(raw.get()) else {
        let message = "a tool must be an object without duplicate members";
        return Err(Error::invalid("invalid_type", message));
    };
    match (tool.kind.and_then(text).as_deref(), tool.function) {
        (Some("function"), Some(function)) => {
            write_function(out, function, choice).map_err(|error| under(error, "function"))
        }
        (Some("function"), None) => Err(missing("function")),
        (Some(_), _) => {
            let message = "only tools of type function are supported by cohere";
            Err(Error::invalid("unsupported_tool", message).with_param("type"))
        }
        (None, _) => Err(missing("type")),
    }
}

fn write_function(
    out: &mut Vec<u8>,
    function: &RawValue,
    choice: &ToolChoice<'_>,
) -> Result<bool, Error> {
    let Some(function) = object::<Function<'_>>(function.get()) else {
        return Err(Error::invalid("invalid_type", "function must be an object"));
    };
    let name = function.name.and_then(text).ok_or_else(|| missing("name"))?;
    let chosen = match (&choice.mode, &choice.allowed) {
        (Mode::Function(only), _) => *only == name,
        (_, Some(allowed)) => allowed.contains(name.as_ref()),
        (_, None) => true,
    };
    if !chosen {
        return Ok(true);
    }
    write_comma(out);
    out.extend_from_slice(b"{\"type\":\"function\",\"function\":{");
    write_member(out, "name", &name);
    if let Some(description) = function.description {
        write_key(out, "description");
        out.extend_from_slice(description.get().as_bytes());
    }
    write_key(out, "parameters");
    // Cohere requires them, where OpenAI lets a function without parameters have none.
    let parameters =
        function.parameters.map_or("{\"type\":\"object\",\"properties\":{}}", RawValue::get);
    if !parameters.starts_with('{') {
        return Err(wrong_type("parameters", "an object"));
    }
    out.extend_from_slice(parameters.as_bytes());
    out.extend_from_slice(b"}}");
    Ok(function.strict.is_some_and(|strict| strict.get() == "true"))
}
