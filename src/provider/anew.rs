//! What Portkey makes anew of single vendors' answers, made of the vendor's own text: what it
//! leaves out there is kept where it says anything.

use crate::json::Object;

/// A chunk of Groq's: its usage moves to where OpenAI has it, and, if `roles`, each delta has a
/// role, a content and calls. What is no such chunk stays as it is.
pub(super) fn groq_chunk(text: &[u8], roles: bool) -> Option<Vec<u8>> {
    let mut chunk = Object::parse(text).ok()?;
    let moved = chunk.get("x_groq").is_some() && move_usage(&mut chunk);
    if roles && !moved {
        let list: Vec<&serde_json::value::RawValue> =
            serde_json::from_str(chunk.get("choices")?).ok()?;
        let choices: Option<Vec<String>> =
            list.into_iter().map(|choice| full_choice(choice.get())).collect();
        let choices = choices?.join(",");
        chunk.set("choices", ["[", &choices, "]"].concat());
    }
    Some(indented(text, &chunk))
}

/// Takes `x_groq` away, unless it holds more than an id and the usage; tells whether it had one.
fn move_usage(chunk: &mut Object<'_>) -> bool {
    let Some(raw) = chunk.get("x_groq").map(str::to_owned) else { return false };
    let Ok(extra) = Object::parse(raw.as_bytes()) else { return false };
    let counts = extra.get("usage").and_then(|raw| Object::parse(raw.as_bytes()).ok());
    if extra.iter().all(|(key, _)| key == "id" || key == "usage") {
        chunk.remove("x_groq");
    }
    let Some(mut counts) = counts else { return false };
    // Portkey tells tokens, not times.
    let times: Vec<String> =
        counts.iter().map(|(key, _)| key.to_owned()).filter(|key| key.ends_with("_time")).collect();
    times.iter().for_each(|key| {
        counts.remove(key);
    });
    chunk.set("usage", String::from_utf8_lossy(&counts.to_vec()).into_owned());
    true
}

fn full_choice(raw: &str) -> Option<String> {
    let mut choice = Object::parse(raw.as_bytes()).ok()?;
    let Some(raw) = choice.get("delta").map(str::to_owned) else { return Some(raw.to_owned()) };
    let mut delta = Object::parse(raw.as_bytes()).ok()?;
    for (key, value) in [("role", "\"assistant\""), ("content", "\"\""), ("tool_calls", "[]")] {
        if delta.get(key).is_none_or(|value| value == "null") {
            delta.set(key, value.to_owned());
        }
    }
    choice.set("delta", String::from_utf8(delta.to_vec()).ok()?);
    String::from_utf8(choice.to_vec()).ok()
}

/// A list of embeddings with a usage, as OpenAI's schema wants it: of zero where there is none.
pub(super) fn counted_embeddings(text: &[u8]) -> Option<Vec<u8>> {
    let mut list = Object::parse(text).ok()?;
    list.get("data")?;
    list.remove("request_id");
    if list.get("usage").is_none() {
        list.set("usage", r#"{"prompt_tokens":0,"total_tokens":0}"#.to_owned());
    }
    Some(list.to_vec())
}

/// A chunk without its usage.
pub(super) fn uncounted_chunk(text: &[u8]) -> Option<Vec<u8>> {
    // Hardly any chunk has one.
    memchr::memmem::find(text, b"\"usage\"")?;
    let mut chunk = Object::parse(text).ok()?;
    chunk.remove("usage").then(|| indented(text, &chunk))
}

/// The object after what stood before it: the data of an event may begin with a space.
fn indented(text: &[u8], object: &Object<'_>) -> Vec<u8> {
    let indent = text.len() - text.trim_ascii_start().len();
    [text.get(..indent).unwrap_or_default(), &object.to_vec()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(edited: Option<Vec<u8>>) -> Option<String> {
        edited.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn groqs_usage_stands_where_openai_has_it() {
        for (chunk, edited) in [
            (
                r#"{"choices":[{"delta":{}}],"x_groq":{"id":"r","usage":{"queue_time":0.1,"total_tokens":3,"prompt_tokens_details":{"cached_tokens":1}}}}"#,
                r#"{"choices":[{"delta":{}}],"usage":{"total_tokens":3,"prompt_tokens_details":{"cached_tokens":1}}}"#,
            ),
            (
                r#"{"choices":[{"delta":{"content":"a"}}],"x_groq":{"id":"r"}}"#,
                r#"{"choices":[{"delta":{"content":"a","role":"assistant","tool_calls":[]}}]}"#,
            ),
            (
                r#"{"choices":[{"index":0,"delta":{"reasoning":"r","content":null,"tool_calls":[1]}}]}"#,
                r#"{"choices":[{"index":0,"delta":{"reasoning":"r","content":"","tool_calls":[1],"role":"assistant"}}]}"#,
            ),
            (
                r#"{"choices":[],"x_groq":{"error":"e"}}"#,
                r#"{"choices":[],"x_groq":{"error":"e"}}"#,
            ),
            (r#"{"choices":[],"usage":{"a":1}}"#, r#"{"choices":[],"usage":{"a":1}}"#),
        ] {
            assert_eq!(text(groq_chunk(chunk.as_bytes(), true)).as_deref(), Some(edited));
        }
        let chunk = r#"{"choices":[{"delta":{"content":"a"}}],"x_groq":{"id":"r"}}"#;
        let bare = r#"{"choices":[{"delta":{"content":"a"}}]}"#;
        assert_eq!(text(groq_chunk(chunk.as_bytes(), false)).as_deref(), Some(bare));
        for other in [" [DONE]", r#"{"error":{}}"#, r#"{"choices":[1]}"#, ""] {
            assert_eq!(groq_chunk(other.as_bytes(), true), None, "{other}");
        }
    }

    #[test]
    fn usage_comes_and_goes_as_portkey_has_it() {
        let zero = r#"{"data":[],"usage":{"prompt_tokens":0,"total_tokens":0}}"#;
        let list = r#"{"data":[],"request_id":"r"}"#;
        assert_eq!(text(counted_embeddings(list.as_bytes())).as_deref(), Some(zero));
        let counted = r#"{"data":[],"usage":{"prompt_tokens":4}}"#;
        assert_eq!(text(counted_embeddings(counted.as_bytes())).as_deref(), Some(counted));
        assert_eq!(counted_embeddings(br#"{"error":{}}"#), None);
        let chunk = br#" {"choices":[],"usage":{"total_tokens":3}}"#;
        assert_eq!(text(uncounted_chunk(chunk)).as_deref(), Some(r#" {"choices":[]}"#));
        assert_eq!(uncounted_chunk(br#"{"choices":[]}"#), None);
    }
}
