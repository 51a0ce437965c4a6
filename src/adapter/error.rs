//! Errors in the shape of Anthropic's API (<https://docs.anthropic.com/en/api/errors>).

use crate::dialect::raw::{object, text, write_member};
use crate::dialect::status_of;
use serde_json::value::RawValue;
use std::borrow::Cow;

members! {
    /// An error body in OpenAI's shape, which is what dialects and the gateway write.
    #[derive(Default)]
    struct Body<'a> {
        error: Option<&'a RawValue>,
    }

    #[derive(Default)]
    struct Detail<'a> {
        message: Option<&'a RawValue>,
        kind: Option<&'a RawValue> = "type",
    }
}

/// `{"type":"error","error":{"type","message"}}`. Any bytes are taken.
pub(super) fn in_anthropics_shape(status: u16, body: &[u8]) -> Vec<u8> {
    let body: Body<'_> = std::str::from_utf8(body).ok().and_then(object).unwrap_or_default();
    let mut out = Vec::with_capacity(256);
    out.push(b'{');
    write_members(&mut out, body.error, status);
    out.push(b'}');
    out
}

/// Appends the same for the `error` of a chunk, which has no status.
pub(super) fn write_chunk(out: &mut Vec<u8>, error: &RawValue) {
    let detail: Detail<'_> = object(error.get()).unwrap_or_default();
    let kind = detail.kind.and_then(text);
    write_members(out, Some(error), status_of(kind.as_deref().unwrap_or_default()));
}

/// Appends `"type":"error","error":{...}` for the `error` of a body.
fn write_members(out: &mut Vec<u8>, error: Option<&RawValue>, status: u16) {
    let detail: Detail<'_> = error.and_then(|raw| object(raw.get())).unwrap_or_default();
    let message = detail.message.or(error).and_then(text);
    write_failure(out, kind(detail.kind, status), &message.unwrap_or(Cow::Borrowed(UNKNOWN)));
}

/// The same for a type and a message of ours.
pub(super) fn write_failure(out: &mut Vec<u8>, kind: &str, message: &str) {
    write_member(out, "type", "error");
    out.extend_from_slice(b",\"error\":{");
    write_member(out, "type", kind);
    write_member(out, "message", message);
    out.push(b'}');
}

pub(super) const UNKNOWN: &str = "unknown error";

/// Anthropic's type: by the status, or the provider's own where that says more.
fn kind(own: Option<&RawValue>, status: u16) -> &'static str {
    let own = own.and_then(text);
    match (of_status(status), own.as_deref()) {
        ("invalid_request_error" | "api_error", Some("overloaded_error")) => "overloaded_error",
        ("invalid_request_error" | "api_error", Some("timeout_error")) => "timeout_error",
        (kind, _) => kind,
    }
}

/// The type of errors with a status.
fn of_status(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        408 | 504 => "timeout_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_a_type_of_anthropics() {
        for (status, body, kind, message) in [
            (429, r#"{"error":{"message":"m","type":"tokens"}}"#, "rate_limit_error", "m"),
            (
                529,
                r#"{"error":{"message":"m","type":"overloaded_error"}}"#,
                "overloaded_error",
                "m",
            ),
            (500, r#"{"error":{"message":"m","type":null}}"#, "api_error", "m"),
            (
                401,
                r#"{"error":{"message":"m","type":"invalid_request_error"}}"#,
                "authentication_error",
                "m",
            ),
            (418, r#"{"error":"m"}"#, "invalid_request_error", "m"),
            (408, r#"{"error":{"message":"m","type":"timeout_error"}}"#, "timeout_error", "m"),
            (502, "<html>", "api_error", UNKNOWN),
        ] {
            let shaped = in_anthropics_shape(status, body.as_bytes());
            let expected = serde_json::json!(
                {"type": "error", "error": {"type": kind, "message": message}}
            );
            assert_eq!(serde_json::from_slice::<serde_json::Value>(&shaped).unwrap(), expected);
        }
    }
}
