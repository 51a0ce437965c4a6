//! Where a request is in its trace.

use crate::http::Headers;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Longest `tracestate` that goes on, in bytes: W3C asks for no more.
const MAX_STATE: usize = 512;

/// The place of one request. No id is 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The trace.
    pub trace_id: u128,
    /// The request's own span.
    pub span_id: u64,
    /// The span that it is a child of.
    pub parent: Option<u64>,
    /// Whether spans are made.
    pub sampled: bool,
    /// `tracestate` of the client.
    pub state: Option<String>,
}

/// What the attempts of a request are told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The trace.
    pub trace_id: u128,
    /// The request's span, whose children the attempts are.
    pub span_id: u64,
    /// Whether spans are made.
    pub sampled: bool,
    /// `tracestate` of the client.
    pub state: Option<String>,
    /// Whether the provider is told.
    pub propagate: bool,
}

/// A valid `traceparent` (<https://www.w3.org/TR/trace-context/>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traceparent {
    /// The trace.
    pub trace_id: u128,
    /// The client's span.
    pub span_id: u64,
    /// Whether the client has recorded it.
    pub sampled: bool,
}

/// The ids that a client has given, as text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given<'a> {
    /// The trace: `x-portkey-trace-id`, or what stands for it.
    pub trace_id: &'a str,
    /// `x-portkey-span-id`.
    pub span_id: Option<&'a str>,
    /// `x-portkey-parent-span-id`.
    pub parent_span_id: Option<&'a str>,
}

impl Context {
    /// The place of a request. `sampling` is the share of the traces that are recorded where the
    /// client does not say, `random` gives an id to a span that has none.
    pub fn of(given: Given<'_>, headers: &Headers, sampling: f64, random: u64) -> Self {
        let trace_id = trace_id(given.trace_id);
        // The span of another trace is nobody's parent here.
        let client = traceparent(headers).filter(|client| client.trace_id == trace_id);
        let state = client.and_then(|_| headers.text("tracestate"));
        let state = state.filter(|text| text.len() <= MAX_STATE).map(str::to_owned);
        Self {
            trace_id,
            span_id: given.span_id.map_or_else(|| random.max(1), span_id),
            parent: given.parent_span_id.map(span_id).or(client.map(|client| client.span_id)),
            sampled: client.map_or_else(|| is_sampled(trace_id, sampling), |it| it.sampled),
            state,
        }
    }

    /// What the attempts are told.
    pub fn parent(&self, propagate: bool) -> Parent {
        Parent {
            trace_id: self.trace_id,
            span_id: self.span_id,
            sampled: self.sampled,
            state: self.state.clone(),
            propagate,
        }
    }
}

impl Parent {
    /// `traceparent` of the attempt with this number, from 0.
    pub fn header(&self, attempt: usize) -> String {
        let span_id = attempt_id(self.span_id, attempt);
        format!("00-{:032x}-{span_id:016x}-{:02x}", self.trace_id, u8::from(self.sampled))
    }
}

/// The client's `traceparent`, if it is there once and valid.
pub fn traceparent(headers: &Headers) -> Option<Traceparent> {
    let text = std::str::from_utf8(headers.unique("traceparent").ok()??).ok()?;
    let mut parts = text.split('-');
    let mut next = |length| parts.next().filter(|part| part.len() == length);
    let (version, trace, span, flags) = (next(2)?, next(32)?, next(16)?, next(2)?);
    let known = hex(version)? == 0;
    if version == "ff" || (known && parts.next().is_some()) {
        return None;
    }
    Some(Traceparent {
        trace_id: hex(trace).filter(|id| *id > 0)?,
        span_id: u64::try_from(hex(span)?).ok().filter(|id| *id > 0)?,
        sampled: hex(flags)? & 1 == 1,
    })
}

/// The trace that a text names: 32 hexadecimal digits, a UUID, or by its hash any other.
pub fn trace_id(text: &str) -> u128 {
    let digits = match text.len() {
        36 => text.replace('-', ""),
        _ => text.to_owned(),
    };
    let given = Some(digits.to_ascii_lowercase()).filter(|digits| digits.len() == 32);
    given.and_then(|digits| hex(&digits)).filter(|id| *id > 0).unwrap_or_else(|| {
        let hash = Sha256::digest(text.as_bytes());
        number(&hash, 16).max(1)
    })
}

/// The span that a text names: 16 hexadecimal digits, or by its hash any other.
pub fn span_id(text: &str) -> u64 {
    let given = Some(text.to_ascii_lowercase()).filter(|digits| digits.len() == 16);
    let given = given.and_then(|digits| hex(&digits)).and_then(|id| u64::try_from(id).ok());
    given.filter(|id| *id > 0).unwrap_or_else(|| {
        let hash = Sha256::digest(text.as_bytes());
        u64::try_from(number(&hash, 8)).unwrap_or(1).max(1)
    })
}

