//! What is edited in an answer in OpenAI's format on its way to the client: a closed set of data,
//! and edits of the text, so that nothing else of it changes or has to be understood.

use super::{Provider, anew};
use crate::endpoint::Endpoint;
use crate::json::{Object, write_string};
use memchr::memmem;
use std::fmt;

/// One edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touch {
    /// The provider's slug as the member `provider`, in answers that are no stream.
    Named,
    /// The same in each chunk of a stream.
    NamedInChunks,
    /// The same in lists of embeddings.
    NamedInEmbeddings,
    /// The same in answers of the Responses API.
    NamedInResponses,
    /// A finish reason that OpenAI does not have: the vendor's, and OpenAI's for it.
    FinishReason(&'static str, &'static str),
    /// A member that is left out where it is null and says nothing.
    NoNull(&'static str),
    /// A number that is left out of chunks.
    NotInChunks(&'static str),
    /// No chunk has a usage.
    NoUsageInChunks,
    /// Groq's usage moves to `usage`, and each delta has a role and calls.
    GroqChunks,
    /// Lists of embeddings have a usage.
    UsageInEmbeddings,
}

/// The edits of one answer.
#[derive(Debug, Clone, Copy)]
pub struct Touches {
    list: &'static [Touch],
    slug: &'static str,
    strict: bool,
    /// What names the provider in an answer that is no stream.
    naming: Touch,
    /// Whether it is generated text, which all other edits are for.
    text: bool,
    /// Whether each delta gets a role, where Portkey gives it one.
    roles: bool,
}

impl Touches {
    /// Edits for answers of an operation; `below` is its path below `/v1`, `strict` tells whether
    /// finish reasons must be OpenAI's.
    pub fn new(row: &Provider, endpoint: Endpoint, below: &str, strict: bool) -> Self {
        let text = matches!(endpoint, Endpoint::ChatCompletions | Endpoint::Completions);
        let bare = below.split('?').next().unwrap_or_default();
        let naming = match endpoint {
            Endpoint::Responses => Touch::NamedInResponses,
            // What is below a stored answer is none.
            Endpoint::StoredResponses if bare.matches('/').count() == 2 => Touch::NamedInResponses,
            Endpoint::Embeddings => Touch::NamedInEmbeddings,
            _ => Touch::Named,
        };
        let touched = text || naming != Touch::Named;
        let list = if touched { row.touches } else { &[] };
        Self { list, slug: row.slug, strict, naming, text, roles: true }
    }

    /// Roles stay where the vendor has them.
    pub fn without_roles(self) -> Self {
        Self { roles: false, ..self }
    }

    /// No edits: the answer is not in the provider's format.
    pub fn none(self) -> Self {
        Self { list: &[], ..self }
    }

    /// An answer that is no stream, edited.
    pub fn answer(&self, text: &[u8]) -> Vec<u8> {
        self.edit(text, self.naming)
    }

    /// The data of one event of a stream, edited.
    pub fn chunk(&self, text: &[u8]) -> Vec<u8> {
        self.edit(text, Touch::NamedInChunks)
    }

    /// Whether there is anything to edit in a stream.
    pub fn edits_chunks(&self) -> bool {
        let edits = |touch: &Touch| *touch == Touch::NamedInChunks || !touch.is_naming();
        self.text && self.list.iter().any(edits)
    }

    /// Whether there is anything to edit in an answer that is no stream.
    pub fn edits_answers(&self) -> bool {
        self.list.contains(&self.naming) || self.edits_text()
    }

    /// Whether there is anything to edit in it but at its front; see [`Self::front`].
    pub fn edits_text(&self) -> bool {
        let counts = self.list.contains(&Touch::UsageInEmbeddings);
        (self.naming == Touch::NamedInEmbeddings && counts)
            || (self.text && self.list.iter().any(|touch| touch.is_of_text()))
    }

    /// What an answer has after its first brace: nothing, or a member and a comma.
    pub fn front(&self) -> Vec<u8> {
        match self.list.contains(&self.naming) {
            true => member(self.slug),
            false => Vec::new(),
        }
    }

    fn edit(&self, text: &[u8], naming: Touch) -> Vec<u8> {
        let mut text = text.to_vec();
        for touch in self.list {
            match touch {
                touch if *touch == naming => name(&mut text, self.slug),
                Touch::FinishReason(own, openai) if self.text && self.strict => {
                    text = replace(&text, "finish_reason", own, openai);
                }
                Touch::NoNull(key) if self.text => text = without(&text, key, b"null"),
                Touch::NotInChunks(key) if self.text && naming == Touch::NamedInChunks => {
                    text = without(&text, key, b"");
                }
                Touch::NoUsageInChunks if self.text && naming == Touch::NamedInChunks => {
                    text = anew::uncounted_chunk(&text).unwrap_or(text);
                }
                Touch::GroqChunks if self.text && naming == Touch::NamedInChunks => {
                    text = anew::groq_chunk(&text, self.roles).unwrap_or(text);
                }
                Touch::UsageInEmbeddings if naming == Touch::NamedInEmbeddings => {
                    text = anew::counted_embeddings(&text).unwrap_or(text);
                }
                _ => {}
            }
        }
        text
    }
}

impl Touch {
    fn is_naming(self) -> bool {
        use Touch::{Named, NamedInChunks, NamedInEmbeddings, NamedInResponses};
        matches!(self, Named | NamedInChunks | NamedInEmbeddings | NamedInResponses)
    }

    /// Whether it edits generated text that is no stream.
    fn is_of_text(self) -> bool {
        matches!(self, Self::FinishReason(..) | Self::NoNull(_))
    }
}

fn member(slug: &str) -> Vec<u8> {
    let mut member = b"\"provider\":".to_vec();
    write_string(&mut member, slug);
    member.push(b',');
    member
}

/// Puts the member `provider` first, unless the vendor has one of its own.
fn name(text: &mut Vec<u8>, slug: &str) {
    let Some(at) = text.iter().position(|byte| !byte.is_ascii_whitespace()) else { return };
    let rest = text.get(at + 1..).unwrap_or_default();
    let empty = rest.trim_ascii_start().starts_with(b"}");
    if text.get(at) != Some(&b'{') || empty || has_own(text) {
        return;
    }
    text.splice(at + 1..=at, member(slug));
}

fn has_own(text: &[u8]) -> bool {
    // Hardly any answer has the word, and a search costs less than a parser.
    memmem::find(text, b"\"provider\"").is_some()
        && Object::parse(text).is_ok_and(|object| object.get("provider").is_some())
}

/// Wherever a key has this string for a value, it gets another.
fn replace(text: &[u8], key: &str, from: &str, to: &str) -> Vec<u8> {
    let value = ["\"", from, "\""].concat();
    let mut out = Vec::with_capacity(text.len());
    let mut copied = 0;
    for (_, at) in values(text, key) {
        if text.get(at..).is_some_and(|rest| rest.starts_with(value.as_bytes())) {
            out.extend_from_slice(text.get(copied..at).unwrap_or_default());
            out.extend_from_slice(["\"", to, "\""].concat().as_bytes());
            copied = at + value.len();
        }
    }
    out.extend_from_slice(text.get(copied..).unwrap_or_default());
    out
}

/// Leaves out each member of that key whose value begins so and is neither string nor nested.
fn without(text: &[u8], key: &str, value: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    let mut copied = 0;
    for (start, at) in values(text, key) {
        let Some(rest) = text.get(at..).filter(|rest| rest.starts_with(value)) else { continue };
        let end = rest.iter().position(|byte| b",]} \r\n\t\"[{".contains(byte));
        let rest = rest.get(end.unwrap_or(rest.len())..).unwrap_or_default();
        if rest.starts_with(b"\"") || rest.starts_with(b"[") || rest.starts_with(b"{") {
            continue;
        }
        out.extend_from_slice(text.get(copied..start).unwrap_or_default());
        let rest = rest.trim_ascii_start();
        copied = text.len() - rest.len();
        if rest.starts_with(b",") {
            copied += 1;
        } else if out.trim_ascii_end().ends_with(b",") {
            out.truncate(out.trim_ascii_end().len() - 1);
        }
    }
    out.extend_from_slice(text.get(copied..).unwrap_or_default());
    out
}

/// Where each member of that key begins, and where its value does. A text in quotes within a
/// string is no key: its quotes are escaped.
fn values<'a>(text: &'a [u8], key: &str) -> impl Iterator<Item = (usize, usize)> + 'a {
    let quoted = ["\"", key, "\""].concat();
    let found: Vec<usize> = memmem::find_iter(text, quoted.as_bytes()).collect();
    found.into_iter().filter_map(move |start| {
        let rest = text.get(start + quoted.len()..)?.trim_ascii_start();
        let value = rest.strip_prefix(b":")?.trim_ascii_start();
        Some((start, text.len() - value.len()))
    })
}

