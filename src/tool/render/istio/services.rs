//! The way out: what Istio must know of each host of a provider, and how it connects.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Mesh;
use crate::provider::{BaseUrl, Scheme};
use crate::tool::model::Gateway;
use crate::tool::render::{duration, merge};
use crate::tool::upstream::{Endpoint, Upstream};

/// Hosts below it are services of the cluster, which Istio knows.
const SERVICES: &str = ".svc.cluster.local";

/// A ServiceEntry and a DestinationRule for each host outside the cluster, by name.
pub(super) fn resources(gateway: &Gateway, mesh: &Mesh, upstreams: &[Upstream<'_>]) -> Vec<Value> {
    let mut hosts: BTreeMap<&str, Vec<&BaseUrl>> = BTreeMap::new();
    for upstream in upstreams {
        if let Endpoint::Mesh(url) = &upstream.endpoint
            && !url.host.ends_with(SERVICES)
        {
            let urls = hosts.entry(&url.host).or_default();
            if urls.iter().all(|known| known.port != url.port) {
                urls.push(url);
            }
        }
    }
    let pairs = hosts.into_iter().flat_map(|(host, urls)| {
        let name = format!("portkey-{}", host.replace('.', "-"));
        [
            mesh.networking("ServiceEntry", &name, entry(host, &urls)),
            mesh.networking("DestinationRule", &name, rule(gateway, host, &urls)),
        ]
    });
    pairs.collect()
}

fn entry(host: &str, urls: &[&BaseUrl]) -> Value {
    let ports: Vec<Value> = urls.iter().map(|url| {
        let (name, protocol) = match url.scheme {
            Scheme::Https => ("https", "HTTPS"),
            _ => ("http", "HTTP"),
        };
        json!({ "number": url.port, "name": format!("{name}-{}", url.port), "protocol": protocol })
    }).collect();
    json!({
        "hosts": [host],
        "ports": ports,
        "location": "MESH_EXTERNAL",
        "resolution": "DNS",
        "exportTo": ["."],
    })
}

fn rule(gateway: &Gateway, host: &str, urls: &[&BaseUrl]) -> Value {
    let ports: Vec<Value> = urls
        .iter()
        .map(|url| {
            let tls = match url.scheme {
                Scheme::Https => {
                    json!({ "mode": "SIMPLE", "sni": host, "subjectAltNames": [host] })
                }
                _ => json!({ "mode": "DISABLE" }),
            };
            merge(json!({ "port": { "number": url.port }, "tls": tls }), policy(gateway))
        })
        .collect();
    json!({
        "host": host,
        "trafficPolicy": { "portLevelSettings": ports },
        "exportTo": ["."],
    })
}

/// gateway.yaml's limits and rules, in Istio's words; a port's settings replace those of the host.
fn policy(gateway: &Gateway) -> Value {
    let limits = &gateway.circuit_breakers;
    let pool = json!({ "connectionPool": {
        "tcp": {
            "maxConnections": limits.max_connections,
            "connectTimeout": duration(gateway.limits.connect_timeout),
        },
        "http": {
            "http1MaxPendingRequests": limits.max_pending_requests,
            "http2MaxRequests": limits.max_requests,
            "maxRetries": limits.max_retries,
        },
    } });
    let Some(rule) = &gateway.outlier_detection else { return pool };
    let outlier = json!({ "outlierDetection": {
        "consecutive5xxErrors": rule.consecutive_5xx,
        "consecutiveGatewayErrors": rule.consecutive_gateway_failure,
        "interval": duration(rule.interval),
        "baseEjectionTime": duration(rule.base_ejection_time),
        "maxEjectionPercent": rule.max_ejection_percent,
    } });
    merge(pool, outlier)
}
