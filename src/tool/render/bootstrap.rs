//! The bootstrap: what needs a restart to change.

use serde_json::{Value, json};

use super::{CLUSTERS, Places, extension, fragments, internal, listener, relay, stats};
use crate::tool::model::{Gateway, Limits};

/// Shares of `limits.memory` at which Envoy saves, and at which it refuses requests.
const TIGHT: f64 = 0.90;
const FULL: f64 = 0.95;

/// The whole bootstrap.
pub(super) fn config(gateway: &Gateway, places: &Places) -> Value {
    let (host, port) = (gateway.admin.ip().to_string(), gateway.admin.port());
    let mut listeners = listener::listeners(gateway, places);
    listeners.push(internal::gateway(gateway, places));
    listeners.extend(internal_listeners(places));
    json!({
        "node": { "id": "portkey-envoy", "cluster": "portkey-envoy" },
        "admin": {
            "address": super::socket_address(&host, port),
            // Or nobody could look at a gateway that has all the clients that it takes.
            "ignore_global_conn_limit": true,
        },
        "bootstrap_extensions": extensions(),
        "stats_config": stats::config(gateway),
        "dynamic_resources": { "cds_config": places.source(CLUSTERS) },
        "static_resources": {
            "clusters": fragments::static_clusters(gateway, places),
            "listeners": listeners,
        },
        "layered_runtime": { "layers": [{ "name": "admin", "admin_layer": {} }] },
        "overload_manager": overload_manager(&gateway.limits),
    })
}

/// What happens before the machine has no memory or descriptors left. The memory of the VMs is not
/// Envoy's own and does not count.
fn overload_manager(limits: &Limits) -> Value {
    const HEAP: &str = "envoy.resource_monitors.fixed_heap";
    let action = |name: &str, share: f64| {
        json!({
            "name": format!("envoy.overload_actions.{name}"),
            "triggers": [{ "name": HEAP, "threshold": { "value": share } }],
        })
    };
    json!({
        "refresh_interval": "0.25s",
        "resource_monitors": [
            extension(
                "envoy.resource_monitors.global_downstream_max_connections",
                "envoy.extensions.resource_monitors.downstream_connections.v3.\
                 DownstreamConnectionsConfig",
                json!({ "max_active_downstream_connections": limits.connections }),
            ),
            extension(
                HEAP,
                "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                json!({ "max_heap_size_bytes": limits.memory }),
            ),
        ],
        "actions": [
            action("shrink_heap", TIGHT),
            action("disable_http_keepalive", TIGHT),
            action("stop_accepting_requests", FULL),
        ],
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
