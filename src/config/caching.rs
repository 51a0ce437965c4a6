//! `cache` of a config: whether answers are kept, and for how long.

use super::reader::{Problems, Reader, note};
use serde::Deserialize;

/// Longest time that an answer is kept, in seconds: Portkey's limit of 90 days.
pub const MAX_AGE: u64 = 90 * 24 * 3600;

/// What a target asks of the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caching {
    /// Which requests get the same answer.
    pub mode: Mode,
    /// Seconds that an answer is kept; `None`: as the gateway has it.
    pub max_age: Option<u64>,
}

/// Portkey's modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Equal requests.
    Simple,
    /// Those whose last user turn means the same, too.
    Semantic,
}

impl Caching {
    /// The settings of a node: an object, or the mode alone.
    pub fn read(reader: &Reader<'_>, problems: &mut Problems) -> Option<Self> {
        let raw = reader.raw("cache")?;
        let path = reader.path("cache");
        if raw.starts_with('"') {
            return Some(Self { mode: mode(raw, &path, problems)?, max_age: None });
        }
        let reader = Reader::new(raw, &path, problems)?;
        let mode = mode(reader.raw("mode").unwrap_or_default(), &reader.path("mode"), problems)?;
        let max_age = reader.raw("max_age").and_then(|raw| {
            let digits = raw.trim_matches('"').parse::<f64>().ok().filter(|age| age.is_finite());
            if digits.is_none() {
                note(problems, &reader.path("max_age"), "must be a number of seconds");
            }
            digits
        });
        // As in Portkey's hosted gateway, another age is none.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let max_age = max_age.map(|age| age as u64).filter(|age| (1..=MAX_AGE).contains(age));
        Some(Self { mode, max_age })
    }
}

fn mode(raw: &str, path: &str, problems: &mut Problems) -> Option<Mode> {
    let mode = serde_json::from_str(raw).ok();
    if mode.is_none() {
        note(problems, path, "Invalid 'cache.mode' value. Must be one of: simple, semantic");
    }
    mode
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(config: &str) -> Result<Option<Caching>, String> {
        let mut problems = Vec::new();
        let reader = Reader::new(config, "config", &mut problems).unwrap();
        let caching = Caching::read(&reader, &mut problems);
        match problems.first() {
            Some(problem) => Err(format!("{}: {}", problem.path, problem.reason)),
            None => Ok(caching),
        }
    }

    #[test]
    fn both_forms_of_portkeys_are_read() {
        let of = |mode, max_age| Ok(Some(Caching { mode, max_age }));
        for (cache, expected) in [
            (r#""simple""#, of(Mode::Simple, None)),
            (r#"{"mode":"semantic","max_age":60}"#, of(Mode::Semantic, Some(60))),
            (r#"{"mode":"simple","maxAge":"90"}"#, of(Mode::Simple, Some(90))),
            (r#"{"mode":"simple","max_age":0}"#, of(Mode::Simple, None)),
            (r#"{"mode":"simple","max_age":-5}"#, of(Mode::Simple, None)),
            (r#"{"mode":"simple","max_age":1e12}"#, of(Mode::Simple, None)),
            ("null", Ok(None)),
        ] {
            assert_eq!(read(&format!(r#"{{"cache":{cache}}}"#)), expected, "{cache}");
        }
        for (cache, path) in [
            (r#""on""#, "config.cache: "),
            (r#"{"mode":"both"}"#, "config.cache.mode: "),
            ("{}", "config.cache.mode: "),
            ("[]", "config.cache: "),
            (r#"{"mode":"simple","max_age":"long"}"#, "config.cache.max_age: "),
        ] {
            let error = read(&format!(r#"{{"cache":{cache}}}"#)).unwrap_err();
            assert!(error.starts_with(path), "{error}");
        }
    }
}
