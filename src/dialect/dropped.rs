//! What a provider could not be told.

use crate::json::Object;
use serde::{Deserialize, Serialize};

/// Fields of a request that had to be left out, as the client named them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Dropped(Vec<String>);

/// Most fields that are named, and most characters of a name: a client may send any.
const MAX_FIELDS: usize = 32;
const MAX_CHARS: usize = 64;

/// Members that ask for what is so anyway.
const NOTHING: [(&str, &str); 8] = [
    ("frequency_penalty", "0"),
    ("logit_bias", "{}"),
    ("logprobs", "false"),
    ("n", "1"),
    ("parallel_tool_calls", "true"),
    ("presence_penalty", "0"),
    ("store", "false"),
    ("stream", "false"),
];

impl Dropped {
    /// Notes a field; one inside others as a path, such as `tools.function.strict`.
    pub fn add(&mut self, field: &str) {
        // The list goes into a header.
        let safe = |c: char| if c.is_ascii_alphanumeric() || "._-$".contains(c) { c } else { '?' };
        let name: String = field.chars().take(MAX_CHARS).map(safe).collect();
        if self.0.len() < MAX_FIELDS && !self.0.contains(&name) {
            self.0.push(name);
        }
    }

    /// Notes the members of a request that nobody has read and that ask for something.
    pub fn add_unread(&mut self, request: &Object<'_>) {
        for member @ (name, value) in request.unread() {
            // Every translated stream ends with its usage.
            if value != "null" && name != "stream_options" && !NOTHING.contains(&member) {
                self.add(name);
            }
        }
    }

    /// Notes what another list has.
    pub fn append(&mut self, other: Self) {
        for name in other.0 {
            self.add(&name);
        }
    }

    /// The names with commas between them; `None` when nothing was dropped.
    pub fn list(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_read_is_listed_once_and_in_order() {
        let request =
            Object::parse(br#"{"a":1,"b":2,"c":null,"d\n,":3,"n":1,"store":true}"#).unwrap();
        assert_eq!(request.get("b"), Some("2"));
        let mut dropped = Dropped::default();
        assert_eq!(dropped.list(), None);
        dropped.add("x.y");
        dropped.add("a");
        dropped.add_unread(&request);
        assert_eq!(dropped.list().as_deref(), Some("x.y,a,d??,store"));
    }

    #[test]
    fn the_list_is_bounded() {
        let mut dropped = Dropped::default();
        for n in 0..1000 {
            dropped.add(&format!("{n}{}", "\u{e9}".repeat(1000)));
        }
        assert_eq!(dropped.list().unwrap().len(), MAX_FIELDS * (MAX_CHARS + 1) - 1);
    }
}
