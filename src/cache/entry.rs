//! A kept answer.

use super::key::Key;
use crate::dialect::{Dropped, Facts};
use crate::report::Report;
use serde::{Deserialize, Serialize};

/// An answer and what is known of it.
///
/// Its bytes are text: a line of JSON, then the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What the request is.
    pub about: About,
    /// The JSON that answers a request without `stream`.
    pub body: Vec<u8>,
}

/// What is known of an answer beside its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    version: u32,
    /// The key that it is kept under, so that no store can mix two up.
    key: String,
    /// When it was stored and when it is over: Unix time in milliseconds.
    pub stored: u64,
    /// See `stored`.
    pub expires: u64,
    /// Milliseconds that the answer took.
    pub took: u64,
    /// What the log wants to know of it.
    pub facts: Facts,
    /// What the provider could not be told.
    pub dropped: Dropped,
}

/// Version of the encoding.
const VERSION: u32 = 1;

impl About {
    /// Of an answer that is kept under that key, with what the provider role has reported of it.
    pub fn new(key: &Key, stored: u64, expires: u64, took: u64, report: Report) -> Self {
        let Report { facts, dropped, .. } = report;
        Self { version: VERSION, key: key.hex(), stored, expires, took, facts, dropped }
    }
}

impl Entry {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        // Strings and numbers always serialise.
        let mut out = serde_json::to_vec(&self.about).unwrap_or_default();
        out.push(b'\n');
        out.extend_from_slice(&self.body);
        out
    }

    /// Reads [`Self::encode`]'s bytes; `None` for anything else, an entry of another key, and one
    /// that is over.
    pub fn decode(mut bytes: Vec<u8>, key: &Key, now: u64) -> Option<Self> {
        let end = memchr::memchr(b'\n', &bytes)?;
        let about: About = serde_json::from_slice(bytes.get(..end)?).ok()?;
        let valid = about.version == VERSION && about.key == key.hex() && about.expires > now;
        bytes.drain(..=end);
        valid.then_some(Self { about, body: bytes })
    }

    /// Whole seconds since it was stored.
    pub fn age(&self, now: u64) -> u64 {
        now.saturating_sub(self.about.stored) / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::key::Hash;

    #[test]
    fn an_entry_is_read_by_its_own_key_until_it_is_over() {
        let key = Hash::new("one").key();
        let facts = Facts { model: Some("m\n".to_owned()), ..Facts::default() };
        let report = Report { facts, ..Report::default() };
        let about = About::new(&key, 1000, 9000, 250, report);
        let entry = Entry { about, body: b"{\"a\":\n1}".to_vec() };
        let bytes = entry.encode();
        assert_eq!(Entry::decode(bytes.clone(), &key, 8999), Some(entry.clone()));
        assert_eq!((entry.age(3999), entry.age(0)), (2, 0));
        assert_eq!(Entry::decode(bytes.clone(), &key, 9000), None);
        assert_eq!(Entry::decode(bytes.clone(), &Hash::new("other").key(), 2000), None);
        let head = bytes.iter().position(|byte| *byte == b'\n').unwrap();
        for end in 0..=head {
            assert_eq!(Entry::decode(bytes[..end].to_vec(), &key, 2000), None, "cut at {end}");
        }
    }
}
