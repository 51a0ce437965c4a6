//! The request of an attempt: path, headers and body for this provider.

use crate::adapter::{Echo, Format, Taker};
use crate::config::registry::Upstream;
use crate::config::request::PREFIX;
use crate::contract::{CREDENTIAL_HEADERS, cluster, header};
use crate::dialect::{Ask, Dialect, Dropped, Outgoing};
use crate::endpoint::{Endpoint, below, percent_encoded, proxied};
use crate::error::Error;
use crate::http::Headers;
use crate::json::Object;
use crate::plan::{Plan, Target};
use crate::provider::{self, BaseUrl, Provider, Quirk, Scheme};
use crate::service_account::ServiceAccount;
use crate::trace::Parent;
use serde_json::value::RawValue;

/// What Envoy, its tracer or the client's network added for its own use, and the wish for an answer
/// that we may be unable to read.
const DROPPED: [&str; 6] =
    ["x-request-id", "accept-encoding", "x-real-ip", "forwarded", "traceparent", "tracestate"];

/// Makes the headers those of a request to this provider, whatever they were before.
///
/// # Errors
/// The provider does not have the operation.
pub fn rewrite_headers(
    plan: &Plan,
    target: &Target,
    upstream: &Upstream,
    headers: &mut Headers,
) -> Result<(), Error> {
    let place = Place::of(target, upstream)?;
    let row = row(target, upstream);
    if let Some(own) = &plan.client_headers {
        // The map is the one that the attempt before has left, with what was for its target alone.
        headers.retain(|name| name.starts_with(':'));
        for (name, value) in own {
            headers.push(name, value.as_str());
        }
    }
    headers.retain(|name| {
        let prefixes = [PREFIX, "x-envoy-", "x-forwarded-"];
        !(DROPPED.contains(&name)
            || CREDENTIAL_HEADERS.contains(&name)
            || prefixes.iter().any(|prefix| name.starts_with(prefix)))
    });
    headers.set(":path", path(row, &place, plan, operation(plan, row).1, target)?);
    headers.set(":authority", place.url.authority());
    for (name, value) in row.headers {
        if let Ok(value) = target.settings.expand(value) {
            headers.set(name, value.as_bytes());
        }
    }
    for (name, value) in &plan.headers {
        match row.client_headers.contains(&name.as_str()) {
            true => headers.set(name, value.as_str()),
            false => headers.remove(name),
        }
    }
    for (name, value) in &target.forwarded {
        headers.set(name, value.as_str());
    }
    // They may be secrets, and a custom host is the caller's choice.
    for (name, value) in upstream.headers.iter().filter(|_| target.custom_host.is_none()) {
        headers.set(name, value.as_str());
    }
    if headers.text(":method") == Some("DELETE") && headers.get("content-type").is_none() {
        // Portkey names one for every method but GET.
        headers.set("content-type", "application/json");
    }
    let asked = operation(plan, row).0;
    if asked == Endpoint::ChatCompletions || row.dialect.translates(asked) {
        let stream = row.dialect.framing().media_type();
        headers.set("accept", if plan.stream { stream } else { "application/json" });
    }
    let key = target.api_key.as_ref().map(|key| key.0.as_str());
    if !upstream.injects_credential
        && key_parameter(row, plan).is_none()
        && let Some((name, value)) = row.credential(key, &target.settings)
    {
        // Where a signature is due, it replaces the key.
        headers.set(name, value);
    }
    if let Some(scheme) = place.scheme {
        headers.set(header::SCHEME, scheme);
    }
    if let (Some(text), true) = (target.key_file(), target.hop) {
        // It was checked when the request came in.
        let account = ServiceAccount::parse(text).map(|account| account.to_json());
        headers.set(header::SERVICE_ACCOUNT, account.unwrap_or_default());
    }
    if target.hop {
        let behind = if place.scheme.is_some() { cluster::CUSTOM } else { &target.cluster };
        headers.set(header::CLUSTER, behind);
        headers.set("x-envoy-upstream-rq-per-try-timeout-ms", target.timeout.to_string());
    }
    Ok(())
}

/// Tells the provider of the trace, if it is to know.
pub fn add_trace(parent: &Parent, attempt: usize, headers: &mut Headers) {
    if !parent.propagate {
        return;
    }
    headers.set("traceparent", parent.header(attempt));
    if let Some(state) = &parent.state {
        headers.set("tracestate", state.as_str());
    }
}

/// The row of the table that a target is at.
pub fn row(target: &Target, upstream: &Upstream) -> &'static Provider {
    upstream.row(target.custom_host.as_deref(), &target.settings)
}

