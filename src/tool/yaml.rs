//! YAML as a tree that keeps the order of keys and refuses a key that is there twice.
//! `serde_json::Value` would sort the keys of saved configs, in which order can matter.

use std::fmt;

use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

/// A YAML value; serialised, it is the same value as JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Any integer that 128 bits hold.
    Integer(i128),
    /// A finite number.
    Float(f64),
    /// A string.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// Parses one document; an empty file is [`Node::Null`].
    ///
    /// # Errors
    /// The first syntax error, with its line and column.
    pub fn parse(text: &str) -> Result<Self, serde_norway::Error> {
        serde_norway::from_str(text)
    }

    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "empty",
            Self::Bool(_) => "true or false",
            Self::Integer(_) => "a number",
            Self::Float(_) => "a fraction",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i128(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(items) => serializer.collect_seq(items),
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value without a tag")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    // An empty document.
    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Integer(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        Ok(Node::Integer(value))
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Node, E> {
        i128::try_from(value).map(Node::Integer).map_err(|_| E::custom("the number is too large"))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        match value.is_finite() {
            true => Ok(Node::Float(value)),
            false => Err(E::custom("the number must be finite")),
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map: Vec<(String, Node)> = Vec::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.iter().any(|(earlier, _)| *earlier == key) {
                return Err(A::Error::custom(format_args!("the key {key:?} is there twice")));
            }
            map.push((key, entries.next_value()?));
        }
        Ok(Node::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_order_and_values() {
        for (yaml, json) in [
            ("b: 1\na: {z: ~, c: [x, true]}", r#"{"b":1,"a":{"z":null,"c":["x",true]}}"#),
            ("n: 12345678901234567890123", r#"{"n":12345678901234567890123}"#),
            ("f: 0.1\ng: 1.0\nh: -2e-7", r#"{"f":0.1,"g":1.0,"h":-2e-7}"#),
            ("1: one\n\"t\\n\": \"\\u00e9\\\"\"", "{\"1\":\"one\",\"t\\n\":\"\u{e9}\\\"\"}"),
            ("yes: no", r#"{"yes":"no"}"#),
            ("base: &b {a: 1}\nuse: *b", r#"{"base":{"a":1},"use":{"a":1}}"#),
            ("", "null"),
        ] {
            let node = Node::parse(yaml).expect(yaml);
            assert_eq!(serde_json::to_string(&node).unwrap(), json, "{yaml}");
        }
    }

    #[test]
    fn errors_tell_where() {
        for (yaml, error) in [
            ("a: 1\nb: [1", "did not find expected ',' or ']' at line 3 column 1"),
            ("a: 1\na: 2", "the key \"a\" is there twice"),
            ("a: .inf", "a: the number must be finite at line 1 column 4"),
            ("a: !x 1", "a: invalid type: enum"),
        ] {
            let text = Node::parse(yaml).unwrap_err().to_string();
            assert!(text.contains(error), "{yaml}: {text}");
        }
    }
}
