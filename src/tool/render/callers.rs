//! What the module is told of callers, and the filters beside it: Envoy checks tokens and counts
//! requests. Each comes by ECDS, and is there only where gateway.yaml asks for it.

use serde_json::{Value, json};

use super::{File, Places, any, cluster, discovery, duration, file, merge};
use crate::config::caller;
use crate::contract::{header, metadata, property};
use crate::provider::{BaseUrl, Scheme};
use crate::tool::model::{Callers, Gateway, Jwks, Jwt, RateLimitService};

/// Cluster of the server with the keys of tokens.
const JWKS: &str = "portkey.jwks";
/// Cluster of the rate-limit service.
const RATE_LIMIT_SERVICE: &str = "portkey.rate_limit_service";
/// Milliseconds that the server may take.
const JWKS_TIMEOUT: u64 = 5_000;
/// How long its keys are good, in milliseconds.
const JWKS_AGE: u64 = 300_000;
/// What the descriptors' entries are called.
const CALLER: &str = "caller";
const UNIT: &str = "unit";
/// Of the metadata that the rate-limit service's descriptors are made of.
const NAMESPACE: &str = "portkey";

/// A filter of the listener, beside the gateway role.
pub(super) struct Filter {
    /// Its name, and that of its resource.
    pub name: &'static str,
    /// The key of gateway.yaml that asks for it.
    pub asked_by: &'static str,
    /// Whether it would be missed; limits may come while Envoy runs, so that their place is there.
    pub does_something: bool,
    /// Whether it comes before the gateway role.
    pub before: bool,
    path: &'static str,
    kind: &'static str,
    config: Value,
}

impl Filter {
    /// The filter that waits for the resource.
    pub fn in_chain(&self, places: &Places) -> Value {
        json!({
            "name": self.name,
            "config_discovery": {
                "config_source": places.source(self.path),
                "type_urls": [format!("type.googleapis.com/{}", self.kind)],
            },
        })
    }

    /// The file of the resource.
    pub fn file(&self) -> File {
        let config = any(self.kind, self.config.clone());
        let resource = json!({ "name": self.name, "typed_config": config });
        file(self.path, discovery(vec![any("envoy.config.core.v3.TypedExtensionConfig", resource)]))
    }
}

/// What the gateway role is told: no key, but its hash.
pub(super) fn settings(gateway: &Gateway) -> Option<caller::Callers> {
    let callers = gateway.callers.as_ref()?;
    let jwt = callers.jwt.as_ref();
    let jwt = jwt.map(|jwt| caller::Jwt { claim: jwt.claim.clone(), default: jwt.default.clone() });
    let rate_limit_service = callers.rate_limit_service.is_some();
    Some(caller::Callers { keys: callers.keys.clone(), jwt, rate_limit_service })
}

/// The filters that this gateway needs, in their order.
pub(super) fn filters(gateway: &Gateway) -> Vec<Filter> {
    let Some(callers) = &gateway.callers else { return Vec::new() };
    let service = callers.rate_limit_service.as_ref();
    let tokens = callers.jwt.as_ref().map(|jwt| Filter {
        name: "portkey.jwt",
        asked_by: "jwt",
        does_something: true,
        before: true,
        path: "jwt.json",
        kind: "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        config: authentication(jwt),
    });
    let mut filters: Vec<Filter> = tokens.into_iter().collect();
    match service {
        Some(service) => filters.extend([
            Filter {
                name: "portkey.caller",
                asked_by: "rate_limit_service",
                does_something: true,
                before: false,
                path: "caller.json",
                kind: "envoy.extensions.filters.http.header_to_metadata.v3.Config",
                config: noting(),
            },
            Filter {
                name: "portkey.rate_limit_service",
                asked_by: "rate_limit_service",
                does_something: true,
                before: false,
                path: "rate_limit_service.json",
                kind: "envoy.extensions.filters.http.ratelimit.v3.RateLimit",
                config: global(service),
            },
        ]),
        None => filters.push(Filter {
            name: "portkey.rate_limits",
            asked_by: "rate_limits.requests_per_minute",
            does_something: callers.keys.values().any(|one| one.requests_per_minute.is_some()),
            before: false,
            path: "rate_limits.json",
            kind: "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
            config: local(callers),
        }),
    }
    filters
}

/// The servers that the filters ask.
pub(super) fn clusters(gateway: &Gateway, places: &Places) -> Vec<Value> {
    let Some(callers) = &gateway.callers else { return Vec::new() };
    let keys = callers.jwt.as_ref().and_then(|jwt| match &jwt.jwks {
        Jwks::Server(url) => Some(cluster::of_server(JWKS, url, Vec::new(), gateway, places)),
        Jwks::Given(_) => None,
    });
    let service = callers.rate_limit_service.as_ref().map(|service| {
        let url = &service.url;
        let cluster = cluster::of_server(RATE_LIMIT_SERVICE, url, Vec::new(), gateway, places);
        cluster::with_http2(cluster)
    });
    keys.into_iter().chain(service).collect()
}

