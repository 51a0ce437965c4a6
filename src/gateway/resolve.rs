//! From a request to its plan: the config's tree, the chain of targets, and for each target its
//! cluster and the caller's credential.

use super::address::Address;
use super::chain::{self, Choice, Step};
use super::unfold::{Candidate, unfold};
use super::{World, target_error};
use crate::adapter::Format;
use crate::config::inherit::header_name;
use crate::config::query::Subject;
use crate::config::registry::{Registry, Saved, Upstream};
use crate::config::request::{PREFIX, RequestOptions};
use crate::config::settings::VirtualKey;
use crate::config::tree::{self, Kind, Node, Target};
use crate::contract::{cluster, weighted_config};
use crate::decide;
use crate::endpoint::{Endpoint, below};
use crate::error::Error;
use crate::http::Headers;
use crate::json::Object;
use crate::plan::{self, Plan, Secret};
use crate::provider::{self, Auth, PROVIDERS, Provider, aws, virtual_key_of};
use crate::record::Record;
use crate::service_account::KEY_FILE;
use std::rc::Rc;

/// The config of a request.
#[derive(Debug)]
pub enum Config {
    /// A saved one, by its slug.
    Saved(String),
    /// The caller's own, or none: then a target that names nothing.
    Own(Box<Node>),
}

/// Where a request goes.
#[derive(Debug)]
pub struct Resolved {
    /// What the provider role gets.
    pub plan: Plan,
    /// What the route reads: a cluster or a weighted config.
    pub route: String,
    /// Envoy's limit until the response headers of an attempt, in milliseconds.
    pub timeout: u64,
}

/// Reads and checks the config. `default` is that of the caller; `addressed`: the model's name says
/// where the request goes.
///
/// # Errors
/// It does not exist, or something in it is wrong.
pub fn config(
    registry: &Registry,
    options: &RequestOptions<'_>,
    default: Option<&str>,
    addressed: bool,
) -> Result<Config, Error> {
    let Some(config) = options.config else {
        let named = addressed || options.provider.is_some() || options.virtual_key.is_some();
        return Ok(match default.or(registry.default_config.as_deref()) {
            Some(slug) if !named => Config::Saved(slug.to_owned()),
            _ => Config::Own(Box::default()),
        });
    };
    let is_slug = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if config.bytes().all(is_slug) {
        if registry.config(config).is_some() {
            return Ok(Config::Saved(config.to_owned()));
        }
        return Err(Error::invalid("unknown_config", NO_JSON)
            .with_hint(format!("or the name of a config; gateway.yaml has no {config:?}"))
            .with_param("x-portkey-config"));
    }
    if serde_json::from_str::<serde::de::IgnoredAny>(config).is_err() {
        return Err(Error::invalid("invalid_config", NO_JSON).with_param("x-portkey-config"));
    }
    let root = tree::read(config, registry).map_err(|problems| tree::error(&problems))?;
    Ok(Config::Own(Box::new(root)))
}

/// Portkey's words for a config that is neither an object nor known by its name.
const NO_JSON: &str = "Invalid config passed. You need to pass a valid json";

/// A request that is being resolved.
pub struct Resolver<'a> {
    /// The plugin configuration.
    pub registry: &'a Rc<Registry>,
    /// The client's headers.
    pub headers: &'a Headers,
    /// What they ask for.
    pub options: &'a RequestOptions<'a>,
    /// The operation.
    pub endpoint: Endpoint,
    /// Path and query.
    pub path: &'a str,
    /// The JSON body, if there is one.
    pub body: Option<&'a Object<'a>>,
    /// The virtual key in the model's name.
    pub address: Option<&'a Address>,
    /// Who asks, where that is known.
    pub caller: Option<&'a str>,
    /// Chance and time.
    pub world: &'a dyn World,
    /// Whether the config is the operator's.
    pub saved: bool,
}

