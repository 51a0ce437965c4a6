//! The plugin configuration, checked and resolved once, as both roles look things up in it.

use super::custom_host;
use super::settings::{
    Cache, CustomHost, LogBodies, Role, Settings, Traces, Upstream as RawUpstream, VERSION,
    VirtualKey,
};
use super::tree::{self, Known, Node};
use super::weighted;
use crate::cache::flights::Flights;
use crate::caller::Callers;
use crate::caller::scope::Place;
use crate::json::Object;
use crate::metric::Metrics;
use crate::price::Catalogue;
use crate::provider::{
    self, BaseUrl, Kind, Missing, Provider, Scheme, Values, placeholders, virtual_key_of,
};
use crate::service_account;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// A valid plugin configuration.
#[derive(Debug)]
pub struct Registry {
    /// Which of the two roles this instance plays.
    pub role: Role,
    /// Largest request body in bytes.
    pub max_body_bytes: u64,
    /// Milliseconds until the response headers when nothing else says another.
    pub request_timeout: u64,
    /// Where assertions of service accounts become tokens.
    pub google_token_url: BaseUrl,
    upstreams: BTreeMap<String, Upstream>,
    virtual_keys: BTreeMap<String, VirtualKey>,
    custom_hosts: Vec<CustomHost>,
    /// Slug of the saved config of requests that name nothing.
    pub default_config: Option<String>,
    configs: BTreeMap<String, Saved>,
    /// The cache of answers.
    pub cache: Option<Cache>,
    /// Requests under way on this worker.
    pub flights: Flights,
    /// What models cost.
    pub prices: Catalogue,
    /// Who may ask; `None`: everybody.
    pub callers: Option<Callers>,
    /// What is measured; `None`: nothing.
    pub metrics: Option<Metrics>,
    /// Where spans go; `None`: there are none.
    pub traces: Option<Traces>,
    /// How bodies are logged; `None`: never.
    pub log_bodies: Option<LogBodies>,
    /// Tells this configuration from others: the begin of its SHA-256 in hexadecimal.
    pub config_version: String,
}

/// A saved config.
#[derive(Debug)]
pub struct Saved {
    /// Its tree.
    pub root: Node,
    /// Whether Envoy has a route that splits it by weight.
    pub weighted: bool,
}

/// One provider cluster.
#[derive(Debug)]
pub struct Upstream {
    /// Its row of the table.
    pub provider: &'static Provider,
    /// Where it is.
    pub base: Base,
    /// The provider's settings that gateway.yaml gives.
    pub settings: Values,
    /// Milliseconds until the response headers.
    pub timeout: Option<u64>,
    /// Headers that every request to it carries, over those of the provider's row.
    pub headers: BTreeMap<String, String>,
    /// Whether Envoy injects the credential.
    pub injects_credential: bool,
    /// Whether that credential is the key of a service account.
    pub service_account: bool,
    /// Whether it is reached through an internal listener, whose failures arrive as answers.
    pub relayed: bool,
    /// Whether its virtual key has other credentials.
    pub has_siblings: bool,
    /// Body fields for requests that lack them, as a JSON object.
    pub default_params: Option<Box<RawValue>>,
    /// Body fields that nobody can change, as a JSON object.
    pub override_params: Option<Box<RawValue>>,
    /// Whether `GET /v1/models` lists it.
    pub listed: bool,
}

/// Where an upstream is.
#[derive(Debug)]
pub enum Base {
    /// At this URL.
    Fixed(BaseUrl),
    /// At the URL that the settings of a request make of this provider's.
    Account(&'static Provider),
}

impl Base {
    /// The URL for these settings; `None` when they do not make one, which checked ones do.
    ///
    /// # Errors
    /// A setting is missing.
    pub fn url(&self, settings: &Values) -> Result<Option<BaseUrl>, Missing> {
        match self {
            Self::Fixed(url) => Ok(Some(url.clone())),
            Self::Account(row) => {
                let url = settings.expand(row.base_url_for(settings))?;
                Ok(BaseUrl::parse_public(&url).ok())
            }
        }
    }
}

impl Upstream {
    /// The row for requests to a host of the caller's choice, or to where these settings lead:
    /// some vendors have one more API.
    pub fn row(&self, custom_host: Option<&str>, settings: &Values) -> &'static Provider {
        match (custom_host, &self.base) {
            (Some(url), _) => self.provider.at(url),
            (None, Base::Account(row)) if row.variant.is_some() => {
                row.at(&settings.expand(row.base_url_for(settings)).unwrap_or_default())
            }
            (None, _) => self.provider,
        }
    }

