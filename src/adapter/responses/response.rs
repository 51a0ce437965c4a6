//! A chat completion as a Responses answer.

use super::super::Context;
use super::super::chat::{Chunk, Piece};
use super::answer::{Head, Status};
use super::item::{Item, Kind, annotations, push_element};
use super::{REDACTED, SIGNATURE};
use crate::dialect::Facts;

/// Translates a whole answer; `None` when it is no chat completion.
pub fn translate(body: &[u8], context: &Context, facts: &Facts) -> Option<Vec<u8>> {
    let chunk = Chunk::parse(body).filter(Chunk::has_choices)?;
    let head = Head::new(&chunk, context);
    let status = Status::of(facts.finish_reason.as_deref());
    let mut items: Vec<Item> = Vec::new();
    if let Some(choice) = chunk.choice() {
        for piece in choice.pieces() {
            add(&mut items, &piece, &head.base);
        }
        let message = items.iter_mut().find(|item| item.kind == Kind::Message(false));
        if let Some(message) = message {
            message.add_logprobs(choice.logprobs().unwrap_or_default());
            for annotation in annotations(&choice) {
                push_element(&mut message.annotations, &annotation);
            }
        }
    }
    let mut output = Vec::with_capacity(body.len());
    let last = items.len();
    for (at, item) in (1..).zip(&items) {
        let mut written = Vec::new();
        // What was cut is the last.
        item.write(&mut written, if at == last { status.as_str() } else { "completed" });
        push_element(&mut output, &written);
    }
    let mut out = Vec::with_capacity(output.len() + context.echo.members.len() + 512);
    head.write(&mut out, &status, &output, Some(facts), context);
    Some(out)
}

/// Adds a piece to the last item, or in one of its own.
fn add(items: &mut Vec<Item>, piece: &Piece<'_>, base: &str) {
    let (kind, text) = match piece {
        Piece::Thinking(text) => (Kind::Reasoning(None), *text),
        Piece::Signature(signature) => (Kind::Reasoning(Some([SIGNATURE, signature].concat())), ""),
        Piece::Redacted(data) => (Kind::Reasoning(Some([REDACTED, data].concat())), ""),
        Piece::Text(text) => (Kind::Message(false), *text),
        Piece::Refusal(text) => (Kind::Message(true), *text),
        Piece::Call(call) => {
            let id = match call.id {
                Some(id) => id.to_owned(),
                None => format!("call_{base}_{}", items.len()),
            };
            let name = call.name.unwrap_or_default().to_owned();
            let mut item = Item::new(Kind::Call(id, name), base, items.len() as u64);
            item.text = match call.arguments.is_empty() {
                true => "{}".to_owned(),
                false => call.arguments.clone().into_owned(),
            };
            return items.push(item);
        }
    };
    match (items.last_mut(), &kind) {
        (Some(last), kind) if last.kind == *kind => last.text.push_str(text),
        // A signature belongs to the reasoning before it.
        (Some(last), Kind::Reasoning(Some(_)))
            if last.kind == Kind::Reasoning(None) && matches!(piece, Piece::Signature(_)) =>
        {
            last.kind = kind;
        }
        _ => {
            let mut item = Item::new(kind, base, items.len() as u64);
            item.text = text.to_owned();
            items.push(item);
        }
    }
}
