//! Chat completions and completions, and their chunks.

use super::{merge, pieces, with, write_event};
use crate::stream::sse;
use serde_json::{Map, Value, json};

/// Members of a chunk that say nothing about the answer.
const OF_CHUNKS: [&str; 2] = ["object", "obfuscation"];

/// Adds a chunk to the answer; what is said is in the member `said` of its choices.
pub fn take(
    answer: &mut Map<String, Value>,
    mut chunk: Map<String, Value>,
    said: &str,
) -> Option<()> {
    let choices = chunk.remove("choices").unwrap_or_default();
    for (name, value) in chunk {
        if OF_CHUNKS.contains(&name.as_str()) {
            continue;
        }
        // The last chunk's usage is the whole; of all else the first says it.
        let known = answer.get(&name).is_some_and(|value| !value.is_null());
        if !known || (name == "usage" && !value.is_null()) {
            answer.insert(name, value);
        }
    }
    let Value::Array(choices) = choices else { return choices.is_null().then_some(()) };
    let whole = answer.entry("choices").or_insert_with(|| json!([])).as_array_mut()?;
    for choice in choices {
        let Value::Object(mut choice) = choice else { return None };
        let index = choice.get("index").and_then(Value::as_u64).unwrap_or_default();
        let into = merge::indexed(whole, index)?;
        // Where Moonshot's streams have their usage.
        choice.remove("usage");
        if let Some(piece) = choice.remove(said) {
            let name = if said == "delta" { "message" } else { said };
            merge::member(into.entry(name).or_insert(Value::Null), piece, name)?;
        }
        merge::object(into, choice)?;
    }
    Some(())
}

/// Whether every choice says why it ended.
pub fn is_finished(answer: &Value) -> bool {
    let choices = answer.get("choices").and_then(Value::as_array);
    choices.is_some_and(|choices| {
        let ended = |choice: &Value| choice.get("finish_reason").is_some_and(Value::is_string);
        !choices.is_empty() && choices.iter().all(ended)
    })
}

/// Makes a chat completion of what its chunks have said.
pub fn finish(answer: &mut Map<String, Value>) -> Option<()> {
    answer.insert("object".to_owned(), "chat.completion".into());
    for choice in answer.get_mut("choices")?.as_array_mut()? {
        let choice = choice.as_object_mut()?;
        choice.entry("logprobs").or_insert(Value::Null);
        let message = choice.entry("message").or_insert_with(|| json!({})).as_object_mut()?;
        message.insert("role".to_owned(), "assistant".into());
        message.entry("content").or_insert(Value::Null);
        let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut);
        let has_calls = calls.as_ref().is_some_and(|calls| !calls.is_empty());
        for call in calls.into_iter().flatten() {
            call.as_object_mut()?.remove("index");
        }
        // Said of an answer that has none; OpenAI's own says null.
        if has_calls && message.get("content").is_some_and(|content| content == "") {
            message.insert("content".to_owned(), Value::Null);
        }
        if let Some(blocks) = message.get_mut("content_blocks") {
            *blocks = self::blocks(blocks)?;
        }
    }
    Some(())
}

/// Portkey's content blocks of a message: in chunks the type of a block is told by its members.
fn blocks(pieces: &Value) -> Option<Value> {
    let mut blocks = Vec::new();
    for piece in pieces.as_array()? {
        let mut block = piece.get("delta")?.as_object()?.clone();
        let kind = if block.contains_key("type") {
            None
        } else if block.contains_key("thinking") || block.contains_key("signature") {
            Some("thinking")
        } else if block.contains_key("data") {
            Some("redacted_thinking")
        } else if block.contains_key("text") {
            Some("text")
        } else {
            return None;
        };
        if let Some(kind) = kind {
            block.insert("type".to_owned(), kind.into());
        }
        blocks.push(Value::Object(block));
    }
    Some(Value::Array(blocks))
}

/// Makes a completion of what its chunks have said.
pub fn finish_text(answer: &mut Map<String, Value>) {
    answer.insert("object".to_owned(), "text_completion".into());
}

/// The chunks of a chat completion.
pub fn replay(answer: &Map<String, Value>, usage: bool) -> Option<Vec<u8>> {
    let head = head(answer, "chat.completion.chunk", usage);
    let mut out = Vec::new();
    for choice in answer.get("choices")?.as_array()? {
        let choice = choice.as_object()?;
        let index = choice.get("index").cloned().unwrap_or_else(|| json!(0));
        let mut write = |delta: Value, logprobs: Value, reason: Value| {
            let choice = json!({
                "index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason,
            });
            write_event(&mut out, None, &with(&head, [("choices", json!([choice]))]));
        };
        let message = choice.get("message")?.as_object()?;
        let logprobs = choice.get("logprobs").cloned().unwrap_or_default();
        write(json!({ "role": "assistant", "content": "" }), Value::Null, Value::Null);
        for (delta, is_content) in deltas(message, !logprobs.is_null())? {
            let logprobs = if is_content { logprobs.clone() } else { Value::Null };
            write(delta, logprobs, Value::Null);
        }
        write(json!({}), Value::Null, choice.get("finish_reason").cloned().unwrap_or_default());
    }
    end(&mut out, answer, &head, usage);
    Some(out)
}

