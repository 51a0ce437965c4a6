//! The RDS resource: where a request goes the module says in filter state, by the name of a cluster
//! or of a saved config that Envoy splits by weight.

use serde_json::{Map, Value, json};

use super::{any, callers, discovery, duration, extension, merge, plugin};
use crate::config::settings::Role;
use crate::config::{tree, weighted};
use crate::contract::{cluster, header, property, weighted_config};
use crate::tool::model::Gateway;
use crate::tool::upstream::Upstream;

/// Name of the route configuration.
pub(super) const NAME: &str = "portkey";

/// A client hears nothing while attempts fail or are held: the limit of its own stream leaves room
/// for so many that fall silent.
const SILENT_ATTEMPTS: u64 = 4;

/// The discovery response with the route configuration.
pub(super) fn resource(gateway: &Gateway, upstreams: &[Upstream<'_>]) -> Value {
    let mut routes = splits(gateway, "/");
    routes.extend(general(gateway, upstreams, "/"));
    let config = json!({
        "name": NAME,
        "virtual_hosts": [{
            "name": NAME,
            "domains": ["*"],
            // Lifts the limit of every buffer of a stream; the default is 1 MiB.
            "request_body_buffer_limit": gateway.limits.request_body,
            "routes": routes,
        }],
    });
    discovery(vec![any("envoy.config.route.v3.RouteConfiguration", config)])
}

/// The saved configs that Envoy splits by weight, for requests below that path.
pub(super) fn splits(gateway: &Gateway, prefix: &str) -> Vec<Value> {
    let configs = gateway.configs.iter();
    let splits = configs.filter_map(|(slug, json)| Some((slug, split(gateway, json.get())?)));
    splits.map(|(slug, split)| weighted(gateway, slug, split, prefix)).collect()
}

/// Each attempt goes to the cluster that filter state names then.
pub(super) fn general(gateway: &Gateway, upstreams: &[Upstream<'_>], prefix: &str) -> [Value; 2] {
    let rest = json!({ "match": { "prefix": prefix }, "route": action(gateway, upstreams) });
    [single(gateway, upstreams, prefix), rest]
}

/// Requests of one attempt alone: where there may be others, Envoy keeps the whole body for them.
pub(super) fn single(gateway: &Gateway, upstreams: &[Upstream<'_>], prefix: &str) -> Value {
    let alone = json!({ "name": "x-envoy-max-retries", "string_match": { "exact": "0" } });
    let choice = json!({
        "inline_cluster_specifier_plugin": { "extension": specifier(upstreams) },
        "retry_policy": idle_limit(gateway),
    });
    json!({
        "match": { "prefix": prefix, "headers": [alone] },
        "route": merge(common(gateway), choice),
    })
}

/// What the other route of [`general`] does with a request.
pub(super) fn action(gateway: &Gateway, upstreams: &[Upstream<'_>]) -> Value {
    let choice = json!({
        "inline_cluster_specifier_plugin": { "extension": specifier(upstreams) },
        "retry_policy": merge(retry_policy(gateway), json!({ "refresh_cluster_on_retry": true })),
    });
    merge(common(gateway), choice)
}

/// What a route needs in a listener that has others as well: there the gateway role is off unless
/// the route says otherwise, and the buffers have Envoy's usual limit.
pub(super) fn among_others(gateway: &Gateway, others: &[callers::Filter]) -> Value {
    let on = || any("envoy.config.route.v3.FilterConfig", json!({ "config": {} }));
    let others = others.iter().map(|filter| (filter.name.to_owned(), on()));
    let filters: Map<String, Value> =
        others.chain([(plugin::name(Role::Gateway).to_owned(), on())]).collect();
    json!({
        "request_body_buffer_limit": gateway.limits.request_body,
        "typed_per_filter_config": filters,
    })
}

/// Clusters and weights of a config that Envoy splits. The module finds out the same way which
/// those are.
fn split(gateway: &Gateway, json: &str) -> Option<Vec<(String, u32)>> {
    weighted::split(&tree::read(json, gateway).ok()?)
}

/// A saved config that is split by weight, when filter state names it. Its weights can be changed
/// by runtime keys while the gateway runs. A retry stays with its cluster.
fn weighted(gateway: &Gateway, slug: &str, split: Vec<(String, u32)>, prefix: &str) -> Value {
    let clusters: Vec<Value> = split
        .into_iter()
        .map(|(cluster, weight)| json!({ "name": cluster, "weight": weight }))
        .collect();
    let choice = json!({
        "weighted_clusters": {
            "clusters": clusters,
            "runtime_key_prefix": format!("portkey.config.{slug}"),
        },
        "retry_policy": retry_policy(gateway),
    });
    let state = json!({
        "key": state_key(),
        "string_match": { "exact": weighted_config(slug) },
    });
    json!({
        "match": { "prefix": prefix, "filter_state": [state] },
        "route": merge(common(gateway), choice),
    })
}

fn common(gateway: &Gateway) -> Value {
    json!({
        // It would cut a long stream; the module sets a timeout per attempt.
        "timeout": "0s",
        "idle_timeout": duration(gateway.limits.idle_timeout.saturating_mul(SILENT_ATTEMPTS)),
    })
}

fn state_key() -> String {
    format!("wasm.{}", property::CLUSTER)
}

fn specifier(upstreams: &[Upstream<'_>]) -> Value {
    let own = [cluster::HOP, cluster::STOP, cluster::CUSTOM];
    let names = upstreams.iter().map(|upstream| upstream.cluster.as_str()).chain(own);
    let clusters: Map<String, Value> = names
        .map(|name| {
            let action = extension(
                "cluster",
                "envoy.extensions.router.cluster_specifiers.matcher.v3.ClusterAction",
                json!({ "cluster": name }),
            );
            (name.to_owned(), json!({ "action": action }))
        })
        .collect();
    let input = extension(
        "envoy.matching.inputs.filter_state",
        "envoy.extensions.matching.common_inputs.network.v3.FilterStateInput",
        json!({ "key": state_key() }),
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

/// The module asks for a retry by a private response header, and by another for a longer wait
/// before it. How many there may be it says per request in `x-envoy-max-retries`; without that
/// there is none.
fn retry_policy(gateway: &Gateway) -> Value {
    let when = json!({
        "retry_on": "retriable-headers,reset,connect-failure,refused-stream",
        "retriable_headers": [{ "name": header::RETRY, "present_match": true }],
        "num_retries": 0,
        "retry_back_off": { "base_interval": "0.025s", "max_interval": "0.25s" },
        "rate_limited_retry_back_off": {
            "reset_headers": [{ "name": header::RETRY_AFTER, "format": "SECONDS" }],
            "max_interval": "60s",
        },
    });
    // An attempt that falls silent can be followed by another.
    merge(when, idle_limit(gateway))
}

/// The limit of an attempt's silence, as a part of a retry policy.
fn idle_limit(gateway: &Gateway) -> Value {
    json!({ "per_try_idle_timeout": duration(gateway.limits.idle_timeout) })
}
