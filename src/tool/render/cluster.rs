//! The CDS resource: a cluster per upstream, and the one that resolves hosts on their first use.

use std::path::Path;

use serde_json::{Value, json};

use super::{Places, any, discovery, duration, extension, internal, plugin, secret, source};
use crate::config::settings::Role;
use crate::provider::{BaseUrl, Scheme};
use crate::tool::model::Gateway;
use crate::tool::upstream::{Credential, Endpoint, Upstream};

/// Credentials of an earlier attempt or of the client: request headers are one map for all
/// attempts.
const CREDENTIAL_HEADERS: [&str; 6] =
    ["authorization", "x-api-key", "api-key", "x-goog-api-key", "proxy-authorization", "cookie"];
/// Further headers that no provider may see, by prefix.
const PRIVATE_PREFIXES: [&str; 3] = ["x-amz-", "x-envoy-", "x-forwarded-"];
/// Envoy's default of 3 concurrent retries per cluster would fail fallbacks under load.
const UNLIMITED: u32 = 1_000_000;
/// Nothing listens here: a host that does not resolve becomes a refused connection, which, unlike
/// a cluster without hosts, can be retried.
const CLOSED_PORT: u16 = 9;
/// A resolver that prefers IPv6 would fail on machines without a route for it.
const LOOKUP: &str = "V4_PREFERRED";

/// The discovery response with every cluster.
pub(super) fn resources(gateway: &Gateway, upstreams: &[Upstream<'_>], places: &Places) -> Value {
    let mut clusters: Vec<Value> =
        upstreams.iter().map(|upstream| cluster(gateway, upstream, places)).collect();
    clusters.push(resolve_on_use(gateway, places));
    let clusters = clusters.into_iter().map(|one| any("envoy.config.cluster.v3.Cluster", one));
    discovery(clusters.collect())
}

fn cluster(gateway: &Gateway, upstream: &Upstream<'_>, places: &Places) -> Value {
    let url = &upstream.base_url;
    let tls = url.scheme == Scheme::Https;
    let (way, negotiates) = match upstream.endpoint {
        Endpoint::Address(_) => (merge(address(url), transport(url, places)), tls),
        Endpoint::Name => (merge(name(url), transport(url, places)), tls),
        Endpoint::NameOnUse => (inside(internal::RESOLVE_ON_USE), false),
        Endpoint::Internal => (inside(&url.host), false),
    };
    let filters = json!({ "http_filters": filters(upstream, places) });
    merge(common(&upstream.cluster, gateway, negotiates, filters), way)
}

/// The way of [`Endpoint::NameOnUse`] out of the internal listener: the host comes from the
/// request, and so do the name that TLS asks for and the name that the certificate must bear.
fn resolve_on_use(gateway: &Gateway, places: &Places) -> Value {
    let cache = json!({
        "name": internal::RESOLVE_ON_USE,
        "dns_lookup_family": LOOKUP,
        "dns_failure_refresh_rate": failure_refresh_rate(),
    });
    let names = json!({
        "upstream_http_protocol_options": { "auto_sni": true, "auto_san_validation": true },
    });
    let way = json!({
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": extension(
            "envoy.clusters.dynamic_forward_proxy",
            "envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig",
            json!({ "dns_cache_config": cache }),
        ),
        "transport_socket": tls_socket(json!({ "trusted_ca": file(&places.trusted_ca) }), None),
        "upstream_connection_options": keepalive(),
    });
    merge(common(internal::RESOLVE_ON_USE, gateway, true, names), way)
}

