//! From an account to a token: one that is kept, or one that Google is asked for.

use super::account::ServiceAccount;
use super::{KEY_FILE, Vault, cache, jwt};
use crate::call::Call;
use crate::contract::cluster;
use crate::error::Error;
use crate::http::{Headers, is_header_value};
use crate::provider::BaseUrl;
use serde::Deserialize;
use std::borrow::Cow;

/// Milliseconds that the token endpoint has.
const TIMEOUT: u64 = 10_000;
/// Seconds before its end at which a token is no longer used.
const MARGIN: u64 = 60;
/// Longest lifetime, in seconds, that is believed.
const MAX_LIFETIME: u64 = 43_200;
/// Longest token in bytes.
const MAX_TOKEN: usize = 16 << 10;
/// Longest reason of the endpoint's that is repeated, in characters.
const MAX_REASON: usize = 256;

/// How a request gets its token.
#[derive(Debug)]
pub enum Access {
    /// At once.
    Token(String),
    /// By asking.
    Ask(Exchange, Call),
}

/// A token that was asked for.
#[derive(Debug)]
pub struct Exchange {
    fingerprint: [u8; 32],
}

/// The way to a token of this account. `url` is that of the token endpoint, `now` Unix time in
/// seconds.
///
/// # Errors
/// The key cannot sign.
pub fn access(
    account: &ServiceAccount,
    url: &BaseUrl,
    now: u64,
    vault: &dyn Vault,
) -> Result<Access, Error> {
    let fingerprint = account.fingerprint();
    if let Some(token) = cache::get(&fingerprint, now, vault) {
        return Ok(Access::Token(token));
    }
    let assertion = jwt::assertion(account, now, vault).ok_or_else(|| {
        let message = "The service account's private key cannot sign";
        Error::invalid("invalid_service_account", message).with_param(KEY_FILE)
    })?;
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";
    let body = [grant, "&assertion=", &assertion].concat().into_bytes();
    let mut headers = Headers::default();
    headers.push(":method", "POST");
    headers.push(":path", url.path.as_str());
    headers.push(":authority", url.authority());
    headers.push("content-type", "application/x-www-form-urlencoded");
    headers.push("accept", "application/json");
    let call = Call { cluster: cluster::GOOGLE_TOKEN.to_owned(), headers, body, timeout: TIMEOUT };
    Ok(Access::Ask(Exchange { fingerprint }, call))
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    access_token: Cow<'a, str>,
    #[serde(default)]
    expires_in: f64,
}

#[derive(Deserialize)]
struct Refusal<'a> {
    #[serde(borrow)]
    error: Cow<'a, str>,
    #[serde(borrow, default)]
    error_description: Option<Cow<'a, str>>,
}

impl Exchange {
    /// The token in the endpoint's answer, which is kept. `status` is `None` when there is no
    /// answer.
    ///
    /// # Errors
    /// There is none: 401 when Google refuses the account, 502 or 504 when it is not to blame.
    pub fn finish(
        self,
        status: Option<u16>,
        body: &[u8],
        now: u64,
        vault: &dyn Vault,
    ) -> Result<String, Error> {
        if status != Some(200) {
            return Err(refused(status, body));
        }
        let answer = serde_json::from_slice::<Answer<'_>>(body).ok();
        let answer = answer.filter(|answer| {
            let token = answer.access_token.as_bytes();
            !token.is_empty() && token.len() <= MAX_TOKEN && is_header_value(token)
        });
        let Some(Answer { access_token, expires_in }) = answer else {
            let message = "Google's token endpoint answered without an access token";
            return Err(Error::provider(502, "token_endpoint_failed", message));
        };
        // What is no number of seconds becomes 0.
        let lifetime = (expires_in as u64).min(MAX_LIFETIME);
        let until = now.saturating_add(lifetime - MARGIN.min(lifetime / 2));
        if until > now {
            cache::put(&self.fingerprint, until, &access_token, vault);
        }
        Ok(access_token.into_owned())
    }
}

/// The error for an answer other than 200.
fn refused(status: Option<u16>, body: &[u8]) -> Error {
    let failed = |status, what: &str| {
        let message = format!("Google's token endpoint {what}");
        Error::provider(status, "token_endpoint_failed", message)
    };
    match status {
        None | Some(503) => failed(502, "cannot be reached"),
        Some(504) => failed(504, "did not answer in time"),
        Some(status @ (400 | 401 | 403)) => {
            let refusal = serde_json::from_slice::<Refusal<'_>>(body).ok();
            let reason = refusal.map_or_else(
                || format!("status {status}"),
                |refusal| match refusal.error_description {
                    Some(text) => format!("{}: {text}", refusal.error),
                    None => refusal.error.into_owned(),
                },
            );
            let reason: String = reason.chars().take(MAX_REASON).collect();
            let message = format!("Google refused the service account: {reason}");
            Error::client(401, "service_account_refused", message)
        }
        Some(status) => failed(502, &format!("answered with status {status}")),
    }
}
