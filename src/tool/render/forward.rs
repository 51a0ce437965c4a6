//! Clusters that resolve the host of a request when it comes: behind the listener for the table of
//! providers, and behind the one for hosts that callers name. Outlier detection has no place
//! here: each host has one address, and leaving it out would be a failure without a retry.

use serde_json::{Value, json};

use super::{Places, cluster, custom, extension, filters, merge, relay, resilience};
use crate::tool::model::Gateway;

/// Where a host that callers name must not lead: this machine, private and carrier networks,
/// link-local addresses with their metadata services, multicast, what is reserved, and IPv6
/// addresses that stand for an IPv4 address.
const NOT_PUBLIC: [(&str, u8); 22] = [
    ("0.0.0.0", 8),
    ("10.0.0.0", 8),
    ("100.64.0.0", 10),
    ("127.0.0.0", 8),
    ("169.254.0.0", 16),
    ("172.16.0.0", 12),
    ("192.0.0.0", 24),
    ("192.168.0.0", 16),
    ("198.18.0.0", 15),
    ("224.0.0.0", 4),
    ("240.0.0.0", 4),
    // Unspecified, loopback, IPv4-compatible.
    ("::", 96),
    ("::ffff:0:0", 96),
    ("64:ff9b::", 96),
    ("64:ff9b:1::", 48),
    ("100::", 64),
    ("2001::", 32),
    ("2002::", 16),
    ("fc00::", 7),
    ("fe80::", 10),
    ("fec0::", 10),
    ("ff00::", 8),
];

/// Those for the table of providers.
pub(super) fn on_use(gateway: &Gateway, places: &Places) -> Vec<Value> {
    vec![
        forward(relay::RESOLVE_ON_USE, gateway, Some(places), &json!({})),
        forward(relay::RESOLVE_ACCOUNT, gateway, Some(places), &deny_private()),
    ]
}

/// Those for hosts that callers name, as far as this gateway needs them.
pub(super) fn to_custom_hosts(gateway: &Gateway, places: &Places) -> Vec<Value> {
    let mut clusters = Vec::new();
    for (private, filter) in [(false, deny_private()), (true, json!({}))] {
        if gateway.custom_hosts.iter().any(|host| host.private == private) {
            let tls = custom::cluster("https", private);
            clusters.push(forward(&custom::cluster("http", private), gateway, None, &filter));
            clusters.push(forward(&tls, gateway, Some(places), &filter));
        }
    }
    clusters
}

/// The host comes from the request, and so do, with TLS, the name that is asked for and the name
/// that the certificate must bear. `tls`: where the trusted certificates are.
fn forward(name: &str, gateway: &Gateway, tls: Option<&Places>, filter: &Value) -> Value {
    let cache = json!({
        "name": name,
        "dns_lookup_family": cluster::LOOKUP,
        "dns_failure_refresh_rate": cluster::failure_refresh_rate(),
    });
    let way = json!({
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": extension(
            "envoy.clusters.dynamic_forward_proxy",
            "envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig",
            json!({ "dns_cache_config": merge(merge(cache, cluster::resolver(gateway)), filter.clone()) }),
        ),
        "upstream_connection_options": cluster::keepalive(),
    });
    let way = merge(way, resilience::circuit_breakers(&gateway.circuit_breakers));
    // Envoy insists on them without TLS as well.
    let names = json!({
        "upstream_http_protocol_options": { "auto_sni": true, "auto_san_validation": true },
    });
    let options = merge(names, filters::chain(vec![filters::guard(false)]));
    let Some(places) = tls else {
        return merge(cluster::common(name, gateway, false, options), way);
    };
    let trusted = json!({ "trusted_ca": cluster::file(&places.trusted_ca) });
    let socket = json!({ "transport_socket": cluster::tls_socket(trusted, None) });
    merge(cluster::common(name, gateway, true, options), merge(way, socket))
}

fn deny_private() -> Value {
    let range =
        |(prefix, length): &(&str, u8)| json!({ "address_prefix": prefix, "prefix_len": length });
    let ranges: Vec<Value> = NOT_PUBLIC.iter().map(range).collect();
    json!({ "resolved_address_filter": { "ranges": ranges } })
}