/// What all clusters share. `negotiates`: TLS chooses between HTTP/2 and HTTP/1.1.
fn common(name: &str, gateway: &Gateway, negotiates: bool, http_options: Value) -> Value {
    let protocol = match negotiates {
        true => json!({
            "auto_config": { "http_protocol_options": {}, "http2_protocol_options": {} },
        }),
        false => json!({ "explicit_http_config": { "http_protocol_options": {} } }),
    };
    let idle = json!({ "common_http_protocol_options": { "idle_timeout": "60s" } });
    let options = any(
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        merge(merge(protocol, idle), http_options),
    );
    json!({
        "name": name,
        "connect_timeout": duration(gateway.limits.connect_timeout),
        "circuit_breakers": { "thresholds": [{
            "max_connections": UNLIMITED,
            "max_pending_requests": UNLIMITED,
            "max_requests": UNLIMITED,
            "max_retries": UNLIMITED,
        }] },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options,
        },
    })
}

/// An IP address.
fn address(url: &BaseUrl) -> Value {
    let endpoints = json!([{ "lb_endpoints": [endpoint(&url.host, url.port)] }]);
    json!({ "type": "STATIC", "load_assignment": assignment(url, endpoints) })
}

/// A host name that is resolved from the start.
fn name(url: &BaseUrl) -> Value {
    let endpoints = json!([
        { "lb_endpoints": [endpoint(&url.host, url.port)] },
        { "priority": 1, "lb_endpoints": [endpoint("127.0.0.1", CLOSED_PORT)] },
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
            resolution,
        ),
        "load_assignment": assignment(url, endpoints),
    })
}

fn failure_refresh_rate() -> Value {
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

fn tls_socket(validation: Value, sni: Option<&str>) -> Value {
    let context = json!({ "common_tls_context": { "validation_context": validation } });
    let name = sni.map_or_else(|| json!({}), |sni| json!({ "sni": sni }));
    extension(
        "envoy.transport_sockets.tls",
        "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        merge(context, name),
    )
}

fn keepalive() -> Value {
    let times = json!({ "keepalive_time": 60, "keepalive_interval": 15, "keepalive_probes": 4 });
    json!({ "tcp_keepalive": times })
}

fn file(path: &Path) -> Value {
    json!({ "filename": path })
}

/// The upstream filters, run once per attempt.
fn filters(upstream: &Upstream<'_>, places: &Places) -> Vec<Value> {
    let codec = extension(
        "envoy.filters.http.upstream_codec",
        "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
        json!({}),
    );
    let mut filters = vec![strip_credentials(), plugin::filter(Role::Provider, places)];
    filters.extend(upstream.credential.as_ref().map(|one| inject(one, places)));
    filters.push(codec);
    filters
}

fn strip_credentials() -> Value {
    let named = CREDENTIAL_HEADERS.iter().map(|name| json!({ "remove": name }));
    let prefixes = PRIVATE_PREFIXES
        .iter()
        .map(|prefix| json!({ "remove_on_match": { "key_matcher": { "prefix": prefix } } }));
    let mutations: Vec<Value> = named.chain(prefixes).collect();
    extension(
        "envoy.filters.http.header_mutation",
        "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
        json!({ "mutations": { "request_mutations": mutations } }),
    )
}

fn inject(credential: &Credential<'_>, places: &Places) -> Value {
    let mut generic = json!({
        "credential": {
            "name": secret::name(credential.slug),
            "sds_config": source(&places.directory, &secret::path(credential.slug)),
        },
        "header": credential.header,
    });
    if !credential.prefix.is_empty() {
        generic = merge(generic, json!({ "header_value_prefix": credential.prefix }));
    }
    let generic = extension(
        "envoy.http.injected_credentials.generic",
        "envoy.extensions.http.injected_credentials.generic.v3.Generic",
        generic,
    );
    extension(
        "envoy.filters.http.credential_injector",
        "envoy.extensions.filters.http.credential_injector.v3.CredentialInjector",
        json!({
            "overwrite": true,
            "allow_request_without_credential": false,
            "credential": generic,
        }),
    )
}

/// The members of both objects.
fn merge(mut one: Value, other: Value) -> Value {
    if let (Some(fields), Value::Object(more)) = (one.as_object_mut(), other) {
        fields.extend(more);
    }
    one
}
