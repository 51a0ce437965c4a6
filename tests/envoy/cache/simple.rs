//! Equal requests.

use super::*;
use crate::support::upstream::answer;
use std::thread;
use std::time::Duration;

#[test]
fn an_equal_request_gets_the_kept_answer() {
    let upstream = Upstream::start(|_, number| numbered(number));
    let gateway = gateway(1, &upstream, "");
    let first = gateway.chat(&[SIMPLE], &ask("hi"));
    assert_eq!((status(&first), said(&first).as_str()), ("MISS", "answer 0"));
    let spelled =
        "{ \"messages\" : [{\"content\":\"h\\u0069\",\"role\":\"user\"}], \"model\":\"m\" }";
    let second = gateway.chat(&[SIMPLE], spelled);
    assert_eq!((status(&second), said(&second).as_str()), ("HIT", "answer 0"));
    assert_eq!(second.json(), first.json());
    for (name, value) in [
        ("x-portkey-provider", "openai"),
        ("x-portkey-last-used-option-index", "config"),
        ("x-portkey-retry-attempt-count", "0"),
        ("content-type", "application/json"),
        ("age", "0"),
    ] {
        assert_eq!(second.header(name), Some(value), "{name}");
    }
    let refresh = "x-portkey-cache-force-refresh: true";
    let third = gateway.chat(&[SIMPLE, refresh], &ask("hi"));
    assert_eq!((status(&third), said(&third).as_str()), ("REFRESH", "answer 1"));
    let fourth = gateway.chat(&[SIMPLE, "x-portkey-cache-force-refresh: false"], &ask("hi"));
    assert_eq!((status(&fourth), said(&fourth).as_str()), ("HIT", "answer 1"));
    let plain = gateway.chat(&["x-portkey-virtual-key: a"], &ask("hi"));
    assert_eq!((status(&plain), said(&plain).as_str()), ("DISABLED", "answer 2"));
    let log = gateway.log(5);
    assert_eq!(log[0]["cache_status"], "MISS");
    let hit = &log[1];
    assert_eq!(hit["cache_status"], "HIT");
    assert_eq!(hit["response_model"], "m-1");
    assert_eq!(hit["virtual_key"], "a");
    assert_eq!(hit["saved_tokens"], 7);
    assert!(hit["saved_ms"].is_number() && hit["prompt_tokens"].is_null(), "{hit}");
    assert!(log[4]["cache_status"].is_null());
    let counted = gateway.stats("portkey_cache");
    let count = |name: &str| {
        let series = counted.iter().filter(|(full, _)| full.contains(name));
        series.map(|(_, count)| count).sum::<u64>()
    };
    assert_eq!(count("portkey_cache_hits_total"), 2, "{counted:?}");
    assert_eq!(count("portkey_cache_saved_tokens_total"), 14, "{counted:?}");
    gateway.assert_healthy();
}