/// The span of an attempt, which follows from the request's: both roles know it.
pub fn attempt_id(request: u64, attempt: usize) -> u64 {
    // SplitMix64: one number has one image.
    let mut id = request.wrapping_add((attempt as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    id = (id ^ (id >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    id = (id ^ (id >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (id ^ (id >> 31)).max(1)
}

/// Whether a trace is among the recorded share: all its requests are, or none.
fn is_sampled(trace_id: u128, sampling: f64) -> bool {
    // Only the last 7 bytes of an id are random for sure.
    const RANDOM: u64 = (1 << 56) - 1;
    let part = (trace_id as u64) & RANDOM;
    #[allow(clippy::cast_precision_loss)]
    let below = (part as f64) < sampling * (RANDOM as f64);
    below || sampling >= 1.0
}

/// Lower-case hexadecimal digits, at most 32.
fn hex(digits: &str) -> Option<u128> {
    let valid = digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    if valid { u128::from_str_radix(digits, 16).ok() } else { None }
}

fn number(hash: &[u8], bytes: usize) -> u128 {
    hash.iter().take(bytes).fold(0, |sum, byte| (sum << 8) | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const TRACE: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;

    fn headers(traceparent: &str) -> Headers {
        let mut headers = Headers::default();
        headers.push("traceparent", traceparent);
        headers.push("tracestate", "a=1");
        headers
    }

    #[test]
    fn ids_of_any_text() {
        let hex = "0af7651916cd43dd8448eb211c80319c";
        assert_eq!(trace_id(hex), TRACE);
        assert_eq!(trace_id(&hex.to_uppercase()), TRACE);
        assert_eq!(trace_id("0af76519-16cd-43dd-8448-eb211c80319c"), TRACE);
        // printf run-1 | sha256sum
        assert_eq!(trace_id("run-1") >> 64, u128::from(span_id("run-1")));
        assert_eq!(span_id("b7ad6b7169203331"), 0xb7ad_6b71_6920_3331);
        let zeros = "0".repeat(32);
        for odd in ["", "é", "g".repeat(32).as_str(), zeros.as_str()] {
            assert!(trace_id(odd) > 0 && span_id(odd) > 0, "{odd}");
        }
        assert_ne!(attempt_id(7, 0), attempt_id(7, 1));
    }

    #[test]
    fn a_traceparent_is_valid_or_none() {
        let of = |text: &str| traceparent(&headers(text));
        let span_id = 0xb7ad_6b71_6920_3331;
        assert_eq!(of(CLIENT), Some(Traceparent { trace_id: TRACE, span_id, sampled: true }));
        assert!(!of(&CLIENT.replace("-01", "-02")).unwrap().sampled);
        assert!(of(&[&CLIENT.replacen("00", "01", 1), "-more"].concat()).is_some());
        for bad in [
            "",
            CLIENT.trim_start_matches("00-"),
            &CLIENT.replacen("00", "ff", 1),
            &CLIENT.to_uppercase(),
            &format!("{CLIENT}-more"),
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
        let mut twice = headers(CLIENT);
        twice.push("traceparent", CLIENT);
        assert_eq!(traceparent(&twice), None);
    }

    #[test]
    fn portkeys_ids_come_first() {
        let given = Given { trace_id: "run-1", span_id: Some("2"), parent_span_id: Some("1") };
        let own = Context::of(given, &headers(CLIENT), 0.0, 9);
        assert_eq!((own.trace_id, own.span_id), (trace_id("run-1"), span_id("2")));
        assert_eq!((own.parent, own.sampled, own.state), (Some(span_id("1")), false, None));

        let hex = format!("{TRACE:032x}");
        let given = Given { trace_id: &hex, ..Given::default() };
        let joined = Context::of(given, &headers(CLIENT), 0.0, 0);
        assert_eq!((joined.span_id, joined.parent), (1, Some(0xb7ad_6b71_6920_3331)));
        assert!(joined.sampled);
        assert_eq!(joined.state.as_deref(), Some("a=1"));
        let header = joined.parent(true).header(0);
        assert_eq!(header, format!("00-{TRACE:032x}-{:016x}-01", attempt_id(1, 0)));
    }

    #[test]
    fn a_share_of_all_traces_is_sampled() {
        let ids = (0..10_000_u32).map(|n| trace_id(&n.to_string()));
        let share = ids.clone().filter(|id| is_sampled(*id, 0.1)).count();
        assert!((900..1100).contains(&share), "{share}");
        assert!(ids.clone().all(|id| is_sampled(id, 1.0) && !is_sampled(id, 0.0)));
    }
}
