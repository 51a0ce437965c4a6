//! What the pods need: secrets, who may call, what is traced.

use serde_json::{Map, Value, json};

use super::{Mesh, Mode};
use crate::tool::model::Origin;
use crate::tool::render::{SECRETS, any, discovery, secret};
use crate::tool::upstream::{Credential, Upstream};

/// Name of the Secret with the virtual keys.
const SECRET: &str = "portkey-virtual-keys";

/// A template: each entry is the SDS file of a virtual key, and lacks the key.
pub(super) fn secret(mesh: &Mesh, upstreams: &[Upstream<'_>]) -> Value {
    let credentials = upstreams.iter().filter_map(|upstream| upstream.credential.as_ref());
    let ours = |credential: &&Credential<'_>| matches!(credential.origin, Origin::Given(_));
    let credentials = credentials.filter(ours);
    let entries: Map<String, Value> = credentials
        .map(|credential| {
            let empty = json!({
                "name": secret::name(&credential.file),
                "generic_secret": { "secret": { "inline_string": "" } },
            });
            let empty = any("envoy.extensions.transport_sockets.tls.v3.Secret", empty);
            let text = format!("{:#}\n", discovery(vec![empty]));
            (format!("{}.json", credential.file), text.into())
        })
        .collect();
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {
            "name": SECRET,
            "namespace": mesh.namespace,
            "annotations": {
                "portkey-envoy/fill-in": "put each key into the inline_string of its entry",
            },
        },
        "stringData": entries,
    })
}

/// How the Secret gets into the proxy's container: for a sidecar by annotations, which its injector
/// reads, for a gateway as a volume of its Deployment.
pub(super) fn pod_patch(mesh: &Mesh) -> Value {
    let path = mesh.directory.join(SECRETS);
    let volume = json!({ "name": SECRET, "secret": { "secretName": SECRET } });
    let mount = json!({ "name": SECRET, "mountPath": path, "readOnly": true });
    let template = match mesh.mode {
        Mode::Sidecar => json!({ "metadata": { "annotations": {
            "sidecar.istio.io/userVolume": json!([volume]).to_string(),
            "sidecar.istio.io/userVolumeMount": json!([mount]).to_string(),
        } } }),
        Mode::Gateway => json!({ "spec": {
            "volumes": [volume],
            "containers": [{ "name": "istio-proxy", "volumeMounts": [mount] }],
        } }),
    };
    json!({ "spec": { "template": template } })
}

/// Who may use the egress gateway for our host. It denies all others, instead of allowing these,
/// as an allowing policy would close the gateway for all other hosts. A sidecar has none: policies
/// are for what comes in, and its application is the only one that reaches it.
pub(super) fn authorization(mesh: &Mesh) -> Option<Value> {
    if mesh.mode == Mode::Sidecar || mesh.allow_namespaces.is_empty() {
        return None;
    }
    let hosts = [mesh.host.clone(), format!("{}:*", mesh.host)];
    let spec = json!({
        "selector": { "matchLabels": mesh.labels() },
        "action": "DENY",
        "rules": [{
            "from": [{ "source": { "notNamespaces": mesh.allow_namespaces } }],
            "to": [{ "operation": { "hosts": hosts } }],
        }],
    });
    Some(mesh.resource("security.istio.io/v1", "AuthorizationPolicy", "portkey", spec))
}

/// The caller's trace id, on the spans of the proxies.
pub(super) fn telemetry(mesh: &Mesh) -> Value {
    let tag = json!({ "header": { "name": "x-portkey-trace-id" } });
    let spec = json!({
        "selector": { "matchLabels": mesh.labels() },
        "tracing": [{ "customTags": { "portkey.trace_id": tag } }],
    });
    mesh.resource("telemetry.istio.io/v1", "Telemetry", "portkey", spec)
}
