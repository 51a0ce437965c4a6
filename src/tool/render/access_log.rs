//! The access log: one flat JSON object per client request, to each sink.

use serde_json::{Value, json};

use super::{Places, cluster, extension, merge};
use crate::record::table::VERSION;
use crate::record::{FAILED, PROPERTY};
use crate::tool::model::{Gateway, Log, Only, Sink};

/// Name under which the object is an attribute or a member where it is not all that there is.
const MEMBER: &str = "portkey";

/// A record. What Envoy tells stands here if it needs no escapes; the rest is the module's, which
/// is nothing for a request that never came so far.
fn object() -> String {
    format!(
        "{{\"schema\":{VERSION},\"time\":\"%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%\",\"status\":%RESPONSE_CODE%,\
         \"response_flags\":\"%RESPONSE_FLAGS%\",\
         \"attempts\":%UPSTREAM_REQUEST_ATTEMPT_COUNT%,\"duration_ms\":%DURATION%,\
         \"bytes_received\":%BYTES_RECEIVED%,\"bytes_sent\":%BYTES_SENT%\
         %FILTER_STATE(wasm.{PROPERTY}:PLAIN)%}}"
    )
}

/// The access loggers of a connection manager.
pub(super) fn loggers(logs: &[Log]) -> Vec<Value> {
    logs.iter().enumerate().map(|(at, log)| logger(at, log, false)).collect()
}

/// The same, for requests that the gateway role has seen: beside routes that are not ours.
pub(super) fn of_ours(logs: &[Log]) -> Vec<Value> {
    logs.iter().enumerate().map(|(at, log)| logger(at, log, true)).collect()
}

/// The clusters of the servers that get records. They are there before the listeners, which do not
/// change while Envoy runs either.
pub(super) fn clusters(gateway: &Gateway, places: &Places) -> Vec<Value> {
    let servers = gateway.logs.iter().enumerate().filter_map(|(at, log)| {
        let url = log.sink.server()?;
        let server = cluster::of_server(&name(at), url, Vec::new(), gateway, places);
        let grpc = matches!(log.sink, Sink::OpenTelemetry { http: false, .. } | Sink::Grpc { .. });
        Some(if grpc { cluster::with_http2(server) } else { server })
    });
    servers.collect()
}

/// Cluster of the sink that stands there in the list.
fn name(at: usize) -> String {
    format!("log.{at}")
}

fn logger(at: usize, log: &Log, beside_others: bool) -> Value {
    // Without the module's part the object is none where Envoy writes a dash for it.
    let ours = beside_others || log.sink.server().is_some();
    let seen = ours.then(|| has_property(PROPERTY));
    let only = log.only.as_ref().map(|only| any_of(at, only));
    let filter = match (seen, only) {
        (Some(seen), Some(only)) => json!({ "and_filter": { "filters": [seen, only] } }),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => return sink(at, &log.sink),
    };
    merge(sink(at, &log.sink), json!({ "filter": filter }))
}

/// Requests to which one of these applies.
fn any_of(at: usize, only: &Only) -> Value {
    let key = |name: &str| format!("portkey.logs.{at}.{name}");
    let at_least = |value: u64, name: &str| {
        json!({ "comparison": {
            "op": "GE",
            "value": { "default_value": value, "runtime_key": key(name) },
        } })
    };
    let mut filters = Vec::new();
    if only.errors {
        filters.push(json!({ "status_code_filter": at_least(400, "status") }));
        filters.push(json!({ "response_flag_filter": {} }));
        filters.push(has_property(FAILED));
    }
    filters.extend(
        only.slower_than.map(|ms| json!({ "duration_filter": at_least(ms, "slower_than") })),
    );
    filters.extend(only.sample.map(|thousandths| {
        json!({ "runtime_filter": {
            "runtime_key": key("sample"),
            "percent_sampled": { "numerator": thousandths * 10, "denominator": "MILLION" },
            "use_independent_randomness": true,
        } })
    }));
    match filters.as_slice() {
        [one] => one.clone(),
        _ => json!({ "or_filter": { "filters": filters } }),
    }
}

fn has_property(name: &str) -> Value {
    json!({ "extension_filter": extension(
        "envoy.access_loggers.extension_filters.cel",
        "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
        json!({ "expression": format!("'wasm.{name}' in filter_state") }),
    ) })
}

fn sink(at: usize, sink: &Sink) -> Value {
    let lines = json!({
        "text_format_source": { "inline_string": format!("{}\n", object()) },
        "omit_empty_values": true,
    });
    let grpc = json!({ "envoy_grpc": { "cluster_name": name(at) }, "timeout": "5s" });
    match sink {
        Sink::File(path) => extension(
            "envoy.access_loggers.file",
            "envoy.extensions.access_loggers.file.v3.FileAccessLog",
            json!({ "path": path, "log_format": lines }),
        ),
        Sink::Stdout => extension(
            "envoy.access_loggers.stdout",
            "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            json!({ "log_format": lines }),
        ),
        Sink::OpenTelemetry { url, http } => {
            let uri = format!("http://{}{}", url.authority(), url.path);
            let uri = json!({ "uri": uri, "cluster": name(at), "timeout": "5s" });
            let way = match http {
                true => json!({ "http_service": { "http_uri": uri } }),
                false => json!({ "grpc_service": grpc }),
            };
            let service = json!([{ "key": "service.name", "value": { "string_value": MEMBER } }]);
            let record = json!({
                "log_name": MEMBER,
                "stat_prefix": name(at),
                "body": { "string_value": object() },
                "resource_attributes": { "values": service },
            });
            extension(
                "envoy.access_loggers.open_telemetry",
                "envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig",
                merge(record, way),
            )
        }
        Sink::Grpc { name, .. } => {
            let tag = json!({ "tag": MEMBER, "value": object() });
            extension(
                "envoy.access_loggers.http_grpc",
                "envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig",
                json!({ "common_config": {
                    "log_name": name,
                    "grpc_service": grpc,
                    "transport_api_version": "V3",
                    "custom_tags": [tag],
                } }),
            )
        }
        Sink::Fluentd { tag, .. } => extension(
            "envoy.access_loggers.fluentd",
            "envoy.extensions.access_loggers.fluentd.v3.FluentdAccessLogConfig",
            json!({
                "cluster": name(at),
                "tag": tag,
                "stat_prefix": name(at),
                "record": { MEMBER: object() },
            }),
        ),
    }
}
