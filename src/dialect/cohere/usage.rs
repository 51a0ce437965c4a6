//! Token counts of the Chat API as OpenAI's `usage`.

use super::super::Usage;
use super::super::raw::{object, write_number};
use super::answer::read;
use serde_json::value::RawValue;

members! {
    struct RawUsage<'a> {
        tokens: Option<&'a RawValue>,
        /// What is paid for: without what Cohere itself added to the prompt.
        billed_units: Option<&'a RawValue>,
        /// Those of the input tokens that came from the cache.
        cached_tokens: Option<f64>,
    }

    /// Cohere documents the counts as floating-point numbers.
    #[derive(Default)]
    struct Counts {
        input_tokens: Option<f64>,
        output_tokens: Option<f64>,
    }
}

/// Reads a `usage` object. `None` when it has no token counts.
pub(super) fn parse(raw: &RawValue) -> Option<Usage> {
    let usage: RawUsage<'_> = object(raw.get())?;
    let mut kinds = [usage.tokens, usage.billed_units].into_iter().map(read::<Counts>);
    let counts = kinds.find(|it| it.input_tokens.is_some() || it.output_tokens.is_some())?;
    // The cast saturates; nobody has a fraction of a token.
    let count = |count: Option<f64>| count.unwrap_or(0.0) as u64;
    Some(Usage {
        prompt_tokens: count(counts.input_tokens),
        completion_tokens: count(counts.output_tokens),
        cached_tokens: count(usage.cached_tokens),
        ..Usage::default()
    })
}

/// Appends `,"usage":{...}`, if it is known.
pub(super) fn write(out: &mut Vec<u8>, usage: Option<&Usage>) {
    let Some(usage) = usage else { return };
    let mut member = |name: &str, count| {
        out.extend_from_slice(name.as_bytes());
        write_number(out, count);
    };
    member(",\"usage\":{\"prompt_tokens\":", usage.prompt_tokens);
    member(",\"completion_tokens\":", usage.completion_tokens);
    member(",\"total_tokens\":", usage.total_tokens());
    if usage.cached_tokens > 0 {
        member(",\"prompt_tokens_details\":{\"cached_tokens\":", usage.cached_tokens);
        out.push(b'}');
    }
    out.push(b'}');
}
