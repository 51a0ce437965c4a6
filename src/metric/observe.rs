//! What one request adds to the metrics.

use super::label;
use super::table::Metric;
use super::{Group, Metrics, Own, Sample};
use crate::cache::shared::Shared;
use crate::dialect::{Facts, Usage};
use crate::price::Catalogue;
use crate::record::Record;

/// One attempt.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// Index of the target in the plan.
    pub target: usize,
    /// Slug of the provider.
    pub provider: &'a str,
    /// Slug of the virtual key.
    pub virtual_key: Option<&'a str>,
    /// The provider's status, or the one that stands for its failure.
    pub status: u16,
    /// Milliseconds until that was known.
    pub ms: u64,
}

/// A request that is over.
#[derive(Debug)]
pub struct Seen<'a> {
    /// What the log says.
    pub record: &'a Record,
    /// What is known of the answer, if a provider was asked.
    pub facts: Option<&'a Facts>,
    /// Every attempt.
    pub attempts: &'a [Attempt<'a>],
    /// Milliseconds that providers asked to wait for.
    pub waited: u64,
    /// Whether the provider could not be told all of the request.
    pub dropped: bool,
    /// What the client got; 0: it left before.
    pub status: u16,
    /// Whether the client left before the end.
    pub left: bool,
    /// Whether the answer was put into the cache.
    pub stored: bool,
    /// Milliseconds from the request headers to the end.
    pub ms: u64,
    /// Bytes of the request's body.
    pub received: u64,
    /// Bytes of the answer's body.
    pub sent: u64,
    /// What models cost, and their names.
    pub prices: &'a Catalogue,
}

/// Collects the samples of one group.
struct Samples(Vec<Sample>);

impl Samples {
    fn own(&mut self, metric: Metric, own: Own, value: u64) {
        self.0.push(Sample { metric, own, value });
    }

    fn add(&mut self, metric: Metric, value: u64) {
        if value > 0 {
            self.own(metric, Own::None, value);
        }
    }

    fn count(&mut self, metric: Metric, seen: bool) {
        self.add(metric, u64::from(seen));
    }

    fn record(&mut self, metric: Metric, value: Option<u64>) {
        if let Some(value) = value {
            self.own(metric, Own::None, value);
        }
    }
}

impl Metrics {
    /// What a request adds.
    pub fn observe(&self, shared: Option<&dyn Shared>, seen: &Seen<'_>) -> Vec<Group> {
        let record = seen.record;
        let answered_by = seen.facts.and_then(|facts| facts.model.as_deref());
        let (labels, fits) = self.labels(shared, seen.prices, record, answered_by);
        let mut samples = Samples(Vec::with_capacity(32));
        request(&mut samples, seen);
        attempts(&mut samples, seen);
        if let Some(facts) = seen.facts {
            answer(&mut samples, seen, facts);
        }
        cache(&mut samples, seen);
        times(&mut samples, seen);
        let mut groups = Vec::with_capacity(4);
        if let Some(kind) = &record.error_type {
            let source = record.error_source.as_deref();
            let mut labels = labels.clone();
            label::append(&mut labels, "error_type", self.error_type(shared, kind, source));
            label::append(&mut labels, "error_source", source.unwrap_or_default());
            let error = Sample { metric: Metric::Errors, own: Own::None, value: 1 };
            groups.push(Group { labels, samples: vec![error] });
        }
        groups.push(Group { labels, samples: samples.0 });
        groups.extend(seen.attempts.iter().map(attempt));
        if !fits {
            let overflow = Sample { metric: Metric::Overflow, own: Own::None, value: 1 };
            groups.push(Group { labels: String::new(), samples: vec![overflow] });
        }
        groups
    }
}

fn request(samples: &mut Samples, seen: &Seen<'_>) {
    let Seen { record, status, .. } = *seen;
    samples.own(Metric::Requests, Own::Status(known_status(status)), 1);
    if status == 429 {
        let source = match record.error_source.as_deref() {
            Some("provider") => "provider",
            _ => "gateway",
        };
        samples.own(Metric::RateLimited, Own::Source(source), 1);
    }
    if let Some(limit) = record.limited_by {
        samples.own(Metric::Limited, Own::Limit(limit), 1);
    }
    samples.add(Metric::BookedTokens, record.booked_tokens.unwrap_or_default());
    samples.add(Metric::BookedCost, record.booked_micro_usd.unwrap_or_default());
    samples.count(Metric::Disconnects, seen.left);
    samples.count(Metric::Dropped, seen.dropped);
    samples.add(Metric::RequestBytes, seen.received);
    samples.add(Metric::ResponseBytes, seen.sent);
}