    /// The setting that is the base URL, and its value, if that names none of the vendor's hosts.
    pub fn foreign_url<'v>(&self, settings: &'v Values) -> Option<(&'static str, &'v str)> {
        let Base::Account(row) = &self.base else { return None };
        let setting = self.provider.settings.iter().find(|setting| {
            matches!(setting.kind, Kind::Url(_))
                && placeholders(row.base_url).any(|name| name == setting.name)
        })?;
        let value = settings.get(setting.name)?;
        let url = BaseUrl::parse_public(value).ok()?;
        let usual = url.scheme == Scheme::Https && url.authority() == url.host;
        let known = usual && setting.kind.names_host(&url.host);
        (!known && Some(value) != setting.default).then_some((setting.name, value))
    }
}

impl Registry {
    /// Parses and checks the plugin configuration.
    ///
    /// # Errors
    /// What is wrong, for Envoy's log; it quotes no value.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let settings: Settings = serde_json::from_slice(json)
            .map_err(|error| format!("line {}, column {}", error.line(), error.column()))?;
        if settings.version != VERSION {
            return Err(format!("version {} is not {VERSION}", settings.version));
        }
        let mut upstreams = BTreeMap::new();
        for (cluster, raw) in settings.upstreams {
            let upstream =
                resolve(raw).map_err(|reason| format!("upstreams.{cluster}: {reason}"))?;
            upstreams.insert(cluster, upstream);
        }
        for (slug, key) in &settings.virtual_keys {
            if key.clusters.is_empty() {
                return Err(format!("virtual_keys.{slug}: no clusters"));
            }
            let mut clusters = key.clusters.iter();
            if let Some(cluster) = clusters.find(|cluster| !upstreams.contains_key(*cluster)) {
                return Err(format!("virtual_keys.{slug}: no upstream {cluster}"));
            }
        }
        let url = settings.google_token_url.as_deref().unwrap_or(service_account::TOKEN_URL);
        let google_token_url =
            BaseUrl::parse_public(url).map_err(|error| format!("google_token_url: {error}"))?;
        let names = settings.callers.iter().flat_map(|callers| callers.keys.keys().cloned());
        let names = names.collect();
        let mut registry = Self {
            metrics: settings.metrics.map(|metrics| Metrics::new(metrics, names)),
            role: settings.role,
            max_body_bytes: settings.max_body_bytes,
            request_timeout: settings.request_timeout,
            google_token_url,
            upstreams,
            virtual_keys: settings.virtual_keys,
            custom_hosts: settings.custom_hosts,
            default_config: settings.default_config,
            configs: BTreeMap::new(),
            cache: settings.cache,
            flights: Flights::default(),
            prices: settings.prices,
            callers: settings
                .callers
                .map(Callers::new)
                .transpose()
                .map_err(|error| format!("callers: {error}"))?,
            traces: settings.traces,
            log_bodies: settings.log_bodies,
            config_version: version_of(json),
        };
        for (slug, json) in settings.configs {
            let root = tree::read(json.get(), &registry)
                .map_err(|problems| format!("configs.{slug}: {problems:?}"))?;
            let weighted = weighted::split(&root).is_some();
            registry.configs.insert(slug, Saved { root, weighted });
        }
        if let Some(slug) = &registry.default_config
            && !registry.configs.contains_key(slug)
        {
            return Err(format!("default_config: no config {slug}"));
        }
        Ok(registry)
    }

    /// The upstream of a cluster.
    pub fn upstream(&self, cluster: &str) -> Option<&Upstream> {
        self.upstreams.get(cluster)
    }

    /// A virtual key.
    pub fn virtual_key(&self, slug: &str) -> Option<&VirtualKey> {
        self.virtual_keys.get(slug)
    }

    /// A saved config.
    pub fn config(&self, slug: &str) -> Option<&Saved> {
        self.configs.get(slug)
    }

    /// Whether `custom_host` may name this place.
    pub fn allows_host(&self, url: &BaseUrl) -> bool {
        custom_host::allows(&self.custom_hosts, url)
    }

    /// Each virtual key and provider that gateway.yaml names.
    pub fn listed(&self) -> impl Iterator<Item = Place<'_>> {
        // A virtual key has a cluster for each of its credentials.
        let first = |cluster: &str| !cluster.contains('@');
        let upstreams = self.upstreams.iter();
        let listed = upstreams.filter(move |(name, upstream)| upstream.listed && first(name));
        listed.map(|(cluster, upstream)| Place {
            virtual_key: virtual_key_of(cluster),
            provider: upstream.provider.slug,
        })
    }
}

