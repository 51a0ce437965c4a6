//! Who: the vendors, as data. What differs in wire format is code in [`crate::dialect`].

mod base_url;
mod not_yet;
mod quirk;
mod setting;
mod table;
mod touch;

pub use base_url::{BaseUrl, Scheme};
pub use not_yet::{NOT_YET, reason};
pub use quirk::{Quirk, apply};
pub use setting::{Kind, Missing, Setting, Values, placeholders};
pub use table::PROVIDERS;
pub use touch::{Touch, Touches};

use crate::dialect::Dialect;

/// One vendor.
#[derive(Debug)]
pub struct Provider {
    /// Portkey's name for it: the value of `x-portkey-provider`.
    pub slug: &'static str,
    /// Where its API is when nothing else says; see [`BaseUrl`]. May hold settings as placeholders.
    /// What replaces it (`base_url` in gateway.yaml, a custom host) is such a URL without any.
    pub base_url: &'static str,
    /// What stands between the base URL and the path of an operation: empty, or as `/v1`. It is
    /// left out after a base URL that ends with it.
    pub prefix: &'static str,
    /// Operations with a path of their own: OpenAI's below `/v1`, and the vendor's below the base
    /// URL, which may hold settings as placeholders.
    pub paths: &'static [(&'static str, &'static str)],
    /// The wire format that it speaks.
    pub dialect: Dialect,
    /// Whether it has chat completions.
    pub chat: bool,
    /// How it takes a credential.
    pub auth: Auth,
    /// What it needs to know beside a key.
    pub settings: &'static [Setting],
    /// Headers that every request to it carries; a client's own value of the same header wins. One
    /// whose placeholder has no value is left out.
    pub headers: &'static [(&'static str, &'static str)],
    /// Headers that a client may send on to it, also with `x-portkey-` before their name.
    pub client_headers: &'static [&'static str],
    /// What it wants otherwise in a body than its format has it.
    pub quirks: &'static [Quirk],
    /// What Portkey's answers of it have otherwise than its own.
    pub touches: &'static [Touch],
}

impl Provider {
    /// Path and query of an operation. `base` is the path of the base URL in use, `below` what
    /// OpenAI has below `/v1`.
    ///
    /// # Errors
    /// The path needs a setting that has no value.
    pub fn path(&self, base: &str, below: &str, settings: &Values) -> Result<String, Missing> {
        let root = base.strip_suffix(self.prefix).unwrap_or(base);
        let own = self.paths.iter().find_map(|(from, to)| {
            let rest = below.strip_prefix(from)?;
            (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((to, rest))
        });
        Ok(match own {
            Some((path, rest)) => [root, &settings.expand(path)?, rest].concat(),
            None => [root, self.prefix, below].concat(),
        })
    }
}

/// How a provider takes a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer <key>`.
    Bearer,
    /// The bare key in a header of this (lower-case) name.
    Header(&'static str),
    /// It takes none.
    None,
}

impl Auth {
    /// Name of the header and what precedes the key in it.
    pub fn header(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Bearer => Some(("authorization", "Bearer ")),
            Self::Header(name) => Some((name, "")),
            Self::None => None,
        }
    }
}

/// The row of that slug.
pub fn find(slug: &str) -> Option<&'static Provider> {
    PROVIDERS.binary_search_by(|row| row.slug.cmp(slug)).ok().and_then(|at| PROVIDERS.get(at))
}

/// The setting of that name, whichever row has it.
pub fn setting(name: &str) -> Option<&'static Setting> {
    PROVIDERS.iter().flat_map(|row| row.settings).find(|setting| setting.name == name)
}

/// Name of the Envoy cluster that a provider's own traffic (no virtual key) takes.
pub fn provider_cluster(slug: &str) -> String {
    format!("provider.{slug}")
}

/// Name of the Envoy cluster of a virtual key.
pub fn virtual_key_cluster(slug: &str) -> String {
    format!("vk.{slug}")
}

#[cfg(test)]
mod tests;
