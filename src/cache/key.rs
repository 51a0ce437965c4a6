//! What an answer is kept under: a SHA-256 of all that the answer depends on.

use sha2::{Digest, Sha256};
use std::fmt;

/// The name of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(pub [u8; 32]);

impl Key {
    /// A key of the same owner for another purpose.
    pub fn derive(&self, purpose: &str, number: u64) -> Self {
        let mut hash = Hash::new(purpose);
        hash.part("of", &self.0);
        hash.part("number", &number.to_le_bytes());
        hash.key()
    }

    /// 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads [`Self::hex`]'s digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut key = [0; 32];
        if text.len() != 2 * key.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        for (at, byte) in key.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        Some(Self(key))
    }

    /// Its first eight bytes as a number.
    pub fn number(&self) -> u64 {
        self.0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

/// A hash over named parts, none of which can run into the next.
#[derive(Clone)]
pub struct Hash(Sha256);

impl Hash {
    /// A hash for that purpose.
    pub fn new(purpose: &str) -> Self {
        let mut hash = Self(Sha256::new());
        hash.part("purpose", purpose.as_bytes());
        hash
    }

    /// Adds a part.
    pub fn part(&mut self, name: &str, bytes: &[u8]) {
        for text in [name.as_bytes(), bytes] {
            self.0.update((text.len() as u64).to_le_bytes());
            self.0.update(text);
        }
    }

    /// Adds a part that may be missing, which is not the same as empty.
    pub fn optional(&mut self, name: &str, text: Option<&str>) {
        match text {
            Some(text) => self.part(name, text.as_bytes()),
            None => self.part("without", name.as_bytes()),
        }
    }

    /// The key of all parts.
    pub fn key(self) -> Key {
        Key(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(parts: &[(&str, &str)]) -> Key {
        let mut hash = Hash::new("test");
        parts.iter().for_each(|(name, text)| hash.part(name, text.as_bytes()));
        hash.key()
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let keys = [
            key(&[("a", "bc")]),
            key(&[("ab", "c")]),
            key(&[("a", "b"), ("c", "")]),
            key(&[("a", ""), ("b", "c")]),
            key(&[]),
            key(&[]).derive("test", 0),
            key(&[]).derive("test", 1),
        ];
        for (at, one) in keys.iter().enumerate() {
            assert!(keys.iter().skip(at + 1).all(|other| one != other), "{at}");
        }
    }

    #[test]
    fn hex_is_read_again() {
        let key = key(&[("a", "b")]);
        assert_eq!(Key::from_hex(&key.hex()), Some(key));
        for bad in ["", "00", &"é".repeat(32), &"g".repeat(64), &"0".repeat(63), &"+1".repeat(32)]
        {
            assert_eq!(Key::from_hex(bad), None, "{bad}");
        }
    }
}
