//! The listener that clients connect to.

use serde_json::{Value, json};

use super::{
    PRIVATE_HEADERS, Places, access_log, callers, duration, early_mutation, extension, filters,
    merge, plugin, refusal, route, tls,
};
use crate::config::settings::Role;
use crate::tool::model::Gateway;

const NAME: &str = "portkey";
/// A config object may travel in a header.
const MAX_HEADERS_KIB: u32 = 256;
/// Clients send some dozens.
const MAX_HEADERS: u32 = 100;
/// Of a connection, in either direction, before its reader or writer waits. Bodies that are read as
/// a whole have a limit of their own.
const CONNECTION_BUFFER: u32 = 1 << 20;
/// What a client may send of one request, and of all on its connection, before we have read it.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// A connection without a request.
const IDLE_CONNECTION: &str = "3600s";
/// The value of the header `upgrade`.
pub(super) const WEBSOCKET: &str = "websocket";

/// The listener, and beside it the one for HTTP/3.
pub(super) fn listeners(gateway: &Gateway, places: &Places) -> Vec<Value> {
    let (host, port) = (gateway.listen.ip().to_string(), gateway.listen.port());
    let transport = gateway.tls.as_ref().map_or(json!({}), |tls| tls::over_tcp(tls, places));
    let manager = manager(gateway, places);
    let over_tcp = merge(json!({ "filters": [connection_manager(manager.clone())] }), transport);
    let mut listeners = vec![json!({
        "name": NAME,
        "address": super::socket_address(&host, port),
        "per_connection_buffer_limit_bytes": CONNECTION_BUFFER,
        "filter_chains": [over_tcp],
    })];
    if let Some(tls) = gateway.tls.as_ref().filter(|_| gateway.http3) {
        let manager = merge(manager, http3(gateway));
        let chain = json!({ "filters": [connection_manager(manager)] });
        listeners.push(json!({
            "name": format!("{NAME}.http3"),
            "address": { "socket_address": {
                "protocol": "UDP", "address": host, "port_value": port,
            } },
            "udp_listener_config": { "quic_options": {} },
            "filter_chains": [merge(chain, tls::over_quic(tls, places))],
        }));
    }
    listeners
}

/// What one client may have under way, and how much of it is kept for it.
fn http2(gateway: &Gateway) -> Value {
    json!({
        "common_http_protocol_options": {
            "idle_timeout": IDLE_CONNECTION,
            "max_headers_count": MAX_HEADERS,
        },
        "http2_protocol_options": {
            "max_concurrent_streams": gateway.limits.streams,
            "initial_stream_window_size": STREAM_WINDOW,
            "initial_connection_window_size": CONNECTION_WINDOW,
        },
    })
}

/// The same for HTTP/3.
fn http3(gateway: &Gateway) -> Value {
    json!({
        "codec_type": "HTTP3",
        "http3_protocol_options": { "quic_protocol_options": {
            "max_concurrent_streams": gateway.limits.streams,
            "initial_stream_window_size": STREAM_WINDOW,
            "initial_connection_window_size": CONNECTION_WINDOW,
        } },
    })
}

/// Tells clients of the listener for HTTP/3, whatever the answer is.
fn alternative(gateway: &Gateway) -> Option<Value> {
    let value = format!("h3=\":{}\"; ma=86400", gateway.listen.port());
    gateway.http3.then(|| {
        filters::header_mutation(json!({
            "response_mutations": [{ "append": super::set("alt-svc", &value) }],
        }))
    })
}

/// The network filter that speaks HTTP.
pub(super) fn connection_manager(config: Value) -> Value {
    extension(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        config,
    )
}

/// The HTTP filter that ends each chain.
pub(super) fn router() -> Value {
    extension(
        "envoy.filters.http.router",
        "envoy.extensions.filters.http.router.v3.Router",
        json!({ "suppress_envoy_headers": true }),
    )
}

/// The routes of clients' requests, as a field of a connection manager.
pub(super) fn routes(places: &Places) -> Value {
    json!({ "rds": {
        "route_config_name": route::NAME,
        "config_source": places.source(super::ROUTES),
    } })
}

fn manager(gateway: &Gateway, places: &Places) -> Value {
    let before = alternative(gateway).into_iter();
    let ours = self::filters(gateway, places);
    let filters: Vec<Value> = before.chain(ours).chain([router()]).collect();
    let ours = json!({
        "http_filters": filters,
        "access_log": access_log::loggers(&gateway.logs),
    });
    let ours = merge(ours, routes(places));
    let manager = merge(json!({ "stat_prefix": NAME, "codec_type": "AUTO" }), options(gateway));
    merge(merge(merge(merge(manager, upgrades()), http2(gateway)), refusal::rules()), ours)
}

/// The filters of clients' requests, before the router.
pub(super) fn filters(gateway: &Gateway, places: &Places) -> Vec<Value> {
    let others = callers::filters(gateway);
    let chosen = |before: bool| {
        let others = others.iter().filter(move |filter| filter.before == before);
        others.map(|filter| filter.in_chain(places))
    };
    let ours = chosen(true).chain([plugin::filter(Role::Gateway, places)]);
    ours.chain(chosen(false)).collect()
}

/// WebSockets. Istio's connection managers have them of themselves, and Envoy takes no kind twice.
pub(super) fn upgrades() -> Value {
    json!({ "upgrade_configs": [{ "upgrade_type": WEBSOCKET }] })
}

/// What the connection manager needs in front of the gateway role, wherever that runs.
pub(super) fn options(gateway: &Gateway) -> Value {
    json!({
        "use_remote_address": true,
        "server_header_transformation": "PASS_THROUGH",
        // `:scheme` follows the provider's connection, not the client's.
        "scheme_header_transformation": { "match_upstream": true },
        "early_header_mutation_extensions": [strip_private_headers()],
        "max_request_headers_kb": MAX_HEADERS_KIB,
        "stream_idle_timeout": duration(gateway.limits.idle_timeout),
        "request_headers_timeout": "10s",
        "normalize_path": true,
        "merge_slashes": false,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
    })
}

/// Clients must not steer what only the module may.
fn strip_private_headers() -> Value {
    let mut mutations = vec![filters::remove_all("x-envoy-")];
    mutations.extend(PRIVATE_HEADERS.iter().map(|name| filters::remove(name)));
    early_mutation(mutations)
}
