//! The CDS resource: a cluster per upstream, and those that lead into this Envoy.

use std::path::Path;

use serde_json::{Value, json};

use super::{
    Places, any, cache, callers, discovery, duration, extension, filters, forward, internal, merge,
    relay, resilience, traces,
};
use crate::contract::cluster as contract;
use crate::provider::{BaseUrl, Scheme};
use crate::tool::model::{CircuitBreakers, Gateway};
use crate::tool::upstream::{Credential, Endpoint, Upstream};

/// Nothing listens here: a host that does not resolve becomes a refused connection, which, unlike
/// a cluster without hosts, can be retried.
const CLOSED_PORT: u16 = 9;
/// A resolver that prefers IPv6 would fail on machines without a route for it.
pub(super) const LOOKUP: &str = "V4_PREFERRED";

/// The discovery response with every cluster.
pub(super) fn resources(gateway: &Gateway, upstreams: &[Upstream<'_>], places: &Places) -> Value {
    let mut clusters = list(gateway, upstreams, places);
    clusters.push(inner(contract::GATEWAY, internal::GATEWAY, gateway, Vec::new()));
    clusters.extend(forward::on_use(gateway, places));
    if gateway.google_token_url.is_none() {
        clusters.push(google_token(gateway, places));
    }
    let clusters = clusters.into_iter().map(|one| any("envoy.config.cluster.v3.Cluster", one));
    discovery(clusters.collect())
}

/// Every cluster but those that only hosts need which gateway.yaml does not name.
pub(super) fn list(gateway: &Gateway, upstreams: &[Upstream<'_>], places: &Places) -> Vec<Value> {
    let mut clusters: Vec<Value> =
        upstreams.iter().map(|upstream| of_provider(gateway, upstream, places)).collect();
    clusters.extend([
        inner(contract::HOP, relay::HOP, gateway, filters::of_relay(places)),
        inner(contract::CUSTOM, relay::CUSTOM, gateway, filters::of_relay(places)),
        inner(contract::STOP, internal::STOP, gateway, vec![filters::without_length()]),
        inner(contract::TIMER, internal::TIMER, gateway, Vec::new()),
    ]);
    clusters.extend(forward::to_custom_hosts(gateway, places));
    clusters.extend(gateway.google_token_url.as_ref().map(|_| google_token(gateway, places)));
    clusters.extend(cache::clusters(gateway, places));
    clusters.extend(callers::clusters(gateway, places));
    clusters.extend(traces::cluster(gateway, places));
    clusters.extend(exchanges(gateway, upstreams, places));
    clusters
}

fn of_provider(gateway: &Gateway, upstream: &Upstream<'_>, places: &Places) -> Value {
    let tls = |url: &BaseUrl| url.scheme == Scheme::Https;
    let (way, negotiates) = match &upstream.endpoint {
        Endpoint::Address(url) => (merge(address(url), transport(url, places)), tls(url)),
        Endpoint::Name(url) => {
            let way = merge(name(url, gateway), resilience::outlier_detection(gateway));
            (merge(way, transport(url, places)), tls(url))
        }
        Endpoint::NameOnUse => (inside(relay::RESOLVE_ON_USE), false),
        Endpoint::Mesh(_) => (inside(relay::MESH), false),
        Endpoint::Internal(url) => (inside(&url.host), false),
    };
    let breakers = resilience::circuit_breakers(&gateway.circuit_breakers);
    let options = filters::chain(filters::of_provider(upstream, places));
    merge(common(&upstream.cluster, gateway, negotiates, options), merge(way, breakers))
}

/// A cluster of a server that is no provider, behind these filters.
pub(super) fn of_server(
    cluster: &str,
    url: &BaseUrl,
    filters: Vec<Value>,
    gateway: &Gateway,
    places: &Places,
) -> Value {
    let way = match url.host.parse::<std::net::IpAddr>() {
        Ok(_) => address(url),
        Err(_) => merge(name(url, gateway), resilience::outlier_detection(gateway)),
    };
    let way = merge(way, transport(url, places));
    let breakers = resilience::circuit_breakers(&CircuitBreakers::default());
    let negotiates = url.scheme == Scheme::Https;
    let options = filters::chain(filters);
    merge(common(cluster, gateway, negotiates, options), merge(way, breakers))
}

/// A cluster whose server speaks HTTP/2 alone, as those of gRPC do.
pub(super) fn with_http2(mut cluster: Value) -> Value {
    const OPTIONS: &str = "/typed_extension_protocol_options\
                           /envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    if let Some(options) = cluster.pointer_mut(OPTIONS).and_then(Value::as_object_mut) {
        options.remove("auto_config");
        let http2 = json!({ "http2_protocol_options": {} });
        options.insert("explicit_http_config".to_owned(), http2);
    }
    cluster
}

/// The token endpoints of virtual keys.
fn exchanges(gateway: &Gateway, upstreams: &[Upstream<'_>], places: &Places) -> Vec<Value> {
    let credentials = upstreams.iter().filter_map(|upstream| upstream.credential.as_ref());
    let of_credential = |credential: &Credential<'_>| {
        let url = BaseUrl::parse(&credential.exchange?.token_url).ok()?;
        let name = filters::token_cluster(credential);
        Some(of_server(&name, &url, Vec::new(), gateway, places))
    };
    credentials.filter_map(of_credential).collect()
}

/// A cluster that leads to one of our listeners. The limits are those of the clusters behind it.
fn inner(name: &str, listener: &str, gateway: &Gateway, filters: Vec<Value>) -> Value {
    let breakers = resilience::circuit_breakers(&CircuitBreakers::default());
    merge(common(name, gateway, false, filters::chain(filters)), merge(inside(listener), breakers))
}

/// The way to where assertions of service accounts become tokens: Google's own host is resolved on
/// use, as those of the table are.
fn google_token(gateway: &Gateway, places: &Places) -> Value {
    let name = contract::GOOGLE_TOKEN;
    let filters = vec![filters::guard(true)];
    let given = gateway.google_token_url.as_deref().and_then(|url| BaseUrl::parse(url).ok());
    let Some(url) = given else { return inner(name, relay::RESOLVE_ON_USE, gateway, filters) };
    let way = match url.host.parse::<std::net::IpAddr>() {
        Ok(_) => address(&url),
        Err(_) => self::name(&url, gateway),
    };
    let tls = url.scheme == Scheme::Https;
    let breakers = resilience::circuit_breakers(&CircuitBreakers::default());
    let cluster = common(name, gateway, tls, filters::chain(filters));
    merge(cluster, merge(merge(way, transport(&url, places)), breakers))
}

/// What all clusters share. `negotiates`: TLS chooses between HTTP/2 and HTTP/1.1.
pub(super) fn common(
    name: &str,
    gateway: &Gateway,
    negotiates: bool,
    http_options: Value,
) -> Value {
    let protocol = match negotiates {
        true => json!({
            "auto_config": { "http_protocol_options": {}, "http2_protocol_options": {} },
        }),
        false => json!({ "explicit_http_config": { "http_protocol_options": {} } }),
    };
    let options = protocol_options(merge(merge(protocol, idle()), http_options));
    let cluster = json!({
        "name": name,
        "connect_timeout": duration(gateway.limits.connect_timeout),
    });
    merge(cluster, options)
}

fn idle() -> Value {
    json!({ "common_http_protocol_options": { "idle_timeout": "60s" } })
}

fn protocol_options(options: Value) -> Value {
    const NAME: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    json!({ "typed_extension_protocol_options": { NAME: any(NAME, options) } })
}

/// An IP address.
fn address(url: &BaseUrl) -> Value {
    let endpoints = json!([{ "lb_endpoints": [endpoint(&url.host, url.port)] }]);
    json!({ "type": "STATIC", "load_assignment": assignment(url, endpoints) })
}

/// A host name that is resolved from the start.
fn name(url: &BaseUrl, gateway: &Gateway) -> Value {
    let endpoints = json!([
        { "lb_endpoints": [endpoint(&url.host, url.port)] },
        { "priority": 1, "lb_endpoints": [merge(
            endpoint("127.0.0.1", CLOSED_PORT),
            // Or it would take over for addresses that are left out for a while.
            json!({ "health_status": "UNHEALTHY" }),
        )] },
    ]);
    let resolution = json!({
        "dns_lookup_family": LOOKUP,
        "respect_dns_ttl": true,
        "dns_refresh_rate": "60s",
        "dns_failure_refresh_rate": failure_refresh_rate(),
    });
    json!({
        "cluster_type": extension(
            "envoy.cluster.dns",
            "envoy.extensions.clusters.dns.v3.DnsCluster",
            merge(resolution, resolver(gateway)),
        ),
        "load_assignment": assignment(url, endpoints),
    })
}

/// Which name servers are asked, if not the system's.
pub(super) fn resolver(gateway: &Gateway) -> Value {
    if gateway.dns_resolvers.is_empty() {
        return json!({});
    }
    let servers = gateway.dns_resolvers.iter();
    let servers: Vec<Value> = servers
        .map(|server| super::socket_address(&server.ip().to_string(), server.port()))
        .collect();
    json!({ "typed_dns_resolver_config": extension(
        "envoy.network.dns_resolver.cares",
        "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig",
        json!({
            "resolvers": servers,
            "dns_resolver_options": { "no_default_search_domain": true },
        }),
    ) })
}

pub(super) fn failure_refresh_rate() -> Value {
    json!({ "base_interval": "1s", "max_interval": "10s" })
}

/// A listener inside this Envoy.
fn inside(listener: &str) -> Value {
    let address = json!({ "envoy_internal_address": { "server_listener_name": listener } });
    let endpoints = json!([{ "lb_endpoints": [{ "endpoint": { "address": address } }] }]);
    let plain = extension(
        "envoy.transport_sockets.raw_buffer",
        "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer",
        json!({}),
    );
    json!({
        "type": "STATIC",
        "load_assignment": { "cluster_name": listener, "endpoints": endpoints },
        "transport_socket": extension(
            "envoy.transport_sockets.internal_upstream",
            "envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport",
            json!({ "transport_socket": plain }),
        ),
    })
}

fn assignment(url: &BaseUrl, endpoints: Value) -> Value {
    json!({ "cluster_name": url.authority(), "endpoints": endpoints })
}

fn endpoint(host: &str, port: u16) -> Value {
    json!({ "endpoint": { "address": super::socket_address(host, port) } })
}

/// The socket to a provider: TCP, with TLS where the URL says so.
fn transport(url: &BaseUrl, places: &Places) -> Value {
    let keepalive = json!({ "upstream_connection_options": keepalive() });
    if url.scheme != Scheme::Https {
        return keepalive;
    }
    let host = url.host.to_ascii_lowercase();
    let (san_type, sni) = match host.parse::<std::net::IpAddr>() {
        Ok(_) => ("IP_ADDRESS", None),
        Err(_) => ("DNS", Some(host.as_str())),
    };
    let validation = json!({
        "trusted_ca": file(&places.trusted_ca),
        "match_typed_subject_alt_names": [{
            "san_type": san_type,
            "matcher": { "exact": host },
        }],
    });
    merge(keepalive, json!({ "transport_socket": tls_socket(validation, sni) }))
}

pub(super) fn tls_socket(validation: Value, sni: Option<&str>) -> Value {
    let context = json!({ "common_tls_context": { "validation_context": validation } });
    let name = sni.map_or_else(|| json!({}), |sni| json!({ "sni": sni }));
    extension(
        "envoy.transport_sockets.tls",
        "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        merge(context, name),
    )
}

pub(super) fn keepalive() -> Value {
    let times = json!({ "keepalive_time": 60, "keepalive_interval": 15, "keepalive_probes": 4 });
    json!({ "tcp_keepalive": times })
}

pub(super) fn file(path: &Path) -> Value {
    json!({ "filename": path })
}
