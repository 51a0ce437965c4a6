//! The bootstrap: what needs a restart to change.

use serde_json::{Value, json};

use super::{CLUSTERS, Places, extension, internal, listener, relay, stats};
use crate::tool::model::Gateway;

/// Far above what one machine serves; Envoy warns when there is no limit.
const MAX_CONNECTIONS: u32 = 50_000;

/// The whole bootstrap.
pub(super) fn config(gateway: &Gateway, places: &Places) -> Value {
    let (host, port) = (gateway.admin.ip().to_string(), gateway.admin.port());
    let mut listeners = vec![listener::listener(gateway, places)];
    listeners.push(internal::gateway(gateway, places));
    listeners.extend(internal_listeners(places));
    json!({
        "node": { "id": "portkey-envoy", "cluster": "portkey-envoy" },
        "admin": { "address": super::socket_address(&host, port) },
        "bootstrap_extensions": extensions(),
        "stats_config": stats::config(gateway),
        "dynamic_resources": { "cds_config": places.source(CLUSTERS) },
        "static_resources": {
            "listeners": listeners,
        },
        "layered_runtime": { "layers": [{ "name": "admin", "admin_layer": {} }] },
        "overload_manager": { "resource_monitors": [extension(
            "envoy.resource_monitors.global_downstream_max_connections",
            "envoy.extensions.resource_monitors.downstream_connections.v3.\
             DownstreamConnectionsConfig",
            json!({ "max_active_downstream_connections": MAX_CONNECTIONS }),
        )] },
    })
}

/// What must be in the bootstrap for listeners inside Envoy.
pub(super) fn extensions() -> Value {
    json!([extension(
        "envoy.bootstrap.internal_listener",
        "envoy.extensions.bootstrap.internal_listener.v3.InternalListener",
        json!({}),
    )])
}

/// The listeners inside Envoy.
pub(super) fn internal_listeners(places: &Places) -> Vec<Value> {
    let mut listeners = internal::listeners();
    listeners.extend([relay::hop(), relay::custom(places), relay::resolve_on_use()]);
    listeners
}
