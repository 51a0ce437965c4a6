//! The access log: one flat JSON object per client request, a line each.

use serde_json::{Value, json};

use super::extension;
use crate::record::PROPERTY;
use crate::tool::model::Log;

/// A line. What Envoy tells stands here if it needs no escapes; the rest is the module's, which is
/// nothing for a request that never came so far.
fn line() -> String {
    format!(
        "{{\"time\":\"%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%\",\"status\":%RESPONSE_CODE%,\
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