/// The operation that a provider is asked for, and its path below `/v1`: a chat completion where it
/// has none of the client's.
pub fn operation<'a>(plan: &'a Plan, row: &Provider) -> (Endpoint, &'a str) {
    match Format::needed(plan.endpoint, row) {
        Some(_) => (Endpoint::ChatCompletions, "/chat/completions"),
        None => (plan.endpoint, below(&plan.path)),
    }
}

/// Where a target's requests go.
struct Place {
    url: BaseUrl,
    /// The scheme of a custom host.
    scheme: Option<&'static str>,
}

impl Place {
    fn of(target: &Target, upstream: &Upstream) -> Result<Self, Error> {
        let Some(url) = &target.custom_host else {
            let slug = upstream.provider.slug;
            let url = upstream.base.url(&target.settings).map_err(|missing| missing.error(slug))?;
            let url = url.ok_or_else(|| {
                Error::invalid("invalid_setting", format!("The settings of {slug} make no URL"))
            })?;
            return Ok(Self { url, scheme: None });
        };
        let url = BaseUrl::parse_public(url).map_err(|error| {
            Error::invalid("invalid_custom_host", "Invalid custom host")
                .with_hint(error.to_string())
        })?;
        let scheme = if url.scheme == Scheme::Https { "https" } else { "http" };
        Ok(Self { url, scheme: Some(scheme) })
    }
}

fn path(
    row: &Provider,
    place: &Place,
    plan: &Plan,
    below: &str,
    target: &Target,
) -> Result<String, Error> {
    let path = match proxied(&plan.path) {
        Some(own) => row.proxied_path(&place.url.path, own, &target.settings),
        None => row.path(&place.url.path, below, &target.settings),
    };
    let mut path = path.map_err(|missing| missing.error(row.slug))?;
    // A target of a virtual key has none: its key is not even the module's to see.
    if let (Some(name), Some(key)) = (key_parameter(row, plan), &target.api_key) {
        let separator = if path.contains('?') { "&" } else { "?" };
        path.extend([separator, name, "=", &percent_encoded(&key.0)]);
    }
    Ok(path)
}

/// See [`Provider::key_parameter`]. Who speaks to the provider itself says how it takes the key.
fn key_parameter(row: &Provider, plan: &Plan) -> Option<&'static str> {
    row.key_parameter.filter(|_| !plan.endpoint.is_proxied())
}

/// The headers behind the hop: all but the hop's own.
pub fn relayed(mut headers: Headers) -> Headers {
    headers.retain(|name| {
        ![header::CLUSTER, header::RELAYED, header::SERVICE_ACCOUNT].contains(&name)
            && !name.starts_with("x-envoy-")
            && !name.starts_with("x-forwarded-")
    });
    headers
}

/// What speaks to a browser, or another client that keeps state, about the host that it has asked:
/// that is the gateway. Cookies of a provider would be shared by all who use the gateway.
const OF_THE_HOST: [&str; 4] =
    ["set-cookie", "alt-svc", "strict-transport-security", "clear-site-data"];

/// Drops what only we, and Envoy, may say in an answer, and what is about the provider's host.
pub fn drop_forged(headers: &mut Headers) {
    headers.retain(|name| {
        let ours = name.starts_with(PREFIX) || name.starts_with("x-envoy-");
        !(ours || OF_THE_HOST.contains(&name))
    });
}

/// Whether this provider gets another body than the client sent.
pub fn changes_body(plan: &Plan, target: &Target, upstream: &Upstream) -> bool {
    let row = row(target, upstream);
    let edited = edits(target, upstream) || target.quirks;
    let translated = row.dialect.translates(operation(plan, row).0);
    let adapted = Format::needed(plan.endpoint, row).is_some();
    translated || adapted || (edited && plan.body_length.is_some())
}

/// What [`make_body`] has made.
#[derive(Debug)]
pub struct Made {
    /// The body for the provider, `None` if it is the client's.
    pub body: Option<Vec<u8>>,
    /// See [`crate::dialect::Outgoing::model`].
    pub model: Option<Box<RawValue>>,
    /// What the provider could not be told.
    pub dropped: Dropped,
    /// What the answer repeats, of a client's request that was translated to a chat completion's.
    pub echo: Option<Echo>,
    /// See [`crate::dialect::Outgoing::speaks`].
    pub speaks: Option<Dialect>,
}

