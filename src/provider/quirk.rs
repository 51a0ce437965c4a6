//! What single vendors want otherwise than OpenAI has it: a closed set of edits at the top level
//! of a body.

use crate::dialect::Dropped;
use crate::json::Object;
use serde_json::value::RawValue;
use std::fmt;

/// One edit. What it does not name stays as the client sent it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quirk {
    /// Messages of the role `developer`, which only OpenAI knows, get the role `system`.
    SystemRole,
    /// The first field goes by the name of the second, and wins over one of that name.
    Rename(&'static str, &'static str),
    /// A field that makes the vendor refuse the whole request.
    Drop(&'static str),
    /// A field that is told in the path instead.
    InPath(&'static str),
    /// A string that the vendor spells otherwise: field, OpenAI's value, the vendor's.
    Replace(&'static str, &'static str, &'static str),
    /// A number that the vendor refuses outside of this range.
    Clamp(&'static str, f64, f64),
    /// What a field that is absent is set to, as JSON.
    Default(&'static str, &'static str),
    /// What Portkey's word `portkey-default` stands for in a field, as JSON.
    Standard(&'static str, &'static str),
    /// A string that the vendor wants as a list of one.
    List(&'static str),
    /// An object whose `type` is `enabled` or `disabled`, as a boolean of the second name.
    Switch(&'static str, &'static str),
}

/// A word of Portkey's for a field that is to be what it is by default.
const STANDARD: &str = "\"portkey-default\"";

/// Whether there is anything to edit.
pub fn matter<'q>(mut quirks: impl Iterator<Item = &'q Quirk>, body: &Object<'_>) -> bool {
    quirks.any(|quirk| quirk.matters(body))
}

/// Makes all edits; tells whether there was anything to edit. What is left out is noted.
pub fn apply<'q>(
    quirks: impl Iterator<Item = &'q Quirk>,
    body: &mut Object<'_>,
    dropped: &mut Dropped,
) -> bool {
    let mut changed = false;
    for quirk in quirks {
        let asked = body.get(quirk.field()).is_some_and(|value| value != "null");
        let edited = quirk.apply(body);
        if edited && asked && matches!(quirk, Quirk::Drop(_)) {
            dropped.add(quirk.field());
        }
        changed |= edited;
    }
    changed
}

impl Quirk {
    /// The field that it is about.
    pub fn field(self) -> &'static str {
        match self {
            Self::SystemRole => "messages",
            Self::Rename(field, _)
            | Self::Switch(field, _)
            | Self::Drop(field)
            | Self::InPath(field)
            | Self::Replace(field, ..)
            | Self::Clamp(field, ..)
            | Self::Default(field, _)
            | Self::Standard(field, _)
            | Self::List(field) => field,
        }
    }

    fn matters(self, body: &Object<'_>) -> bool {
        let value = body.get(self.field());
        match self {
            Self::SystemRole => value.and_then(without_developers).is_some(),
            Self::Rename(..) | Self::Drop(_) | Self::InPath(_) => value.is_some(),
            Self::Switch(..) => value.and_then(switched).is_some(),
            Self::Replace(_, from, _) => {
                value.and_then(|raw| serde_json::from_str(raw).ok()) == Some(from)
            }
            Self::Clamp(_, min, max) => value.and_then(|raw| clamped(raw, min, max)).is_some(),
            Self::Default(..) => value.is_none(),
            Self::Standard(..) => value == Some(STANDARD),
            Self::List(_) => value.is_some_and(|raw| raw.starts_with('"')),
        }
    }

    fn apply(self, body: &mut Object<'_>) -> bool {
        match self {
            Self::SystemRole => rename_developers(body),
            // A null says nothing that could win.
            Self::Rename(from, _) if body.get(from) == Some("null") => body.remove(from),
            Self::Rename(from, to) => body.rename(from, to),
            Self::Drop(field) | Self::InPath(field) => body.remove(field),
            Self::Switch(from, to) => {
                let Some(on) = body.get(from).and_then(switched) else { return false };
                body.set(from, on.to_string());
                body.rename(from, to)
            }
            Self::Replace(field, from, to) => {
                let found = body.string(field).is_some_and(|value| value == from);
                if found {
                    body.set(field, ["\"", to, "\""].concat());
                }
                found
            }
            Self::Clamp(field, min, max) => {
                let edited = body.get(field).and_then(|raw| clamped(raw, min, max));
                edited.map(|edited| body.set(field, edited)).is_some()
            }
            Self::Default(field, value) => {
                let absent = body.get(field).is_none();
                if absent {
                    body.set(field, value.to_owned());
                }
                absent
            }
            Self::Standard(field, value) => {
                let asked = body.get(field) == Some(STANDARD);
                if asked {
                    body.set(field, value.to_owned());
                }
                asked
            }
            Self::List(field) => {
                let text = body.get(field).filter(|raw| raw.starts_with('"'));
                let Some(list) = text.map(|raw| ["[", raw, "]"].concat()) else { return false };
                body.set(field, list);
                true
            }
        }
    }
}

/// Whether an object's `type` says that something is on.
fn switched(raw: &str) -> Option<bool> {
    match Object::parse(raw.as_bytes()).ok()?.string("type")?.as_str() {
        "enabled" => Some(true),
        "disabled" => Some(false),
        _ => None,
    }
}

/// A number outside of the range, put into it.
fn clamped(raw: &str, min: f64, max: f64) -> Option<String> {
    let number: f64 = serde_json::from_str(raw).ok()?;
    (!(min..=max).contains(&number)).then(|| number.clamp(min, max).to_string())
}

fn rename_developers(body: &mut Object<'_>) -> bool {
    let Some(edited) = body.get("messages").and_then(without_developers) else { return false };
    body.set("messages", edited);
    true
}

/// `None` when no message has the role, or the messages are none.
fn without_developers(messages: &str) -> Option<String> {
    // A search costs less than a look at each message, and hardly any request has the role.
    memchr::memmem::find(messages.as_bytes(), b"developer")?;
    let list: Vec<&RawValue> = serde_json::from_str(messages).ok()?;
    let mut edited = String::with_capacity(messages.len());
    let mut found = false;
    for message in list {
        edited.push(if edited.is_empty() { '[' } else { ',' });
        match as_system(message.get()) {
            Some(message) => {
                edited.push_str(&message);
                found = true;
            }
            None => edited.push_str(message.get()),
        }
    }
    edited.push(']');
    found.then_some(edited)
}

fn as_system(message: &str) -> Option<String> {
    let mut message = Object::parse(message.as_bytes()).ok()?;
    message.string("role").filter(|role| role == "developer")?;
    message.set("role", "\"system\"".to_owned());
    String::from_utf8(message.to_vec()).ok()
}

impl fmt::Display for Quirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SystemRole => f.write_str("developer → system"),
            Self::Rename(from, to) => write!(f, "{from} → {to}"),
            Self::Switch(from, to) => write!(f, "{from} → {to} true or false"),
            Self::Drop(field) => write!(f, "no {field}"),
            Self::InPath(field) => write!(f, "{field} in the path"),
            Self::Replace(field, from, to) => write!(f, "{field} {from} → {to}"),
            Self::Clamp(field, min, max) => write!(f, "{field} {min} to {max}"),
            Self::Default(field, value) => write!(f, "{field} {value} if absent"),
            Self::Standard(field, value) => write!(f, "{field} {value} for portkey-default"),
            Self::List(field) => write!(f, "{field} → list"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(quirk: Quirk, body: &str) -> Option<String> {
        let mut object = Object::parse(body.as_bytes()).unwrap();
        let matters = quirk.matters(&object);
        let changed = apply([&quirk].into_iter(), &mut object, &mut Dropped::default());
        assert_eq!(matters, changed, "{quirk}");
        let text = String::from_utf8(object.to_vec()).unwrap();
        assert!(changed || text == body, "{quirk} changed {body} in silence");
        changed.then_some(text)
    }

    #[test]
    fn each_edit_changes_what_it_names_and_nothing_else() {
        use Quirk::*;
        let rename = Rename("max_completion_tokens", "max_tokens");
        let clamp = Clamp("temperature", 0.0, 1.5);
        for (quirk, body, edited) in [
            (
                rename,
                r#"{"a":1,"max_completion_tokens":9,"b":2}"#,
                r#"{"a":1,"max_tokens":9,"b":2}"#,
            ),
            (rename, r#"{"max_tokens":5,"max_completion_tokens":9}"#, r#"{"max_tokens":9}"#),
            (rename, r#"{"max_tokens":5,"max_completion_tokens":null}"#, r#"{"max_tokens":5}"#),
            (Standard("n", "1"), r#"{"n":"portkey-default"}"#, r#"{"n":1}"#),
            (Drop("user"), r#"{"a":1.0,"user":"u"}"#, r#"{"a":1.0}"#),
            (
                Switch("thinking", "think"),
                r#"{"a":1,"thinking":{"type":"enabled","budget_tokens":9}}"#,
                r#"{"a":1,"think":true}"#,
            ),
            (
                Switch("thinking", "think"),
                r#"{"thinking":{"type":"disabled"},"think":true}"#,
                r#"{"think":false}"#,
            ),
            (List("input"), r#"{"input":"a\n"}"#, r#"{"input":["a\n"]}"#),
            (Replace("t", "required", "any"), r#"{"t":"required"}"#, r#"{"t":"any"}"#),
            (clamp, r#"{"temperature":2}"#, r#"{"temperature":1.5}"#),
            (clamp, r#"{"temperature":-1e2}"#, r#"{"temperature":0}"#),
            (Default("a", "128"), "{}", r#"{"a":128}"#),
            (
                SystemRole,
                r#"{"messages":[{"content":"a","role":"developer","name":"n"}, {"role": "user"}]}"#,
                r#"{"messages":[{"content":"a","role":"system","name":"n"},{"role": "user"}]}"#,
            ),
        ] {
            assert_eq!(edit(quirk, body).as_deref(), Some(edited), "{quirk}");
        }
    }

    #[test]
    fn what_does_not_apply_changes_nothing() {
        use Quirk::*;
        for (quirk, body) in [
            (Rename("a", "b"), r#"{"b":1}"#),
            (Drop("a"), r#"{"b":{"a":1}}"#),
            (Default("a", "1"), r#"{"a":null}"#),
            (Replace("t", "required", "any"), r#"{"t":{"type":"required"}}"#),
            (Clamp("t", 0.0, 1.0), r#"{"t":1.00}"#),
            (Clamp("t", 0.0, 1.0), r#"{"t":"2"}"#),
            (Clamp("t", 0.0, 1.0), r#"{"t":null}"#),
            (Switch("thinking", "think"), r#"{"thinking":{"type":"adaptive"}}"#),
            (Switch("thinking", "think"), r#"{"thinking":true,"think":false}"#),
            (List("input"), r#"{"input":["a"]}"#),
            (List("input"), r#"{"a":"input"}"#),
            (SystemRole, r#"{"messages":[{"role":"user","content":"a developer"}]}"#),
            (SystemRole, r#"{"messages":"developer"}"#),
            (SystemRole, r#"{"messages":["developer",{"role":["developer"]}]}"#),
            (SystemRole, r#"{"prompt":"developer"}"#),
        ] {
            assert_eq!(edit(quirk, body), None, "{quirk}");
        }
    }
}
