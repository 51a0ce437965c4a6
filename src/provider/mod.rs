//! Who: the vendors, as data. What differs in wire format is code in [`crate::dialect`].

mod base_url;
mod table;

pub use base_url::{BaseUrl, Scheme};
pub use table::PROVIDERS;

use crate::dialect::Dialect;

/// One vendor.
#[derive(Debug)]
pub struct Provider {
    /// Portkey's name for it: the value of `x-portkey-provider`.
    pub slug: &'static str,
    /// Where its API is when gateway.yaml says nothing else; see [`BaseUrl`].
    pub base_url: &'static str,
    /// The wire format that it speaks.
    pub dialect: Dialect,
    /// How it takes a credential.
    pub auth: Auth,
    /// Headers that every request to it carries; a client's own value of the same header wins.
    pub headers: &'static [(&'static str, &'static str)],
    /// Headers that a client may send on to it, also with `x-portkey-` before their name.
    pub client_headers: &'static [&'static str],
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

/// Name of the Envoy cluster that a provider's own traffic (no virtual key) takes.
pub fn provider_cluster(slug: &str) -> String {
    format!("provider.{slug}")
}

/// Name of the Envoy cluster of a virtual key.
pub fn virtual_key_cluster(slug: &str) -> String {
    format!("vk.{slug}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_well_formed() {
        assert!(PROVIDERS.windows(2).all(|pair| pair[0].slug < pair[1].slug));
        for row in PROVIDERS {
            let slug = row.slug;
            assert!(
                slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
                "{slug}"
            );
            let url = BaseUrl::parse(row.base_url).expect(slug);
            assert_ne!(url.scheme, Scheme::Http, "{slug}: a public API is reached over TLS");
            if let Some((name, _)) = row.auth.header() {
                assert_eq!(name, name.to_ascii_lowercase(), "{slug}");
            }
            let names = row.headers.iter().map(|(name, _)| name).chain(row.client_headers);
            assert!(names.clone().all(|name| *name == name.to_ascii_lowercase()), "{slug}");
        }
    }

    #[test]
    fn every_row_is_found_by_its_slug() {
        for row in PROVIDERS {
            assert_eq!(find(row.slug).map(|found| found.slug), Some(row.slug));
        }
        assert!(find("opnai").is_none());
    }
}
