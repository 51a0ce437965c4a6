//! What an answer says about the attempt: its status, how long the provider wants to be left
//! alone, whether it refuses the request for good.

use crate::decide::{Outcome, Refusal};
use crate::dialect::raw::object_in;
use crate::error::Error;
use crate::gateway::envoy_error;
use crate::http::Headers;
use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

/// The outcome as far as headers tell it. `now` is Unix time in milliseconds.
pub fn of_headers(headers: &Headers, now: u64) -> Outcome {
    let status = headers.text(":status").and_then(|text| text.parse().ok()).unwrap_or(502);
    Outcome { retry_after: retry_after(headers, now), ..Outcome::of(status) }
}

/// The error for a status that ends no request: none of HTTP's, or the consent to an upgrade that
/// nobody asked for. The headers get the error's status.
pub fn of_no_answer(headers: &mut Headers, upgrades: bool) -> Option<Error> {
    let status = headers.text(":status").and_then(|text| text.parse::<u16>().ok());
    if status.is_some_and(|status| (200..600).contains(&status) || (status == 101 && upgrades)) {
        return None;
    }
    let message = "The provider answered with a status that is no answer to this request";
    let error = Error::provider(502, "invalid_response", message);
    headers.set(":status", error.status.to_string());
    Some(error)
}

/// Milliseconds that a provider wants to be left alone, in the first form that is there.
fn retry_after(headers: &Headers, now: u64) -> Option<u64> {
    let number = |name| headers.text(name).and_then(|text| text.trim().parse::<f64>().ok());
    let milliseconds = |number: f64| Duration::try_from_secs_f64(number / 1000.0).ok();
    let pause = number("retry-after-ms").or_else(|| number("x-ms-retry-after-ms"));
    if let Some(pause) = pause.and_then(milliseconds) {
        return u64::try_from(pause.as_millis()).ok();
    }
    if let Some(seconds) = number("retry-after") {
        let pause = Duration::try_from_secs_f64(seconds).ok()?;
        return u64::try_from(pause.as_millis()).ok();
    }
    let date = httpdate::parse_http_date(headers.text("retry-after")?).ok()?;
    let now = UNIX_EPOCH + Duration::from_millis(now);
    u64::try_from(date.duration_since(now).unwrap_or_default().as_millis()).ok()
}

/// Why the provider will never take the request, by the error body that the client gets.
pub fn refusal(body: &[u8]) -> Option<Refusal> {
    members! {
        struct Body<'a> {
            error: Detail<'a>,
        }

        struct Detail<'a> {
            code: Option<Cow<'a, str>>,
            kind: Option<Cow<'a, str>> = "type",
            message: Option<Cow<'a, str>>,
        }
    }
    let Body { error } = object_in(body)?;
    let is = |word: &str| {
        let named =
            |name: &Option<Cow<'_, str>>| name.as_ref().is_some_and(|name| name.as_ref() == word);
        named(&error.code) || named(&error.kind)
    };
    let says = |words: &str| error.message.as_ref().is_some_and(|text| text.contains(words));
    // Anthropic has no codes for either, only words; Google and Cohere have none for the length.
    let filtered =
        ["content_filter", "content_policy_violation", "moderation_blocked"].into_iter().any(is);
    if filtered || says("blocked by content filtering policy") {
        return Some(Refusal::ContentPolicy);
    }
    let long = is("context_length_exceeded") || is("string_above_max_length");
    let said = [
        "prompt is too long",
        "exceeds the maximum number of tokens allowed",
        "too many tokens: size limit exceeded",
        "too many tokens: total number of tokens",
    ];
    (long || said.into_iter().any(says)).then_some(Refusal::ContextLength)
}

/// The error for an answer that a relay of ours made, by Envoy's response flags.
pub fn local(flags: &str, timeout: u64) -> Error {
    match flags {
        flags if flags.contains("UT") => envoy_error::timed_out(timeout),
        flags if flags.contains("UO") => envoy_error::overloaded(),
        _ => envoy_error::unreachable(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_in_any_of_its_forms() {
        // Sun, 06 Nov 1994 08:49:37 GMT.
        let now = 784_111_777_000;
        let ask = |name: &str, value: &str| {
            let mut headers = Headers::default();
            headers.push(":status", "429");
            headers.push(name, value);
            of_headers(&headers, now).retry_after
        };
        assert_eq!(ask("retry-after", "3"), Some(3000));
        assert_eq!(ask("retry-after", "0.5"), Some(500));
        assert_eq!(ask("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT"), Some(10_000));
        assert_eq!(ask("retry-after", "Sun, 06 Nov 1994 08:49:27 GMT"), Some(0));
        assert_eq!(ask("retry-after-ms", "250"), Some(250));
        assert_eq!(ask("x-ms-retry-after-ms", "70"), Some(70));
        for nonsense in ["", "soon", "-1", "NaN", "inf", "1e300"] {
            assert_eq!(ask("retry-after", nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_status_that_ends_no_request_is_a_failure() {
        for (status, upgrades, fails) in [
            ("200", false, false),
            ("599", false, false),
            ("101", true, false),
            ("101", false, true),
            ("100", true, true),
            ("600", false, true),
            ("34463", false, true),
            ("", false, true),
        ] {
            let mut headers = Headers::default();
            headers.push(":status", status);
            let error = of_no_answer(&mut headers, upgrades);
            assert_eq!(error.map(|error| error.status), fails.then_some(502), "{status}");
            let left = if fails { "502" } else { status };
            assert_eq!(headers.text(":status"), Some(left));
        }
    }

    #[test]
    fn refusals_are_known_by_code_or_words() {
        for (body, expected) in [
            (r#"{"error":{"code":"content_filter"}}"#, Some(Refusal::ContentPolicy)),
            (r#"{"error":{"code":"context_length_exceeded"}}"#, Some(Refusal::ContextLength)),
            (
                r#"{"error":{"message":"anthropic error: prompt is too long: 9 > 8"}}"#,
                Some(Refusal::ContextLength),
            ),
            (
                r#"{"error":{"message":"google error: The input token count (9) exceeds the maximum number of tokens allowed (8).","type":"INVALID_ARGUMENT","code":"400"}}"#,
                Some(Refusal::ContextLength),
            ),
            (
                r#"{"error":{"message":"cohere error: too many tokens: size limit exceeded by 9 tokens."}}"#,
                Some(Refusal::ContextLength),
            ),
            (
                r#"{"error":{"message":"cohere error: too many tokens: max tokens must be less than or equal to 8"}}"#,
                None,
            ),
            (
                r#"{"error":{"message":"anthropic error: Output blocked by content filtering policy","type":"invalid_request_error"}}"#,
                Some(Refusal::ContentPolicy),
            ),
            (r#"{"error":{"code":"rate_limit","type":null,"message":"x"}}"#, None),
            (r#"{"error":"x"}"#, None),
            ("", None),
        ] {
            assert_eq!(refusal(body.as_bytes()), expected, "{body}");
        }
    }
}
