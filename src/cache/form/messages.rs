//! Anthropic's messages and their events:
//! <https://platform.claude.com/docs/en/build-with-claude/streaming>.

use super::{pieces, with, write_event};
use serde_json::{Map, Value, json};

/// Where the pieces of a tool's input are until the block is whole.
const PARTIAL: &str = "partial_json";

/// Adds an event to the message; tells whether it was the last.
pub fn take(answer: &mut Map<String, Value>, event: Map<String, Value>) -> Option<bool> {
    let kind = event.get("type").and_then(Value::as_str)?;
    if kind == "message_start" {
        *answer = event.get("message")?.as_object()?.clone();
        return answer.get("content")?.as_array()?.is_empty().then_some(false);
    }
    let started = !answer.is_empty();
    match kind {
        "ping" => {}
        "message_stop" => return started.then_some(true),
        "content_block_start" => {
            let content = answer.get_mut("content")?.as_array_mut()?;
            let index = event.get("index")?.as_u64()?;
            (index == content.len() as u64).then_some(())?;
            content.push(event.get("content_block")?.clone());
        }
        "content_block_delta" => delta(block(answer, &event)?, event.get("delta")?)?,
        "content_block_stop" => {
            let block = block(answer, &event)?;
            if let Some(Value::String(input)) = block.remove(PARTIAL) {
                block.insert("input".to_owned(), serde_json::from_str(&input).ok()?);
            }
        }
        "message_delta" => {
            let usage = event.get("usage").and_then(Value::as_object);
            let whole = answer.entry("usage").or_insert_with(|| json!({})).as_object_mut()?;
            for (name, count) in usage.into_iter().flatten().filter(|(_, count)| !count.is_null()) {
                whole.insert(name.clone(), count.clone());
            }
            for (name, value) in event.get("delta")?.as_object()? {
                answer.insert(name.clone(), value.clone());
            }
        }
        _ => return None,
    }
    started.then_some(false)
}

fn block<'a>(
    answer: &'a mut Map<String, Value>,
    event: &Map<String, Value>,
) -> Option<&'a mut Map<String, Value>> {
    let index = usize::try_from(event.get("index")?.as_u64()?).ok()?;
    answer.get_mut("content")?.as_array_mut()?.get_mut(index)?.as_object_mut()
}

fn delta(block: &mut Map<String, Value>, delta: &Value) -> Option<()> {
    let (from, to) = match delta.get("type")?.as_str()? {
        "text_delta" => ("text", "text"),
        "thinking_delta" => ("thinking", "thinking"),
        "signature_delta" => ("signature", "signature"),
        "input_json_delta" => (PARTIAL, PARTIAL),
        "citations_delta" => {
            let citation = delta.get("citation")?.clone();
            let citations = block.entry("citations").or_insert(Value::Null);
            if citations.is_null() {
                *citations = json!([]);
            }
            citations.as_array_mut()?.push(citation);
            return Some(());
        }
        _ => return None,
    };
    let piece = delta.get(from)?.as_str()?;
    // The first piece of an input may be empty, and then it is all of it.
    if from == PARTIAL && piece.is_empty() {
        return Some(());
    }
    match block.entry(to).or_insert_with(|| "".into()) {
        Value::String(text) => text.push_str(piece),
        _ => return None,
    }
    Some(())
}

/// The events of a message.
pub fn replay(answer: &Map<String, Value>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut write = |name: &str, mut members: Value| {
        if let Some(members) = members.as_object_mut() {
            members.insert("type".to_owned(), name.into());
        }
        write_event(&mut out, Some(name), &members);
    };
    let usage = answer.get("usage").and_then(Value::as_object);
    let begun = usage.map(|usage| with(usage, [("output_tokens", 0.into())]));
    let message = with(
        answer,
        [
            ("content", json!([])),
            ("stop_reason", Value::Null),
            ("stop_sequence", Value::Null),
            ("usage", begun.unwrap_or_default()),
        ],
    );
    write("message_start", json!({ "message": message }));
    for (index, block) in answer.get("content")?.as_array()?.iter().enumerate() {
        let (start, deltas) = parts(block.as_object()?);
        write("content_block_start", json!({ "index": index, "content_block": start }));
        for delta in deltas {
            write("content_block_delta", json!({ "index": index, "delta": delta }));
        }
        write("content_block_stop", json!({ "index": index }));
    }
    let end = json!({
        "stop_reason": answer.get("stop_reason"), "stop_sequence": answer.get("stop_sequence"),
    });
    write("message_delta", json!({ "delta": end, "usage": usage }));
    write("message_stop", json!({}));
    Some(out)
}

/// How a block begins, and the deltas that follow.
fn parts(block: &Map<String, Value>) -> (Value, Vec<Value>) {
    let text = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
    let deltas = |kind: &str, name: &str, text: &str| -> Vec<Value> {
        pieces::of(text).iter().map(|piece| json!({ "type": kind, (name): piece })).collect()
    };
    match text("type") {
        "text" => {
            let mut all = Vec::new();
            let citations = block.get("citations").and_then(Value::as_array);
            let cited = citations.into_iter().flatten();
            all.extend(cited.map(|one| json!({ "type": "citations_delta", "citation": one })));
            all.extend(deltas("text_delta", "text", text("text")));
            match citations {
                Some(_) => (with(block, [("text", "".into()), ("citations", json!([]))]), all),
                None => (with(block, [("text", "".into())]), all),
            }
        }
        "thinking" => {
            let mut all = deltas("thinking_delta", "thinking", text("thinking"));
            all.push(json!({ "type": "signature_delta", "signature": text("signature") }));
            (with(block, [("thinking", "".into()), ("signature", "".into())]), all)
        }
        _ => match block.get("input") {
            Some(input) => {
                let all = deltas("input_json_delta", PARTIAL, &input.to_string());
                (with(block, [("input", json!({}))]), all)
            }
            None => (Value::Object(block.clone()), Vec::new()),
        },
    }
}
