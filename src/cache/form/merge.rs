//! One value out of the pieces that a stream brings it in.

use serde_json::{Map, Value};

/// Members whose pieces are parts of one text; of all other texts the last one counts.
const TEXTS: [&str; 10] = [
    "arguments",
    "content",
    "reasoning",
    "reasoning_content",
    "refusal",
    "signature",
    "summary",
    "text",
    "thinking",
    "tool_plan",
];
/// Members whose pieces do not add up by any rule known here.
const UNKNOWN: [&str; 2] = ["audio", "partial_json"];
/// Items of a list that are told apart by their index, at most.
const MAX_INDEX: u64 = 1024;

/// Adds the members of a piece to an object; `None` when it is not known how.
pub fn object(into: &mut Map<String, Value>, piece: Map<String, Value>) -> Option<()> {
    for (name, piece) in piece {
        member(into.entry(name.clone()).or_insert(Value::Null), piece, &name)?;
    }
    Some(())
}

/// Adds a piece to the member of that name.
pub fn member(into: &mut Value, piece: Value, name: &str) -> Option<()> {
    if UNKNOWN.contains(&name) && !piece.is_null() {
        return None;
    }
    match (&mut *into, piece) {
        (_, Value::Null) => {}
        (Value::String(text), Value::String(piece)) => match TEXTS.contains(&name) {
            true => text.push_str(&piece),
            false if piece.is_empty() => {}
            false => *text = piece,
        },
        (Value::Array(items), Value::Array(pieces)) => list(items, pieces)?,
        (Value::Object(members), Value::Object(piece)) => object(members, piece)?,
        (Value::Null, Value::Array(pieces)) => {
            let mut items = Vec::with_capacity(pieces.len());
            list(&mut items, pieces)?;
            *into = Value::Array(items);
        }
        (Value::Null, Value::Object(piece)) => {
            let mut members = Map::new();
            object(&mut members, piece)?;
            *into = Value::Object(members);
        }
        (
            Value::Null | Value::Bool(_) | Value::Number(_),
            piece @ (Value::Bool(_) | Value::Number(_)),
        )
        | (Value::Null, piece @ Value::String(_)) => *into = piece,
        _ => return None,
    }
    Some(())
}

/// Adds items: those with an index to the item of that index, all others at the end.
fn list(items: &mut Vec<Value>, pieces: Vec<Value>) -> Option<()> {
    for piece in pieces {
        match (piece.get("index").and_then(Value::as_u64), piece) {
            (Some(index), Value::Object(piece)) => {
                let item = indexed(items, index)?;
                object(item, piece)?;
            }
            (_, piece) => items.push(piece),
        }
    }
    Some(())
}

/// The item of an index, which is made if it is not there.
pub fn indexed(items: &mut Vec<Value>, index: u64) -> Option<&mut Map<String, Value>> {
    if index > MAX_INDEX {
        return None;
    }
    let is_it = |item: &Value| item.get("index").and_then(Value::as_u64) == Some(index);
    let at = items.iter().position(is_it).unwrap_or_else(|| {
        items.push(serde_json::json!({ "index": index }));
        items.len() - 1
    });
    items.get_mut(at)?.as_object_mut()
}
