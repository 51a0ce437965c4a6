//! A virtual key in the name of a model: `@slug/model`, as Portkey's newer form has it.

use super::resolve::Resolver;
use crate::config::registry::Registry;
use crate::config::tree::{Known, split_model};
use crate::endpoint::{percent_encoded, query_value};
use crate::json::Object;

/// What a model's name says beside the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The virtual key, which exists.
    pub slug: String,
    /// The model without it.
    pub model: String,
}

impl Address {
    /// What the model of a request says: that of the body, or else of the query.
    pub fn of(registry: &Registry, path: &str, body: Option<&Object<'_>>) -> Option<Self> {
        let named = match body.and_then(|body| body.get("model")) {
            Some(raw) if raw.starts_with("\"@") => serde_json::from_str(raw).ok(),
            None if body.is_none() => query_value(path, "model"),
            _ => None,
        }?;
        let named: String = named;
        let (slug, model) = split_model(&named)?;
        let (slug, model) = (slug.to_owned(), model.to_owned());
        registry.has_virtual_key(&slug).then_some(Self { slug, model })
    }
}

impl Resolver<'_> {
    /// The path and query for providers: a model in the query without the virtual key.
    pub(super) fn path_for_providers(&self) -> String {
        let Some(address) = self.address.filter(|_| self.body.is_none()) else {
            return self.path.to_owned();
        };
        let (path, query) = self.path.split_once('?').unwrap_or((self.path, ""));
        let pairs: Vec<String> = query
            .split('&')
            .map(|pair| match query_value(&format!("?{pair}"), "model") {
                Some(_) => format!("model={}", percent_encoded(&address.model)),
                None => pair.to_owned(),
            })
            .collect();
        format!("{path}?{}", pairs.join("&"))
    }
}
