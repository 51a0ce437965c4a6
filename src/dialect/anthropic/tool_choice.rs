//! The choice among tools.

use super::super::raw::{array, object, string, text, write_key, write_member};
use super::tools::{Function, Tool};
use crate::error::Error;
use crate::json::Object;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashSet;

/// What the client says of tools in its `tool_choice`.
#[derive(Debug, Default)]
pub(super) struct Choice<'a> {
    kind: Kind<'a>,
    /// Names of the functions that may be called, if not all.
    pub(super) allowed: Option<HashSet<String>>,
}

#[derive(Debug, Default)]
enum Kind<'a> {
    #[default]
    Absent,
    Auto,
    Any,
    None,
    Tool(Cow<'a, str>),
    /// Anthropic's own form.
    Native(&'a str),
}

#[derive(Deserialize)]
struct RawChoice<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    function: Option<&'a RawValue>,
    #[serde(borrow)]
    allowed_tools: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct AllowedTools<'a> {
    #[serde(borrow)]
    mode: Option<&'a RawValue>,
    #[serde(borrow)]
    tools: Option<&'a RawValue>,
}

impl<'a> Choice<'a> {
    /// Reads a `tool_choice`, in all of OpenAI's forms and in Anthropic's.
    ///
    /// # Errors
    /// Every other value.
    pub(super) fn parse(raw: &'a str) -> Result<Self, Error> {
        if let Some(word) = string(raw) {
            let kind = Kind::parse(&word).ok_or_else(Self::invalid)?;
            return Ok(Self { kind, allowed: None });
        }
        let choice: RawChoice<'_> = object(raw).ok_or_else(Self::invalid)?;
        match choice.kind.and_then(text).as_deref() {
            Some("function") => {
                let function = choice.function.and_then(|raw| object(raw.get()));
                let function: Function<'_> = function.ok_or_else(Self::invalid)?;
                let name = function.name.and_then(text).ok_or_else(Self::invalid)?;
                Ok(Self { kind: Kind::Tool(name), allowed: None })
            }
            Some("allowed_tools") => {
                let tools = choice.allowed_tools.and_then(|raw| object(raw.get()));
                Self::restricted(&tools.ok_or_else(Self::invalid)?).ok_or_else(Self::invalid)
            }
            Some("auto" | "any" | "tool" | "none") => {
                Ok(Self { kind: Kind::Native(raw), allowed: None })
            }
            _ => Err(Self::invalid()),
        }
    }

    fn restricted(tools: &AllowedTools<'_>) -> Option<Self> {
        let kind = Kind::parse(&tools.mode.and_then(text)?)?;
        let mut allowed = HashSet::new();
        for raw in array(tools.tools?.get())? {
            let tool: Tool<'_> = object(raw.get())?;
            let function: Function<'_> = object(tool.function?.get())?;
            allowed.insert(function.name.and_then(text)?.into_owned());
        }
        Some(Self { kind, allowed: Some(allowed) })
    }

    fn invalid() -> Error {
        let message = "tool_choice must be none, auto, required, or an object that names functions";
        Error::invalid("invalid_value", message).with_param("tool_choice")
    }

    /// Appends the member `tool_choice`, if there is anything to say.
    pub(super) fn write(&self, out: &mut Vec<u8>, has_tools: bool, parallel: bool) {
        let (kind, name) = match &self.kind {
            // Anthropic refuses a choice without tools; these two say nothing then.
            Kind::Absent | Kind::Auto | Kind::None if !has_tools => return,
            Kind::Absent if parallel => return,
            Kind::Absent | Kind::Auto => ("auto", None),
            Kind::Any => ("any", None),
            Kind::None => ("none", None),
            Kind::Tool(name) => ("tool", Some(name)),
            Kind::Native(raw) => return write_native(out, raw, parallel),
        };
        write_key(out, "tool_choice");
        out.push(b'{');
        write_member(out, "type", kind);
        if let Some(name) = name {
            write_member(out, "name", name);
        }
        if !parallel && kind != "none" {
            write_key(out, "disable_parallel_tool_use");
            out.extend_from_slice(b"true");
        }
        out.push(b'}');
    }
}

fn write_native(out: &mut Vec<u8>, raw: &str, parallel: bool) {
    write_key(out, "tool_choice");
    match Object::parse(raw.as_bytes()) {
        Ok(mut choice)
            if !parallel
                && choice.string("type").as_deref() != Some("none")
                && choice.get("disable_parallel_tool_use").is_none() =>
        {
            choice.set("disable_parallel_tool_use", "true".to_owned());
            out.extend_from_slice(&choice.to_vec());
        }
        _ => out.extend_from_slice(raw.as_bytes()),
    }
}

impl Kind<'_> {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "auto" => Some(Self::Auto),
            "required" | "any" => Some(Self::Any),
            "none" => Some(Self::None),
            _ => None,
        }
    }
}
