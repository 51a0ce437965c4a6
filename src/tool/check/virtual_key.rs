//! Virtual keys: a provider, credentials for it, and which requests may use them.

use std::collections::BTreeMap;

use super::credential::WAYS;
use super::{Checker, aws, setting};
use crate::provider::{self, Auth, Provider};
use crate::tool::field::{Field, Fields, Problems, suggest};
use crate::tool::model::{Access, Callers, Overrides, VirtualKey};
use crate::tool::yaml::Node;

const KEYS: [&str; 9] = [
    "provider",
    "base_url",
    "timeout",
    "headers",
    "default_params",
    "override_params",
    "allowed_models",
    "allowed_callers",
    "expires_at",
];

impl Checker<'_> {
    pub(super) fn virtual_keys(
        &mut self,
        entries: &[(&str, Field<'_>)],
        providers: &BTreeMap<&'static str, Overrides>,
        callers: Option<&Callers>,
    ) -> BTreeMap<String, VirtualKey> {
        let mut keys = BTreeMap::new();
        for (slug, entry) in entries {
            self.slug(&entry.path, slug);
            if let Some(key) = self.virtual_key(entry) {
                let none = Overrides::default();
                let inherited = providers.get(key.provider.slug).unwrap_or(&none);
                self.check_place(&entry.path, key.provider, &key.overrides, inherited);
                self.check_callers(&entry.path, &key.access, callers);
                keys.insert((*slug).to_owned(), key);
            }
        }
        keys
    }

    fn virtual_key(&mut self, entry: &Field<'_>) -> Option<VirtualKey> {
        let mut unnoted = Problems::default();
        let entries = entry.entries(&mut unnoted);
        let slug = entries.iter().find(|(key, _)| *key == "provider");
        let row = slug.and_then(|(_, field)| provider::find(field.text(&mut unnoted)?));
        let account = setting::service_account(row);
        let known = KEYS
            .into_iter()
            .chain(WAYS)
            .chain(["disabled"])
            .chain(setting::names(row))
            .chain(aws::names(row).iter().copied())
            .chain(account);
        let fields = Fields::open(entry, &known.collect::<Vec<_>>(), &mut self.problems);
        let mut overrides = self.overrides(&fields, row);
        let mut params = |name| fields.get(name).and_then(|field| self.object(field));
        let (default_params, override_params) =
            (params("default_params"), params("override_params"));
        let access = self.access(&fields);
        let credentials = self.credentials(&fields);
        let account = account.and_then(|name| fields.get(name));
        let service_account =
            account.and_then(|field| self.service_account(field, &mut overrides.settings));
        let Some(provider) = fields.get("provider") else {
            self.problems.add(&entry.path, "needs a provider");
            return None;
        };
        let slug = provider.text(&mut self.problems)?;
        let provider = self.provider(&provider.path, slug)?;
        let aws = self.aws_credentials(&entry.path, provider, &fields);
        self.check_credentials(entry, provider, &fields, account.is_some());
        Some(VirtualKey {
            provider,
            credentials,
            service_account,
            aws,
            overrides,
            default_params,
            override_params,
            access,
        })
    }

    /// Which requests may use it.
    fn access(&mut self, fields: &Fields<'_>) -> Access {
        let mut names = |name| fields.get(name).map(|field| self.some_texts(field));
        let (allowed_models, allowed_callers) = (names("allowed_models"), names("allowed_callers"));
        let inner = |name: &String| name.strip_suffix('*').unwrap_or(name).contains('*');
        if allowed_models.iter().flatten().any(inner)
            && let Some(field) = fields.get("allowed_models")
        {
            self.problems.add(&field.path, "a * stands at the end of a name");
        }
        Access {
            allowed_models,
            allowed_callers,
            expires_at: fields.get("expires_at").and_then(|field| self.time(field)),
            disabled: self.flag(fields.get("disabled")).unwrap_or_default(),
        }
    }

    /// Whether the callers that a virtual key is for can be told; what a token says may be any name.
    fn check_callers(&mut self, path: &str, access: &Access, callers: Option<&Callers>) {
        let Some(names) = &access.allowed_callers else { return };
        let path = format!("{path}.allowed_callers");
        let Some(callers) = callers else {
            let message = "no caller is known by name: there are neither api_keys nor jwt";
            return self.problems.add(&path, message);
        };
        for name in names.iter().filter(|name| !callers.keys.contains_key(*name)) {
            if callers.jwt.is_none() {
                let hint = suggest(name, callers.keys.keys().map(String::as_str));
                self.problems.add(&path, format_args!("unknown caller {name:?}{hint}"));
            }
        }
    }

    /// A list of texts, of which there must be some: a list of none is surely a mistake.
    pub(super) fn some_texts(&mut self, field: &Field<'_>) -> Vec<String> {
        let items = field.items(&mut self.problems).unwrap_or_default();
        if items.is_empty() && matches!(field.node, Node::List(_)) {
            self.problems.add(&field.path, "must not be empty");
        }
        let texts = items.iter().filter_map(|item| item.text(&mut self.problems));
        texts.map(str::to_owned).collect()
    }

    /// Whether there are credentials where the provider takes some.
    fn check_credentials(
        &mut self,
        entry: &Field<'_>,
        provider: &Provider,
        fields: &Fields<'_>,
        has_account: bool,
    ) {
        let key = WAYS.iter().find_map(|way| fields.get(way));
        if let Some(field) = fields.get("entra").filter(|_| provider.token.is_none()) {
            self.problems.add(&field.path, format_args!("{} takes no such token", provider.slug));
        }
        if let (Some(field), Auth::Aws(_)) = (fields.get("oauth2"), provider.auth) {
            self.problems.add(&field.path, format_args!("{} takes no such token", provider.slug));
        }
        match (provider.auth.header().is_some(), key) {
            _ if matches!(provider.auth, Auth::Aws(_)) => {}
            (true, Some(field)) if has_account => {
                self.problems.add(&field.path, "an api_key or a service account, not both");
            }
            (true, None) if has_account => {}
            (true, None) => self.problems.add(&entry.path, "needs an api_key"),
            (false, Some(field)) => {
                self.problems.add(&field.path, format_args!("{} takes no key", provider.slug));
            }
            _ => {}
        }
    }
}
