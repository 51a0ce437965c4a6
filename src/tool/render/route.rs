//! The RDS resource: one route, whose cluster the module names in filter state.

use serde_json::{Map, Value, json};

use super::{any, discovery, duration, extension};
use crate::contract::{header, property};
use crate::tool::model::Gateway;
use crate::tool::upstream::Upstream;

/// Name of the route configuration.
pub(super) const NAME: &str = "portkey";

/// The discovery response with the route configuration.
pub(super) fn resource(gateway: &Gateway, upstreams: &[Upstream<'_>]) -> Value {
    let route = json!({
        "match": { "prefix": "/" },
        "route": {
            // It would cut a long stream; the module sets a timeout per attempt.
            "timeout": "0s",
            "idle_timeout": duration(gateway.limits.idle_timeout),
            "inline_cluster_specifier_plugin": { "extension": specifier(upstreams) },
            "retry_policy": retry_policy(),
        },
    });
    let config = json!({
        "name": NAME,
        "virtual_hosts": [{
            "name": NAME,
            "domains": ["*"],
            // Lifts the limit of every buffer of a stream; the default is 1 MiB.
            "request_body_buffer_limit": gateway.limits.request_body,
            "routes": [route],
        }],
    });
    discovery(vec![any("envoy.config.route.v3.RouteConfiguration", config)])
}

fn specifier(upstreams: &[Upstream<'_>]) -> Value {
    let clusters: Map<String, Value> = upstreams
        .iter()
        .map(|upstream| {
            let action = extension(
                "cluster",
                "envoy.extensions.router.cluster_specifiers.matcher.v3.ClusterAction",
                json!({ "cluster": upstream.cluster }),
            );
            (upstream.cluster.clone(), json!({ "action": action }))
        })
        .collect();
    let input = extension(
        "envoy.matching.inputs.filter_state",
        "envoy.extensions.matching.common_inputs.network.v3.FilterStateInput",
        json!({ "key": format!("wasm.{}", property::CLUSTER) }),
    );
    extension(
        "envoy.router.cluster_specifier_plugin.matcher",
        "envoy.extensions.router.cluster_specifiers.matcher.v3.MatcherClusterSpecifier",
        json!({
            "cluster_matcher": {
                "matcher_tree": { "input": input, "exact_match_map": { "map": clusters } },
            },
        }),
    )
}

/// The module asks for a retry by a private response header. How many there may be it says per
/// request in `x-envoy-max-retries`; without that there is none.
fn retry_policy() -> Value {
    json!({
        "retry_on": "retriable-headers,reset,connect-failure",
        "retriable_headers": [{ "name": header::RETRY, "present_match": true }],
        "num_retries": 0,
        "refresh_cluster_on_retry": true,
        "retry_back_off": { "base_interval": "0.025s", "max_interval": "0.25s" },
    })
}
