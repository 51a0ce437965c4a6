//! ECDS resources: the module in each of its two roles.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Module, Places, any, cache, callers, capability, discovery, merge, traces};
use crate::config::settings::{CustomHost, Metrics, Role, Settings, VERSION, VirtualKey};
use crate::price::Catalogue;
use crate::provider::virtual_key_cluster;
use crate::tool::model::{self, Gateway};
use crate::tool::upstream::Upstream;

const WASM: &str = "envoy.extensions.filters.http.wasm.v3.Wasm";

/// Name of the filter, of its resource and of its root context.
pub(super) fn name(role: Role) -> &'static str {
    match role {
        Role::Gateway => "portkey.gateway",
        Role::Provider => "portkey.provider",
    }
}

/// File of the resource below the directory.
pub(super) fn file_name(role: Role) -> &'static str {
    match role {
        Role::Gateway => "gateway.json",
        Role::Provider => "provider.json",
    }
}

/// The HTTP filter that waits for the resource.
pub(super) fn filter(role: Role, places: &Places) -> Value {
    json!({
        "name": name(role),
        "config_discovery": {
            "config_source": places.source(file_name(role)),
            "type_urls": [format!("type.googleapis.com/{WASM}")],
        },
    })
}

/// The discovery response with the plugin of that role.
pub(super) fn resource(
    role: Role,
    gateway: &Gateway,
    upstreams: &[Upstream<'_>],
    places: &Places,
) -> Value {
    let plugin = extension_config(role, gateway, upstreams, places);
    discovery(vec![any("envoy.config.core.v3.TypedExtensionConfig", plugin)])
}

/// The plugin of that role.
pub(super) fn extension_config(
    role: Role,
    gateway: &Gateway,
    upstreams: &[Upstream<'_>],
    places: &Places,
) -> Value {
    let settings = settings(role, gateway, upstreams);
    // A map with text keys and raw JSON always serialises.
    let settings = serde_json::to_string(&settings).unwrap_or_default();
    let config = json!({
        "name": name(role),
        "root_id": name(role),
        // The same for both roles, so that they share one VM per worker.
        "vm_config": {
            "vm_id": "portkey",
            "runtime": "envoy.wasm.runtime.v8",
            "code": code(&places.module),
        },
        "configuration": any("google.protobuf.StringValue", json!({ "value": settings })),
        // After a panic the next request gets a new VM; every other policy answers 503 for ever.
        "failure_policy": "FAIL_RELOAD",
        "reload_config": { "backoff": { "base_interval": "0.1s", "max_interval": "1s" } },
        // Headers are held while the body is read, instead of stopping the whole stream.
        "allow_on_headers_stop_iteration": true,
    });
    let config = merge(config, capability::restriction());
    json!({ "name": name(role), "typed_config": any(WASM, json!({ "config": config })) })
}

fn code(module: &Module) -> Value {
    match module {
        Module::File(path) => json!({ "local": { "filename": path } }),
        Module::Remote(uri, sha256) => {
            // Istio's agent fetches it, so that no cluster is behind the name.
            let uri = json!({ "uri": uri, "cluster": "none", "timeout": "60s" });
            let hash = sha256.as_ref().map_or_else(|| json!({}), |hash| json!({ "sha256": hash }));
            json!({ "remote": merge(json!({ "http_uri": uri }), hash) })
        }
    }
}

fn settings(role: Role, gateway: &Gateway, upstreams: &[Upstream<'_>]) -> Settings {
    let upstreams = upstreams.iter().map(|one| (one.cluster.clone(), one.settings.clone()));
    Settings {
        version: VERSION,
        role,
        max_body_bytes: gateway.limits.request_body,
        request_timeout: gateway.limits.request_timeout,
        google_token_url: gateway.google_token_url.clone().filter(|_| role == Role::Provider),
        upstreams: upstreams.collect(),
        virtual_keys: match role {
            Role::Gateway => virtual_keys(gateway),
            // The plan names clusters.
            Role::Provider => BTreeMap::new(),
        },
        default_config: match role {
            Role::Gateway => gateway.default_config.clone(),
            Role::Provider => None,
        },
        configs: match role {
            Role::Gateway => gateway.configs.clone(),
            // The gateway role has put what matters of them into the plan.
            Role::Provider => BTreeMap::new(),
        },
        cache: match role {
            Role::Gateway => cache::settings(gateway),
            Role::Provider => None,
        },
        prices: match role {
            Role::Gateway => gateway.prices.clone(),
            Role::Provider => Catalogue::default(),
        },
        callers: match role {
            Role::Gateway => callers::settings(gateway),
            Role::Provider => None,
        },
        metrics: match role {
            Role::Gateway => gateway.metrics.as_ref().map(|metrics| measured(metrics, gateway)),
            Role::Provider => None,
        },
        traces: match role {
            Role::Gateway => traces::settings(gateway),
            // The plan tells.
            Role::Provider => None,
        },
        log_bodies: match role {
            Role::Gateway => gateway.log_bodies.clone(),
            Role::Provider => None,
        },
        custom_hosts: match role {
            Role::Gateway => gateway.custom_hosts.iter().map(custom_host).collect(),
            Role::Provider => Vec::new(),
        },
    }
}

fn virtual_keys(gateway: &Gateway) -> BTreeMap<String, VirtualKey> {
    let virtual_key = |(slug, key): (&String, &model::VirtualKey)| {
        let places = 0..key.credentials.len().max(1);
        let access = &key.access;
        let settings = VirtualKey {
            clusters: places.map(|place| virtual_key_cluster(slug, place)).collect(),
            allowed_models: access.allowed_models.clone(),
            allowed_callers: access.allowed_callers.clone(),
            expires_at: access.expires_at,
            disabled: access.disabled,
        };
        (slug.clone(), settings)
    };
    gateway.virtual_keys.iter().map(virtual_key).collect()
}

/// What is measured, with the models that the file names.
fn measured(metrics: &model::Metrics, gateway: &Gateway) -> Metrics {
    let mut models: BTreeSet<String> = metrics.models.iter().cloned().collect();
    for key in gateway.virtual_keys.values() {
        let params = [&key.default_params, &key.override_params];
        params.into_iter().flatten().for_each(|params| add_models(&mut models, params.get()));
        models.extend(key.access.allowed_models.iter().flatten().cloned());
    }
    gateway.configs.values().for_each(|config| add_models(&mut models, config.get()));
    let callers = gateway.callers.iter().flat_map(|callers| callers.keys.values());
    models.extend(callers.flat_map(|caller| caller.models.iter().flatten().cloned()));
    let semantic = gateway.cache.as_ref().and_then(|cache| cache.semantic.as_ref());
    models.extend(semantic.map(|semantic| semantic.model.clone()));
    models.retain(|model| !model.ends_with('*'));
    Metrics {
        tags: metrics.tags.clone(),
        models,
        max_values: metrics.max_values,
        max_series: metrics.max_series,
    }
}

/// Adds what stands under `model` wherever in the JSON it is.
fn add_models(models: &mut BTreeSet<String>, json: &str) {
    let mut rest: Vec<Value> = serde_json::from_str(json).into_iter().collect();
    while let Some(value) = rest.pop() {
        match value {
            Value::Object(members) => {
                models.extend(members.get("model").and_then(Value::as_str).map(str::to_owned));
                rest.extend(members.into_iter().map(|(_, member)| member));
            }
            Value::Array(items) => rest.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

fn custom_host(host: &model::CustomHost) -> CustomHost {
    CustomHost { host: host.to_string(), private: host.private }
}
