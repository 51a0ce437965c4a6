//! Fields of chat completion requests: how they are read, and the errors that name them.

use crate::error::Error;
use crate::json::Object;

/// The members of a request's body.
///
/// # Errors
/// It is no JSON object, or has a member twice.
pub(crate) fn parse(body: &[u8]) -> Result<Object<'_>, Error> {
    Object::parse(body).map_err(|error| {
        Error::invalid("invalid_json", format!("the request body is not usable: {error}"))
    })
}

/// A member that is there and not null: OpenAI's clients send null for what is unset.
pub(crate) fn present<'a>(request: &'a Object<'_>, key: &str) -> Option<&'a str> {
    request.get(key).filter(|value| *value != "null")
}

/// The first of a field's names that is [`present`]; the others say nothing beside it.
pub(super) fn first<'a>(request: &'a Object<'_>, names: &[&str]) -> Option<&'a str> {
    names.iter().rev().fold(None, |found, name| present(request, name).or(found))
}

/// The same error, with `parent` before the path of the field at fault.
pub(crate) fn under(mut error: Error, parent: &str) -> Error {
    error.param = Some(match error.param {
        None => parent.into(),
        Some(path) if path.starts_with('[') => [parent, &path].concat().into(),
        Some(path) => [parent, ".", &path].concat().into(),
    });
    error
}

/// A 400 for a field that is missing; codes of errors are OpenAI's.
pub(crate) fn missing(field: &str) -> Error {
    let message = ["a required field is missing: ", field].concat();
    Error::invalid("missing_required_parameter", message).with_param(field)
}

/// A 400 for a field of a wrong type.
pub(crate) fn wrong_type(field: &str, expected: &str) -> Error {
    let message = ["the field ", field, " must be ", expected].concat();
    Error::invalid("invalid_type", message).with_param(field)
}
