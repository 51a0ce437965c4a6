//! The routes to the hosts that callers name. They are a resource of their own, as the listener
//! that uses them cannot change without a restart.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{any, discovery, relay, set};
use crate::contract::header;
use crate::tool::model::{CustomHost, Gateway};

/// Name of the route configuration.
pub(super) const NAME: &str = "custom";

/// The schemes and their ports.
const SCHEMES: [(&str, u16); 2] = [("http", 80), ("https", 443)];

/// The cluster behind the listener.
pub(super) fn cluster(scheme: &str, private: bool) -> String {
    match private {
        true => format!("custom.private.{scheme}"),
        false => format!("custom.{scheme}"),
    }
}

/// The discovery response with the route configuration.
pub(super) fn resource(gateway: &Gateway) -> Value {
    discovery(vec![any("envoy.config.route.v3.RouteConfiguration", config(gateway))])
}

/// The route configuration.
pub(super) fn config(gateway: &Gateway) -> Value {
    let hosts = &gateway.custom_hosts;
    let names: BTreeSet<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
    let mut virtual_hosts: Vec<Value> =
        names.iter().map(|name| virtual_host(name, routes(hosts, name))).collect();
    virtual_hosts.push(virtual_host("*", Vec::new()));
    json!({
        "name": NAME,
        // Clusters may come after the routes.
        "validate_clusters": false,
        "ignore_port_in_host_matching": true,
        "virtual_hosts": virtual_hosts,
    })
}

fn virtual_host(name: &str, mut routes: Vec<Value>) -> Value {
    routes.push(forbidden());
    json!({ "name": name, "domains": [name], "routes": routes })
}

/// The routes of one name, or of all names below one. A host is looked up under its most specific
/// name alone, so that this one has the routes of those that are less specific as well.
fn routes(hosts: &[CustomHost], name: &str) -> Vec<Value> {
    let mut covering: Vec<&CustomHost> = hosts.iter().filter(|host| host.covers(name)).collect();
    covering.sort_by_key(|host| (std::cmp::Reverse(host.name.len()), host.port.is_none()));
    let routes = covering.iter().flat_map(|host| {
        SCHEMES.iter().map(|(scheme, usual_port)| route(host, scheme, *usual_port))
    });
    routes.collect()
}

fn route(host: &CustomHost, scheme: &str, usual_port: u16) -> Value {
    let mut headers = vec![json!({ "name": header::SCHEME, "string_match": { "exact": scheme } })];
    if let Some(port) = host.port {
        let authority = match port == usual_port {
            true => format!("[^:]+(:{port})?"),
            false => format!("[^:]+:{port}"),
        };
        let matcher = json!({ "safe_regex": { "regex": authority } });
        headers.push(json!({ "name": ":authority", "string_match": matcher }));
    }
    json!({
        "match": { "prefix": "/", "headers": headers },
        // The listener of the clients, or the hop, rules how long it may take.
        "route": { "cluster": cluster(scheme, host.private), "timeout": "0s" },
    })
}

fn forbidden() -> Value {
    json!({
        "match": { "prefix": "/" },
        "direct_response": { "status": 403, "body": { "inline_string": "{}" } },
        "response_headers_to_add": [set("content-type", "application/json"), relay::mark("NR")],
    })
}
