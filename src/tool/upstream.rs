//! The provider clusters that follow from gateway.yaml: one per row of the table of providers,
//! one per virtual key.

use std::borrow::Cow;

use super::model::{self, AwsCredentials, Exchange, Gateway, Origin, Overrides, VirtualKey};
use crate::config::settings;
use crate::contract::header;
use crate::provider::{
    Auth, BaseUrl, PROVIDERS, Provider, Scheme, Values, aws, placeholders, provider_cluster,
    virtual_key_cluster,
};

/// One provider cluster.
#[derive(Debug)]
pub struct Upstream<'a> {
    /// Its name in Envoy.
    pub cluster: String,
    /// Where the API is, and how Envoy gets there.
    pub endpoint: Endpoint,
    /// What Envoy injects, for a virtual key with a credential.
    pub credential: Option<Credential<'a>>,
    /// What Envoy signs, for a virtual key of AWS.
    pub signature: Option<Signature<'a>>,
    /// What the module is told of it.
    pub settings: settings::Upstream,
}

/// How Envoy gets to an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// An address that needs no resolution.
    Address(BaseUrl),
    /// A host name, resolved from the start and then again and again.
    Name(BaseUrl),
    /// A host name that is not resolved before the first request to it, or that is not known before.
    NameOnUse,
    /// A host that the service mesh knows, and has a cluster for.
    Mesh(BaseUrl),
    /// A listener inside the same Envoy, named by the host part.
    Internal(BaseUrl),
}

/// How requests to AWS are signed.
#[derive(Debug)]
pub struct Signature<'a> {
    /// Of the virtual key.
    pub slug: &'a str,
    /// AWS's name of the service.
    pub service: &'static str,
    /// AWS's name of the region.
    pub region: String,
    /// With what.
    pub credentials: &'a AwsCredentials,
}

/// A credential and where it goes.
#[derive(Debug)]
pub struct Credential<'a> {
    /// Names its file: the slug of the virtual key, or with several credentials what begins with
    /// no letter and no digit, as no slug does.
    pub file: Cow<'a, str>,
    /// Name of the header.
    pub header: &'a str,
    /// What precedes the key in the header.
    pub prefix: &'static str,
    /// The key, or the secret that Envoy asks for one with.
    pub origin: &'a Origin,
    /// How it does that.
    pub exchange: Option<&'a Exchange>,
}

/// Every provider cluster of a gateway: those of the table first, each group sorted by slug. A
/// virtual key has one for each of its credentials.
pub fn list(gateway: &Gateway) -> Vec<Upstream<'_>> {
    let providers = PROVIDERS.iter().filter_map(|row| of_provider(gateway, row));
    let keys = gateway.virtual_keys.iter().flat_map(|(slug, key)| {
        let places = 0..key.credentials.len().max(1);
        places.filter_map(move |place| of_virtual_key(gateway, slug, key, place))
    });
    providers.chain(keys).collect()
}

fn of_provider<'a>(gateway: &'a Gateway, row: &'static Provider) -> Option<Upstream<'a>> {
    let overrides = gateway.providers.get(row.slug);
    let named = overrides.is_some();
    let none = Overrides::default();
    let own = overrides.unwrap_or(&none);
    let base_url = base_url(row, &[own], &own.settings);
    let endpoint = endpoint(&base_url, named)?;
    let settings = settings::Upstream {
        provider: row.slug.to_owned(),
        base_url,
        settings: own.settings.clone(),
        timeout: own.timeout,
        headers: own.headers.clone(),
        injects_credential: false,
        service_account: false,
        has_siblings: false,
        default_params: None,
        override_params: None,
        listed: named || matches!(endpoint, Endpoint::Internal(_)),
        relayed: endpoint == Endpoint::NameOnUse,
    };
    Some(Upstream {
        cluster: provider_cluster(row.slug),
        endpoint,
        credential: None,
        signature: None,
        settings,
    })
}

