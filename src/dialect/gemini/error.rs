//! Google's errors (<https://google.aip.dev/193>) in the shape that OpenAI's have.

use super::super::raw::{array, object, write_key, write_number};
use serde_json::value::RawValue;
use std::borrow::Cow;

members! {
    struct Body<'a> {
        error: Option<&'a RawValue>,
    }

    struct Status<'a> {
        /// The HTTP status.
        code: Option<u64>,
        message: Option<&'a RawValue>,
        /// A word such as `INVALID_ARGUMENT`.
        status: Option<&'a RawValue>,
        /// What other publishers' models on Vertex AI have instead.
        kind: Option<&'a RawValue> = "type",
    }
}

/// A body with Google's error object, or an array that begins with one, as one with OpenAI's;
/// every other as it is.
pub(in crate::dialect) fn in_openais_shape(body: &[u8]) -> Cow<'_, [u8]> {
    let read = || {
        let mut text = std::str::from_utf8(body).ok()?.trim();
        if text.starts_with('[') {
            text = array(text)?.first()?.get();
        }
        let error = translate(object::<Body<'_>>(text)?.error?)?;
        Some(["{\"error\":", &error, "}"].concat().into_bytes())
    };
    read().map_or(Cow::Borrowed(body), Cow::Owned)
}

/// The error object: the status is OpenAI's `type`. `None` when it is no error of Google's.
pub(super) fn translate(error: &RawValue) -> Option<String> {
    let status: Status<'_> = object(error.get())?;
    let mut out = b"{\"message\":".to_vec();
    out.extend_from_slice(status.message?.get().as_bytes());
    write_key(&mut out, "type");
    out.extend_from_slice(status.status.or(status.kind).map_or("null", RawValue::get).as_bytes());
    if let Some(code) = status.code {
        write_key(&mut out, "code");
        write_number(&mut out, code);
    }
    out.push(b'}');
    String::from_utf8(out).ok()
}
