//! Whether a request may use a virtual key, and which of its credentials it tries first.

use super::models::Asked;
use super::resolve::Resolver;
use crate::config::settings::VirtualKey;
use crate::error::Error;
use crate::plan::Target;

impl VirtualKey {
    /// Whether anything may keep a request from using it.
    pub fn is_restricted(&self) -> bool {
        let Self { clusters: _, allowed_models, allowed_callers, expires_at, disabled } = self;
        *disabled || allowed_models.is_some() || allowed_callers.is_some() || expires_at.is_some()
    }

    /// Whether a caller may use it now; `now` is Unix time in seconds.
    pub(super) fn admit(&self, slug: &str, caller: Option<&str>, now: u64) -> Result<(), Error> {
        let refuse = |status, kind, code, what: &str| {
            let message = format!("Portkey Virtual Key {slug} {what}");
            Err(Error { kind, ..Error::client(status, code, message) })
        };
        if self.disabled {
            let kind = "virtual_key_disabled_error";
            return refuse(403, kind, "virtual_key_disabled", "is disabled");
        }
        if self.expires_at.is_some_and(|end| now >= end) {
            let kind = "virtual_key_expired_error";
            return refuse(401, kind, "virtual_key_expired", "has expired");
        }
        let is_for = |names: &Vec<String>| {
            caller.is_some_and(|caller| names.iter().any(|name| name == caller))
        };
        if !self.allowed_callers.as_ref().is_none_or(is_for) {
            let kind = "virtual_key_not_allowed_error";
            return refuse(403, kind, "virtual_key_not_allowed", "is not for this caller");
        }
        Ok(())
    }
}

/// Whether a list of names, and beginnings of names that a `*` follows, has this one.
fn lists(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    })
}

impl Resolver<'_> {
    /// The clusters of a virtual key's credentials, in the order in which a request that is to
    /// become `target` tries them: a random one first, those that rest last.
    ///
    /// # Errors
    /// The request may not use it.
    pub(super) fn clusters(
        &self,
        slug: &str,
        key: &VirtualKey,
        target: &Target,
    ) -> Result<Vec<String>, Error> {
        if key.is_restricted() {
            key.admit(slug, self.caller, self.world.now() / 1_000_000_000)?;
            if let Some(allowed) = &key.allowed_models {
                self.admit_models(slug, allowed, target)?;
            }
        }
        if let [only] = key.clusters.as_slice() {
            return Ok(vec![only.clone()]);
        }
        let is_cooling = |cluster: &String| self.world.is_cooling(cluster);
        let (mut rest, mut rested): (Vec<String>, Vec<String>) =
            key.clusters.iter().cloned().partition(is_cooling);
        for turn in [&mut rested, &mut rest] {
            let count = u64::try_from(turn.len()).unwrap_or(1).max(1);
            turn.rotate_left(usize::try_from(self.world.random() % count).unwrap_or(0));
        }
        rested.append(&mut rest);
        Ok(rested)
    }

    /// Refuses models that a virtual key is not for, and what does not tell its model.
    fn admit_models(&self, slug: &str, allowed: &[String], target: &Target) -> Result<(), Error> {
        let path = &self.path_for_providers();
        let asked = Asked { endpoint: self.endpoint, path, headers: self.headers, body: self.body };
        let upstream = self.registry.upstream(&target.cluster);
        let Some(models) = upstream.and_then(|upstream| asked.models(target, upstream)) else {
            return Ok(());
        };
        let message = match models.iter().find(|model| !lists(allowed, model)) {
            Some(model) => {
                let model: String = model.chars().take(MAX_SHOWN).collect();
                format!("Model {model} is not allowed for this integration")
            }
            None if models.is_empty() => {
                "A request that does not tell its model is not allowed for this integration".into()
            }
            None => return Ok(()),
        };
        let error = Error::client(412, "model_not_allowed", message);
        Err(Error { kind: "model_not_allowed_error", ..error }
            .with_hint(format!("the virtual key {slug:?} is for some models only"))
            .with_param("model"))
    }
}

/// Characters of a model that an error shows.
const MAX_SHOWN: usize = 64;
