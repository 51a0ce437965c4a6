//! JSON without trees: one object as an ordered list of raw members, so that what is not
//! touched keeps its bytes, its order and its number spelling.

use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

/// Most keys of an object that is edited. They are looked up one by one, and a client chooses how
/// many there are.
pub const MAX_MEMBERS: usize = 1000;

/// A JSON object whose members are unparsed. It knows which of them were asked for.
#[derive(Debug, Clone, Default)]
pub struct Object<'a> {
    members: Vec<(Cow<'a, str>, Member<'a>)>,
}

#[derive(Debug, Clone)]
struct Member<'a> {
    raw: Cow<'a, str>,
    read: Cell<bool>,
}

impl<'a> Member<'a> {
    fn new(raw: impl Into<Cow<'a, str>>) -> Self {
        Self { raw: raw.into(), read: Cell::new(false) }
    }
}

/// Why bytes are not such an object. `Display` never quotes the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectError {
    /// Not UTF-8, or no valid JSON; where.
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// Valid JSON, but no object.
    NotAnObject,
    /// The same key twice at the top level: two readers could take different values.
    Duplicate(String),
    /// More than [`MAX_MEMBERS`] keys.
    TooManyKeys,
}

impl fmt::Display for ObjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { line, column } => {
                write!(f, "not valid JSON (line {line}, column {column})")
            }
            Self::NotAnObject => f.write_str("must be a JSON object"),
            Self::TooManyKeys => write!(f, "has more than {MAX_MEMBERS} keys"),
            Self::Duplicate(key) => write!(f, "the key {key:?} is there twice"),
        }
    }
}

impl<'a> Object<'a> {
    /// Parses the top level of `bytes`; members are checked for syntax only.
    ///
    /// # Errors
    /// See [`ObjectError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ObjectError> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = 1 + memchr::memchr_iter(b'\n', before).count();
            let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
            ObjectError::Syntax { line, column: before.len() - start + 1 }
        })?;
        if !text.trim_start().starts_with('{') {
            return match serde_json::from_str::<serde::de::IgnoredAny>(text) {
                Ok(_) => Err(ObjectError::NotAnObject),
                Err(error) => Err(syntax(&error)),
            };
        }
        let mut json = serde_json::Deserializer::from_str(text);
        let members = json.deserialize_map(Members).map_err(|error| syntax(&error))?;
        json.end().map_err(|error| syntax(&error))?;
        if members.len() > MAX_MEMBERS {
            return Err(ObjectError::TooManyKeys);
        }
        // Keys may be long, and alike: comparing each with each would take for ever.
        let mut seen = HashSet::with_capacity(members.len());
        if let Some((key, _)) = members.iter().find(|(key, _)| !seen.insert(key.as_ref())) {
            return Err(ObjectError::Duplicate(key.chars().take(64).collect()));
        }
        let members = members.into_iter().map(|(key, raw)| (key, Member::new(raw.get()))).collect();
        Ok(Self { members })
    }

    /// The raw JSON of a member.
    pub fn get(&self, key: &str) -> Option<&str> {
        let (_, member) = self.members.iter().find(|(name, _)| name == key)?;
        member.read.set(true);
        Some(&member.raw)
    }

    /// The members that were never asked for by their key, in order.
    pub fn unread(&self) -> impl Iterator<Item = (&str, &str)> {
        let unread = self.members.iter().filter(|(_, member)| !member.read.get());
        unread.map(|(key, member)| (key.as_ref(), member.raw.as_ref()))
    }

    /// A member that is a string.
    pub fn string(&self, key: &str) -> Option<String> {
        self.get(key).and_then(|raw| serde_json::from_str(raw).ok())
    }

    /// Whether a member is the literal `true`.
    pub fn is_true(&self, key: &str) -> bool {
        self.get(key) == Some("true")
    }

    /// Replaces a member in its place, or appends it. `raw` must be valid JSON.
    pub fn set(&mut self, key: &str, raw: String) {
        match self.members.iter_mut().find(|(name, _)| name == key) {
            Some((_, member)) => *member = Member::new(raw),
            None => self.members.push((Cow::Owned(key.to_owned()), Member::new(raw))),
        }
    }

    /// Removes a member; tells whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        let before = self.members.len();
        self.members.retain(|(name, _)| name != key);
        self.members.len() != before
    }

    /// Gives a member another name where it stands, and removes one that had that name; tells
    /// whether it was there.
    pub fn rename(&mut self, from: &str, to: &str) -> bool {
        let Some(at) = self.members.iter().position(|(name, _)| name == from) else { return false };
        if let Some((name, _)) = self.members.get_mut(at) {
            *name = Cow::Owned(to.to_owned());
        }
        let mut place = 0..;
        self.members.retain(|(name, _)| place.next() == Some(at) || name != to);
        true
    }

    /// Key and raw value of each member, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members.iter().map(|(key, member)| (key.as_ref(), member.raw.as_ref()))
    }

    /// The object as JSON text.
    pub fn to_vec(&self) -> Vec<u8> {
        let size = self.iter().map(|(key, value)| key.len() + value.len() + 4).sum::<usize>();
        let mut out = Vec::with_capacity(size + 2);
        out.push(b'{');
        for (key, value) in self.iter() {
            if out.len() > 1 {
                out.push(b',');
            }
            write_string(&mut out, key);
            out.push(b':');
            out.extend_from_slice(value.as_bytes());
        }
        out.push(b'}');
        out
    }
}

