//! The choice among tools.

use super::super::raw::{object, text, write_key, write_member};
use super::super::tool_choice::{Mode, ToolChoice};
use super::tools::Tool;
use crate::error::Error;
use crate::json::Object;
use std::collections::HashSet;

/// What the client says of tools in its `tool_choice`.
#[derive(Debug)]
pub(super) enum Choice<'a> {
    OpenAi(ToolChoice<'a>),
    /// Anthropic's own form.
    Native(&'a str),
}

impl Default for Choice<'_> {
    fn default() -> Self {
        Self::OpenAi(ToolChoice::default())
    }
}

impl<'a> Choice<'a> {
    /// Reads a `tool_choice`, in all of OpenAI's forms and in Anthropic's.
    ///
    /// # Errors
    /// Every other value.
    pub(super) fn parse(raw: &'a str) -> Result<Self, Error> {
        let kind = object::<Tool<'_>>(raw).and_then(|choice| choice.kind).and_then(text);
        match kind.as_deref() {
            Some("auto" | "any" | "tool" | "none") => Ok(Self::Native(raw)),
            _ => ToolChoice::parse(raw).map(Self::OpenAi),
        }
    }

    /// Names of the functions that may be called, if not all.
    pub(super) fn allowed(&self) -> Option<&HashSet<String>> {
        match self {
            Self::OpenAi(choice) => choice.allowed.as_ref(),
            Self::Native(_) => None,
        }
    }

    /// Appends the member `tool_choice`, if there is anything to say.
    pub(super) fn write(&self, out: &mut Vec<u8>, has_tools: bool, parallel: bool) {
        let mode = match self {
            Self::OpenAi(choice) => &choice.mode,
            Self::Native(raw) => return write_native(out, raw, parallel),
        };
        let (kind, name) = match mode {
            // Anthropic refuses a choice without tools; these say nothing then.
            Mode::Absent | Mode::Auto | Mode::None if !has_tools => return,
            Mode::Absent if parallel => return,
            Mode::Absent | Mode::Auto => ("auto", None),
            Mode::Required => ("any", None),
            Mode::None => ("none", None),
            Mode::Function(name) => ("tool", Some(name)),
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
