//! The access log: one flat JSON object per client request.

use serde_json::{Map, Value, json};

use super::{extension, merge};
use crate::record::{FIELDS, PROPERTY};
use crate::tool::model::Log;

/// What Envoy tells: name and command operator.
const FROM_ENVOY: [(&str, &str); 10] = [
    ("time", "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%"),
    ("cluster", "%UPSTREAM_CLUSTER%"),
    ("status", "%RESPONSE_CODE%"),
    ("response_flags", "%RESPONSE_FLAGS%"),
    ("response_code_details", "%RESPONSE_CODE_DETAILS%"),
    ("attempts", "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"),
    ("duration_ms", "%DURATION%"),
    ("time_to_first_byte_ms", "%RESPONSE_DURATION%"),
    ("bytes_received", "%BYTES_RECEIVED%"),
    ("bytes_sent", "%BYTES_SENT%"),
];

/// The access loggers of a connection manager.
pub(super) fn loggers(logs: &[Log]) -> Vec<Value> {
    logs.iter().map(logger).collect()
}

/// The same, for requests that the gateway role has seen: beside routes that are not ours.
pub(super) fn of_ours(logs: &[Log]) -> Vec<Value> {
    let seen = json!({ "expression": format!("'wasm.{PROPERTY}' in filter_state") });
    let filter = extension(
        "envoy.access_loggers.extension_filters.cel",
        "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
        seen,
    );
    let filter = json!({ "filter": { "extension_filter": filter } });
    loggers(logs).into_iter().map(|logger| merge(logger, filter.clone())).collect()
}

fn logger(log: &Log) -> Value {
    let format = json!({ "json_format": format() });
    match log {
        Log::File(path) => extension(
            "envoy.access_loggers.file",
            "envoy.extensions.access_loggers.file.v3.FileAccessLog",
            json!({ "path": path, "log_format": format }),
        ),
        Log::Stdout => extension(
            "envoy.access_loggers.stdout",
            "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            json!({ "log_format": format }),
        ),
    }
}

fn format() -> Map<String, Value> {
    let module = FIELDS.iter().map(|name| {
        let operator = format!("%TYPED_CEL(filter_state['wasm.{PROPERTY}'].{name})%");
        ((*name).to_owned(), operator.into())
    });
    let envoy = FROM_ENVOY.iter().map(|(name, operator)| ((*name).to_owned(), (*operator).into()));
    module.chain(envoy).collect()
}
