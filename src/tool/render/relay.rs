//! Listeners inside Envoy that send requests on. What fails behind them comes back as an answer,
//! which the router in front can try again, and bears [`header::LOCAL`]: a failure would not.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{CUSTOM_ROUTES, Places, custom, early_mutation, internal, merge, set};
use crate::contract::{cluster, header};
use crate::provider::{Kind, PROVIDERS, Provider, Setting};
use crate::service_account;

/// Cluster and listener through which hosts of the table of providers are resolved on use.
pub(super) const RESOLVE_ON_USE: &str = "resolve_on_use";
/// Cluster behind the same listener for hosts that hold the name of an account, which is the
/// caller's choice.
pub(super) const RESOLVE_ACCOUNT: &str = "resolve_account";
/// Listener from which the clusters of a service mesh are reached.
pub(super) const MESH: &str = "mesh";
/// Listener of [`cluster::HOP`].
pub(super) const HOP: &str = "hop";
/// Listener of [`cluster::CUSTOM`].
pub(super) const CUSTOM: &str = "custom";

/// What an internal connection counts as: the hop obeys the limits that requests name only when
/// they come from a trusted address, and a connection inside Envoy has none.
const TRUSTED: &str = "127.0.0.1";

/// The way to the hosts of the table of providers that gateway.yaml does not name.
pub(super) fn resolve_on_use() -> Value {
    let token = host(service_account::TOKEN_URL);
    let (accounts, hosts): (BTreeSet<String>, BTreeSet<String>) =
        PROVIDERS.iter().flat_map(domains).chain(token).partition(|domain| domain.starts_with('*'));
    let virtual_host = |cluster: &str, domains: BTreeSet<String>| {
        json!({
            "name": cluster,
            "domains": domains,
            "routes": [{
                "match": { "prefix": "/" },
                // The listener of the clients rules how long a stream may take.
                "route": { "cluster": cluster, "timeout": "0s" },
            }],
        })
    };
    let routes = json!({ "route_config": {
        "name": RESOLVE_ON_USE,
        // Clusters come after the listeners.
        "validate_clusters": false,
        "virtual_hosts": [
            virtual_host(RESOLVE_ON_USE, hosts),
            virtual_host(RESOLVE_ACCOUNT, accounts),
        ],
    } });
    relay(RESOLVE_ON_USE, routes)
}

/// The host of a URL.
fn host(url: &str) -> Option<String> {
    url.strip_prefix("https://")?.split('/').next().map(str::to_owned)
}

/// The hosts of a row as domains of Envoy's: with a setting in it, `*` and what follows that.
fn domains(row: &Provider) -> Vec<String> {
    let whole = row.settings.iter().find(|one| row.base_url == format!("{{{}}}", one.name));
    if let Some(Setting { kind: Kind::Url(endings), default, .. }) = whole {
        let known = endings.iter().map(|ending| format!("*{ending}"));
        return known.chain(default.and_then(host)).collect();
    }
    let others = row.other_urls.iter().filter_map(|(_, url)| host(url));
    let domain = host(row.base_url).map(|host| match host.rsplit_once('}') {
        Some((_, fixed)) => format!("*{fixed}"),
        None => host,
    });
    domain.into_iter().chain(others).collect()
}

/// The way to the hosts that callers name.
pub(super) fn custom(places: &Places) -> Value {
    let routes = json!({
        "route_config_name": custom::NAME,
        "config_source": places.source(CUSTOM_ROUTES),
    });
    relay(CUSTOM, json!({ "rds": routes }))
}

/// The way to the cluster that the request names, with the limit until the response headers that
/// it brings along. The answer passes as it is: the cluster's own filters clean it.
pub(super) fn hop() -> Value {
    let clusters = json!({ "safe_regex": {
        "regex": format!("(provider|vk)\\..+|{}", cluster::CUSTOM.replace('.', "\\.")),
    } });
    let routes = json!({ "route_config": {
        "name": HOP,
        "virtual_hosts": [{
            "name": HOP,
            "domains": ["*"],
            "request_body_buffer_limit": internal::MAX_BODY,
            "routes": [{
                "match": {
                    "prefix": "/",
                    "headers": [{ "name": header::CLUSTER, "string_match": clusters }],
                },
                "route": { "cluster_header": header::CLUSTER, "timeout": "0s" },
                "request_headers_to_add": [set(header::RELAYED, "1")],
            }],
        }],
    } });
    let trust = json!({
        "early_header_mutation_extensions": [
            early_mutation(vec![json!({ "append": set("x-forwarded-for", TRUSTED) })]),
        ],
        "internal_address_config": {
            "cidr_ranges": [{ "address_prefix": TRUSTED, "prefix_len": 32 }],
        },
    });
    relay(HOP, merge(routes, trust))
}

pub(super) fn relay(name: &str, options: Value) -> Value {
    // Every answer that the listener makes itself; this filter lets all of them through.
    let mapper = json!({
        "filter": { "not_health_check_filter": {} },
        "headers_to_add": [mark("%RESPONSE_FLAGS%")],
    });
    let local = json!({ "local_reply_config": { "mappers": [mapper] } });
    internal::listener(name, merge(options, local), Vec::new())
}

/// The header by which an answer is known as one of ours.
pub(super) fn mark(flags: &str) -> Value {
    json!({
        "header": { "key": header::LOCAL, "value": flags },
        "append_action": "ADD_IF_ABSENT",
    })
}
