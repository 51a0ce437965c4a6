//! The conversation: `instructions` and the items of `input` as messages.

use super::super::parts::Parts;
use super::super::write::{write_quoted, write_raw};
use super::super::{Extras, Taker};
use super::content::is_text;
use super::{REDACTED, SIGNATURE};
use crate::dialect::Dropped;
use crate::dialect::field::{missing, present, under, wrong_type};
use crate::dialect::raw::{array, inside, object, text, write_comma, write_key, write_member};
use crate::error::Error;
use crate::json::Object;
use serde_json::value::RawValue;

members! {
    /// The members of all kinds of items.
    struct Item<'a> {
        kind: Option<&'a RawValue> = "type",
        role: Option<&'a RawValue>,
        content: Option<&'a RawValue>,
        id: Option<&'a RawValue>,
        call_id: Option<&'a RawValue>,
        name: Option<&'a RawValue>,
        arguments: Option<&'a RawValue>,
        output: Option<&'a RawValue>,
        summary: Option<&'a RawValue>,
        encrypted_content: Option<&'a RawValue>,
    }
}

/// Appends the member `messages`.
///
/// # Errors
/// What is no input, or cannot be said to the target; `param` is the path of the field.
pub(super) fn write(
    out: &mut Vec<u8>,
    request: &Object<'_>,
    taker: Taker,
    dropped: &mut Dropped,
) -> Result<(), Error> {
    write_key(out, "messages");
    out.push(b'[');
    let instructions = present(request, "instructions");
    if let Some(text) = instructions.filter(|raw| raw.starts_with('"')) {
        out.extend_from_slice(b"{\"role\":\"system\",\"content\":");
        out.extend_from_slice(text.as_bytes());
        out.push(b'}');
    } else if instructions.is_some() {
        return Err(wrong_type("instructions", "a string"));
    }
    let input = present(request, "input").ok_or_else(|| missing("input"))?;
    if input.starts_with('"') {
        write_comma(out);
        out.extend_from_slice(b"{\"role\":\"user\",\"content\":");
        out.extend_from_slice(input.as_bytes());
        out.extend_from_slice(b"}]");
        return Ok(());
    }
    let items = array(input).ok_or_else(|| wrong_type("input", "a string or an array"))?;
    let mut messages = Messages { out, taker, turn: None, moved: Parts::new(taker) };
    for (at, raw) in items.into_iter().enumerate() {
        let place = format!("input[{at}]");
        if let Some(kind) = messages.item(raw).map_err(|error| under(error, &place))? {
            dropped.add(&format!("input.{kind}"));
        }
    }
    messages.end_turn();
    messages.end_results();
    out.push(b']');
    Ok(())
}

/// An assistant's message that is being put together of several items.
#[derive(Default)]
struct Turn {
    /// Raw JSON.
    content: Option<Vec<u8>>,
    /// Blocks of reasoning, of an array without its brackets.
    blocks: Vec<u8>,
    /// The same of calls.
    calls: Vec<u8>,
}

struct Messages<'t, 'o> {
    out: &'o mut Vec<u8>,
    taker: Taker,
    turn: Option<Turn>,
    /// What results hold beside texts, for targets that take texts alone: the user sends it,
    /// behind the results.
    moved: Parts<'t>,
}

