//! Log probabilities: Cohere's items as OpenAI's `logprobs`.

use super::super::raw::{object, text, write_comma, write_key, write_number};
use crate::json::write_string;
use serde_json::value::RawValue;

members! {
    /// A piece of text, of one token or more.
    struct Item<'a> {
        text: Option<&'a RawValue>,
        /// That of each of its tokens.
        logprobs: Option<Vec<f64>>,
    }
}

/// Appends the value of the member `logprobs`: an object, or null when there are no items.
pub(super) fn write(out: &mut Vec<u8>, items: &[&RawValue]) {
    let mut items = items.iter().filter_map(|raw| object::<Item<'_>>(raw.get())).peekable();
    if items.peek().is_none() {
        return out.extend_from_slice(b"null");
    }
    out.extend_from_slice(b"{\"content\":[");
    for item in items {
        write_comma(out);
        write_item(out, &item);
    }
    out.extend_from_slice(b"],\"refusal\":null}");
}

fn write_item(out: &mut Vec<u8>, item: &Item<'_>) {
    let word = item.text.and_then(text).unwrap_or_default();
    out.extend_from_slice(b"{\"token\":");
    write_string(out, &word);
    write_key(out, "logprob");
    // The tokens of a text are as likely together as their product says. Writing cannot fail.
    let _ = serde_json::to_writer(
        &mut *out,
        &item.logprobs.iter().flatten().fold(0.0, |sum, it| sum + it),
    );
    write_key(out, "bytes");
    out.push(b'[');
    for byte in word.bytes() {
        write_comma(out);
        write_number(out, u64::from(byte));
    }
    out.extend_from_slice(b"],\"top_logprobs\":[]}");
}
