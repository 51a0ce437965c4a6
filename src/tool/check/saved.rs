//! Saved configs: that what they name exists, and that the module can read them.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::Checker;
use crate::config::reader::camel_case;
use crate::config::tree::{self, Known};
use crate::provider::{Kind, PROVIDERS};
use crate::tool::field::{Field, suggest};

/// The virtual keys of the same file.
struct Keys<'a>(&'a [&'a str]);

impl Known for Keys<'_> {
    fn has_virtual_key(&self, slug: &str) -> bool {
        self.0.contains(&slug)
    }
}

impl Checker<'_> {
    pub(super) fn configs(
        &mut self,
        field: &Field<'_>,
        keys: &[&str],
    ) -> BTreeMap<String, Box<RawValue>> {
        let mut configs = BTreeMap::new();
        for (slug, entry) in field.entries(&mut self.problems) {
            self.slug(&entry.path, slug);
            if let Some(json) = self.object(&entry) {
                let before = self.problems.count();
                self.references(&entry, keys);
                if self.problems.count() == before {
                    self.config(&entry.path, json.get(), keys);
                }
                configs.insert(slug.to_owned(), json);
            }
        }
        configs
    }

    /// Reads a config as the module does, which would refuse it on every request.
    fn config(&mut self, path: &str, json: &str, keys: &[&str]) {
        for problem in tree::read(json, &Keys(keys)).err().unwrap_or_default() {
            let below = problem.path.strip_prefix("config").unwrap_or_default();
            self.problems.add(&format!("{path}{below}"), problem.reason);
        }
    }

    /// Checks one object of a config: the root or a target.
    fn references(&mut self, object: &Field<'_>, keys: &[&str]) {
        for (key, entry) in object.entries(&mut self.problems) {
            match key {
                _ if is_secret(key) => {
                    // It would stand in Envoy's configuration for all to read who may see that.
                    let message = "a saved config holds no key: use a virtual key";
                    self.problems.add(&entry.path, message);
                }
                "virtual_key" => {
                    if let Some(slug) = entry.text(&mut self.problems) {
                        self.key_reference(&entry.path, slug, keys);
                    }
                }
                "provider" => {
                    if let Some(name) = entry.text(&mut self.problems) {
                        self.provider_reference(&entry.path, name, keys);
                    }
                }
                "targets" => {
                    for target in entry.items(&mut self.problems).unwrap_or_default() {
                        self.references(&target, keys);
                    }
                }
                _ => {}
            }
        }
    }

    /// A provider's slug, or `@slug` or `@slug/model`: a virtual key.
    fn provider_reference(&mut self, path: &str, name: &str, keys: &[&str]) {
        match name.strip_prefix('@') {
            Some(rest) => {
                let slug = rest.split('/').next().unwrap_or(rest);
                self.key_reference(path, slug, keys);
            }
            None => {
                self.provider(path, name);
            }
        }
    }

    fn key_reference(&mut self, path: &str, slug: &str, keys: &[&str]) {
        if !keys.contains(&slug) {
            let hint = suggest(slug, keys.iter().copied());
            self.problems.add(path, format_args!("unknown virtual key {slug:?}{hint}"));
        }
    }
}

/// Whether a field of a target is a credential, in either spelling.
fn is_secret(key: &str) -> bool {
    let settings = PROVIDERS.iter().flat_map(|row| row.settings);
    let secrets = settings.filter(|setting| setting.kind == Kind::Secret);
    let mut names = secrets.map(|setting| setting.name).chain(["api_key"]);
    names.any(|name| name == key || camel_case(name) == key)
}
