//! Anthropic's Messages API (<https://docs.anthropic.com/en/api/messages>).

mod content;
mod event;
mod media;
mod messages;
mod output;
pub mod request;
pub mod response;
pub mod stream;
mod tool_choice;
mod tools;
mod usage;

use crate::error::Error;

/// The same error, with `parent` before the path of the field at fault.
fn under(mut error: Error, parent: &str) -> Error {
    error.param = Some(match error.param {
        None => parent.into(),
        Some(path) if path.starts_with('[') => [parent, &path].concat().into(),
        Some(path) => [parent, ".", &path].concat().into(),
    });
    error
}

/// A 400 for a field that is missing; codes of errors are OpenAI's.
fn missing(field: &str) -> Error {
    let message = ["a required field is missing: ", field].concat();
    Error::invalid("missing_required_parameter", message).with_param(field)
}

/// A 400 for a field of a wrong type.
fn wrong_type(field: &str, expected: &str) -> Error {
    let message = ["the field ", field, " must be ", expected].concat();
    Error::invalid("invalid_type", message).with_param(field)
}

/// OpenAI's finish reason for a `stop_reason`.
fn finish_reason(stop_reason: &str) -> &'static str {
    match stop_reason {
        "max_tokens" | "model_context_window_exceeded" => "length",
        "tool_use" => "tool_calls",
        "refusal" => "content_filter",
        // end_turn, stop_sequence, pause_turn, and reasons that are not known yet.
        _ => "stop",
    }
}
