//! The table of the log's fields: what docs/log.md and docs/log.schema.json are made of.

/// Version of the format. It goes up when a field is renamed, dropped or means something else;
/// new fields do not change it.
pub const VERSION: u32 = 1;

/// One field of a line.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What its value is when it is not null.
    pub kind: Kind,
    /// Unit of a number, in UCUM's words as OpenTelemetry has them.
    pub unit: Option<&'static str>,
    /// Who knows it.
    pub source: Source,
    /// OpenTelemetry's name for the same thing, or ours where it has none: the attribute of OTLP
    /// logs and spans.
    pub attribute: Option<&'static str>,
    /// What it means.
    pub description: &'static str,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// A whole number that is not negative.
    Count,
    /// Any number.
    Number,
    /// `true` or `false`.
    Flag,
    /// A JSON object.
    Object,
}

/// Who knows a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Envoy: it is there for every request, and never null.
    Envoy,
    /// The gateway role: it is missing for requests that Envoy refuses before the module sees
    /// them, for bad HTTP.
    Gateway,
    /// The provider role, of the last attempt.
    Provider,
}

use Kind::{Count, Flag, Number, Object, Text};
use Source::{Envoy, Gateway, Provider};

const fn field(name: &'static str, kind: Kind, source: Source, description: &'static str) -> Field {
    Field { name, kind, unit: None, source, attribute: None, description }
}

impl Field {
    const fn unit(self, unit: &'static str) -> Self {
        Self { unit: Some(unit), ..self }
    }

    const fn is(self, attribute: &'static str) -> Self {
        Self { attribute: Some(attribute), ..self }
    }
}

