//! An answer of Cohere's Chat API as a chat completion.

use super::super::completion::{write_array, write_head};
use super::super::raw::{array, inside, object, text, write_line};
use super::super::{Context, Facts, bounded, failure};
use super::answer::{Answer, Message, Piece, ToolCall};
use super::{COMPLETE, logprobs, usage};
use crate::error::Error;
use crate::json::write_string;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The message of an answer: pieces of the chat completion's message.
struct Content<'a> {
    message: Message<'a>,
    /// Pieces of the text, escapes as they are.
    text: Vec<&'a str>,
    /// All elements of the content.
    blocks: Vec<&'a RawValue>,
    tool_calls: Vec<ToolCall<'a>>,
}

/// Translates a complete, successful answer.
///
/// # Errors
/// The body is not what the Chat API answers.
pub fn translate(body: &[u8], context: &Context, facts: &mut Facts) -> Result<Vec<u8>, Error> {
    let parsed = std::str::from_utf8(body).ok().and_then(|text| parse(text.trim_start()));
    let Some((answer, content)) = parsed else {
        return Err(failure::invalid_response(body, context.provider, facts));
    };
    let reason = answer.finish_reason.and_then(text).unwrap_or(Cow::Borrowed(COMPLETE));
    let finish_reason = super::finish_reason(&reason);
    facts.complete = true;
    facts.id = answer.id.and_then(text).map(bounded);
    facts.finish_reason = Some(finish_reason.to_owned());
    facts.usage = answer.usage.and_then(usage::parse);

    let mut out = Vec::with_capacity(body.len() + 512);
    write_head(&mut out, answer.id, None, context, "chat.completion");
    out.extend_from_slice(b"{\"index\":0,\"message\":");
    write_message(&mut out, &content, context.strict);
    if let Some(items) = answer.logprobs.and_then(|raw| array(raw.get())) {
        out.extend_from_slice(b",\"logprobs\":");
        logprobs::write(&mut out, &items);
    }
    out.extend_from_slice(b",\"finish_reason\":");
    write_string(&mut out, if context.strict { finish_reason } else { &reason });
    out.extend_from_slice(b"}]");
    usage::write(&mut out, facts.usage.as_ref());
    out.push(b'}');
    Ok(out)
}

/// An answer has a message with something in it, or says why it ended.
fn parse(body: &str) -> Option<(Answer<'_>, Content<'_>)> {
    let answer: Answer<'_> = object(body)?;
    let message: Message<'_> = object(answer.message?.get())?;
    let [blocks, calls] = [message.content, message.tool_calls]
        .map(|raw| raw.map_or(Some(Vec::new()), |raw| array(raw.get())));
    let (blocks, calls) = blocks.zip(calls)?;
    answer.finish_reason.or(message.content).or(message.tool_calls)?;
    let mut text = Vec::new();
    for raw in &blocks {
        let piece: Piece<'_> = object(raw.get())?;
        text.extend(piece.text.and_then(inside));
    }
    let tool_calls = calls.into_iter().map(|raw| object(raw.get())).collect::<Option<Vec<_>>>()?;
    Some((answer, Content { message, text, blocks, tool_calls }))
}

/// With strict compliance what is neither text nor a call is left out.
fn write_message(out: &mut Vec<u8>, content: &Content<'_>, strict: bool) {
    // The text of an answer of tool calls alone is empty, not null, as Portkey has it.
    out.extend_from_slice(b"{\"role\":\"assistant\",\"content\":\"");
    for piece in &content.text {
        out.extend_from_slice(piece.as_bytes());
    }
    out.push(b'"');
    if !strict {
        out.extend_from_slice(b",\"content_blocks\":");
        write_array(out, &content.blocks, |out, raw| write_line(out, raw.get()));
        for (name, own) in [
            (",\"tool_plan\":", content.message.tool_plan),
            (",\"citations\":", content.message.citations),
        ] {
            if let Some(own) = own {
                out.extend_from_slice(name.as_bytes());
                write_line(out, own.get());
            }
        }
    }
    if !content.tool_calls.is_empty() {
        out.extend_from_slice(b",\"tool_calls\":");
        write_array(out, &content.tool_calls, |out, call| {
            let arguments = Some(call.arguments()).filter(|json| !json.is_empty());
            call.write(out, None, arguments.unwrap_or("{}"));
        });
    }
    out.push(b'}');
}
