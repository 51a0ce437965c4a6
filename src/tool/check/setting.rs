//! The settings of providers: what a vendor needs to know beside a key.

use super::Checker;
use crate::provider::{Kind, Provider, Values, placeholders};
use crate::tool::field::Fields;
use crate::tool::model::Overrides;
use crate::tool::upstream::key_settings;
use crate::tool::yaml::Node;

/// The keys of gateway.yaml that are settings of this provider. Secrets are none: they would stand
/// in the module's configuration.
pub(super) fn names(row: Option<&'static Provider>) -> impl Iterator<Item = &'static str> {
    let settings = row.map(|row| row.settings).unwrap_or_default();
    settings.iter().filter(|setting| setting.kind != Kind::Secret).map(|setting| setting.name)
}

impl Checker<'_> {
    pub(super) fn settings(
        &mut self,
        fields: &Fields<'_>,
        row: Option<&'static Provider>,
    ) -> Values {
        let mut values = Values::default();
        for setting in row.map(|row| row.settings).unwrap_or_default() {
            // A secret of the same name is Envoy's business.
            let field = fields.get(setting.name).filter(|_| setting.kind != Kind::Secret);
            let Some(field) = field else { continue };
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