/// A virtual key with the credential at that place. It takes over what gateway.yaml says of its
/// provider, where it says nothing else.
fn of_virtual_key<'a>(
    gateway: &'a Gateway,
    slug: &'a str,
    key: &'a VirtualKey,
    place: usize,
) -> Option<Upstream<'a>> {
    let row = key.provider;
    let none = Overrides::default();
    let inherited = gateway.providers.get(row.slug).unwrap_or(&none);
    let values = key_settings(row, &key.overrides, inherited);
    let base_url = base_url(row, &[&key.overrides, inherited], &values);
    let mut headers = inherited.headers.clone();
    headers.extend(key.overrides.headers.clone());
    let header = row.at(&base_url).auth.header();
    let file = match place {
        0 => Cow::Borrowed(slug),
        place => format!("_{}.{slug}", place + 1).into(),
    };
    let credential = match (&key.service_account, header, key.credentials.get(place)) {
        (Some(origin), ..) => {
            let header = header::SERVICE_ACCOUNT;
            Some(Credential { file, header, prefix: "", origin, exchange: None })
        }
        (None, Some((header, prefix)), Some(model::Credential::Held(origin))) => {
            Some(Credential { file, header, prefix, origin, exchange: None })
        }
        (None, Some(_), Some(model::Credential::Exchanged(exchange))) => Some(Credential {
            file,
            header: "authorization",
            prefix: "Bearer ",
            origin: &exchange.client_secret,
            exchange: Some(exchange),
        }),
        _ => None,
    };
    let signature = match (row.auth, &key.aws) {
        (Auth::Aws(service), Some(credentials)) => {
            let default = row.settings.iter().find(|one| one.name == aws::REGION);
            let default = default.and_then(|setting| setting.default).unwrap_or_default();
            let region = values.get(aws::REGION).unwrap_or(default).to_owned();
            Some(Signature { slug, service, region, credentials })
        }
        _ => None,
    };
    let endpoint = endpoint(&base_url, true)?;
    let settings = settings::Upstream {
        provider: row.slug.to_owned(),
        base_url,
        settings: values,
        timeout: key.overrides.timeout.or(inherited.timeout),
        headers,
        injects_credential: credential.is_some() || signature.is_some(),
        service_account: key.service_account.is_some(),
        has_siblings: key.credentials.len() > 1,
        default_params: key.default_params.clone(),
        override_params: key.override_params.clone(),
        listed: true,
        relayed: false,
    };
    let cluster = virtual_key_cluster(slug, place);
    Some(Upstream { cluster, endpoint, credential, signature, settings })
}

/// The settings of a virtual key, its provider's among them, and the defaults of those that its
/// host depends on.
pub fn key_settings(row: &Provider, own: &Overrides, inherited: &Overrides) -> Values {
    let mut values = inherited.settings.clone();
    for setting in row.settings {
        let default = setting.default.filter(|_| {
            values.get(setting.name).is_none()
                && placeholders(row.base_url).any(|name| name == setting.name)
        });
        if let Some(value) = own.settings.get(setting.name).or(default) {
            values.set(setting.name, value.to_owned());
        }
    }
    values
}

/// The first base URL that one of `overrides` gives, else the row's: with placeholders in it where
/// the settings do not fill them.
fn base_url(row: &Provider, overrides: &[&Overrides], settings: &Values) -> String {
    match overrides.iter().find_map(|overrides| overrides.base_url.as_ref()) {
        Some(url) => url.clone(),
        None => {
            let template = row.base_url_for(settings);
            settings.expand(template).unwrap_or(template.into()).into_owned()
        }
    }
}

/// `None` does not occur: gateway.yaml is checked, and a test parses every row.
fn endpoint(base_url: &str, named: bool) -> Option<Endpoint> {
    if placeholders(base_url).next().is_some() {
        return Some(Endpoint::NameOnUse);
    }
    let url = BaseUrl::parse(base_url).ok()?;
    let address = url.host.parse::<std::net::IpAddr>();
    Some(match (url.scheme, address) {
        (Scheme::Envoy, _) => Endpoint::Internal(url),
        (_, Ok(_)) => Endpoint::Address(url),
        _ if named => Endpoint::Name(url),
        _ => Endpoint::NameOnUse,
    })
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
  ws: {provider: databricks, api_key: k4, databricks_workspace: adb-1}
"#;

    #[test]
    fn the_way_follows_from_host_and_name() {
        let gateway = check(YAML, &|_| None).unwrap();
        let upstreams = list(&gateway);
        let endpoint = |cluster: &str| {
            let upstream = upstreams.iter().find(|one| one.cluster == cluster).unwrap();
            match &upstream.endpoint {
                Endpoint::Address(url) => format!("address {}", url.host),
                Endpoint::Name(url) => format!("name {}", url.host),
                Endpoint::NameOnUse => "on use".to_owned(),
                Endpoint::Mesh(url) => format!("mesh {}", url.host),
                Endpoint::Internal(url) => format!("internal {}", url.host),
            }
        };
        for (cluster, expected) in [
            ("provider.anthropic", "name api.anthropic.com"),
            ("provider.databricks", "on use"),
            ("provider.demo", "internal demo"),
            ("provider.openai", "on use"),
            ("vk.d", "internal demo"),
            ("vk.ip", "address ::1"),
            ("vk.name", "name api.anthropic.com"),
            ("vk.open", "name api.openai.com"),
            ("vk.ws", "name adb-1.cloud.databricks.com"),
        ] {
            assert_eq!(endpoint(cluster), expected, "{cluster}");
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
        assert!(relayed("provider.databricks") && !relayed("vk.ws"));
        assert!(relayed("provider.openai"));
        for direct in ["provider.anthropic", "provider.demo", "provider.ollama", "vk.open"] {
            assert!(!relayed(direct), "{direct}");
        }
        assert!(!listed("provider.openai") && !find("vk.d").settings.injects_credential);
    }
}
