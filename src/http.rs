//! HTTP values without I/O: header lists with byte values.

use std::fmt;

/// A header list as the host gives it: lower-case names, byte values, repeated names kept in order.
///
/// It remembers which names were touched, so that a host's map can be brought up to date by those
/// alone.
#[derive(Clone, Default)]
pub struct Headers {
    /// Names and values, wherever.
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// Names that are not, or may not be, as they were when the list was decoded.
    touched: Vec<Span>,
    /// Whether the list was decoded from a host's map.
    decoded: bool,
}

#[derive(Clone, Copy)]
struct Entry {
    name: Span,
    value: Span,
}

/// A part of [`Headers::bytes`].
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
}

impl Span {
    fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start..self.end).unwrap_or_default()
    }
}

/// More than one header of a name that must be unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeated;

/// How a host's map is brought up to date.
#[derive(Debug, PartialEq, Eq)]
pub enum Update<'a> {
    /// By these names and all values that each has now; the other headers are as they were.
    Names(Vec<(&'a str, Vec<&'a [u8]>)>),
    /// By replacing all of it with [`Headers::encode`].
    Whole,
}

impl Headers {
    /// Wraps a list of pairs.
    pub fn new(pairs: Vec<(String, Vec<u8>)>) -> Self {
        let mut headers = Self::default();
        for (name, value) in pairs {
            headers.push(&name, value);
        }
        headers
    }

    fn named<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let entries = self.entries.iter();
        let named = entries.filter(|entry| entry.name.of(&self.bytes) == name.as_bytes());
        named.map(|entry| entry.value.of(&self.bytes))
    }

    /// The first value of `name` (lower case).
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.named(name).next()
    }

    /// The first value of `name` as text; `None` when absent or not UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The only value of `name`.
    ///
    /// # Errors
    /// [`Repeated`] when the header is there more than once.
    pub fn unique(&self, name: &str) -> Result<Option<&[u8]>, Repeated> {
        let mut values = self.named(name);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Repeated),
            (first, None) => Ok(first),
        }
    }

    /// Replaces every value of `name` by one.
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) {
        let value = value.as_ref();
        let mut values = self.named(name);
        if (values.next(), values.next()) == (Some(value), None) {
            return;
        }
        drop(values);
        self.remove(name);
        self.push(name, value);
    }

    /// Appends a header.
    pub fn push(&mut self, name: &str, value: impl AsRef<[u8]>) {
        let name = self.store(name.as_bytes());
        let value = self.store(value.as_ref());
        self.entries.push(Entry { name, value });
        self.touched.push(name);
    }

    fn store(&mut self, part: &[u8]) -> Span {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(part);
        Span { start, end: self.bytes.len() }
    }

    /// Removes every header of that name.
    pub fn remove(&mut self, name: &str) {
        let Self { bytes, entries, touched, .. } = self;
        entries.retain(|entry| {
            let kept = entry.name.of(bytes) != name.as_bytes();
            if !kept {
                touched.push(entry.name);
            }
            kept
        });
    }

    /// Keeps the headers whose name passes `keep`; tells whether any was removed.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) -> bool {
        let before = self.entries.len();
        let Self { bytes, entries, touched, .. } = self;
        entries.retain(|entry| {
            let kept = keep(text(entry.name.of(bytes)));
            if !kept {
                touched.push(entry.name);
            }
            kept
        });
        self.entries.len() != before
    }

    /// Decodes the ABI's form of a header map: a count, the lengths of each name and value, then
    /// each name and value followed by a NUL; numbers are 32-bit little-endian. `None` when cut.
    pub fn decode(bytes: Vec<u8>) -> Option<Self> {
        let number = |at: usize| -> Option<usize> {
            let raw = bytes.get(at..at.checked_add(4)?)?;
            Some(u32::from_le_bytes(raw.try_into().ok()?) as usize)
        };
        if bytes.is_empty() {
            return Some(Self { decoded: true, ..Self::default() });
        }
        let count = number(0)?;
        let mut start = count.checked_mul(8)?.checked_add(4)?;
        let mut entries = Vec::with_capacity(count.min(bytes.len() / 8) + SPARE);
        let mut take = |size: usize| {
            let end = start.checked_add(size).filter(|end| *end <= bytes.len())?;
            let span = Span { start, end };
            start = end + 1;
            Some(span)
        };
        for index in 0..count {
            let name = take(number(4 + index * 8)?)?;
            let value = take(number(8 + index * 8)?)?;
            entries.push(Entry { name, value });
        }
        Some(Self { bytes, entries, touched: Vec::with_capacity(SPARE), decoded: true })
    }

    /// Encodes the list in the ABI's form; see [`Self::decode`].
    pub fn encode(&self) -> Vec<u8> {
        let parts = || self.entries.iter().flat_map(|entry| [entry.name, entry.value]);
        let size: usize = parts().map(|span| span.end - span.start + 5).sum();
        let mut out = Vec::with_capacity(4 + size);
        let mut number = |value: usize| {
            // A 32-bit host cannot hold a longer list.
            out.extend_from_slice(&u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
        };
        number(self.entries.len());
        parts().for_each(|span| number(span.end - span.start));
        for span in parts() {
            out.extend_from_slice(span.of(&self.bytes));
            out.push(0);
        }
        out
    }

    /// What a host has to do whose map the list was decoded from. It may be done again after
    /// further changes.
    pub fn update(&self) -> Update<'_> {
        if !self.decoded || self.touched.len() > self.entries.len() + SPARE {
            return Update::Whole;
        }
        let mut names: Vec<(&str, Vec<&[u8]>)> = Vec::with_capacity(self.touched.len());
        for span in &self.touched {
            let name = span.of(&self.bytes);
            if names.iter().all(|(known, _)| known.as_bytes() != name) {
                let name = text(name);
                names.push((name, self.named(name).collect()));
            }
        }
        Update::Names(names)
    }

    /// Name and value of each header, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let entries = self.entries.iter();
        entries.map(|entry| (text(entry.name.of(&self.bytes)), entry.value.of(&self.bytes)))
    }
}

