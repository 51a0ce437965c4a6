//! Envoy's own answers (no cluster, no healthy upstream, time-out, reset, too large) as ours.

use crate::error::{Error, TIMEOUT};

/// The 413 for a body over the limit of `limit` bytes.
pub fn too_large(limit: u64) -> Error {
    let message = format!("Payload size exceeds the limit of {limit} bytes");
    Error::client(413, "payload_too_large", message)
        .with_hint("shorten the request, or raise limits.request_body in gateway.yaml")
}

/// The error for a provider that answered a chat completion with headers alone.
pub fn no_body(status: u16) -> Error {
    let message = format!("The provider answered with status {status} and no body");
    let status = if status < 400 { 502 } else { status };
    Error::provider(status, "empty_response", message)
}

/// The 408 for a provider that did not answer within `timeout` milliseconds.
pub fn timed_out(timeout: u64) -> Error {
    let message = format!("Request exceeded the timeout sent in the request: {timeout}ms");
    Error { kind: TIMEOUT, ..Error::provider(408, "request_timeout", message) }
}

/// The error for a last attempt that had no answer, of which `status` tells the kind.
pub fn without_answer(status: u16, timeout: u64) -> Error {
    match status {
        408 => timed_out(timeout),
        _ => unreachable(),
    }
}

/// The error for an answer with these `response_code_details`
/// (<https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/response_code_details>),
/// which Envoy answered with `status`. `timeout` is the request's, in milliseconds.
pub fn translate(details: &str, status: u16, timeout: u64, limit: u64) -> Error {
    let reason = details.split(['{', '(']).next().unwrap_or_default();
    match reason {
        "request_payload_too_large" => too_large(limit),
        "upstream_per_try_timeout" | "response_timeout" => timed_out(timeout),
        // Envoy's 408 is for a request that is not all there yet.
        "stream_idle_timeout" if status == 504 => stalled(),
        "upstream_per_try_idle_timeout" => stalled(),
        "stream_idle_timeout" | "request_overall_timeout" | "downstream_local_disconnect" => {
            Error::client(408, "request_stalled", "The request was not sent in time")
        }
        "no_healthy_upstream" | "dns_resolution_failure" => {
            let message = "The provider's host could not be resolved, or none of its addresses is \
                           healthy";
            Error::provider(503, "no_healthy_upstream", message)
        }
        "upstream_reset_before_response_started" | "upstream_reset_after_response_started" => {
            reset(details)
        }
        "upstream_response_timeout" | "upstream_max_stream_duration_reached" => stalled(),
        "route_not_found" | "cluster_not_found" => {
            Error::gateway("no_route", "The gateway has no route to this provider")
        }
        "failed_to_inject_credential" => {
            let message = "The gateway has no credential for this virtual key";
            Error::gateway("no_credential", message)
        }
        "response_payload_too_large" => {
            let message = "The provider's answer is too large to be translated";
            Error::provider(502, "response_too_large", message)
        }
        "upgrade_failed" => {
            let message = "A connection can be upgraded to a WebSocket alone";
            Error::client(400, "invalid_upgrade", message).with_param("upgrade")
        }
        "websocket_handshake_unsuccessful" => {
            let message = "The provider did not consent to a WebSocket";
            let status = if (400..600).contains(&status) { status } else { 502 };
            Error::provider(status, "upgrade_refused", message)
        }
        "local_rate_limited" | "request_rate_limited" => too_many_requests(),
        "rate_limiter_error" => {
            Error::gateway("no_rate_limits", "The rate-limit service does not answer")
                .with_status(503)
        }
        "overload" | "upstream_overflow" => {
            Error::gateway("overloaded", "The gateway is overloaded").with_status(503)
        }
        _ if (400..500).contains(&status) => {
            Error::client(status, "bad_request", "The gateway could not take this request")
        }
        _ => {
            let message = "The gateway failed to handle this request";
            let status = if (500..600).contains(&status) { status } else { 500 };
            Error::gateway("internal_error", message).with_status(status)
        }
    }
}

/// `upstream_reset_before_response_started{connection_failure,...}` and its kin.
fn reset(details: &str) -> Error {
    if details.contains("overflow") {
        return overloaded();
    }
    if details.contains("connection_failure") || details.contains("connection_timeout") {
        return unreachable();
    }
    let message = "The provider closed the connection before it answered";
    Error::provider(502, "upstream_reset", message)
}

/// The error for a caller whose limit Envoy has found used up.
fn too_many_requests() -> Error {
    let message = "Portkey Error: Rate Limit Exceeded. Error Code: 05";
    Error::client(429, "rate_limit_exceeded", message)
        .with_kind("requests")
        .with_hint("the caller may not make so many requests: try again later")
}

/// The error for a provider that stopped in its answer, or before it.
fn stalled() -> Error {
    Error::provider(504, "upstream_timeout", "The provider did not answer in time")
}

/// The error for a request beyond a circuit breaker's limits.
pub fn overloaded() -> Error {
    let message = "Too many requests to this provider are in flight";
    Error::provider(503, "overloaded", message)
}

/// The error for a provider that no connection reached.
pub fn unreachable() -> Error {
    Error::provider(503, "upstream_unreachable", "The provider could not be reached")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_of_envoy_has_a_status_and_a_code() {
        for (details, envoys, status, code) in [
            ("request_payload_too_large", 413, 413, "payload_too_large"),
            ("upstream_per_try_timeout", 504, 408, "request_timeout"),
            ("response_timeout", 504, 408, "request_timeout"),
            ("stream_idle_timeout", 408, 408, "request_stalled"),
            ("stream_idle_timeout", 504, 504, "upstream_timeout"),
            ("upstream_per_try_idle_timeout", 504, 504, "upstream_timeout"),
            ("no_healthy_upstream", 503, 503, "no_healthy_upstream"),
            ("dns_resolution_failure{not_found}", 503, 503, "no_healthy_upstream"),
            (
                "upstream_reset_before_response_started{connection_failure|delayed_connect_error:_111}",
                503,
                503,
                "upstream_unreachable",
            ),
            (
                "upstream_reset_before_response_started{connection_termination}",
                503,
                502,
                "upstream_reset",
            ),
            ("upstream_reset_before_response_started{overflow}", 503, 503, "overloaded"),
            ("cluster_not_found", 503, 500, "no_route"),
            ("failed_to_inject_credential", 401, 500, "no_credential"),
            ("upgrade_failed", 403, 400, "invalid_upgrade"),
            ("websocket_handshake_unsuccessful", 200, 502, "upgrade_refused"),
            ("websocket_handshake_unsuccessful", 401, 401, "upgrade_refused"),
            ("something_new", 431, 431, "bad_request"),
            ("something_new", 503, 503, "internal_error"),
            ("something_new", 200, 500, "internal_error"),
        ] {
            let error = translate(details, envoys, 250, 1000);
            assert_eq!((error.status, error.code), (status, code), "{details}");
        }
    }

    #[test]
    fn a_timeout_speaks_portkeys_words() {
        let error = translate("upstream_per_try_timeout", 504, 250, 0);
        assert_eq!(error.message, "Request exceeded the timeout sent in the request: 250ms");
        assert_eq!(error.kind, "timeout_error");
    }
}
