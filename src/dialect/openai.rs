//! OpenAI's format: nothing is translated, answers are only observed for the log.

use super::raw::{array, object, object_in};
use super::{Facts, Usage, bounded, failure};
use crate::json::Object;
use crate::stream::Event;
use serde_json::value::RawValue;
use std::borrow::Cow;

members! {
    /// The fields of an answer, or of a chunk of one, that the log wants.
    struct Answer<'a> {
        id: Option<Cow<'a, str>>,
        model: Option<Cow<'a, str>>,
        choices: Option<&'a RawValue>,
        usage: Option<RawUsage>,
        /// Where Groq's streams have their usage.
        x_groq: Option<Extra>,
        error: Option<RawError<'a>>,
        /// In an event of the Responses API: the answer so far.
        response: Option<&'a RawValue>,
    }

    #[derive(Default)]
    struct Choice<'a> {
        finish_reason: Option<Cow<'a, str>>,
        /// Where Moonshot's streams have their usage.
        usage: Option<RawUsage>,
    }

    struct Extra {
        usage: Option<RawUsage>,
    }

    struct RawError<'a> {
        kind: Option<Cow<'a, str>> = "type",
    }

    struct RawUsage {
        prompt_tokens: Option<u64>,
        completion_tokens: Option<u64>,
        total_tokens: Option<u64>,
        prompt_tokens_details: Option<Details>,
        completion_tokens_details: Option<Details>,
        // The names of the Responses API.
        input_tokens: Option<u64>,
        output_tokens: Option<u64>,
        input_tokens_details: Option<Details>,
        output_tokens_details: Option<Details>,
        // DeepSeek's name.
        prompt_cache_hit_tokens: Option<u64>,
        // The name of Anthropic, and of Portkey.
        cache_creation_input_tokens: Option<u64>,
    }

    #[derive(Default)]
    struct Details {
        cached_tokens: Option<u64>,
        cache_write_tokens: Option<u64>,
        reasoning_tokens: Option<u64>,
        audio_tokens: Option<u64>,
    }
}

impl From<RawUsage> for Usage {
    fn from(raw: RawUsage) -> Self {
        let prompt = raw.prompt_tokens_details.or(raw.input_tokens_details).unwrap_or_default();
        let completion =
            raw.completion_tokens_details.or(raw.output_tokens_details).unwrap_or_default();
        let input = raw.prompt_tokens.or(raw.input_tokens).unwrap_or(0);
        let output = raw.completion_tokens.or(raw.output_tokens).unwrap_or(0);
        let reasoning = completion.reasoning_tokens.unwrap_or(0);
        // xAI's completion tokens are those of the answer alone; its total has the reasoning, too.
        let apart = input.saturating_add(output).saturating_add(reasoning);
        let whole = match raw.total_tokens == Some(apart) {
            true => output.saturating_add(reasoning),
            false => output,
        };
        let written = prompt.cache_write_tokens.or(raw.cache_creation_input_tokens);
        Self {
            prompt_tokens: input,
            completion_tokens: whole,
            cached_tokens: prompt.cached_tokens.or(raw.prompt_cache_hit_tokens).unwrap_or(0),
            cache_creation_tokens: written.unwrap_or(0),
            cache_creation_1h_tokens: 0,
            reasoning_tokens: reasoning,
            audio_input_tokens: prompt.audio_tokens.unwrap_or(0),
            audio_output_tokens: completion.audio_tokens.unwrap_or(0),
        }
    }
}

/// Reads the facts of a complete answer. What cannot be read is left out.
pub fn observe(body: &[u8], facts: &mut Facts) {
    facts.complete = true;
    if let Some(answer) = read(body) {
        note(answer, facts);
    }
}

fn read(body: &[u8]) -> Option<Answer<'_>> {
    object_in(body)
}

