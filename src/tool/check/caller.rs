//! `api_keys`: who may ask, and what.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::Checker;
use crate::cache::key::Key;
use crate::config::caller::{Budget, Caller, Period};
use crate::date;
use crate::tool::field::{Field, Fields, Problems, suggest};
use crate::tool::model::Callers;
use crate::tool::yaml::Node;

/// Most requests or tokens a minute.
const MAX_RATE: u64 = 1_000_000_000;
/// Largest budget in dollars, so that millionths of it are a whole number in 64 bits.
const MAX_USD: f64 = 1e12;

/// What the rest of the file has that callers may name.
pub(super) struct Names<'a> {
    pub virtual_keys: &'a [&'a str],
    pub configs: &'a [&'a str],
}

impl Checker<'_> {
    /// Everybody who may ask; `None`: everybody.
    pub(super) fn callers(&mut self, fields: &Fields<'_>, names: &Names<'_>) -> Option<Callers> {
        let keys = fields.get("api_keys").map(|field| field.entries(&mut self.problems));
        let keys = keys.unwrap_or_default();
        let jwt = fields.get("jwt");
        let mut callers = BTreeMap::new();
        for (name, entry) in &keys {
            self.slug(&entry.path, name);
            let caller = self.caller(entry, names, jwt.is_some());
            let digest = caller.sha256.as_ref();
            let twice = callers.values().any(|other: &Caller| other.sha256.as_ref() == digest);
            if twice && digest.is_some() {
                self.problems.add(&entry.path, "another caller has the same key");
            }
            callers.insert((*name).to_owned(), caller);
        }
        let jwt = jwt.and_then(|field| self.jwt(field, &keys));
        let rate_limit_service = fields.get("rate_limit_service").and_then(|field| {
            for (_, entry) in &keys {
                let own = Fields::open(entry, &[], &mut Problems::default());
                if let Some(limits) = own.get("rate_limits") {
                    let message = "the rate-limit service has the limits, not this file";
                    self.problems.add(&limits.path, message);
                }
            }
            self.rate_limit_service(field)
        });
        let some = !callers.is_empty() || jwt.is_some();
        if let Some(field) = fields.get("rate_limit_service").filter(|_| !some) {
            self.problems.add(&field.path, "counts what callers do: it needs api_keys or jwt");
        }
        some.then_some(Callers { keys: callers, jwt, rate_limit_service })
    }

    fn caller(&mut self, entry: &Field<'_>, names: &Names<'_>, has_jwt: bool) -> Caller {
        let known = [
            "key",
            "sha256",
            "virtual_keys",
            "providers",
            "models",
            "configs",
            "default_config",
            "default_metadata",
            "rate_limits",
            "budget",
            "expires_at",
            "disabled",
            "log_bodies",
        ];
        let fields = Fields::open(entry, &known, &mut self.problems);
        let sha256 = self.digest(entry, &fields, has_jwt);
        let default_config = fields.get("default_config").and_then(|field| {
            let slug = field.text(&mut self.problems)?;
            self.one_of("config", field, slug, names.configs);
            Some(slug.to_owned())
        });
        let [requests_per_minute, tokens_per_minute] =
            fields.get("rate_limits").map(|field| self.rates(field)).unwrap_or_default();
        Caller {
            sha256,
            disabled: self.flag(fields.get("disabled")).unwrap_or_default(),
            expires_at: fields.get("expires_at").and_then(|field| self.time(field)),
            virtual_keys: self.names("virtual key", fields.get("virtual_keys"), names.virtual_keys),
            providers: self.allowed_providers(fields.get("providers")),
            models: self.texts(fields.get("models")).map(texts),
            configs: self.names("config", fields.get("configs"), names.configs),
            default_config,
            metadata: self.metadata(fields.get("default_metadata")),
            requests_per_minute,
            tokens_per_minute,
            budget: fields.get("budget").and_then(|field| self.budget(field)),
            log_bodies: self.flag(fields.get("log_bodies")),
        }
    }

    /// The SHA-256 of the key: nothing else of it is needed.
    fn digest(&mut self, entry: &Field<'_>, fields: &Fields<'_>, has_jwt: bool) -> Option<String> {
        match (fields.get("key"), fields.get("sha256")) {
            (Some(field), None) => {
                let key = self.secret(field)?;
                let digest = Sha256::digest(key.reveal().as_bytes());
                Some(Key(digest.into()).hex())
            }
            (None, Some(field)) => {
                let text = field.text(&mut self.problems)?;
                let key = Key::from_hex(text);
                if key.is_none() {
                    self.problems.add(&field.path, "must be 64 hexadecimal digits");
                }
                key.map(|key| key.hex())
            }
            (None, None) if has_jwt => None,
            _ => {
                self.problems.add(&entry.path, "needs either a key or its sha256");
                None
            }
        }
    }

    fn rates(&mut self, field: &Field<'_>) -> [Option<u64>; 2] {
        let known = ["requests_per_minute", "tokens_per_minute"];
        let fields = Fields::open(field, &known, &mut self.problems);
        known.map(|name| self.number(fields.get(name), 1..=MAX_RATE))
    }

    fn budget(&mut self, field: &Field<'_>) -> Option<Budget> {
        let known = ["usd", "per", "reserve_usd", "unpriced"];
        let fields = Fields::open(field, &known, &mut self.problems);
        let per = self.choice(fields.get("per"), &[("day", Period::Day), ("month", Period::Month)]);
        let unpriced = self.choice(fields.get("unpriced"), &[("refuse", false), ("allow", true)]);
        let reserve_micro_usd = self.micro_usd(fields.get("reserve_usd"));
        for name in ["usd", "per"] {
            if fields.get(name).is_none() {
                self.problems.add(&field.path, format_args!("needs {name}"));
            }
        }
        Some(Budget {
            micro_usd: self.micro_usd(fields.get("usd"))?,
            per: per?,
            reserve_micro_usd,
            unpriced: unpriced.unwrap_or_default(),
        })
    }

    /// Dollars as millionths.
    fn micro_usd(&mut self, field: Option<&Field<'_>>) -> Option<u64> {
        let field = field?;
        #[allow(clippy::cast_precision_loss)]
        let usd = match field.node {
            Node::Integer(number) => *number as f64,
            Node::Float(number) => *number,
            other => {
                field.mismatch("a number of dollars", other, &mut self.problems);
                return None;
            }
        };
        if !(1e-6..=MAX_USD).contains(&usd) {
            self.problems.add(&field.path, "must be a number of dollars above 0");
            return None;
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Some((usd * 1e6).round() as u64)
    }

    pub(super) fn time(&mut self, field: &Field<'_>) -> Option<u64> {
        let time = date::parse(field.text(&mut self.problems)?);
        if time.is_none() {
            let message = "must be such as 2026-12-31 or 2026-12-31T23:59:59Z";
            self.problems.add(&field.path, message);
        }
        time
    }

    fn metadata(&mut self, field: Option<&Field<'_>>) -> Map<String, Value> {
        let Some(json) = field.and_then(|field| self.object(field)) else { return Map::new() };
        serde_json::from_str(json.get()).unwrap_or_default()
    }

    fn allowed_providers(&mut self, field: Option<&Field<'_>>) -> Option<Vec<String>> {
        let items = self.texts(field)?;
        for (field, slug) in &items {
            self.provider(&field.path, slug);
        }
        Some(texts(items))
    }

    /// A list of slugs of the same file.
    fn names(
        &mut self,
        what: &str,
        field: Option<&Field<'_>>,
        known: &[&str],
    ) -> Option<Vec<String>> {
        let items = self.texts(field)?;
        for (field, slug) in &items {
            self.one_of(what, field, slug, known);
        }
        Some(texts(items))
    }

    fn one_of(&mut self, what: &str, field: &Field<'_>, slug: &str, known: &[&str]) {
        if !known.contains(&slug) {
            let hint = suggest(slug, known.iter().copied());
            self.problems.add(&field.path, format_args!("unknown {what} {slug:?}{hint}"));
        }
    }

    /// A list of texts, each with its field.
    fn texts<'n>(&mut self, field: Option<&Field<'n>>) -> Option<Vec<(Field<'n>, String)>> {
        let items = field?.items(&mut self.problems)?;
        let mut found = Vec::with_capacity(items.len());
        for item in items {
            let text = item.text(&mut self.problems).map(str::to_owned);
            found.extend(text.map(|text| (item, text)));
        }
        Some(found)
    }

    /// One of a few words.
    fn choice<T: Copy>(&mut self, field: Option<&Field<'_>>, words: &[(&str, T)]) -> Option<T> {
        let field = field?;
        let text = field.text(&mut self.problems)?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.problems.add(&field.path, format_args!("must be {}", words.join(" or ")));
        }
        found.map(|(_, value)| *value)
    }
}

