//! Who asks, and what that caller may do. No I/O.
//!
//! [`scope`] says what a caller may use; [`account`] counts what it has used, and holds back what
//! its requests under way may still use; [`estimate`] guesses that.

pub mod account;
pub mod estimate;
pub mod scope;

use crate::cache::key::Key;
use crate::config::caller::{self as config, Caller};
use crate::error::Error;
use crate::http::{Headers, is_header_value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The header of the gateway's own keys.
const KEY_HEADER: &str = "x-portkey-api-key";
/// Where a key may be instead, for clients that know one key only.
const OTHER_HEADERS: [&str; 3] = ["authorization", "x-api-key", "api-key"];

/// Longest name of a caller in a token, in bytes.
const MAX_NAME: usize = 256;

/// Everybody who may ask.
#[derive(Debug)]
pub struct Callers {
    by_name: BTreeMap<String, Rc<Policy>>,
    /// By the digest of the key, sorted by its beginning.
    by_digest: Vec<([u8; 32], Rc<Policy>)>,
    jwt: Option<config::Jwt>,
    /// Whether a rate-limit service counts, so that Envoy must be told who asks.
    pub rate_limit_service: bool,
}

/// What holds for a caller.
#[derive(Debug)]
pub struct Policy {
    /// Its name in gateway.yaml.
    pub name: String,
    /// The rules.
    pub rules: Caller,
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Who it is: the name in gateway.yaml, or what a token says.
    pub name: String,
    /// What holds.
    pub policy: Rc<Policy>,
}

/// What Envoy knows of a token.
pub trait Tokens {
    /// A claim of the token, if that is good.
    fn claim(&self, name: &str) -> Option<String>;
    /// What is wrong with it, if there is one.
    fn fault(&self) -> Option<String>;
}

/// Nothing of a token.
pub struct NoTokens;

impl Tokens for NoTokens {
    fn claim(&self, _: &str) -> Option<String> {
        None
    }

    fn fault(&self) -> Option<String> {
        None
    }
}

impl Callers {
    /// Reads what the plugin configuration says.
    ///
    /// # Errors
    /// What the module cannot use; it quotes no key.
    pub fn new(settings: config::Callers) -> Result<Self, String> {
        let mut by_name = BTreeMap::new();
        let mut by_digest = Vec::new();
        for (name, rules) in settings.keys {
            let digest = match &rules.sha256 {
                Some(hex) => {
                    Some(Key::from_hex(hex).ok_or_else(|| format!("{name}: bad sha256"))?.0)
                }
                None => None,
            };
            let policy = Rc::new(Policy { name: name.clone(), rules });
            by_digest.extend(digest.map(|digest| (digest, policy.clone())));
            by_name.insert(name, policy);
        }
        by_digest.sort_unstable_by_key(|(digest, _)| *digest);
        if by_digest.windows(2).any(|pair| matches!(pair, [(a, _), (b, _)] if a == b)) {
            return Err("two callers have the same key".to_owned());
        }
        if let Some(jwt) = &settings.jwt
            && let Some(name) = &jwt.default
            && !by_name.contains_key(name)
        {
            return Err(format!("jwt.default: no caller {name}"));
        }
        let (jwt, rate_limit_service) = (settings.jwt, settings.rate_limit_service);
        Ok(Self { by_name, by_digest, jwt, rate_limit_service })
    }

    /// Every policy.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.by_name.values().map(Rc::as_ref)
    }

    /// Who asks, by the key in the headers or by a token. `now` is Unix time in seconds. The key is
    /// taken out of the headers: no provider gets it.
    ///
    /// # Errors
    /// 401: nobody who is known, or whose time is over. 403: a token of somebody without rules.
    pub fn identify(
        &self,
        headers: &mut Headers,
        tokens: &dyn Tokens,
        now: u64,
    ) -> Result<Identity, Error> {
        let own = text(headers, KEY_HEADER)?;
        if let Some(identity) = own.as_deref().and_then(|key| self.by_key(key)) {
            let key = own.as_deref().map(str::as_bytes).unwrap_or_default();
            // Sent twice, as clients do that want one key in both places.
            let same = OTHER_HEADERS.into_iter().filter(|name| is_key(headers, name, key));
            for name in same.collect::<Vec<_>>() {
                headers.remove(name);
            }
            return good(identity, now);
        }
        if let Some(identity) = self.by_token(tokens)? {
            return good(identity, now);
        }
        if own.is_none() {
            for name in OTHER_HEADERS {
                let Some(value) = text(headers, name)? else { continue };
                let identity = self.by_key(strip_bearer(&value));
                headers.remove(name);
                return identity
                    .map_or_else(|| Err(self.unknown(tokens)), |identity| good(identity, now));
            }
            return Err(self.missing(tokens));
        }
        Err(self.unknown(tokens))
    }

    /// The digest decides, so that nothing is learned from how long it takes: whose beginning is
    /// right is found by a search, which tells of a digest alone, and then compared as a whole.
    fn by_key(&self, key: &str) -> Option<Identity> {
        let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        let start = |digest: &[u8; 32]| digest.first_chunk::<8>().copied().unwrap_or_default();
        let begin = self.by_digest.partition_point(|(one, _)| start(one) < start(&digest));
        let alike = self.by_digest.get(begin..).unwrap_or_default();
        let mut alike = alike.iter().take_while(|(one, _)| start(one) == start(&digest));
        let (_, policy) = alike.find(|(one, _)| same(one, &digest))?;
        Some(Identity { name: policy.name.clone(), policy: policy.clone() })
    }

    fn by_token(&self, tokens: &dyn Tokens) -> Result<Option<Identity>, Error> {
        let Some(jwt) = &self.jwt else { return Ok(None) };
        let Some(name) = tokens.claim(&jwt.claim).filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        // It goes into a header, and into the log.
        let fits = name.len() <= MAX_NAME && is_header_value(name.as_bytes());
        let policy = self.by_name.get(&name).filter(|_| fits);
        let default = jwt.default.as_ref().filter(|_| fits);
        let policy = policy.or_else(|| self.by_name.get(default?));
        match policy {
            Some(policy) => Ok(Some(Identity { name, policy: policy.clone() })),
            None => Err(Error::client(403, "unknown_caller", FORBIDDEN)
                .with_hint("nobody of the token's name may use this gateway")),
        }
    }

    fn missing(&self, tokens: &dyn Tokens) -> Error {
        let hint = match tokens.fault().filter(|_| self.jwt.is_some()) {
            Some(fault) => fault,
            None => "send the gateway's key as x-portkey-api-key".to_owned(),
        };
        unauthorized("missing_api_key", "03", "Invalid API Key", hint)
    }

    fn unknown(&self, tokens: &dyn Tokens) -> Error {
        let hint = match tokens.fault().filter(|_| self.jwt.is_some()) {
            Some(fault) => format!("this gateway does not know the key; as a token: {fault}"),
            None => "this gateway does not know the key".to_owned(),
        };
        unauthorized("invalid_api_key", "03", "Invalid API Key", hint)
    }
}

