//! The bootstrap: what needs a restart to change.

use serde_json::{Value, json};

use super::{CLUSTERS, Places, extension, internal, listener, relay, source};
use crate::tool::model::Gateway;

/// Far above what one machine serves; Envoy warns when there is no limit.
const MAX_CONNECTIONS: u32 = 50_000;

/// The whole bootstrap.
pub(super) fn config(gateway: &Gateway, places: &Places) -> Value {
    let (host, port) = (gateway.admin.ip().to_string(), gateway.admin.port());
    json!({
        "node": { "id": "portkey-envoy", "cluster": "portkey-envoy" },
        "admin": { "address": super::socket_address(&host, port) },
        "bootstrap_extensions": [extension(
            "envoy.bootstrap.internal_listener",
            "envoy.extensions.bootstrap.internal_listener.v3.InternalListener",
            json!({}),
        )],
        "dynamic_resources": { "cds_config": source(&places.directory, CLUSTERS) },
        "static_resources": {
            "listeners": [
                listener::listener(gateway, places),
                internal::demo(),
                internal::stop(),
                internal::timer(),
                relay::hop(),
                relay::custom(places),
                relay::resolve_on_use(),
            ],
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