fn attempts(samples: &mut Samples, seen: &Seen<'_>) {
    let pairs = seen.attempts.windows(2);
    let moved = |pair: &&[Attempt<'_>]| matches!(pair, [a, b] if a.target != b.target);
    let fallbacks = pairs.filter(moved).count() as u64;
    let further = seen.attempts.len().saturating_sub(1) as u64;
    samples.add(Metric::Fallbacks, fallbacks);
    samples.add(Metric::Retries, further - fallbacks);
    samples.add(Metric::RetryWait, seen.waited);
    samples.count(Metric::Rescued, further > 0 && seen.status < 400 && seen.status > 0);
}

fn attempt(attempt: &Attempt<'_>) -> Group {
    let mut labels = String::with_capacity(64);
    label::append(&mut labels, "virtual_key", attempt.virtual_key.unwrap_or_default());
    label::append(&mut labels, "provider", attempt.provider);
    let mut samples = Samples(Vec::with_capacity(3));
    samples.own(Metric::Attempts, Own::Status(known_status(attempt.status)), 1);
    samples.count(Metric::AttemptFailures, attempt.status >= 400);
    samples.own(Metric::AttemptDuration, Own::None, attempt.ms);
    Group { labels, samples: samples.0 }
}

fn answer(samples: &mut Samples, seen: &Seen<'_>, facts: &Facts) {
    let good = (200..300).contains(&seen.status);
    let from_provider = !seen.attempts.is_empty();
    if good && from_provider && seen.record.stream == Some(true) {
        samples.count(Metric::Streams, true);
        samples.count(Metric::StreamsCompleted, facts.complete);
        samples.count(Metric::StreamsCut, !facts.complete && !seen.left);
    }
    if let Some(reason) = &facts.finish_reason {
        samples.own(Metric::Finished, Own::Finish(known_reason(reason)), 1);
    }
    match &facts.usage {
        Some(usage) => tokens(samples, seen.record, usage),
        None => samples.count(Metric::UsageUnknown, good && from_provider),
    }
}

fn tokens(samples: &mut Samples, record: &Record, usage: &Usage) {
    samples.count(Metric::UsageKnown, true);
    samples.add(Metric::InputTokens, usage.prompt_tokens);
    samples.add(Metric::OutputTokens, usage.completion_tokens);
    samples.add(Metric::TotalTokens, usage.total_tokens());
    samples.add(Metric::CachedTokens, usage.cached_tokens);
    samples.add(Metric::WrittenTokens, usage.cache_creation_tokens);
    samples.add(Metric::ReasoningTokens, usage.reasoning_tokens);
    samples.add(Metric::AudioInputTokens, usage.audio_input_tokens);
    samples.add(Metric::AudioOutputTokens, usage.audio_output_tokens);
    samples.own(Metric::TokenUsage, Own::Tokens("input"), usage.prompt_tokens);
    samples.own(Metric::TokenUsage, Own::Tokens("output"), usage.completion_tokens);
    samples.count(Metric::CostKnown, record.cost_micro_usd.is_some());
    samples.count(Metric::CostUnknown, record.cost_micro_usd.is_none());
    samples.add(Metric::Cost, record.cost_micro_usd.unwrap_or_default());
    samples.record(Metric::RequestCost, record.cost_micro_usd);
}

fn cache(samples: &mut Samples, seen: &Seen<'_>) {
    let record = seen.record;
    let metric = match record.cache_status {
        Some("HIT") => Metric::CacheHits,
        Some("MISS") => Metric::CacheMisses,
        Some("SEMANTIC HIT") => Metric::CacheSemanticHits,
        Some("SEMANTIC MISS") => Metric::CacheSemanticMisses,
        Some("REFRESH") => Metric::CacheRefreshes,
        _ => return,
    };
    samples.count(metric, true);
    samples.count(Metric::CacheStored, seen.stored);
    samples.add(Metric::SavedTokens, record.saved_tokens.unwrap_or_default());
    samples.add(Metric::SavedTime, record.saved_ms.unwrap_or_default());
    samples.add(Metric::SavedCost, record.saved_cost_micro_usd.unwrap_or_default());
}

fn times(samples: &mut Samples, seen: &Seen<'_>) {
    let record = seen.record;
    samples.own(Metric::Duration, Own::None, seen.ms);
    samples.record(Metric::Receive, record.request_ms);
    samples.count(Metric::Local, seen.attempts.is_empty() && !seen.left);
    if seen.attempts.is_empty() {
        return;
    }
    samples.record(Metric::FirstByte, record.time_to_first_byte_ms);
    samples.record(Metric::FirstToken, record.time_to_first_token_ms);
    samples.record(Metric::EachToken, record.time_per_output_token_us);
    samples.record(Metric::Upstream, record.upstream_ms);
    samples.record(Metric::GatewayTime, record.gateway_ms);
}

/// A status that means something, or the first of its class: providers may send any.
fn known_status(status: u16) -> u16 {
    match status {
        0 | 101 | 200..=206 | 300..=308 | 400..=431 | 451 | 499..=511 | 529 => status,
        _ => status / 100 * 100,
    }
}

/// OpenAI's finish reasons.
fn known_reason(reason: &str) -> &'static str {
    const REASONS: [&str; 5] = ["stop", "length", "tool_calls", "content_filter", "function_call"];
    REASONS.into_iter().find(|known| *known == reason).unwrap_or(label::OTHER)
}
