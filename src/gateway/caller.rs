//! The caller in the gateway role: who it is, and whether it may do what it asks for.

use super::models::Asked;
use super::resolve::Config;
use super::spending::{Held, Needs};
use super::{Gateway, World};
use crate::caller::scope::Place;
use crate::caller::{Identity, Policy};
use crate::config::registry::Upstream;
use crate::contract::header;
use crate::endpoint::{Endpoint, query_value};
use crate::error::Error;
use crate::http::Headers;
use crate::json::Object;
use crate::plan::{Plan, Target};
use crate::provider::virtual_key_of;
use serde_json::{Map, Value};

/// The caller of a request.
#[derive(Debug, Default)]
pub(super) struct Asking {
    /// Who it is; `None`: anybody may ask, or the gateway asks itself.
    pub identity: Option<Identity>,
    /// What the request may use.
    pub needs: Needs,
    /// What is held back for it.
    pub held: Held,
    /// Tokens that the request may use, or in the end has used, where a service counts them.
    pub tokens: Option<u64>,
    /// Headers of the answer that tell of limits.
    pub headers: Vec<(&'static str, String)>,
}

impl Asking {
    /// What holds for the caller.
    pub fn policy(&self) -> Option<&Policy> {
        self.identity.as_ref().map(|identity| identity.policy.as_ref())
    }

    /// What Envoy's rate limits know the caller by: whose rules hold, or to a service who it is.
    pub fn counted_as(&self, by_service: bool) -> Option<&str> {
        let identity = self.identity.as_ref()?;
        let policy = &identity.policy;
        match by_service {
            true => Some(&identity.name),
            false => policy.rules.requests_per_minute.map(|_| policy.name.as_str()),
        }
    }

    /// Slug of the config of requests that name nothing.
    pub fn default_config(&self) -> Option<&str> {
        self.policy()?.rules.default_config.as_deref()
    }
}

impl Gateway {
    /// Finds out who asks, where gateway.yaml names callers. Takes the key out of the headers.
    pub(super) fn identify(
        &mut self,
        world: &dyn World,
        headers: &mut Headers,
    ) -> Result<(), Error> {
        let Some(callers) = &self.registry.callers else { return Ok(()) };
        if let Some(name) = headers.text(header::CALLER) {
            // The listener drops the header: it is the gateway's own request on behalf of a caller.
            self.record.caller = Some(name.to_owned());
            return Ok(());
        }
        let identity = callers.identify(headers, world.tokens(), world.now() / 1_000_000_000)?;
        self.record.caller = Some(identity.name.clone());
        self.asking.identity = Some(identity);
        Ok(())
    }

    /// Puts the caller's metadata under those of the request.
    pub(super) fn add_metadata(&mut self) {
        let Some(policy) = self.asking.policy() else { return };
        let defaults = &policy.rules.metadata;
        if defaults.is_empty() {
            return;
        }
        let metadata = self.record.metadata.get_or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(members) = metadata else { return };
        for (name, value) in defaults {
            members.entry(name.as_str()).or_insert_with(|| value.clone());
        }
    }

    /// Refuses a config that the caller may not use; `named`: the request has asked for it.
    pub(super) fn check_config(&self, config: &Config, named: bool) -> Result<(), Error> {
        let Some(policy) = self.asking.policy() else { return Ok(()) };
        match config {
            Config::Saved(slug) => policy.check_config(Some(slug)),
            Config::Own(_) if named => policy.check_config(None),
            Config::Own(_) => Ok(()),
        }
    }

    /// Refuses what the caller may not use, wherever in the plan it is.
    pub(super) fn check_scope(
        &self,
        plan: &Plan,
        headers: &Headers,
        body: Option<&Object<'_>>,
    ) -> Result<(), Error> {
        let Some(policy) = self.asking.policy() else { return Ok(()) };
        let asked = Asked { endpoint: plan.endpoint, path: &plan.path, headers, body };
        for target in &plan.targets {
            let upstream = self.registry.upstream(&target.cluster);
            policy.check_place(Place {
                virtual_key: virtual_key_of(&target.cluster),
                provider: upstream.map_or("", |upstream| upstream.provider.slug),
            })?;
            let Some(upstream) = upstream.filter(|_| policy.rules.models.is_some()) else {
                continue;
            };
            let Some(models) = asked.models(target, upstream) else { continue };
            if models.is_empty() {
                policy.check_model(None)?;
            }
            for model in &models {
                policy.check_model(Some(model))?;
            }
        }
        Ok(())
    }
}

/// The model that the client asks for.
pub(super) fn model(plan: &Plan, body: Option<&Object<'_>>) -> Option<String> {
    match plan.endpoint {
        Endpoint::Realtime => query_value(&plan.path, "model"),
        _ => body.and_then(|body| body.string("model")),
    }
}

/// The model that a target asks for in the end, when the client asks for `asked`.
pub(super) fn model_of(
    upstream: Option<&Upstream>,
    target: &Target,
    asked: Option<&str>,
) -> Option<String> {
    let fixed = upstream.and_then(|upstream| fixed_by(upstream, target));
    let model = fixed.or_else(|| override_of(target)).or_else(|| asked.map(str::to_owned));
    model.or_else(|| default_of(upstream?, target))
}

/// The model that a target asks for instead.
pub(super) fn override_of(target: &Target) -> Option<String> {
    let params = target.override_params.as_ref()?;
    Object::parse(params.get().as_bytes()).ok()?.string("model")
}

/// The model that all requests ask for in the end.
fn fixed_by(upstream: &Upstream, target: &Target) -> Option<String> {
    let params = upstream.override_params.as_ref().filter(|_| target.custom_host.is_none())?;
    Object::parse(params.get().as_bytes()).ok()?.string("model")
}

/// The model of requests that name none.
fn default_of(upstream: &Upstream, target: &Target) -> Option<String> {
    let params = upstream.default_params.as_ref().filter(|_| target.custom_host.is_none())?;
    Object::parse(params.get().as_bytes()).ok()?.string("model")
}
