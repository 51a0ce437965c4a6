//! From the headers of a request to its target: config, virtual key, provider, credential.

use crate::config::object::{self, Target};
use crate::config::registry::{Registry, Upstream};
use crate::config::request::{PREFIX, RequestOptions};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::http::Headers;
use crate::plan::{Plan, Secret};
use crate::provider::{self, PROVIDERS};
use crate::record::Record;

/// Where a request goes.
#[derive(Debug)]
pub struct Resolved {
    /// What the provider role gets.
    pub plan: Plan,
    /// `x-portkey-last-used-option-index`.
    pub option_index: String,
    /// Milliseconds until the response headers of an attempt.
    pub timeout: u64,
}

/// Resolves a request; notes for the log what it finds.
///
/// # Errors
/// Nothing to go to, or something that does not exist.
pub fn resolve(
    registry: &Registry,
    headers: &Headers,
    endpoint: Endpoint,
    path: &str,
    record: &mut Record,
) -> Result<Resolved, Error> {
    let options = RequestOptions::parse(headers)?;
    record.metadata = options.metadata.and_then(metadata);
    let target = config(registry, &options, record)?;
    let (cluster, key) = destination(registry, &options, &target, headers, record)?;
    let upstream = registry.upstream(&cluster).ok_or_else(|| {
        Error::gateway("no_upstream", "The gateway has no upstream for this provider")
    })?;
    record.provider = Some(upstream.provider.slug);
    upstream.provider.dialect.path(endpoint, upstream.provider.slug)?;
    let mut plan = Plan::new(cluster, path.to_owned(), endpoint);
    plan.strict = !(options.relaxed || target.relaxed);
    plan.api_key = key.map(Secret);
    plan.headers = provider_headers(headers)?;
    plan.override_params = target.override_params;
    plan.retry = target.retry;
    let timeout = options.request_timeout.or(target.request_timeout);
    let timeout = timeout.or(upstream.timeout).unwrap_or(registry.request_timeout);
    Ok(Resolved { plan, option_index: target.path, timeout })
}

fn metadata(json: &str) -> Option<serde_json::Value> {
    serde_json::from_str(json).ok().filter(serde_json::Value::is_object)
}

/// The target of the request's config; without one, a target that names nothing.
fn config(
    registry: &Registry,
    options: &RequestOptions<'_>,
    record: &mut Record,
) -> Result<Target, Error> {
    let Some(config) = options.config else {
        return Ok(Target { path: "config".to_owned(), ..Target::default() });
    };
    let is_slug = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let json = match config.bytes().all(is_slug) {
        false => config,
        true => {
            let saved = registry.config(config).ok_or_else(|| {
                Error::invalid("unknown_config", "Invalid config id passed")
                    .with_hint(format!("gateway.yaml has no config {config:?}"))
                    .with_param("x-portkey-config")
            })?;
            record.config = Some(config.to_owned());
            saved
        }
    };
    if serde_json::from_str::<serde::de::IgnoredAny>(json).is_err() {
        let message = "Invalid config passed. You need to pass a valid json";
        return Err(Error::invalid("invalid_config", message).with_param("x-portkey-config"));
    }
    object::parse(json)
}

/// The cluster, and the caller's credential where one goes with it. The config's own target wins
/// over the headers.
fn destination(
    registry: &Registry,
    options: &RequestOptions<'_>,
    target: &Target,
    headers: &Headers,
    record: &mut Record,
) -> Result<(String, Option<String>), Error> {
    if let Some(slug) = &target.virtual_key {
        return Ok((virtual_key(registry, slug, record)?, None));
    }
    if let Some(name) = &target.provider {
        return match name.strip_prefix('@') {
            Some(slug) => Ok((virtual_key(registry, slug, record)?, None)),
            None => Ok((provider_cluster(name)?, target.api_key.clone())),
        };
    }
    if let Some(slug) = options.provider.and_then(|name| name.strip_prefix('@')) {
        return Ok((virtual_key(registry, slug, record)?, None));
    }
    if let Some(slug) = options.virtual_key {
        return Ok((virtual_key(registry, slug, record)?, None));
    }
    let Some(name) = options.provider else {
        return Err(nothing_named(options));
    };
    let cluster = provider_cluster(name)?;
    let key = match (options.bearer, registry.upstream(&cluster)) {
        (Some(key), _) => Some(key.to_owned()),
        (None, Some(upstream)) => own_header(upstream, headers)?,
        (None, None) => None,
    };
    Ok((cluster, key))
}

fn nothing_named(options: &RequestOptions<'_>) -> Error {
    let message = match options.config {
        None => "Either x-portkey-config or x-portkey-provider header is required",
        Some(_) => {
            "Either x-portkey-provider needs to be passed. Or the x-portkey-config header should \
             have a valid config with provider details in it."
        }
    };
    Error::invalid("no_provider", message)
        .with_hint("x-portkey-virtual-key names one, too")
        .with_param("x-portkey-provider")
}

fn virtual_key(registry: &Registry, slug: &str, record: &mut Record) -> Result<String, Error> {
    let cluster = registry.virtual_key(slug).ok_or_else(|| {
        let shown: String = slug.chars().take(64).collect();
        Error::invalid("unknown_virtual_key", "Invalid virtual key passed")
            .with_hint(format!("gateway.yaml has no virtual key {shown:?}"))
            .with_param("x-portkey-virtual-key")
    })?;
    record.virtual_key = Some(slug.to_owned());
    Ok(cluster.to_owned())
}

fn provider_cluster(name: &str) -> Result<String, Error> {
    match provider::find(name) {
        Some(row) => Ok(provider::provider_cluster(row.slug)),
        None => {
            let shown: String = name.chars().take(64).collect();
            Err(Error::invalid("unknown_provider", "Invalid provider passed")
                .with_hint(format!("there is no provider {shown:?}"))
                .with_param("x-portkey-provider"))
        }
    }
}

/// The credential as the provider's own clients send it, such as `x-api-key`.
fn own_header(upstream: &Upstream, headers: &Headers) -> Result<Option<String>, Error> {
    let Some((name, _)) = upstream.provider.auth.header() else {
        return Ok(None);
    };
    unique_text(headers, name)
}

/// The caller's headers that belong to providers, also written with `x-portkey-` before them.
fn provider_headers(headers: &Headers) -> Result<Vec<(String, String)>, Error> {
    let mut found: Vec<(String, String)> = Vec::new();
    for name in PROVIDERS.iter().flat_map(|row| row.client_headers) {
        let value = match unique_text(headers, &format!("{PREFIX}{name}"))? {
            Some(value) => Some(value),
            None => unique_text(headers, name)?,
        };
        if let Some(value) = value.filter(|_| !found.iter().any(|(seen, _)| seen == name)) {
            found.push(((*name).to_owned(), value));
        }
    }
    Ok(found)
}

fn unique_text(headers: &Headers, name: &str) -> Result<Option<String>, Error> {
    let invalid =
        |code, what| Error::invalid(code, format!("The header {name} is {what}")).with_param(name);
    let value = headers
        .unique(name)
        .map_err(|_| invalid("duplicate_header", "there more than once"))?
        .filter(|value| !value.is_empty());
    let text = value.map(std::str::from_utf8).transpose();
    Ok(text.map_err(|_| invalid("invalid_header", "not valid UTF-8"))?.map(str::to_owned))
}
