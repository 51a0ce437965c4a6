//! The metrics, for people: docs/metrics.md.

use crate::metric::table::{ALL, ATTEMPT_LABELS, Kind, REQUEST_LABELS, Scope};

/// The part of docs/metrics.md between its markers.
pub fn markdown() -> String {
    let mut out = "| metric | type | labels | OpenTelemetry | meaning |\n".to_owned();
    out.push_str("| --- | --- | --- | --- | --- |\n");
    for metric in ALL {
        let row = metric.row();
        let kind = match row.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let scope = match row.scope {
            Scope::Request => "request",
            Scope::Attempt => "attempt",
            Scope::Process => "",
        };
        let own = row.labels.iter().map(|label| format!("`{label}`"));
        let labels = Some(scope.to_owned()).filter(|scope| !scope.is_empty()).into_iter();
        let labels = labels.chain(own).collect::<Vec<_>>().join(", ");
        let attribute = row.attribute.map(|name| format!("`{name}`")).unwrap_or_default();
        let (name, meaning) = (row.name, row.description);
        out.push_str(&format!("| `{name}` | {kind} | {labels} | {attribute} | {meaning} |\n"));
    }
    let list = |labels: &[&str]| {
        labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ")
    };
    out.push_str(&format!(
        "\nLabels of a request: {}, and `tag_<key>` for each of `metrics.tags`. Labels of an \
         attempt: {}. One that does not apply is not there.\n",
        list(&REQUEST_LABELS),
        list(&ATTEMPT_LABELS)
    ));
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_document_is_current() {
        let page = include_str!("../../docs/metrics.md");
        assert!(page.contains(&super::markdown()), "run `make docs`");
    }
}
