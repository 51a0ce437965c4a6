//! The gateway as resources of Istio, in front of which its proxies do what they do for all others:
//! the way in is a VirtualService, the way to a provider a ServiceEntry with a DestinationRule. Two
//! EnvoyFilters, one a role, put our part between them.
//!
//! Fields: <https://istio.io/latest/docs/reference/config/networking/>. How Istio applies patches:
//! `pilot/pkg/networking/core/envoyfilter` of its repository.

mod filter;
mod front;
mod services;
mod workload;

use serde_json::{Map, Value, json};

use super::{Delivery, File, Module, Places};
use crate::contract::CREDENTIAL_HEADERS;
use crate::provider::{self, Kind};
use crate::tool::model::{Gateway, Origin, Overrides, VirtualKey};
use crate::tool::upstream::{self, Endpoint, Upstream};

/// Where the filter runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// In the egress gateway, for all applications that are let through.
    Gateway,
    /// In the sidecar of each application.
    Sidecar,
}

/// What the cluster is like; every value is checked.
#[derive(Debug, clap::Args)]
pub struct Mesh {
    /// Where the filter runs.
    #[arg(long, value_enum, default_value = "gateway")]
    pub mode: Mode,
    /// Namespace of the resources, and of the pods that they are for.
    #[arg(long, value_name = "NAME", default_value = "istio-system")]
    pub namespace: String,
    /// Label of those pods: in a sidecar's case those of the application.
    #[arg(long, value_name = "KEY=VALUE", default_value = "istio=egressgateway")]
    pub selector: String,
    /// The host that applications use as `http://HOST/v1`.
    #[arg(long, value_name = "HOST", default_value = "llm.mesh")]
    pub host: String,
    /// Its port. A sidecar has one listener for all HTTP of a port, so there it should be its own.
    #[arg(long, value_name = "PORT", default_value_t = 80)]
    pub port: u16,
    /// Service of the egress gateway.
    #[arg(
        long,
        value_name = "HOST",
        default_value = "istio-egressgateway.istio-system.svc.cluster.local"
    )]
    pub egress_service: String,
    /// Namespaces that may use the egress gateway for this; default: all.
    #[arg(long = "allow-namespace", value_name = "NAME")]
    pub allow_namespaces: Vec<String>,
    /// The filter: a file in the proxy's container, or a URI (oci://, https://) that Istio's agent
    /// fetches.
    #[arg(long, value_name = "PATH|URI", default_value = "/etc/portkey/portkey_envoy.wasm")]
    pub module: String,
    /// SHA-256 of the filter, for https://.
    #[arg(long, value_name = "HEX")]
    pub sha256: Option<String>,
    /// Directory in the proxy's container where the Secret of the virtual keys is mounted.
    #[arg(long, value_name = "DIR", default_value = "/etc/portkey")]
    pub directory: std::path::PathBuf,
    /// CA certificates in the proxy's container.
    #[arg(long, value_name = "FILE", default_value = "/etc/ssl/certs/ca-certificates.crt")]
    pub trusted_ca: std::path::PathBuf,
}

impl Mesh {
    /// Makes sure that what goes into names is fit for it.
    ///
    /// # Errors
    /// Every value that is not.
    pub fn check(&self) -> Result<(), Vec<String>> {
        let is_name = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b))
        };
        let is_label =
            |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._/".contains(&b));
        let mut problems = Vec::new();
        let names = [("host", &self.host), ("namespace", &self.namespace)];
        let names = names.into_iter().chain([("egress-service", &self.egress_service)]);
        let allowed = self.allow_namespaces.iter().map(|name| ("allow-namespace", name));
        for (flag, value) in names.chain(allowed).filter(|(_, value)| !is_name(value)) {
            problems.push(format!("--{flag}: {value:?} is no name of a host or namespace"));
        }
        if self.label().is_none_or(|(key, value)| !is_label(key) || !is_label(value)) {
            problems.push(format!("--selector: {:?} is not KEY=VALUE", self.selector));
        }
        if self.module.starts_with("http") && self.sha256.is_none() {
            problems.push("--sha256: needed with a module from a server".to_owned());
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(problems),
        }
    }

    fn label(&self) -> Option<(&str, &str)> {
        self.selector.split_once('=').filter(|(key, value)| !key.is_empty() && !value.is_empty())
    }

    /// The labels of the pods, as a selector has them.
    fn labels(&self) -> Value {
        let pairs = self.label().into_iter().map(|(key, value)| (key.to_owned(), value.into()));
        Value::Object(pairs.collect::<Map<String, Value>>())
    }

    fn places(&self) -> Places {
        let is_uri = self.module.contains("://");
        Places {
            directory: self.directory.clone(),
            delivery: Delivery::Ads,
            module: match is_uri {
                true => Module::Remote(self.module.clone(), self.sha256.clone()),
                false => Module::File(self.module.clone().into()),
            },
            trusted_ca: self.trusted_ca.clone(),
        }
    }

    fn resource(&self, api: &str, kind: &str, name: &str, spec: Value) -> Value {
        json!({
            "apiVersion": api,
            "kind": kind,
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "labels": { "app.kubernetes.io/managed-by": "portkey-envoy" },
            },
            "spec": spec,
        })
    }

    fn networking(&self, kind: &str, name: &str, spec: Value) -> Value {
        self.resource("networking.istio.io/v1", kind, name, spec)
    }
}

