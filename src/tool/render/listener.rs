//! The listener that clients connect to.

use serde_json::{Value, json};

use super::{
    PRIVATE_HEADERS, Places, access_log, duration, early_mutation, extension, filters, merge,
    plugin, route,
};
use crate::config::settings::Role;
use crate::tool::model::Gateway;

const NAME: &str = "portkey";
/// A config object may travel in a header.
const MAX_HEADERS_KIB: u32 = 256;
/// The value of the header `upgrade`.
pub(super) const WEBSOCKET: &str = "websocket";

/// The listener.
pub(super) fn listener(gateway: &Gateway, places: &Places) -> Value {
    let (host, port) = (gateway.listen.ip().to_string(), gateway.listen.port());
    json!({
        "name": NAME,
        "address": super::socket_address(&host, port),
        "filter_chains": [{ "filters": [connection_manager(manager(gateway, places))] }],
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
    let ours = json!({
        "http_filters": [plugin::filter(Role::Gateway, places), router()],
        "access_log": access_log::loggers(&gateway.logs),
    });
    let ours = merge(ours, routes(places));
    let manager = merge(json!({ "stat_prefix": NAME, "codec_type": "AUTO" }), options(gateway));
    merge(merge(manager, upgrades()), ours)
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
