//! Files of one credential each: for SDS, and as AWS's tools have them.

use serde_json::json;

use super::{File, SECRETS, any, discovery, file};
use crate::tool::model::{AwsCredentials, Secret};
use crate::tool::upstream::{Credential, Signature};

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

/// The file.
pub(super) fn sds(credential: &Credential<'_>) -> File {
    let secret = json!({
        "name": name(&credential.file),
        "generic_secret": { "secret": { "inline_string": credential.secret.reveal() } },
    });
    let secret = any("envoy.extensions.transport_sockets.tls.v3.Secret", secret);
    file(path(&credential.file), discovery(vec![secret]))
}