fn texts(items: Vec<(Field<'_>, String)>) -> Vec<String> {
    items.into_iter().map(|(_, text)| text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::check::check;

    fn callers(yaml: &str) -> Option<Callers> {
        let base =
            "virtual_keys: {v: {provider: openai, api_key: k}}\nconfigs: {c: {virtual_key: v}}\n";
        check(&[base, yaml].concat(), &|_| Some("from-env".to_owned())).unwrap().callers
    }

    #[test]
    fn a_caller_is_read_as_written_and_its_key_forgotten() {
        assert!(callers("").is_none() && callers("api_keys: {}").is_none());
        let yaml = "api_keys:\n  a:\n    key: key\n    virtual_keys: [v]\n    providers: []\n    \
                    models: ['gpt-*']\n    configs: [c]\n    default_config: c\n    \
                    default_metadata: {team: a, n: 1}\n    \
                    rate_limits: {requests_per_minute: 6, tokens_per_minute: 7}\n    \
                    budget: {usd: 1.5, per: month, reserve_usd: 0.01, unpriced: allow}\n    \
                    expires_at: 2026-12-31\n    disabled: true\n  \
                    b: {key: '${B}'}\n";
        let found = callers(yaml).unwrap();
        assert!(!format!("{found:?}").contains("from-env"));
        let a = &found.keys["a"];
        let digest = "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683";
        assert_eq!(a.sha256.as_deref(), Some(digest));
        assert_eq!(a.providers, Some(Vec::new()));
        assert_eq!((a.requests_per_minute, a.tokens_per_minute), (Some(6), Some(7)));
        let budget = a.budget.clone().unwrap();
        assert_eq!(
            budget,
            Budget {
                micro_usd: 1_500_000,
                per: Period::Month,
                reserve_micro_usd: Some(10_000),
                unpriced: true
            }
        );
        assert_eq!((a.expires_at, a.disabled), (Some(1_798_675_200), true));
        assert_eq!(a.metadata["team"], "a");
        assert_eq!(found.keys["b"].models, None);
    }

    #[test]
    fn every_problem_has_its_path() {
        for (yaml, expected) in [
            ("{a: {}}", "api_keys.a: needs either a key or its sha256"),
            ("{a: {key: k, sha256: s}}", "api_keys.a: needs either a key or its sha256"),
            ("{a: {sha256: s}}", "api_keys.a.sha256: must be 64 hexadecimal digits"),
            ("{a: {key: k}, b: {key: k}}", "api_keys.b: another caller has the same key"),
            ("{a: {key: k, virtual_keys: [w]}}", "api_keys.a.virtual_keys[0]: unknown virtual key"),
            ("{a: {key: k, configs: [d]}}", "api_keys.a.configs[0]: unknown config \"d\""),
            ("{a: {key: k, default_config: d}}", "api_keys.a.default_config: unknown config \"d\""),
            ("{a: {key: k, providers: [x]}}", "api_keys.a.providers[0]: unknown provider \"x\""),
            ("{a: {key: k, models: m}}", "api_keys.a.models: must be a list, not text"),
            (
                "{a: {key: k, rate_limits: {requests_per_minute: 0}}}",
                "api_keys.a.rate_limits.requests_per_minute: must be from 1",
            ),
            ("{a: {key: k, budget: {per: day}}}", "api_keys.a.budget: needs usd"),
            ("{a: {key: k, budget: {usd: 1}}}", "api_keys.a.budget: needs per"),
            (
                "{a: {key: k, budget: {usd: 0, per: day}}}",
                "api_keys.a.budget.usd: must be a number of dollars above 0",
            ),
            (
                "{a: {key: k, budget: {usd: 1, per: year}}}",
                "api_keys.a.budget.per: must be day or month",
            ),
            ("{a: {key: k, expires_at: soon}}", "api_keys.a.expires_at: must be such as"),
            ("{a: {kee: k}}", "api_keys.a.kee: unknown key, did you mean \"key\"?"),
            ("{' a': {key: k}}", "api_keys.\" a\": a slug is"),
        ] {
            let yaml = format!("api_keys: {yaml}");
            let problems = check(&yaml, &|_| None).unwrap_err().problems;
            assert!(problems.iter().any(|one| one.starts_with(expected)), "{yaml}: {problems:?}");
        }
    }
}
