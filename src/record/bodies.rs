//! Bodies in the log: what is kept of them, and how it is written.

use crate::config::settings::LogBodies;
use crate::http::{Headers, media_type};
use std::borrow::Cow;

/// What follows what is left of a body that is longer than the limit.
pub const CUT: &str = "[truncated]";

/// What a value becomes that must not be in the log.
const REDACTED: &[u8] = br#":"[redacted]""#;

/// The bodies of one request.
#[derive(Debug)]
pub struct Bodies {
    request: Option<String>,
    /// The answer as the client gets it, up to one byte more than is written; `None`: it is no text.
    answer: Option<Vec<u8>>,
    max_bytes: usize,
    /// Whether something is left out, which is found in JSON alone.
    redacts: bool,
}

impl Bodies {
    /// Nothing was read yet.
    pub fn new(settings: &LogBodies) -> Self {
        Self {
            request: None,
            answer: Some(Vec::new()),
            max_bytes: settings.max_bytes,
            redacts: !settings.redact.is_empty(),
        }
    }

    /// The request: valid JSON.
    pub fn on_request(&mut self, body: &[u8], settings: &LogBodies) {
        self.request = Some(text(body, settings));
    }

    /// The headers of a provider's answer: what is no text is not kept.
    pub fn on_headers(&mut self, headers: &Headers) {
        let media = headers.get("content-type").map(media_type).unwrap_or_default();
        let is_json = media.ends_with("json") || media == "text/event-stream";
        let is_text = is_json || (media.starts_with("text/") && !self.redacts);
        let encoding = headers.get("content-encoding").unwrap_or_default();
        if !is_text || !(encoding.is_empty() || encoding.eq_ignore_ascii_case(b"identity")) {
            self.answer = None;
        }
    }

    /// Whether more of the answer is wanted.
    pub fn reads(&self) -> bool {
        self.answer.as_ref().is_some_and(|kept| kept.len() <= self.max_bytes)
    }

    /// The next bytes of the answer.
    pub fn on_bytes(&mut self, bytes: &[u8]) {
        let Some(kept) = &mut self.answer else { return };
        let room = (self.max_bytes + 1).saturating_sub(kept.len());
        kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// Request and answer as they are logged.
    pub fn finish(self, settings: &LogBodies) -> (Option<String>, Option<String>) {
        let answer = self.answer.filter(|kept| !kept.is_empty());
        (self.request, answer.map(|kept| text(&kept, settings)))
    }
}

/// A body without what must not be in the log, and no longer than may be.
fn text(body: &[u8], settings: &LogBodies) -> String {
    let max = settings.max_bytes;
    let clean = match settings.redact.is_empty() {
        true => Cow::Borrowed(body),
        false => Cow::Owned(redact(body, &settings.redact, max)),
    };
    let kept = clean.get(..max).unwrap_or(&clean);
    let mut text = String::from_utf8_lossy(kept).into_owned();
    // The bytes that were read are no more than one over the limit.
    if clean.len() > max || body.len() > max {
        text.truncate(text.trim_end_matches(char::REPLACEMENT_CHARACTER).len());
        text.push_str(CUT);
    }
    text
}

/// Replaces the values of members with these names, wherever they are, in JSON or in events whose
/// data is JSON, cut off or not. It stops after `most` bytes.
fn redact(text: &[u8], names: &[String], most: usize) -> Vec<u8> {
    // In JSON a line break ends no string, though some write it into one; data of events has none.
    let lines = !matches!(text.trim_ascii_start().first(), Some(b'{' | b'['));
    let mut out = Vec::with_capacity(text.len().min(most));
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        if out.len() > most {
            break;
        }
        if first != b'"' {
            out.push(first);
            rest = tail;
            continue;
        }
        let (string, after) = string(rest, lines);
        // A string may be as long as the body, which is longer than the log wants.
        out.extend_from_slice(string.get(..=most).unwrap_or(string));
        rest = after;
        let value = after.trim_ascii_start().strip_prefix(b":");
        if let Some(value) = value.filter(|_| is_one_of(string, names)) {
            out.extend_from_slice(REDACTED);
            rest = after_value(value, lines);
        }
    }
    out
}