impl<'t> Messages<'t, '_> {
    /// Takes an item; gives the type of one that has no place in a chat completion request.
    fn item(&mut self, raw: &'t RawValue) -> Result<Option<String>, Error> {
        let Some(item) = object::<Item<'t>>(raw.get()) else {
            let message = "an item must be an object without duplicate members";
            return Err(Error::invalid("invalid_type", message));
        };
        let kind = item.kind.and_then(text);
        if kind.as_deref() != Some("function_call_output") {
            self.end_results();
        }
        match kind.as_deref() {
            None | Some("message") => self.message(&item)?,
            Some("function_call") => self.call(&item)?,
            Some("function_call_output") => self.result(&item)?,
            Some("reasoning") => self.reasoning(&item),
            Some("item_reference") => {
                let message = format!(
                    "an item_reference is not supported by {}: nothing is stored",
                    self.taker.provider
                );
                return Err(Error::invalid("unsupported_content", message)
                    .with_hint("send the item itself"));
            }
            Some(kind) => return Ok(Some(kind.to_owned())),
        }
        Ok(None)
    }

    fn message(&mut self, item: &Item<'t>) -> Result<(), Error> {
        let role = item.role.and_then(text).ok_or_else(|| missing("role"))?;
        let content = item.content.ok_or_else(|| missing("content"))?;
        let mut parts = Parts::new(self.taker);
        parts.contents(content).map_err(|error| under(error, "content"))?;
        let role = match role.as_ref() {
            "assistant" => {
                let mut content = Vec::new();
                parts.finish(&mut content, Some(""));
                if self.turn.as_ref().is_some_and(|turn| turn.content.is_some()) {
                    self.end_turn();
                }
                self.turn.get_or_insert_default().content = Some(content);
                return Ok(());
            }
            "system" | "developer" => "system",
            _ => "user",
        };
        self.end_turn();
        write_comma(self.out);
        self.out.push(b'{');
        write_quoted(self.out, "role", role);
        write_key(self.out, "content");
        parts.finish(self.out, (role == "system").then_some("\\n"));
        self.out.push(b'}');
        Ok(())
    }

    fn call(&mut self, item: &Item<'_>) -> Result<(), Error> {
        let id = item.call_id.or(item.id).and_then(text).ok_or_else(|| missing("call_id"))?;
        let name = item.name.and_then(text).ok_or_else(|| missing("name"))?;
        let calls = &mut self.turn.get_or_insert_default().calls;
        if !calls.is_empty() {
            calls.push(b',');
        }
        calls.push(b'{');
        write_member(calls, "id", &id);
        calls.extend_from_slice(b",\"type\":\"function\",\"function\":{");
        write_member(calls, "name", &name);
        let arguments = item.arguments.filter(|raw| inside(raw).is_some());
        write_raw(calls, "arguments", arguments.map_or("\"{}\"", RawValue::get));
        calls.extend_from_slice(b"}}");
        Ok(())
    }

    fn result(&mut self, item: &Item<'t>) -> Result<(), Error> {
        let id = item.call_id.and_then(text).ok_or_else(|| missing("call_id"))?;
        let output = item.output.ok_or_else(|| missing("output"))?;
        let in_output = |error| under(error, "output");
        self.end_turn();
        let mut parts = Parts::new(self.taker);
        let list = array(output.get()).filter(|_| !self.taker.rich_results);
        if let Some(list) = list {
            let mut moved = false;
            for raw in list {
                if is_text(raw) {
                    parts.content(raw).map_err(in_output)?;
                    continue;
                }
                if !std::mem::replace(&mut moved, true) {
                    self.moved.note(&format!("The result of the tool call {id}:"));
                }
                self.moved.content(raw).map_err(in_output)?;
            }
            if moved && parts.is_empty() {
                parts.text("The result is in the next message.", None);
            }
        } else {
            parts.contents(output).map_err(in_output)?;
        }
        write_comma(self.out);
        self.out.extend_from_slice(b"{\"role\":\"tool\"");
        write_member(self.out, "tool_call_id", &id);
        write_key(self.out, "content");
        parts.finish(self.out, Some("\\n"));
        self.out.push(b'}');
        Ok(())
    }

    /// Reasoning goes back to those who can read it, if it is theirs.
    fn reasoning(&mut self, item: &Item<'t>) {
        if self.turn.as_ref().is_some_and(|turn| turn.content.is_some() || !turn.calls.is_empty()) {
            self.end_turn();
        }
        let sealed = item.encrypted_content.and_then(inside).unwrap_or_default();
        if self.taker.extras < Extras::Portkey {
            return;
        }
        let blocks = &mut self.turn.get_or_insert_default().blocks;
        if !blocks.is_empty() && (sealed.starts_with(SIGNATURE) || sealed.starts_with(REDACTED)) {
            blocks.push(b',');
        }
        if let Some(data) = sealed.strip_prefix(REDACTED) {
            blocks.extend_from_slice(b"{\"type\":\"redacted_thinking\"");
            write_quoted(blocks, "data", data);
            blocks.push(b'}');
        } else if let Some(signature) = sealed.strip_prefix(SIGNATURE) {
            blocks.extend_from_slice(b"{\"type\":\"thinking\"");
            write_quoted(blocks, "thinking", &summary(item));
            write_quoted(blocks, "signature", signature);
            blocks.push(b'}');
        }
    }

    fn end_turn(&mut self) {
        let Some(turn) = self.turn.take() else { return };
        if turn.content.is_none() && turn.calls.is_empty() {
            // Reasoning that led to nothing.
            return;
        }
        let out = &mut *self.out;
        write_comma(out);
        out.extend_from_slice(b"{\"role\":\"assistant\",\"content\":");
        // Empty, not null, as Portkey has it.
        let content = turn.content.unwrap_or_else(|| b"\"\"".to_vec());
        out.extend_from_slice(&content);
        if !turn.blocks.is_empty() {
            write_key(out, "content_blocks");
            out.push(b'[');
            out.extend_from_slice(&turn.blocks);
            if content.starts_with(b"\"") && content != b"\"\"" {
                out.extend_from_slice(b",{\"type\":\"text\",\"text\":");
                out.extend_from_slice(&content);
                out.push(b'}');
            }
            out.push(b']');
        }
        if !turn.calls.is_empty() {
            write_key(out, "tool_calls");
            out.push(b'[');
            out.extend_from_slice(&turn.calls);
            out.push(b']');
        }
        out.push(b'}');
    }

    fn end_results(&mut self) {
        if self.moved.is_empty() {
            return;
        }
        let moved = std::mem::replace(&mut self.moved, Parts::new(self.taker));
        write_comma(self.out);
        self.out.extend_from_slice(b"{\"role\":\"user\",\"content\":");
        moved.finish(self.out, None);
        self.out.push(b'}');
    }
}

/// The text of a reasoning item, as it stands between quotes.
fn summary(item: &Item<'_>) -> String {
    members! {
        #[derive(Default)]
        struct Part<'a> {
            text: Option<&'a RawValue>,
        }
    }
    let parts = item.summary.and_then(|raw| array(raw.get())).unwrap_or_default();
    let texts = parts.into_iter().filter_map(|raw| {
        let part: Part<'_> = object(raw.get())?;
        part.text.and_then(inside)
    });
    texts.collect()
}
