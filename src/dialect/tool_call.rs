//! A tool call that an assistant's message has: OpenAI's `tool_calls[]`.

use super::field::{missing, under, wrong_type};
use super::raw::{object, text};
use crate::error::Error;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::borrow::Cow;

members! {
    /// A call, with what dialects read beside the function.
    pub(super) struct ToolCall<'a> {
        pub(super) id: Option<&'a RawValue>,
        kind: Option<&'a RawValue> = "type",
        function: Option<&'a RawValue>,
        /// Anthropic's own.
        pub(super) cache_control: Option<&'a RawValue>,
        /// Where Google's own OpenAI endpoint has the thought signature.
        pub(super) extra_content: Option<&'a RawValue>,
    }
}

/// What is called: the `function` of a call, or a message's `function_call`.
pub(super) struct Function<'a> {
    pub(super) name: Cow<'a, str>,
    arguments: Option<&'a RawValue>,
    /// Portkey's own, of Gemini's calls.
    pub(super) thought_signature: Option<&'a RawValue>,
}

members! {
    struct RawFunction<'a> {
        name: Option<&'a RawValue>,
        arguments: Option<&'a RawValue>,
        thought_signature: Option<&'a RawValue>,
    }
}

impl<'a> ToolCall<'a> {
    /// Reads a call; `provider` is who would have to make it.
    ///
    /// # Errors
    /// It is no object, or a call of something else than a function.
    pub(super) fn read(raw: &'a RawValue, provider: &str) -> Result<Self, Error> {
        let Some(call) = object::<Self>(raw.get()) else {
            return Err(Error::invalid("invalid_type", "a tool call must be an object"));
        };
        if call.kind.is_some_and(|kind| text(kind).as_deref() != Some("function")) {
            let message = "only tool calls of type function are supported by ";
            return Err(Error::invalid("unsupported_content", [message, provider].concat())
                .with_param("type"));
        }
        Ok(call)
    }

    /// The function; errors are those of [`Function::read`], below `function`.
    pub(super) fn function(&self) -> Result<Function<'a>, Error> {
        let function = self.function.ok_or_else(|| missing("function"))?;
        Function::read(function).map_err(|error| under(error, "function"))
    }
}

impl<'a> Function<'a> {
    /// # Errors
    /// It is no object, or has no name.
    pub(super) fn read(raw: &'a RawValue) -> Result<Self, Error> {
        let Some(function) = object::<RawFunction<'_>>(raw.get()) else {
            return Err(Error::invalid("invalid_type", "the function must be an object"));
        };
        Ok(Self {
            name: function.name.and_then(text).ok_or_else(|| missing("name"))?,
            arguments: function.arguments,
            thought_signature: function.thought_signature,
        })
    }

    /// The JSON object that the arguments are; no arguments are an empty one.
    ///
    /// # Errors
    /// They are no string, or the string is no JSON object; `param` is `arguments`.
    pub(super) fn arguments(&self) -> Result<Cow<'a, str>, Error> {
        let Some(arguments) = self.arguments else {
            return Ok(Cow::Borrowed("{}"));
        };
        let decoded = text(arguments).ok_or_else(|| wrong_type("arguments", "a string"))?;
        let json = decoded.trim();
        if json.is_empty() {
            return Ok(Cow::Borrowed("{}"));
        }
        if !json.starts_with('{') || serde_json::from_str::<IgnoredAny>(json).is_err() {
            let message = "the arguments of a tool call must be a JSON object";
            return Err(Error::invalid("invalid_value", message).with_param("arguments"));
        }
        Ok(match decoded.len() == json.len() {
            true => decoded,
            false => Cow::Owned(json.to_owned()),
        })
    }
}