/// A string with its quotes, and what follows.
fn string(text: &[u8], lines: bool) -> (&[u8], &[u8]) {
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate().skip(1) {
        match byte {
            b'\n' if lines => return text.split_at(at),
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return text.split_at(at + 1),
            _ => {}
        }
    }
    (text, &[])
}

/// What follows a value: the comma or bracket behind it.
fn after_value(mut text: &[u8], lines: bool) -> &[u8] {
    let mut depth = 0usize;
    while let Some((first, tail)) = text.split_first() {
        match first {
            b'"' => {
                text = string(text, lines).1;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' if depth == 0 => return text,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        text = tail;
    }
    text
}

fn is_one_of(string: &[u8], names: &[String]) -> bool {
    let name: Option<String> = serde_json::from_slice(string).ok();
    name.is_some_and(|name| names.iter().any(|other| other.eq_ignore_ascii_case(&name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(max_bytes: usize, redact: &[&str]) -> LogBodies {
        let redact = redact.iter().map(|name| (*name).to_owned()).collect();
        LogBodies { default: true, max_bytes, redact }
    }

    #[test]
    fn values_of_named_members_are_gone_wherever_they_are() {
        let names = settings(1000, &["content", "key"]);
        for (from, to) in [
            (r#"{"content":"a\"b, c","n":1}"#, r#"{"content":"[redacted]","n":1}"#),
            (r#"{"a":[{"Key" : {"b":["]",{}]}}]}"#, r#"{"a":[{"Key":"[redacted]"}]}"#),
            (
                r#"{"c\u006fntent":-1.5,"b":"content"}"#,
                r#"{"c\u006fntent":"[redacted]","b":"content"}"#,
            ),
            ("{\"content\":\"a\nb, c\"}", r#"{"content":"[redacted]"}"#),
            (r#"{"content":"cut o"#, r#"{"content":"[redacted]""#),
            (r#"{"content":[{"deep":"#, r#"{"content":"[redacted]""#),
            (
                ": \"\ndata: {\"content\":\"a\"}\n\ndata: {\"key\":null}\n\ndata: [DONE]\n\n",
                ": \"\ndata: {\"content\":\"[redacted]\"}\n\ndata: {\"key\":\"[redacted]\"}\n\ndata: [DONE]\n\n",
            ),
        ] {
            assert_eq!(text(from.as_bytes(), &names), to);
        }
    }

    #[test]
    fn no_prefix_of_a_body_shows_what_is_redacted() {
        let names = settings(1000, &["content"]);
        let body = r#"{"a":{"content":["SECRET",{"x":"SECRET"}]},"content":"SECRET","b":"seen"}"#;
        for end in 0..=body.len() {
            let shown = text(&body.as_bytes()[..end], &names);
            assert!(!shown.contains("SE"), "{shown}");
        }
    }

    #[test]
    fn a_long_body_is_cut_at_a_character() {
        assert_eq!(text("aé".as_bytes(), &settings(2, &[])), "a[truncated]");
        assert_eq!(text("aé".as_bytes(), &settings(3, &[])), "aé");
        assert_eq!(text(br#"{"k":1}"#, &settings(7, &["k"])), "{\"k\":\"[[truncated]");
        assert_eq!(
            text(br#"{"k":"0123456789012345"}"#, &settings(20, &["k"])),
            r#"{"k":"[redacted]"}[truncated]"#
        );
    }

    #[test]
    fn an_answer_is_joined_up_to_the_limit() {
        let names = settings(4, &[]);
        let mut bodies = Bodies::new(&names);
        bodies.on_bytes(b"ab");
        bodies.on_bytes(b"cd");
        assert!(bodies.reads());
        bodies.on_bytes(b"efgh");
        assert!(!bodies.reads());
        assert_eq!(bodies.finish(&names), (None, Some("abcd[truncated]".into())));
        for (name, value) in [("content-type", "audio/mpeg"), ("content-encoding", "gzip")] {
            let mut headers = Headers::default();
            headers.set("content-type", "application/json");
            headers.set(name, value);
            let mut bodies = Bodies::new(&names);
            bodies.on_headers(&headers);
            assert!(!bodies.reads(), "{name}");
            bodies.on_bytes(b"ab");
            assert_eq!(bodies.finish(&names), (None, None));
        }
    }
}
