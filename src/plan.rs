//! The contract between the two roles: what the gateway role decided, as the provider role reads
//! it from filter state. Written once per client request, read once per attempt.

use crate::config::caching::Caching;
use crate::endpoint::Endpoint;
use crate::provider::Values;
use crate::report::Position;
use crate::trace::Parent;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fmt;

/// Version of the encoding. Both roles are one module, but a reload may leave requests of the
/// older one in flight.
const VERSION: u32 = 7;

/// Attempts of one request, at most.
const MAX_ATTEMPTS: u32 = 100;

/// Everything an attempt needs beside the original body.
#[derive(Debug, Serialize, Deserialize)]
pub struct Plan {
    version: u32,
    /// The client's path and query, as the attempt's starting point.
    pub path: String,
    /// The operation.
    pub endpoint: Endpoint,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// Whether OpenAI's own helper for streams reads the answer: it joins what the deltas say, their
    /// roles too, so that only the first may have one.
    pub helper: bool,
    /// Length of the client's body in bytes, where it was read.
    pub body_length: Option<u64>,
    /// The client's other headers, where there may be several attempts: each starts with these.
    pub client_headers: Option<Vec<(String, String)>>,
    /// Headers of the caller that belong to a provider, such as `anthropic-beta`.
    pub headers: Vec<(String, String)>,
    /// Whether Envoy picks the first target, by weight; then its cluster tells which it was.
    pub weighted: bool,
    /// Where the request may go: the first one first, then as the targets' fallbacks say.
    pub targets: Vec<Target>,
    /// Index of the first target.
    pub first: usize,
    /// The trace that the attempts belong to, where gateway.yaml wants traces.
    pub trace: Option<Parent>,
}

/// One place that a request may go to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Target {
    /// The Envoy cluster: a key of the plugin configuration's upstreams.
    pub cluster: String,
    /// Where the target stands in the config: `x-portkey-last-used-option-index`.
    pub option_index: String,
    /// A credential that the caller sent, for this request only.
    pub api_key: Option<Secret>,
    /// The provider's settings, checked; secrets of the caller among them.
    pub settings: Values,
    /// Another base URL than the upstream's.
    pub custom_host: Option<String>,
    /// `false`: what OpenAI's format does not have may pass.
    pub strict: bool,
    /// Body fields that replace the client's, as a JSON object.
    #[serde(with = "raw")]
    pub override_params: Option<Box<RawValue>>,
    /// Whether the provider's quirks matter to the client's body.
    pub quirks: bool,
    /// Body fields that are removed.
    pub drop_params: Vec<String>,
    /// Headers that the caller wants sent on as they are.
    pub forwarded: Vec<(String, String)>,
    /// Milliseconds until the response headers.
    pub timeout: u64,
    /// Whether Envoy's own limit for the request is another, so that the attempt takes the hop.
    pub hop: bool,
    /// Milliseconds from the response headers to the first content of a stream.
    pub first_token_timeout: Option<u64>,
    /// How long a stream is held back.
    pub hold: Hold,
    /// What is tried again at this target.
    pub retry: Retry,
    /// Where the request goes on, the outermost strategy first.
    pub fallbacks: Vec<Fallback>,
    /// Index of the same target with another credential of its virtual key, where there is one.
    pub sibling: Option<usize>,
    /// Whether its answers are kept, which is the gateway role's business alone.
    #[serde(skip)]
    pub cache: Option<Caching>,
}

/// The next target of one fallback strategy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fallback {
    /// The statuses after which it is tried; `None`: any but 2xx.
    pub on_status_codes: Option<Vec<u16>>,
    /// Whether it is tried after a refusal by the provider's content policy.
    pub on_content_policy: bool,
    /// Its index.
    pub next: usize,
}

/// Portkey's `retry` of a target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Attempts after the first.
    pub attempts: u32,
    /// Statuses that are tried again.
    pub on_status_codes: Vec<u16>,
    /// Whether a 429's `Retry-After` sets the pause.
    pub use_retry_after: bool,
}

/// How long a stream is held back while there is another place to go to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// Until its first content.
    #[default]
    FirstContent,
    /// Not at all.
    None,
    /// Until its end.
    Complete,
}

