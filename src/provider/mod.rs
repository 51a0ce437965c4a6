//! Who: the vendors, as data. What differs in wire format is code in [`crate::dialect`].

mod anew;
pub mod aws;
pub mod azure;
mod base_url;
mod not_yet;
mod quirk;
mod setting;
mod table;
mod touch;

pub use base_url::{BaseUrl, Scheme};
pub use not_yet::{NOT_YET, reason};
pub use quirk::{Quirk, apply, matter};
pub use setting::{Kind, Missing, Setting, Values, placeholders};
pub use table::PROVIDERS;
pub use touch::{Touch, Touches};

use crate::dialect::Dialect;
use crate::endpoint::Endpoint;

/// One vendor.
#[derive(Debug)]
pub struct Provider {
    /// Portkey's name for it: the value of `x-portkey-provider`.
    pub slug: &'static str,
    /// Where its API is when nothing else says; see [`BaseUrl`]. May hold settings as placeholders.
    /// What replaces it (`base_url` in gateway.yaml, a custom host) is such a URL without any.
    pub base_url: &'static str,
    /// Other base URLs, each for one value of the setting in `base_url`.
    pub other_urls: &'static [(&'static str, &'static str)],
    /// What stands between the base URL and the path of an operation: empty, or as `/v1`. It is
    /// left out after a base URL that ends with it. May hold settings as placeholders.
    pub prefix: &'static str,
    /// Operations with a path of their own: OpenAI's below `/v1`, and the vendor's below the base
    /// URL, which may hold settings as placeholders.
    pub paths: &'static [(&'static str, &'static str)],
    /// Queries that every path has, over those of the client: name, and a value with placeholders.
    /// One whose placeholder has no value is left out.
    pub query: &'static [(&'static str, &'static str)],
    /// Another API of the same vendor.
    pub variant: Option<&'static Variant>,
    /// Whose paths it has.
    pub layout: Layout,
    /// The wire format that it speaks.
    pub dialect: Dialect,
    /// Whether it has chat completions.
    pub chat: bool,
    /// Operations beside chat completions that it has itself: of Anthropic's Messages API and
    /// OpenAI's Responses API (of legacy completions [`Self::has`] tells). Where it has chat completions alone, they are made of these.
    pub native: &'static [Endpoint],
    /// Whether its chat completions take Anthropic's `cache_control`, in OpenAI's format.
    pub cache_control: bool,
    /// Operations that others of its format have.
    pub lacks: &'static [Endpoint],
    /// The query parameter that a caller's own key goes in, as Portkey sends it. A key that Envoy
    /// injects goes into the header of [`Self::auth`].
    pub key_parameter: Option<&'static str>,
    /// How it takes a credential.
    pub auth: Auth,
    /// What it needs to know beside a key.
    pub settings: &'static [Setting],
    /// The setting that the body has as its model; without a value it is empty.
    pub model: Option<&'static str>,
    /// The setting that holds a token which goes as `Authorization: Bearer` in the place of a key.
    pub token: Option<&'static str>,
    /// Headers that every request to it carries; a client's own value of the same header wins. One
    /// whose placeholder has no value is left out.
    pub headers: &'static [(&'static str, &'static str)],
    /// Headers that a client may send on to it, also with `x-portkey-` before their name.
    pub client_headers: &'static [&'static str],
    /// What it wants otherwise in a body than its format has it.
    pub quirks: &'static [Quirk],
    /// The numbers that it takes, as OpenAI does: quirks that are of no vendor in particular.
    pub ranges: &'static [Quirk],
    /// The same for other operations than chat completions and completions.
    pub other_quirks: &'static [(Endpoint, &'static [Quirk])],
    /// What Portkey's answers of it have otherwise than its own.
    pub touches: &'static [Touch],
    /// Whether its errors pass as they are, as Portkey has it.
    pub own_errors: bool,
    /// The type of an error that has none, as JSON.
    pub error_type: Option<&'static str>,
}

