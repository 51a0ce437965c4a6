//! A client's choice among tools.

use super::raw::{array, object, string, text};
use crate::error::Error;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashSet;

/// What the client says of tools in its `tool_choice`.
#[derive(Debug, Default)]
pub(super) struct ToolChoice<'a> {
    pub(super) mode: Mode<'a>,
    /// Names of the functions that may be called, if not all.
    pub(super) allowed: Option<HashSet<String>>,
}

#[derive(Debug, Default)]
pub(super) enum Mode<'a> {
    /// The client said nothing.
    #[default]
    Absent,
    Auto,
    Required,
    None,
    /// The function of this name and no other.
    Function(Cow<'a, str>),
}

members! {
    struct RawChoice<'a> {
        kind: Option<&'a RawValue> = "type",
        function: Option<&'a RawValue>,
        allowed_tools: Option<&'a RawValue>,
    }

    struct AllowedTools<'a> {
        mode: Option<&'a RawValue>,
        tools: Option<&'a RawValue>,
    }

    struct Tool<'a> {
        function: Option<&'a RawValue>,
    }

    struct Function<'a> {
        name: Option<&'a RawValue>,
    }
}

impl<'a> ToolChoice<'a> {
    /// Reads a `tool_choice` in all of OpenAI's forms.
    ///
    /// # Errors
    /// Every other value.
    pub(super) fn parse(raw: &'a str) -> Result<Self, Error> {
        Self::read(raw).ok_or_else(|| {
            let message =
                "tool_choice must be none, auto, required, or an object that names functions";
            Error::invalid("invalid_value", message).with_param("tool_choice")
        })
    }

    fn read(raw: &'a str) -> Option<Self> {
        if let Some(word) = string(raw) {
            return Some(Self { mode: Mode::parse(&word)?, allowed: None });
        }
        let choice: RawChoice<'_> = object(raw)?;
        match choice.kind.and_then(text)?.as_ref() {
            "function" => {
                let name = function_name(choice.function?)?;
                Some(Self { mode: Mode::Function(name), allowed: None })
            }
            "allowed_tools" => {
                let tools: AllowedTools<'_> = object(choice.allowed_tools?.get())?;
                let mode = Mode::parse(&tools.mode.and_then(text)?)?;
                let mut allowed = HashSet::new();
                for raw in array(tools.tools?.get())? {
                    let tool: Tool<'_> = object(raw.get())?;
                    allowed.insert(function_name(tool.function?)?.into_owned());
                }
                Some(Self { mode, allowed: Some(allowed) })
            }
            _ => None,
        }
    }
}

impl Mode<'_> {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "auto" => Some(Self::Auto),
            // Anthropic's and Gemini's word for it.
            "required" | "any" => Some(Self::Required),
            "none" => Some(Self::None),
            _ => None,
        }
    }
}

fn function_name(function: &RawValue) -> Option<Cow<'_, str>> {
    let function: Function<'_> = object(function.get())?;
    function.name.and_then(text)
}