/// The body for this provider; sets the path that goes with it.
///
/// # Errors
/// It cannot be put in the provider's format.
pub fn make_body(
    plan: &Plan,
    target: &Target,
    upstream: &Upstream,
    body: &[u8],
    headers: &mut Headers,
) -> Result<Made, Error> {
    let mut dropped = Dropped::default();
    let row = row(target, upstream);
    let (edited, echo) = match Format::needed(plan.endpoint, row) {
        Some(format) => {
            let (chat, echo) = adapt(format, target, upstream, body, &mut dropped)?;
            (Some(chat), Some(echo))
        }
        None => (edit(target, upstream, row.edits(plan.endpoint), body, &mut dropped)?, None),
    };
    let (endpoint, below) = operation(plan, row);
    if !row.dialect.translates(endpoint) {
        return Ok(Made { body: edited, model: None, dropped, echo, speaks: None });
    }
    let ask = Ask {
        endpoint,
        path: below,
        stream: plan.stream,
        strict: target.strict && echo.is_none(),
        settings: &target.settings,
        provider: row,
    };
    let outgoing = row.dialect.request(&ask, edited.as_deref().unwrap_or(body))?;
    let place = Place::of(target, upstream)?;
    headers.set(":path", path(row, &place, plan, &outgoing.path, target)?);
    dropped.append(outgoing.dropped);
    let Outgoing { body, model, speaks, .. } = outgoing;
    Ok(Made { body: Some(body), model, dropped, echo, speaks })
}

/// The client's body as a chat completion request. Params are of the client's API first; what is
/// dropped by name is dropped from both.
fn adapt(
    format: Format,
    target: &Target,
    upstream: &Upstream,
    body: &[u8],
    dropped: &mut Dropped,
) -> Result<(Vec<u8>, Echo), Error> {
    let row = row(target, upstream);
    let edited = edit(target, upstream, [].iter(), body, dropped)?;
    let request = format.request(edited.as_deref().unwrap_or(body), Taker::of(row))?;
    dropped.append(request.dropped);
    let mut chat = parse(&request.body)?;
    let [_, overrides] = own_params(target, upstream);
    let overrides = overrides.map(|params| parse(params.get().as_bytes())).transpose()?;
    for key in &target.drop_params {
        if overrides.as_ref().is_none_or(|params| params.get(key).is_none()) {
            chat.remove(key);
        }
    }
    provider::apply(row.edits(Endpoint::ChatCompletions), &mut chat, dropped);
    Ok((chat.to_vec(), request.echo))
}

/// The upstream's own default and override params, which a host of the caller's choice does not get.
fn own_params<'a>(target: &Target, upstream: &'a Upstream) -> [Option<&'a RawValue>; 2] {
    [&upstream.default_params, &upstream.override_params]
        .map(|params| params.as_deref().filter(|_| target.custom_host.is_none()))
}

fn edits(target: &Target, upstream: &Upstream) -> bool {
    target.override_params.is_some()
        || !target.drop_params.is_empty()
        || own_params(target, upstream).iter().any(Option::is_some)
}

/// Default params fill what is absent, override params replace, then some are dropped; the last
/// word have the upstream's override params. What is left becomes what the vendor wants; `None`
/// when there is nothing to do.
fn edit(
    target: &Target,
    upstream: &Upstream,
    quirks: impl Iterator<Item = &'static Quirk>,
    body: &[u8],
    dropped: &mut Dropped,
) -> Result<Option<Vec<u8>>, Error> {
    let edited = edits(target, upstream);
    if !edited && !target.quirks {
        return Ok(None);
    }
    let mut object = parse(body)?;
    if edited {
        apply_params(target, upstream, &mut object)?;
    }
    let changed = provider::apply(quirks, &mut object, dropped) || edited;
    Ok(changed.then(|| object.to_vec()))
}

fn apply_params(
    target: &Target,
    upstream: &Upstream,
    object: &mut Object<'_>,
) -> Result<(), Error> {
    let [defaults, overrides] = own_params(target, upstream);
    if let Some(params) = defaults {
        for (key, value) in parse(params.get().as_bytes())?.iter() {
            if object.get(key).is_none() {
                object.set(key, value.to_owned());
            }
        }
    }
    if let Some(params) = &target.override_params {
        for (key, value) in parse(params.get().as_bytes())?.iter() {
            object.set(key, value.to_owned());
        }
    }
    for key in &target.drop_params {
        object.remove(key);
    }
    if let Some(params) = overrides {
        for (key, value) in parse(params.get().as_bytes())?.iter() {
            object.set(key, value.to_owned());
        }
    }
    Ok(())
}

/// The body that is put in the provider's format: the client's, with the params of the target.
pub fn effective<'a>(
    target: &Target,
    upstream: &Upstream,
    mut body: Object<'a>,
) -> Option<Object<'a>> {
    apply_params(target, upstream, &mut body).ok()?;
    Some(body)
}

fn parse(text: &[u8]) -> Result<Object<'_>, Error> {
    Object::parse(text).map_err(|error| {
        Error::invalid("invalid_json", "Invalid JSON body").with_hint(format!("body: {error}"))
    })
}