/// Every field of a line.
pub const FIELDS: &[Field] = &[
    field("schema", Count, Envoy, "version of this format"),
    field("time", Text, Envoy, "when the request began: `2026-11-25T04:00:00.000Z`"),
    field("status", Count, Envoy, "HTTP status that the client got; 0: it left before")
        .is("http.response.status_code"),
    field("response_flags", Text, Envoy, "Envoy's flags, such as `DC` (the client left); `-`: none"),
    field("attempts", Count, Envoy, "requests to providers; 0: it was answered here"),
    field("duration_ms", Count, Envoy, "from the first byte of the request to the last of the answer")
        .unit("ms"),
    field("bytes_received", Count, Envoy, "size of the request's body").unit("By"),
    field("bytes_sent", Count, Envoy, "size of the answer's body").unit("By"),
    field("trace_id", Text, Gateway, "`x-portkey-trace-id`, else the trace of `traceparent`, else the request's id")
        .is("portkey.trace_id"),
    field("span_id", Text, Gateway, "`x-portkey-span-id`, or with `traces` the one made up").is("portkey.span_id"),
    field("parent_span_id", Text, Gateway, "`x-portkey-parent-span-id`, or that of `traceparent`")
        .is("portkey.parent_span_id"),
    field("span_name", Text, Gateway, "`x-portkey-span-name`").is("portkey.span_name"),
    field("caller", Text, Gateway, "who asked, where gateway.yaml names callers")
        .is("portkey.caller"),
    field(
        "metadata",
        Object,
        Gateway,
        "`x-portkey-metadata`: tags, among them `_user`, `_organisation`, `_prompt` and \
         `_environment`",
    )
    .is("portkey.metadata"),
    field("endpoint", Text, Gateway, "operation, such as `chat_completions`")
        .is("portkey.endpoint"),
    field("provider", Text, Gateway, "slug of the provider of the last target")
        .is("gen_ai.provider.name"),
    field("virtual_key", Text, Gateway, "slug of the last target's virtual key")
        .is("portkey.virtual_key"),
    field("config", Text, Gateway, "slug of the saved config").is("portkey.config"),
    field("config_version", Text, Gateway, "which state of the gateway's own configuration it was")
        .is("portkey.config_version"),
    field("request_model", Text, Gateway, "model that the client asked for")
        .is("gen_ai.request.model"),
    field("stream", Flag, Gateway, "whether the client asked for a stream")
        .is("gen_ai.request.stream"),
    field("cluster", Text, Gateway, "Envoy's cluster of the last target").is("portkey.cluster"),
    field("option_index", Text, Gateway, "where the last target stands in the config")
        .is("portkey.option_index"),
    field(
        "trail",
        Text,
        Gateway,
        "every attempt with status and time: `config.targets[0]=503 12ms, config.targets[1]=200 340ms`",
    )
    .is("portkey.trail"),
    field("error_type", Text, Gateway, "code of the error: the gateway's own, else the provider's")
        .is("error.type"),
    field("error_source", Text, Gateway, "`client`, `provider` or `gateway`")
        .is("portkey.error_source"),
    field(
        "cache_status",
        Text,
        Gateway,
        "`HIT`, `MISS`, `SEMANTIC HIT`, `SEMANTIC MISS` or `REFRESH`, where the cache was asked",
    )
    .is("portkey.cache_status"),
    field("cache_similarity", Number, Gateway, "cosine of a semantic hit")
        .is("portkey.cache_similarity"),
    field("saved_tokens", Count, Gateway, "tokens that a hit saved").unit("{token}"),
    field("saved_ms", Count, Gateway, "what the kept answer took the first time").unit("ms"),
    field("saved_cost_micro_usd", Count, Gateway, "what it would have cost").unit("uUSD"),
    field("cost_micro_usd", Count, Gateway, "what the tokens cost: see prices.md")
        .unit("uUSD")
        .is("portkey.cost_micro_usd"),
    field(
        "limited_by",
        Text,
        Gateway,
        "the limit of the caller that stopped the request: `requests_per_minute`, \
         `tokens_per_minute`, `budget` or `rate_limit_service`; see callers.md",
    )
    .is("portkey.limited_by"),
    field("booked_tokens", Count, Gateway, "what the caller's tokens a minute went down by")
        .unit("{token}")
        .is("portkey.booked_tokens"),
    field("booked_micro_usd", Count, Gateway, "what the caller's budget went down by")
        .unit("uUSD")
        .is("portkey.booked_micro_usd"),
    field("budget_left_micro_usd", Count, Gateway, "what was left of it then")
        .unit("uUSD")
        .is("portkey.budget_left_micro_usd"),
    field("request_ms", Count, Gateway, "until the request was whole, where it is read whole")
        .unit("ms"),
    field("upstream_ms", Count, Gateway, "of all attempts, each until its answer was judged")
        .unit("ms"),
    field(
        "gateway_ms",
        Count,
        Gateway,
        "of the gateway until the response headers: the rest beside `request_ms`, `upstream_ms` \
         and waits between attempts",
    )
    .unit("ms"),
    field("time_to_first_byte_ms", Count, Gateway, "until the response headers of a provider")
        .unit("ms"),
    field("time_to_first_token_ms", Count, Gateway, "until the first content of a stream")
        .unit("ms")
        .is("portkey.time_to_first_token_ms"),
    field(
        "time_per_output_token_us",
        Count,
        Gateway,
        "of a stream: time after the first content, for each output token but the first",
    )
    .unit("us"),
    field("response_code_details", Text, Gateway, "Envoy's word for how the answer came about"),
    field("request_body", Text, Gateway, "JSON that the client sent, where bodies are wanted"),
    field(
        "response_body",
        Text,
        Gateway,
        "what the client got, where bodies are wanted and if it is a text",
    ),
    field("response_id", Text, Provider, "the provider's id of the answer").is("gen_ai.response.id"),
    field("response_model", Text, Provider, "model that answered").is("gen_ai.response.model"),
    field("finish_reason", Text, Provider, "OpenAI's, of the first choice")
        .is("gen_ai.response.finish_reasons"),
    field("complete", Flag, Provider, "whether the answer came to its own end")
        .is("portkey.complete"),
    field("prompt_tokens", Count, Provider, "all input tokens, cached ones included")
        .unit("{token}")
        .is("gen_ai.usage.input_tokens"),
    field("completion_tokens", Count, Provider, "all output tokens, reasoning included")
        .unit("{token}")
        .is("gen_ai.usage.output_tokens"),
    field("total_tokens", Count, Provider, "both").unit("{token}"),
    field("cached_tokens", Count, Provider, "input tokens read from the provider's cache")
        .unit("{token}")
        .is("gen_ai.usage.cache_read.input_tokens"),
    field("cache_creation_tokens", Count, Provider, "input tokens written to it")
        .unit("{token}")
        .is("gen_ai.usage.cache_creation.input_tokens"),
    field("reasoning_tokens", Count, Provider, "output tokens spent on reasoning")
        .unit("{token}")
        .is("gen_ai.usage.reasoning.output_tokens"),
    field("audio_input_tokens", Count, Provider, "input tokens of audio").unit("{token}"),
    field("audio_output_tokens", Count, Provider, "output tokens of audio").unit("{token}"),
    field(
        "dropped_params",
        Text,
        Provider,
        "fields of the request that the provider could not be told",
    )
    .is("portkey.dropped_params"),
];
