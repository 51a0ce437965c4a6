//! Token counts of the Messages API, and as OpenAI counts them.

use super::super::Usage;
use super::super::raw::{object, write_number};
use serde_json::value::RawValue;

members! {
    /// A `usage` object; a stream sends it in pieces.
    #[derive(Default)]
    struct RawUsage {
        input_tokens: Option<u64>,
        output_tokens: Option<u64>,
        cache_read_input_tokens: Option<u64>,
        cache_creation_input_tokens: Option<u64>,
        cache_creation: Option<CacheCreation>,
        output_tokens_details: Option<Details>,
    }

    /// Tokens written to the cache, by how long it keeps them.
    #[derive(Default)]
    struct CacheCreation {
        ephemeral_1h_input_tokens: Option<u64>,
    }

    #[derive(Default)]
    struct Details {
        thinking_tokens: Option<u64>,
    }
}

/// The counts so far; cached input is not part of `input`.
#[derive(Debug, Default)]
pub(super) struct Counts {
    input: u64,
    output: u64,
    cache_read: u64,
    cache_creation: u64,
    cache_creation_1h: u64,
    thinking: u64,
}

impl Counts {
    /// Takes the counts that `raw` has: they are totals, not increments.
    pub(super) fn update(&mut self, raw: &RawValue) {
        let usage: RawUsage = object(raw.get()).unwrap_or_default();
        let long = usage.cache_creation.and_then(|creation| creation.ephemeral_1h_input_tokens);
        let thinking = usage.output_tokens_details.and_then(|details| details.thinking_tokens);
        for (count, new) in [
            (&mut self.input, usage.input_tokens),
            (&mut self.output, usage.output_tokens),
            (&mut self.cache_read, usage.cache_read_input_tokens),
            (&mut self.cache_creation, usage.cache_creation_input_tokens),
            (&mut self.cache_creation_1h, long),
            (&mut self.thinking, thinking),
        ] {
            *count = new.unwrap_or(*count);
        }
    }

    /// The same in OpenAI's terms, where the prompt includes what came from the cache or went
    /// into it.
    pub(super) fn usage(&self) -> Usage {
        let prompt = self.input.saturating_add(self.cache_read).saturating_add(self.cache_creation);
        Usage {
            prompt_tokens: prompt,
            completion_tokens: self.output,
            cached_tokens: self.cache_read,
            cache_creation_tokens: self.cache_creation,
            cache_creation_1h_tokens: self.cache_creation_1h,
            reasoning_tokens: self.thinking,
            ..Usage::default()
        }
    }
}

/// Appends `,"usage":{...}`: OpenAI's members, then Anthropic's cache counts if there are any, as
/// Portkey names them.
pub(super) fn write(out: &mut Vec<u8>, usage: &Usage) {
    let mut member = |name: &str, count| {
        out.extend_from_slice(name.as_bytes());
        write_number(out, count);
    };
    member(",\"usage\":{\"prompt_tokens\":", usage.prompt_tokens);
    member(",\"completion_tokens\":", usage.completion_tokens);
    member(",\"total_tokens\":", usage.total_tokens());
    member(",\"prompt_tokens_details\":{\"cached_tokens\":", usage.cached_tokens);
    if usage.reasoning_tokens > 0 {
        member("},\"completion_tokens_details\":{\"reasoning_tokens\":", usage.reasoning_tokens);
    }
    out.push(b'}');
    if usage.cached_tokens > 0 || usage.cache_creation_tokens > 0 {
        out.extend_from_slice(b",\"cache_read_input_tokens\":");
        write_number(out, usage.cached_tokens);
        out.extend_from_slice(b",\"cache_creation_input_tokens\":");
        write_number(out, usage.cache_creation_tokens);
    }
    out.push(b'}');
}
