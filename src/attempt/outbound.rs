//! The request of an attempt: path, headers and body for this provider.

use crate::config::registry::Upstream;
use crate::config::request::PREFIX;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::http::Headers;
use crate::json::Object;
use crate::plan::Plan;

/// Credentials, which only the plan and Envoy's injector may set, and what Envoy or the client's
/// network added for its own use.
const DROPPED: [&str; 10] = [
    "authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "proxy-authorization",
    "cookie",
    "x-request-id",
    // An answer that we may have to read.
    "accept-encoding",
    "x-real-ip",
    "forwarded",
];

/// Makes the headers those of a request to this provider, whatever they were before.
///
/// # Errors
/// The provider does not have the operation.
pub fn rewrite_headers(
    plan: &Plan,
    upstream: &Upstream,
    headers: &mut Headers,
) -> Result<(), Error> {
    let row = upstream.provider;
    headers.retain(|name| {
        !DROPPED.contains(&name)
            && ![PREFIX, "x-envoy-", "x-forwarded-"].iter().any(|prefix| name.starts_with(prefix))
    });
    headers.set(":path", path(plan, upstream)?);
    headers.set(":authority", upstream.authority.as_str());
    for (name, value) in row.headers {
        headers.set(name, *value);
    }
    for (name, value) in &plan.headers {
        match row.client_headers.contains(&name.as_str()) {
            true => headers.set(name, value.as_str()),
            false => headers.remove(name),
        }
    }
    for (name, value) in &upstream.headers {
        headers.set(name, value.as_str());
    }
    if plan.endpoint == Endpoint::ChatCompletions {
        headers.set("accept", if plan.stream { "text/event-stream" } else { "application/json" });
    }
    if let (Some(key), Some((name, prefix)), false) =
        (&plan.api_key, row.auth.header(), upstream.injects_credential)
    {
        headers.set(name, format!("{prefix}{}", key.0));
    }
    Ok(())
}

/// The provider's path: its base path, then the operation's own or the client's below `/v1`.
fn path(plan: &Plan, upstream: &Upstream) -> Result<String, Error> {
    let row = upstream.provider;
    let below = match row.dialect.path(plan.endpoint, row.slug)? {
        Some(own) => own,
        None => {
            let below = plan.path.strip_prefix("/v1").unwrap_or(&plan.path);
            match below.strip_prefix("/proxy") {
                Some(rest) if rest.starts_with('/') => rest,
                _ => below,
            }
        }
    };
    Ok([upstream.base_path.as_str(), below].concat())
}

/// Whether this provider gets another body than the client sent.
pub fn changes_body(plan: &Plan, upstream: &Upstream) -> bool {
    let edited = plan.override_params.is_some() || upstream.default_params.is_some();
    upstream.provider.dialect.translates(plan.endpoint) || (edited && plan.body_length.is_some())
}

/// The body for this provider.
///
/// # Errors
/// It cannot be put in the provider's format.
pub fn make_body(plan: &Plan, upstream: &Upstream, body: &[u8]) -> Result<Vec<u8>, Error> {
    let edited = edit(plan, upstream, body)?;
    let body = edited.as_deref().unwrap_or(body);
    let dialect = upstream.provider.dialect;
    match dialect.translates(plan.endpoint) {
        true => dialect.chat_request(body),
        false => Ok(body.to_vec()),
    }
}

/// Default params fill what is absent, then override params replace; `None` when there are none.
fn edit(plan: &Plan, upstream: &Upstream, body: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    if plan.override_params.is_none() && upstream.default_params.is_none() {
        return Ok(None);
    }
    let parse = |text| {
        Object::parse(text).map_err(|error| {
            Error::invalid("invalid_json", "Invalid JSON body").with_hint(format!("body: {error}"))
        })
    };
    let mut object = parse(body)?;
    if let Some(params) = &upstream.default_params {
        for (key, value) in parse(params.get().as_bytes())?.iter() {
            if object.get(key).is_none() {
                object.set(key, value.to_owned());
            }
        }
    }
    if let Some(params) = &plan.override_params {
        for (key, value) in parse(params.get().as_bytes())?.iter() {
            object.set(key, value.to_owned());
        }
    }
    Ok(Some(object.to_vec()))
}
