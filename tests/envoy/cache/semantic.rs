//! Requests that mean the same, with a model that places texts where the test wants them.

use super::*;
use crate::support::upstream::Request;
use std::time::{Duration, Instant};

/// The vector of a text: the angle in degrees that its first word says.
fn embed(request: &Request) -> Vec<Step> {
    let body = request.json();
    assert_eq!(body["encoding_format"], "float");
    let text = body["input"].as_str().unwrap();
    let angle: f64 = text.split(' ').next().unwrap().parse().unwrap_or(0.0);
    let (y, x) = angle.to_radians().sin_cos();
    json(
        200,
        &format!(
            r#"{{"object":"list","data":[{{"embedding":[{x},{y}]}}],"model":"e","usage":{{"prompt_tokens":2,"total_tokens":2}}}}"#
        ),
    )
}

const YAML: &str = "cache: {semantic: {virtual_key: b, model: e, guard: false}, timeout: 3000}\n";

#[test]
fn a_question_that_means_the_same_gets_the_kept_answer() {
    let upstream = Upstream::start(|request, number| match request.path.as_str() {
        "/v1/embeddings" => embed(request),
        _ => numbered(number),
    });
    let gateway = gateway(1, &upstream, YAML);
    let first = gateway.chat(&[SEMANTIC], &ask("0 why?"));
    assert_eq!(status(&first), "SEMANTIC MISS");
    let near = gateway.chat(&[SEMANTIC], &ask("10 why is it?"));
    assert_eq!((status(&near), said(&near)), ("SEMANTIC HIT", said(&first)));
    assert_eq!(near.header("x-portkey-cache-similarity"), Some("0.9848"));
    assert!(near.header("age").is_some());
    let far = gateway.chat(&[SEMANTIC], &ask("30 how?"));
    assert_eq!(status(&far), "SEMANTIC MISS");
    assert_eq!(status(&gateway.chat(&[SEMANTIC], &ask("31 how?"))), "SEMANTIC HIT");
    let streamed = gateway.chat(&[SEMANTIC], &ask("1 why?").replacen('{', r#"{"stream":true,"#, 1));
    assert_eq!(status(&streamed), "SEMANTIC HIT");
    assert!(streamed.text().ends_with("data: [DONE]\n\n"));
    // A config without it looks for equal requests alone.
    assert_eq!(status(&gateway.chat(&[SIMPLE], &ask("2 why?"))), "MISS");
    let embeddings: Vec<_> =
        upstream.requests().into_iter().filter(|one| one.path == "/v1/embeddings").collect();
    assert_eq!(embeddings.len(), 5);
    assert_eq!(embeddings[0].header("authorization"), Some("Bearer sk-b"));
    let log = gateway.log(11);
    let hit = log.iter().find(|line| line["cache_status"] == "SEMANTIC HIT").unwrap();
    assert!(hit["cache_similarity"].as_f64().unwrap() > 0.98, "{hit}");
    assert_eq!(log.iter().filter(|line| line["endpoint"] == "embeddings").count(), 5);
    gateway.assert_healthy();
}

#[test]
fn whatever_fails_or_is_late_is_a_miss() {
    let upstream = Upstream::start(|request, number| match request.path.as_str() {
        "/v1/embeddings" => match request.json()["input"].as_str().unwrap() {
            "500" => json(500, "{}"),
            "nothing" => json(200, r#"{"data":[]}"#),
            "broken" => vec![Step::Close],
            "late" => [vec![Step::Sleep(Duration::from_secs(2))], json(200, "{}")].concat(),
            _ => json(200, r#"{"data":[{"embedding":[1,0]}]}"#),
        },
        _ => numbered(number),
    });
    for (more, texts) in [
        ("", ["500", "nothing", "broken", "late"].as_slice()),
        (", redis: {url: 'http://127.0.0.1:9'}", &["good"]),
        ("}, semantic: {virtual_key: b, model: e, qdrant: {url: 'http://127.0.0.1:9'}", &["good"]),
    ] {
        let usual = "semantic: {virtual_key: b, model: e}";
        let yaml = match more.strip_prefix("}, ") {
            Some(semantic) => format!("cache: {{timeout: 400, {semantic}}}}}\n"),
            None => format!("cache: {{timeout: 400, {usual}{more}}}\n"),
        };
        let gateway = gateway(1, &upstream, &yaml);
        for text in texts {
            let started = Instant::now();
            let response = gateway.chat(&[SEMANTIC], &ask(text));
            let took = started.elapsed();
            assert!(status(&response).contains("MISS"), "{text}{more}");
            assert!(took < Duration::from_millis(1500), "{text}{more}: {took:?}");
        }
        gateway.assert_healthy();
    }
}
