//! How adapters write: members that are escaped already, and events with a name.

use crate::dialect::raw::write_key;

/// Appends a string member whose value is what stands between the quotes.
pub(super) fn write_quoted(out: &mut Vec<u8>, key: &str, inside: &str) {
    write_key(out, key);
    out.push(b'"');
    out.extend_from_slice(inside.as_bytes());
    out.push(b'"');
}

/// Appends a member that is raw JSON.
pub(super) fn write_raw(out: &mut Vec<u8>, key: &str, raw: &str) {
    write_key(out, key);
    out.extend_from_slice(raw.as_bytes());
}

/// Appends an event up to the members after `type`; what follows must close the object and the
/// event, see [`end_event`].
pub(super) fn begin_event(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: {\"type\":\"");
    out.extend_from_slice(name.as_bytes());
    out.push(b'"');
}

/// Closes the object of an event, and the event.
pub(super) fn end_event(out: &mut Vec<u8>) {
    out.extend_from_slice(b"}\n\n");
}