#[test]
fn a_stream_answers_a_whole_and_a_whole_a_stream() {
    let upstream = Upstream::start(|request, number| match request.json()["stream"] == true {
        true => stream(&["forty ", "two"], true),
        false => numbered(number),
    });
    let gateway = gateway(1, &upstream, "");
    let asked = |text: &str, stream: bool| {
        let body = ask(text).replacen('{', &format!("{{\"stream\":{stream},"), 1);
        gateway.chat(&[SIMPLE], &body)
    };
    assert_eq!(status(&asked("one", true)), "MISS");
    let whole = asked("one", false);
    assert_eq!((status(&whole), said(&whole).as_str()), ("HIT", "forty two"));
    let again = asked("one", true);
    assert_eq!(status(&again), "HIT");
    assert_eq!(again.header("content-type"), Some("text/event-stream"));
    assert!(again.text().ends_with("data: [DONE]\n\n"), "{}", again.text());
    assert!(again.text().contains("forty two"), "{}", again.text());
    assert_eq!(status(&asked("two", false)), "MISS");
    let streamed = asked("two", true);
    assert_eq!(status(&streamed), "HIT");
    assert!(streamed.text().contains("answer 1") && !streamed.text().contains("usage"));
    let body =
        ask("two").replacen('{', r#"{"stream":true,"stream_options":{"include_usage":true},"#, 1);
    let counted = gateway.chat(&[SIMPLE], &body).text();
    assert!(counted.contains(r#""total_tokens":7"#), "{counted}");
    assert_eq!(upstream.requests().len(), 2);
    gateway.assert_healthy();
}

#[test]
fn what_is_not_whole_or_no_success_is_not_kept() {
    let upstream = Upstream::start(|request, _| {
        let text = request.json()["messages"][0]["content"].as_str().unwrap_or_default().to_owned();
        match text.as_str() {
            "500" => json(500, r#"{"error":{"message":"no"}}"#),
            "429" => json(429, r#"{"error":{"message":"slow"}}"#),
            "201" => json(201, crate::COMPLETION),
            "error" => json(200, r#"{"error":{"message":"no"}}"#),
            "empty" => json(200, r#"{"id":"c","object":"chat.completion","choices":[]}"#),
            "html" => answer(200, "content-type: text/html\r\n", "<p>hi</p>"),
            "cut" => stream(&["half"], false),
            "broken" => {
                let mut steps = stream(&["half"], false);
                steps.pop();
                steps.push(Step::Close);
                steps
            }
            "sse-error" => {
                let mut steps = stream(&["half"], false);
                let error = chunk("data: {\"error\":{\"message\":\"no\"}}\n\ndata: [DONE]\n\n");
                steps.insert(steps.len() - 1, error);
                steps
            }
            "long" => json(200, &crate::COMPLETION.replace("hello", &"x".repeat(5000))),
            other => panic!("{other}"),
        }
    });
    let gateway = gateway(1, &upstream, "cache: {max_entry_bytes: 4KiB}\n");
    let names =
        ["500", "429", "201", "error", "empty", "html", "cut", "broken", "sse-error", "long"];
    for name in names {
        for round in 0..2 {
            let response = gateway.chat(&[SIMPLE], &ask(name));
            assert_eq!(status(&response), "MISS", "{name} {round}");
        }
    }
    assert_eq!(upstream.requests().len(), 2 * names.len());
    gateway.assert_healthy();
}

#[test]
fn an_answer_ends_when_its_age_does() {
    let upstream = Upstream::start(|_, number| numbered(number));
    let gateway = gateway(1, &upstream, "");
    let config = r#"x-portkey-config: {"virtual_key":"a","cache":{"mode":"simple","max_age":2}}"#;
    assert_eq!(status(&gateway.chat(&[config], &ask("hi"))), "MISS");
    thread::sleep(Duration::from_millis(1100));
    let hit = gateway.chat(&[config], &ask("hi"));
    assert_eq!((status(&hit), hit.header("age")), ("HIT", Some("1")));
    thread::sleep(Duration::from_millis(1100));
    assert_eq!(status(&gateway.chat(&[config], &ask("hi"))), "MISS");
    let age = "cache-control: no-transform, max-age=1";
    assert_eq!(status(&gateway.chat(&[SIMPLE, age], &ask("other"))), "MISS");
    thread::sleep(Duration::from_millis(1100));
    assert_eq!(status(&gateway.chat(&[SIMPLE, age], &ask("other"))), "MISS");
}

#[test]
fn each_operation_has_its_form() {
    let upstream = Upstream::start(|request, _| match request.path.as_str() {
        "/v1/embeddings" => json(
            200,
            r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1]}],"model":"e"}"#,
        ),
        "/v1/completions" => json(
            200,
            r#"{"id":"c","object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":"hi","finish_reason":"stop"}]}"#,
        ),
        "/v1/responses" => json(
            200,
            r#"{"id":"r","object":"response","status":"completed","model":"m","output":[{"type":"message","id":"m1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"hi","annotations":[]}]}]}"#,
        ),
        "/v1/messages" => json(200, crate::MESSAGE),
        _ => json(200, r#"{"results":[]}"#),
    });
    let gateway = gateway(1, &upstream, "");
    let anthropic = SIMPLE.replace(r#""a""#, r#""ant""#);
    let send = |path: &str, body: &str| {
        let config = if path == "/v1/messages" { anthropic.as_str() } else { SIMPLE };
        let headers = ["content-type: application/json", config];
        crate::support::client::send(gateway.port, "POST", path, &headers, body.as_bytes())
    };
    for (path, body, first, second) in [
        ("/v1/embeddings", r#"{"model":"e","input":"hi"}"#, "MISS", "HIT"),
        ("/v1/completions", r#"{"model":"m","prompt":"hi"}"#, "MISS", "HIT"),
        ("/v1/responses", r#"{"model":"m","input":"hi"}"#, "MISS", "HIT"),
        ("/v1/responses", r#"{"model":"m","input":"hi","stream":true}"#, "HIT", "HIT"),
        ("/v1/messages", r#"{"model":"m","messages":[],"max_tokens":5}"#, "MISS", "HIT"),
        (
            "/v1/messages",
            r#"{"model":"m","messages":[],"max_tokens":5,"stream":true}"#,
            "HIT",
            "HIT",
        ),
        ("/v1/moderations", r#"{"model":"m","input":"hi"}"#, "DISABLED", "DISABLED"),
    ] {
        let one = send(path, body);
        assert_eq!((one.status, status(&one)), (200, first), "{path} {}", one.text());
        assert_eq!(status(&send(path, body)), second, "{path}");
    }
    let events =
        send("/v1/messages", r#"{"model":"m","messages":[],"max_tokens":5,"stream":true}"#);
    assert!(events.text().contains("event: message_stop"), "{}", events.text());
    gateway.assert_healthy();
}

#[test]
fn workers_share_what_is_kept() {
    let upstream = Upstream::start(|_, number| numbered(number));
    let gateway = gateway(2, &upstream, "");
    gateway.chat(&[SIMPLE], &ask("hi"));
    for _ in 0..20 {
        // Each is a connection of its own, and Envoy gives them to both workers.
        assert_eq!(status(&gateway.chat(&[SIMPLE], &ask("hi"))), "HIT");
    }
    let workers = gateway.stats("listener.*worker_.*downstream_cx_total");
    let busy = workers.iter().filter(|(name, count)| name.contains("127.0.0.1") && *count > 2);
    assert!(busy.count() >= 2, "{workers:?}");
}

#[test]
fn equal_requests_wait_for_the_first() {
    let upstream = Upstream::start(|_, number| {
        [vec![Step::Sleep(Duration::from_millis(400))], numbered(number)].concat()
    });
    let gateway = gateway(1, &upstream, "cache: {single_flight: 5000}\n");
    let asked = || gateway.chat(&[SIMPLE], &ask("hi"));
    let answers: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(asked)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(upstream.requests().len(), 1);
    assert_eq!(answers.iter().filter(|one| status(one) == "HIT").count(), 5);
    assert!(answers.iter().all(|one| said(one) == "answer 0"));
    gateway.assert_healthy();
}

#[test]
fn nobody_waits_for_ever_for_the_first() {
    let upstream = Upstream::start(|_, _| {
        let slow = vec![Step::Sleep(Duration::from_millis(500))];
        [slow, json(500, r#"{"error":{"message":"no"}}"#)].concat()
    });
    let gateway = gateway(1, &upstream, "cache: {single_flight: 200}\n");
    let started = std::time::Instant::now();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(gateway.chat(&[SIMPLE], &ask("hi")).status, 500));
        }
    });
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(upstream.requests().len(), 4);
    gateway.assert_healthy();
}
