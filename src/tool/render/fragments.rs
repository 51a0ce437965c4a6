//! What a user merges into an Envoy configuration of his own. Some files are whole resources, which
//! Envoy reads by itself; the others are parts, each with the name of the field that it belongs to.

use serde_json::{Value, json};

use super::{CLUSTERS, CUSTOM_ROUTES, ROUTES};
use super::{
    File, Places, access_log, any, bootstrap, cache, callers, cluster, custom, discovery, file,
    filters, internal, listener, merge, plugin_file, route, secret, stats, traces,
};
use crate::config::settings::Role;
use crate::tool::model::Gateway;
use crate::tool::upstream::{self, Upstream};

/// The part of a listener's paths that are the gateway's, where others are, too.
const PREFIX: &str = "/v1/";

/// The parts of a configuration that are not resources of their own.
#[derive(Debug)]
pub struct Parts {
    /// `bootstrap_extensions` of the bootstrap.
    pub bootstrap_extensions: Value,
    /// `stats_config` of the bootstrap.
    pub stats_config: Value,
    /// `clusters` of the bootstrap's `static_resources`: servers that get the log or have secrets.
    pub static_clusters: Value,
    /// Fields of the connection manager that clients reach.
    pub connection_manager: Value,
    /// `http_filters` of it, before the router.
    pub http_filters: Value,
    /// `access_log` of it.
    pub access_log: Value,
    /// `routes` of a virtual host, before those that match more.
    pub routes: Value,
    /// `http_filters` of the protocol options of each cluster, which `clusters.json` has as well.
    pub upstream_filters: Value,
}

impl Parts {
    /// Those of a gateway.
    pub fn new(gateway: &Gateway, places: &Places) -> Self {
        let upstreams = upstream::list(gateway);
        Self {
            bootstrap_extensions: bootstrap::extensions(),
            stats_config: stats::config(gateway),
            static_clusters: static_clusters(gateway, places).into(),
            connection_manager: merge(listener::options(gateway), listener::upgrades()),
            http_filters: listener::filters(gateway, places)
                .into_iter()
                .map(|filter| merge(filter, json!({ "disabled": true })))
                .collect(),
            access_log: access_log::of_ours(&gateway.logs).into(),
            routes: routes(gateway, &upstreams),
            upstream_filters: upstream_filters(&upstreams, places),
        }
    }

    fn files(&self) -> Vec<File> {
        let parts = [
            ("bootstrap_extensions", &self.bootstrap_extensions),
            ("stats_config", &self.stats_config),
            ("static_clusters", &self.static_clusters),
            ("connection_manager", &self.connection_manager),
            ("http_filters", &self.http_filters),
            ("access_log", &self.access_log),
            ("virtual_host_routes", &self.routes),
            ("upstream_filters", &self.upstream_filters),
        ];
        let part =
            |(name, value): (&str, &Value)| file(format!("parts/{name}.json"), value.clone());
        parts.into_iter().map(part).collect()
    }
}

/// Clusters that Envoy takes from its bootstrap alone.
pub(super) fn static_clusters(gateway: &Gateway, places: &Places) -> Vec<Value> {
    let mut clusters = access_log::clusters(gateway, places);
    clusters.extend(secret::clusters(gateway, places));
    clusters
}

/// Every file: secrets, resources, parts.
pub fn files(gateway: &Gateway, places: &Places) -> Vec<File> {
    let upstreams = upstream::list(gateway);
    let credentials = upstreams.iter().filter_map(|upstream| upstream.credential.as_ref());
    let mut files: Vec<File> = credentials.filter_map(secret::sds).collect();
    let signatures = upstreams.iter().filter_map(|upstream| upstream.signature.as_ref());
    files.extend(signatures.filter_map(secret::aws));
    files.extend(cache::credentials(gateway).iter().filter_map(secret::sds));
    files.extend(traces::credentials(gateway).iter().filter_map(secret::sds));
    let mut listeners = bootstrap::internal_listeners(places);
    listeners.push(internal::gateway(gateway, places));
    let listeners = listeners.into_iter().map(|one| any("envoy.config.listener.v3.Listener", one));
    files.extend([
        file(CLUSTERS, cluster::resources(gateway, &upstreams, places)),
        file("listeners.json", discovery(listeners.collect())),
        file(ROUTES, route::resource(gateway, &upstreams)),
        file(CUSTOM_ROUTES, custom::resource(gateway)),
        plugin_file(Role::Provider, gateway, &upstreams, places),
        plugin_file(Role::Gateway, gateway, &upstreams, places),
    ]);
    files.extend(callers::filters(gateway).iter().map(callers::Filter::file));
    files.extend(Parts::new(gateway, places).files());
    files
}

fn routes(gateway: &Gateway, upstreams: &[Upstream<'_>]) -> Value {
    let mut routes = route::splits(gateway, PREFIX);
    routes.extend(route::general(gateway, upstreams, PREFIX));
    let others = callers::filters(gateway);
    routes.into_iter().map(|one| merge(one, route::among_others(gateway, &others))).collect()
}

fn upstream_filters(upstreams: &[Upstream<'_>], places: &Places) -> Value {
    let chain =
        |one: &Upstream<'_>| (one.cluster.clone(), filters::of_provider(one, places).into());
    Value::Object(upstreams.iter().map(chain).collect())
}
