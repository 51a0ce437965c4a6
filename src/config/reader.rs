//! Reads the members of a JSON object that people wrote, and notes everything that is wrong.

use super::portkeys;
use crate::json::{Object, ObjectError};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// Something wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Such as `config.targets[0].provider`.
    pub path: String,
    /// What is wanted.
    pub reason: String,
}

impl Problem {
    /// Path and message as in Portkey's error lists: `targets,0,weight`.
    pub fn as_portkey(&self) -> (String, &str) {
        let below = self.path.split_once('.').map_or("", |(_, below)| below);
        let path = below.replace('[', ".").replace(']', "").replace('.', ",");
        let unknown = self.reason.starts_with(portkeys::INVALID_PROVIDER);
        (path, if unknown { portkeys::UNKNOWN_PROVIDER } else { &self.reason })
    }
}

/// What is wrong with one document.
pub type Problems = Vec<Problem>;

/// Problems that are noted, at most: the document may have any number.
const MAX_PROBLEMS: usize = 20;

/// Notes a problem.
pub fn note(problems: &mut Problems, path: &str, reason: impl Into<String>) {
    if problems.len() >= MAX_PROBLEMS {
        return;
    }
    problems.push(Problem { path: path.to_owned(), reason: reason.into() });
}

/// Something that must be there is not, in Portkey's words.
pub const REQUIRED: &str = "Required";

/// A value of another kind than this one, in Portkey's words.
pub fn expected(kind: &str, raw: &str) -> String {
    format!("Expected {kind}, received {}", kind_of(raw))
}

/// The kind of a JSON value.
fn kind_of(raw: &str) -> &'static str {
    match raw.as_bytes().first() {
        Some(b'"') => "string",
        Some(b'[') => "array",
        Some(b'{') => "object",
        Some(b't' | b'f') => "boolean",
        Some(b'n') => "null",
        _ => "number",
    }
}

/// The kind of value that a type is read from between these texts, as far as a sample of it tells.
fn kind_for<T: DeserializeOwned>(before: &str, after: &str) -> Option<&'static str> {
    let samples = [
        ("string", "\"\""),
        ("number", "1"),
        ("boolean", "true"),
        ("array", "[]"),
        ("object", "{}"),
    ];
    let fits = |(_, sample): &(_, &str)| {
        serde_json::from_str::<T>(&[before, sample, after].concat()).is_ok()
    };
    samples.into_iter().find(fits).map(|(kind, _)| kind)
}

/// The first element of a list that is of another kind than those of the type, and what is wrong
/// with it.
fn stranger<T: DeserializeOwned>(raw: &str) -> Option<(usize, String)> {
    let kind = kind_for::<T>("[", "]")?;
    let elements: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
    let at = elements.iter().position(|element| kind_of(element.get()) != kind)?;
    Some((at, expected(kind, elements.get(at)?.get())))
}

/// One object of the document. Members are found by their snake_case name, also when they are
/// written in camelCase; `null` counts as absent.
pub struct Reader<'a> {
    object: Object<'a>,
    path: &'a str,
}

impl<'a> Reader<'a> {
    /// Reads an object; notes it and gives `None` when it is none.
    pub fn new(json: &'a str, path: &'a str, problems: &mut Problems) -> Option<Self> {
        match Object::parse(json.as_bytes()) {
            Ok(object) => Some(Self { object, path }),
            Err(ObjectError::NotAnObject) => {
                note(problems, path, expected("object", json.trim_start()));
                None
            }
            Err(error) => {
                note(problems, path, error.to_string());
                None
            }
        }
    }

    /// The path of a member.
    pub fn path(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    /// The raw JSON of a member.
    pub fn raw(&self, name: &str) -> Option<&str> {
        let value = self.object.get(name).or_else(|| self.object.get(&camel_case(name)));
        value.filter(|raw| *raw != "null")
    }

    /// Key and raw value of each member.
    pub fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        self.object.iter()
    }

