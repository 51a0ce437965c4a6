//! TLS of the listener that clients connect to. The certificate comes by SDS from a private file,
//! so that a new one cuts no connection.

use serde_json::{Value, json};

use super::{File, Places, any, discovery, file, merge, secret};
use crate::tool::model::Tls;

/// Files that no virtual key could have.
const CERTIFICATE: &str = "@tls.certificate";
const CLIENTS: &str = "@tls.clients";

/// The files for SDS.
pub(super) fn files(tls: &Tls) -> Vec<File> {
    let certificate = json!({
        "name": secret::name(CERTIFICATE),
        "tls_certificate": {
            "certificate_chain": { "inline_string": tls.certificate },
            "private_key": { "inline_string": tls.private_key.reveal() },
        },
    });
    let clients = tls.client_ca.as_ref().map(|pem| {
        let clients = json!({
            "name": secret::name(CLIENTS),
            "validation_context": { "trusted_ca": { "inline_string": pem } },
        });
        sds(CLIENTS, clients)
    });
    [sds(CERTIFICATE, certificate)].into_iter().chain(clients).collect()
}

fn sds(name: &str, message: Value) -> File {
    let message = any("envoy.extensions.transport_sockets.tls.v3.Secret", message);
    file(secret::path(name), discovery(vec![message]))
}

/// The transport socket of a filter chain for TCP, as a field of it.
pub(super) fn over_tcp(tls: &Tls, places: &Places) -> Value {
    let context = context(tls, places, json!(["h2", "http/1.1"]));
    json!({ "transport_socket": super::extension(
        "envoy.transport_sockets.tls",
        "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        context,
    ) })
}

/// The same for QUIC.
pub(super) fn over_quic(tls: &Tls, places: &Places) -> Value {
    let context = json!({ "downstream_tls_context": context(tls, places, json!(["h3"])) });
    json!({ "transport_socket": super::extension(
        "envoy.transport_sockets.quic",
        "envoy.extensions.transport_sockets.quic.v3.QuicDownstreamTransport",
        context,
    ) })
}

fn context(tls: &Tls, places: &Places, protocols: Value) -> Value {
    let reference =
        |name: &str| json!({ "name": secret::name(name), "sds_config": places.secret(name) });
    let common = json!({
        "tls_params": { "tls_minimum_protocol_version": "TLSv1_2" },
        "alpn_protocols": protocols,
        "tls_certificate_sds_secret_configs": [reference(CERTIFICATE)],
    });
    match tls.client_ca {
        None => json!({ "common_tls_context": common }),
        Some(_) => json!({
            "require_client_certificate": true,
            "common_tls_context": merge(
                common,
                json!({ "validation_context_sds_secret_config": reference(CLIENTS) }),
            ),
        }),
    }
}
