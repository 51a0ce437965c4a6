//! Tools and the choice among them.

use super::super::Taker;
use super::super::write::write_raw;
use crate::dialect::Dropped;
use crate::dialect::field::{missing, present, under, wrong_type};
use crate::dialect::raw::{array, object, string, text, write_comma, write_key, write_member};
use crate::error::Error;
use crate::json::Object;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashSet;

members! {
    struct Tool<'a> {
        kind: Option<&'a RawValue> = "type",
        name: Option<&'a RawValue>,
        description: Option<&'a RawValue>,
        parameters: Option<&'a RawValue>,
        strict: Option<&'a RawValue>,
    }

    struct Choice<'a> {
        kind: Option<&'a RawValue> = "type",
        name: Option<&'a RawValue>,
        mode: Option<&'a RawValue>,
        tools: Option<&'a RawValue>,
    }
}

/// What the client wants of its tools.
enum Wish<'a> {
    /// A word that chat completions have, too.
    Word(Cow<'a, str>),
    Function(Cow<'a, str>),
    /// A tool that OpenAI runs.
    Hosted(String),
}

/// Appends the members `tools` and `tool_choice`, where there is something to say; gives the tools
/// as the answer repeats them. Tools that OpenAI runs are left out.
///
/// # Errors
/// What is no tool, or a choice of one that had to be left out.
pub(super) fn write(
    out: &mut Vec<u8>,
    request: &Object<'_>,
    taker: Taker,
    dropped: &mut Dropped,
) -> Result<Vec<u8>, Error> {
    let (wish, allowed) = match present(request, "tool_choice") {
        Some(raw) => choice(raw)?,
        None => (None, None),
    };
    let (mut tools, mut repeated) = (b"[".to_vec(), b"[".to_vec());
    let mut left_out = false;
    let list = present(request, "tools").map_or(Some(Vec::new()), array);
    let list = list.ok_or_else(|| wrong_type("tools", "an array"))?;
    for (at, raw) in list.into_iter().enumerate() {
        let place = format!("tools[{at}]");
        let tool = object::<Tool<'_>>(raw.get()).ok_or_else(|| {
            let message = "a tool must be an object without duplicate members";
            Error::invalid("invalid_type", message).with_param(place.as_str())
        })?;
        let kind = tool.kind.and_then(text).ok_or_else(|| under(missing("type"), &place))?;
        if kind != "function" {
            dropped.add(&format!("tools.{kind}"));
            left_out = true;
            continue;
        }
        let name = tool.name.and_then(text).ok_or_else(|| under(missing("name"), &place))?;
        repeat(&mut repeated, &tool, &name);
        if allowed.as_ref().is_none_or(|allowed| allowed.contains(name.as_ref())) {
            write_function(&mut tools, &tool, &name);
        }
    }
    repeated.push(b']');
    let any = tools.len() > 1;
    if any {
        tools.push(b']');
        write_key(out, "tools");
        out.extend_from_slice(&tools);
    }
    write_choice(out, wish.as_ref(), any, left_out, taker)?;
    Ok(repeated)
}

fn write_function(out: &mut Vec<u8>, tool: &Tool<'_>, name: &str) {
    write_comma(out);
    out.extend_from_slice(b"{\"type\":\"function\",\"function\":{");
    write_member(out, "name", name);
    for (key, value) in [
        ("description", tool.description),
        ("parameters", tool.parameters),
        ("strict", tool.strict),
    ] {
        if let Some(value) = value.filter(|value| value.get() != "null") {
            write_raw(out, key, value.get());
        }
    }
    out.extend_from_slice(b"}}");
}

/// Appends the tool as answers have it, with every member.
fn repeat(out: &mut Vec<u8>, tool: &Tool<'_>, name: &str) {
    write_comma(out);
    out.extend_from_slice(b"{\"type\":\"function\"");
    write_member(out, "name", name);
    for (key, value, default) in [
        ("description", tool.description, "null"),
        ("parameters", tool.parameters, "null"),
        ("strict", tool.strict, "true"),
    ] {
        write_raw(out, key, value.map_or(default, RawValue::get));
    }
    out.push(b'}');
}

/// The wish, and the names of the functions that may be called, if not all.
fn choice(raw: &str) -> Result<(Option<Wish<'_>>, Option<HashSet<String>>), Error> {
    let bad = || {
        let message = "tool_choice must be none, auto, required, or an object with a type";
        Error::invalid("invalid_value", message).with_param("tool_choice")
    };
    if let Some(word) = string(raw) {
        let known = matches!(word.as_ref(), "none" | "auto" | "required");
        return if known { Ok((Some(Wish::Word(word)), None)) } else { Err(bad()) };
    }
    let choice: Choice<'_> = object(raw).ok_or_else(bad)?;
    let kind = choice.kind.and_then(text).ok_or_else(bad)?;
    match kind.as_ref() {
        "function" => {
            let name = choice.name.and_then(text);
            let name = name.ok_or_else(|| under(missing("name"), "tool_choice"))?;
            Ok((Some(Wish::Function(name)), None))
        }
        "allowed_tools" => {
            let mode = choice.mode.and_then(text).unwrap_or(Cow::Borrowed("auto"));
            let list = choice.tools.and_then(|raw| array(raw.get())).ok_or_else(bad)?;
            let names = list.into_iter().filter_map(|raw| {
                let tool: Choice<'_> = object(raw.get())?;
                tool.name.and_then(text).map(Cow::into_owned)
            });
            Ok((Some(Wish::Word(mode)), Some(names.collect())))
        }
        other => Ok((Some(Wish::Hosted(other.chars().take(64).collect())), None)),
    }
}

fn write_choice(
    out: &mut Vec<u8>,
    wish: Option<&Wish<'_>>,
    any: bool,
    left_out: bool,
    taker: Taker,
) -> Result<(), Error> {
    let unsupported = |what: &str| {
        let message = format!("{what} is not supported by {}", taker.provider);
        Error::invalid("unsupported_tool", message).with_param("tool_choice")
    };
    match wish {
        None => {}
        Some(Wish::Hosted(kind)) => return Err(unsupported(&format!("the tool {kind:?}"))),
        Some(Wish::Word(word)) if word == "required" && !any && left_out => {
            return Err(unsupported("a tool that OpenAI runs"));
        }
        // A choice without tools is refused by most, and says nothing.
        Some(Wish::Word(word)) if !any && word != "required" => {}
        Some(Wish::Word(word)) => write_member(out, "tool_choice", word),
        Some(Wish::Function(name)) => {
            write_key(out, "tool_choice");
            out.extend_from_slice(b"{\"type\":\"function\",\"function\":{");
            write_member(out, "name", name);
            out.extend_from_slice(b"}}");
        }
    }
    Ok(())
}
