//! Chat completions and chunks of them, as far as all formats write them alike.

use super::Context;
use super::raw::{inside, write_comma, write_number};
use crate::json::write_string;
use serde_json::value::RawValue;

/// Longest id and model that chunks carry, in bytes: every chunk has them.
const MAX_NAME: usize = 256;

/// Appends a completion object, of a chat or not, or a chunk of one, up to its first choice; see
/// [`write_start`].
pub(super) fn write_head(
    out: &mut Vec<u8>,
    id: Option<&RawValue>,
    model: Option<&RawValue>,
    context: &Context,
    object: &str,
) {
    write_start(out, id, model, context, object);
    out.extend_from_slice(b",\"provider\":");
    write_string(out, context.provider);
    out.extend_from_slice(b",\"choices\":[");
}

/// Appends such an object up to its model.
///
/// `id` and `model` are the provider's; without an id one is made of the time, without a model it is
/// the one that was asked for.
pub(super) fn write_start(
    out: &mut Vec<u8>,
    id: Option<&RawValue>,
    model: Option<&RawValue>,
    context: &Context,
    object: &str,
) {
    out.extend_from_slice(b"{\"id\":\"");
    let prefix = if object == "text_completion" { "cmpl-" } else { "chatcmpl-" };
    write_id(out, id, prefix, context);
    out.extend_from_slice(b"\",\"object\":");
    write_string(out, object);
    out.extend_from_slice(b",\"created\":");
    write_number(out, context.created);
    out.extend_from_slice(b",\"model\":\"");
    let model =
        model.or(context.model.as_deref()).and_then(inside).filter(|model| model.len() <= MAX_NAME);
    out.extend_from_slice(model.unwrap_or_default().as_bytes());
    out.push(b'"');
}

/// Appends what is between the quotes of an id; `prefix` and the time when there is none.
pub(super) fn write_id(out: &mut Vec<u8>, id: Option<&RawValue>, prefix: &str, context: &Context) {
    match id.and_then(inside).filter(|id| !id.is_empty() && id.len() <= MAX_NAME) {
        Some(id) => out.extend_from_slice(id.as_bytes()),
        None => {
            out.extend_from_slice(prefix.as_bytes());
            write_number(out, context.created);
        }
    }
}

/// Appends an array of what `write_item` appends for each item.
pub(crate) fn write_array<T>(
    out: &mut Vec<u8>,
    items: &[T],
    write_item: impl Fn(&mut Vec<u8>, &T),
) {
    out.push(b'[');
    for item in items {
        write_comma(out);
        write_item(out, item);
    }
    out.push(b']');
}
