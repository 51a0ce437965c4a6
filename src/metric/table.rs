//! The table of metrics: what docs/metrics.md and the buckets of Envoy's histograms are made of.

/// What a metric is to Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Goes up.
    Counter,
    /// Is set.
    Gauge,
    /// Values by size, with the upper ends of its buckets.
    Histogram(&'static [u64]),
}

/// Whose labels a metric has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those of the request: [`REQUEST_LABELS`], and the tags.
    Request,
    /// Those of one attempt: [`ATTEMPT_LABELS`].
    Attempt,
    /// None.
    Process,
}

/// Labels of what is counted once a request.
pub const REQUEST_LABELS: [&str; 5] = ["endpoint", "provider", "model", "virtual_key", "caller"];
/// Labels of what is counted once an attempt.
pub const ATTEMPT_LABELS: [&str; 2] = ["provider", "virtual_key"];
/// Labels that single metrics have beside.
pub const OWN_LABELS: [&str; 7] = [
    "status",
    "error_type",
    "error_source",
    "token_type",
    "finish_reason",
    "limited_by",
    "config_version",
];

/// One metric.
#[derive(Debug)]
pub struct Row {
    /// Its name in Prometheus' format.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Whose labels it has.
    pub scope: Scope,
    /// Labels of its own.
    pub labels: &'static [&'static str],
    /// OpenTelemetry's name for the same thing.
    pub attribute: Option<&'static str>,
    /// What it means.
    pub description: &'static str,
}

/// Declares the metrics once: as values, and their rows.
macro_rules! metrics {
    ($($id:ident: $kind:expr, $scope:ident, $name:literal, [$($label:literal),*], $otel:expr, $text:literal;)*) => {
        /// A metric; the row says what it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs)] // The rows describe them.
        pub enum Metric { $($id,)* }

        /// Every metric.
        pub const ALL: &[Metric] = &[$(Metric::$id,)*];

        impl Metric {
            /// What it is.
            pub fn row(self) -> &'static Row {
                match self {
                    $(Self::$id => &Row {
                        name: $name,
                        kind: $kind,
                        scope: Scope::$scope,
                        labels: &[$($label),*],
                        attribute: $otel,
                        description: $text,
                    },)*
                }
            }
        }
    };
}

use Kind::{Counter, Gauge};

/// Seconds of the GenAI conventions as milliseconds: 10 ms to 82 s.
const DURATION: Kind =
    Kind::Histogram(&[10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10240, 20480, 40960, 81920]);
/// Until the first token, those of the conventions and a few for slow models.
const FIRST: Kind = Kind::Histogram(&[
    1, 5, 10, 20, 40, 60, 80, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000, 15000, 20000,
    30000, 45000, 60000,
]);
/// For each output token, in microseconds.
const EACH: Kind = Kind::Histogram(&[
    10_000, 25_000, 50_000, 75_000, 100_000, 150_000, 200_000, 300_000, 400_000, 500_000, 750_000,
    1_000_000, 2_500_000,
]);
/// Powers of four.
const TOKENS: Kind = Kind::Histogram(&[
    1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262_144, 1_048_576, 4_194_304, 16_777_216,
    67_108_864,
]);
/// What passes through the gateway itself.
const SHORT: Kind = Kind::Histogram(&[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]);
/// From a hundredth of a cent to ten dollars.
const COST: Kind = Kind::Histogram(&[
    1, 10, 100, 300, 1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 10_000_000,
]);

