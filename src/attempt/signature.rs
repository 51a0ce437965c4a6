//! The signature of a request with a caller's keys. An operator's keys never come here: Envoy signs
//! with them.

use crate::config::registry::Upstream;
use crate::error::Error;
use crate::http::Headers;
use crate::plan::Target;
use crate::provider::{Auth, aws};
use crate::sigv4::{self, Credentials, Request, Scope};

/// Whether requests to this target are signed here; then the whole body is needed.
pub fn is_due(target: &Target, upstream: &Upstream) -> bool {
    matches!(find(target, upstream), Ok(Some(_)))
}

/// Adds the signature of a request that is otherwise ready. `now` is Unix time in milliseconds.
///
/// # Errors
/// The target has no credential.
pub fn add(
    target: &Target,
    upstream: &Upstream,
    headers: &mut Headers,
    body: &[u8],
    now: u64,
) -> Result<(), Error> {
    let Some((service, credentials)) = find(target, upstream)? else { return Ok(()) };
    let text = |name| headers.text(name).unwrap_or_default();
    let request = Request {
        method: text(":method"),
        path: text(":path"),
        host: text(":authority"),
        content_type: headers.text("content-type"),
        body,
    };
    let region = target.settings.get(aws::REGION).unwrap_or_default();
    let signed = sigv4::sign(&request, &credentials, Scope { region, service, time: now / 1000 });
    for (name, value) in signed {
        headers.set(name, value);
    }
    Ok(())
}

fn find<'t>(
    target: &'t Target,
    upstream: &Upstream,
) -> Result<Option<(&'static str, Credentials<'t>)>, Error> {
    let Auth::Aws(service) = upstream.provider.auth else { return Ok(None) };
    if upstream.injects_credential {
        return Ok(None);
    }
    let slug = upstream.provider.slug;
    let credentials = aws::credentials(slug, &target.settings, target.api_key.is_some())?;
    Ok(credentials.map(|credentials| (service, credentials)))
}
