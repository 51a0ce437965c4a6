//! A `generateContent` answer as a chat completion.

use super::super::completion::write_head;
use super::super::raw::{array, inside, text, write_comma, write_number};
use super::super::{Context, Facts, bounded, failure};
use super::answer::{Answer, Candidate, Content, Feedback};
use super::message::{self, Calls};
use super::usage::Counts;
use super::{BLOCKED, error, finish_reason, logprobs};
use crate::error::Error;
use crate::json::write_string;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Translates a complete, successful answer.
///
/// # Errors
/// The body is not what `generateContent` answers.
pub fn translate(body: &[u8], context: &Context, facts: &mut Facts) -> Result<Vec<u8>, Error> {
    let Some((answer, candidates)) = parse(body) else {
        let body = error::in_openais_shape(body);
        return Err(failure::invalid_response(&body, context.provider, facts));
    };
    let counts = note(&answer, &candidates, facts);
    let mut out = Vec::with_capacity(body.len() + 512);
    write_head(&mut out, answer.response_id, answer.model_version, context, "chat.completion");
    for candidate in &candidates {
        write_comma(&mut out);
        write_choice(&mut out, candidate, answer.response_id, context);
    }
    if let Some(feedback) = answer.blocked().filter(|_| candidates.is_empty()) {
        write_blocked(&mut out, &feedback, context.strict);
    }
    out.push(b']');
    counts.write(&mut out);
    out.push(b'}');
    Ok(out)
}

/// Reads the facts of an answer that passes as it is; leaves them alone when it is none.
pub(in crate::dialect) fn observe(body: &[u8], facts: &mut Facts) {
    if let Some((answer, candidates)) = parse(body) {
        note(&answer, &candidates, facts);
    }
}

/// An answer has candidates, or says why it has none.
fn parse(body: &[u8]) -> Option<(Answer<'_>, Vec<Candidate<'_>>)> {
    let answer = Answer::parse(body)?;
    let raw = answer.candidates.and_then(|raw| array(raw.get())).unwrap_or_default();
    let candidates: Vec<_> = raw.into_iter().filter_map(Candidate::parse).collect();
    // Without a reason the model has not stopped: such an answer is cut.
    let whole = candidates.iter().all(|candidate| candidate.finish_reason.is_some());
    let usable = whole && (!candidates.is_empty() || answer.blocked().is_some());
    usable.then_some((answer, candidates))
}

fn note(answer: &Answer<'_>, candidates: &[Candidate<'_>], facts: &mut Facts) -> Counts {
    let mut counts = Counts::default();
    if let Some(raw) = answer.usage_metadata {
        counts.update(raw);
    }
    let reason = match candidates.first() {
        Some(first) => {
            let calls = !first.content().calls.is_empty();
            finish_reason(&first.reason(), calls)
        }
        None => BLOCKED,
    };
    facts.complete = true;
    facts.id = answer.response_id.and_then(text).map(bounded);
    facts.model = answer.model_version.and_then(text).map(bounded);
    facts.finish_reason = Some(reason.to_owned());
    facts.usage = counts.usage();
    counts
}

impl Candidate<'_> {
    fn reason(&self) -> Cow<'_, str> {
        self.finish_reason.and_then(text).unwrap_or(Cow::Borrowed("STOP"))
    }
}

fn write_choice(
    out: &mut Vec<u8>,
    candidate: &Candidate<'_>,
    response_id: Option<&RawValue>,
    context: &Context,
) {
    let content = candidate.content();
    out.extend_from_slice(b"{\"index\":");
    write_number(out, candidate.index());
    out.extend_from_slice(b",\"message\":{\"role\":\"assistant\",\"content\":");
    write_content(out, candidate, &content);
    if !context.strict {
        message::write_blocks(out, &content.blocks);
    }
    if !content.calls.is_empty() {
        let choice = candidate.index();
        let calls = Calls { response_id, choice, before: 0, indexed: false };
        calls.write(out, &content.calls, context);
    }
    out.extend_from_slice(b"},");
    logprobs::write(out, candidate.logprobs_result);
    if let Some(metadata) = candidate.grounding_metadata.filter(|_| !context.strict) {
        out.extend_from_slice(b"\"groundingMetadata\":");
        out.extend_from_slice(metadata.get().as_bytes());
        out.push(b',');
    }
    let reason = candidate.reason();
    let finish = finish_reason(&reason, !content.calls.is_empty());
    write_reason(out, finish, &reason, context.strict);
    out.push(b'}');
}

/// The text; for calls alone it is null. Where there is nothing at all, Gemini may say why.
fn write_content(out: &mut Vec<u8>, candidate: &Candidate<'_>, content: &Content<'_>) {
    if content.text.is_empty() && !content.calls.is_empty() {
        return out.extend_from_slice(b"null");
    }
    out.push(b'"');
    for piece in &content.text {
        out.extend_from_slice(piece.as_bytes());
    }
    if content.is_empty()
        && let Some(message) = candidate.finish_message.and_then(inside)
    {
        out.extend_from_slice(message.as_bytes());
    }
    out.push(b'"');
}

/// The choice of a prompt that was refused.
fn write_blocked(out: &mut Vec<u8>, feedback: &Feedback<'_>, strict: bool) {
    out.extend_from_slice(b"{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"\"");
    message::write_refusal(out, feedback);
    out.extend_from_slice(b"},");
    let reason = feedback.block_reason.and_then(text).unwrap_or_default();
    write_reason(out, BLOCKED, &reason, strict);
    out.push(b'}');
}

/// Appends the member `finish_reason`: OpenAI's, or without strict compliance Gemini's own.
pub(super) fn write_reason(out: &mut Vec<u8>, finish: &str, own: &str, strict: bool) {
    out.extend_from_slice(b"\"finish_reason\":");
    write_string(out, if strict { finish } else { own });
}
