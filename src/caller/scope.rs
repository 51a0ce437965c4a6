//! What a caller may use.

use super::{FORBIDDEN, Policy};
use crate::error::Error;

/// Where a request may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// Slug of the virtual key, where it is one's.
    pub virtual_key: Option<&'a str>,
    /// Slug of the provider.
    pub provider: &'a str,
}

impl Policy {
    /// Whether the caller may go there. A virtual key is judged by `virtual_keys`, where that is
    /// given, else by its provider; a provider without one by `providers`, and where `virtual_keys`
    /// alone is given it is refused.
    pub fn allows(&self, place: Place<'_>) -> bool {
        let rules = &self.rules;
        let of_provider = rules.providers.as_ref().map(|list| has(list, place.provider));
        match (place.virtual_key, &rules.virtual_keys) {
            (Some(slug), Some(list)) => has(list, slug),
            (Some(_), None) => of_provider.unwrap_or(true),
            (None, list) => of_provider.unwrap_or(list.is_none()),
        }
    }

    /// Refuses a place.
    ///
    /// # Errors
    /// 403.
    pub fn check_place(&self, place: Place<'_>) -> Result<(), Error> {
        if self.allows(place) {
            return Ok(());
        }
        let name = &self.name;
        Err(match place.virtual_key {
            Some(slug) => {
                let hint = format!("{name:?} may not use the virtual key {slug:?}");
                forbidden("virtual_key_not_allowed", hint, "x-portkey-virtual-key")
            }
            None => {
                let provider = place.provider;
                let hint = format!("{name:?} may not use the provider {provider:?} by itself");
                forbidden("provider_not_allowed", hint, "x-portkey-provider")
            }
        })
    }

    /// Refuses a model; `None`: it is not known which one it is.
    ///
    /// # Errors
    /// 403.
    pub fn check_model(&self, model: Option<&str>) -> Result<(), Error> {
        let Some(list) = &self.rules.models else { return Ok(()) };
        let name = &self.name;
        let hint = match model {
            Some(model) if list.iter().any(|pattern| matches(pattern, model)) => return Ok(()),
            Some(model) => {
                let model: String = model.chars().take(128).collect();
                format!("{name:?} may not use the model {model:?}")
            }
            None => {
                format!("{name:?} may use some models only, and it cannot be told which this is of")
            }
        };
        Err(forbidden("model_not_allowed", hint, "model"))
    }

    /// Refuses a config: a saved one by its slug, or one of the caller's own.
    ///
    /// # Errors
    /// 403.
    pub fn check_config(&self, slug: Option<&str>) -> Result<(), Error> {
        let rules = &self.rules;
        let Some(list) = &rules.configs else { return Ok(()) };
        let name = &self.name;
        let hint = match slug {
            Some(slug) if has(list, slug) || rules.default_config.as_deref() == Some(slug) => {
                return Ok(());
            }
            Some(slug) => format!("{name:?} may not use the config {slug:?}"),
            None => format!("{name:?} may use saved configs only"),
        };
        Err(forbidden("config_not_allowed", hint, "x-portkey-config"))
    }
}

fn forbidden(code: &'static str, hint: String, param: &str) -> Error {
    Error::client(403, code, FORBIDDEN).with_hint(hint).with_param(param)
}

fn has(list: &[String], slug: &str) -> bool {
    list.iter().any(|one| one == slug)
}

/// Whether a pattern stands for a model: the same name, or the beginning of it before a `*`.
fn matches(pattern: &str, model: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => model.starts_with(prefix),
        None => pattern == model,
    }
}
