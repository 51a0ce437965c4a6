//! What must be true of every row.

use super::*;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Portkey's slugs, each with the URL of its chat completions.
const PORTKEYS: &str = include_str!("../../tests/fixtures/providers.txt");

/// Rows with another URL than Portkey's: that one is switched off, or has a format of its own
/// beside one that is OpenAI's.
const MOVED: [&str; 11] = [
    "ai21",
    "bedrock",
    "bytez",
    "databricks",
    "github",
    "huggingface",
    "novita-ai",
    "ollama",
    "oracle",
    "reka-ai",
    "workers-ai",
];

/// A value for each setting of a row.
fn values(row: &Provider) -> Values {
    let mut values = Values::default();
    for setting in row.settings.iter().filter(|setting| !setting.kind.is_secret()) {
        let value = match setting.kind {
            Kind::Url(_) => "https://x1.example/x1",
            Kind::Refused(_) => continue,
            _ => "x1",
        };
        setting.kind.check(value).expect(setting.name);
        values.set(setting.name, value.to_owned());
    }
    values
}

fn portkeys() -> impl Iterator<Item = (&'static str, &'static str)> {
    PORTKEYS.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '))
}

fn is_slug(slug: &str) -> bool {
    !slug.is_empty()
        && slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn sorted<'a>(mut names: impl Iterator<Item = &'a str>) -> bool {
    let mut last = "";
    names.all(|name| std::mem::replace(&mut last, name) < name)
}

fn is_path(path: &str) -> bool {
    path.starts_with('/')
        && !path.ends_with('/')
        && BaseUrl::parse(&["http://a", path].concat()).is_ok_and(|url| url.path == path)
}

#[test]
fn slugs_are_sorted_and_well_formed() {
    assert!(sorted(PROVIDERS.iter().map(|row| row.slug)));
    assert!(sorted(NOT_YET.iter().map(|(slug, _)| *slug)));
    let slugs = PROVIDERS.iter().map(|row| row.slug).chain(NOT_YET.iter().map(|(slug, _)| *slug));
    assert!(slugs.clone().all(is_slug));
    assert_eq!(slugs.clone().collect::<BTreeSet<_>>().len(), slugs.count(), "in both lists");
}

#[test]
fn urls_and_paths_are_well_formed() {
    for row in PROVIDERS {
        let slug = row.slug;
        let url = BaseUrl::parse(&values(row).expand(row.base_url).expect(slug)).expect(slug);
        let loopback = url.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        assert_eq!(url.scheme == Scheme::Http, loopback, "{slug}: TLS, but for a server of yours");
        assert!(!row.base_url.ends_with('/'), "{slug}");
        let prefix = values(row).expand(row.prefix).expect(slug).into_owned();
        assert!(prefix.is_empty() || is_path(&prefix), "{slug}");
        assert!(prefix.is_empty() || !url.path.ends_with(&prefix), "{slug}: twice");
        assert!(row.paths.iter().all(|(from, to)| is_path(from) && is_path(to)), "{slug}");
        let from = row.paths.iter().map(|(from, _)| from);
        assert_eq!(from.clone().collect::<BTreeSet<_>>().len(), from.count(), "{slug}");
    }
}

#[test]
fn other_urls_are_those_of_single_values() {
    for row in PROVIDERS.iter().filter(|row| !row.other_urls.is_empty()) {
        let name = placeholders(row.base_url).next().expect(row.slug);
        let kind = setting(name).unwrap().kind;
        for (value, url) in row.other_urls {
            assert!(kind.check(value).is_ok() && BaseUrl::parse(url).is_ok(), "{}", row.slug);
            let mut values = values(row);
            assert_eq!(row.base_url_for(&values), row.base_url);
            values.set(name, (*value).to_owned());
            assert_eq!(row.base_url_for(&values), *url);
        }
    }
}

#[test]
fn every_placeholder_is_a_setting_of_its_row() {
    for row in PROVIDERS {
        let paths = row.paths.iter().map(|(_, path)| *path);
        let headers = row.headers.iter().map(|(_, value)| *value);
        let values = values(row);
        for text in [row.base_url, row.prefix].into_iter().chain(paths).chain(headers) {
            let expanded = values.expand(text).unwrap_or_else(|_| panic!("{}: {text}", row.slug));
            assert!(!expanded.contains(['{', '}']), "{}: {text}", row.slug);
        }
        for name in
            placeholders(row.base_url).chain(row.paths.iter().flat_map(|p| placeholders(p.1)))
        {
            let kind = row.settings.iter().find(|one| one.name == name).unwrap().kind;
            assert!(!kind.is_secret() && kind != Kind::Text, "{}: {name} in a URL", row.slug);
        }
    }
}

#[test]
fn a_name_means_the_same_setting_in_every_row() {
    for one in PROVIDERS.iter().flat_map(|row| row.settings) {
        let found = setting(one.name).unwrap();
        assert_eq!((found.kind, found.header), (one.kind, one.header), "{}", one.name);
        let default = one.default.filter(|value| !value.contains('{'));
        assert!(default.is_none_or(|value| one.kind.check(value).is_ok()), "{}", one.name);
        let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        assert!([one.name, one.header].iter().all(|name| name.bytes().all(lower)), "{}", one.name);
    }
}

