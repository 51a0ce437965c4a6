//! Errors for requests that name no target, or one that does not exist.

use crate::config::reader::Problem;
use crate::config::request::RequestOptions;
use crate::config::tree;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::provider;

/// Neither the config nor the headers name a provider.
pub fn nothing_named(options: &RequestOptions<'_>) -> Error {
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

/// A target of a config that could do nothing, in Portkey's words.
pub fn no_credential(path: &str) -> Error {
    tree::error(&[Problem { path: path.to_owned(), reason: tree::INCOMPLETE.to_owned() }])
}

/// A virtual key that gateway.yaml does not have.
pub fn unknown_virtual_key(slug: &str) -> Error {
    Error::invalid("unknown_virtual_key", "Invalid virtual key passed")
        .with_hint(format!("gateway.yaml has no virtual key {:?}", shown(slug)))
        .with_param("x-portkey-virtual-key")
}

/// A provider that the table does not have.
pub fn unknown_provider(name: &str) -> Error {
    let (code, hint) = match provider::reason(name) {
        Some(reason) => ("unsupported_provider", format!("{name} is not supported yet: {reason}")),
        None => ("unknown_provider", format!("there is no provider {:?}", shown(name))),
    };
    Error::invalid(code, "Invalid provider passed").with_hint(hint).with_param("x-portkey-provider")
}

/// An operation that the provider does not have.
pub fn no_operation(endpoint: Endpoint, slug: &str) -> Error {
    Error::unsupported(endpoint, slug)
        .with_hint("paths of the provider's own pass below /v1/proxy/")
}

/// An answer that was to be kept, of a provider that keeps none.
pub fn nothing_stored(method: &str, slug: &str) -> Error {
    let message =
        format!("{method} /v1/responses is only supported for native Responses API providers");
    Error::invalid("unsupported_endpoint", message).with_hint(format!("{slug} stores no answers"))
}

fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}
