//! Cohere's errors in the shape that OpenAI's have.

use super::super::raw::object_in;
use super::answer::{Delta, Payload, read};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// An event that ends a stream with an error, as the body that the same error has; every other
/// body as it is.
pub(in crate::dialect) fn in_openais_shape(body: &[u8]) -> Cow<'_, [u8]> {
    let of_event = || {
        let payload: Payload<'_> = object_in(body)?;
        payload.kind?;
        Some(["{\"message\":", of_delta(&read(payload.delta))?.get(), "}"].concat().into_bytes())
    };
    of_event().map_or(Cow::Borrowed(body), Cow::Owned)
}

/// The message of an error in a `delta`.
pub(super) fn of_delta<'a>(delta: &Delta<'a>) -> Option<&'a RawValue> {
    delta.error.filter(|raw| raw.get().starts_with('"') && raw.get() != "\"\"")
}
