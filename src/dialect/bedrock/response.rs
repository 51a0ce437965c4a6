//! A Converse answer as a chat completion.

use super::super::completion::{write_array, write_head};
use super::super::raw::{array, inside, object, text, write_comma, write_key, write_line};
use super::super::{Context, Facts, failure};
use super::answer::{Answer, Block, Cited, Message, Output, Reasoning, ToolUse, read};
use super::{END_TURN, usage};
use crate::error::Error;
use crate::json::write_string;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Translates a complete, successful answer.
///
/// # Errors
/// The body is not what Converse answers.
pub fn translate(body: &[u8], context: &Context, facts: &mut Facts) -> Result<Vec<u8>, Error> {
    let parsed = std::str::from_utf8(body).ok().and_then(|text| parse(text.trim_start()));
    let Some((answer, blocks)) = parsed else {
        return Err(failure::invalid_response(body, context.provider, facts));
    };
    let reason = answer.stop_reason.and_then(text).unwrap_or(Cow::Borrowed(END_TURN));
    let finish_reason = super::finish_reason(&reason);
    facts.complete = true;
    facts.finish_reason = Some(finish_reason.to_owned());
    facts.usage = answer.usage.and_then(usage::parse);

    let mut out = Vec::with_capacity(body.len() + 512);
    write_head(&mut out, None, None, context, "chat.completion");
    out.extend_from_slice(b"{\"index\":0,\"message\":");
    write_message(&mut out, &blocks, context.strict);
    out.extend_from_slice(b",\"finish_reason\":");
    write_string(&mut out, if context.strict { finish_reason } else { &reason });
    out.extend_from_slice(b"}]");
    usage::write(&mut out, facts.usage.as_ref());
    out.push(b'}');
    Ok(out)
}

fn parse(body: &str) -> Option<(Answer<'_>, Vec<Block<'_>>)> {
    let answer: Answer<'_> = object(body)?;
    let output: Output<'_> = object(answer.output?.get())?;
    let message: Message<'_> = object(output.message?.get())?;
    let blocks = array(message.content?.get())?;
    let blocks = blocks.into_iter().map(|raw| object(raw.get())).collect::<Option<Vec<_>>>()?;
    Some((answer, blocks))
}

/// With strict compliance what is neither text nor a call is left out.
fn write_message(out: &mut Vec<u8>, blocks: &[Block<'_>], strict: bool) {
    // The text of an answer of tool calls alone is empty, not null, as Portkey has it.
    out.extend_from_slice(b"{\"role\":\"assistant\",\"content\":\"");
    write_texts(out, blocks);
    out.push(b'"');
    if !strict {
        out.extend_from_slice(b",\"content_blocks\":[");
        blocks.iter().for_each(|block| write_block(out, block));
        out.push(b']');
    }
    let calls: Vec<_> = blocks.iter().filter_map(|block| block.tool_use).collect();
    if !calls.is_empty() {
        out.extend_from_slice(b",\"tool_calls\":");
        write_array(out, &calls, |out, call| write_tool_call(out, call));
    }
    out.push(b'}');
}

/// The texts of all blocks: each on a line of its own, as Portkey has it, but for those with
/// sources, which are cut in the middle of sentences.
fn write_texts(out: &mut Vec<u8>, blocks: &[Block<'_>]) {
    let mut flows = true;
    for block in blocks {
        if let Some(text) = block.text.and_then(inside) {
            if !flows {
                out.extend_from_slice(b"\\n");
            }
            flows = false;
            out.extend_from_slice(text.as_bytes());
        }
        if block.cited.is_some() {
            flows = true;
            for text in cited_texts(block.cited) {
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
}

fn cited_texts(cited: Option<&RawValue>) -> impl Iterator<Item = &str> {
    let cited: Cited<'_> = read(cited);
    let pieces = cited.content.and_then(|raw| array(raw.get())).unwrap_or_default();
    pieces.into_iter().filter_map(|raw| read::<Block<'_>>(Some(raw)).text.and_then(inside))
}

/// Appends a content block as Anthropic and Portkey have it; a call is none.
fn write_block(out: &mut Vec<u8>, block: &Block<'_>) {
    let open = |out: &mut Vec<u8>, kind: &str| {
        write_comma(out);
        out.extend_from_slice(b"{\"type\":");
        write_string(out, kind);
    };
    let member = |out: &mut Vec<u8>, key: &str, raw: Option<&RawValue>| {
        if let Some(raw) = raw {
            write_key(out, key);
            write_line(out, raw.get());
        }
    };
    if block.text.is_some() {
        open(out, "text");
        member(out, "text", block.text);
        out.push(b'}');
    }
    if let Some(cited) = block.cited {
        open(out, "text");
        write_key(out, "text");
        out.push(b'"');
        cited_texts(block.cited).for_each(|text| out.extend_from_slice(text.as_bytes()));
        out.push(b'"');
        member(out, "citations", read::<Cited<'_>>(Some(cited)).citations);
        out.push(b'}');
    }
    let reasoning: Reasoning<'_> = read(block.reasoning);
    if reasoning.whole.is_some() {
        let whole: Reasoning<'_> = read(reasoning.whole);
        open(out, "thinking");
        member(out, "thinking", whole.text);
        member(out, "signature", whole.signature);
        out.push(b'}');
    }
    if reasoning.redacted.is_some() {
        open(out, "redacted_thinking");
        member(out, "data", reasoning.redacted);
        out.push(b'}');
    }
}

fn write_tool_call(out: &mut Vec<u8>, raw: &RawValue) {
    let call: ToolUse<'_> = read(Some(raw));
    out.extend_from_slice(b"{\"id\":\"");
    out.extend_from_slice(call.id.and_then(inside).unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\",\"type\":\"function\",\"function\":{\"name\":\"");
    out.extend_from_slice(call.name.and_then(inside).unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\",\"arguments\":");
    write_string(out, call.input.map_or("{}", RawValue::get));
    out.extend_from_slice(b"}}");
}
