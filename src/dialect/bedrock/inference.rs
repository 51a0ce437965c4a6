//! Limits and sampling: `inferenceConfig`, and the tier of service.

use super::super::Dropped;
use super::super::raw::{write_key, write_member};
use super::{present, wrong_type};
use crate::error::Error;
use crate::json::Object;
use std::borrow::Cow;

/// End of the range of temperature and `topP`; OpenAI's temperature goes to 2.
const MAX: f64 = 1.0;

/// Appends the members `inferenceConfig` and `serviceTier`, where there is something to say.
///
/// # Errors
/// A `stop` that is none.
pub(super) fn write(
    out: &mut Vec<u8>,
    request: &Object<'_>,
    dropped: &mut Dropped,
) -> Result<(), Error> {
    let first = |names: &[&str]| names.iter().find_map(|name| present(request, name));
    let before = out.len();
    write_key(out, "inferenceConfig");
    out.push(b'{');
    let start = out.len();
    if let Some(raw) = first(&["max_completion_tokens", "max_tokens"]) {
        write_key(out, "maxTokens");
        out.extend_from_slice(raw.as_bytes());
    }
    if let Some(raw) = first(&["stop", "stop_sequences"]) {
        write_stop(out, "stopSequences", raw)?;
    }
    for (name, key) in [("temperature", "temperature"), ("top_p", "topP")] {
        if let Some(raw) = present(request, name) {
            write_key(out, key);
            out.extend_from_slice(within(raw, MAX).as_bytes());
        }
    }
    match out.len() == start {
        true => out.truncate(before),
        false => out.push(b'}'),
    }
    write_tier(out, request, dropped);
    Ok(())
}

/// A number between 0 and `max`. What is no number is for Bedrock to refuse.
pub(super) fn within(raw: &str, max: f64) -> Cow<'_, str> {
    match raw.parse::<f64>() {
        Ok(number) if number > max => max.to_string().into(),
        Ok(number) if number < 0.0 => "0".into(),
        _ => raw.into(),
    }
}

/// Appends OpenAI's `stop` as a list.
///
/// # Errors
/// It is none.
pub(super) fn write_stop(out: &mut Vec<u8>, key: &str, raw: &str) -> Result<(), Error> {
    let list = raw.starts_with('[');
    if !list && !raw.starts_with('"') {
        return Err(wrong_type("stop", "a string or an array of strings"));
    }
    write_key(out, key);
    out.extend_from_slice(if list { b"" } else { b"[" });
    out.extend_from_slice(raw.as_bytes());
    out.extend_from_slice(if list { b"" } else { b"]" });
    Ok(())
}

/// The tiers have the same names; `auto` is what Bedrock does without one.
fn write_tier(out: &mut Vec<u8>, request: &Object<'_>, dropped: &mut Dropped) {
    match request.string("service_tier").as_deref() {
        Some(tier @ ("default" | "flex" | "priority")) => {
            write_key(out, "serviceTier");
            out.push(b'{');
            write_member(out, "type", tier);
            out.push(b'}');
        }
        None | Some("auto") => {}
        Some(_) => dropped.add("service_tier"),
    }
}
