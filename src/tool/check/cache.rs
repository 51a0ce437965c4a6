//! `cache`.

use super::Checker;
use crate::provider::BaseUrl;
use crate::tool::field::{Field, Fields};
use crate::tool::model::{Cache, Semantic, Server};
use crate::tool::yaml::Node;

/// Longest time that an answer is kept, in seconds.
const MAX_AGE: u64 = crate::config::caching::MAX_AGE;
/// Most entries: the host keeps a name of each for ever.
const MAX_ENTRIES: u64 = 1 << 20;
/// Longest vector.
const MAX_DIMENSIONS: u64 = 8192;
/// Vectors of one partition: all of them are compared.
const MAX_VECTORS: u64 = 100_000;

impl Checker<'_> {
    /// A mapping, or `false`.
    pub(super) fn cache(&mut self, field: &Field<'_>, keys: &[&str]) -> Option<Cache> {
        if *field.node == Node::Bool(false) {
            return None;
        }
        let known = [
            "max_entries",
            "max_bytes",
            "max_entry_bytes",
            "max_age",
            "timeout",
            "single_flight",
            "redis",
            "semantic",
        ];
        let fields = Fields::open(field, &known, &mut self.problems);
        let usual = Cache::default();
        let max_bytes = self.size(fields.get("max_bytes")).unwrap_or(usual.max_bytes);
        let entry = self.size(fields.get("max_entry_bytes"));
        let max_entry_bytes = entry.unwrap_or(usual.max_entry_bytes.min(max_bytes));
        if max_entry_bytes > max_bytes {
            let path = format!("{}.max_entry_bytes", field.path);
            self.problems.add(&path, "must not be more than max_bytes");
        }
        let mut number =
            |name, range, default| self.number(fields.get(name), range).unwrap_or(default);
        let max_entries = number("max_entries", 1..=MAX_ENTRIES, usual.max_entries);
        let max_age = number("max_age", 1..=MAX_AGE, usual.max_age);
        let single_flight = self.milliseconds(fields.get("single_flight"));
        Some(Cache {
            max_entries,
            max_bytes,
            max_entry_bytes,
            max_age,
            timeout: self.milliseconds(fields.get("timeout")).unwrap_or(usual.timeout),
            single_flight,
            redis: fields.get("redis").and_then(|field| self.server(field, "token")),
            semantic: fields.get("semantic").and_then(|field| self.semantic(field, keys)),
        })
    }

    /// A server and the credential for it, which has this name.
    fn server(&mut self, field: &Field<'_>, credential: &str) -> Option<Server> {
        let fields = Fields::open(field, &["url", credential], &mut self.problems);
        let secret = fields.get(credential).and_then(|field| self.origin(field));
        let Some(url) = fields.get("url") else {
            self.problems.add(&field.path, "needs a url");
            return None;
        };
        let url = BaseUrl::parse(&self.url(url)?).ok()?;
        Some(Server { url, secret })
    }

    fn semantic(&mut self, field: &Field<'_>, keys: &[&str]) -> Option<Semantic> {
        let known = [
            "provider",
            "virtual_key",
            "model",
            "dimensions",
            "threshold",
            "guard",
            "max_vectors",
            "collection",
            "qdrant",
        ];
        let fields = Fields::open(field, &known, &mut self.problems);
        let provider = self.embedder(field, &fields, keys);
        let Some(model) = fields.get("model") else {
            self.problems.add(&field.path, "needs a model");
            return None;
        };
        let dimensions = self.number(fields.get("dimensions"), 1..=MAX_DIMENSIONS);
        let max_vectors = self.number(fields.get("max_vectors"), 1..=MAX_VECTORS);
        let collection = fields.get("collection").and_then(|field| {
            let name = field.text(&mut self.problems)?;
            self.slug(&field.path, name);
            Some(name.to_owned())
        });
        Some(Semantic {
            provider: provider?,
            model: model.text(&mut self.problems)?.to_owned(),
            dimensions: dimensions.and_then(|number| u32::try_from(number).ok()),
            // A cosine.
            #[allow(clippy::cast_possible_truncation)]
            threshold: self.share(fields.get("threshold")).map_or(0.95, |number| number as f32),
            guard: self.flag(fields.get("guard")).unwrap_or(true),
            max_vectors: max_vectors.unwrap_or(1024),
            collection: collection.unwrap_or_else(|| "portkey".to_owned()),
            qdrant: fields.get("qdrant").and_then(|field| self.server(field, "api_key")),
        })
    }

    /// Who makes the embeddings, as a value of `x-portkey-provider`.
    fn embedder(
        &mut self,
        field: &Field<'_>,
        fields: &Fields<'_>,
        keys: &[&str],
    ) -> Option<String> {
        match (fields.get("provider"), fields.get("virtual_key")) {
            (Some(provider), None) => {
                let slug = provider.text(&mut self.problems)?;
                self.provider(&provider.path, slug).map(|row| row.slug.to_owned())
            }
            (None, Some(key)) => {
                let slug = key.text(&mut self.problems)?;
                if !keys.contains(&slug) {
                    self.problems.add(&key.path, format_args!("unknown virtual key {slug:?}"));
                }
                Some(format!("@{slug}"))
            }
            _ => {
                self.problems.add(&field.path, "needs either a virtual_key or a provider");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::tool::check::check;
    use crate::tool::model::{Origin, Secret};

    const KEYS: &str = "virtual_keys: {e: {provider: openai, api_key: k}}\n";

    #[test]
    fn every_problem_has_its_path() {
        for (yaml, expected) in [
            ("cache: 1", "cache: must be a mapping, not a number"),
            ("cache: {max_age: 0}", "cache.max_age: must be from 1 to 7776000"),
            (
                "cache: {max_bytes: 1MiB, max_entry_bytes: 2MiB}",
                "cache.max_entry_bytes: must not be more than max_bytes",
            ),
            ("cache: {redis: {}}", "cache.redis: needs a url"),
            (
                "cache: {redis: {url: 'ftp://x'}}",
                "cache.redis.url: must begin with http:// or https://",
            ),
            (
                "cache: {semantic: {model: m}}",
                "cache.semantic: needs either a virtual_key or a provider",
            ),
            ("cache: {semantic: {virtual_key: e}}", "cache.semantic: needs a model"),
            (
                "cache: {semantic: {virtual_key: f, model: m}}",
                "cache.semantic.virtual_key: unknown virtual key \"f\"",
            ),
            (
                "cache: {semantic: {virtual_key: e, model: m, threshold: 1.5}}",
                "cache.semantic.threshold: must be a number from 0 to 1",
            ),
            (
                "cache: {semantic: {virtual_key: e, model: m, collection: 'a/b'}}",
                "cache.semantic.collection: a slug is",
            ),
        ] {
            let rejected = check(&[KEYS, yaml].concat(), &|_| None).unwrap_err();
            let [problem] = rejected.problems.as_slice() else { panic!("{:?}", rejected.problems) };
            assert!(problem.starts_with(expected), "{problem}");
        }
    }

    #[test]
    fn what_is_not_said_keeps_its_default() {
        let cache = |yaml: &str| check(&[KEYS, yaml].concat(), &|_| None).unwrap().cache;
        assert_eq!(cache("").unwrap().max_bytes, 64 << 20);
        assert!(cache("cache: false").is_none());
        assert_eq!(cache("cache: {max_bytes: 512KiB}").unwrap().max_entry_bytes, 512 << 10);
        let yaml = "cache: {semantic: {virtual_key: e, model: m, qdrant: {url: 'http://[::1]:1', \
                    api_key: q}}}";
        let semantic = cache(yaml).unwrap().semantic.unwrap();
        assert_eq!((semantic.provider.as_str(), semantic.guard), ("@e", true));
        let secret = Origin::Given(Secret::new("q".to_owned()));
        assert_eq!(semantic.qdrant.unwrap().secret, Some(secret));
    }
}
