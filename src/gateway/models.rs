//! The models that a request may run, for virtual keys and callers that are for some models only.

use crate::attempt::effective;
use crate::config::registry::Upstream;
use crate::endpoint::{Endpoint, query_value};
use crate::http::Headers;
use crate::json::Object;
use crate::plan::Target;
use crate::provider::Layout;

/// What a request says of its models.
pub struct Asked<'a> {
    /// The operation.
    pub endpoint: Endpoint,
    /// Path and query, as providers get them.
    pub path: &'a str,
    /// The client's headers.
    pub headers: &'a Headers,
    /// The JSON body, if there is one.
    pub body: Option<&'a Object<'a>>,
}

impl Asked<'_> {
    /// The models that a provider will be asked for: none when they cannot be told, `None` when the
    /// request runs no model.
    pub fn models(&self, target: &Target, upstream: &Upstream) -> Option<Vec<String>> {
        let azure = upstream.provider.layout == Layout::Azure;
        // There it is the deployment that has a model.
        let deployment = target.settings.get("deployment_id").filter(|_| azure);
        let mut models = if self.endpoint == Endpoint::Realtime {
            let model = deployment.map(str::to_owned).or_else(|| query_value(self.path, "model"));
            model.into_iter().collect()
        } else if self.endpoint.takes_json() {
            // Without a body it will be refused.
            let body = effective(target, upstream, self.body?.clone())?;
            of_body(&body, deployment).unwrap_or_default()
        } else if only_reads(self.headers) || self.stores() {
            return None;
        } else {
            // In whatever else there is, also a path of the provider's own, a model may stand anywhere.
            Vec::new()
        };
        if !models.is_empty() {
            models.extend(of_settings(target, upstream));
        }
        Some(models)
    }

    /// Whether it leaves something with the provider that is for later, or ends that.
    fn stores(&self) -> bool {
        matches!(self.endpoint, Endpoint::Files | Endpoint::StoredResponses)
    }
}

/// Whether a request may run a model: all but those that only read, or delete, what is there.
pub(super) fn may_run(endpoint: Endpoint, headers: &Headers) -> bool {
    endpoint == Endpoint::Realtime || !only_reads(headers)
}

fn only_reads(headers: &Headers) -> bool {
    let method = headers.text(":method").unwrap_or_default();
    let steered = MORE_THAN_READS.iter().any(|name| headers.get(name).is_some());
    matches!(method, "GET" | "HEAD" | "DELETE") && !steered
}

/// Headers with which a GET may do anything: it becomes a WebSocket, or a provider takes it for
/// another method.
const MORE_THAN_READS: [&str; 4] =
    ["upgrade", "x-http-method-override", "x-method-override", "x-http-method"];

/// The model, and the further ones that some vendors take, as each may be the one that runs; `None`
/// when what is there cannot be read.
fn of_body(body: &Object<'_>, deployment: Option<&str>) -> Option<Vec<String>> {
    let model = deployment.map(str::to_owned).or_else(|| body.string("model"))?;
    let more = match body.get("models") {
        Some(raw) => serde_json::from_str::<Option<Vec<String>>>(raw).ok()?.unwrap_or_default(),
        None => Vec::new(),
    };
    Some([vec![model], more].concat())
}

/// Models in the caller's settings, as deployments are in paths.
fn of_settings(target: &Target, upstream: &Upstream) -> impl Iterator<Item = String> {
    let own = |name: &&str| upstream.settings.get(name).is_none();
    let is_model = |name: &&str| name.contains("deployment") || name.contains("model");
    let names = target.settings.names().filter(own).filter(is_model);
    names.filter_map(|name| target.settings.get(name)).map(str::to_owned)
}
