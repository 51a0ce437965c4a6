//! What providers answer when they fail, in OpenAI's shape. Takes any bytes: JSON of several
//! shapes, HTML, nothing at all, invalid UTF-8.

use super::raw::{array, inside, object, text, write_line};
use super::{Facts, bounded};
use crate::error::Error;
use crate::json::write_string;
use crate::provider::find;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Longest excerpt of a body that a message quotes, in characters.
const EXCERPT: usize = 200;

/// Type in the log of an error that has none of its own.
const UNTYPED: &str = "upstream_error";

members! {
    /// The top level of an error body; which members are there depends on the provider.
    #[derive(Default)]
    struct Body<'a> {
        /// An object, or the message itself.
        error: Option<&'a RawValue>,
        /// Without `error`, the top level is the error object.
        message: Option<&'a RawValue>,
        detail: Option<&'a RawValue>,
        kind: Option<&'a RawValue> = "type",
        param: Option<&'a RawValue>,
        code: Option<&'a RawValue>,
        /// What API gateways of Apigee's kind have instead of all these.
        fault: Option<&'a RawValue>,
    }
}

/// A provider's error; members but the message are raw JSON.
struct Failure<'a> {
    message: Cow<'a, str>,
    kind: Option<&'a RawValue>,
    param: Option<&'a RawValue>,
    code: Option<&'a RawValue>,
}

impl<'a> Failure<'a> {
    fn parse(body: &'a str) -> Option<Self> {
        let body: Body<'_> = object(body.trim_start())?;
        if let Some(fault) = body.fault {
            return Self::fault(fault);
        }
        let detail = match body.error {
            None => body,
            Some(error) => match text(error) {
                Some(message) => {
                    return Some(Self { message, kind: None, param: None, code: None });
                }
                None => object(error.get())?,
            },
        };
        let raw = detail.message.or(detail.detail)?;
        let (message, kind) = match text(raw) {
            Some(message) => (message, detail.kind),
            None => {
                let (message, kind) = complaint(raw)?;
                (Cow::Owned(message), detail.kind.or(kind))
            }
        };
        Some(Self { message, kind, param: detail.param, code: detail.code })
    }

    /// <https://cloud.google.com/apigee/docs/api-platform/troubleshoot/fault-handling>
    fn fault(raw: &'a RawValue) -> Option<Self> {
        members! {
            struct Fault<'a> {
                text: &'a RawValue = "faultstring",
                detail: Option<&'a RawValue>,
            }

            struct Code<'a> {
                code: &'a RawValue = "errorcode",
            }
        }
        let fault: Fault<'_> = object(raw.get())?;
        let code = fault.detail.and_then(|detail| object(detail.get()));
        let code = code.map(|detail: Code<'_>| detail.code);
        Some(Self { message: text(fault.text)?, kind: None, param: None, code })
    }
}

/// The first complaint of a validator, as `where: what`, and its type. Many servers in Python have
/// a list of them for `detail`; Mistral has an object with that for `message`.
fn complaint(raw: &RawValue) -> Option<(String, Option<&RawValue>)> {
    members! {
        #[derive(Default)]
        struct Nested<'a> {
            detail: Option<&'a RawValue>,
        }
    }
    members! {
        struct Complaint<'a> {
            loc: Option<Vec<&'a RawValue>>,
            msg: Cow<'a, str>,
            kind: Option<&'a RawValue> = "type",
        }
    }
    let nested: Option<Nested<'_>> = object(raw.get());
    let list = array(nested.and_then(|nested| nested.detail).unwrap_or(raw).get())?;
    let first: Complaint<'_> = object(list.first()?.get())?;
    let place: Vec<&str> =
        first.loc.iter().flatten().map(|at| inside(at).unwrap_or(at.get())).collect();
    let message = match place.is_empty() {
        true => first.msg.into_owned(),
        false => [&place.join("."), ": ", &first.msg].concat(),
    };
    Some((message, first.kind))
}

/// An error body in OpenAI's shape.
pub(super) fn translate(status: u16, body: &[u8], provider: &str, facts: &mut Facts) -> Vec<u8> {
    facts.complete = true;
    let mut out = Vec::with_capacity(body.len().min(4096) + 128);
    match std::str::from_utf8(body).ok().and_then(Failure::parse) {
        Some(failure) => write_failure(&mut out, &failure, provider, facts),
        None => {
            facts.error_type = Some(UNTYPED.to_owned());
            let message = match body.trim_ascii().is_empty() {
                true => format!("{provider} error: empty answer with status {status}"),
                false => invalid(body, provider),
            };
            write(&mut out, &message, [None; 3], provider);
        }
    }
    out
}

