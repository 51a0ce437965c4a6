//! AWS event-stream framing: an incremental decoder
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html>; Bedrock's
//! and all other streams of AWS have the same frames).
//!
//! A frame is the total length, the length of the headers and a CRC-32 of both (the prelude), the
//! headers, the payload, and a CRC-32 of all before it; numbers are big-endian.

use super::Event;

/// Longest frame that is held, in bytes; AWS's own limit for a payload is as much.
pub const MAX_FRAME: usize = 16 << 20;

const PRELUDE: usize = 12;
const CHECKSUM: usize = 4;

/// What came is no frame, or a damaged one; the rest of the stream cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged;

/// Splits bytes into frames. Chunks may be cut at any byte.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The beginning of a frame that is not complete yet.
    held: Vec<u8>,
}

impl Decoder {
    /// Takes the next bytes; calls `on_event` for each frame that they complete.
    ///
    /// # Errors
    /// [`Damaged`]; the decoder must not be used after that.
    pub fn push(
        &mut self,
        mut bytes: &[u8],
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Damaged> {
        while !bytes.is_empty() {
            // A frame that is all there is read where it lies.
            if self.held.is_empty()
                && let Some(length) = frame_length(bytes)?
                && let Some((frame, rest)) = bytes.split_at_checked(length)
            {
                dispatch(frame, on_event)?;
                bytes = rest;
                continue;
            }
            let wanted = frame_length(&self.held)?.unwrap_or(PRELUDE);
            let missing = wanted.saturating_sub(self.held.len()).min(bytes.len());
            let (head, rest) = bytes.split_at(missing);
            self.held.extend_from_slice(head);
            bytes = rest;
            if frame_length(&self.held)? == Some(self.held.len()) {
                dispatch(&self.held, on_event)?;
                self.held.clear();
            }
        }
        Ok(())
    }
}

/// Length of the frame that begins here, once its prelude is there.
fn frame_length(bytes: &[u8]) -> Result<Option<usize>, Damaged> {
    let Some((prelude, _)) = bytes.split_first_chunk::<PRELUDE>() else { return Ok(None) };
    let [a, b, c, d, e, f, g, h, checksum @ ..] = *prelude;
    let [length, headers] = [[a, b, c, d], [e, f, g, h]].map(|it| u32::from_be_bytes(it) as usize);
    let fits = headers.checked_add(PRELUDE + CHECKSUM).is_some_and(|least| least <= length);
    let whole = crc32(&[a, b, c, d, e, f, g, h]) == u32::from_be_bytes(checksum);
    match fits && whole && length <= MAX_FRAME {
        true => Ok(Some(length)),
        false => Err(Damaged),
    }
}

/// Checks a whole frame and hands it on.
fn dispatch(frame: &[u8], on_event: &mut dyn FnMut(Event<'_>)) -> Result<(), Damaged> {
    let (checked, checksum) = frame.split_last_chunk::<CHECKSUM>().ok_or(Damaged)?;
    if crc32(checked) != u32::from_be_bytes(*checksum) {
        return Err(Damaged);
    }
    let length = checked.get(4..8).and_then(|it| it.try_into().ok()).ok_or(Damaged)?;
    let body = checked.get(PRELUDE..).ok_or(Damaged)?;
    let (headers, payload) =
        body.split_at_checked(u32::from_be_bytes(length) as usize).ok_or(Damaged)?;
    let headers = Headers::read(headers)?;
    let event = |name, data, failed| Event { name, data, failed };
    match headers.message_type {
        b"exception" => on_event(event(headers.exception_type, payload, true)),
        // It has no payload.
        b"error" => on_event(event(headers.error_code, headers.error_message, true)),
        _ => on_event(event(headers.event_type, payload, false)),
    }
    Ok(())
}

/// The headers of a frame that say what it is.
#[derive(Default)]
struct Headers<'a> {
    message_type: &'a [u8],
    event_type: &'a [u8],
    exception_type: &'a [u8],
    error_code: &'a [u8],
    error_message: &'a [u8],
}

impl<'a> Headers<'a> {
    fn read(mut bytes: &'a [u8]) -> Result<Self, Damaged> {
        let mut headers = Self::default();
        while !bytes.is_empty() {
            let name_length = take(&mut bytes, 1)?;
            let name = take(&mut bytes, number(name_length))?;
            let value = match take(&mut bytes, 1)? {
                // Booleans.
                [0 | 1] => &[],
                // Numbers of 8, 16, 32 and 64 bits, a time, a UUID.
                [2] => take(&mut bytes, 1)?,
                [3] => take(&mut bytes, 2)?,
                [4] => take(&mut bytes, 4)?,
                [5 | 8] => take(&mut bytes, 8)?,
                [9] => take(&mut bytes, 16)?,
                // Bytes and texts.
                [6 | 7] => {
                    let length = take(&mut bytes, 2)?;
                    take(&mut bytes, number(length))?
                }
                _ => return Err(Damaged),
            };
            match name {
                b":message-type" => headers.message_type = value,
                b":event-type" => headers.event_type = value,
                b":exception-type" => headers.exception_type = value,
                b":error-code" => headers.error_code = value,
                b":error-message" => headers.error_message = value,
                _ => {}
            }
        }
        Ok(headers)
    }
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], Damaged> {
    let (head, rest) = bytes.split_at_checked(length).ok_or(Damaged)?;
    *bytes = rest;
    Ok(head)
}

/// A big-endian number of a few bytes.
fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// CRC-32 as zlib has it (polynomial 0xedb88320, reflected).
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        let index = (crc ^ u32::from(*byte)) & 0xff;
        TABLE.get(index as usize).copied().unwrap_or_default() ^ crc >> 8
    })
}

