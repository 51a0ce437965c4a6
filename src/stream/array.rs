//! A stream of events that is one long JSON array, as Google's are unless they are asked for as
//! server-sent events. A server that sends those all the same is understood.

use super::{Broken, Event, sse};

/// Longest element that is held, in bytes.
const MAX_ELEMENT: usize = sse::MAX_EVENT;

/// Splits bytes into the array's elements. Chunks may be cut at any byte.
#[derive(Debug, Default)]
pub struct Decoder {
    kind: Kind,
    /// The beginning of an element that is not complete yet.
    element: Vec<u8>,
    /// Brackets and braces that are open within the array.
    depth: usize,
    in_string: bool,
    /// The last byte of a string was a backslash that is none itself.
    escaped: bool,
}

#[derive(Debug, Default)]
enum Kind {
    /// No byte yet that would tell.
    #[default]
    Unknown,
    Array,
    /// Past the array's end, where nothing follows.
    Ended,
    Sse(sse::Decoder),
}

impl Decoder {
    /// Takes the next bytes; calls `on_event` for each element that they complete.
    ///
    /// # Errors
    /// An element is too long; the decoder must not be used after that.
    pub fn push(
        &mut self,
        mut bytes: &[u8],
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Broken> {
        if matches!(self.kind, Kind::Unknown) {
            let text = bytes.trim_ascii_start();
            self.kind = match text.first() {
                None => return Ok(()),
                // An object alone is the whole answer of who does not stream.
                Some(b'[' | b'{') => Kind::Array,
                Some(_) => Kind::Sse(sse::Decoder::default()),
            };
            if matches!(self.kind, Kind::Array) {
                bytes = text.strip_prefix(b"[").unwrap_or(text);
            }
        }
        match &mut self.kind {
            Kind::Sse(decoder) => decoder.push(bytes, on_event).map_err(|_| Broken),
            Kind::Array => self.push_elements(bytes, on_event),
            Kind::Unknown | Kind::Ended => Ok(()),
        }
    }

    /// The stream has ended. An element that is not whole is no event.
    pub fn finish(&mut self, on_event: &mut dyn FnMut(Event<'_>)) {
        if let Kind::Sse(decoder) = &mut self.kind {
            decoder.finish(on_event);
        }
    }

    fn push_elements(
        &mut self,
        bytes: &[u8],
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Broken> {
        let mut start = 0;
        for (at, byte) in bytes.iter().enumerate() {
            let ends = self.ends_element(*byte);
            if !ends && self.depth == 0 && !self.in_string {
                // Between elements.
                start = at + 1;
                if *byte == b']' {
                    self.kind = Kind::Ended;
                    return Ok(());
                }
            }
            if ends {
                self.element.extend_from_slice(bytes.get(start..=at).unwrap_or_default());
                on_event(Event { name: b"", data: &self.element, failed: false });
                self.element.clear();
                start = at + 1;
            }
        }
        self.element.extend_from_slice(bytes.get(start..).unwrap_or_default());
        match self.element.len() > MAX_ELEMENT {
            true => Err(Broken),
            false => Ok(()),
        }
    }

    /// Whether an object ends with this byte that is an element.
    fn ends_element(&mut self, byte: u8) -> bool {
        if self.in_string {
            self.in_string = byte != b'"' || self.escaped;
            self.escaped = byte == b'\\' && !self.escaped;
            return false;
        }
        match byte {
            b'"' => self.in_string = self.depth > 0,
            b'{' => self.depth += 1,
            b'[' if self.depth > 0 => self.depth += 1,
            b'}' | b']' if self.depth > 0 => {
                self.depth -= 1;
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<String> {
        let (mut decoder, mut events) = (Decoder::default(), Vec::new());
        let mut on_event = |event: Event<'_>| {
            events.push(String::from_utf8(event.data.to_vec()).unwrap());
        };
        for piece in pieces {
            decoder.push(piece, &mut on_event).unwrap();
        }
        decoder.finish(&mut on_event);
        events
    }

    #[test]
    fn each_element_is_an_event_however_it_is_cut() {
        let text = br#" [{"a":"}]\\\"{","b":[{},[1]]}
,
{"c":"\\"}, {}]
 x{"d":1}"#;
        let events = [r#"{"a":"}]\\\"{","b":[{},[1]]}"#, r#"{"c":"\\"}"#, "{}"];
        assert_eq!(read(&[text]), events);
        for at in 0..text.len() {
            let (head, tail) = text.split_at(at);
            assert_eq!(read(&[head, tail]), events, "cut at {at}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(read(&bytes), events);
    }

    #[test]
    fn server_sent_events_are_understood() {
        assert_eq!(read(&[b"", b"\n", b"da", b"ta: {\"a\":1}\n\ndata: {}"]), ["{\"a\":1}", "{}"]);
    }

    #[test]
    fn what_is_not_whole_is_no_event() {
        assert_eq!(read(&[b"[{\"a\":1},{\"b\""]), ["{\"a\":1}"]);
        assert_eq!(read(&[b"[", b"]"]), [""; 0]);
        assert_eq!(read(&[b" {\"a\"", b":1}\n"]), ["{\"a\":1}"]);
    }

    #[test]
    fn an_element_that_is_too_long_breaks_the_stream() {
        let mut decoder = Decoder::default();
        let long = [b"[{\"a\":\"".as_slice(), &vec![b'a'; MAX_ELEMENT]].concat();
        assert_eq!(decoder.push(&long, &mut |_| {}), Err(Broken));
    }
}
