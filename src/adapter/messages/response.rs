//! A chat completion as a Messages answer.

use super::super::Context;
use super::super::chat::{Call, Chunk, Piece};
use super::super::write::{write_quoted, write_raw};
use super::{stop_reason, usage};
use crate::dialect::Facts;
use crate::dialect::raw::{inside, string, write_comma, write_key, write_line, write_number};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// Translates a whole answer; `None` when it is no chat completion.
pub fn translate(body: &[u8], context: &Context, facts: &Facts) -> Option<Vec<u8>> {
    let chunk = Chunk::parse(body).filter(Chunk::has_choices)?;
    let pieces = chunk.choice().map(|choice| choice.pieces()).unwrap_or_default();
    let mut out = Vec::with_capacity(body.len() + 256);
    out.push(b'{');
    write_head(&mut out, &chunk, context);
    write_key(&mut out, "content");
    out.push(b'[');
    let mut content = Content { out: &mut out, thinking: false, text: false, calls: 0 };
    for piece in &pieces {
        content.add(piece, context);
    }
    content.close();
    let has_calls = content.calls > 0;
    out.push(b']');
    let refused = pieces.iter().any(|piece| matches!(piece, Piece::Refusal(_)));
    let reason = match refused {
        true => "refusal",
        false => stop_reason(facts.finish_reason.as_deref(), has_calls),
    };
    write_quoted(&mut out, "stop_reason", reason);
    // Portkey has none for Bedrock.
    if chunk.provider.and_then(inside) != Some("bedrock") {
        write_raw(&mut out, "stop_sequence", "null");
    }
    out.push(b',');
    usage::write(&mut out, facts, false);
    out.push(b'}');
    Some(out)
}

/// Longest id and model that an answer repeats, in bytes.
const MAX_NAME: usize = 256;

/// Appends the members of a message up to its content.
pub(super) fn write_head(out: &mut Vec<u8>, chunk: &Chunk<'_>, context: &Context) {
    let some = |raw: Option<&RawValue>| {
        let text = raw.and_then(inside).filter(|text| !text.is_empty() && text.len() <= MAX_NAME);
        text.map(str::to_owned)
    };
    let id = some(chunk.id).unwrap_or_else(|| {
        let created = chunk.created().unwrap_or(context.created);
        format!("msg_{created}")
    });
    let model = some(chunk.model).or_else(|| some(context.echo.model.as_deref()));
    write_quoted(out, "id", &id);
    write_quoted(out, "type", "message");
    write_quoted(out, "role", "assistant");
    write_quoted(out, "model", &model.unwrap_or_default());
}

/// The blocks of an answer; neighbours of one kind are one block.
struct Content<'o> {
    out: &'o mut Vec<u8>,
    /// The last block is one of reasoning, whose string is open.
    thinking: bool,
    /// The last block is a text, whose string is open.
    text: bool,
    calls: usize,
}

impl Content<'_> {
    fn add(&mut self, piece: &Piece<'_>, context: &Context) {
        match piece {
            Piece::Thinking(text) => {
                if !self.thinking {
                    self.begin("{\"type\":\"thinking\",\"thinking\":\"");
                    self.thinking = true;
                }
                self.out.extend_from_slice(text.as_bytes());
            }
            Piece::Signature(signature) => {
                if !self.thinking {
                    self.begin("{\"type\":\"thinking\",\"thinking\":\"");
                }
                self.thinking = false;
                self.out.extend_from_slice(b"\",\"signature\":\"");
                self.out.extend_from_slice(signature.as_bytes());
                self.out.extend_from_slice(b"\"}");
            }
            Piece::Redacted(data) => {
                self.begin("{\"type\":\"redacted_thinking\",\"data\":\"");
                self.out.extend_from_slice(data.as_bytes());
                self.out.extend_from_slice(b"\"}");
            }
            Piece::Text(text) | Piece::Refusal(text) => {
                if !self.text {
                    self.begin("{\"type\":\"text\",\"text\":\"");
                    self.text = true;
                }
                self.out.extend_from_slice(text.as_bytes());
            }
            Piece::Call(call) => self.call(call, context),
        }
    }

    fn call(&mut self, call: &Call<'_>, context: &Context) {
        self.begin("{\"type\":\"tool_use\"");
        write_key(self.out, "id");
        self.out.push(b'"');
        write_id(self.out, call.id.unwrap_or_default(), self.calls, context);
        self.out.push(b'"');
        write_quoted(self.out, "name", call.name.unwrap_or_default());
        write_key(self.out, "input");
        write_input(self.out, &call.arguments);
        self.out.push(b'}');
        self.calls += 1;
    }

    fn begin(&mut self, head: &str) {
        self.close();
        write_comma(self.out);
        self.out.extend_from_slice(head.as_bytes());
    }

    fn close(&mut self) {
        if std::mem::take(&mut self.thinking) {
            self.out.extend_from_slice(b"\",\"signature\":\"\"}");
        }
        if std::mem::take(&mut self.text) {
            self.out.extend_from_slice(b"\"}");
        }
    }
}

/// Appends the id of a call, which is what stands between quotes.
pub(super) fn write_id(out: &mut Vec<u8>, id: &str, number: usize, context: &Context) {
    if !id.is_empty() && id.len() <= MAX_NAME {
        return out.extend_from_slice(id.as_bytes());
    }
    out.extend_from_slice(b"toolu_");
    write_number(out, context.created);
    out.push(b'_');
    write_number(out, number as u64);
}

/// Appends the object that arguments are, an empty one for what is none: a message holds nothing
/// else.
fn write_input(out: &mut Vec<u8>, arguments: &str) {
    let quoted = ["\"", arguments, "\""].concat();
    let decoded = string(&quoted).unwrap_or_default();
    let json = decoded.trim();
    let valid = json.starts_with('{') && serde_json::from_str::<IgnoredAny>(json).is_ok();
    write_line(out, if valid { json } else { "{}" });
}