/// Refuses what needs filters beside the gateway role, which are Istio's own business.
fn no_filters(gateway: &Gateway) -> Result<(), Vec<String>> {
    let Some(callers) = &gateway.callers else { return Ok(()) };
    let has_rate = callers.keys.values().any(|caller| caller.requests_per_minute.is_some());
    let asked = [
        ("jwt", callers.jwt.is_some(), "a RequestAuthentication"),
        ("rate_limit_service", callers.rate_limit_service.is_some(), "an EnvoyFilter"),
        ("api_keys: requests_per_minute", has_rate, "an EnvoyFilter"),
    ];
    let asked = asked.into_iter().filter(|(_, is_asked, _)| *is_asked);
    let problems: Vec<String> = asked
        .map(|(key, _, other)| format!("{key}: not in a mesh, where that is {other} of yours"))
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Every file. Those of the subdirectory `fill-in` are templates.
///
/// # Errors
/// What of the gateway.yaml cannot be in a mesh.
pub fn files(gateway: &Gateway, mesh: &Mesh) -> Result<Vec<File>, Vec<String>> {
    mesh.check()?;
    let upstreams = upstreams(gateway)?;
    no_secrets(gateway, &upstreams)?;
    no_filters(gateway)?;
    no_servers(&upstreams)?;
    let places = mesh.places();
    let mut files = vec![
        yaml("10-providers.yaml", services::resources(gateway, mesh, &upstreams)),
        yaml("20-provider-role.yaml", vec![filter::provider(gateway, mesh, &upstreams, &places)]),
        yaml("30-front.yaml", front::resources(mesh)),
        yaml("40-gateway-role.yaml", vec![filter::gateway(gateway, mesh, &upstreams, &places)]),
        yaml("50-telemetry.yaml", vec![workload::telemetry(mesh)]),
        yaml("fill-in/secret.yaml", vec![workload::secret(mesh, &upstreams)]),
        yaml("fill-in/pod-patch.yaml", vec![workload::pod_patch(mesh)]),
    ];
    if let Some(policy) = workload::authorization(mesh) {
        files.push(yaml("60-authorization.yaml", vec![policy]));
    }
    Ok(files)
}

fn yaml(path: &str, resources: Vec<Value>) -> File {
    // A JSON value always serialises.
    let document = |one: &Value| serde_norway::to_string(one).unwrap_or_default();
    let documents: Vec<String> = resources.iter().map(document).collect();
    File { path: path.to_owned(), text: documents.join("---\n") }
}

/// Manifests are kept where others read them: a credential must be a virtual key's. Saved configs
/// are checked for that in any case.
fn no_secrets(gateway: &Gateway, upstreams: &[Upstream<'_>]) -> Result<(), Vec<String>> {
    let of_key = |(slug, key): (&String, &VirtualKey)| {
        secret_header(&key.overrides).map(|name| format!("virtual_keys.{slug}.headers.{name}"))
    };
    let of_provider = |(slug, overrides): (&&str, &Overrides)| {
        secret_header(overrides).map(|name| format!("providers.{slug}.headers.{name}"))
    };
    let found = gateway.virtual_keys.iter().filter_map(of_key);
    let found = found.chain(gateway.providers.iter().filter_map(of_provider));
    let found = found.chain(upstreams.iter().filter_map(|upstream| {
        let name = secret_setting(upstream)?;
        Some(format!("{}: {name}", upstream.cluster))
    }));
    let collectors = gateway.traces.iter().flat_map(|traces| traces.headers.keys());
    let found = found.chain(collectors.map(|name| format!("traces.headers.{name}")));
    let advice = "would be in a manifest: make it the api_key of a virtual key";
    let problems: Vec<String> = found.map(|place| format!("{place}: {advice}")).collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(problems),
    }
}

/// A mesh has no place for the clusters of servers that only Envoy itself asks.
fn no_servers(upstreams: &[Upstream<'_>]) -> Result<(), Vec<String>> {
    let asks = |upstream: &Upstream<'_>| {
        let credential = upstream.credential.as_ref()?;
        let server = matches!(credential.origin, Origin::Server { .. });
        (server || credential.exchange.is_some()).then(|| upstream.cluster.clone())
    };
    let advice = "a mesh does not lead to servers of secrets and tokens: use a file";
    let found = upstreams.iter().filter_map(asks);
    let problems: Vec<String> = found.map(|cluster| format!("{cluster}: {advice}")).collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(problems),
    }
}

fn secret_header(overrides: &Overrides) -> Option<&str> {
    let mut names = overrides.headers.keys().map(String::as_str);
    names.find(|name| CREDENTIAL_HEADERS.contains(name))
}

fn secret_setting(upstream: &Upstream<'_>) -> Option<&'static str> {
    let row = provider::find(&upstream.settings.provider)?;
    let mut secrets = row.settings.iter().filter(|setting| setting.kind == Kind::Secret);
    let secret = secrets.find(|setting| upstream.settings.settings.get(setting.name).is_some());
    secret.map(|setting| setting.name)
}

/// What gateway.yaml names. Nothing else is there: a mesh knows the hosts that it lets out.
fn upstreams(gateway: &Gateway) -> Result<Vec<Upstream<'_>>, Vec<String>> {
    let (mut upstreams, mut problems) = (Vec::new(), Vec::new());
    for mut upstream in upstream::list(gateway) {
        if !upstream.settings.listed {
            continue;
        }
        match upstream.endpoint {
            Endpoint::Name(url) => {
                upstream.endpoint = Endpoint::Mesh(url);
                upstream.settings.relayed = true;
            }
            Endpoint::NameOnUse => {
                problems.push(format!(
                    "{}: a mesh must know the host, so that settings or a base_url must name it",
                    upstream.cluster
                ));
                continue;
            }
            Endpoint::Address(_) | Endpoint::Mesh(_) | Endpoint::Internal(_) => {}
        }
        upstreams.push(upstream);
    }
    match problems.is_empty() {
        true => Ok(upstreams),
        false => Err(problems),
    }
}