/// Appends `text` as a JSON string.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    // Writing to a Vec cannot fail, and every str is a valid JSON string.
    let _ = serde_json::to_writer(out, text);
}

fn syntax(error: &serde_json::Error) -> ObjectError {
    ObjectError::Syntax { line: error.line(), column: error.column() }
}

type RawMembers<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = RawMembers<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            let value = map.next_value()?;
            if members.len() <= MAX_MEMBERS {
                members.push((key, value));
            }
        }
        Ok(members)
    }
}

/// The key of a member.
#[derive(serde::Deserialize)]
pub(crate) struct Key<'a>(#[serde(borrow)] pub Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_edit_keeps_members_as_they_are() {
        let text =
            br#"{"model":"m","n":123456789012345678901234,"z":{"b":1,"a":[ 1.0 ]},"x":"\u00e9"}"#;
        assert_eq!(Object::parse(text).unwrap().to_vec(), text);
    }

    #[test]
    fn edits_keep_the_order() {
        let mut object = Object::parse(br#"{"a":1,"b":2,"c":3}"#).unwrap();
        object.set("b", "\"x\"".into());
        object.set("d", "null".into());
        assert!(object.remove("a"));
        assert!(!object.remove("a"));
        assert_eq!(object.to_vec(), br#"{"b":"x","c":3,"d":null}"#);
        assert_eq!(object.string("b").as_deref(), Some("x"));
    }

    #[test]
    fn a_renamed_member_wins_over_its_namesake() {
        let text = br#"{"a":1,"b":2,"c":3}"#;
        for (from, to, there, renamed) in [
            ("b", "d", true, &br#"{"a":1,"d":2,"c":3}"#[..]),
            ("b", "a", true, br#"{"a":2,"c":3}"#),
            ("b", "c", true, br#"{"a":1,"c":2}"#),
            ("b", "b", true, text),
            ("d", "a", false, text),
        ] {
            let mut object = Object::parse(text).unwrap();
            assert_eq!(object.rename(from, to), there, "{from} {to}");
            assert_eq!(object.to_vec(), renamed, "{from} {to}");
        }
    }

    #[test]
    fn escaped_keys_are_the_same_key() {
        let object = Object::parse(br#"{"mod\u0065l":"m"}"#).unwrap();
        assert_eq!(object.string("model").as_deref(), Some("m"));
        let twice = Object::parse(br#"{"mod\u0065l":"m","model":"n"}"#);
        assert_eq!(twice.unwrap_err(), ObjectError::Duplicate("model".into()));
    }

    #[test]
    fn the_number_of_keys_is_bounded() {
        let keys = |count: usize| {
            let rest = (1..count).map(|n| format!(",\"k{n}\":{n}")).collect::<String>();
            format!("{{\"k0\":0{rest}}}")
        };
        assert!(Object::parse(keys(MAX_MEMBERS).as_bytes()).is_ok());
        for count in [MAX_MEMBERS + 1, 500_000] {
            let refused = Object::parse(keys(count).as_bytes()).map(|_| ());
            assert_eq!(refused, Err(ObjectError::TooManyKeys));
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for bad in ["", "{", "{\"a\":}", "{} x", "{\"a\":1,}", "nul"] {
            let error = Object::parse(bad.as_bytes()).unwrap_err();
            assert!(matches!(error, ObjectError::Syntax { .. }), "{bad}: {error}");
        }
        for other in ["[]", "null", "3", "\"x\""] {
            assert_eq!(Object::parse(other.as_bytes()).unwrap_err(), ObjectError::NotAnObject);
        }
        let error = Object::parse(b"{\n\"a\":\"\xff\"}").unwrap_err();
        assert_eq!(error, ObjectError::Syntax { line: 2, column: 6 });
    }

    #[test]
    fn deep_nesting_does_not_overflow_the_stack() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200_000), "]".repeat(200_000));
        // Either verdict is fine, as long as there is one.
        let _ = Object::parse(deep.as_bytes());
    }
}
