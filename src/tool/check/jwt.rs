//! `jwt` and `rate_limit_service`.

use std::path::PathBuf;

use serde_json::Value;

use super::Checker;
use crate::provider::BaseUrl;
use crate::tool::field::{Field, Fields};
use crate::tool::model::{Jwks, Jwt, RateLimitService};

/// Longest time that a rate-limit service may take, in milliseconds.
const MAX_TIMEOUT: u64 = 10_000;

/// Why Envoy would not take a JSON Web Key Set: it would answer no request at all then.
fn problem_of(text: &str) -> Option<&'static str> {
    let Ok(set) = serde_json::from_str::<Value>(text) else { return Some("is no JSON") };
    let Some(keys) = set.get("keys").and_then(Value::as_array) else {
        return Some("has no list \"keys\", as a JSON Web Key Set does");
    };
    let has = |key: &Value, names: &[&str]| {
        names
            .iter()
            .all(|name| key.get(name).and_then(Value::as_str).is_some_and(|t| !t.is_empty()))
    };
    let is_good = |key: &Value| match key.get("kty").and_then(Value::as_str) {
        Some("RSA") => has(key, &["n", "e"]),
        Some("EC") => has(key, &["crv", "x", "y"]),
        Some("OKP") => has(key, &["crv", "x"]),
        _ => false,
    };
    match keys.iter().any(is_good) {
        true => None,
        false => Some("has no public key of the kinds RSA, EC or OKP"),
    }
}