fn note(answer: Answer<'_>, facts: &mut Facts) {
    let Answer { id, model, choices, usage, x_groq, error, response } = answer;
    if let Some(response) = response.and_then(|raw| object(raw.get())) {
        note(response, facts);
    }
    if facts.id.is_none() {
        facts.id = id.map(bounded);
    }
    if facts.model.is_none() {
        facts.model = model.map(bounded);
    }
    let first = choices.and_then(|raw| array(raw.get())?.first().copied());
    let choice: Choice<'_> = first.and_then(|raw| object(raw.get())).unwrap_or_default();
    let extra = x_groq.and_then(|extra| extra.usage).or(choice.usage);
    if let Some(usage) = usage.or(extra) {
        facts.usage = Some(usage.into());
    }
    if let Some(reason) = choice.finish_reason {
        facts.finish_reason = Some(bounded(reason));
    }
    if let Some(error) = error {
        let kind = error.kind.map_or_else(|| "upstream_error".to_owned(), bounded);
        facts.error_type = Some(kind);
    }
}

/// Observes a streamed chat completion.
#[derive(Debug)]
pub struct Stream {
    pub(super) facts: Facts,
    provider: &'static str,
    /// An event had a name: no chat completion, so that no rule of its end applies.
    named: bool,
    /// Anything of an answer has come.
    pub(super) content: bool,
}

impl Stream {
    /// An observer at the start of a stream.
    pub fn new(provider: &'static str) -> Self {
        Self { facts: Facts::default(), provider, named: false, content: false }
    }

    pub(super) fn on_event(&mut self, event: Event<'_>) {
        if event.data == b"[DONE]" {
            self.facts.complete = true;
            return;
        }
        self.named |= !event.name.is_empty();
        self.content = self.content || has_content(event.data);
        // Most chunks carry a piece of text and nothing new: a search is cheaper than a parse.
        let news = self.facts.model.is_none()
            || has_value(event.data, b"\"usage\"", b'{')
            || has_value(event.data, b"\"finish_reason\"", b'"')
            || has_value(event.data, b"\"error\"", b'{');
        if news && let Some(answer) = read(event.data) {
            note(answer, &mut self.facts);
        }
    }

    /// Some providers send no `[DONE]`; an answer with a finish reason is complete without it.
    pub(super) fn on_end(&mut self, out: &mut Vec<u8>) {
        let Facts { complete, finish_reason, error_type, .. } = &mut self.facts;
        *complete |= finish_reason.is_some() && error_type.is_none();
        if !*complete && error_type.is_none() && !self.named {
            failure::write_truncated(out, self.provider, &mut self.facts);
        }
    }
}

/// Whether a chunk has more than a role in it.
fn has_content(data: &[u8]) -> bool {
    members! {
        struct Chunk<'a> {
            choices: Option<Vec<Piece<'a>>>,
        }

        struct Piece<'a> {
            delta: Option<&'a RawValue>,
            text: Option<&'a RawValue>,
            finish_reason: Option<&'a RawValue>,
        }
    }
    let chunk = || object_in::<Chunk<'_>>(data);
    chunk().and_then(|chunk| chunk.choices).into_iter().flatten().any(|choice| {
        let delta = choice.delta.and_then(|raw| Object::parse(raw.get().as_bytes()).ok());
        let said = delta.is_some_and(|delta| {
            let mut members = delta.iter();
            members.any(|(name, value)| {
                name != "role" && !["null", "\"\"", "[]", "{}"].contains(&value)
            })
        });
        said || choice.text.is_some() || choice.finish_reason.is_some()
    })
}

