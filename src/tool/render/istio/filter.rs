//! The EnvoyFilters of the two roles.
//!
//! Istio merges messages as protobuf does: a list grows, an entry of a map is replaced, and a zero
//! does not replace anything. So retries are off in the VirtualService, instead of here.

use serde_json::{Value, json};

use super::{Mesh, Mode, front};
use crate::config::settings::Role;
use crate::tool::model::{Gateway, Log, Sink};
use crate::tool::render::{
    Places, access_log, cluster, custom, internal, listener, merge, plugin, relay, route,
};
use crate::tool::upstream::{Endpoint, Upstream};

const MANAGER: &str = "envoy.filters.network.http_connection_manager";
const MANAGER_TYPE: &str =
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/// The EnvoyFilter of the gateway role: in front of Istio's router, for the route of the
/// VirtualService.
pub(super) fn gateway(
    gateway: &Gateway,
    mesh: &Mesh,
    upstreams: &[Upstream<'_>],
    places: &Places,
) -> Value {
    let ours = route::among_others(gateway, &[]);
    let filter = merge(plugin::filter(Role::Gateway, places), json!({ "disabled": true }));
    // A container's log is its standard output.
    let stdout = |log: &Log| Log { sink: Sink::Stdout, only: log.only.clone() };
    let logs: Vec<Log> = gateway.logs.first().map(stdout).into_iter().collect();
    let options = json!({ "access_log": access_log::of_ours(&logs) });
    let options = merge(listener::options(gateway), options);
    let manager = json!({
        "name": MANAGER,
        "typed_config": super::super::any(MANAGER_TYPE, options),
    });
    let action = json!({ "route": route::action(gateway, upstreams) });
    let mut patches = vec![
        role(mesh, Role::Gateway, gateway, upstreams, places),
        patch("NETWORK_FILTER", in_listener(mesh, json!({})), "MERGE", manager),
        patch("HTTP_FILTER", in_listener(mesh, before_router()), "INSERT_BEFORE", filter),
        patch("HTTP_ROUTE", in_route(mesh, true), "MERGE", merge(action, ours.clone())),
    ];
    // The last of them comes first in the end.
    let more = std::iter::once(route::single(gateway, upstreams, "/"));
    patches.extend(more.chain(route::splits(gateway, "/")).map(|one| {
        patch("HTTP_ROUTE", in_route(mesh, false), "INSERT_FIRST", merge(one, ours.clone()))
    }));
    envoy_filter(mesh, "portkey-gateway-role", patches)
}

/// The EnvoyFilter of the provider role: a cluster per provider and virtual key, and the listeners
/// inside Envoy.
pub(super) fn provider(
    gateway: &Gateway,
    mesh: &Mesh,
    upstreams: &[Upstream<'_>],
    places: &Places,
) -> Value {
    let mut patches = vec![role(mesh, Role::Provider, gateway, upstreams, places)];
    let clusters = cluster::list(gateway, upstreams, places).into_iter();
    patches.extend(clusters.map(|one| patch("CLUSTER", any(mesh), "ADD", one)));
    let custom = relay::relay(relay::CUSTOM, json!({ "route_config": custom::config(gateway) }));
    let mut listeners = internal::listeners();
    listeners.extend([relay::hop(), custom, to_mesh(upstreams)]);
    patches.extend(listeners.into_iter().map(|one| patch("LISTENER", any(mesh), "ADD", one)));
    envoy_filter(mesh, "portkey-provider-role", patches)
}

/// The way to the clusters that Istio makes of services and ServiceEntries.
fn to_mesh(upstreams: &[Upstream<'_>]) -> Value {
    let mut hosts = serde_json::Map::new();
    for upstream in upstreams {
        if let Endpoint::Mesh(url) = &upstream.endpoint {
            let route = json!({
                "match": { "prefix": "/" },
                "route": { "cluster": format!("outbound|{}||{}", url.port, url.host), "timeout": "0s" },
            });
            let authority = url.authority();
            let host = json!({ "name": authority, "domains": [authority], "routes": [route] });
            hosts.insert(authority, host);
        }
    }
    let hosts: Vec<Value> = hosts.into_iter().map(|(_, host)| host).collect();
    relay::relay(
        relay::MESH,
        json!({ "route_config": {
            "name": relay::MESH,
            // Clusters come after the listeners.
            "validate_clusters": false,
            "virtual_hosts": hosts,
        } }),
    )
}

fn envoy_filter(mesh: &Mesh, name: &str, patches: Vec<Value>) -> Value {
    let spec = json!({
        "workloadSelector": { "labels": mesh.labels() },
        "configPatches": patches,
    });
    mesh.resource("networking.istio.io/v1alpha3", "EnvoyFilter", name, spec)
}

/// The plugin itself, which the filters wait for.
fn role(
    mesh: &Mesh,
    role: Role,
    gateway: &Gateway,
    upstreams: &[Upstream<'_>],
    places: &Places,
) -> Value {
    let plugin = plugin::extension_config(role, gateway, upstreams, places);
    patch("EXTENSION_CONFIG", any(mesh), "ADD", plugin)
}

fn patch(apply_to: &str, matcher: Value, operation: &str, value: Value) -> Value {
    json!({
        "applyTo": apply_to,
        "match": matcher,
        "patch": { "operation": operation, "value": value },
    })
}

fn any(mesh: &Mesh) -> Value {
    let context = match mesh.mode {
        Mode::Gateway => "GATEWAY",
        Mode::Sidecar => "SIDECAR_OUTBOUND",
    };
    json!({ "context": context })
}

/// The filter chain of our host: by its name where TLS tells it, by its port in a sidecar.
fn in_listener(mesh: &Mesh, filter: Value) -> Value {
    let filter = json!({ "filter": merge(json!({ "name": MANAGER }), filter) });
    let listener = match mesh.mode {
        Mode::Gateway => json!({ "filterChain": merge(filter, json!({ "sni": mesh.host })) }),
        Mode::Sidecar => json!({ "portNumber": mesh.port, "filterChain": filter }),
    };
    merge(any(mesh), json!({ "listener": listener }))
}

fn before_router() -> Value {
    json!({ "subFilter": { "name": "envoy.filters.http.router" } })
}

/// The virtual host of the VirtualService, and in it the route by name if `named`.
fn in_route(mesh: &Mesh, named: bool) -> Value {
    let route = match named {
        true => json!({ "route": { "name": front::ROUTE } }),
        false => json!({}),
    };
    let (scope, port) = match mesh.mode {
        Mode::Gateway => (
            json!({ "gateway": format!("{}/{}", mesh.namespace, front::GATEWAY) }),
            front::TLS_PORT,
        ),
        Mode::Sidecar => (json!({ "name": mesh.port.to_string() }), mesh.port),
    };
    let host = json!({ "vhost": merge(json!({ "name": format!("{}:{port}", mesh.host) }), route) });
    merge(any(mesh), json!({ "routeConfiguration": merge(scope, host) }))
}
