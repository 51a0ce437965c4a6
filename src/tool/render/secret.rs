//! Where Envoy has secrets from: files of one credential each, for SDS and as AWS's tools have them,
//! and sources that are not ours.

use serde_json::{Value, json};

use super::{File, Places, SECRETS, any, cache, cluster, discovery, file};
use crate::provider::BaseUrl;
use crate::tool::model::{AwsCredentials, Gateway, Origin, Secret};
use crate::tool::upstream::{self, Credential, Signature};

/// Name of the secret in a file.
pub(super) fn name(file: &str) -> String {
    format!("vk.{file}")
}

/// Path below the directory of the file with the AWS keys of a virtual key.
pub(super) fn aws_path(slug: &str) -> String {
    format!("{SECRETS}/{slug}.aws")
}

/// The file, for keys that gateway.yaml holds. Within the cluster they would be shown by Envoy's
/// admin interface.
pub(super) fn aws(signature: &Signature<'_>) -> Option<File> {
    let AwsCredentials::Keys { access_key_id, secret_access_key, session_token } =
        signature.credentials
    else {
        return None;
    };
    let line = |name: &str, secret: &Secret| format!("{name}={}\n", secret.reveal());
    let mut text = "[default]\n".to_owned();
    text.push_str(&line("aws_access_key_id", access_key_id));
    text.push_str(&line("aws_secret_access_key", secret_access_key));
    text.extend(session_token.as_ref().map(|token| line("aws_session_token", token)));
    Some(File { path: aws_path(signature.slug), text })
}

/// Path of its file below the directory.
pub(super) fn path(file: &str) -> String {
    format!("{SECRETS}/{file}.json")
}

/// The file, if it is for us to write.
pub(super) fn sds(credential: &Credential<'_>) -> Option<File> {
    let Origin::Given(secret) = credential.origin else { return None };
    let secret = json!({
        "name": name(&credential.file),
        "generic_secret": { "secret": { "inline_string": secret.reveal() } },
    });
    let secret = any("envoy.extensions.transport_sockets.tls.v3.Secret", secret);
    Some(file(path(&credential.file), discovery(vec![secret])))
}

/// Name and source of a credential's secret.
pub(super) fn config(credential: &Credential<'_>, places: &Places) -> Value {
    match credential.origin {
        Origin::Given(_) => json!({
            "name": name(&credential.file),
            "sds_config": places.secret(&credential.file),
        }),
        Origin::File { name, path, watched } => json!({
            "name": name,
            "sds_config": {
                "path_config_source": { "path": path, "watched_directory": { "path": watched } },
                "resource_api_version": "V3",
            },
        }),
        Origin::Server { name, url } => json!({
            "name": name,
            "sds_config": {
                "api_config_source": {
                    "api_type": "GRPC",
                    "transport_api_version": "V3",
                    "grpc_services": [{ "envoy_grpc": { "cluster_name": server(url) } }],
                },
                // A server that does not answer keeps the gateway's start waiting no longer.
                "initial_fetch_timeout": "2s",
                "resource_api_version": "V3",
            },
        }),
    }
}

/// The cluster of a server of secrets.
fn server(url: &BaseUrl) -> String {
    format!("sds.{}", url.authority())
}

/// The clusters of all servers of secrets. Envoy takes them from its bootstrap alone.
pub(super) fn clusters(gateway: &Gateway, places: &Places) -> Vec<Value> {
    let upstreams = upstream::list(gateway);
    let of_cache = cache::credentials(gateway);
    let credentials = upstreams.iter().filter_map(|one| one.credential.as_ref()).chain(&of_cache);
    let mut urls: Vec<&BaseUrl> = credentials
        .filter_map(|credential| match credential.origin {
            Origin::Server { url, .. } => Some(url),
            _ => None,
        })
        .collect();
    urls.sort_by_key(|url| server(url));
    urls.dedup_by_key(|url| server(url));
    let of_url = |url: &BaseUrl| {
        let cluster = cluster::of_server(&server(url), url, Vec::new(), gateway, places);
        cluster::with_http2(cluster)
    };
    urls.into_iter().map(of_url).collect()
}