/// Whether `key` (with its quotes) is followed by a value that begins with `first`.
fn has_value(text: &[u8], key: &[u8], first: u8) -> bool {
    memchr::memmem::find_iter(text, key).any(|at| {
        let rest = text.get(at + key.len()..).unwrap_or_default().trim_ascii_start();
        rest.strip_prefix(b":")
            .is_some_and(|value| value.trim_ascii_start().first() == Some(&first))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_of_an_answer() {
        let mut facts = Facts::default();
        let body = br#"{"id":"c1","model":"gpt-4o","choices":[{"finish_reason":"stop"}],
            "usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,
            "prompt_tokens_details":{"cached_tokens":2,"audio_tokens":1},
            "completion_tokens_details":{"reasoning_tokens":1,"audio_tokens":2}}}"#;
        observe(body, &mut facts);
        let usage = Usage {
            prompt_tokens: 3,
            completion_tokens: 4,
            cached_tokens: 2,
            reasoning_tokens: 1,
            audio_input_tokens: 1,
            audio_output_tokens: 2,
            ..Usage::default()
        };
        assert_eq!(facts.usage, Some(usage));
        assert_eq!(facts.model.as_deref(), Some("gpt-4o"));
        assert_eq!(facts.finish_reason.as_deref(), Some("stop"));
        assert!(facts.complete);
    }

    #[test]
    fn counts_of_single_vendors_are_those_of_openai() {
        let tokens = |prompt_tokens, completion_tokens| Usage {
            prompt_tokens,
            completion_tokens,
            ..Usage::default()
        };
        for (usage, expected) in [
            // xAI.
            (
                r#"{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,
                    "completion_tokens_details":{"reasoning_tokens":94}}"#,
                Usage { reasoning_tokens: 94, ..tokens(32, 103) },
            ),
            // DeepSeek.
            (
                r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,
                    "prompt_cache_hit_tokens":8,"prompt_cache_miss_tokens":2}"#,
                Usage { cached_tokens: 8, ..tokens(10, 5) },
            ),
            (
                r#"{"input_tokens":10,"output_tokens":5,"total_tokens":15,
                    "input_tokens_details":{"cached_tokens":1,"cache_write_tokens":4}}"#,
                Usage { cached_tokens: 1, cache_creation_tokens: 4, ..tokens(10, 5) },
            ),
        ] {
            let mut facts = Facts::default();
            observe(format!(r#"{{"usage":{usage}}}"#).as_bytes(), &mut facts);
            assert_eq!(facts.usage, Some(expected), "{usage}");
        }
    }

    #[test]
    fn usage_is_found_where_single_vendors_have_it() {
        let usage = r#""usage":{"prompt_tokens":9,"completion_tokens":4}"#;
        for chunk in [
            format!(r#"{{"choices":[{{"delta":{{}}}}],"x_groq":{{"id":"r",{usage}}}}}"#),
            format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"stop",{usage}}}]}}"#),
        ] {
            let mut stream = Stream::new("groq");
            let first =
                br#"{"model":"m","choices":[{"delta":{"content":"a"}}],"x_groq":{"id":"r"}}"#;
            for data in [first, chunk.as_bytes()] {
                stream.on_event(Event { name: b"", data, failed: false });
            }
            assert_eq!(stream.facts.usage.map(|usage| usage.total_tokens()), Some(13), "{chunk}");
        }
    }

    #[test]
    fn a_role_alone_is_no_content() {
        for (delta, content) in [
            (r#"{"role":"assistant","content":"","refusal":null}"#, false),
            (r#"{"role":"assistant","content":"a"}"#, true),
            (r#"{"tool_calls":[{"index":0}]}"#, true),
            (r#"{"reasoning_content":"hm"}"#, true),
            ("{}", false),
        ] {
            let chunk = format!(r#"{{"choices":[{{"delta":{delta},"finish_reason":null}}]}}"#);
            assert_eq!(has_content(chunk.as_bytes()), content, "{delta}");
        }
        assert!(has_content(br#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#));
        assert!(!has_content(br#"{"choices":[],"usage":{}}"#));
    }

    #[test]
    fn a_stream_is_complete_when_it_says_so() {
        let mut stream = Stream::new("openai");
        for data in [
            r#"{"id":"c1","model":"m","choices":[{"delta":{"content":"a"},"finish_reason":null}]}"#,
            r#"{"choices":[{"delta":{"content":"b"},"finish_reason":"length"}]}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
            "not json",
        ] {
            stream.on_event(Event { name: b"", data: data.as_bytes(), failed: false });
        }
        assert!(!stream.facts.complete);
        stream.on_event(Event { name: b"", data: b"[DONE]", failed: false });
        assert!(stream.facts.complete);
        assert_eq!(stream.facts.finish_reason.as_deref(), Some("length"));
        assert_eq!(stream.facts.usage.map(|usage| usage.total_tokens()), Some(3));
    }
}
