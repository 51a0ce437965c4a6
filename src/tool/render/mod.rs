//! The Envoy configuration of a gateway, as JSON values. Key order is fixed, so the same
//! gateway.yaml gives the same bytes.

mod access_log;
mod bootstrap;
mod cache;
mod callers;
mod capability;
mod cluster;
mod custom;
mod filters;
mod forward;
mod fragments;
mod internal;
mod into;
pub mod istio;
mod listener;
mod plugin;
mod refusal;
mod relay;
mod resilience;
mod route;
mod secret;
mod stats;
mod tls;
mod traces;

use std::path::PathBuf;

use serde_json::{Value, json};

use super::model::Gateway;
use super::upstream::{self, Upstream};
use crate::config::settings::Role;
use crate::contract::header;

pub use fragments::{Parts, files as fragments};
pub use into::merge as merge_into;

/// What the configuration refers to; all paths are absolute, as Envoy resolves relative ones
/// from its working directory.
#[derive(Debug)]
pub struct Places {
    /// The directory of the files, where Envoy reads them.
    pub directory: PathBuf,
    /// How it gets what is not a secret.
    pub delivery: Delivery,
    /// The module.
    pub module: Module,
    /// The certificates that providers' certificates are checked against, in PEM.
    pub trusted_ca: PathBuf,
}

/// How Envoy gets the resources that change while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// From files of the directory.
    Files,
    /// From its control plane, beside everything else that this tells it.
    Ads,
}

/// Where the module is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Module {
    /// A file.
    File(PathBuf),
    /// An image or a file on a server: its URI, and its SHA-256 in hexadecimal unless it is an image.
    Remote(String, Option<String>),
}

impl Places {
    /// The source of that resource.
    fn source(&self, path: &str) -> Value {
        match self.delivery {
            Delivery::Files => json!({
                "path_config_source": { "path": self.directory.join(path) },
                "resource_api_version": "V3",
            }),
            Delivery::Ads => json!({
                "ads": {},
                // Without it nothing would be served until then.
                "initial_fetch_timeout": "0s",
                "resource_api_version": "V3",
            }),
        }
    }

    /// The source of a secret, which is always a file. Where a control plane tells the rest, the
    /// directory is a volume, whose files change by a move inside it.
    fn secret(&self, file: &str) -> Value {
        let path = self.directory.join(secret::path(file));
        let file = match self.delivery {
            Delivery::Files => json!({ "path": path }),
            Delivery::Ads => json!({
                "path": path,
                "watched_directory": { "path": self.directory.join(SECRETS) },
            }),
        };
        json!({ "path_config_source": file, "resource_api_version": "V3" })
    }
}

/// A rendered file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Relative to the directory.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Name of the file that Envoy is started with.
pub const BOOTSTRAP: &str = "bootstrap.json";
/// Directory of the files that hold one credential each.
pub const SECRETS: &str = "secrets";

const CLUSTERS: &str = "clusters.json";
const ROUTES: &str = "routes.json";
const CUSTOM_ROUTES: &str = "custom_routes.json";

/// Headers that mean something between the module and the rendered configuration: whatever comes
/// from outside with such a name is dropped.
const PRIVATE_HEADERS: [&str; 8] = [
    header::RETRY,
    header::RETRY_AFTER,
    header::CLUSTER,
    header::SCHEME,
    header::LOCAL,
    header::RELAYED,
    header::CALLER,
    header::SERVICE_ACCOUNT,
];

/// Every file of a gateway, in the order in which a running Envoy must get them: what is referred
/// to comes before what refers to it.
pub fn files(gateway: &Gateway, places: &Places) -> Vec<File> {
    let upstreams = upstream::list(gateway);
    let credentials = upstreams.iter().filter_map(|upstream| upstream.credential.as_ref());
    let mut files: Vec<File> = credentials.filter_map(secret::sds).collect();
    let signatures = upstreams.iter().filter_map(|upstream| upstream.signature.as_ref());
    files.extend(signatures.filter_map(secret::aws));
    files.extend(cache::credentials(gateway).iter().filter_map(secret::sds));
    files.extend(gateway.tls.iter().flat_map(tls::files));
    files.extend(traces::credentials(gateway).iter().filter_map(secret::sds));
    files.extend([
        file(CLUSTERS, cluster::resources(gateway, &upstreams, places)),
        file(ROUTES, route::resource(gateway, &upstreams)),
        file(CUSTOM_ROUTES, custom::resource(gateway)),
        plugin_file(Role::Provider, gateway, &upstreams, places),
        plugin_file(Role::Gateway, gateway, &upstreams, places),
    ]);
    files.extend(callers::filters(gateway).iter().map(callers::Filter::file));
    files.push(file(BOOTSTRAP, bootstrap::config(gateway, places)));
    files
}

/// Keys of gateway.yaml that ask for a filter of the listener, whose place is in the bootstrap, and
/// which an Envoy that was started with `started` lacks.
pub fn missing_filters(started: &Gateway, now: &Gateway) -> Vec<&'static str> {
    let there = callers::filters(started);
    let asked = callers::filters(now).into_iter().filter(|filter| filter.does_something);
    let missing = asked.filter(|filter| there.iter().all(|one| one.name != filter.name));
    let mut keys: Vec<_> = missing.map(|filter| filter.asked_by).collect();
    keys.dedup();
    keys
}

fn plugin_file(role: Role, gateway: &Gateway, upstreams: &[Upstream<'_>], places: &Places) -> File {
    file(plugin::file_name(role), plugin::resource(role, gateway, upstreams, places))
}

fn file(path: impl Into<String>, value: Value) -> File {
    File { path: path.into(), text: format!("{value:#}\n") }
}

/// A discovery response with these resources.
fn discovery(resources: Vec<Value>) -> Value {
    json!({ "resources": resources })
}

/// A message with its type, as `google.protobuf.Any` has it.
fn any(name: &str, mut message: Value) -> Value {
    if let Some(fields) = message.as_object_mut() {
        fields.insert("@type".to_owned(), format!("type.googleapis.com/{name}").into());
    }
    message
}

/// A named extension and its configuration.
fn extension(name: &str, message_type: &str, message: Value) -> Value {
    json!({ "name": name, "typed_config": any(message_type, message) })
}

/// A protobuf duration.
fn duration(milliseconds: u64) -> String {
    match milliseconds % 1000 {
        0 => format!("{}s", milliseconds / 1000),
        rest => format!("{}.{rest:03}s", milliseconds / 1000),
    }
}

/// A socket address.
fn socket_address(host: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": host, "port_value": port } })
}

/// The members of both objects.
fn merge(mut one: Value, other: Value) -> Value {
    if let (Some(fields), Value::Object(more)) = (one.as_object_mut(), other) {
        fields.extend(more);
    }
    one
}

/// A header, whatever its value was before.
fn set(name: &str, value: &str) -> Value {
    json!({
        "header": { "key": name, "value": value },
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    })
}

/// Mutations of request headers before anything else looks at them.
fn early_mutation(mutations: Vec<Value>) -> Value {
    extension(
        "envoy.http.early_header_mutation.header_mutation",
        "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        json!({ "mutations": mutations }),
    )
}
