//! The settings that targets inherit, with Portkey's rules: `override_params` are merged and the
//! child's win; all others are replaced as a whole.

use super::caching::Caching;
use super::reader::{Problems, REQUIRED, Reader, note};
use crate::json::Object;
use crate::plan::{Hold, Retry};
use crate::provider::BaseUrl;
use serde_json::value::RawValue;

/// Statuses that are retried when the config asks for attempts and names no statuses.
const RETRIED: [u16; 5] = [429, 500, 502, 503, 504];
/// Attempts after the first, at most: Portkey's own limit.
const MAX_ATTEMPTS: u32 = 5;

/// The settings of a node, its parents' included.
#[derive(Debug, Clone, Default)]
pub struct Inherited {
    /// Body fields that replace the client's, as a JSON object.
    pub override_params: Option<Box<RawValue>>,
    /// Body fields that are removed.
    pub drop_params: Vec<String>,
    /// What is tried again.
    pub retry: Retry,
    /// Milliseconds until the response headers.
    pub request_timeout: Option<u64>,
    /// Milliseconds from the response headers to the first content of a stream.
    pub first_token_timeout: Option<u64>,
    /// How long a stream is held back.
    pub stream_hold: Hold,
    /// `strict_open_ai_compliance` is `false`.
    pub relaxed: bool,
    /// Client headers that are sent on, lower case, `_` as `-`.
    pub forward_headers: Vec<String>,
    /// Another base URL than the provider's.
    pub custom_host: Option<String>,
    /// Whether answers are kept.
    pub cache: Option<Caching>,
}

impl Inherited {
    /// The settings of a node below a parent.
    pub fn read(reader: &Reader<'_>, parent: &Self, problems: &mut Problems) -> Self {
        let own = reader.object("override_params", problems);
        let strict = reader.get("strict_open_ai_compliance", "a boolean", problems);
        Self {
            override_params: merge(parent.override_params.clone(), own).unwrap_or_else(|reason| {
                note(problems, &reader.path("override_params"), reason);
                None
            }),
            drop_params: reader
                .get("drop_params", "a list of strings", problems)
                .unwrap_or_else(|| parent.drop_params.clone()),
            retry: retry(reader, problems).unwrap_or_else(|| parent.retry.clone()),
            request_timeout: reader
                .milliseconds("request_timeout", problems)
                .or(parent.request_timeout),
            first_token_timeout: reader
                .milliseconds("first_token_timeout", problems)
                .or(parent.first_token_timeout),
            stream_hold: reader
                .get("stream_hold", "one of: first_content, none, complete", problems)
                .unwrap_or(parent.stream_hold),
            relaxed: strict.map_or(parent.relaxed, |strict: bool| !strict),
            forward_headers: forward_headers(reader, problems)
                .unwrap_or_else(|| parent.forward_headers.clone()),
            custom_host: custom_host(reader, problems).or_else(|| parent.custom_host.clone()),
            cache: Caching::read(reader, problems).or(parent.cache),
        }
    }
}

fn retry(reader: &Reader<'_>, problems: &mut Problems) -> Option<Retry> {
    let path = reader.path("retry");
    let reader = Reader::new(reader.raw("retry")?, &path, problems)?;
    if reader.raw("attempts").is_none() {
        note(problems, &reader.path("attempts"), REQUIRED);
    }
    let attempts: u32 = reader.get("attempts", "a whole number", problems).unwrap_or_default();
    let on_status_codes = reader.statuses("on_status_codes", problems);
    // Portkey's documentation has both spellings.
    let use_retry_after = ["use_retry_after_header", "use_retry_after_headers"]
        .into_iter()
        .find_map(|name| reader.get(name, "a boolean", problems))
        .unwrap_or(false);
    Some(Retry {
        attempts: attempts.min(MAX_ATTEMPTS),
        on_status_codes: on_status_codes.unwrap_or_else(|| RETRIED.to_vec()),
        use_retry_after,
    })
}

fn forward_headers(reader: &Reader<'_>, problems: &mut Problems) -> Option<Vec<String>> {
    let names: Vec<String> = reader.get("forward_headers", "a list of strings", problems)?;
    Some(names.iter().map(|name| header_name(name)).collect())
}

/// A header's name as it arrives: SDKs announce `X_Custom` and send `X-Custom`.
pub fn header_name(name: &str) -> String {
    name.trim().to_ascii_lowercase().replace('_', "-")
}

fn custom_host(reader: &Reader<'_>, problems: &mut Problems) -> Option<String> {
    let url = reader.string("custom_host", problems)?;
    if let Err(reason) = BaseUrl::parse_public(&url) {
        note(problems, &reader.path("custom_host"), format!("Invalid custom host: {reason}"));
    }
    Some(url)
}

/// Both objects' members; the child's win.
///
/// # Errors
/// The result is too large.
pub fn merge(
    parent: Option<Box<RawValue>>,
    child: Option<Box<RawValue>>,
) -> Result<Option<Box<RawValue>>, &'static str> {
    let merged = match (&parent, &child) {
        (Some(parent), Some(child)) => Some(both(parent.get(), child.get()).ok_or(TOO_LARGE)?),
        _ => child.or(parent),
    };
    match merged.as_ref().is_some_and(|params| params.get().len() > MAX_PARAMS) {
        true => Err(TOO_LARGE),
        false => Ok(merged),
    }
}

/// Largest override params in bytes: every target has a copy.
const MAX_PARAMS: usize = 64 << 10;
const TOO_LARGE: &str = "is too large";

fn both(parent: &str, child: &str) -> Option<Box<RawValue>> {
    let mut merged = Object::parse(parent.as_bytes()).ok()?;
    for (key, value) in Object::parse(child.as_bytes()).ok()?.iter() {
        merged.set(key, value.to_owned());
    }
    let merged = merged.to_vec();
    Object::parse(&merged).ok()?;
    RawValue::from_string(String::from_utf8(merged).ok()?).ok()
}