impl Provider {
    /// The edits of a request.
    pub fn edits(&self, endpoint: Endpoint) -> impl Iterator<Item = &'static Quirk> {
        // What is translated comes into the ranges of its own format.
        let ranges = if self.dialect == Dialect::OpenAi { self.ranges } else { &[] };
        let (quirks, ranges): (&[Quirk], &[Quirk]) = match endpoint {
            Endpoint::ChatCompletions | Endpoint::Completions => (self.quirks, ranges),
            _ => {
                let mut others = self.other_quirks.iter();
                let found = others.find(|(other, _)| *other == endpoint);
                (found.map_or(&[], |(_, quirks)| quirks), &[])
            }
        };
        quirks.iter().chain(ranges)
    }

    /// The base URL for these settings, their placeholders in it.
    pub fn base_url_for(&self, settings: &Values) -> &'static str {
        let value = placeholders(self.base_url).next().and_then(|name| settings.get(name));
        let other = self.other_urls.iter().find(|(of, _)| Some(*of) == value);
        other.map_or(self.base_url, |(_, url)| *url)
    }

    /// The row for requests to this base URL: its own, or that of another API of the vendor.
    pub fn at(&'static self, url: &str) -> &'static Self {
        match self.variant {
            Some(variant) if url.contains(variant.marker) => variant.row,
            _ => self,
        }
    }

    /// Whether it has an operation.
    pub fn has(&self, endpoint: Endpoint) -> bool {
        let chat = self.chat || endpoint != Endpoint::ChatCompletions;
        chat && self.dialect.has(endpoint) && !self.lacks.contains(&endpoint)
    }

    /// Path and query of a request to a path of its own. `base` is the path of the base URL in use.
    ///
    /// # Errors
    /// The path needs a setting that has no value.
    pub fn proxied_path(&self, base: &str, own: &str, values: &Values) -> Result<String, Missing> {
        if self.layout == Layout::Azure {
            return self.path(base, own, values);
        }
        // Clients of such providers name the version themselves.
        let twice = base.ends_with("/v1") && own.starts_with("/v1/");
        let own = if twice { own.get(3..).unwrap_or_default() } else { own };
        Ok(self.with_queries([base, own].concat(), values))
    }

    /// Path and query of an operation. `base` is the path of the base URL in use, `below` what
    /// OpenAI has below `/v1`.
    ///
    /// # Errors
    /// The path needs a setting that has no value.
    pub fn path(&self, base: &str, below: &str, settings: &Values) -> Result<String, Missing> {
        if self.layout == Layout::Azure {
            let root = base.strip_suffix("/v1").unwrap_or(base);
            return Ok([root, &azure::path(below, settings)?].concat());
        }
        let prefix = settings.expand(self.prefix);
        let root = prefix.as_ref().ok().and_then(|prefix| base.strip_suffix(prefix.as_ref()));
        let root = root.unwrap_or(base);
        let own = self.paths.iter().find_map(|(from, to)| {
            let rest = below.strip_prefix(from)?;
            (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((to, rest))
        });
        let path = match own {
            Some((path, rest)) => [root, &settings.expand(path)?, rest].concat(),
            // Of a path that names a version, nothing is missing.
            None if names_version(below) => [root, below].concat(),
            None => [root, &prefix?, below].concat(),
        };
        Ok(self.with_queries(path, settings))
    }

    fn with_queries(&self, mut path: String, settings: &Values) -> String {
        for (name, value) in self.query {
            if let Ok(value) = settings.expand(value) {
                path = with_query(&path, name, &value);
            }
        }
        path
    }
}

/// A path and its query with this pair in it, and no other of that name.
fn with_query(path: &str, name: &str, value: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut out = [path, "?", name, "=", value].concat();
    let is_other = |pair: &&str| !pair.is_empty() && pair.split('=').next() != Some(name);
    query.split('&').filter(is_other).for_each(|pair| out.extend(["&", pair]));
    out
}

/// A second API of a vendor, with a row of its own.
#[derive(Debug)]
pub struct Variant {
    /// What the base URL holds when this API is meant.
    pub marker: &'static str,
    /// Its row, with the same slug.
    pub row: &'static Provider,
}

/// Where the operations of a provider are below its base URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Behind the prefix as OpenAI has them, or at paths of their own.
    Paths,
    /// At Azure OpenAI's deployments and versions.
    Azure,
}

impl Provider {
    /// Name and value of the header that holds the caller's credential.
    pub fn credential(&self, key: Option<&str>, settings: &Values) -> Option<(&str, String)> {
        if let Some(token) = self.token.and_then(|name| settings.get(name)) {
            let bare = token.strip_prefix("Bearer ").unwrap_or(token);
            return Some(("authorization", format!("Bearer {bare}")));
        }
        let (name, prefix) = self.auth.header()?;
        Some((name, format!("{prefix}{}", key?)))
    }
}

/// Whether a path begins as `/v1beta/`.
fn names_version(path: &str) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    first.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// How a provider takes a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer <key>`.
    Bearer,
    /// The bare key in a header of this (lower-case) name.
    Header(&'static str),
    /// A signature with the keys of an account, for the service of this name of AWS's; or an API
    /// key as [`Self::Bearer`].
    Aws(&'static str),
    /// It takes none.
    None,
}

impl Auth {
    /// Name of the header and what precedes the key in it.
    pub fn header(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Bearer | Self::Aws(_) => Some(("authorization", "Bearer ")),
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

/// Name of the Envoy cluster of a virtual key's credential, of which there may be several: `place`
/// counts from 0.
pub fn virtual_key_cluster(slug: &str, place: usize) -> String {
    match place {
        0 => format!("vk.{slug}"),
        // No slug holds this character.
        place => format!("vk.{slug}@{}", place + 1),
    }
}

/// The virtual key that a cluster belongs to, if it is one's.
pub fn virtual_key_of(cluster: &str) -> Option<&str> {
    let name = cluster.strip_prefix("vk.")?;
    Some(name.split_once('@').map_or(name, |(slug, _)| slug))
}

#[cfg(test)]
mod tests;
