//! The table of scenarios.

use super::provider::{Format, failing};
use super::scenario::{
    Case, Expected, FOREVER, Verdict, against_policy, busy, busy_first, counted_failure, cut,
    cut_connection, endless, good, malformed, stalling_after, too_long,
};
use super::support::upstream::Step;
use Verdict::{CleanError, Rescued};
use std::time::{Duration, SystemTime};

const fn expect(verdict: Verdict, order: &'static str, statuses: &'static [u16]) -> Expected {
    Expected { verdict, order, statuses }
}

const BOTH: &[bool] = &[false, true];
const STREAM: &[bool] = &[true];
const FORMATS: &[Format] = &[Format::OpenAi, Format::Anthropic];
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

/// All cases but those of a time series.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    [LIMITS, FAILURES, STREAMS, REFUSALS].into_iter().flatten()
}

const AGAIN: [Expected; 2] = [expect(Rescued, "pp", &[429, 200]); 2];

const LIMITS: &[Case] = &[
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
];

const FAILURES: &[Case] = &[
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
];

const CUT: [Expected; 2] = [expect(CleanError, "p", &[200]), expect(Rescued, "pf", &[503, 200])];
const ENDLESS: [Expected; 2] =
    [expect(CleanError, "p", &[200]), expect(Rescued, "pf", &[502, 200])];

const STREAMS: &[Case] = &[
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
        scenario: 8,
        name: "cut with its connection",
        streams: STREAM,
        primary: cut_connection,
        expected: ENDLESS,
        ..CASE
    },
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
];

/// A 400 that must not be tried again at the same target.
const RETRY_400: &str = r#","retry":{"attempts":2,"on_status_codes":[400]}"#;

const REFUSALS: &[Case] = &[
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
];
