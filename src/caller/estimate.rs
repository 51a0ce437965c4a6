//! What a request may use, before anybody knows: tokens of its body, and of the answer that it
//! allows.

use crate::endpoint::Endpoint;
use crate::json::Object;

/// Bytes of text to a token, as a rule of thumb for English.
const BYTES_PER_TOKEN: u64 = 4;
/// Tokens of an answer whose length the request does not limit.
const USUAL_ANSWER: u64 = 1000;
/// A string of that many bytes without a blank is no text but an image or a file...
const LONG: usize = 1024;
/// ...and taken for so many tokens.
const ATTACHMENT: u64 = 1000;

/// An estimate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Tokens of the prompt.
    pub prompt: u64,
    /// Tokens of the answer.
    pub answer: u64,
    /// Whether the request itself limits the answer.
    pub limited: bool,
}

impl Estimate {
    /// The estimate for a JSON body.
    pub fn of(endpoint: Endpoint, body: &Object<'_>) -> Self {
        let prompt = body.iter().map(|(_, raw)| prompt_tokens(raw)).fold(0, u64::saturating_add);
        let number = |name: &str| body.get(name).and_then(|raw| raw.trim().parse::<u64>().ok());
        let names = ["max_completion_tokens", "max_tokens", "max_output_tokens"];
        let limit = names.into_iter().find_map(number);
        let choices = number("n").unwrap_or(1).clamp(1, 128);
        let answers = answers(endpoint);
        let answer = if answers { limit.unwrap_or(USUAL_ANSWER) } else { 0 };
        let answer = answer.saturating_mul(choices);
        Self { prompt, answer, limited: limit.is_some() && answers }
    }

    /// Tokens of both.
    pub fn tokens(&self) -> u64 {
        self.prompt.saturating_add(self.answer)
    }
}

/// Whether the answer is made of tokens that are counted.
fn answers(endpoint: Endpoint) -> bool {
    use Endpoint::{ChatCompletions, Completions, Messages, Other, Responses};
    matches!(endpoint, ChatCompletions | Completions | Messages | Responses | Other)
}

/// Tokens of the strings in some raw JSON.
fn prompt_tokens(raw: &str) -> u64 {
    let (mut bytes, mut attachments) = (0_u64, 0_u64);
    let mut rest = raw.as_bytes();
    while let Some(start) = memchr::memchr(b'"', rest) {
        rest = rest.get(start + 1..).unwrap_or_default();
        let end = string_end(rest);
        let (text, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        match text.get(..LONG) {
            Some(head) if memchr::memchr(b' ', head).is_none() => {
                attachments = attachments.saturating_add(ATTACHMENT);
            }
            _ => bytes = bytes.saturating_add(text.len() as u64),
        }
        rest = after.get(1..).unwrap_or_default();
    }
    bytes.div_ceil(BYTES_PER_TOKEN).saturating_add(attachments)
}

/// Where the string that has begun ends.
fn string_end(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if text.get(at) == Some(&b'"') {
            return at;
        }
        at += 2;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(endpoint: Endpoint, json: &str) -> Estimate {
        Estimate::of(endpoint, &Object::parse(json.as_bytes()).unwrap())
    }

    #[test]
    fn text_counts_by_length_and_attachments_by_piece() {
        let chat = Endpoint::ChatCompletions;
        let text = "word ".repeat(800);
        let image = "A".repeat(100_000);
        let short = of(chat, r#"{"model":"m","max_tokens":7,"n":2,"messages":[]}"#);
        assert_eq!(short, Estimate { prompt: 1, answer: 14, limited: true });
        let long = of(chat, &format!(r#"{{"messages":[{{"content":"{text}"}}]}}"#));
        assert_eq!((long.prompt, long.answer, long.limited), (1002, 1000, false));
        let seen = of(chat, &format!(r#"{{"messages":["data:image/png;base64,{image}","hi"]}}"#));
        assert_eq!(seen.tokens(), 1001 + 1000);
        let vector = of(Endpoint::Embeddings, r#"{"input":"eight by","max_tokens":5}"#);
        assert_eq!((vector.tokens(), vector.limited), (2, false));
    }

    #[test]
    fn escapes_and_huge_numbers_are_no_trap() {
        for raw in [r#""\"""#, r#""\\""#, r#""a\"b","c""#, r#"["\u0022","#, "\"", "\"\\", ""] {
            let _ = prompt_tokens(raw);
        }
        assert_eq!(prompt_tokens(r#""a\"bc","d""#), 2);
        let body = r#"{"max_tokens":18446744073709551615,"n":18446744073709551615}"#;
        assert_eq!(of(Endpoint::Messages, body).tokens(), u64::MAX);
    }
}