impl Resolver<'_> {
    /// Makes the plan; notes for the log what it finds.
    ///
    /// # Errors
    /// Nothing to go to, or something that does not exist.
    pub fn resolve(&self, config: &Config, record: &mut Record) -> Result<Resolved, Error> {
        let (root, weighted) = match config {
            Config::Own(root) => (root.as_ref(), None),
            Config::Saved(slug) => {
                record.config = Some(slug.clone());
                let Saved { root, weighted } = self.registry.config(slug).ok_or_else(|| {
                    Error::gateway("no_config", "The saved config is not there any more")
                })?;
                (root, weighted.then(|| weighted_config(slug)))
            }
        };
        let mut plan = Plan::new(self.path_for_providers(), self.endpoint);
        plan.headers = provider_headers(self.headers)?;
        plan.stream = self.body.is_some_and(|body| body.is_true("stream"));
        plan.helper = self.headers.get("x-stainless-helper-method").is_some();
        if let Some(route) = weighted
            && let Some((targets, timeout)) = self.weighted(root)?
        {
            plan.weighted = true;
            plan.targets = targets;
            return Ok(Resolved { plan, route, timeout });
        }
        let steps = self.chain(root, record)?;
        let candidates: Result<Vec<_>, _> = steps.iter().map(|step| self.candidate(step)).collect();
        (plan.targets, plan.first) = unfold(candidates?)?;
        let avoid = |target: &plan::Target| self.world.is_cooling(&target.cluster);
        plan.first = decide::first(&plan, &avoid);
        let timeout = self.limits(&mut plan);
        let first = plan.targets.get(plan.first).ok_or_else(no_target)?;
        self.note(first, record);
        Ok(Resolved { route: first.route().to_owned(), plan, timeout })
    }

    /// The targets of a config whose first one Envoy picks, and their limit until the response
    /// headers; `None` when the choice must be made here.
    fn weighted(&self, root: &Node) -> Result<Option<(Vec<plan::Target>, u64)>, Error> {
        let Kind::Strategy(_, nodes) = &root.kind else { return Ok(None) };
        let mut targets = Vec::with_capacity(nodes.len());
        for node in nodes {
            let Kind::Target(target) = &node.kind else { return Ok(None) };
            let step = Step { path: &node.path, target, fallbacks: Vec::new() };
            let Candidate { target, clusters } = self.candidate(&step)?;
            // With several credentials, or one that may not be used, the choice is more than weights.
            if !clusters.is_ok_and(|clusters| clusters.len() == 1) {
                return Ok(None);
            }
            targets.push(plan::Target { hop: false, ..target });
        }
        let Some(first) = targets.first() else { return Ok(None) };
        let (timeout, attempts) = (first.timeout, first.retry.attempts);
        let fits = targets.iter().all(|target| {
            // Envoy's route knows one limit and one number of attempts, and if it retries at all it
            // retries every reset and every time-out.
            let codes = &target.retry.on_status_codes;
            let resets = attempts == 0 || [408, 503].iter().all(|code| codes.contains(code));
            let same = target.timeout == timeout && target.retry.attempts == attempts;
            resets
                && same
                && target.custom_host.is_none()
                // Whose answer is looked for must be known.
                && target.cache.is_none()
                && !self.world.is_cooling(&target.cluster)
        });
        Ok(fits.then_some((targets, timeout)))
    }

    fn chain<'n>(&self, root: &'n Node, record: &Record) -> Result<Vec<Step<'n>>, Error> {
        let param = |name: &str| self.body.and_then(|body| body.get(name));
        let pathname = self.path.split(['?', '#']).next().unwrap_or_default();
        let subject = Subject::new(record.metadata.as_ref(), &param, pathname);
        let header = |name: &str| self.headers.text(name);
        let choice = Choice {
            subject,
            header: &header,
            random: &|| self.world.random(),
            avoid: &|target| self.avoids(target),
        };
        chain::chain(root, &choice)
    }

    /// Whether a balance passes a target by, while there is another: its virtual key rests, or may
    /// not be used.
    fn avoids(&self, target: &Target) -> bool {
        let Some(slug) = &target.virtual_key else { return false };
        let Some(key) = self.registry.virtual_key(slug) else { return false };
        let step = Step { path: "", target, fallbacks: Vec::new() };
        let refused = || self.candidate(&step).is_ok_and(|candidate| candidate.clusters.is_err());
        key.clusters.iter().all(|cluster| self.world.is_cooling(cluster))
            || (key.is_restricted() && refused())
    }

    /// A target, and whether it may be used.
    fn candidate(&self, step: &Step<'_>) -> Result<Candidate, Error> {
        let destination = self.destination(step.target)?;
        let key = destination.virtual_key;
        let target = self.target(step, destination)?;
        let clusters = match key {
            Some((slug, key)) => self.clusters(slug, key, &target),
            None => Ok(vec![target.cluster.clone()]),
        };
        Ok(Candidate { target, clusters })
    }

    fn target(&self, step: &Step<'_>, destination: Destination<'_>) -> Result<plan::Target, Error> {
        let (registry, options, settings) = (self.registry, self.options, &step.target.settings);
        let Destination { cluster, key, by_headers, .. } = destination;
        let upstream = registry.upstream(&cluster).ok_or_else(|| {
            // In a mesh only what gateway.yaml names is there.
            Error::invalid("no_upstream", "This gateway does not lead to that provider")
                .with_hint("gateway.yaml must name the provider or a virtual key of it")
        })?;
        let provider_settings = self.provider_settings(step, upstream, by_headers)?;
        let custom_host = self.callers_host(step, upstream, &provider_settings)?.map(str::to_owned);
        let row = upstream.row(custom_host.as_deref(), &provider_settings);
        self.check_operation(row)?;
        if !self.saved && custom_host.is_none() && lacks_credential(step.target, upstream) {
            return Err(target_error::no_credential(step.path));
        }
        let found = match custom_host {
            Some(_) => Ok(()),
            None => upstream.base.url(&provider_settings).map(|_| ()),
        };
        found
            .and_then(|()| row.path("", self.below(row), &provider_settings))
            .map_err(|missing| missing.error(row.slug))?;
        if matches!(row.auth, Auth::Aws(_)) && !upstream.injects_credential {
            aws::credentials(row.slug, &provider_settings, key.is_some())?;
        }
        if self.options.custom_host.is_some() && self.saved && has_secret(step.target, row) {
            let message = "Invalid custom host";
            return Err(Error::invalid("custom_host_not_allowed", message)
                .with_hint("the saved config's key is not for a host of yours")
                .with_param("x-portkey-custom-host"));
        }
        let override_params = self.params(step, row, &provider_settings);
        let asked = options.request_timeout.or(settings.request_timeout).or(upstream.timeout);
        let exchanges = upstream.service_account || provider_settings.get(KEY_FILE).is_some();
        Ok(plan::Target {
            cluster,
            option_index: step.path.to_owned(),
            api_key: key.map(Secret),
            settings: provider_settings,
            custom_host,
            strict: !(options.relaxed || settings.relaxed),
            override_params,
            quirks: self.body.is_some_and(|body| provider::matter(row.edits(self.endpoint), body)),
            drop_params: settings.drop_params.clone(),
            forwarded: self.forwarded(&settings.forward_headers)?,
            timeout: asked.unwrap_or(registry.request_timeout),
            hop: asked.is_some() || exchanges,
            first_token_timeout: settings.first_token_timeout,
            hold: settings.stream_hold,
            retry: settings.retry.clone(),
            fallbacks: step.fallbacks.clone(),
            sibling: None,
            cache: settings.cache,
        })
    }

    /// Envoy has one limit until the response headers for all attempts of a request, and it goes
    /// on while an answer is held. Targets that ask for another limit take the hop.
    fn limits(&self, plan: &mut Plan) -> u64 {
        let limits = plan.targets.iter().map(|target| target.timeout);
        let (Some(least), Some(most)) = (limits.clone().min(), limits.max()) else {
            return self.registry.request_timeout;
        };
        let held =
            plan.endpoint == Endpoint::ChatCompletions || Format::of(plan.endpoint).is_some();
        let one_limit = least == most && !held;
        let retries = plan.max_retries() > 0;
        if one_limit || !retries {
            for target in &mut plan.targets {
                // What fails while a token is asked for can be tried elsewhere only behind the hop.
                target.hop = retries && self.exchanges(target);
            }
            return most;
        }
        self.registry.request_timeout.max(most)
    }

    /// Whether a target's credential must be exchanged for a token.
    fn exchanges(&self, target: &plan::Target) -> bool {
        let upstream = self.registry.upstream(&target.cluster);
        target.key_file().is_some() || upstream.is_some_and(|upstream| upstream.service_account)
    }

    /// The path below `/v1` that the provider is asked for.
    fn below(&self, row: &Provider) -> &str {
        match Format::needed(self.endpoint, row) {
            Some(_) => "/chat/completions",
            None => below(self.path),
        }
    }

    /// Refuses what the provider does not have, and cannot be made of what it has.
    fn check_operation(&self, row: &Provider) -> Result<(), Error> {
        let stored = self.endpoint == Endpoint::StoredResponses;
        if stored && row.chat && !row.native.contains(&self.endpoint) {
            return Err(target_error::nothing_stored(
                self.headers.text(":method").unwrap_or_default(),
                row.slug,
            ));
        }
        if Format::needed(self.endpoint, row).is_some() {
            return Ok(());
        }
        match row.has(self.endpoint) {
            true => Ok(()),
            false => Err(target_error::no_operation(self.endpoint, row.slug)),
        }
    }

    /// The client's headers of these names, and of those that the request names.
    fn forwarded(&self, names: &[String]) -> Result<Vec<(String, String)>, Error> {
        let asked: Vec<String> = match self.options.forward_headers {
            Some(list) => list.split(',').take(MAX_FORWARDED + 1).map(header_name).collect(),
            None => names.iter().take(MAX_FORWARDED + 1).cloned().collect(),
        };
        if asked.len() > MAX_FORWARDED {
            let message = format!("forward_headers must not name more than {MAX_FORWARDED}");
            return Err(Error::invalid("invalid_forward_headers", message));
        }
        let mut found: Vec<(String, String)> = Vec::new();
        for name in asked {
            if found.iter().any(|(seen, _)| *seen == name) {
                continue;
            }
            if name == "x-portkey-forward-headers" {
                let message =
                    "forward_headers must not contain the 'x-portkey-forward-headers' header";
                return Err(Error::invalid("invalid_forward_headers", message));
            }
            if let Some(value) = unique_text(self.headers, &name)?.filter(|_| may_forward(&name)) {
                found.push((name, value));
            }
        }
        Ok(found)
    }

    /// Where a target leads. What it says itself wins over the headers.
    fn destination<'t>(&'t self, target: &'t Target) -> Result<Destination<'t>, Error> {
        let options = self.options;
        let to = |cluster, key, by_headers| {
            Ok(Destination { cluster, virtual_key: None, key, by_headers })
        };
        if let Some(slug) = &target.virtual_key {
            return self.virtual_key(slug, false);
        }
        if let Some(slug) = target.provider {
            return to(provider::provider_cluster(slug), target.api_key.clone(), false);
        }
        if let Some(slug) = options.provider.and_then(|name| name.strip_prefix('@')) {
            return self.virtual_key(tree::slug_of(slug), true);
        }
        if let Some(slug) = options.virtual_key.or(self.address.map(|it| it.slug.as_str())) {
            return self.virtual_key(slug, true);
        }
        let name = options.provider.ok_or_else(|| self.nothing_named())?;
        let row = provider::find(name).ok_or_else(|| target_error::unknown_provider(name))?;
        let key = match (options.bearer, row.auth.header()) {
            (Some(key), _) => Some(key.to_owned()),
            // As the provider's own clients send it, such as `x-api-key`.
            (None, Some((name, _))) => match unique_text(self.headers, name)? {
                // As Anthropic's clients do, whoever answers them.
                None if Format::of_errors(self.endpoint) == Some(Format::Messages) => {
                    unique_text(self.headers, "x-api-key")?
                }
                key => key,
            },
            (None, None) => None,
        };
        to(provider::provider_cluster(row.slug), key, true)
    }

    fn virtual_key<'t>(
        &'t self,
        slug: &'t str,
        by_headers: bool,
    ) -> Result<Destination<'t>, Error> {
        let key = self.registry.virtual_key(slug);
        let key = key.ok_or_else(|| target_error::unknown_virtual_key(slug))?;
        let cluster = key.clusters.first().cloned().unwrap_or_default();
        Ok(Destination { cluster, virtual_key: Some((slug, key)), key: None, by_headers })
    }

    /// The error of a request that names no target, or only one that does not exist.
    fn nothing_named(&self) -> Error {
        let model = self.body.and_then(|body| body.string("model"));
        match model.as_deref().and_then(tree::split_model) {
            Some((slug, _)) => target_error::unknown_virtual_key(slug).with_param("model"),
            None => target_error::nothing_named(self.options),
        }
    }

    fn note(&self, target: &plan::Target, record: &mut Record) {
        let upstream = self.registry.upstream(&target.cluster);
        record.provider = upstream.map(|upstream| upstream.provider.slug);
        record.virtual_key = virtual_key_of(&target.cluster).map(str::to_owned);
    }
}