/// A token that is good is noted and taken out of the request; what is wrong with another is noted
/// as well. The module decides: a key will do, too.
fn authentication(jwt: &Jwt) -> Value {
    let keys = match &jwt.jwks {
        Jwks::Given(json) => json!({ "local_jwks": { "inline_string": json } }),
        Jwks::Server(url) => json!({ "remote_jwks": {
            "http_uri": {
                "uri": format!("{}://{}{}", scheme(url), url.authority(), url.path),
                "cluster": JWKS,
                "timeout": duration(JWKS_TIMEOUT),
            },
            "cache_duration": duration(JWKS_AGE),
        } }),
    };
    let mut place = json!({ "name": jwt.header });
    if jwt.header == "authorization" {
        place = merge(place, json!({ "value_prefix": "Bearer " }));
    }
    let provider = merge(
        json!({
            "issuer": jwt.issuer,
            "audiences": jwt.audiences,
            "from_headers": [place],
            "payload_in_metadata": metadata::PAYLOAD,
            "failed_status_in_metadata": metadata::FAULT,
            "require_expiration": true,
        }),
        keys,
    );
    let either = json!([{ "provider_name": "portkey" }, { "allow_missing_or_failed": {} }]);
    json!({
        "providers": { "portkey": provider },
        "rules": [{
            "match": { "prefix": "/" },
            "requires": { "requires_any": { "requirements": either } },
        }],
    })
}

fn scheme(url: &BaseUrl) -> &'static str {
    match url.scheme {
        Scheme::Https => "https",
        Scheme::Http | Scheme::Envoy => "http",
    }
}

/// Requests a minute, counted by this Envoy: a bucket for each caller that has a limit.
fn local(callers: &Callers) -> Value {
    let limits = callers.keys.iter().filter_map(|(name, rules)| {
        let limit = rules.requests_per_minute?;
        Some(json!({
            "entries": [{ "key": CALLER, "value": name }],
            "token_bucket": {
                "max_tokens": limit,
                "tokens_per_fill": limit,
                "fill_interval": "60s",
            },
        }))
    });
    let all = json!({ "default_value": { "numerator": 100, "denominator": "HUNDRED" } });
    json!({
        "stat_prefix": "portkey",
        "filter_enabled": all,
        "filter_enforced": all,
        "descriptors": limits.collect::<Vec<_>>(),
        "rate_limits": [{ "actions": [{ "request_headers": {
            "header_name": header::CALLER,
            "descriptor_key": CALLER,
        } }] }],
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
        "enable_retry_after_header": true,
    })
}

/// Requests and tokens, counted by a service: a request counts at once, what it has used when it is
/// over. Before, it is asked whether any tokens are left.
fn global(service: &RateLimitService) -> Value {
    let tokens = format!("%FILTER_STATE(wasm.{}:PLAIN)%", property::TOKENS);
    json!({
        "domain": service.domain,
        "timeout": duration(service.timeout),
        "failure_mode_deny": service.deny_on_failure,
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
        "enable_retry_after_header": true,
        "disable_x_envoy_ratelimited_header": true,
        "rate_limit_service": {
            "grpc_service": { "envoy_grpc": { "cluster_name": RATE_LIMIT_SERVICE } },
            "transport_api_version": "V3",
        },
        "rate_limits": [
            { "actions": [who(), of_unit("requests")] },
            { "actions": [who(), of_unit("tokens")], "hits_addend": { "number": 0 } },
            {
                "actions": [who(), of_unit("tokens")],
                "hits_addend": { "format": tokens },
                "apply_on_stream_done": true,
            },
        ],
    })
}

/// Who asks, noted by [`noting`].
fn who() -> Value {
    json!({ "metadata": {
        "descriptor_key": CALLER,
        "metadata_key": { "key": NAMESPACE, "path": [{ "key": CALLER }] },
        "source": "DYNAMIC",
    } })
}

/// Puts the name of the caller where it is still at the end of a request, when all headers of ours
/// are gone.
fn noting() -> Value {
    json!({ "request_rules": [{
        "header": header::CALLER,
        "on_header_present": { "metadata_namespace": NAMESPACE, "key": CALLER, "type": "STRING" },
        "remove": true,
    }] })
}

fn of_unit(unit: &str) -> Value {
    json!({ "generic_key": { "descriptor_key": UNIT, "descriptor_value": unit } })
}