/// A text that no `Debug` output shows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Plan {
    /// A plan with no target yet.
    pub fn new(path: String, endpoint: Endpoint) -> Self {
        Self {
            version: VERSION,
            path,
            endpoint,
            stream: false,
            helper: false,
            body_length: None,
            client_headers: None,
            headers: Vec::new(),
            weighted: false,
            targets: Vec::new(),
            first: 0,
            trace: None,
        }
    }

    /// Where the request begins.
    pub fn start(&self) -> Position {
        Position { target: self.first, tries: 1 }
    }

    /// Retries that Envoy must allow: every attempt that could follow the first, and one more that
    /// ends at [`crate::contract::cluster::STOP`].
    pub fn max_retries(&self) -> u32 {
        let each = self.targets.iter().map(|target| 1 + target.retry.attempts);
        if self.weighted {
            // Envoy stays at the target that it picked; there is no way to stop.
            return each.max().map_or(0, |attempts| attempts - 1);
        }
        match each.sum::<u32>() {
            0 | 1 => 0,
            more => more.min(MAX_ATTEMPTS),
        }
    }

    /// The bytes that go into filter state.
    pub fn encode(&self) -> Vec<u8> {
        // All lengths are known, so that it always serialises.
        postcard::to_allocvec(self).unwrap_or_default()
    }

    /// Reads [`Self::encode`]'s bytes; `None` for anything else or another version.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok().filter(|plan: &Self| plan.version == VERSION)
    }
}

/// Raw JSON as a text: the encoding does not describe itself, and raw JSON wants one that does.
mod raw {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::value::RawValue;

    pub fn serialize<S: Serializer>(
        value: &Option<Box<RawValue>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_deref().map(RawValue::get).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Box<RawValue>>, D::Error> {
        let text: Option<String> = Option::deserialize(deserializer)?;
        text.map(RawValue::from_string).transpose().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_survives_its_encoding() {
        let path = "/v1/chat/completions?\u{e9}=\"1\"".to_owned();
        let mut plan = Plan::new(path, Endpoint::ChatCompletions);
        plan.stream = true;
        plan.body_length = Some(u64::MAX);
        plan.headers.push(("openai-beta".to_owned(), "a=\\b".to_owned()));
        let params = "{\"b\":1.50,\"a\":123456789012345678901}".to_owned();
        let codes = vec![429];
        plan.targets.push(Target {
            cluster: "vk.a".to_owned(),
            api_key: Some(Secret("sk-\u{1f511}".to_owned())),
            override_params: RawValue::from_string(params.clone()).ok(),
            retry: Retry { attempts: 2, on_status_codes: codes.clone(), use_retry_after: true },
            hold: Hold::Complete,
            fallbacks: vec![Fallback {
                on_status_codes: Some(codes),
                on_content_policy: false,
                next: 1,
            }],
            ..Target::default()
        });
        let bytes = plan.encode();
        let read = Plan::decode(&bytes).unwrap();
        assert_eq!(read.encode(), bytes);
        assert_eq!(read.targets[0].override_params.as_ref().unwrap().get(), params);
        assert_eq!(read.targets[0].fallbacks, plan.targets[0].fallbacks);
        assert_eq!(read.path, plan.path);
        assert!(!format!("{plan:?}").contains("sk-"));
    }

    #[test]
    fn other_bytes_are_no_plan() {
        let bytes = Plan::new(String::new(), Endpoint::Other).encode();
        for end in 0..bytes.len() {
            assert!(Plan::decode(&bytes[..end]).is_none(), "cut at {end}");
        }
        let other = [&[1], &bytes[1..]].concat();
        assert!(Plan::decode(&bytes).is_some() && Plan::decode(&other).is_none(), "version");
    }

    #[test]
    fn one_attempt_needs_no_retry_and_more_are_bounded() {
        let mut plan = Plan::new(String::new(), Endpoint::Other);
        plan.targets.push(Target::default());
        assert_eq!(plan.max_retries(), 0);
        plan.targets.push(Target::default());
        assert_eq!(plan.max_retries(), 2);
        plan.targets.extend((0..200).map(|_| Target::default()));
        assert_eq!(plan.max_retries(), 100);
    }
}
