//! Who may ask, as the plugin configuration has it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Everybody who may ask. There is at least one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Callers {
    /// By name.
    pub keys: BTreeMap<String, Caller>,
    /// Who else is known: Envoy has checked his token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<Jwt>,
    /// Whether a rate-limit service counts requests and tokens, so that Envoy must be told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rate_limit_service: bool,
}

/// One caller, or a policy for several. A list that is missing allows everything, an empty one
/// nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Caller {
    /// SHA-256 of the key in hexadecimal; `None`: tokens alone lead here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Whether it is locked out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
    /// From when on the key is not good any more, in seconds of Unix time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// Virtual keys that it may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_keys: Option<Vec<String>>,
    /// Providers that it may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub providers: Option<Vec<String>>,
    /// Models that it may use; one that ends in `*` stands for all that begin so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Saved configs that it may use; then no config of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configs: Option<Vec<String>>,
    /// Slug of the config of requests that name nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_config: Option<String>,
    /// Metadata that its requests have unless they say otherwise.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// Requests a minute, which Envoy counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u64>,
    /// Tokens a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u64>,
    /// Money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// Whether the bodies of its requests are logged where they do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_bodies: Option<bool>,
}

/// Money that may be spent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Millionths of a US dollar.
    pub micro_usd: u64,
    /// In what time.
    pub per: Period,
    /// What a request is taken to cost until it is over; `None`: it is estimated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve_micro_usd: Option<u64>,
    /// Whether a request may be made whose price is not known, and costs nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unpriced: bool,
}

/// A time that begins when the last one ends, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// From second 0 to second 59.
    Minute,
    /// From midnight to midnight.
    Day,
    /// A month of the calendar.
    Month,
}

/// How tokens lead to callers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    /// The claim that is the caller's name.
    pub claim: String,
    /// The caller whose rules hold for everybody who is not named; `None`: those are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}
