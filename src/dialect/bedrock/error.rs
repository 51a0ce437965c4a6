//! Bedrock's errors in the shape that OpenAI's have.

use super::super::raw::object_in;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// An error that spells its message as some services of AWS do, with a capital letter, as the body
/// that the same error has in lower case; every other body as it is.
pub(in crate::dialect) fn in_openais_shape(body: &[u8]) -> Cow<'_, [u8]> {
    members! {
        struct Capital<'a> {
            message: Option<&'a RawValue> = "Message",
            usual: Option<&'a RawValue> = "message",
        }
    }
    let read = || {
        let error: Capital<'_> = object_in(body)?;
        let message = error.message.filter(|_| error.usual.is_none())?;
        Some(["{\"message\":", message.get(), "}"].concat().into_bytes())
    };
    read().map_or(Cow::Borrowed(body), Cow::Owned)
}