metrics! {
    Requests: Counter, Request, "portkey_requests_total", ["status"], None,
        "requests by the status that the client got; 0: it left before";
    Errors: Counter, Request, "portkey_errors_total", ["error_type", "error_source"], None,
        "requests with an error, as the log has it: `error_source` is `client`, `provider` or `gateway`";
    RateLimited: Counter, Request, "portkey_rate_limited_total", ["error_source"], None,
        "requests answered with 429: by a `provider`, or by the gateway itself";
    Limited: Counter, Request, "portkey_limited_total", ["limited_by"], None,
        "requests that a limit of their caller stopped";
    BookedTokens: Counter, Request, "portkey_booked_tokens_total", [], None,
        "what callers' tokens a minute went down by";
    BookedCost: Counter, Request, "portkey_budget_used_micro_usd_total", [], None,
        "what callers' budgets went down by, in millionths of a US dollar";
    Disconnects: Counter, Request, "portkey_client_disconnects_total", [], None,
        "requests whose client left before the end";
    Local: Counter, Request, "portkey_local_answers_total", [], None,
        "requests for which no provider was asked: cache hits, refusals";
    RequestBytes: Counter, Request, "portkey_request_bytes_total", [], None,
        "bytes of request bodies";
    ResponseBytes: Counter, Request, "portkey_response_bytes_total", [], None,
        "bytes of answers' bodies";
    Dropped: Counter, Request, "portkey_dropped_params_total", [], None,
        "requests with fields that the provider could not be told";
    Finished: Counter, Request, "portkey_finish_reasons_total", ["finish_reason"], None,
        "answers by OpenAI's finish reason of the first choice";
    Streams: Counter, Request, "portkey_streams_total", [], None,
        "requests for a stream to which a provider has answered with one";
    StreamsCompleted: Counter, Request, "portkey_streams_completed_total", [], None,
        "of those, streams that came to their own end";
    StreamsCut: Counter, Request, "portkey_streams_cut_total", [], None,
        "of those, streams that the provider broke off or ended too early";
    Retries: Counter, Request, "portkey_retries_total", [], None,
        "attempts at the target of the attempt before";
    Fallbacks: Counter, Request, "portkey_fallbacks_total", [], None,
        "attempts at another target than the attempt before";
    Rescued: Counter, Request, "portkey_rescued_total", [], None,
        "requests that succeeded after an attempt that did not";
    RetryWait: Counter, Request, "portkey_retry_wait_milliseconds_total", [], None,
        "time that providers asked to wait for between attempts";
    Attempts: Counter, Attempt, "portkey_attempts_total", ["status"], None,
        "attempts by the provider's status, or the one that stands for its failure";
    AttemptFailures: Counter, Attempt, "portkey_attempt_failures_total", [], None,
        "attempts with a status of 400 or above";
    InputTokens: Counter, Request, "portkey_input_tokens_total", [], Some("gen_ai.usage.input_tokens"),
        "all input tokens, cached ones included";
    OutputTokens: Counter, Request, "portkey_output_tokens_total", [], Some("gen_ai.usage.output_tokens"),
        "all output tokens, reasoning included";
    TotalTokens: Counter, Request, "portkey_tokens_total", [], None,
        "both";
    CachedTokens: Counter, Request, "portkey_cached_input_tokens_total", [], Some("gen_ai.usage.cache_read.input_tokens"),
        "input tokens read from the provider's cache";
    WrittenTokens: Counter, Request, "portkey_cache_creation_tokens_total", [], Some("gen_ai.usage.cache_creation.input_tokens"),
        "input tokens written to it";
    ReasoningTokens: Counter, Request, "portkey_reasoning_tokens_total", [], Some("gen_ai.usage.reasoning.output_tokens"),
        "output tokens spent on reasoning";
    AudioInputTokens: Counter, Request, "portkey_audio_input_tokens_total", [], None,
        "input tokens of audio";
    AudioOutputTokens: Counter, Request, "portkey_audio_output_tokens_total", [], None,
        "output tokens of audio";
    UsageKnown: Counter, Request, "portkey_usage_known_total", [], None,
        "answers whose provider told how many tokens they took";
    UsageUnknown: Counter, Request, "portkey_usage_unknown_total", [], None,
        "good answers whose provider did not";
    Cost: Counter, Request, "portkey_cost_micro_usd_total", [], None,
        "millionths of a US dollar that the tokens cost";
    CostKnown: Counter, Request, "portkey_cost_known_total", [], None,
        "answers with known tokens and prices";
    CostUnknown: Counter, Request, "portkey_cost_unknown_total", [], None,
        "answers with known tokens and no price";
    CacheHits: Counter, Request, "portkey_cache_hits_total", [], None,
        "answers from the cache to an equal request";
    CacheMisses: Counter, Request, "portkey_cache_misses_total", [], None,
        "requests that the cache had no answer to";
    CacheSemanticHits: Counter, Request, "portkey_cache_semantic_hits_total", [], None,
        "answers from the cache to a question that means the same";
    CacheSemanticMisses: Counter, Request, "portkey_cache_semantic_misses_total", [], None,
        "requests that the cache had neither answer to";
    CacheRefreshes: Counter, Request, "portkey_cache_refreshes_total", [], None,
        "requests that asked for a new answer";
    CacheStored: Counter, Request, "portkey_cache_stored_total", [], None,
        "answers that were put into the cache";
    SavedTokens: Counter, Request, "portkey_cache_saved_tokens_total", [], None,
        "tokens that hits saved";
    SavedTime: Counter, Request, "portkey_cache_saved_milliseconds_total", [], None,
        "what the kept answers took the first time";
    SavedCost: Counter, Request, "portkey_cache_saved_cost_micro_usd_total", [], None,
        "what they would have cost";
    TokenUsage: TOKENS, Request, "gen_ai_client_token_usage", ["token_type"], Some("gen_ai.client.token.usage"),
        "tokens of an answer; `token_type` is `input` or `output`";
    Duration: DURATION, Request, "gen_ai_client_operation_duration_milliseconds", [], Some("gen_ai.client.operation.duration"),
        "from the request headers to the end of the answer";
    FirstToken: FIRST, Request, "gen_ai_server_time_to_first_token_milliseconds", [], Some("gen_ai.server.time_to_first_token"),
        "from the request headers to the first content of a stream";
    EachToken: EACH, Request, "gen_ai_server_time_per_output_token_microseconds", [], Some("gen_ai.server.time_per_output_token"),
        "of a stream: time after the first content, for each output token but the first";
    FirstByte: FIRST, Request, "portkey_time_to_first_byte_milliseconds", [], None,
        "from the request headers to those of a provider's answer";
    Upstream: DURATION, Request, "portkey_upstream_duration_milliseconds", [], None,
        "all attempts of a request, each until its answer was judged";
    GatewayTime: SHORT, Request, "portkey_gateway_duration_milliseconds", [], None,
        "the gateway's own time until the response headers";
    Receive: SHORT, Request, "portkey_request_receive_milliseconds", [], None,
        "until a request was whole, where it is read whole";
    RequestCost: COST, Request, "portkey_request_cost_micro_usd", [], None,
        "millionths of a US dollar that an answer cost";
    AttemptDuration: DURATION, Attempt, "portkey_attempt_duration_milliseconds", [], None,
        "one attempt, until its answer was judged";
    VmMemory: Gauge, Process, "portkey_vm_memory_bytes", [], None,
        "memory of the module in the worker where it is largest; it never shrinks";
    ConfigInfo: Gauge, Process, "portkey_config_info", ["config_version"], None,
        "1 for the configuration that is in force, 0 for those before it";
    ConfigLoaded: Gauge, Process, "portkey_config_loaded_timestamp_seconds", [], None,
        "Unix time at which that was loaded";
    Overflow: Counter, Process, "portkey_metrics_overflow_total", [], None,
        "requests whose labels were more than `metrics.max_series` allows, and became `other`";
    SpansSent: Counter, Process, "portkey_trace_spans_total", [], None,
        "spans that the collector of traces has taken";
    SpansDropped: Counter, Process, "portkey_trace_spans_dropped_total", [], None,
        "spans that it has refused, or that found no room while it did not answer";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_prometheus_and_tell_the_unit() {
        let names: BTreeSet<&str> = ALL.iter().map(|metric| metric.row().name).collect();
        assert_eq!(names.len(), ALL.len(), "twice the same name");
        assert!(names.len() >= 42);
        for metric in ALL {
            let row = metric.row();
            assert!(row.name.starts_with("portkey_") || row.name.starts_with("gen_ai_"));
            assert!(row.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", row.name);
            assert_eq!(row.kind == Kind::Counter, row.name.ends_with("_total"), "{}", row.name);
            assert!(row.labels.iter().all(|label| OWN_LABELS.contains(label)), "{}", row.name);
            if let Kind::Histogram(buckets) = row.kind {
                assert!(buckets.is_sorted(), "{}", row.name);
            }
        }
    }
}