/// What a target names.
struct Destination<'a> {
    /// A cluster of it: of a virtual key, that of its first credential.
    cluster: String,
    /// The virtual key and its slug.
    virtual_key: Option<(&'a str, &'a VirtualKey)>,
    /// The caller's credential, where one goes with it.
    key: Option<String>,
    /// Whether the headers name it, and so may tell its provider's settings.
    by_headers: bool,
}

/// Whether a config names a provider that gateway.yaml does not, and not the key that it takes: the
/// caller's header is not for it.
fn lacks_credential(target: &Target, upstream: &Upstream) -> bool {
    let row = upstream.provider;
    let own = target.provider.is_some() && target.api_key.is_none();
    let mut settings = row.settings.iter();
    // What is no plain text may be part of a credential.
    let only_key = settings.all(|setting| setting.kind == provider::Kind::Text);
    own && !upstream.listed && row.auth.header().is_some() && only_key
}

/// Headers that a target may have sent on, at most.
const MAX_FORWARDED: usize = 64;

/// Whether a target's own credential would go to its host.
fn has_secret(target: &Target, row: &Provider) -> bool {
    let mut secrets = row.settings.iter().filter(|setting| setting.kind == provider::Kind::Secret);
    target.api_key.is_some()
        || secrets.any(|setting| target.provider_settings.get(setting.name).is_some())
}

fn no_target() -> Error {
    Error::gateway("no_target", "The config leads to no target")
}

/// Whether a caller may have a header sent on: not what the connection or the gateway speaks in.
fn may_forward(name: &str) -> bool {
    let kept = [
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    !name.starts_with(':')
        && !name.starts_with("x-envoy-")
        && !name.starts_with(PREFIX)
        && !kept.contains(&name)
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

pub(super) fn unique_text(headers: &Headers, name: &str) -> Result<Option<String>, Error> {
    let invalid =
        |code, what| Error::invalid(code, format!("The header {name} is {what}")).with_param(name);
    let value = headers
        .unique(name)
        .map_err(|_| invalid("duplicate_header", "there more than once"))?
        .filter(|value| !value.is_empty());
    let text = value.map(std::str::from_utf8).transpose();
    Ok(text.map_err(|_| invalid("invalid_header", "not valid UTF-8"))?.map(str::to_owned))
}

impl plan::Target {
    /// The Envoy cluster that an attempt at this target goes through.
    pub fn route(&self) -> &str {
        match self.custom_host {
            _ if self.hop => cluster::HOP,
            Some(_) => cluster::CUSTOM,
            None => &self.cluster,
        }
    }
}
