//! A Messages answer as a chat completion.

use super::super::completion::{write_array, write_head};
use super::super::raw::{array, inside, object, text, write_line};
use super::super::{Context, Facts, Usage, bounded, failure};
use super::usage::{self, Counts};
use crate::error::Error;
use crate::json::write_string;
use serde_json::value::RawValue;
use std::borrow::Cow;

members! {
    struct Message<'a> {
        kind: Option<&'a RawValue> = "type",
        id: Option<&'a RawValue>,
        model: Option<&'a RawValue>,
        content: Option<&'a RawValue>,
        stop_reason: Option<&'a RawValue>,
        usage: Option<&'a RawValue>,
    }

    struct Block<'a> {
        kind: Option<&'a RawValue> = "type",
        text: Option<&'a RawValue>,
        id: Option<&'a RawValue>,
        name: Option<&'a RawValue>,
        input: Option<&'a RawValue>,
    }
}

/// The content of a message: pieces of the chat completion's message.
#[derive(Default)]
struct Content<'a> {
    /// Pieces of the text, escapes as they are.
    text: Vec<&'a str>,
    tool_calls: Vec<Block<'a>>,
    /// All blocks but tool calls.
    blocks: Vec<&'a RawValue>,
}

/// Translates a complete, successful answer.
///
/// # Errors
/// The body is not what the Messages API answers.
pub fn translate(body: &[u8], context: &Context, facts: &mut Facts) -> Result<Vec<u8>, Error> {
    let parsed = std::str::from_utf8(body).ok().and_then(|text| parse(text.trim_start()));
    let Some((message, content)) = parsed else {
        return Err(failure::invalid_response(body, context.provider, facts));
    };
    let (usage, stop_reason, finish_reason) = note(&message, facts);

    let mut out = Vec::with_capacity(body.len() + 512);
    write_head(&mut out, message.id, message.model, context, "chat.completion");
    out.extend_from_slice(b"{\"index\":0,\"message\":");
    write_message(&mut out, &content, context.strict);
    out.extend_from_slice(b",\"logprobs\":null,\"finish_reason\":");
    write_string(&mut out, if context.strict { finish_reason } else { &stop_reason });
    out.extend_from_slice(b"}]");
    usage::write(&mut out, &usage);
    out.push(b'}');
    Ok(out)
}

/// Reads the facts of a message that passes as it is; leaves them alone when it is none.
pub(in crate::dialect) fn observe(body: &[u8], facts: &mut Facts) {
    let text = std::str::from_utf8(body).ok();
    if let Some((message, _)) = text.and_then(|text| parse(text.trim_start())) {
        note(&message, facts);
    }
}

/// Notes the facts; returns the usage, Anthropic's stop reason and OpenAI's finish reason.
fn note<'a>(message: &Message<'a>, facts: &mut Facts) -> (Usage, Cow<'a, str>, &'static str) {
    let mut counts = Counts::default();
    if let Some(raw) = message.usage {
        counts.update(raw);
    }
    let usage = counts.usage();
    let stop_reason = message.stop_reason.and_then(text).unwrap_or(Cow::Borrowed("end_turn"));
    let finish_reason = super::finish_reason(&stop_reason);
    facts.complete = true;
    facts.id = message.id.and_then(text).map(bounded);
    facts.model = message.model.and_then(text).map(bounded);
    facts.finish_reason = Some(finish_reason.to_owned());
    facts.usage = message.usage.map(|_| usage);
    (usage, stop_reason, finish_reason)
}

fn parse(body: &str) -> Option<(Message<'_>, Content<'_>)> {
    let message: Message<'_> = object(body)?;
    if message.kind.is_some_and(|kind| text(kind).as_deref() != Some("message")) {
        return None;
    }
    let mut content = Content::default();
    for raw in array(message.content?.get())? {
        let block: Block<'_> = object(raw.get())?;
        match block.kind.and_then(text).as_deref()? {
            "tool_use" => content.tool_calls.push(block),
            kind => {
                if kind == "text" {
                    content.text.extend(block.text.and_then(inside));
                }
                content.blocks.push(raw);
            }
        }
    }
    Some((message, content))
}

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
    }
    if !content.tool_calls.is_empty() {
        out.extend_from_slice(b",\"tool_calls\":");
        write_array(out, &content.tool_calls, write_tool_call);
    }
    out.push(b'}');
}

fn write_tool_call(out: &mut Vec<u8>, block: &Block<'_>) {
    out.extend_from_slice(b"{\"id\":\"");
    out.extend_from_slice(block.id.and_then(inside).unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\",\"type\":\"function\",\"function\":{\"name\":\"");
    out.extend_from_slice(block.name.and_then(inside).unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\",\"arguments\":");
    write_string(out, block.input.map_or("{}", RawValue::get));
    out.extend_from_slice(b"}}");
}
