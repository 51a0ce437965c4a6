//! The provider clusters that follow from gateway.yaml: one per row of the table of providers,
//! one per virtual key.

use std::net::IpAddr;

use super::model::{Gateway, Overrides, Secret, Url, VirtualKey};
use crate::config::settings;
use crate::provider::{
    BaseUrl, PROVIDERS, Provider, Scheme, provider_cluster, virtual_key_cluster,
};

/// One provider cluster.
#[derive(Debug)]
pub struct Upstream<'a> {
    /// Its name in Envoy.
    pub cluster: String,
    /// Where the API is.
    pub base_url: BaseUrl,
    /// How Envoy gets there.
    pub endpoint: Endpoint,
    /// What Envoy injects, for a virtual key with a credential.
    pub credential: Option<Credential<'a>>,
    /// What the module is told of it.
    pub settings: settings::Upstream,
}

/// How Envoy gets to an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// An address that needs no resolution.
    Address(IpAddr),
    /// A host name, resolved from the start and then again and again.
    Name,
    /// A host name that is not resolved before the first request to it.
    NameOnUse,
    /// A listener inside the same Envoy, named by the host part.
    Internal,
}

/// A credential and where it goes.
#[derive(Debug)]
pub struct Credential<'a> {
    /// Slug of the virtual key.
    pub slug: &'a str,
    /// Name of the header.
    pub header: &'static str,
    /// What precedes the key in the header.
    pub prefix: &'static str,
    /// The key.
    pub secret: &'a Secret,
}

/// Every provider cluster of a gateway: those of the table first, each group sorted by slug.
pub fn list(gateway: &Gateway) -> Vec<Upstream<'_>> {
    let providers = PROVIDERS.iter().filter_map(|row| of_provider(gateway, row));
    let keys = gateway.virtual_keys.iter();
    let keys = keys.filter_map(|(slug, key)| of_virtual_key(gateway, slug, key));
    providers.chain(keys).collect()
}

fn of_provider<'a>(gateway: &'a Gateway, row: &'static Provider) -> Option<Upstream<'a>> {
    let overrides = gateway.providers.get(row.slug);
    let named = overrides.is_some();
    let none = Overrides::default();
    let (base_url, url) = base_url(row, &[overrides.unwrap_or(&none)])?;
    let endpoint = endpoint(&url, named);
    let settings = settings::Upstream {
        provider: row.slug.to_owned(),
        base_url,
        timeout: overrides.and_then(|overrides| overrides.timeout),
        headers: overrides.map(|overrides| overrides.headers.clone()).unwrap_or_default(),
        injects_credential: false,
        default_params: None,
        listed: named || url.scheme == Scheme::Envoy,
        relayed: endpoint == Endpoint::NameOnUse,
    };
    let cluster = provider_cluster(row.slug);
    Some(Upstream { cluster, base_url: url, endpoint, credential: None, settings })
}

/// A virtual key takes over what gateway.yaml says of its provider, where it says nothing else.
fn of_virtual_key<'a>(
    gateway: &'a Gateway,
    slug: &'a str,
    key: &'a VirtualKey,
) -> Option<Upstream<'a>> {
    let row = key.provider;
    let none = Overrides::default();
    let inherited = gateway.providers.get(row.slug).unwrap_or(&none);
    let (base_url, url) = base_url(row, &[&key.overrides, inherited])?;
    let mut headers = inherited.headers.clone();
    headers.extend(key.overrides.headers.clone());
    let credential = match (row.auth.header(), &key.api_key) {
        (Some((header, prefix)), Some(secret)) => Some(Credential { slug, header, prefix, secret }),
        _ => None,
    };
    let settings = settings::Upstream {
        provider: row.slug.to_owned(),
        base_url,
        timeout: key.overrides.timeout.or(inherited.timeout),
        headers,
        injects_credential: credential.is_some(),
        default_params: key.default_params.clone(),
        listed: true,
        relayed: false,
    };
    let cluster = virtual_key_cluster(slug);
    let endpoint = endpoint(&url, true);
    Some(Upstream { cluster, base_url: url, endpoint, credential, settings })
}

/// The first base URL that one of `overrides` gives, else the row's. `None` does not occur: a
/// test parses every row.
fn base_url(row: &Provider, overrides: &[&Overrides]) -> Option<(String, BaseUrl)> {
    match overrides.iter().find_map(|overrides| overrides.base_url.as_ref()) {
        Some(Url { text, parts }) => Some((text.clone(), parts.clone())),
        None => Some((row.base_url.to_owned(), BaseUrl::parse(row.base_url).ok()?)),
    }
}

fn endpoint(url: &BaseUrl, named: bool) -> Endpoint {
    match (url.scheme, url.host.parse()) {
        (Scheme::Envoy, _) => Endpoint::Internal,
        (_, Ok(address)) => Endpoint::Address(address),
        _ if named => Endpoint::Name,
        _ => Endpoint::NameOnUse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::check::check;

    const YAML: &str = r#"
providers:
  anthropic: {timeout: 7, headers: {a: "1", b: "1"}}
virtual_keys:
  d: {provider: demo}
  ip: {provider: anthropic, api_key: k1, base_url: "http://[::1]:1", headers: {b: "2"}}
  name: {provider: anthropic, api_key: k2, timeout: 9}
  open: {provider: openai, api_key: k3}
"#;

    #[test]
    fn the_way_follows_from_host_and_name() {
        let gateway = check(YAML, &|_| None).unwrap();
        let upstreams = list(&gateway);
        let endpoint = |cluster: &str| {
            upstreams.iter().find(|one| one.cluster == cluster).map(|one| one.endpoint)
        };
        for (cluster, expected) in [
            ("provider.anthropic", Endpoint::Name),
            ("provider.demo", Endpoint::Internal),
            ("provider.openai", Endpoint::NameOnUse),
            ("vk.d", Endpoint::Internal),
            ("vk.ip", Endpoint::Address("::1".parse().unwrap())),
            ("vk.name", Endpoint::Name),
            ("vk.open", Endpoint::Name),
        ] {
            assert_eq!(endpoint(cluster), Some(expected), "{cluster}");
        }
        assert_eq!(upstreams.len(), PROVIDERS.len() + gateway.virtual_keys.len());
    }

    #[test]
    fn a_virtual_key_takes_over_from_its_provider() {
        let gateway = check(YAML, &|_| None).unwrap();
        let upstreams = list(&gateway);
        let find = |cluster| upstreams.iter().find(|one| one.cluster == cluster).unwrap();
        let ip = find("vk.ip");
        assert_eq!((ip.settings.timeout, find("vk.name").settings.timeout), (Some(7), Some(9)));
        let headers: Vec<_> = ip.settings.headers.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(headers, ["a=1", "b=2"]);
        let credential = ip.credential.as_ref().unwrap();
        assert_eq!((credential.header, credential.prefix), ("x-api-key", ""));
        let credential = find("vk.open").credential.as_ref().unwrap();
        assert_eq!((credential.header, credential.prefix), ("authorization", "Bearer "));
        assert!(find("vk.open").settings.injects_credential && find("vk.d").credential.is_none());
        let listed = |cluster| find(cluster).settings.listed;
        assert!(listed("provider.anthropic") && listed("provider.demo") && listed("vk.open"));
        let relayed = |cluster| find(cluster).settings.relayed;
        assert!(relayed("provider.openai"));
        for direct in ["provider.anthropic", "provider.demo", "provider.ollama", "vk.open"] {
            assert!(!relayed(direct), "{direct}");
        }
        assert!(!listed("provider.openai") && !find("vk.d").settings.injects_credential);
    }
}
