//! The access log: one flat JSON object per client request, a line each.

use serde_json::{Value, json};

use super::{extension, merge};
use crate::record::PROPERTY;
use crate::record::table::VERSION;
use crate::tool::model::Log;

/// A line. What Envoy tells stands here if it needs no escapes; the rest is the module's, which is
/// nothing for a request that never came so far.
fn line() -> String {
    format!(
        "{{\"schema\":{VERSION},\"time\":\"%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%\",\"status\":%RESPONSE_CODE%,\
         \"response_flags\":\"%RESPONSE_FLAGS%\",\
         \"attempts\":%UPSTREAM_REQUEST_ATTEMPT_COUNT%,\"duration_ms\":%DURATION%,\
         \"bytes_received\":%BYTES_RECEIVED%,\"bytes_sent\":%BYTES_SENT%\
         %FILTER_STATE(wasm.{PROPERTY}:PLAIN)%}}\n"
    )
}

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
    let format = json!({
        "text_format_source": { "inline_string": line() },
        "omit_empty_values": true,
    });
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
