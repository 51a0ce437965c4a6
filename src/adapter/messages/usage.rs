//! Token counts, as Anthropic counts them.

use crate::dialect::raw::write_number;
use crate::dialect::{Facts, Usage};

/// Appends `"usage":{...}`. Input tokens are those that were neither read from a cache nor written
/// to one; of a cache it tells only where there is one, as Portkey does, or else `always`.
pub(super) fn write(out: &mut Vec<u8>, facts: &Facts, always: bool) {
    let usage = facts.usage.unwrap_or_default();
    let Usage { cached_tokens, cache_creation_tokens, .. } = usage;
    let cached = cached_tokens.saturating_add(cache_creation_tokens);
    let told = always || cached > 0;
    for (name, count, told) in [
        ("\"usage\":{\"input_tokens\":", usage.prompt_tokens.saturating_sub(cached), true),
        (",\"cache_creation_input_tokens\":", cache_creation_tokens, told),
        (",\"cache_read_input_tokens\":", cached_tokens, told),
        (",\"output_tokens\":", usage.completion_tokens, true),
    ] {
        if told {
            out.extend_from_slice(name.as_bytes());
            write_number(out, count);
        }
    }
    out.push(b'}');
}