/// What the chunks of a message say, and whether it is its content. With `whole` the content is
/// said at once: its probabilities belong to all of it.
fn deltas(message: &Map<String, Value>, whole: bool) -> Option<Vec<(Value, bool)>> {
    let mut out = Vec::new();
    for (name, value) in message {
        let is_content = name == "content";
        match (name.as_str(), value) {
            ("role", _) | (_, Value::Null) => {}
            ("tool_calls", Value::Array(calls)) => {
                for (index, call) in calls.iter().enumerate() {
                    tool_call(&mut out, index, call.as_object()?);
                }
            }
            ("content_blocks", Value::Array(blocks)) => {
                for (index, block) in blocks.iter().enumerate() {
                    let mut block = block.as_object()?.clone();
                    let kind = block.get("type").and_then(Value::as_str).unwrap_or_default();
                    if ["text", "thinking", "redacted_thinking"].contains(&kind) {
                        block.remove("type");
                    }
                    let block = json!([{ "index": index, "delta": block }]);
                    out.push((json!({ "content_blocks": block }), false));
                }
            }
            (_, Value::String(text)) if !(whole && is_content) => out.extend(
                pieces::of(text).iter().map(|piece| (json!({ (name): piece }), is_content)),
            ),
            (_, value) => out.push((json!({ (name): value }), is_content)),
        }
    }
    Some(out)
}

/// A call: first what it is, then its arguments.
fn tool_call(out: &mut Vec<(Value, bool)>, index: usize, call: &Map<String, Value>) {
    let function = call.get("function").and_then(Value::as_object);
    let arguments = function.and_then(|one| one.get("arguments")).and_then(Value::as_str);
    let (Some(function), Some(arguments)) = (function, arguments) else {
        let call = with(call, [("index", index.into())]);
        out.push((json!({ "tool_calls": [call] }), false));
        return;
    };
    let begun = with(function, [("arguments", "".into())]);
    let first = with(call, [("index", index.into()), ("function", begun)]);
    out.push((json!({ "tool_calls": [first] }), false));
    for piece in pieces::of(arguments) {
        let call = json!({ "index": index, "function": { "arguments": piece } });
        out.push((json!({ "tool_calls": [call] }), false));
    }
}

/// The chunks of a completion.
pub fn replay_text(answer: &Map<String, Value>, usage: bool) -> Option<Vec<u8>> {
    let head = head(answer, "text_completion", usage);
    let mut out = Vec::new();
    for choice in answer.get("choices")?.as_array()? {
        let choice = choice.as_object()?;
        let logprobs = choice.get("logprobs").cloned().unwrap_or_default();
        let text = choice.get("text")?.as_str()?;
        let pieces = if logprobs.is_null() { pieces::of(text) } else { vec![text] };
        let mut write = |text: &str, logprobs: &Value, reason: Value| {
            let logprobs = logprobs.clone();
            let members =
                [("text", text.into()), ("logprobs", logprobs), ("finish_reason", reason)];
            let choice = with(choice, members);
            write_event(&mut out, None, &with(&head, [("choices", json!([choice]))]));
        };
        for piece in pieces {
            write(piece, &logprobs, Value::Null);
        }
        write("", &Value::Null, choice.get("finish_reason").cloned().unwrap_or_default());
    }
    end(&mut out, answer, &head, usage);
    Some(out)
}

/// What all chunks have in common.
fn head(answer: &Map<String, Value>, object: &str, usage: bool) -> Map<String, Value> {
    let mut head = answer.clone();
    head.remove("choices");
    head.remove("usage");
    head.insert("object".to_owned(), object.into());
    if usage {
        head.insert("usage".to_owned(), Value::Null);
    }
    head
}

fn end(out: &mut Vec<u8>, answer: &Map<String, Value>, head: &Map<String, Value>, usage: bool) {
    if let Some(counts) = answer.get("usage").filter(|counts| usage && !counts.is_null()) {
        let last = with(head, [("choices", json!([])), ("usage", counts.clone())]);
        write_event(out, None, &last);
    }
    sse::write_done(out);
}
