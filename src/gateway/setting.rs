//! What a target's provider needs to know beside a key.

use super::chain::Step;
use super::resolve::{Resolver, unique_text};
use crate::config::inherit;
use crate::config::registry::Upstream;
use crate::config::request::PREFIX;
use crate::error::Error;
use crate::json::Object;
use crate::provider::{self, BaseUrl, Layout, Provider, Values, azure};
use crate::service_account::{KEY_FILE, PROJECT, ServiceAccount};
use serde_json::value::RawValue;

impl Resolver<'_> {
    /// The provider's settings for this request. What gateway.yaml says cannot be changed, or a key
    /// of the operator's would go where a caller wants; then the config's target counts, then the
    /// headers, if it is they that name the provider.
    pub(super) fn provider_settings(
        &self,
        step: &Step<'_>,
        upstream: &Upstream,
        by_headers: bool,
    ) -> Result<Values, Error> {
        let row = upstream.provider;
        let mut values = Values::default();
        if row.settings.is_empty() {
            return Ok(values);
        }
        let defaults = self.defaults(step);
        for setting in row.settings {
            let name = setting.name;
            let given = upstream.settings.get(name).or(step.target.provider_settings.get(name));
            let header = format!("{PREFIX}{}", setting.header);
            let sent = match given {
                None if by_headers => unique_text(self.headers, &header)?,
                _ => None,
            };
            let default = setting.default.and_then(|text| defaults.expand(text).ok());
            let default = default.filter(|value| setting.kind.check(value).is_ok());
            let value = given.or(sent.as_deref()).or(default.as_deref());
            let Some(value) = value else { continue };
            setting.kind.check(value).map_err(|wanted| {
                let param = if sent.is_some() { header } else { format!("{}.{name}", step.path) };
                Error::invalid("invalid_setting", format!("Invalid {name} of {}", row.slug))
                    .with_hint(wanted)
                    .with_param(param)
            })?;
            values.set(name, value.to_owned());
        }
        // What the key of an account says, where nothing else names a project.
        if let (None, Some(key_file)) = (values.get(PROJECT), values.get(KEY_FILE))
            && let Some(project) = ServiceAccount::parse(key_file).ok().and_then(|it| it.project_id)
            && provider::setting(PROJECT).is_some_and(|it| it.kind.check(&project).is_ok())
        {
            values.set(PROJECT, project);
        }
        Ok(values)
    }

    /// The host that a caller chooses: by `custom_host`, or by a setting that is a URL and names
    /// none of the vendor's own. Checked.
    ///
    /// # Errors
    /// gateway.yaml does not allow it.
    pub(super) fn callers_host<'t>(
        &'t self,
        step: &'t Step<'_>,
        upstream: &'t Upstream,
        values: &'t Values,
    ) -> Result<Option<&'t str>, Error> {
        let own = step.target.settings.custom_host.as_deref();
        let (url, param) = match (self.options.custom_host, own, upstream.foreign_url(values)) {
            (Some(url), ..) => (url, "x-portkey-custom-host".to_owned()),
            (None, Some(url), _) => (url, format!("{}.custom_host", step.path)),
            (None, None, Some((name, url))) => (url, name.to_owned()),
            (None, None, None) => return Ok(None),
        };
        let refuse = |code, hint: String| {
            Err(Error::invalid(code, "Invalid custom host").with_hint(hint).with_param(param))
        };
        match BaseUrl::parse_public(url) {
            Err(error) => refuse("invalid_custom_host", error.to_string()),
            Ok(parsed) if !self.registry.allows_host(&parsed) => {
                let hint = "gateway.yaml's custom_hosts does not allow it".to_owned();
                refuse("custom_host_not_allowed", hint)
            }
            Ok(_) => Ok(Some(url)),
        }
    }

    /// What the defaults of settings may refer to.
    fn defaults(&self, step: &Step<'_>) -> Values {
        let mut values = Values::default();
        if let Some(user) = self.param(step, "user") {
            values.set("user", user);
        }
        if let Some(model) = self.param(step, "model") {
            let (base, adapter) = model.split_once(':').unwrap_or((&model, ""));
            values.set("base_model", base.to_owned());
            values.set("adapter", adapter.to_owned());
            values.set("model", model);
        }
        values
    }

    /// A text of the body for this target.
    fn param(&self, step: &Step<'_>, name: &str) -> Option<String> {
        self.override_param(step, name).or_else(|| match (name, self.address) {
            ("model", Some(address)) => Some(address.model.clone()),
            _ => self.body?.string(name),
        })
    }

    fn override_param(&self, step: &Step<'_>, name: &str) -> Option<String> {
        let params = step.target.settings.override_params.as_ref()?;
        Object::parse(params.get().as_bytes()).ok()?.string(name)
    }

    /// Override params, and the model where it is a setting, or where the client's name for it says
    /// more.
    pub(super) fn params(
        &self,
        step: &Step<'_>,
        row: &Provider,
        values: &Values,
    ) -> Option<Box<RawValue>> {
        let own = step.target.settings.override_params.clone();
        let setting = match row.layout {
            Layout::Azure => azure::model(values),
            Layout::Paths => row.model.map(|name| values.get(name).unwrap_or_default()),
        };
        let addressed = self.address.map(|address| address.model.as_str());
        let addressed = addressed
            .filter(|_| self.body.is_some() && self.override_param(step, "model").is_none());
        let Some(model) = setting.or(addressed) else { return own };
        if addressed.is_none() && self.param(step, "model").as_deref() == Some(model) {
            return own;
        }
        let mut params = Object::default();
        params.set("model", serde_json::Value::from(model).to_string());
        let params = String::from_utf8(params.to_vec()).ok();
        let params = params.and_then(|params| RawValue::from_string(params).ok());
        inherit::merge(own.clone(), params).unwrap_or(own)
    }
}
