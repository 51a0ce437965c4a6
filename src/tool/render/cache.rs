//! The servers that the cache uses, and what the module is told of it.

use serde_json::Value;

use super::{Places, cluster, filters};
use crate::config::settings;
use crate::tool::model::{Cache, Gateway, Server};
use crate::tool::upstream::Credential;

/// Clusters of the servers.
const REDIS: &str = "cache.redis";
const QDRANT: &str = "cache.qdrant";

/// Each server with its cluster, and the header of its credential with what precedes it there.
fn servers(
    gateway: &Gateway,
) -> impl Iterator<Item = (&'static str, &Server, &'static str, &'static str)> {
    let cache = gateway.cache.as_ref();
    let redis = cache.and_then(|cache| cache.redis.as_ref());
    let semantic = cache.and_then(|cache| cache.semantic.as_ref());
    let qdrant = semantic.and_then(|semantic| semantic.qdrant.as_ref());
    let redis = redis.map(|server| (REDIS, server, "authorization", "Bearer "));
    redis.into_iter().chain(qdrant.map(|server| (QDRANT, server, "api-key", "")))
}

/// The credentials of the servers. Their files are none that a virtual key could have.
pub(super) fn credentials(gateway: &Gateway) -> Vec<Credential<'_>> {
    let with_secret = servers(gateway).filter_map(|(name, server, header, prefix)| {
        let file = if name == REDIS { "@cache.redis" } else { "@cache.qdrant" }.into();
        let origin = server.secret.as_ref()?;
        Some(Credential { file, header, prefix, origin, exchange: None })
    });
    with_secret.collect()
}

/// The clusters of the servers.
pub(super) fn clusters(gateway: &Gateway, places: &Places) -> Vec<Value> {
    let credentials = credentials(gateway);
    let of_server = |(name, server, ..): (&str, &Server, &str, &str)| {
        let credential = credentials.iter().find(|one| one.file.ends_with(name));
        let filters = credential.map(|one| filters::inject(one, places)).into_iter().collect();
        cluster::of_server(name, &server.url, filters, gateway, places)
    };
    servers(gateway).map(of_server).collect()
}

/// What the gateway role is told.
pub(super) fn settings(gateway: &Gateway) -> Option<settings::Cache> {
    let Cache {
        max_entries,
        max_bytes,
        max_entry_bytes,
        max_age,
        timeout,
        single_flight,
        redis,
        semantic,
    } = gateway.cache.as_ref()?;
    let server = |cluster: &str, server: &Server| settings::Server {
        cluster: cluster.to_owned(),
        authority: server.url.authority(),
        path: server.url.path.clone(),
    };
    let semantic = semantic.as_ref().map(|semantic| settings::Semantic {
        provider: semantic.provider.clone(),
        model: semantic.model.clone(),
        dimensions: semantic.dimensions,
        threshold: semantic.threshold,
        guard: semantic.guard,
        max_vectors: semantic.max_vectors,
        collection: semantic.collection.clone(),
        qdrant: semantic.qdrant.as_ref().map(|one| server(QDRANT, one)),
    });
    Some(settings::Cache {
        max_entries: *max_entries,
        max_bytes: *max_bytes,
        max_entry_bytes: *max_entry_bytes,
        max_age: *max_age,
        timeout: *timeout,
        single_flight: *single_flight,
        redis: redis.as_ref().map(|one| server(REDIS, one)),
        semantic,
    })
}
