//! `jwt` and `rate_limit_service`.

use std::path::PathBuf;

use super::Checker;
use crate::provider::BaseUrl;
use crate::tool::field::{Field, Fields};
use crate::tool::model::{Jwks, Jwt, RateLimitService};

/// Longest time that a rate-limit service may take, in milliseconds.
const MAX_TIMEOUT: u64 = 10_000;

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
                if let Err(error) = std::fs::read(&path) {
                    self.problems.add(&file.path, format_args!("{text} cannot be read: {error}"));
                }
                Some(Jwks::File(path))
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