/// Portkey's words for what is not allowed.
pub(crate) const FORBIDDEN: &str = "Portkey Error: Forbidden!. Error Code: 033";

fn unauthorized(code: &'static str, number: &str, words: &str, hint: String) -> Error {
    let message = format!("Portkey Error: {words}. Error Code: {number}");
    Error::client(401, code, message).with_hint(hint)
}

/// Refuses whose time is over, once it is known who it is.
fn good(identity: Identity, now: u64) -> Result<Identity, Error> {
    let rules = &identity.policy.rules;
    let name = &identity.policy.name;
    if rules.disabled {
        let hint = format!("the key of {name:?} is disabled");
        return Err(unauthorized("api_key_disabled", "03", "Invalid API Key", hint));
    }
    if rules.expires_at.is_some_and(|end| end <= now) {
        let hint = format!("the key of {name:?} was good until a while ago");
        return Err(unauthorized("api_key_expired", "01", "API Key Expired", hint));
    }
    Ok(identity)
}

/// The only value of a header; `None` when it is empty.
fn text(headers: &Headers, name: &str) -> Result<Option<String>, Error> {
    let value = headers.unique(name).map_err(|_| {
        let message = format!("The header {name} is there more than once");
        Error::invalid("duplicate_header", message).with_param(name)
    })?;
    let text = std::str::from_utf8(value.unwrap_or_default()).unwrap_or("\u{fffd}").trim();
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

fn is_key(headers: &Headers, name: &str, key: &[u8]) -> bool {
    headers.text(name).is_some_and(|value| strip_bearer(value.trim()).as_bytes() == key)
}

fn strip_bearer(value: &str) -> &str {
    crate::config::request::strip_bearer(value)
}

/// Compares without a way out before the end.
fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let difference = one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b));
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests;
