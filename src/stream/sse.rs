//! Server-sent events: an incremental decoder as the WHATWG HTML standard defines it
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>), and an encoder.

use super::Event;
use memchr::memchr2;

/// Longest event that is held, in bytes.
pub const MAX_EVENT: usize = 16 << 20;

/// An event grew past [`MAX_EVENT`]; the rest of the stream cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventTooLong;

/// Splits bytes into events. Chunks may be cut at any byte.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Bytes of the line that is not complete yet.
    line: Vec<u8>,
    name: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    /// The last byte was a CR: a LF that follows belongs to it.
    after_cr: bool,
    /// The first line was seen, so that no byte order mark can follow.
    started: bool,
}

impl Decoder {
    /// Takes the next bytes; calls `on_event` for each event that they complete.
    ///
    /// # Errors
    /// [`EventTooLong`]; the decoder must not be used after that.
    pub fn push(
        &mut self,
        mut bytes: &[u8],
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), EventTooLong> {
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            if let [b'\n', rest @ ..] = bytes {
                bytes = rest;
            }
        }
        while let Some(end) = memchr2(b'\n', b'\r', bytes) {
            let (head, rest) = bytes.split_at(end);
            match self.line.is_empty() {
                true => self.on_line(head, on_event),
                false => {
                    let mut line = std::mem::take(&mut self.line);
                    line.extend_from_slice(head);
                    self.on_line(&line, on_event);
                    line.clear();
                    self.line = line;
                }
            }
            bytes = match rest {
                [b'\r', b'\n', rest @ ..] | [b'\n', rest @ ..] => rest,
                [b'\r', rest @ ..] => {
                    self.after_cr = rest.is_empty();
                    rest
                }
                _ => rest,
            };
            if self.data.len() > MAX_EVENT {
                return Err(EventTooLong);
            }
        }
        self.line.extend_from_slice(bytes);
        match self.line.len() > MAX_EVENT {
            true => Err(EventTooLong),
            false => Ok(()),
        }
    }

    /// The stream has ended: an event that lacks only its last line breaks is still dispatched.
    ///
    /// The standard discards it; providers that forget the blank line make that a lost answer.
    pub fn finish(&mut self, on_event: &mut dyn FnMut(Event<'_>)) {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.on_line(&line, on_event);
        }
        self.on_line(b"", on_event);
    }

    fn on_line(&mut self, mut line: &[u8], on_event: &mut dyn FnMut(Event<'_>)) {
        if !self.started {
            self.started = true;
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            return self.dispatch(on_event);
        }
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let (field, rest) = line.split_at(colon);
        let value = rest.strip_prefix(b":").unwrap_or(rest);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            b"event" => {
                self.name.clear();
                self.name.extend_from_slice(value);
            }
            // Comments (an empty field name), `id`, `retry` and unknown fields.
            _ => {}
        }
    }

    fn dispatch(&mut self, on_event: &mut dyn FnMut(Event<'_>)) {
        if self.has_data {
            on_event(Event { name: &self.name, data: &self.data, failed: false });
        }
        self.has_data = false;
        self.data.clear();
        self.name.clear();
    }
}

/// Appends an event without a name: how OpenAI frames its chunks. `data` must hold no line break.
pub fn write_data(out: &mut Vec<u8>, data: &[u8]) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\n\n");
}

/// Appends the event that ends an OpenAI stream.
pub fn write_done(out: &mut Vec<u8>) {
    write_data(out, b"[DONE]");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(chunks: &[&[u8]]) -> Vec<(String, String)> {
        let mut events = Vec::new();
        let mut decoder = Decoder::default();
        let mut on_event = |event: Event<'_>| {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            events.push((text(event.name), text(event.data)));
        };
        for chunk in chunks {
            decoder.push(chunk, &mut on_event).unwrap();
        }
        decoder.finish(&mut on_event);
        events
    }

    fn event(name: &str, data: &str) -> (String, String) {
        (name.to_owned(), data.to_owned())
    }

    #[test]
    fn events_are_the_same_wherever_the_stream_is_cut() {
        let stream = "\u{feff}event: a\r\ndata: {\"x\":\"\u{e9}\"}\r\n\r\n: ping\n\ndata:1\rdata:  2\r\r\
                      id: 7\ndata\n\nevent: only\n\ndata: last";
        let expected = [
            event("a", "{\"x\":\"\u{e9}\"}"),
            event("", "1\n 2"),
            event("", ""),
            event("", "last"),
        ];
        let bytes = stream.as_bytes();
        assert_eq!(decode(&[bytes]), expected);
        for cut in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(decode(&[head, tail]), expected, "cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(decode(&single), expected);
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut decoder = Decoder::default();
        let chunk = vec![b'x'; MAX_EVENT];
        assert_eq!(decoder.push(&chunk, &mut |_| ()), Ok(()));
        assert_eq!(decoder.push(b"x", &mut |_| ()), Err(EventTooLong));
        let mut decoder = Decoder::default();
        let line = [b"data:".as_slice(), &vec![b'x'; MAX_EVENT / 2], b"\n"].concat();
        assert_eq!(decoder.push(&line, &mut |_| ()), Ok(()));
        assert_eq!(decoder.push(&line, &mut |_| ()), Err(EventTooLong));
    }
}