    /// A member of a plain type; `wanted` completes "must be".
    pub fn get<T: DeserializeOwned>(
        &self,
        name: &str,
        wanted: &str,
        problems: &mut Problems,
    ) -> Option<T> {
        let raw = self.raw(name)?;
        let parsed = serde_json::from_str::<T>(raw);
        if parsed.is_err() {
            let path = self.path(name);
            match (kind_for::<T>("", ""), stranger::<T>(raw)) {
                (Some(kind), _) if kind != kind_of(raw) => {
                    note(problems, &path, expected(kind, raw));
                }
                (_, Some((at, reason))) => note(problems, &format!("{path}[{at}]"), reason),
                _ => note(problems, &path, format!("must be {wanted}")),
            }
        }
        parsed.ok()
    }

    /// A string.
    pub fn string(&self, name: &str, problems: &mut Problems) -> Option<String> {
        self.get(name, "a string", problems)
    }

    /// A string, or an object as the text of its JSON.
    pub fn string_or_object(&self, name: &str, problems: &mut Problems) -> Option<String> {
        match self.raw(name)? {
            raw if raw.starts_with('{') => Some(raw.to_owned()),
            _ => self.get(name, "a string or an object", problems),
        }
    }

    /// A whole number of milliseconds, at least 1.
    pub fn milliseconds(&self, name: &str, problems: &mut Problems) -> Option<u64> {
        let wanted = "a whole number of milliseconds, at least 1";
        let value = self.get(name, wanted, problems)?;
        if value == 0 {
            note(problems, &self.path(name), format!("must be {wanted}"));
        }
        Some(value)
    }

    /// A list of HTTP statuses.
    pub fn statuses(&self, name: &str, problems: &mut Problems) -> Option<Vec<u16>> {
        let wanted = "a list of HTTP statuses";
        let statuses: Vec<u16> = self.get(name, wanted, problems)?;
        if statuses.iter().any(|status| !(100..600).contains(status)) {
            note(problems, &self.path(name), format!("must be {wanted}"));
        }
        Some(statuses)
    }

    /// An object that is kept as it is written.
    pub fn object(&self, name: &str, problems: &mut Problems) -> Option<Box<RawValue>> {
        let raw = self.raw(name)?;
        match Object::parse(raw.as_bytes()) {
            Ok(_) => RawValue::from_string(raw.to_owned()).ok(),
            Err(error) => {
                note(problems, &self.path(name), error.to_string());
                None
            }
        }
    }
}

/// The other spelling of a snake_case name.
pub fn camel_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for (at, word) in name.split('_').enumerate() {
        let mut chars = word.chars();
        match chars.next().filter(|_| at > 0) {
            Some(first) => out.extend(first.to_uppercase().chain(chars)),
            None => out.push_str(word),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_read() {
        let mut problems = Vec::new();
        let json = r#"{"apiKey":"a","virtual_key":null,"onStatusCodes":[429]}"#;
        let reader = Reader::new(json, "config", &mut problems).unwrap();
        assert_eq!(reader.string("api_key", &mut problems).as_deref(), Some("a"));
        assert_eq!(reader.string("virtual_key", &mut problems), None);
        assert_eq!(reader.statuses("on_status_codes", &mut problems), Some(vec![429]));
        assert_eq!(problems, []);
    }

    #[test]
    fn every_problem_is_noted_with_its_path() {
        let mut problems = Vec::new();
        let json = r#"{"a":1,"b":0,"c":[99],"d":[]}"#;
        let reader = Reader::new(json, "config", &mut problems).unwrap();
        reader.string("a", &mut problems);
        reader.milliseconds("b", &mut problems);
        reader.statuses("c", &mut problems);
        reader.object("d", &mut problems);
        assert!(Reader::new("7", "config.e", &mut problems).is_none());
        let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(problems[0].reason, "Expected string, received number");
        assert_eq!(paths, ["config.a", "config.b", "config.c", "config.d", "config.e"]);
    }
}