/// Headers that a role adds, about: room for them is made at once.
const SPARE: usize = 8;

/// Envoy's header names are ASCII.
fn text(name: &[u8]) -> &str {
    std::str::from_utf8(name).unwrap_or_default()
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Headers {}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = self.iter().map(|(name, value)| (name, String::from_utf8_lossy(value)));
        f.debug_map().entries(pairs).finish()
    }
}

/// The media type of a content-type value, without parameters, in lower case.
pub fn media_type(value: &[u8]) -> String {
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    let bare = value.get(..end).unwrap_or_default();
    String::from_utf8_lossy(bare).trim().to_ascii_lowercase()
}

/// Whether `value` may stand in an HTTP header: no control characters but tab.
pub fn is_header_value(value: &[u8]) -> bool {
    value.iter().all(|&byte| byte == b'\t' || (byte >= 0x20 && byte != 0x7f))
}

/// How often a path is decoded: whoever encodes more often means no good.
const MAX_DECODINGS: usize = 4;

/// Whether a path (without its query) stays below where it begins, and holds no control character,
/// however often it is decoded on its way: the parts of it are divided by `/` and `\`, and neither
/// `.` nor `..`, which some servers also take with a parameter behind it, `..;x`.
pub fn is_contained(path: &str) -> bool {
    if !path.contains("/.") && memchr::memchr2(b'%', b'\\', path.as_bytes()).is_none() {
        return true;
    }
    let mut path = path.as_bytes().to_vec();
    for _ in 0..=MAX_DECODINGS {
        let mut parts = path.split(|byte| matches!(byte, b'/' | b'\\'));
        let dots =
            |part: &[u8]| matches!(part.split(|byte| *byte == b';').next(), Some(b"." | b".."));
        if path.iter().any(u8::is_ascii_control) || parts.any(dots) {
            return false;
        }
        match percent_decoded(&path) {
            None => return true,
            Some(decoded) => path = decoded,
        }
    }
    false
}

