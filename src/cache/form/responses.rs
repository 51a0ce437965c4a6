//! OpenAI's responses and their events:
//! <https://platform.openai.com/docs/api-reference/responses-streaming>.

use super::{pieces, with, write_event};
use serde_json::{Map, Value, json};

/// Takes an event; tells whether it was the last. That one holds the whole answer.
pub fn take(answer: &mut Map<String, Value>, event: Map<String, Value>) -> Option<bool> {
    match event.get("type").and_then(Value::as_str)? {
        "response.completed" => {
            *answer = event.get("response")?.as_object()?.clone();
            Some(true)
        }
        "response.failed" | "response.incomplete" | "error" => None,
        _ => Some(false),
    }
}

/// The events of an answer.
pub fn replay(answer: &Map<String, Value>) -> Option<Vec<u8>> {
    let mut events = Events::default();
    let begun = with(
        answer,
        [("status", "in_progress".into()), ("output", json!([])), ("usage", Value::Null)],
    );
    events.write("response.created", json!({ "response": begun }));
    events.write("response.in_progress", json!({ "response": begun }));
    for (index, item) in answer.get("output")?.as_array()?.iter().enumerate() {
        events.item(index, item.as_object()?);
    }
    events.write("response.completed", json!({ "response": answer }));
    Some(events.out)
}

#[derive(Default)]
struct Events {
    out: Vec<u8>,
    number: u64,
}

impl Events {
    fn write(&mut self, name: &str, members: Value) {
        if let Value::Object(members) = members {
            let numbered =
                with(&members, [("type", name.into()), ("sequence_number", self.number.into())]);
            write_event(&mut self.out, Some(name), &numbered);
            self.number += 1;
        }
    }

    fn item(&mut self, index: usize, item: &Map<String, Value>) {
        let place = json!({ "item_id": item.get("id"), "output_index": index });
        let place = place.as_object().cloned().unwrap_or_default();
        let (begun, list) = begin(item);
        self.write("response.output_item.added", json!({ "output_index": index, "item": begun }));
        let parts = list.and_then(|list| item.get(list)).and_then(Value::as_array);
        for (at, part) in parts.into_iter().flatten().enumerate() {
            if let Some(part) = part.as_object() {
                self.part(&place, list.unwrap_or_default(), at, part);
            }
        }
        if let Some(arguments) = item.get("arguments").and_then(Value::as_str) {
            for piece in pieces::of(arguments) {
                let delta = with(&place, [("delta", piece.into())]);
                self.write("response.function_call_arguments.delta", delta);
            }
            let name = item.get("name").cloned().unwrap_or_default();
            let whole = with(&place, [("arguments", arguments.into()), ("name", name)]);
            self.write("response.function_call_arguments.done", whole);
        }
        self.write("response.output_item.done", json!({ "output_index": index, "item": item }));
    }

    fn part(
        &mut self,
        place: &Map<String, Value>,
        list: &str,
        at: usize,
        part: &Map<String, Value>,
    ) {
        let (counter, wrapper) = match list {
            "summary" => ("summary_index", "response.reasoning_summary_part"),
            _ => ("content_index", "response.content_part"),
        };
        let place = with(place, [(counter, at.into())]);
        let place = place.as_object().cloned().unwrap_or_default();
        let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
        let (event, member) = match kind {
            "summary_text" => ("response.reasoning_summary_text", "text"),
            "refusal" => ("response.refusal", "refusal"),
            "reasoning_text" => ("response.reasoning_text", "text"),
            _ => ("response.output_text", "text"),
        };
        let text = part.get(member).and_then(Value::as_str).unwrap_or_default();
        let mut begun = with(part, [(member, "".into())]);
        if let Some(annotations) = begun.get_mut("annotations") {
            *annotations = json!([]);
        }
        self.write(&format!("{wrapper}.added"), with(&place, [("part", begun)]));
        let is_text = kind == "output_text";
        let logprobs = part.get("logprobs").cloned().filter(Value::is_array);
        let pieces = match logprobs.as_ref().is_some_and(|list| list != &json!([])) {
            // The probabilities belong to all of it.
            true => vec![text],
            false => pieces::of(text),
        };
        let logprobs = logprobs.unwrap_or_else(|| json!([]));
        let probable = |mut event: Value| {
            if let Some(members) = event.as_object_mut().filter(|_| is_text) {
                members.insert("logprobs".to_owned(), logprobs.clone());
            }
            event
        };
        for piece in pieces {
            let delta = probable(with(&place, [("delta", piece.into())]));
            self.write(&format!("{event}.delta"), delta);
        }
        let annotations = part.get("annotations").and_then(Value::as_array);
        for (number, annotation) in annotations.into_iter().flatten().enumerate() {
            let members = [("annotation_index", number.into()), ("annotation", annotation.clone())];
            self.write("response.output_text.annotation.added", with(&place, members));
        }
        self.write(&format!("{event}.done"), probable(with(&place, [(member, text.into())])));
        self.write(&format!("{wrapper}.done"), with(&place, [("part", json!(part))]));
    }
}

/// An item at its begin, and the member that holds its parts.
fn begin(item: &Map<String, Value>) -> (Value, Option<&'static str>) {
    let status = || "in_progress".into();
    match item.get("type").and_then(Value::as_str) {
        Some("message") => {
            (with(item, [("content", json!([])), ("status", status())]), Some("content"))
        }
        Some("reasoning") => (with(item, [("summary", json!([]))]), Some("summary")),
        Some("function_call") => {
            (with(item, [("arguments", "".into()), ("status", status())]), None)
        }
        _ => (Value::Object(item.clone()), None),
    }
}
