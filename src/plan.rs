//! The contract between the two roles: what the gateway role decided, as the provider role reads
//! it from filter state. Written once per client request, read once per attempt.

use crate::endpoint::Endpoint;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fmt;

/// Version of the encoding. Both roles are one module, but a reload may leave requests of the
/// older one in flight.
const VERSION: u32 = 1;

/// Everything an attempt needs beside the original body.
#[derive(Debug, Serialize, Deserialize)]
pub struct Plan {
    version: u32,
    /// The Envoy cluster that the request goes to: a key of the plugin configuration's upstreams.
    pub cluster: String,
    /// The client's path and query, as the attempt's starting point.
    pub path: String,
    /// The operation.
    pub endpoint: Endpoint,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// OpenAI's format and nothing more.
    pub strict: bool,
    /// Length of the client's body in bytes, where it was read.
    pub body_length: Option<u64>,
    /// A credential that the caller sent, for this request only.
    pub api_key: Option<Secret>,
    /// Headers of the caller that belong to a provider, such as `anthropic-beta`.
    pub headers: Vec<(String, String)>,
    /// Body fields that replace the client's, as a JSON object.
    pub override_params: Option<Box<RawValue>>,
    /// Which statuses are tried again, and how often.
    pub retry: Retry,
}

/// Portkey's `retry` of a target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Attempts after the first.
    pub attempts: u32,
    /// Statuses that are tried again.
    pub on_status_codes: Vec<u16>,
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
    /// A plan for a cluster with nothing asked for.
    pub fn new(cluster: String, path: String, endpoint: Endpoint) -> Self {
        Self {
            version: VERSION,
            cluster,
            path,
            endpoint,
            stream: false,
            strict: true,
            body_length: None,
            api_key: None,
            headers: Vec::new(),
            override_params: None,
            retry: Retry::default(),
        }
    }

    /// The bytes that go into filter state.
    pub fn encode(&self) -> Vec<u8> {
        // Strings, numbers and raw JSON always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads [`Self::encode`]'s bytes; `None` for anything else or another version.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().filter(|plan: &Self| plan.version == VERSION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_survives_its_encoding() {
        let path = "/v1/chat/completions?\u{e9}=\"1\"".to_owned();
        let mut plan = Plan::new("vk.a".to_owned(), path, Endpoint::ChatCompletions);
        plan.stream = true;
        plan.body_length = Some(u64::MAX);
        plan.api_key = Some(Secret("sk-\u{1f511}".to_owned()));
        plan.headers.push(("openai-beta".to_owned(), "a=\\b".to_owned()));
        let params = "{\"b\":1.50,\"a\":123456789012345678901}".to_owned();
        plan.override_params = RawValue::from_string(params).ok();
        plan.retry = Retry { attempts: 2, on_status_codes: vec![429] };
        let bytes = plan.encode();
        let read = Plan::decode(&bytes).unwrap();
        assert_eq!(read.encode(), bytes);
        assert_eq!(read.override_params.unwrap().get(), plan.override_params.unwrap().get());
        assert_eq!((read.path, read.api_key), (plan.path, plan.api_key.clone()));
        assert_eq!(format!("{:?}", plan.api_key), "Some(***)");
    }

    #[test]
    fn other_bytes_are_no_plan() {
        let bytes = Plan::new(String::new(), String::new(), Endpoint::Other).encode();
        for end in 0..bytes.len() {
            assert!(Plan::decode(&bytes[..end]).is_none(), "cut at {end}");
        }
        let text = String::from_utf8(bytes).unwrap();
        assert!(Plan::decode(text.replace("\"version\":1", "\"version\":2").as_bytes()).is_none());
    }
}
