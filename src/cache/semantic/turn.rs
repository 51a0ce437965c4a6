//! The last user turn of a request, and all the rest of it.

use crate::cache::canonical;
use crate::cache::form::Form;
use crate::dialect::raw::{array, object, string};
use crate::json::Object;
use std::borrow::Cow;

/// Longest text that is embedded, in bytes: most models take 8192 tokens.
const MAX_TEXT: usize = 24 << 10;

/// A request in two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// What the user said last.
    pub text: String,
    /// Everything else, in canonical JSON.
    pub rest: Vec<u8>,
}

/// Takes a request apart; `None` when its meaning is not in one text: it wants several answers,
/// holds calls of tools or parts that are no text, or does not end with a user's turn.
pub fn of(form: Form, body: &Object<'_>) -> Option<Turn> {
    if body.get("n").is_some_and(|n| n != "1" && n != "null") {
        return None;
    }
    let member = match form {
        Form::Chat | Form::Message => "messages",
        Form::Completion => "prompt",
        Form::Response => "input",
        Form::Embedding => return None,
    };
    // What they name is kept at the provider, where it may change.
    if ["previous_response_id", "conversation", "prompt"]
        .iter()
        .any(|name| form == Form::Response && body.get(name).is_some_and(|raw| raw != "null"))
    {
        return None;
    }
    let mut rest = Vec::new();
    write_members(&mut rest, body, member)?;
    let text = split(body.get(member)?, &mut rest)?;
    let text = text.trim();
    let fits = !text.is_empty() && text.len() <= MAX_TEXT;
    fits.then(|| Turn { text: text.to_owned(), rest })
}

/// The members but one, and those that only say how the answer is sent.
fn write_members(out: &mut Vec<u8>, body: &Object<'_>, but: &str) -> Option<()> {
    let mut members: Vec<(&str, &str)> =
        body.iter().filter(|(name, _)| ![but, "stream", "stream_options"].contains(name)).collect();
    members.sort_unstable();
    for (name, raw) in members {
        crate::json::write_string(out, name);
        canonical::write(out, raw)?;
    }
    Some(())
}

/// The text of a conversation's last turn; appends the turns before it.
fn split(raw: &str, rest: &mut Vec<u8>) -> Option<String> {
    if raw.starts_with('"') {
        return string(raw).map(Cow::into_owned);
    }
    let turns = array(raw)?;
    let (last, before) = turns.split_last()?;
    for turn in before {
        said(turn.get())?;
        rest.push(b'\n');
        canonical::write(rest, turn.get())?;
    }
    let last = said(last.get())?;
    (last.role == "user").then_some(())?;
    rest.push(b'\n');
    rest.extend_from_slice(&last.rest);
    Some(last.text)
}

struct Said {
    role: String,
    text: String,
    /// What the turn has beside its content.
    rest: Vec<u8>,
}

/// What a turn says, if it is text and nothing else.
fn said(raw: &str) -> Option<Said> {
    let turn = Object::parse(raw.as_bytes()).ok()?;
    let known = ["role", "content", "type", "id", "status", "name", "refusal", "cache_control"];
    let plain = turn.iter().all(|(name, raw)| known.contains(&name) || raw == "null");
    let kind = turn.string("type");
    if !plain || kind.is_some_and(|kind| kind != "message") {
        return None;
    }
    let role = turn.string("role")?;
    if !["system", "developer", "user", "assistant"].contains(&role.as_str()) {
        return None;
    }
    let mut rest = Vec::new();
    write_members(&mut rest, &turn, "content")?;
    Some(Said { role, text: text(turn.get("content")?)?, rest })
}