impl Known for Registry {
    fn has_virtual_key(&self, slug: &str) -> bool {
        self.virtual_keys.contains_key(slug)
    }
}

fn version_of(json: &[u8]) -> String {
    let hash = Sha256::digest(json);
    hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

fn resolve(raw: RawUpstream) -> Result<Upstream, String> {
    let provider = provider::find(&raw.provider).ok_or("unknown provider")?;
    let at = provider.at(&raw.base_url);
    let of_account = placeholders(&raw.base_url).next().is_some();
    let base = match of_account {
        true => Base::Account(provider),
        false => {
            let url = BaseUrl::parse(&raw.base_url);
            Base::Fixed(url.map_err(|error| format!("base_url: {error}"))?)
        }
    };
    let params =
        [("default_params", &raw.default_params), ("override_params", &raw.override_params)];
    for (name, params) in params {
        let Some(params) = params else { continue };
        Object::parse(params.get().as_bytes()).map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(Upstream {
        provider: if of_account { provider } else { at },
        base,
        settings: raw.settings,
        timeout: raw.timeout,
        headers: raw.headers,
        injects_credential: raw.injects_credential,
        service_account: raw.service_account,
        relayed: raw.relayed,
        has_siblings: raw.has_siblings,
        default_params: raw.default_params,
        override_params: raw.override_params,
        listed: raw.listed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Registry, String> {
        Registry::parse(text.as_bytes())
    }

    #[test]
    fn what_the_module_cannot_use_is_refused() {
        let valid = r#"{"version":1,"role":"gateway","max_body_bytes":1,"request_timeout":1,
            "upstreams":{"vk.a":{"provider":"openai","base_url":"https://a/v1","listed":true}},
            "virtual_keys":{"a":{"clusters":["vk.a"]}},"configs":{"pc-1":{"provider":"openai"}}}"#;
        let registry = parse(valid).unwrap();
        assert_eq!(registry.virtual_key("a").unwrap().clusters, ["vk.a"]);
        let url = registry.upstream("vk.a").unwrap().base.url(&Values::default());
        assert_eq!(url.unwrap().unwrap().path, "/v1");
        assert!(!registry.config("pc-1").unwrap().weighted);
        let listed = [Place { virtual_key: Some("a"), provider: "openai" }];
        assert_eq!(registry.listed().collect::<Vec<_>>(), listed);
        for (from, to, error) in [
            ("\"version\":1", "\"version\":2", "version 2 is not 1"),
            ("gateway", "router", "line 1, column 28"),
            ("\"openai\",", "\"opnai\",", "upstreams.vk.a: unknown provider"),
            ("https://a", "a", "upstreams.vk.a: base_url: must begin with http:// or https://"),
            ("[\"vk.a\"]", "[\"vk.b\"]", "virtual_keys.a: no upstream vk.b"),
            ("[\"vk.a\"]", "[]", "virtual_keys.a: no clusters"),
            (
                "\"listed\":true",
                "\"default_params\":[]",
                "upstreams.vk.a: default_params: must be a JSON object",
            ),
        ] {
            assert_eq!(parse(&valid.replacen(from, to, 1)).unwrap_err(), error);
        }
    }
}
