//! Token counts of Converse as OpenAI's `usage`.

use super::super::Usage;
use super::super::raw::{object, write_number};
use serde_json::value::RawValue;
use std::borrow::Cow;

members! {
    #[derive(Default)]
    struct RawUsage<'a> {
        input_tokens: Option<u64> = "inputTokens",
        output_tokens: Option<u64> = "outputTokens",
        total_tokens: Option<u64> = "totalTokens",
        cache_read_input_tokens: Option<u64> = "cacheReadInputTokens",
        cache_write_input_tokens: Option<u64> = "cacheWriteInputTokens",
        cache_details: Option<Vec<CacheDetail<'a>>> = "cacheDetails",
    }

    /// Tokens written to the cache, by how long it keeps them: `5m` or `1h`.
    #[derive(Default)]
    struct CacheDetail<'a> {
        ttl: Option<Cow<'a, str>>,
        input_tokens: Option<u64> = "inputTokens",
    }
}

/// Reads a `usage` object. `None` when it has no token counts.
///
/// OpenAI's prompt includes what came from the cache or went into it, Bedrock's input does not.
pub(super) fn parse(raw: &RawValue) -> Option<Usage> {
    let usage: RawUsage = object(raw.get())?;
    usage.input_tokens.or(usage.output_tokens).or(usage.total_tokens)?;
    let (read, written) = (usage.cache_read_input_tokens, usage.cache_write_input_tokens);
    let [input, read, written] = [usage.input_tokens, read, written].map(Option::unwrap_or_default);
    let details = usage.cache_details.into_iter().flatten();
    let long = details.filter(|detail| detail.ttl.as_deref() == Some("1h"));
    let long = long.filter_map(|detail| detail.input_tokens).fold(0, u64::saturating_add);
    Some(Usage {
        prompt_tokens: input.saturating_add(read).saturating_add(written),
        completion_tokens: usage.output_tokens.unwrap_or_default(),
        cached_tokens: read,
        cache_creation_tokens: written,
        cache_creation_1h_tokens: long,
        ..Usage::default()
    })
}

/// Appends `,"usage":{...}`, if it is known: OpenAI's members, then the cache counts if there are
/// any, as Portkey names them.
pub(super) fn write(out: &mut Vec<u8>, usage: Option<&Usage>) {
    let Some(usage) = usage else { return };
    let mut member = |name: &str, count| {
        out.extend_from_slice(name.as_bytes());
        write_number(out, count);
    };
    member(",\"usage\":{\"prompt_tokens\":", usage.prompt_tokens);
    member(",\"completion_tokens\":", usage.completion_tokens);
    member(",\"total_tokens\":", usage.total_tokens());
    member(",\"prompt_tokens_details\":{\"cached_tokens\":", usage.cached_tokens);
    if usage.cached_tokens > 0 || usage.cache_creation_tokens > 0 {
        member("},\"cache_read_input_tokens\":", usage.cached_tokens);
        member(",\"cache_creation_input_tokens\":", usage.cache_creation_tokens);
        out.push(b'}');
        return;
    }
    out.extend_from_slice(b"}}");
}