fn text(raw: &str) -> Option<String> {
    members! {
        struct Part<'a> {
            kind: Cow<'a, str> = "type",
            text: Cow<'a, str>,
        }
    }
    if raw.starts_with('"') {
        return string(raw).map(Cow::into_owned);
    }
    let mut out = String::new();
    for part in array(raw)? {
        let part: Part<'_> = object(part.get())?;
        if !["text", "input_text", "output_text"].contains(&part.kind.as_ref()) {
            return None;
        }
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&part.text);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(form: Form, body: &str) -> Option<Turn> {
        of(form, &Object::parse(body.as_bytes()).unwrap())
    }

    fn chat(messages: &str, more: &str) -> Option<Turn> {
        take(Form::Chat, &format!(r#"{{"model":"m","messages":[{messages}]{more}}}"#))
    }

    const ASK: &str = r#"{"role":"user","content":"Why?"}"#;

    #[test]
    fn the_last_turn_is_taken_out_and_the_rest_is_compared() {
        let turn = chat(ASK, "").unwrap();
        assert_eq!(turn.text, "Why?");
        let other = chat(r#"{"content":"How?","role":"user"}"#, r#","stream":true"#).unwrap();
        assert_eq!(turn.rest, other.rest);
        let parts =
            r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}"#;
        assert_eq!(chat(parts, "").unwrap().text, "a\nb");
        for (messages, more) in [
            (format!(r#"{{"role":"system","content":"s"}},{ASK}"#), ""),
            (format!(r#"{ASK},{{"role":"assistant","content":"x"}},{ASK}"#), ""),
            (r#"{"role":"user","content":"Why?","name":"ann"}"#.to_owned(), ""),
            (ASK.to_owned(), r#","temperature":0"#),
            (ASK.to_owned(), r#","temperature":1"#),
            (ASK.to_owned(), r#","max_tokens":5"#),
            (ASK.to_owned(), r#","tools":[{"type":"function"}]"#),
            (ASK.to_owned(), r#","response_format":{"type":"json_object"}"#),
        ] {
            let one = chat(&messages, more).unwrap();
            assert!(one.text == "Why?" && one.rest != turn.rest, "{messages}{more}");
        }
    }

    #[test]
    fn each_form_has_its_turn() {
        for (form, body) in [
            (Form::Completion, r#"{"prompt":" Why? "}"#),
            (
                Form::Message,
                r#"{"messages":[{"role":"user","content":[{"type":"text","text":"Why?","cache_control":{"type":"ephemeral"}}]}]}"#,
            ),
            (Form::Response, r#"{"input":"Why?","previous_response_id":null}"#),
            (
                Form::Response,
                r#"{"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Why?"}]}]}"#,
            ),
        ] {
            assert_eq!(take(form, body).unwrap().text, "Why?", "{body}");
        }
    }

    #[test]
    fn what_is_more_than_text_is_left_alone() {
        let long = format!(r#"{{"role":"user","content":"{}"}}"#, "x".repeat(MAX_TEXT + 1));
        for messages in [
            "",
            r#"{"role":"assistant","content":"x"}"#,
            r#"{"role":"user","content":""}"#,
            r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}"#,
            r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"file","text":"x"}]}"#,
            r#"{"role":"assistant","content":null,"tool_calls":[]},{"role":"user","content":"a"}"#,
            r#"{"role":"tool","content":"x","tool_call_id":"t"},{"role":"user","content":"a"}"#,
            r#"{"role":"tool","content":"x","tool_call_id":"t"}"#,
            r#"{"role":"user","content":[{"type":"image_url"}]},{"role":"user","content":"a"}"#,
            "3",
            &long,
        ] {
            assert_eq!(chat(messages, ""), None, "{messages:.80}");
        }
        assert_eq!(chat(ASK, r#","n":2"#), None);
        for (form, body) in [
            (Form::Embedding, r#"{"input":"a"}"#),
            (Form::Completion, r#"{"prompt":["a","b"]}"#),
            (Form::Response, r#"{"input":"a","previous_response_id":"r"}"#),
            (Form::Response, r#"{"input":[{"type":"function_call_output","output":"x"}]}"#),
            (Form::Message, r#"{"messages":[{"role":"user","content":[{"type":"tool_result"}]}]}"#),
        ] {
            assert_eq!(take(form, body), None, "{body}");
        }
    }
}
