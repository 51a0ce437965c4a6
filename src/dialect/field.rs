//! Fields of chat completion requests: how they are read, and the errors that name them.

use super::raw::text;
use crate::error::Error;
use crate::json::Object;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// A member that is there and not null: OpenAI's clients send null for what is unset.
pub(super) fn present<'a>(request: &'a Object<'_>, key: &str) -> Option<&'a str> {
    request.get(key).filter(|value| *value != "null")
}

/// The same error, with `parent` before the path of the field at fault.
pub(super) fn under(mut error: Error, parent: &str) -> Error {
    error.param = Some(match error.param {
        None => parent.into(),
        Some(path) if path.starts_with('[') => [parent, &path].concat().into(),
        Some(path) => [parent, ".", &path].concat().into(),
    });
    error
}

/// A 400 for a field that is missing; codes of errors are OpenAI's.
pub(super) fn missing(field: &str) -> Error {
    let message = ["a required field is missing: ", field].concat();
    Error::invalid("missing_required_parameter", message).with_param(field)
}

/// A 400 for a field of a wrong type.
pub(super) fn wrong_type(field: &str, expected: &str) -> Error {
    let message = ["the field ", field, " must be ", expected].concat();
    Error::invalid("invalid_type", message).with_param(field)
}

/// Appends the JSON object that a tool call's arguments are; no arguments are an empty one.
///
/// # Errors
/// They are no string, or the string is no JSON object; `param` is `arguments`.
pub(super) fn write_arguments(
    out: &mut Vec<u8>,
    arguments: Option<&RawValue>,
) -> Result<(), Error> {
    let Some(arguments) = arguments else {
        out.extend_from_slice(b"{}");
        return Ok(());
    };
    let decoded = text(arguments).ok_or_else(|| wrong_type("arguments", "a string"))?;
    let json = match decoded.trim() {
        "" => "{}",
        json => json,
    };
    if !json.starts_with('{') || serde_json::from_str::<IgnoredAny>(json).is_err() {
        let message = "the arguments of a tool call must be a JSON object";
        return Err(Error::invalid("invalid_value", message).with_param("arguments"));
    }
    out.extend_from_slice(json.as_bytes());
    Ok(())
}
