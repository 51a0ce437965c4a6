//! An assistant's turn as an assistant's message.

use super::super::parts::Parts;
use super::super::write::write_raw;
use super::super::{Extras, Taker};
use crate::dialect::Dropped;
use crate::dialect::field::{missing, under, wrong_type};
use crate::dialect::raw::{
    array, compact, inside, object, text, write_comma, write_key, write_line, write_member,
};
use crate::error::Error;
use crate::json::write_string;
use serde_json::value::RawValue;

members! {
    /// The members of the blocks that are read.
    struct Block<'a> {
        kind: Option<&'a RawValue> = "type",
        text: Option<&'a RawValue>,
        id: Option<&'a RawValue>,
        name: Option<&'a RawValue>,
        input: Option<&'a RawValue>,
        cache_control: Option<&'a RawValue>,
    }
}

/// A turn that is being written.
struct Turn<'t> {
    taker: Taker,
    parts: Parts<'t>,
    /// An array of calls that is open.
    calls: Vec<u8>,
    /// An array of blocks that is open: all but the calls, as they came.
    blocks: Vec<u8>,
    /// Whether those hold more than the text.
    more: bool,
}

/// Appends the message. Reasoning goes back to those who can read it; blocks of tools that
/// Anthropic ran are left out for all others.
///
/// # Errors
/// What is no content; `param` is relative to it.
pub(super) fn write(
    out: &mut Vec<u8>,
    content: &RawValue,
    taker: Taker,
    dropped: &mut Dropped,
) -> Result<(), Error> {
    let (calls, blocks) = (b"[".to_vec(), b"[".to_vec());
    let mut turn = Turn { taker, parts: Parts::new(taker), calls, blocks, more: false };
    if let Some(text) = inside(content) {
        turn.parts.text(text, None);
    } else {
        let list = array(content.get()).ok_or_else(|| {
            Error::invalid("invalid_type", "content must be a string or an array of blocks")
        })?;
        for (at, raw) in list.into_iter().enumerate() {
            turn.block(raw, dropped).map_err(|error| under(error, &format!("[{at}]")))?;
        }
    }
    turn.finish(out);
    Ok(())
}

impl<'t> Turn<'t> {
    fn block(&mut self, raw: &'t RawValue, dropped: &mut Dropped) -> Result<(), Error> {
        let Some(block) = object::<Block<'t>>(raw.get()) else {
            let message = "a content block must be an object without duplicate members";
            return Err(Error::invalid("invalid_type", message));
        };
        let kind = block.kind.and_then(text).ok_or_else(|| missing("type"))?;
        match kind.as_ref() {
            "text" => {
                let text = block.text.and_then(inside);
                let text = text.ok_or_else(|| wrong_type("text", "a string"))?;
                self.parts.text(text, block.cache_control);
                self.keep(raw);
            }
            "tool_use" => self.call(&block)?,
            "thinking" | "redacted_thinking" => {
                self.more = true;
                self.keep(raw);
            }
            _ if self.taker.extras == Extras::Anthropic => {
                self.more = true;
                self.keep(raw);
            }
            kind => dropped.add(&format!("messages.content.{kind}")),
        }
        Ok(())
    }

    fn keep(&mut self, raw: &RawValue) {
        write_comma(&mut self.blocks);
        write_line(&mut self.blocks, raw.get());
    }

    fn call(&mut self, block: &Block<'_>) -> Result<(), Error> {
        let id = block.id.and_then(text).ok_or_else(|| missing("id"))?;
        let name = block.name.and_then(text).ok_or_else(|| missing("name"))?;
        let out = &mut self.calls;
        write_comma(out);
        out.push(b'{');
        write_member(out, "id", &id);
        out.extend_from_slice(b",\"type\":\"function\",\"function\":{");
        write_member(out, "name", &name);
        write_key(out, "arguments");
        let input = block.input.map_or("{}", RawValue::get);
        write_string(out, &compact(input));
        out.push(b'}');
        let taken = |_: &&RawValue| self.taker.extras >= Extras::CacheControl;
        if let Some(value) = block.cache_control.filter(taken) {
            write_raw(out, "cache_control", value.get());
        }
        out.push(b'}');
        Ok(())
    }

    fn finish(mut self, out: &mut Vec<u8>) {
        let calls = self.calls.len() > 1;
        write_comma(out);
        out.extend_from_slice(b"{\"role\":\"assistant\",\"content\":");
        match self.parts.is_empty() && calls {
            true => out.extend_from_slice(b"null"),
            false => self.parts.finish(out, Some("")),
        }
        if self.more && self.taker.extras >= Extras::Portkey {
            self.blocks.push(b']');
            write_key(out, "content_blocks");
            out.extend_from_slice(&self.blocks);
        }
        if calls {
            self.calls.push(b']');
            write_key(out, "tool_calls");
            out.extend_from_slice(&self.calls);
        }
        out.push(b'}');
    }
}
