//! The headers of a request that speak to the gateway, as `portkey_ai.createHeaders` sends them.
//!
//! Names that are not here are Portkey's, too, but ask for nothing that this gateway does: they
//! are dropped with the rest of `x-portkey-*`.

use crate::error::Error;
use crate::http::Headers;

/// Prefix of every header that speaks to the gateway.
pub const PREFIX: &str = "x-portkey-";

/// What a client asks for by headers. An empty value counts as absent.
#[derive(Debug, Default)]
pub struct RequestOptions<'a> {
    /// `x-portkey-provider`: a slug of the table, or `@` and a virtual key.
    pub provider: Option<&'a str>,
    /// `x-portkey-virtual-key`: a slug.
    pub virtual_key: Option<&'a str>,
    /// `x-portkey-config`: a JSON object, or the slug of a saved one.
    pub config: Option<&'a str>,
    /// `x-portkey-metadata`: a JSON object; what is none is dropped, as Portkey does.
    pub metadata: Option<&'a str>,
    /// `x-portkey-request-timeout`: milliseconds until the response headers, at least 1.
    pub request_timeout: Option<u64>,
    /// `x-portkey-custom-host`: a base URL.
    pub custom_host: Option<&'a str>,
    /// `x-portkey-forward-headers`: names, separated by commas.
    pub forward_headers: Option<&'a str>,
    /// `x-portkey-debug`: whether the log is to have the bodies, and the answer what was tried.
    pub debug: Option<bool>,
    /// `x-portkey-strict-open-ai-compliance`: only `false` says anything.
    pub relaxed: bool,
    /// `x-portkey-cache-force-refresh` is `true`: no kept answer will do.
    pub cache_refresh: bool,
    /// `x-portkey-cache-namespace`: answers are kept apart by it, instead of by the metadata.
    pub cache_namespace: Option<&'a str>,
    /// `Authorization` without `Bearer`.
    pub bearer: Option<&'a str>,
}

impl<'a> RequestOptions<'a> {
    /// Reads and checks the headers of one request.
    ///
    /// # Errors
    /// A header is repeated, is no UTF-8, or holds what it cannot hold.
    pub fn parse(headers: &'a Headers) -> Result<Self, Error> {
        let mut options = Self::default();
        for (name, _) in headers.iter() {
            if name != "authorization" && !name.starts_with(PREFIX) {
                continue;
            }
            let Some(value) = only_text(headers, name)? else {
                continue;
            };
            match name.strip_prefix(PREFIX) {
                None => options.bearer = Some(strip_bearer(value)),
                Some("provider") => options.provider = Some(value),
                Some("virtual-key") => options.virtual_key = Some(value),
                Some("config") => options.config = Some(value),
                Some("metadata") => options.metadata = Some(value),
                Some("request-timeout") => options.request_timeout = Some(milliseconds(value)?),
                Some("strict-open-ai-compliance") => options.relaxed = value == "false",
                Some("custom-host") => options.custom_host = Some(value),
                Some("forward-headers") => options.forward_headers = Some(value),
                Some("cache-force-refresh") => {
                    options.cache_refresh = value.eq_ignore_ascii_case("true");
                }
                Some("cache-namespace") => options.cache_namespace = Some(value),
                Some("debug") => options.debug = value.to_ascii_lowercase().parse().ok(),
                Some(_) => {}
            }
        }
        Ok(options)
    }
}

/// The only value of a header as trimmed text; `None` when it is empty.
fn only_text<'a>(headers: &'a Headers, name: &str) -> Result<Option<&'a str>, Error> {
    let value = headers.unique(name).map_err(|_| {
        let message = format!("The header {name} is there more than once");
        Error::invalid("duplicate_header", message).with_hint("send it once").with_param(name)
    })?;
    let text = std::str::from_utf8(value.unwrap_or_default()).map_err(|_| {
        let message = format!("The header {name} is not valid UTF-8");
        Error::invalid("invalid_header", message).with_param(name)
    })?;
    Ok(Some(text.trim()).filter(|text| !text.is_empty()))
}

/// A credential without its scheme.
pub fn strip_bearer(value: &str) -> &str {
    match value.split_at_checked("bearer ".len()) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer ") => token.trim_start(),
        _ => value,
    }
}

fn milliseconds(value: &str) -> Result<u64, Error> {
    match value.parse() {
        Ok(milliseconds) if milliseconds > 0 => Ok(milliseconds),
        _ => {
            let message = "The header x-portkey-request-timeout must be a whole number of \
                           milliseconds, at least 1";
            Err(Error::invalid("invalid_request_timeout", message)
                .with_param("x-portkey-request-timeout"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &[u8])]) -> Headers {
        let owned = pairs.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec()));
        Headers::new(owned.collect())
    }

    #[test]
    fn what_create_headers_sends_is_understood() {
        let headers = headers(&[
            ("x-portkey-provider", b"openai"),
            ("x-portkey-request-timeout", b"250"),
            ("x-portkey-strict-open-ai-compliance", b"false"),
            ("x-portkey-virtual-key", b""),
            ("x-portkey-package-version", b"portkey-2.3.1"),
            ("authorization", b"bearer sk-1"),
        ]);
        let options = RequestOptions::parse(&headers).unwrap();
        assert_eq!(options.provider, Some("openai"));
        assert_eq!(options.request_timeout, Some(250));
        assert_eq!(options.virtual_key, None);
        assert_eq!(options.bearer, Some("sk-1"));
        assert!(options.relaxed);
    }

    #[test]
    fn a_key_without_its_scheme_is_a_key() {
        for (value, key) in
            [("sk-1", "sk-1"), ("Bearer é", "é"), ("éééé", "éééé"), ("Bearer", "Bearer")]
        {
            assert_eq!(strip_bearer(value), key);
        }
    }

    #[test]
    fn bad_headers_name_themselves() {
        type Pairs<'a> = &'a [(&'a str, &'a [u8])];
        let cases: &[(Pairs<'_>, &str)] = &[
            (&[("x-portkey-provider", b"a"), ("x-portkey-provider", b"a")], "duplicate_header"),
            (&[("authorization", b"a"), ("authorization", b"b")], "duplicate_header"),
            (&[("x-portkey-metadata", b"\xff")], "invalid_header"),
            (&[("x-portkey-request-timeout", b"0")], "invalid_request_timeout"),
            (&[("x-portkey-request-timeout", b"1.5")], "invalid_request_timeout"),
        ];
        for (pairs, code) in cases {
            let headers = headers(pairs);
            let error = RequestOptions::parse(&headers).unwrap_err();
            assert_eq!((error.status, error.code), (400, *code), "{pairs:?}");
        }
    }
}
