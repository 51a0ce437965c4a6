//! The failures: what the first target answers, and what must come of it.

use super::provider::{self, Events, Format, failing, failure_event, stream};
use super::support::upstream::{Step, chunk};
use std::time::{Duration, SystemTime};

/// What becomes of the client's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// A bounded failure that cannot be taken for an answer.
    CleanError,
    /// One whole answer.
    Rescued,
}
use Verdict::{CleanError, Rescued};

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

const fn expect(verdict: Verdict, order: &'static str, statuses: &'static [u16]) -> Expected {
    Expected { verdict, order, statuses }
}

const BOTH: &[bool] = &[false, true];
const STREAM: &[bool] = &[true];
const FORMATS: &[Format] = &[Format::OpenAi, Format::Anthropic];
/// Longer than any limit of the tests.
const FOREVER: Duration = Duration::from_secs(15);
/// A 429 is tried again once, when the provider says.
const RETRY_429: &str =
    r#","retry":{"attempts":1,"on_status_codes":[429],"use_retry_after_header":true}"#;

/// A case with the most common properties: both kinds of requests, the second target's answer.
const CASE: Case = Case {
    scenario: 0,
    name: "",
    streams: BOTH,
    formats: FORMATS,
    target: "",
    primary: good,
    expected: [expect(Rescued, "pf", &[]); 2],
    waits: Duration::ZERO,
};

fn good(format: Format, streams: bool, _: usize) -> Vec<Step> {
    provider::good(format, streams, "p")
}

fn busy(format: Format, headers: &str) -> Vec<Step> {
    failing(format, 429, headers, "rate_limit_error", "slow down")
}

/// Busy once.
fn busy_first(headers: &str, format: Format, streams: bool, number: usize) -> Vec<Step> {
    match number {
        0 => busy(format, headers),
        _ => good(format, streams, number),
    }
}

fn cut(format: Format, _: bool, _: usize) -> Vec<Step> {
    let mut steps = Events::of(format, "p").half();
    // What was written before must arrive as such.
    steps.extend([Step::Sleep(Duration::from_millis(100)), Step::Close]);
    steps
}

fn malformed(format: Format, _: bool, _: usize) -> Vec<Step> {
    let mut steps = Events::of(format, "p").whole();
    steps.insert(4, chunk("data: {\"type\":\"content_block_delta\",\"choices\":[{\"del\n\n"));
    steps
}

/// Ends cleanly, but without what marks the end.
fn endless(format: Format, finishes: bool) -> Vec<Step> {
    let Events { head, pieces, finish, .. } = Events::of(format, "p");
    let finish = if finishes { finish } else { Vec::new() };
    stream(&[head, pieces, finish].concat(), true)
}

/// Tells its usage, then fails.
fn counted_failure(format: Format, _: bool, _: usize) -> Vec<Step> {
    let usage = match format {
        Format::OpenAi => {
            let usage = r#""usage":{"prompt_tokens":999,"completion_tokens":999}"#;
            format!("data: {{\"id\":\"c\",\"model\":\"m\",\"choices\":[],{usage}}}\n\n")
        }
        Format::Anthropic => Events::of(format, "p").head[0].replace(":5,", ":999,"),
    };
    stream(&[usage, failure_event(format, "overloaded_error", "busy")], true)
}

/// All cases but those of a time series.
pub fn cases() -> Vec<Case> {
    [limits(), failures(), streams(), refusals()].into_iter().flatten().collect()
}

fn limits() -> Vec<Case> {
    const AGAIN: [Expected; 2] = [expect(Rescued, "pp", &[429, 200]); 2];
    vec![
        Case {
            scenario: 1,
            name: "429",
            primary: |format, _, _| busy(format, ""),
            expected: [expect(Rescued, "pf", &[429, 200]); 2],
            ..CASE
        },
        Case {
            scenario: 2,
            name: "429, Retry-After in seconds",
            target: RETRY_429,
            primary: |format, streams, n| busy_first("retry-after: 1\r\n", format, streams, n),
            expected: AGAIN,
            waits: Duration::from_secs(1),
            ..CASE
        },
        Case {
            scenario: 2,
            name: "429, Retry-After as a date",
            target: RETRY_429,
            primary: |format, streams, n| {
                // The date has whole seconds: between one and two are left.
                let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(2));
                busy_first(&format!("retry-after: {date}\r\n"), format, streams, n)
            },
            expected: AGAIN,
            waits: Duration::from_secs(1),
            ..CASE
        },
        Case {
            scenario: 2,
            name: "429, retry-after-ms",
            target: RETRY_429,
            primary: |format, streams, n| busy_first("retry-after-ms: 400\r\n", format, streams, n),
            expected: AGAIN,
            waits: Duration::from_millis(400),
            ..CASE
        },
        Case {
            scenario: 2,
            name: "429, Retry-After too long to wait",
            target: RETRY_429,
            primary: |format, streams, n| busy_first("retry-after: 3600\r\n", format, streams, n),
            expected: [expect(Rescued, "pf", &[429, 200]); 2],
            ..CASE
        },
    ]
}