#[test]
fn headers_are_lower_case_and_no_credentials() {
    for row in PROVIDERS {
        let names = row.headers.iter().map(|(name, _)| name).chain(row.client_headers);
        let auth = row.auth.header().map(|(name, _)| name);
        for name in names.clone().copied().chain(auth) {
            assert_eq!(name, name.to_ascii_lowercase(), "{}", row.slug);
        }
        assert!(names.clone().all(|name| Some(*name) != auth && *name != "authorization"));
    }
}

#[test]
fn a_field_has_one_quirk() {
    for row in PROVIDERS {
        let fields: Vec<&str> = row.quirks.iter().map(|quirk| quirk.field()).collect();
        assert_eq!(fields.iter().collect::<BTreeSet<_>>().len(), fields.len(), "{}", row.slug);
        let edited = row.chat && row.dialect == Dialect::OpenAi;
        assert!(edited || row.quirks.is_empty(), "{}", row.slug);
    }
}

#[test]
fn every_provider_of_portkey_is_accounted_for() {
    assert!(portkeys().count() > 70);
    for (slug, url) in portkeys() {
        let Some(row) = find(slug) else {
            assert!(reason(slug).is_some_and(|reason| !reason.is_empty()), "{slug}");
            continue;
        };
        assert!(row.chat || url == "-", "{slug} has chat completions");
        if url == "-" || MOVED.contains(&slug) {
            continue;
        }
        let mut values = values(row);
        values.set("model", "{model}".to_owned());
        let base = BaseUrl::parse(&values.expand(row.base_url).unwrap()).unwrap();
        let below = match row.dialect {
            Dialect::Anthropic => "/messages",
            Dialect::Gemini => "/models/{model}:generateContent",
            Dialect::Cohere => "/chat",
            Dialect::OpenAi | Dialect::Stability => "/chat/completions",
            Dialect::Bedrock => "/model/{model}/converse",
            Dialect::Vertex => {
                "/v1/projects/x1/locations/x1/publishers/google/models/{model}:generateContent"
            }
        };
        // Keys go into headers.
        let url = values.expand(url.trim_end_matches("?key={key}")).unwrap();
        let path = row.path(&base.path, below, &values).unwrap();
        assert_eq!(format!("https://{}{path}", base.authority()), url, "{slug}");
    }
    assert!(MOVED.iter().all(|slug| portkeys().any(|(known, _)| known == *slug)));
}

#[test]
fn every_row_is_found_by_its_slug() {
    for row in PROVIDERS {
        assert_eq!(find(row.slug).map(|found| found.slug), Some(row.slug));
        assert_eq!(reason(row.slug), None);
    }
    assert!(find("opnai").is_none() && reason("opnai").is_none());
}

#[test]
fn a_path_is_made_of_base_prefix_and_operation() {
    let (row, none) = (find("hyperbolic").unwrap(), Values::default());
    for (base, below, path) in [
        ("", "/chat/completions", "/v1/chat/completions"),
        ("/a", "/models?x=1", "/a/v1/models?x=1"),
        ("/a/v1", "/models", "/a/v1/models"),
        ("/a", "/images/generations", "/a/v1/image/generation"),
        ("/a/v1", "/images/generations?x=/v1", "/a/v1/image/generation?x=/v1"),
        ("", "/images/generations/1", "/v1/image/generation/1"),
        ("", "/images/generationsx", "/v1/images/generationsx"),
        ("/a", "/v1beta/x", "/a/v1beta/x"),
        ("/a", "/vx", "/a/v1/vx"),
    ] {
        assert_eq!(row.path(base, below, &none).unwrap(), path);
    }
    assert_eq!(find("openai").unwrap().path("/v2", "/models", &none).unwrap(), "/v2/models");
}

#[test]
fn a_path_of_the_providers_own_follows_the_base_url() {
    for (slug, base, own, path) in [
        ("hyperbolic", "/a", "/images/generations", "/a/images/generations"),
        ("hyperbolic", "/v1", "/x", "/v1/x"),
        ("anthropic", "/v1", "/v1/messages", "/v1/messages"),
        ("anthropic", "/v1", "/v1x", "/v1/v1x"),
    ] {
        let row = find(slug).unwrap();
        assert_eq!(row.proxied_path(base, own, &Values::default()).unwrap(), path);
    }
}

#[test]
fn an_operation_is_had_or_lacked() {
    for (slug, endpoint, has) in [
        ("jina", Endpoint::ChatCompletions, false),
        ("jina", Endpoint::Embeddings, true),
        ("perplexity-ai", Endpoint::Embeddings, false),
        ("anthropic", Endpoint::CountTokens, true),
        ("anthropic", Endpoint::Other, true),
        ("openai", Endpoint::Messages, false),
        ("cohere", Endpoint::Rerank, true),
        ("google", Endpoint::Realtime, false),
    ] {
        assert_eq!(find(slug).unwrap().has(endpoint), has, "{slug} {endpoint:?}");
    }
    assert_eq!(find("voyage").unwrap().edits(Endpoint::Embeddings).count(), 1);
    assert_eq!(find("voyage").unwrap().edits(Endpoint::Rerank).count(), 0);
}
