//! Counts of tokens for clients of Anthropic's API
//! (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html>).

use super::super::super::field::parse;
use super::super::super::raw::{minify, object_in, write_key, write_member, write_number};
use super::super::super::{Context, Facts, Outgoing, failure};
use super::super::model::Model;
use super::super::{missing, present};
use super::not_of;
use crate::base64;
use crate::error::Error;

const VERSION: &str = "anthropic_version";
const ANTHROPIC_VERSION: &str = "bedrock-2023-05-31";

/// Claude models have no body without a limit; it does not change the count. It is Portkey's.
const MAX_TOKENS: &str = "10";

/// Translates the body of a request for a count. Bedrock counts what InvokeModel would get; it
/// counts for Claude models alone.
///
/// # Errors
/// The body is not what Anthropic's API takes; the model is another.
pub fn request(body: &[u8]) -> Result<Outgoing, Error> {
    let request = parse(body)?;
    let model = Model::read(&request)?;
    if !model.is_claude() {
        return Err(not_of("messagesCountTokens"));
    }
    let messages = present(&request, "messages").ok_or_else(|| missing("messages"))?;
    let mut message = b"{".to_vec();
    let mut write = |key: &str, raw: &str| {
        write_key(&mut message, key);
        message.extend_from_slice(minify(raw).as_bytes());
    };
    write("messages", messages);
    for (key, raw) in request.iter() {
        if !["model", "messages", "stream", VERSION].contains(&key) {
            write(key, raw);
        }
    }
    if present(&request, "max_tokens").is_none() {
        write("max_tokens", MAX_TOKENS);
    }
    let version = request.string(VERSION).filter(|version| version.starts_with("bedrock-"));
    write_member(&mut message, VERSION, version.as_deref().unwrap_or(ANTHROPIC_VERSION));
    message.push(b'}');
    let mut out = b"{\"input\":{\"invokeModel\":{\"body\":\"".to_vec();
    base64::encode(&mut out, &message);
    out.extend_from_slice(b"\"}}}");
    Ok(Outgoing::new(model.foundation().path("count-tokens").into(), out))
}

members! {
    struct Answer {
        tokens: u64 = "inputTokens",
    }
}

/// Translates a complete, successful answer.
///
/// # Errors
/// The body is not what CountTokens answers.
pub fn response(body: &[u8], context: &Context, facts: &mut Facts) -> Result<Vec<u8>, Error> {
    let answer = object_in(body);
    let Some(Answer { tokens }) = answer else {
        return Err(failure::invalid_response(body, context.provider, facts));
    };
    facts.complete = true;
    let mut out = b"{\"input_tokens\":".to_vec();
    write_number(&mut out, tokens);
    out.push(b'}');
    Ok(out)
}