fn failures() -> Vec<Case> {
    vec![
        Case {
            scenario: 3,
            name: "one 500",
            target: r#","retry":{"attempts":1}"#,
            primary: |format, streams, number| match number {
                0 => failing(format, 500, "", "api_error", "oops"),
                _ => good(format, streams, number),
            },
            expected: [expect(Rescued, "pp", &[500, 200]); 2],
            waits: Duration::from_secs(1),
            ..CASE
        },
        Case {
            scenario: 4,
            name: "503 for good",
            target: r#","retry":{"attempts":1}"#,
            primary: |format, _, _| failing(format, 503, "", "api_error", "down"),
            expected: [expect(Rescued, "ppf", &[503, 503, 200]); 2],
            waits: Duration::from_secs(1),
            ..CASE
        },
        Case {
            scenario: 5,
            name: "closed before an answer",
            primary: |_, _, _| vec![Step::Close],
            expected: [expect(Rescued, "pf", &[503, 200]); 2],
            ..CASE
        },
        Case {
            scenario: 6,
            name: "no answer",
            target: r#","request_timeout":500"#,
            primary: |_, _, _| vec![Step::Sleep(FOREVER), Step::Close],
            expected: [expect(Rescued, "pf", &[408, 200]); 2],
            waits: Duration::from_millis(500),
            ..CASE
        },
        Case {
            scenario: 16,
            name: "usage, then an error",
            streams: STREAM,
            primary: counted_failure,
            expected: [expect(Rescued, "pf", &[529, 200]); 2],
            ..CASE
        },
    ]
}

fn streams() -> Vec<Case> {
    const CUT: [Expected; 2] =
        [expect(CleanError, "p", &[200]), expect(Rescued, "pf", &[503, 200])];
    const ENDLESS: [Expected; 2] =
        [expect(CleanError, "p", &[200]), expect(Rescued, "pf", &[502, 200])];
    vec![
        Case {
            scenario: 7,
            name: "no first token",
            streams: STREAM,
            target: r#","first_token_timeout":500"#,
            primary: |format, _, _| stalling_after(format, 0),
            expected: [expect(Rescued, "pf", &[504, 200]); 2],
            waits: Duration::from_millis(500),
            ..CASE
        },
        Case { scenario: 8, name: "cut", streams: STREAM, primary: cut, expected: CUT, ..CASE },
        Case {
            scenario: 9,
            name: "stalls",
            streams: STREAM,
            primary: |format, _, _| stalling_after(format, 2),
            expected: CUT,
            ..CASE
        },
        Case {
            scenario: 10,
            name: "malformed chunk",
            streams: STREAM,
            primary: malformed,
            expected: [expect(Rescued, "p", &[200]); 2],
            ..CASE
        },
        Case {
            scenario: 11,
            name: "no finish reason, no end",
            streams: STREAM,
            primary: |format, _, _| endless(format, false),
            expected: ENDLESS,
            ..CASE
        },
        Case {
            scenario: 11,
            name: "no message_stop",
            streams: STREAM,
            formats: &[Format::Anthropic],
            primary: |format, _, _| endless(format, true),
            expected: ENDLESS,
            ..CASE
        },
        Case {
            scenario: 11,
            name: "no [DONE] after the finish reason",
            streams: STREAM,
            formats: &[Format::OpenAi],
            primary: |format, _, _| endless(format, true),
            expected: [expect(Rescued, "p", &[200]); 2],
            ..CASE
        },
        Case {
            scenario: 14,
            name: "cut, no prefill",
            streams: STREAM,
            primary: cut,
            expected: CUT,
            ..CASE
        },
    ]
}

fn stalling_after(format: Format, pieces: usize) -> Vec<Step> {
    let Events { head, pieces: text, .. } = Events::of(format, "p");
    let text = text.into_iter().take(pieces).collect();
    let mut steps = stream(&[head, text].concat(), false);
    steps.extend([Step::Sleep(FOREVER), Step::Close]);
    steps
}

/// A 400 that must not be tried again at the same target.
const RETRY_400: &str = r#","retry":{"attempts":2,"on_status_codes":[400]}"#;

fn refusals() -> Vec<Case> {
    vec![
        Case {
            scenario: 12,
            name: "longer than the context",
            target: RETRY_400,
            primary: |format, _, _| too_long(format),
            expected: [expect(Rescued, "pf", &[400, 200]); 2],
            ..CASE
        },
        Case {
            scenario: 13,
            name: "against the content policy",
            target: RETRY_400,
            primary: |format, _, _| against_policy(format),
            expected: [expect(Rescued, "pf", &[400, 200]); 2],
            ..CASE
        },
    ]
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