impl fmt::Display for Touch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named => f.write_str("provider in answers"),
            Self::NamedInChunks => f.write_str("provider in chunks"),
            Self::NamedInEmbeddings => f.write_str("provider in embeddings"),
            Self::NamedInResponses => f.write_str("provider in responses"),
            Self::FinishReason(from, to) => write!(f, "finish_reason {from} → {to}"),
            Self::NoNull(key) => write!(f, "no null {key}"),
            Self::NotInChunks(key) => write!(f, "no {key} in chunks"),
            Self::NoUsageInChunks => f.write_str("no usage in chunks"),
            Self::GroqChunks => f.write_str("x_groq.usage → usage; role, tool_calls in deltas"),
            Self::UsageInEmbeddings => f.write_str("usage in embeddings"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Touch::{FinishReason, Named, NamedInChunks, NoNull};
    use super::*;

    fn edit(list: &'static [Touch], chunk: bool, text: &str) -> String {
        let touches =
            Touches { list, slug: "acme", strict: true, naming: Named, text: true, roles: true };
        let out =
            if chunk { touches.chunk(text.as_bytes()) } else { touches.answer(text.as_bytes()) };
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_provider_comes_first_unless_there_is_one() {
        for (text, named) in [
            (r#"{"id":"1"}"#, r#"{"provider":"acme","id":"1"}"#),
            (" \n{ \"id\" : 1}", " \n{\"provider\":\"acme\", \"id\" : 1}"),
            (r#"{"provider":"own"}"#, r#"{"provider":"own"}"#),
            (r#"{"a":{"provider":1}}"#, r#"{"provider":"acme","a":{"provider":1}}"#),
            ("{ }", "{ }"),
            ("[1]", "[1]"),
            ("", ""),
        ] {
            assert_eq!(edit(&[Named], false, text), named, "{text}");
            assert_eq!(edit(&[NamedInChunks], true, text), named, "{text}");
            assert_eq!(edit(&[Named], true, text), text);
            assert_eq!(edit(&[NamedInChunks], false, text), text);
        }
    }

    #[test]
    fn each_operation_has_its_own_edits() {
        let row = |slug| crate::provider::find(slug).unwrap();
        for (slug, endpoint, below, front, text) in [
            ("mistral-ai", Endpoint::ChatCompletions, "/chat/completions", true, true),
            ("mistral-ai", Endpoint::Embeddings, "/embeddings", true, false),
            ("mistral-ai", Endpoint::Files, "/files", false, false),
            ("openai", Endpoint::ChatCompletions, "/chat/completions", false, false),
            ("openai", Endpoint::Responses, "/responses", true, false),
            ("openai", Endpoint::StoredResponses, "/responses/r?a=/", true, false),
            ("openai", Endpoint::StoredResponses, "/responses/r/input_items", false, false),
        ] {
            let touches = Touches::new(row(slug), endpoint, below, true);
            assert_eq!(!touches.front().is_empty(), front, "{slug} {below}");
            assert_eq!(touches.edits_text(), text, "{slug} {below}");
            assert_eq!(touches.edits_answers(), front || text, "{slug} {below}");
        }
    }

    #[test]
    fn finish_reasons_become_openais_if_they_must() {
        let touches: &[Touch] = &[FinishReason("eos", "stop")];
        let text = r#"{"a":"\"finish_reason\":\"eos\"","b":[{"finish_reason" : "eos"}]}"#;
        let stop = r#"{"a":"\"finish_reason\":\"eos\"","b":[{"finish_reason" : "stop"}]}"#;
        assert_eq!(edit(touches, true, text), stop);
        let relaxed = Touches {
            list: touches,
            slug: "acme",
            strict: false,
            naming: Named,
            text: true,
            roles: true,
        };
        assert_eq!(relaxed.chunk(text.as_bytes()), text.as_bytes());
        let other = r#"{"finish_reason":"eos2"}"#;
        assert_eq!(edit(touches, true, other), other);
    }

    #[test]
    fn a_number_is_left_out_of_chunks() {
        let touches: &[Touch] = &[Touch::NotInChunks("cost")];
        let text = r#"{"cost":"a","usage":{"cost" : 1e-05,"n":2,"cost":{"a":1}}}"#;
        let without = r#"{"cost":"a","usage":{"n":2,"cost":{"a":1}}}"#;
        assert_eq!(edit(touches, true, text), without);
        assert_eq!(edit(touches, false, text), text);
    }

    #[test]
    fn a_null_is_left_out_wherever_it_stands() {
        for (text, without) in [
            (r#"{"a":1,"n":null}"#, r#"{"a":1}"#),
            (r#"{"n" : null , "a":1}"#, r#"{ "a":1}"#),
            (r#"{"a":1 , "n":null}"#, r#"{"a":1 }"#),
            (r#"{"n":null}"#, "{}"),
            (r#"[{"n":null,"n":null}]"#, "[{}]"),
            (r#"{"n":{"n":1},"m":null}"#, r#"{"n":{"n":1},"m":null}"#),
            (r#"{"a":"n","b":"\"n\":null"}"#, r#"{"a":"n","b":"\"n\":null"}"#),
        ] {
            assert_eq!(edit(&[NoNull("n")], true, text), without, "{text}");
        }
    }
}