impl Checker<'_> {
    /// Whose tokens are good, and which caller they lead to.
    pub(super) fn jwt(&mut self, field: &Field<'_>, callers: &[(&str, Field<'_>)]) -> Option<Jwt> {
        let known = ["issuer", "audiences", "jwks_file", "jwks_uri", "header", "claim", "default"];
        let fields = Fields::open(field, &known, &mut self.problems);
        let mut text = |name: &str| -> Option<String> {
            fields.get(name).and_then(|field| field.text(&mut self.problems)).map(str::to_owned)
        };
        let [issuer, claim, default] = [text("issuer"), text("claim"), text("default")];
        let header = text("header").map(|name| name.to_ascii_lowercase());
        if issuer.is_none() {
            self.problems.add(&field.path, "needs an issuer");
        }
        if let (Some(name), Some(field)) = (&default, fields.get("default"))
            && !callers.iter().any(|(caller, _)| caller == name)
        {
            self.problems.add(&field.path, format_args!("unknown caller {name:?}"));
        }
        let audiences = self.audiences(fields.get("audiences"));
        if audiences.is_empty() {
            // A token that was made for another service would be good here.
            self.problems.add(&field.path, "needs audiences");
        }
        let jwks = self.jwks(field, &fields)?;
        Some(Jwt {
            issuer: issuer?,
            audiences,
            jwks,
            header: header.unwrap_or_else(|| "authorization".to_owned()),
            claim: claim.unwrap_or_else(|| "sub".to_owned()),
            default,
        })
    }

    fn audiences(&mut self, field: Option<&Field<'_>>) -> Vec<String> {
        let items = field.and_then(|field| field.items(&mut self.problems)).unwrap_or_default();
        let texts = items.iter().filter_map(|item| item.text(&mut self.problems));
        texts.map(str::to_owned).collect()
    }

    fn jwks(&mut self, field: &Field<'_>, fields: &Fields<'_>) -> Option<Jwks> {
        match (fields.get("jwks_file"), fields.get("jwks_uri")) {
            (Some(file), None) => {
                let text = file.text(&mut self.problems)?;
                let path = std::path::absolute(text).unwrap_or_else(|_| PathBuf::from(text));
                let read = std::fs::read_to_string(&path);
                self.files.push(path);
                let keys = read.map_err(|error| error.to_string()).and_then(|keys| {
                    let problem = problem_of(&keys);
                    problem.map_or(Ok(keys), |problem| Err(problem.to_owned()))
                });
                match keys {
                    Ok(keys) => Some(Jwks::Given(keys)),
                    Err(problem) => {
                        self.problems.add(&file.path, format_args!("{text}: {problem}"));
                        None
                    }
                }
            }
            (None, Some(uri)) => Some(Jwks::Server(BaseUrl::parse(&self.url(uri)?).ok()?)),
            _ => {
                self.problems.add(&field.path, "needs either a jwks_file or a jwks_uri");
                None
            }
        }
    }

    /// Who counts for several gateways.
    pub(super) fn rate_limit_service(&mut self, field: &Field<'_>) -> Option<RateLimitService> {
        let known = ["address", "domain", "timeout", "deny_on_failure"];
        let fields = Fields::open(field, &known, &mut self.problems);
        let domain = fields.get("domain").and_then(|field| field.text(&mut self.problems));
        let timeout = self.number(fields.get("timeout"), 1..=MAX_TIMEOUT).unwrap_or(100);
        let deny_on_failure = self.flag(fields.get("deny_on_failure")).unwrap_or_default();
        let Some(address) = fields.get("address") else {
            self.problems.add(&field.path, "needs an address");
            return None;
        };
        let text = address.text(&mut self.problems)?;
        // The same syntax as that of URLs, and the port must be said.
        let url = BaseUrl::parse(&format!("http://{text}"));
        let url =
            url.ok().filter(|url| url.path.is_empty() && text.ends_with(&url.port.to_string()));
        if url.is_none() {
            self.problems.add(&address.path, "must be a host and a port, such as ratelimit:8081");
        }
        Some(RateLimitService {
            url: url?,
            domain: domain.unwrap_or("portkey").to_owned(),
            timeout,
            deny_on_failure,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::check::check;

    fn problems(yaml: &str) -> Vec<String> {
        check(yaml, &|_| None).map_or_else(|rejected| rejected.problems, |_| Vec::new())
    }

    #[test]
    fn keys_that_envoy_would_not_take_are_refused() {
        for (keys, problem) in [
            ("", Some("is no JSON")),
            ("[]", Some("has no list \"keys\", as a JSON Web Key Set does")),
            ("{\"keys\":[]}", Some("has no public key of the kinds RSA, EC or OKP")),
            (r#"{"keys":[{"kty":"RSA","n":""}]}"#, problem_of("{\"keys\":[]}")),
            (r#"{"keys":[{"kty":"oct","k":"AQ"}]}"#, problem_of("{\"keys\":[]}")),
            (r#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}"#, None),
            (r#"{"keys":[{"kty":"oct"},{"kty":"EC","crv":"P-256","x":"A","y":"A"}]}"#, None),
        ] {
            assert_eq!(problem_of(keys), problem, "{keys}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "{\"keys\":[]}").unwrap();
        let path = file.path().display();
        let yaml = format!("jwt: {{issuer: i, audiences: [a], jwks_file: {path}, default: x}}");
        let expected =
            format!("jwt.jwks_file: {path}: has no public key of the kinds RSA, EC or OKP");
        assert!(problems(&yaml).contains(&expected), "{:?}", problems(&yaml));
    }

    #[test]
    fn every_problem_has_its_path() {
        for (yaml, expected) in [
            ("jwt: {}", "jwt: needs an issuer"),
            ("jwt: {}", "jwt: needs audiences"),
            ("jwt: {issuer: i}", "jwt: needs either a jwks_file or a jwks_uri"),
            ("jwt: {jwks_file: /nowhere}", "jwt.jwks_file: /nowhere: No such file"),
            ("jwt: {default: x}", "jwt.default: unknown caller \"x\""),
            ("rate_limit_service: {address: 'a:1'}", "rate_limit_service: counts what callers do"),
            (
                "api_keys: {a: {key: k}}\nrate_limit_service: {address: a}",
                "rate_limit_service.address: must be a host and a port",
            ),
            (
                "api_keys: {a: {key: k, rate_limits: {tokens_per_minute: 1}}}\n\
                 rate_limit_service: {address: 'a:1'}",
                "api_keys.a.rate_limits: the rate-limit service has the limits, not this file",
            ),
        ] {
            let problems = problems(yaml);
            assert!(problems.iter().any(|one| one.starts_with(expected)), "{yaml}: {problems:?}");
        }
    }
}
