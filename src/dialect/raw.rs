//! Raw JSON values: read on demand, and copied as text into an output buffer.

use crate::json::write_string;
use crate::members::Members;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A string value, borrowed where it holds no escapes. `None` when it is no string.
pub(crate) fn string(raw: &str) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str::<Text<'_>>(raw).ok().map(|text| text.0)
}

/// The same for a member of an object.
pub(crate) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    string(raw.get())
}

/// What is between the quotes of a string value, escapes as they are. `None` when it is no string.
///
/// Such pieces may be joined to one JSON string without decoding them.
pub(crate) fn inside(raw: &RawValue) -> Option<&str> {
    raw.get().strip_prefix('"')?.strip_suffix('"')
}

/// The members of an object, as a struct of raw members. `None` when it is no object.
pub(crate) fn object<'a, T: Members<'a>>(raw: &'a str) -> Option<T> {
    T::read(raw)
}

/// The same for a whole body.
pub(crate) fn object_in<'a, T: Members<'a>>(bytes: &'a [u8]) -> Option<T> {
    object(std::str::from_utf8(bytes).ok()?.trim_start())
}

/// The elements of an array. `None` when it is no array.
pub(crate) fn array(raw: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(raw).ok()
}

/// Appends raw JSON on one line, as the data of an event must be.
pub(crate) fn write_line(out: &mut Vec<u8>, raw: &str) {
    let start = out.len();
    out.extend_from_slice(raw.as_bytes());
    // Line breaks in JSON are white space: inside strings they are escaped.
    for byte in out.iter_mut().skip(start) {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

/// Raw JSON without the white space between its tokens; Google indents what it answers.
pub(crate) fn compact(raw: &str) -> Cow<'_, str> {
    match raw.contains(['\n', '\r']) {
        true => Cow::Owned(minify(raw)),
        false => Cow::Borrowed(raw),
    }
}

/// Raw JSON without any white space between its tokens.
pub(crate) fn minify(raw: &str) -> String {
    let (mut out, mut quoted, mut escaped) = (String::with_capacity(raw.len()), false, false);
    for letter in raw.chars() {
        if quoted {
            quoted = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
        } else if letter.is_ascii_whitespace() {
            continue;
        } else {
            quoted = letter == '"';
        }
        out.push(letter);
    }
    out
}

/// Appends the key of an object's next member; the object's brace must be in `out` already.
pub(crate) fn write_key(out: &mut Vec<u8>, key: &str) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Appends a member that is a string.
pub(crate) fn write_member(out: &mut Vec<u8>, key: &str, value: &str) {
    write_key(out, key);
    write_string(out, value);
}

/// Appends what precedes the next element of an array whose bracket is in `out` already.
pub(crate) fn write_comma(out: &mut Vec<u8>) {
    if out.last() != Some(&b'[') {
        out.push(b',');
    }
}

/// Appends a number.
pub(crate) fn write_number(out: &mut Vec<u8>, number: u64) {
    // Writing to a Vec cannot fail.
    let _ = serde_json::to_writer(out, &number);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_by_their_type() {
        let raw = |json: &'static str| serde_json::from_str::<&RawValue>(json).unwrap();
        assert_eq!(text(raw(r#""a\"b""#)).as_deref(), Some("a\"b"));
        assert!(matches!(text(raw(r#""ab""#)), Some(Cow::Borrowed("ab"))));
        assert_eq!(text(raw("3")), None);
        assert_eq!(inside(raw(r#""a\"b""#)), Some(r#"a\"b"#));
        assert_eq!(inside(raw("null")), None);
        assert_eq!(array("[1, \"x\"]").unwrap().len(), 2);
        assert!(array("{}").is_none());
        members! {
            struct One<'a> {
                a: Option<&'a RawValue>,
            }
        }
        assert!(object::<One<'_>>("{\"a\":1}").unwrap().a.is_some());
        assert!(object::<One<'_>>("[1]").is_none());
    }

    #[test]
    fn indentation_is_taken_out() {
        for (raw, expected) in [
            ("{\"a\": 1}", "{\"a\": 1}"),
            (
                "{\n  \"a b\" : \"c \\\" d\\\\\",\r\n\t\"e\": [1, 2]\n}",
                "{\"a b\":\"c \\\" d\\\\\",\"e\":[1,2]}",
            ),
        ] {
            assert_eq!(compact(raw), expected);
        }
    }

    #[test]
    fn raw_json_is_put_on_one_line() {
        let mut out = b"data: ".to_vec();
        write_line(&mut out, "{\r\n\"a\": \"x\\ny\"}");
        assert_eq!(out, b"data: {  \"a\": \"x\\ny\"}");
    }
}
