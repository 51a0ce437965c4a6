//! The failures: what the first target answers, and what must come of it.

use super::provider::{self, Events, Format, failing, failure_event, stream};
use super::support::upstream::{Step, chunk};
use std::time::Duration;

/// What becomes of the client's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// A bounded failure that cannot be taken for an answer.
    CleanError,
    /// One whole answer.
    Rescued,
}

/// One request.
pub struct Case {
    /// Number of the scenario in the table of `main.rs`.
    pub scenario: usize,
    pub name: &'static str,
    /// Whether it is sent as a stream, not as a stream, or both.
    pub streams: &'static [bool],
    /// Formats of the first target that it is about.
    pub formats: &'static [Format],
    /// Further members of the first target.
    pub target: &'static str,
    /// The answer to the request of this number, from 0.
    pub primary: fn(Format, bool, usize) -> Vec<Step>,
    /// With default settings, and with `stream_hold: complete`.
    pub expected: [Expected; 2],
    /// Least time that it takes.
    pub waits: Duration,
}

/// What must come of it.
#[derive(Clone, Copy)]
pub struct Expected {
    pub verdict: Verdict,
    /// The targets that are asked, in order: `p` the first, `f` the second.
    pub order: &'static str,
    /// Status of each attempt in the log.
    pub statuses: &'static [u16],
}

/// Longer than any limit of the tests.
pub const FOREVER: Duration = Duration::from_secs(15);

pub fn good(format: Format, streams: bool, _: usize) -> Vec<Step> {
    provider::good(format, streams, "p")
}

pub fn busy(format: Format, headers: &str) -> Vec<Step> {
    failing(format, 429, headers, "rate_limit_error", "slow down")
}

/// Busy once.
pub fn busy_first(headers: &str, format: Format, streams: bool, number: usize) -> Vec<Step> {
    match number {
        0 => busy(format, headers),
        _ => good(format, streams, number),
    }
}

pub fn cut(format: Format, _: bool, _: usize) -> Vec<Step> {
    let mut steps = Events::of(format, "p").half();
    // What was written before must arrive as such.
    steps.extend([Step::Sleep(Duration::from_millis(100)), Step::Close]);
    steps
}

/// Cut where only the end of the connection tells the end of the body: to HTTP it is complete.
pub fn cut_connection(format: Format, _: bool, _: usize) -> Vec<Step> {
    let Events { head, pieces, .. } = Events::of(format, "p");
    let answer = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    let begin = Step::Write([answer.to_owned(), head.concat()].concat().into());
    let rest = Step::Write(pieces.concat().into());
    vec![begin, Step::Sleep(Duration::from_millis(100)), rest, Step::Close]
}

pub fn malformed(format: Format, _: bool, _: usize) -> Vec<Step> {
    let mut steps = Events::of(format, "p").whole();
    steps.insert(4, chunk("data: {\"type\":\"content_block_delta\",\"choices\":[{\"del\n\n"));
    steps
}

/// Ends cleanly, but without what marks the end.
pub fn endless(format: Format, finishes: bool) -> Vec<Step> {
    let Events { head, pieces, finish, .. } = Events::of(format, "p");
    let finish = if finishes { finish } else { Vec::new() };
    stream(&[head, pieces, finish].concat(), true)
}

/// Tells its usage, then fails.
pub fn counted_failure(format: Format, _: bool, _: usize) -> Vec<Step> {
    let usage = match format {
        Format::OpenAi => {
            let usage = r#""usage":{"prompt_tokens":999,"completion_tokens":999}"#;
            format!("data: {{\"id\":\"c\",\"model\":\"m\",\"choices\":[],{usage}}}\n\n")
        }
        Format::Anthropic => Events::of(format, "p").head[0].replace(":5,", ":999,"),
    };
    stream(&[usage, failure_event(format, "overloaded_error", "busy")], true)
}

pub fn stalling_after(format: Format, pieces: usize) -> Vec<Step> {
    let Events { head, pieces: text, .. } = Events::of(format, "p");
    let text = text.into_iter().take(pieces).collect();
    let mut steps = stream(&[head, text].concat(), false);
    steps.extend([Step::Sleep(FOREVER), Step::Close]);
    steps
}

/// The provider's own words for a request that is too long.
pub fn too_long(format: Format) -> Vec<Step> {
    let (code, message) = match format {
        Format::OpenAi => ("context_length_exceeded", "maximum context length is 8192 tokens"),
        Format::Anthropic => ("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"),
    };
    failing(format, 400, "", code, message)
}

/// The provider's own words for a request that it will not answer.
pub fn against_policy(format: Format) -> Vec<Step> {
    let (code, message) = match format {
        Format::OpenAi => ("content_filter", "The response was filtered"),
        Format::Anthropic => {
            ("invalid_request_error", "Output blocked by content filtering policy")
        }
    };
    failing(format, 400, "", code, message)
}
