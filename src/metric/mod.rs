//! Metrics: what a request adds to which series. No I/O; the host gives it to Envoy's statistics.
//!
//! Envoy's own logger of statistics can neither count attempts, of which a request has several, nor
//! bound the values of a label, nor leave out what is not known; and it formats every label of
//! every metric anew. So the module counts, in series whose names it makes once.

pub mod admission;
pub mod label;
mod observe;
pub mod table;

use crate::cache::shared::Shared;
use crate::config::settings;
use crate::price::Catalogue;
use crate::record::Record;
use admission::Admission;
use label::{OTHER, TAG};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeSet;

pub use observe::{Attempt, Seen};
pub use table::Metric;

/// What is measured, and by which labels.
#[derive(Debug)]
pub struct Metrics {
    tags: Vec<(String, Admission)>,
    models: BTreeSet<String>,
    callers: BTreeSet<String>,
    tokens: Admission,
    errors: Admission,
    series: Admission,
}

/// What a metric goes up by, or becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The metric.
    pub metric: Metric,
    /// A label of its own.
    pub own: Own,
    /// By how much.
    pub value: u64,
}

/// A label that a single metric has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Own {
    /// None.
    None,
    /// `status`.
    Status(u16),
    /// `token_type`.
    Tokens(&'static str),
    /// `finish_reason`.
    Finish(&'static str),
    /// `error_source`.
    Source(&'static str),
    /// `limited_by`.
    Limit(&'static str),
}

/// Samples with the same labels.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// The labels, as a part of a name: see [`label`].
    pub labels: String,
    /// What was seen.
    pub samples: Vec<Sample>,
}

impl Own {
    /// Appends the label to a name.
    pub fn append(self, out: &mut String) {
        match self {
            Self::None => {}
            Self::Status(status) => label::append_number(out, "status", status),
            Self::Tokens(kind) => label::append(out, "token_type", kind),
            Self::Finish(reason) => label::append(out, "finish_reason", reason),
            Self::Limit(limit) => label::append(out, "limited_by", limit),
            Self::Source(source) => label::append(out, "error_source", source),
        }
    }
}

impl Metrics {
    /// Reads the settings; `callers` are the names that gateway.yaml has.
    pub fn new(settings: settings::Metrics, callers: BTreeSet<String>) -> Self {
        let admission =
            |name: &str, limit: u64| Admission::new(format!("metric.{name}"), to_usize(limit));
        let tag = |name: String| {
            let admission = admission(&format!("{TAG}{name}"), settings.max_values);
            (name, admission)
        };
        Self {
            tags: settings.tags.into_iter().map(tag).collect(),
            models: settings.models,
            callers,
            tokens: admission("caller", settings.max_values),
            errors: admission("error_type", settings.max_values),
            series: admission("series", settings.max_series),
        }
    }

    /// Makes places in the shared memory.
    pub fn open(&self, shared: &dyn Shared) {
        let tags = self.tags.iter().map(|(_, admission)| admission);
        let all = tags.chain([&self.tokens, &self.errors, &self.series]);
        all.for_each(|admission| admission.open(shared));
    }

    /// The labels of a request; `false`: there were too many, and these are few.
    fn labels(
        &self,
        shared: Option<&dyn Shared>,
        prices: &Catalogue,
        record: &Record,
        answered_by: Option<&str>,
    ) -> (String, bool) {
        let mut out = String::with_capacity(128);
        for (tag, admission) in &self.tags {
            let Some(value) = record.metadata.as_ref().and_then(|all| text(all.get(tag)?)) else {
                continue;
            };
            let known = admission.admits(shared, &value);
            label::append(&mut out, &format!("{TAG}{tag}"), if known { &value } else { OTHER });
        }
        if let Some(caller) = &record.caller {
            let known = self.callers.contains(caller) || self.tokens.admits(shared, caller);
            label::append(&mut out, "caller", if known { caller } else { OTHER });
        }
        label::append(&mut out, "virtual_key", record.virtual_key.as_deref().unwrap_or_default());
        label::append(&mut out, "model", self.model(prices, record, answered_by));
        append_fixed(&mut out, record);
        let fits = self.series.admits(shared, &out);
        if !fits {
            out.clear();
            label::append(&mut out, "model", OTHER);
            append_fixed(&mut out, record);
        }
        (out, fits)
    }

    /// The name of the model that answered, or else was asked for: one out of few.
    fn model<'a>(
        &'a self,
        prices: &'a Catalogue,
        record: &'a Record,
        answered_by: Option<&'a str>,
    ) -> &'a str {
        let asked = [answered_by, record.model.as_deref()];
        let mut names = asked.into_iter().flatten().peekable();
        if names.peek().is_none() {
            return "";
        }
        let known = |name: &'a str| {
            let own = self.models.get(name).map(String::as_str);
            own.or_else(|| prices.name(record.provider?, name))
        };
        names.find_map(known).unwrap_or(OTHER)
    }

    /// The type of an error: those of the gateway are few.
    fn error_type<'a>(
        &self,
        shared: Option<&dyn Shared>,
        kind: &'a str,
        source: Option<&str>,
    ) -> &'a str {
        match source == Some("provider") && !self.errors.admits(shared, kind) {
            true => OTHER,
            false => kind,
        }
    }
}

/// Last come those labels whose values nobody else chooses: Envoy has rules for ends of names.
fn append_fixed(out: &mut String, record: &Record) {
    label::append(out, "endpoint", record.endpoint.unwrap_or_default());
    label::append(out, "provider", record.provider.unwrap_or_default());
}

/// A tag as a label has it.
fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(_) | Value::Bool(_) => Some(Cow::Owned(value.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