/// The error object of a stream's error event, as the data of an event.
///
/// `error` is the raw value of the event's `error` member.
pub(super) fn write_event(
    out: &mut Vec<u8>,
    error: Option<&RawValue>,
    provider: &str,
    facts: &mut Facts,
) {
    let detail: Body<'_> = error.and_then(|raw| object(raw.get())).unwrap_or_default();
    let message = detail.message.or(error).and_then(text).unwrap_or(Cow::Borrowed("unknown error"));
    let failure = Failure { message, kind: detail.kind, param: detail.param, code: detail.code };
    out.extend_from_slice(b"data: ");
    write_failure(out, &failure, provider, facts);
    out.extend_from_slice(b"\n\n");
}

/// The error event of a stream that ended before it was complete.
pub(super) fn write_truncated(out: &mut Vec<u8>, provider: &str, facts: &mut Facts) {
    facts.complete = false;
    facts.error_type = Some(UNTYPED.to_owned());
    let message = [provider, " error: the stream ended before the answer was complete"].concat();
    out.extend_from_slice(b"data: ");
    write(
        out,
        &message,
        [Some("\"upstream_error\""), None, Some("\"stream_truncated\"")],
        provider,
    );
    out.extend_from_slice(b"\n\n");
}

/// The gateway's answer to a body with a success status that is not what was asked for.
pub(super) fn invalid_response(body: &[u8], provider: &str, facts: &mut Facts) -> Error {
    let failure = std::str::from_utf8(body).ok().and_then(Failure::parse);
    let kind = failure.and_then(|failure| failure.kind).and_then(text);
    facts.error_type = Some(kind.map_or_else(|| "invalid_response".to_owned(), bounded));
    Error::provider(502, "invalid_response", invalid(body, provider))
}

/// The status that stands for an error which came as an event of a 200 stream.
pub(crate) fn status_of(error_type: &str) -> u16 {
    match error_type {
        "rate_limit_error"
        | "rate_limit_exceeded"
        | "requests"
        | "tokens"
        | "RESOURCE_EXHAUSTED"
        | "throttlingException"
        | "modelNotReadyException" => 429,
        "invalid_request_error"
        | "content_filter"
        | "INVALID_ARGUMENT"
        | "FAILED_PRECONDITION"
        | "validationException" => 400,
        "authentication_error" | "UNAUTHENTICATED" => 401,
        "permission_error" | "PERMISSION_DENIED" | "accessDeniedException" => 403,
        "not_found_error" | "NOT_FOUND" | "resourceNotFoundException" => 404,
        "request_too_large" => 413,
        "overloaded_error" | "server_overloaded" => 529,
        "api_error"
        | "server_error"
        | "internal_error"
        | "INTERNAL"
        | "internalServerException"
        | "InternalFailure" => 500,
        "UNAVAILABLE" | "serviceUnavailableException" => 503,
        "timeout_error" | "DEADLINE_EXCEEDED" | "modelTimeoutException" => 504,
        _ => 502,
    }
}

/// Whether a body is JSON of any kind.
pub(super) fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

fn write_failure(out: &mut Vec<u8>, failure: &Failure<'_>, provider: &str, facts: &mut Facts) {
    let kind = failure.kind.and_then(text);
    facts.error_type = Some(kind.map_or_else(|| UNTYPED.to_owned(), bounded));
    let message = [provider, " error: ", &failure.message].concat();
    let [kind, param, code] = [failure.kind, failure.param, failure.code].map(raw_text);
    // OpenAI's codes are strings; Google's are numbers, which Portkey passes.
    let number = code.filter(|code| code.starts_with(|first: char| first.is_ascii_digit()));
    let number = number.filter(|_| provider != "google");
    let quoted = number.map(|number| ["\"", number, "\""].concat());
    let untyped = find(provider).and_then(|row| row.error_type);
    let members = [kind.or(untyped), param, quoted.as_deref().or(code)];
    write(out, &message, members, provider);
}

fn raw_text(raw: Option<&RawValue>) -> Option<&str> {
    raw.map(RawValue::get)
}

/// `members` are type, param and code as raw JSON.
fn write(out: &mut Vec<u8>, message: &str, members: [Option<&str>; 3], provider: &str) {
    out.extend_from_slice(b"{\"error\":{\"message\":");
    write_string(out, message);
    for (name, raw) in ["type", "param", "code"].into_iter().zip(members) {
        out.extend_from_slice(b",");
        write_string(out, name);
        out.push(b':');
        write_line(out, raw.unwrap_or("null"));
    }
    out.extend_from_slice(b"},\"provider\":");
    write_string(out, provider);
    out.push(b'}');
}

fn invalid(body: &[u8], provider: &str) -> String {
    let head = body.get(..EXCERPT * 4).unwrap_or(body);
    let excerpt = String::from_utf8_lossy(head);
    let excerpt = excerpt.trim().chars().take(EXCERPT);
    format!("Invalid response received from {provider}: {}", excerpt.collect::<String>())
}
