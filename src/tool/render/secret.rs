//! SDS files: one credential each.

use serde_json::json;

use super::{File, SECRETS, any, discovery, file};
use crate::tool::upstream::Credential;

/// Name of the secret of a virtual key.
pub(super) fn name(slug: &str) -> String {
    format!("vk.{slug}")
}

/// Path of its file below the directory.
pub(super) fn path(slug: &str) -> String {
    format!("{SECRETS}/{slug}.json")
}

/// The file.
pub(super) fn sds(credential: &Credential<'_>) -> File {
    let secret = json!({
        "name": name(credential.slug),
        "generic_secret": { "secret": { "inline_string": credential.secret.reveal() } },
    });
    let secret = any("envoy.extensions.transport_sockets.tls.v3.Secret", secret);
    file(path(credential.slug), discovery(vec![secret]))
}
