//! The settings of providers: what a vendor needs to know beside a key.

use super::Checker;
use crate::provider::{Kind, Provider, Values, placeholders};
use crate::service_account::{PROJECT, ServiceAccount};
use crate::tool::field::{Field, Fields};
use crate::tool::model::{Origin, Overrides, Secret};
use crate::tool::upstream::key_settings;
use crate::tool::yaml::Node;

/// The keys of gateway.yaml that are settings of this provider. Secrets are none: they would stand
/// in the module's configuration.
pub(super) fn names(row: Option<&'static Provider>) -> impl Iterator<Item = &'static str> {
    let settings = row.map(|row| row.settings).unwrap_or_default();
    settings.iter().filter(|setting| !setting.kind.is_secret()).map(|setting| setting.name)
}

/// The key of gateway.yaml that holds a service account, for providers that take one.
pub(super) fn service_account(row: Option<&'static Provider>) -> Option<&'static str> {
    let mut settings = row?.settings.iter();
    settings.find(|setting| setting.kind == Kind::ServiceAccount).map(|setting| setting.name)
}

impl Checker<'_> {
    /// The key of a service account: usually `file:`, of as many lines as Google's console writes.
    /// Its project is the virtual key's where that names none.
    pub(super) fn service_account(
        &mut self,
        field: &Field<'_>,
        settings: &mut Values,
    ) -> Option<Origin> {
        if let Node::Map(_) = field.node {
            let message = "cannot be by sds, since it is checked and read before Envoy has it";
            self.problems.add(&field.path, message);
            return None;
        }
        let text = self.secret_text(field)?;
        match ServiceAccount::parse(&text) {
            Ok(account) => {
                let project = account.project_id.as_deref();
                if let (None, Some(project)) = (settings.get(PROJECT), project) {
                    settings.set(PROJECT, project.to_owned());
                }
                Some(Origin::Given(Secret::new(account.to_json())))
            }
            Err(wanted) => {
                self.problems.add(&field.path, wanted);
                None
            }
        }
    }

    pub(super) fn settings(
        &mut self,
        fields: &Fields<'_>,
        row: Option<&'static Provider>,
    ) -> Values {
        let mut values = Values::default();
        let settings = row.map(|row| row.settings).unwrap_or_default();
        for setting in settings.iter().filter(|setting| !setting.kind.is_secret()) {
            let Some(field) = fields.get(setting.name) else { continue };
            let value = match field.node {
                // Such as an account that is a number.
                Node::Integer(number) => number.to_string(),
                _ => match field.text(&mut self.problems) {
                    Some(text) => text.to_owned(),
                    None => continue,
                },
            };
            match setting.kind.check(&value) {
                Ok(()) => values.set(setting.name, value),
                Err(wanted) => self.problems.add(&field.path, wanted),
            }
        }
        values
    }

    /// The place that a virtual key's secret is sent to must not depend on the caller.
    pub(super) fn check_place(
        &mut self,
        path: &str,
        row: &Provider,
        own: &Overrides,
        inherited: &Overrides,
    ) {
        if own.base_url.is_some() || inherited.base_url.is_some() {
            return;
        }
        let values = key_settings(row, own, inherited);
        for name in placeholders(row.base_url) {
            if values.get(name).is_none() {
                self.problems.add(path, format_args!("needs {name}, or a base_url"));
            }
        }
    }
}
