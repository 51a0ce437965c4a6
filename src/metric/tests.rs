use super::*;
use crate::cache::shared::Memory;
use crate::dialect::{Facts, Usage};
use crate::price::Price;
use std::collections::BTreeMap;

fn metrics(tags: &[&str], max_values: u64, max_series: u64) -> Metrics {
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    let models = ["mine".to_owned()].into();
    let settings = settings::Metrics { tags, models, max_values, max_series };
    Metrics::new(settings, ["alpha".to_owned()].into())
}

fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::default();
    catalogue.insert("openai", "gpt-4o", vec![Price::default()]);
    catalogue
}

fn record(model: &str) -> Record {
    Record {
        endpoint: Some("chat_completions"),
        provider: Some("openai"),
        model: Some(model.to_owned()),
        ..Record::default()
    }
}

fn seen<'a>(record: &'a Record, prices: &'a Catalogue) -> Seen<'a> {
    Seen {
        record,
        facts: None,
        attempts: &[],
        waited: 0,
        dropped: false,
        status: 200,
        left: false,
        stored: false,
        ms: 5,
        received: 10,
        sent: 20,
        prices,
    }
}

/// Value of each metric but histograms, by its name in Envoy.
fn values(groups: &[Group]) -> BTreeMap<String, u64> {
    let value = |labels: &str, sample: &Sample| {
        let mut name = format!("{}{labels}", sample.metric.row().name);
        sample.own.append(&mut name);
        (name, sample.value)
    };
    groups.iter().flat_map(|one| one.samples.iter().map(|s| value(&one.labels, s))).collect()
}

#[test]
fn models_are_those_that_are_known() {
    let (metrics, prices) = (metrics(&[], 10, 10), catalogue());
    for (asked, answered, model) in [
        ("gpt-4o", None, "gpt-4o"),
        ("gpt-4o", Some("gpt-4o-2024-08-06"), "gpt-4o"),
        ("whatever", Some("gpt-4o-2024-08-06"), "gpt-4o"),
        ("mine", Some("unheard-of"), "mine"),
        ("unheard-of", None, "other"),
    ] {
        assert_eq!(metrics.model(&prices, &record(asked), answered), model, "{asked}");
    }
    assert_eq!(metrics.model(&prices, &Record::default(), None), "");
}

#[test]
fn labels_have_few_values_whatever_clients_send() {
    let (metrics, prices, memory) = (metrics(&["team"], 2, 1000), catalogue(), Memory::default());
    metrics.open(&memory);
    let labels = |team: &str, caller: &str| {
        let mut record = record("mine");
        record.metadata = Some(serde_json::json!({ "team": team, "secret": "x" }));
        record.caller = Some(caller.to_owned());
        metrics.labels(Some(&memory), &prices, &record, None).0
    };
    let rest = ";model=mine;endpoint=chat_completions;provider=openai";
    assert_eq!(labels("a", "alpha"), format!(";tag_team=a;caller=alpha{rest}"));
    for number in 0..100 {
        labels(&number.to_string(), &format!("token-{number}"));
    }
    assert_eq!(labels("x", "token-99"), format!(";tag_team=other;caller=other{rest}"));
    assert_eq!(labels("0", "token-1"), format!(";tag_team=0;caller=token-1{rest}"));
}

#[test]
fn what_is_one_label_set_too_many_is_still_counted() {
    let (metrics, prices) = (metrics(&[], 10, 1), catalogue());
    let counted = |model: &str| {
        let record = record(model);
        values(&metrics.observe(None, &seen(&record, &prices)))
    };
    let name = |model: &str| {
        format!(
            "portkey_requests_total;model={model};endpoint=chat_completions;provider=openai;status=200"
        )
    };
    assert_eq!(counted("mine")[&name("mine")], 1);
    let counted = counted("gpt-4o");
    assert_eq!((counted[&name("other")], counted["portkey_metrics_overflow_total"]), (1, 1));
}

#[test]
fn a_rescued_request_counts_each_attempt_where_it_went() {
    let (metrics, prices) = (metrics(&[], 10, 10), catalogue());
    let usage = Usage { prompt_tokens: 3, completion_tokens: 4, ..Usage::default() };
    let facts = Facts {
        usage: Some(usage),
        finish_reason: Some("weird".to_owned()),
        complete: true,
        ..Facts::default()
    };
    let one = |target, virtual_key, status| Attempt {
        target,
        provider: "openai",
        virtual_key: Some(virtual_key),
        status,
        ms: 7,
    };
    let attempts = [one(0, "a", 503), one(0, "a", 593), one(1, "b", 200)];
    let record = Record { stream: Some(true), cost_micro_usd: Some(9), ..record("mine") };
    let seen = Seen { facts: Some(&facts), attempts: &attempts, ..seen(&record, &prices) };
    let counted = values(&metrics.observe(None, &seen));
    let labels = ";model=mine;endpoint=chat_completions;provider=openai";
    for (name, value) in [
        ("portkey_retries_total", 1),
        ("portkey_fallbacks_total", 1),
        ("portkey_rescued_total", 1),
        ("portkey_input_tokens_total", 3),
        ("portkey_tokens_total", 7),
        ("portkey_cost_micro_usd_total", 9),
        ("portkey_streams_completed_total", 1),
        ("portkey_request_bytes_total", 10),
        ("portkey_response_bytes_total", 20),
        ("gen_ai_client_operation_duration_milliseconds", 5),
    ] {
        assert_eq!(counted.get(&format!("{name}{labels}")), Some(&value), "{name}: {counted:?}");
    }
    let attempt = |key: &str, status: u16| {
        counted
            [&format!("portkey_attempts_total;virtual_key={key};provider=openai;status={status}")]
    };
    assert_eq!((attempt("a", 503), attempt("a", 500), attempt("b", 200)), (1, 1, 1));
    let finished = format!("portkey_finish_reasons_total{labels};finish_reason=other");
    assert_eq!(counted[&finished], 1);
    assert!(!counted.contains_key(&format!("portkey_streams_cut_total{labels}")));
}

#[test]
fn errors_of_providers_have_few_names() {
    let (metrics, prices) = (metrics(&[], 2, 10), catalogue());
    let counted = |kind: &str, source: &str| {
        let mut record = record("mine");
        record.error_type = Some(kind.to_owned());
        record.error_source = Some(source.to_owned());
        let groups = metrics.observe(None, &Seen { status: 429, ..seen(&record, &prices) });
        values(&groups)
    };
    let name = |kind: &str, source: &str| {
        format!(
            "portkey_errors_total;model=mine;endpoint=chat_completions;provider=openai;\
             error_type={kind};error_source={source}"
        )
    };
    counted("a", "provider");
    counted("b", "provider");
    assert_eq!(counted("c", "provider")[&name("other", "provider")], 1);
    assert_eq!(counted("a", "provider")[&name("a", "provider")], 1);
    let own = counted("d", "client");
    assert_eq!(own[&name("d", "client")], 1);
    let limited = ";model=mine;endpoint=chat_completions;provider=openai;error_source=gateway";
    assert_eq!(own[&format!("portkey_rate_limited_total{limited}")], 1);
}
