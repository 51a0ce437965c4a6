//! HTTP values without I/O: header lists with byte values.

/// A header list as the host gives it: lower-case names, byte values, repeated names kept in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, Vec<u8>)>);

/// More than one header of a name that must be unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeated;

impl Headers {
    /// Wraps a list of pairs.
    pub fn new(pairs: Vec<(String, Vec<u8>)>) -> Self {
        Self(pairs)
    }

    /// The first value of `name` (lower case).
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_slice())
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
        let mut values = self.0.iter().filter(|(key, _)| key == name);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Repeated),
            (first, None) => Ok(first.map(|(_, value)| value.as_slice())),
        }
    }

    /// Replaces every value of `name` by one.
    pub fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.remove(name);
        self.push(name, value);
    }

    /// Appends a header.
    pub fn push(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.0.push((name.to_owned(), value.into()));
    }

    /// Removes every header of that name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(key, _)| key != name);
    }

    /// Keeps the headers whose name passes `keep`; tells whether any was removed.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) -> bool {
        let before = self.0.len();
        self.0.retain(|(key, _)| keep(key));
        self.0.len() != before
    }

    /// Decodes the ABI's form of a header map: a count, the lengths of each name and value, then
    /// each name and value followed by a NUL; numbers are 32-bit little-endian. `None` when cut.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| -> Option<usize> {
            let raw = bytes.get(at..at.checked_add(4)?)?;
            Some(u32::from_le_bytes(raw.try_into().ok()?) as usize)
        };
        if bytes.is_empty() {
            return Some(Self::default());
        }
        let count = number(0)?;
        let mut at = count.checked_mul(8)?.checked_add(4)?;
        let mut pairs = Vec::with_capacity(count.min(bytes.len() / 8));
        let mut take = |size: usize| {
            let part = bytes.get(at..at.checked_add(size)?)?;
            at += size + 1;
            Some(part)
        };
        for index in 0..count {
            let name = take(number(4 + index * 8)?)?;
            let value = take(number(8 + index * 8)?)?;
            pairs.push((String::from_utf8_lossy(name).into_owned(), value.to_vec()));
        }
        Some(Self(pairs))
    }

    /// Encodes the list in the ABI's form; see [`Self::decode`].
    pub fn encode(&self) -> Vec<u8> {
        let size = |(name, value): &(String, Vec<u8>)| name.len() + value.len() + 10;
        let mut out = Vec::with_capacity(4 + self.0.iter().map(size).sum::<usize>());
        let mut number = |value: usize| {
            // A 32-bit host cannot hold a longer list.
            out.extend_from_slice(&u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
        };
        number(self.0.len());
        for (name, value) in &self.0 {
            number(name.len());
            number(value.len());
        }
        for (name, value) in &self.0 {
            for part in [name.as_bytes(), value] {
                out.extend_from_slice(part);
                out.push(0);
            }
        }
        out
    }

    /// Name and value of each header, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_slice()))
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
        assert_eq!(Headers::decode(&bytes), Some(headers));
        for end in 1..bytes.len() - 1 {
            assert_eq!(Headers::decode(&bytes[..end]), None, "cut at {end}");
        }
        assert_eq!(Headers::decode(&[0xff; 64]), None);
        assert_eq!(Headers::decode(b""), Some(Headers::default()));
    }

    #[test]
    fn media_types_lose_parameters_and_case() {
        assert_eq!(media_type(b"Application/JSON; charset=utf-8"), "application/json");
        assert_eq!(media_type(b""), "");
    }

    #[test]
    fn line_breaks_are_no_header_value() {
        assert!(is_header_value("caf\u{e9}\t".as_bytes()));
        for bad in ["a\r", "a\n", "\0", "\x7f"] {
            assert!(!is_header_value(bad.as_bytes()), "{bad:?}");
        }
    }
}
