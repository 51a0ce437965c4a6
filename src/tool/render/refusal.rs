//! What Envoy answers before any filter has seen the request: in the shape of all other errors.

use serde_json::{Value, json};

use super::extension;
use crate::error::Error;

/// Such answers, by what Envoy says of them. The module's own and those that it turns into errors
/// must pass as they are.
const BEFORE_FILTERS: &str = "response.code_details.startsWith('http1.') \
     || response.code_details.startsWith('http2.') \
     || response.code_details.startsWith('http3.') \
     || response.code_details in ['absolute_path_rejected', 'low_version', \
        'missing_host_header', 'missing_path_rejected', 'overload', \
        'path_normalization_failed', 'request_header_timeout']";

/// The rules, as a field of a connection manager.
pub(super) fn rules() -> Value {
    let errors = [
        Error::client(408, "request_stalled", "The request was not sent in time"),
        Error::client(
            431,
            "headers_too_large",
            "The request has too many headers, or too long ones",
        ),
        Error::gateway("overloaded", "The gateway is overloaded").with_status(503),
    ];
    let rest = Error::invalid("invalid_request", "The request is not valid HTTP");
    let mut rules: Vec<Value> =
        errors.iter().map(|error| rule(error, Some(error.status))).collect();
    rules.push(rule(&rest, None));
    json!({ "local_reply_config": { "mappers": rules } })
}

/// Puts the error into the place of Envoy's text, where the answer has that status.
fn rule(error: &Error, status: Option<u16>) -> Value {
    let matching = status.map(|status| format!("response.code == {status} && "));
    let expression = format!("{}({BEFORE_FILTERS})", matching.unwrap_or_default());
    let filter = extension(
        "envoy.access_loggers.extension_filters.cel",
        "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
        json!({ "expression": expression }),
    );
    json!({
        "filter": { "extension_filter": filter },
        "body_format_override": {
            "text_format_source": { "inline_string": String::from_utf8_lossy(&error.body()) },
            "content_type": "application/json",
        },
    })
}