#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut crc = at as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame with these headers, all of them texts.
    fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        for (name, value) in headers {
            packed.push(name.len() as u8);
            packed.extend_from_slice(name.as_bytes());
            packed.push(7);
            packed.extend_from_slice(&(value.len() as u16).to_be_bytes());
            packed.extend_from_slice(value.as_bytes());
        }
        seal(&packed, payload)
    }

    fn seal(headers: &[u8], payload: &[u8]) -> Vec<u8> {
        let length = (PRELUDE + headers.len() + payload.len() + CHECKSUM) as u32;
        let mut frame = length.to_be_bytes().to_vec();
        frame.extend_from_slice(&(headers.len() as u32).to_be_bytes());
        frame.extend_from_slice(&crc32(&frame).to_be_bytes());
        frame.extend_from_slice(headers);
        frame.extend_from_slice(payload);
        frame.extend_from_slice(&crc32(&frame).to_be_bytes());
        frame
    }

    type Seen = Vec<(String, String, bool)>;

    fn decode(chunks: &[&[u8]]) -> (Seen, Result<(), Damaged>) {
        let (mut seen, mut decoder) = (Vec::new(), Decoder::default());
        let mut on_event = |event: Event<'_>| {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            seen.push((text(event.name), text(event.data), event.failed));
        };
        let ended = chunks.iter().try_for_each(|chunk| decoder.push(chunk, &mut on_event));
        (seen, ended)
    }

    fn stream() -> Vec<u8> {
        let event = |kind| [(":event-type", kind), (":message-type", "event")];
        let failed = [(":message-type", "exception"), (":exception-type", "throttlingException")];
        let error = [
            (":message-type", "error"),
            (":error-code", "InternalFailure"),
            (":error-message", "oh"),
        ];
        [
            frame(&event("messageStart"), b"{\"role\":\"assistant\"}"),
            frame(&event("empty"), b""),
            frame(&failed, b"{\"message\":\"slow\"}"),
            frame(&error, b""),
        ]
        .concat()
    }

    #[test]
    fn frames_are_the_same_wherever_the_stream_is_cut() {
        let bytes = stream();
        let (seen, ended) = decode(&[&bytes]);
        let expected = [
            ("messageStart", "{\"role\":\"assistant\"}", false),
            ("empty", "", false),
            ("throttlingException", "{\"message\":\"slow\"}", true),
            ("InternalFailure", "oh", true),
        ];
        let expected = expected.map(|(name, data, failed)| (name.into(), data.into(), failed));
        assert_eq!((seen.as_slice(), ended), (expected.as_slice(), Ok(())));
        for cut in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(decode(&[head, tail]), (seen.clone(), Ok(())), "cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(decode(&single), (seen, Ok(())));
    }

    #[test]
    fn a_changed_bit_is_noticed_wherever_it_is() {
        let bytes = frame(&[(":event-type", "a"), (":message-type", "event")], b"{}");
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            for chunks in [vec![damaged.as_slice()], damaged.chunks(1).collect()] {
                let (seen, _) = decode(&chunks);
                assert!(seen.is_empty(), "bit {bit}");
            }
        }
    }

    #[test]
    fn headers_of_all_types_are_passed_over() {
        let mut headers = Vec::new();
        for (kind, size) in [(0, 0), (1, 0), (2, 1), (3, 2), (4, 4), (5, 8), (8, 8), (9, 16)] {
            headers.extend_from_slice(&[1, b'x', kind]);
            headers.extend(std::iter::repeat_n(0xff, size));
        }
        headers.extend_from_slice(&[1, b'b', 6, 0, 2, 1, 2]);
        headers.extend_from_slice(b"\x0b:event-type\x07\x00\x01a");
        let (seen, ended) = decode(&[&seal(&headers, b"1")]);
        assert_eq!((seen, ended), (vec![("a".into(), "1".into(), false)], Ok(())));
        for broken in [&[1, b'x', 10][..], &[9, b'x'], &[1, b'x', 7, 0, 9, 1], &[0]] {
            assert_eq!(decode(&[&seal(broken, b"1")]), (vec![], Err(Damaged)), "{broken:?}");
        }
    }

    #[test]
    fn lengths_that_cannot_be_are_refused() {
        for (length, headers) in [(15, 0), (0, 0), (20, 5), (16, u32::MAX), (u32::MAX, 0)] {
            let mut prelude = [u32::to_be_bytes(length), u32::to_be_bytes(headers)].concat();
            prelude.extend_from_slice(&crc32(&prelude).to_be_bytes());
            assert_eq!(decode(&[&prelude]), (vec![], Err(Damaged)), "{length} {headers}");
        }
    }

    #[test]
    fn the_checksum_is_that_of_zlib() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }
}
