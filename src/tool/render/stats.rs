//! How Envoy tells our metrics: labels are taken out of names, histograms have buckets.

use serde_json::{Value, json};

use crate::metric::label::{NAMESPACE, TAG, extractor};
use crate::metric::table::{ALL, ATTEMPT_LABELS, Kind, OWN_LABELS, REQUEST_LABELS};
use crate::tool::model::Gateway;

/// `stats_config` of the bootstrap.
pub(super) fn config(gateway: &Gateway) -> Value {
    let Some(metrics) = &gateway.metrics else { return json!({}) };
    let mut labels: Vec<String> = Vec::new();
    let fixed = REQUEST_LABELS.iter().chain(&ATTEMPT_LABELS).chain(&OWN_LABELS);
    for label in fixed.map(|label| (*label).to_owned()) {
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    labels.extend(metrics.tags.iter().map(|tag| format!("{TAG}{tag}")));
    let tags = labels.iter().map(|label| {
        let (name, regex) = extractor(label);
        json!({ "tag_name": name, "regex": regex })
    });
    let buckets = ALL.iter().filter_map(|metric| {
        let row = metric.row();
        let Kind::Histogram(buckets) = row.kind else { return None };
        let name = format!("{NAMESPACE}.{}", row.name);
        Some(json!({ "match": { "prefix": name }, "buckets": buckets }))
    });
    json!({
        "stats_tags": tags.collect::<Vec<_>>(),
        "histogram_bucket_settings": buckets.collect::<Vec<_>>(),
    })
}
