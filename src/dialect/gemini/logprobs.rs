//! Log probabilities: Gemini's `logprobsResult` as OpenAI's `logprobs`.

use super::super::raw::{array, object, text, write_comma, write_key, write_number};
use crate::json::write_string;
use serde_json::value::RawValue;

members! {
    struct LogprobsResult<'a> {
        /// For each place the token that was taken.
        chosen_candidates: Option<&'a RawValue> = "chosenCandidates",
        /// For each place the most likely tokens.
        top_candidates: Option<&'a RawValue> = "topCandidates",
    }

    struct TopCandidates<'a> {
        candidates: Option<&'a RawValue>,
    }

    struct Token<'a> {
        token: Option<&'a RawValue>,
        /// Left out where it is 0.
        log_probability: Option<f64> = "logProbability",
    }
}

/// Appends `"logprobs":{...},`; nothing when there are none.
pub(super) fn write(out: &mut Vec<u8>, raw: Option<&RawValue>) {
    let result: Option<LogprobsResult<'_>> = raw.and_then(|raw| object(raw.get()));
    let Some(result) = result else { return };
    let (chosen, top) = (list(result.chosen_candidates), list(result.top_candidates));
    if chosen.is_empty() {
        return;
    }
    out.extend_from_slice(b"\"logprobs\":{\"content\":[");
    for (at, raw) in chosen.into_iter().enumerate() {
        write_comma(out);
        write_token(out, raw);
        write_key(out, "top_logprobs");
        out.push(b'[');
        let top: Option<TopCandidates<'_>> = top.get(at).and_then(|raw| object(raw.get()));
        for raw in list(top.and_then(|top| top.candidates)) {
            write_comma(out);
            write_token(out, raw);
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
    }
    out.extend_from_slice(b"]},");
}

fn list(raw: Option<&RawValue>) -> Vec<&RawValue> {
    raw.and_then(|raw| array(raw.get())).unwrap_or_default()
}

/// Appends a token, open at its end.
fn write_token(out: &mut Vec<u8>, raw: &RawValue) {
    let token: Option<Token<'_>> = object(raw.get());
    let (name, probability) =
        token.map_or((None, None), |token| (token.token, token.log_probability));
    let word = name.and_then(text).unwrap_or_default();
    out.extend_from_slice(b"{\"token\":");
    write_string(out, &word);
    write_key(out, "logprob");
    // Writing to a Vec cannot fail.
    let _ = serde_json::to_writer(&mut *out, &probability.unwrap_or(0.0));
    write_key(out, "bytes");
    out.push(b'[');
    for byte in word.bytes() {
        write_comma(out);
        write_number(out, u64::from(byte));
    }
    out.push(b']');
}
