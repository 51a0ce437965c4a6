//! A chat completion as a completion.

use super::super::Context;
use super::super::chat::Chunk;
use super::answer::{Begun, write};

/// Translates a whole answer; `None` when it is no chat completion.
pub fn translate(body: &[u8], context: &Context) -> Option<Vec<u8>> {
    let chunk = Chunk::parse(body).filter(Chunk::has_choices)?;
    let mut out = Vec::with_capacity(body.len());
    write(&mut out, &chunk, &chunk.choices(), context, &mut Begun::default());
    Some(out)
}
