//! The way in: a host that applications use as if it were a server, and with an egress gateway the
//! way to that, by mutual TLS.

use serde_json::{Value, json};

use super::{Mesh, Mode};

/// Name of the route of the VirtualService that is the gateway's.
pub(super) const ROUTE: &str = "portkey";
/// Name of the Gateway.
pub(super) const GATEWAY: &str = "portkey";
/// Port of the egress gateway for mutual TLS.
pub(super) const TLS_PORT: u16 = 443;
/// An address that no network has (RFC 5737): the host needs one of its own, which nobody dials.
const ADDRESS: &str = "192.0.2.80";

/// All of them.
pub(super) fn resources(mesh: &Mesh) -> Vec<Value> {
    match mesh.mode {
        Mode::Gateway => vec![host(mesh), gateway(mesh), to_gateway(mesh), routes(mesh)],
        Mode::Sidecar => vec![host(mesh), routes(mesh)],
    }
}

/// Makes the host known. No request goes to it: the route sends each elsewhere.
fn host(mesh: &Mesh) -> Value {
    let spec = json!({
        "hosts": [mesh.host],
        "addresses": [ADDRESS],
        "ports": [{ "number": mesh.port, "name": "http", "protocol": "HTTP" }],
        "location": "MESH_INTERNAL",
        "resolution": "STATIC",
        "endpoints": [{ "address": ADDRESS }],
    });
    mesh.networking("ServiceEntry", "portkey-host", spec)
}

fn gateway(mesh: &Mesh) -> Value {
    let server = json!({
        "port": { "number": TLS_PORT, "name": "https-portkey", "protocol": "HTTPS" },
        "hosts": [mesh.host],
        "tls": { "mode": "ISTIO_MUTUAL" },
    });
    mesh.networking("Gateway", GATEWAY, json!({ "selector": mesh.labels(), "servers": [server] }))
}

fn to_gateway(mesh: &Mesh) -> Value {
    let tls = json!({ "mode": "ISTIO_MUTUAL", "sni": mesh.host });
    let port = json!({ "port": { "number": TLS_PORT }, "tls": tls });
    let subset = json!({ "name": ROUTE, "trafficPolicy": { "portLevelSettings": [port] } });
    let spec = json!({ "host": mesh.egress_service, "subsets": [subset] });
    mesh.networking("DestinationRule", "portkey-egress", spec)
}

/// One attempt, without a limit: what is tried again, and when it is late, the module says.
fn routes(mesh: &Mesh) -> Value {
    let nowhere =
        json!([{ "destination": { "host": mesh.host, "port": { "number": mesh.port } } }]);
    let ours = json!({ "name": ROUTE, "route": nowhere, "retries": { "attempts": 0 } });
    let spec = match mesh.mode {
        Mode::Sidecar => json!({ "hosts": [mesh.host], "gateways": ["mesh"], "http": [ours] }),
        Mode::Gateway => {
            let egress = json!([{ "destination": {
                "host": mesh.egress_service,
                "subset": ROUTE,
                "port": { "number": TLS_PORT },
            } }]);
            let to_egress = json!({
                "name": "portkey-egress",
                "match": [{ "gateways": ["mesh"], "port": mesh.port }],
                "route": egress,
                "retries": { "attempts": 0 },
            });
            let at_egress = json!({ "match": [{ "gateways": [GATEWAY], "port": TLS_PORT }] });
            let http = json!([to_egress, super::super::merge(ours, at_egress)]);
            json!({ "hosts": [mesh.host], "gateways": ["mesh", GATEWAY], "http": http })
        }
    };
    mesh.networking("VirtualService", "portkey", spec)
}