/// The bytes with `%XX` decoded; `None` when there is none.
fn percent_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut found, mut rest) = (Vec::with_capacity(text.len()), false, text);
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *first == b'%');
        let code = digits.and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))
        });
        match code {
            Some(byte) => {
                found = true;
                out.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    found.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_header_is_not_unique() {
        let mut headers = Headers::default();
        headers.push("a", "1");
        assert_eq!(headers.unique("a"), Ok(Some(b"1".as_slice())));
        headers.push("a", "2");
        assert_eq!(headers.unique("a"), Err(Repeated));
        assert_eq!(headers.unique("b"), Ok(None));
        headers.set("a", "3");
        assert_eq!(headers.unique("a"), Ok(Some(b"3".as_slice())));
    }

    #[test]
    fn the_abi_form_survives_a_round_trip_and_any_cut() {
        let pairs = [(":path", "/v1"), ("a", ""), ("a", "\u{e9}\0x")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        let headers = Headers::new(pairs.to_vec());
        let bytes = headers.encode();
        assert_eq!(Headers::decode(bytes.clone()), Some(headers));
        for end in 1..bytes.len() - 1 {
            assert_eq!(Headers::decode(bytes[..end].to_vec()), None, "cut at {end}");
        }
        assert_eq!(Headers::decode(vec![0xff; 64]), None);
        assert_eq!(Headers::decode(Vec::new()), Some(Headers::default()));
    }

    #[test]
    fn an_update_names_what_was_touched() {
        let pairs = ["a", "b", "b", "c", "d"].map(|name| (name.to_owned(), b"1".to_vec()));
        let mut headers = Headers::decode(Headers::new(pairs.to_vec()).encode()).unwrap();
        assert_eq!(headers.update(), Update::Names(vec![]));
        headers.set("a", "1");
        assert_eq!(headers.update(), Update::Names(vec![]), "it has that value");
        headers.remove("absent");
        headers.set("b", "2");
        headers.remove("c");
        headers.push("d", "2");
        let (one, two) = (b"1".as_slice(), b"2".as_slice());
        let names = vec![("b", vec![two]), ("c", vec![]), ("d", vec![one, two])];
        assert_eq!(headers.update(), Update::Names(names));
    }

    #[test]
    fn a_list_that_no_host_has_replaces_the_map() {
        let mut headers = Headers::default();
        headers.push("a", "1");
        assert_eq!(headers.update(), Update::Whole);
        let mut emptied = Headers::decode(Headers::default().encode()).unwrap();
        for number in 0..=SPARE {
            emptied.push(&number.to_string(), "");
            emptied.retain(|_| false);
        }
        assert_eq!(emptied.update(), Update::Whole, "one call is cheaper than many");
    }

    #[test]
    fn media_types_lose_parameters_and_case() {
        assert_eq!(media_type(b"Application/JSON; charset=utf-8"), "application/json");
        assert_eq!(media_type(b""), "");
    }

    #[test]
    fn a_path_is_contained_however_it_is_decoded() {
        for path in [
            "/v1/files/a",
            "/v1/models/org%2fmodel",
            "/.well-known/x",
            "/a..b/...",
            "/100%",
            "/a%2",
            "/%zz%+1",
            "/caf%c3%a9",
            "/a%2520b",
        ] {
            assert!(is_contained(path), "{path}");
        }
        for path in [
            "/a/../b",
            "/..",
            "/./a",
            "/a/%2e%2e/b",
            "/a/.%2E",
            "/a/..%2fb",
            "/a%2f..",
            "/a\\..\\b",
            "/a%5c..%5Cb",
            "/a/%252e%252e%252fb",
            "/a/%25252525252e",
            "/a/..;x/b",
            "/a/..%3bx/b",
            "/a%00b",
            "/a%0d%0ab",
            "/a%7f",
        ] {
            assert!(!is_contained(path), "{path}");
        }
    }

    #[test]
    fn line_breaks_are_no_header_value() {
        assert!(is_header_value("caf\u{e9}\t".as_bytes()));
        for bad in ["a\r", "a\n", "\0", "\x7f"] {
            assert!(!is_header_value(bad.as_bytes()), "{bad:?}");
        }
    }
}
