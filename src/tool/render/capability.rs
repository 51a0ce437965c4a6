//! What the module may ask of Envoy, and be asked: functions of the proxy-wasm ABI and of WASI.

use serde_json::{Map, Value, json};

/// All that the module uses; a test compares the list with the built module's.
const ALLOWED: [&str; 44] = [
    // Envoy's, which src/host/abi.rs and the SDK's dispatcher call.
    "proxy_add_header_map_value",
    "proxy_call_foreign_function",
    "proxy_close_stream",
    "proxy_continue_stream",
    "proxy_define_metric",
    "proxy_get_buffer_bytes",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_pairs",
    "proxy_get_log_level",
    "proxy_get_metric",
    "proxy_get_property",
    "proxy_get_shared_data",
    "proxy_http_call",
    "proxy_increment_metric",
    "proxy_log",
    "proxy_record_metric",
    "proxy_remove_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_send_local_response",
    "proxy_set_buffer_bytes",
    "proxy_set_effective_context",
    "proxy_set_header_map_pairs",
    "proxy_set_property",
    "proxy_set_shared_data",
    "proxy_set_tick_period_milliseconds",
    // WASI's, which Rust's standard library calls: no files, no sockets.
    "environ_get",
    "environ_sizes_get",
    "fd_write",
    "proc_exit",
    "random_get",
    // The module's, which Envoy calls.
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_done",
    "proxy_on_http_call_response",
    "proxy_on_log",
    "proxy_on_request_body",
    "proxy_on_request_headers",
    "proxy_on_request_trailers",
    "proxy_on_response_body",
    "proxy_on_response_headers",
    "proxy_on_response_trailers",
    "proxy_on_tick",
    "proxy_on_vm_start",
];

/// The restriction, as a part of a plugin's configuration.
pub(super) fn restriction() -> Value {
    let allowed: Map<String, Value> =
        ALLOWED.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
    json!({ "capability_restriction_config": { "allowed_capabilities": allowed } })
}
