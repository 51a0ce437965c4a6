//! Embeddings, as far as all formats read and write them alike.

use super::field::{missing, present, wrong_type};
use super::raw::{array, write_comma, write_number};
use super::{Context, Dropped, Facts, Usage};
use crate::error::Error;
use crate::json::Object;
use serde_json::value::RawValue;

/// Most inputs of one request: OpenAI's own limit.
const MAX_INPUTS: usize = 2048;

/// What to do instead of sending token ids.
pub(super) const SEND_TEXTS: &str =
    "send the texts themselves (LangChain: check_embedding_ctx_length=False)";

/// Whether an element of the input is a token id, or a list of such.
pub(super) fn is_tokens(raw: &str) -> bool {
    raw.starts_with(|first: char| first == '[' || first.is_ascii_digit())
}

/// The inputs of a request as raw JSON, each a string or, for models that embed more than text, an
/// object; a lone one counts as a list of one.
///
/// # Errors
/// There is none, or one is of another type: tokens mean nothing to another vendor's model.
pub(super) fn inputs<'a>(request: &'a Object<'_>) -> Result<Vec<&'a str>, Error> {
    let input = present(request, "input").ok_or_else(|| missing("input"))?;
    let wrong = || wrong_type("input", "a string or an array of strings");
    let inputs = match array(input) {
        Some(list) => list.into_iter().map(RawValue::get).collect(),
        None => vec![input],
    };
    if inputs.is_empty() || inputs.len() > MAX_INPUTS {
        let message = format!("the input must hold 1 to {MAX_INPUTS} texts");
        return Err(Error::invalid("invalid_value", message).with_param("input"));
    }
    match inputs.iter().position(|input| !input.starts_with(['"', '{'])) {
        None => Ok(inputs),
        Some(_) if !input.starts_with('[') => Err(wrong()),
        Some(at) => {
            let error = wrong().with_param(format!("input[{at}]"));
            let is_token = inputs.get(at).is_some_and(|raw| is_tokens(raw));
            Err(if is_token { error.with_hint(SEND_TEXTS) } else { error })
        }
    }
}

/// What of a request was not read. OpenAI's clients ask for base64 and take numbers as well.
pub(super) fn dropped(request: &Object<'_>) -> Dropped {
    let mut dropped = Dropped::default();
    let _ = request.get("encoding_format");
    dropped.add_unread(request);
    dropped
}

/// An answer: `vectors` are the members of each item after its index, `"embedding":[...]` among
/// them.
pub(super) fn write_list(
    vectors: &[Vec<u8>],
    tokens: u64,
    context: &Context,
    facts: &mut Facts,
) -> Vec<u8> {
    let mut out = b"{\"object\":\"list\",\"data\":[".to_vec();
    for (index, vector) in (0..).zip(vectors) {
        write_comma(&mut out);
        out.extend_from_slice(b"{\"object\":\"embedding\",\"index\":");
        write_number(&mut out, index);
        out.push(b',');
        out.extend_from_slice(vector);
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"model\":");
    out.extend_from_slice(context.model.as_deref().map_or("\"\"", RawValue::get).as_bytes());
    out.extend_from_slice(b",\"usage\":{\"prompt_tokens\":");
    write_number(&mut out, tokens);
    out.extend_from_slice(b",\"total_tokens\":");
    write_number(&mut out, tokens);
    out.extend_from_slice(b"}}");
    facts.usage = Some(Usage { prompt_tokens: tokens, ..Usage::default() });
    facts.complete = true;
    out
}
