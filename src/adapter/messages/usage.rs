//! Token counts, as Anthropic counts them.

use crate::dialect::raw::write_number;
use crate::dialect::{Facts, Usage};

/// Appends `"usage":{...}`. Input tokens are those that were neither read from a cache nor written
/// to one.
pub(super) fn write(out: &mut Vec<u8>, facts: &Facts) {
    let usage = facts.usage.unwrap_or_default();
    let Usage { cached_tokens, cache_creation_tokens, .. } = usage;
    let cached = cached_tokens.saturating_add(cache_creation_tokens);
    for (name, count) in [
        ("\"usage\":{\"input_tokens\":", usage.prompt_tokens.saturating_sub(cached)),
        (",\"cache_creation_input_tokens\":", cache_creation_tokens),
        (",\"cache_read_input_tokens\":", cached_tokens),
        (",\"output_tokens\":", usage.completion_tokens),
    ] {
        out.extend_from_slice(name.as_bytes());
        write_number(out, count);
    }
    out.push(b'}');
}
