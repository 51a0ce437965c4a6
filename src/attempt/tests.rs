use super::*;
use crate::endpoint::Endpoint;
use crate::plan::{Fallback, Hold, Retry};

const SETTINGS: &str = r#"{"version":1,"role":"provider","max_body_bytes":1000,"request_timeout":1000,
    "upstreams":{
        "vk.a":{"provider":"openai","base_url":"http://a.example/v1","injects_credential":true},
        "vk.b":{"provider":"anthropic","base_url":"http://b.example/v1"},
        "vk.c":{"provider":"cohere","base_url":"http://c.example"},
        "vk.m":{"provider":"mistral-ai","base_url":"http://m.example/v1"},
        "vk.q":{"provider":"groq","base_url":"http://q.example/v1"},
        "vk.g":{"provider":"google","base_url":"http://g.example/v1beta"}}}"#;

const COMPLETION: &[u8] = br#"{"id":"c","model":"m","choices":[{"finish_reason":"stop"}]}"#;

struct Calm;

impl World for Calm {
    fn random(&self) -> u64 {
        0
    }

    fn is_cooling(&self, _: &str) -> bool {
        false
    }

    fn now(&self) -> u64 {
        0
    }
}

impl Vault for Calm {
    fn sign(&self, private_key: &str, _: &[u8]) -> Option<Vec<u8>> {
        (!private_key.contains("unusable")).then(|| b"signature".to_vec())
    }

    fn recall(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn keep(&self, _: &str, _: &[u8]) {}
}

/// A plan over `vk.a`, which is tried twice on 429, and then `vk.b`.
fn plan() -> Plan {
    let mut plan = Plan::new("/v1/chat/completions".to_owned(), Endpoint::ChatCompletions);
    plan.body_length = Some(2);
    plan.targets.push(Target {
        cluster: "vk.a".to_owned(),
        timeout: 500,
        strict: true,
        retry: Retry { attempts: 1, on_status_codes: vec![429], use_retry_after: true },
        fallbacks: vec![Fallback { on_status_codes: None, on_content_policy: true, next: 1 }],
        ..Target::default()
    });
    plan.targets.push(Target { cluster: "vk.b".to_owned(), timeout: 500, ..Target::default() });
    plan
}

fn headers(pairs: &[(&str, &str)]) -> Headers {
    let owned = pairs.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
    Headers::new(owned.collect())
}

/// An attempt whose request was sent at time 0, and the request's headers.
fn sent(plan: &Plan, report: Option<&Report>) -> (Attempt, Headers) {
    let registry = Rc::new(Registry::parse(SETTINGS.as_bytes()).unwrap());
    let mut attempt = Attempt::new(registry);
    let (plan, report) = (plan.encode(), report.map(Report::encode));
    let beginning = Beginning {
        plan: Some(&plan),
        report: &|| report.clone(),
        cluster: &|| "vk.b".to_owned(),
        vault: &Calm,
        now: 0,
    };
    let request = headers(&[
        (":path", "/somewhere"),
        ("authorization", "of the attempt before"),
        ("content-length", "99"),
        ("x-envoy-attempt-count", "2"),
    ]);
    match attempt.on_request_headers(&beginning, request, false) {
        Outbound::Send(headers, None) => (attempt, headers),
        Outbound::NeedBody => {
            let body = br#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
            match attempt.on_request_body(body, &Calm) {
                Outbound::Send(headers, Some(_)) => (attempt, headers),
                other => panic!("{other:?}"),
            }
        }
        other => panic!("{other:?}"),
    }
}

fn respond(attempt: &mut Attempt, pairs: &[(&str, &str)]) -> (Inbound, Headers) {
    let mut map = headers(pairs);
    let inbound = attempt.on_response_headers(&Calm, &mut map, false, 7);
    (inbound, map)
}

fn report(news: &News) -> Report {
    Report::decode(news.report.as_ref().unwrap()).unwrap()
}

#[test]
fn an_attempt_starts_clean_whatever_the_one_before_left() {
    let (_, headers) = sent(&plan(), None);
    assert_eq!(headers.text(":path"), Some("/v1/chat/completions"));
    assert_eq!(headers.text(":authority"), Some("a.example"));
    assert_eq!(headers.text("content-length"), Some("2"));
    assert_eq!(headers.text("authorization"), None);
    assert_eq!(headers.text("x-envoy-attempt-count"), None);
    let next = Some(Position { target: 1, tries: 1 });
    let (_, headers) = sent(&plan(), Some(&Report { next, ..Report::default() }));
    assert_eq!(headers.text(":path"), Some("/v1/messages"));
    assert_eq!(headers.text(":authority"), Some("b.example"));
}

#[test]
fn a_failure_is_held_and_asks_for_the_next_target() {
    let (mut attempt, _) = sent(&plan(), None);
    let (inbound, _) = respond(&mut attempt, &[(":status", "500"), ("x-portkey-retry", "1")]);
    assert_eq!(inbound, Inbound::Hold);
    assert!(attempt.wants_whole());
    let body = br#"{"error":{"message":"no"}}"#;
    let Inbound::Release(headers, body) = attempt.on_response_body(&Calm, body, true, 9) else {
        panic!("not released");
    };
    assert_eq!(headers.text("x-portkey-retry"), Some("1"));
    assert!(!body.is_empty(), "if Envoy does not retry, the client gets an answer");
    let news = attempt.news();
    assert_eq!(news.cluster.as_deref(), Some("vk.b"));
    let report = report(&news);
    assert_eq!(report.next, Some(Position { target: 1, tries: 1 }));
    assert_eq!((report.attempts[0].status, report.attempts[0].ms), (500, 9));
    // Its end is no second failure.
    attempt.on_done(&Calm, || 10);
    assert!(attempt.news().report.is_none());
}

#[test]
fn a_busy_key_is_waited_for_and_left_alone_by_others() {
    let (mut attempt, _) = sent(&plan(), None);
    respond(&mut attempt, &[(":status", "429"), ("retry-after", "3")]);
    let Inbound::Release(headers, _) = attempt.on_response_body(&Calm, b"", true, 9) else {
        panic!("not released");
    };
    assert_eq!(headers.text("x-portkey-retry-after"), Some("3"));
    let news = attempt.news();
    assert_eq!(news.cluster.as_deref(), Some("vk.a"));
    assert_eq!(news.cooling, Some(("vk.a".to_owned(), 3000)));
}

#[test]
fn the_last_target_has_the_last_word() {
    let next = Some(Position { target: 1, tries: 1 });
    let (mut attempt, _) = sent(&plan(), Some(&Report { next, ..Report::default() }));
    respond(&mut attempt, &[(":status", "500")]);
    let Inbound::Release(headers, _) = attempt.on_response_body(&Calm, b"", true, 9) else {
        panic!("not released");
    };
    assert_eq!(headers.text("x-portkey-retry"), None);
    assert_eq!(attempt.news().cluster, None);
}

#[test]
fn without_an_answer_the_end_decides_by_the_clock() {
    for (now, status) in [(400, 503), (490, 408), (500, 408)] {
        let (mut attempt, _) = sent(&plan(), None);
        attempt.on_done(&Calm, || now);
        let news = attempt.news();
        assert_eq!(news.cluster.as_deref(), Some("vk.b"));
        assert_eq!(report(&news).attempts[0].status, status);
    }
    let mut only_429 = plan();
    only_429.targets[0].fallbacks[0].on_status_codes = Some(vec![429]);
    let (mut attempt, _) = sent(&only_429, None);
    attempt.on_done(&Calm, || 1);
    assert_eq!(attempt.news().cluster.as_deref(), Some(cluster::STOP));
}

#[test]
fn a_stream_is_held_until_it_says_something() {
    let stream = [(":status", "200"), ("content-type", "text/event-stream")];
    let (mut attempt, _) = sent(&plan(), None);
    assert_eq!(respond(&mut attempt, &stream).0, Inbound::Hold);
    let role = b"data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n";
    let text = b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    assert_eq!(attempt.on_response_body(&Calm, role, false, 8), Inbound::Hold);
    assert_eq!(attempt.on_response_body(&Calm, text, false, 8), Inbound::Pass);
    assert!(!attempt.holds());

    let (mut attempt, _) = sent(&plan(), None);
    respond(&mut attempt, &stream);
    let Inbound::Release(headers, body) = attempt.on_response_body(&Calm, role, true, 8) else {
        panic!("not released");
    };
    assert_eq!(headers.text("x-portkey-retry"), Some("1"));
    assert!(String::from_utf8(body).unwrap().contains("stream_truncated"));

    let mut alone = plan();
    alone.targets.remove(1);
    alone.targets[0] = Target { cluster: "vk.a".to_owned(), ..Target::default() };
    let (mut attempt, _) = sent(&alone, None);
    assert_eq!(respond(&mut attempt, &stream).0, Inbound::Pass, "there is nowhere else to go");
    alone.targets[0].hold = Hold::Complete;
    let (mut attempt, _) = sent(&alone, None);
    assert_eq!(respond(&mut attempt, &stream).0, Inbound::Hold, "but it was asked for");
}

#[test]
fn a_held_stream_is_judged_by_its_end_where_that_comes_with_its_content() {
    let text = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    let finish = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    let done = "data: [DONE]\n\n";
    for (events, complete) in [
        (vec![text], false),
        (vec![text, finish, done], true),
        // Some providers send no `[DONE]`.
        (vec![text, finish], true),
        (vec![done], false),
    ] {
        for hold in [Hold::FirstContent, Hold::Complete] {
            let mut plan = plan();
            plan.targets[0].hold = hold;
            let (mut attempt, _) = sent(&plan, None);
            respond(&mut attempt, &[(":status", "200"), ("content-type", "text/event-stream")]);
            let inbound = attempt.on_response_body(&Calm, events.concat().as_bytes(), true, 8);
            assert_eq!(inbound == Inbound::Pass, complete, "{hold:?} {events:?}: {inbound:?}");
            let news = attempt.news();
            assert_eq!(news.cluster.is_none(), complete, "{hold:?} {events:?}");
            assert_eq!(report(&news).facts.complete, complete, "{hold:?} {events:?}");
        }
    }
}

#[test]
fn a_held_stream_keeps_the_end_that_its_translator_writes() {
    let text = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\n\n";
    let finish = "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n";
    let error =
        "data: {\"error\":{\"code\":429,\"message\":\"m\",\"status\":\"RESOURCE_EXHAUSTED\"}}\n\n";
    for hold in [Hold::FirstContent, Hold::Complete] {
        for (events, done, status) in [
            (vec![text, finish], true, None),
            (vec![text], false, Some("502")),
            (vec![error], false, Some("429")),
        ] {
            let mut plan = plan();
            plan.targets[0].cluster = "vk.g".to_owned();
            plan.targets[0].hold = hold;
            let (mut attempt, headers) = sent(&plan, None);
            assert_eq!(headers.text(":path"), Some("/v1beta/models/m:generateContent"));
            respond(&mut attempt, &[(":status", "200"), ("content-type", "text/event-stream")]);
            let inbound = attempt.on_response_body(&Calm, events.concat().as_bytes(), true, 8);
            let (headers, out) = match inbound {
                Inbound::Replace(out) => (Headers::default(), out),
                Inbound::Release(headers, out) => (headers, out),
                other => panic!("{hold:?} {events:?}: {other:?}"),
            };
            assert_eq!(out.ends_with(b"data: [DONE]\n\n"), done, "{hold:?} {events:?}");
            assert_eq!(headers.text(":status"), status, "{hold:?} {events:?}");
            assert_eq!(report(&attempt.news()).facts.complete, done || status == Some("429"));
        }
    }
}

#[test]
fn an_answer_that_tells_no_model_has_the_one_that_was_asked_for() {
    let whole = r#"{"message":{"content":[]},"finish_reason":"COMPLETE"}"#;
    let event = "data: {\"type\":\"tool-plan-delta\"}\n\n";
    for (media, body, end) in
        [("application/json", whole, true), ("text/event-stream", event, false)]
    {
        let mut plan = plan();
        plan.targets[0].cluster = "vk.c".to_owned();
        let (mut attempt, headers) = sent(&plan, None);
        assert_eq!(headers.text(":path"), Some("/v2/chat"));
        respond(&mut attempt, &[(":status", "200"), ("content-type", media)]);
        let inbound = attempt.on_response_body(&Calm, body.as_bytes(), end, 8);
        let (Inbound::Replace(out) | Inbound::Release(_, out)) = inbound else {
            panic!("{inbound:?}")
        };
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains("\"model\":\"m\""), "{out}");
        assert_eq!(attempt.report.facts.model, None);
    }
}

#[test]
fn what_one_attempt_said_is_not_told_of_the_next() {
    let (mut attempt, _) = sent(&plan(), None);
    respond(&mut attempt, &[(":status", "200"), ("content-type", "text/event-stream")]);
    let events = "data: {\"id\":\"c\",\"model\":\"m\",\"usage\":{\"prompt_tokens\":9}}\n\n\
                  data: {\"error\":{\"type\":\"server_error\"}}\n\n";
    attempt.on_response_body(&Calm, events.as_bytes(), false, 8);
    let first = report(&attempt.news());
    assert_eq!(first.facts.usage.map(|usage| usage.prompt_tokens), Some(9));
    let (mut attempt, _) = sent(&plan(), Some(&first));
    attempt.on_done(&Calm, || 1);
    let second = report(&attempt.news());
    assert_eq!((second.attempts.len(), second.facts), (2, Facts::default()));
}

/// An attempt at the only target of a plan, whose answer has begun with these headers.
fn answering(cluster: &str, pairs: &[(&str, &str)]) -> (Attempt, Inbound, Headers) {
    let mut plan = Plan::new("/v1/chat/completions".to_owned(), Endpoint::ChatCompletions);
    plan.targets.push(Target { cluster: cluster.to_owned(), strict: true, ..Target::default() });
    let (mut attempt, _) = sent(&plan, None);
    let (inbound, headers) = respond(&mut attempt, pairs);
    (attempt, inbound, headers)
}

const JSON: [(&str, &str); 3] =
    [(":status", "200"), ("content-type", "application/json"), ("content-length", "100")];

#[test]
fn an_answer_passes_from_its_first_bytes_on_with_the_provider_in_front() {
    let named = r#" {"provider":"groq","id":"c"}"#;
    for (cluster, length, text) in [("vk.q", "118", named), ("vk.a", "100", r#" {"id":"c"}"#)] {
        for at in 1..11 {
            let (mut attempt, inbound, headers) = answering(cluster, &JSON);
            assert_eq!(inbound, Inbound::Hold);
            assert_eq!(headers.text("content-length"), Some(length), "{cluster}");
            let (head, tail) = br#" {"id":"c"}"#.split_at(at);
            let mut out = Vec::new();
            let mut held = Vec::new();
            for (piece, end) in [(head, false), (tail, true)] {
                held.extend_from_slice(piece);
                match attempt.on_response_body(&Calm, piece, end, 9) {
                    Inbound::Hold => {}
                    Inbound::Pass => out.append(&mut held),
                    Inbound::Replace(bytes) => {
                        held.clear();
                        out.extend(bytes);
                    }
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(String::from_utf8(out).unwrap(), text, "cut at {at}");
        }
    }
}

#[test]
fn what_is_no_object_is_an_error_and_not_an_answer() {
    for body in ["", " ", "<html>", "oops", "{", "{]"] {
        let (mut attempt, _, _) = answering("vk.a", &JSON);
        // As the host does it: the rest of a body that is wanted as a whole comes at its end.
        let mut rest = body.as_bytes();
        while let Some((first, others)) = rest.split_first().filter(|_| !attempt.wants_whole()) {
            assert_eq!(attempt.on_response_body(&Calm, &[*first], false, 9), Inbound::Hold);
            rest = others;
        }
        let released = attempt.on_response_body(&Calm, rest, true, 9);
        let Inbound::Release(headers, error) = released else { panic!("{body}: {released:?}") };
        assert_eq!(headers.text(":status"), Some("502"), "{body}");
        let length = error.len().to_string();
        assert_eq!(headers.text("content-length"), Some(length.as_str()));
        let error = String::from_utf8(error).unwrap();
        assert!(error.contains(&format!("openai: {}\"", body.trim())), "{error}");
    }
}

#[test]
fn a_vendors_words_become_openais() {
    let (mut attempt, inbound, _) = answering("vk.m", &JSON);
    assert_eq!(inbound, Inbound::Hold);
    let body = br#"{"id":"c","choices":[{"logprobs":null,"finish_reason":"model_length"}]}"#;
    let Inbound::Release(_, body) = attempt.on_response_body(&Calm, body, true, 9) else {
        panic!("not released");
    };
    let edited = r#"{"provider":"mistral-ai","id":"c","choices":[{"finish_reason":"length"}]}"#;
    assert_eq!(String::from_utf8(body).unwrap(), edited);
}

#[test]
fn chunks_are_edited_wherever_they_are_cut() {
    let event = |data: &str| format!("data: {data}\n\n");
    let first = r#"{"id":"c","model":"m","choices":[{"delta":{"content":"a"}}]}"#;
    let last = r#"{"id":"c","choices":[{"delta":{},"finish_reason":"stop"}]}"#;
    let stream = [": ping\n\n", &event(first), &event(last), &event("[DONE]")].concat();
    // Groq's deltas get what Portkey gives them.
    let named = stream
        .replace("{\"id\"", "{\"provider\":\"groq\",\"id\"")
        .replace(r#"{"content":"a"}"#, r#"{"content":"a","role":"assistant","tool_calls":[]}"#)
        .replace("{}", r#"{"role":"assistant","content":"","tool_calls":[]}"#);
    let pairs = [(":status", "200"), ("content-type", "text/event-stream")];
    for at in 0..stream.len() {
        let (mut attempt, inbound, _) = answering("vk.q", &pairs);
        assert_eq!(inbound, Inbound::Pass);
        let (head, tail) = stream.as_bytes().split_at(at);
        let mut out = Vec::new();
        for (piece, end) in [(head, false), (tail, true)] {
            match attempt.on_response_body(&Calm, piece, end, 9) {
                Inbound::Replace(bytes) => out.extend(bytes),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(String::from_utf8(out).unwrap(), named, "cut at {at}");
    }
}

#[test]
fn envoys_pick_is_known_by_its_cluster() {
    let mut plan = plan();
    plan.weighted = true;
    let (_, headers) = sent(&plan, None);
    assert_eq!(headers.text(":authority"), Some("b.example"));
}

#[test]
fn a_good_answer_is_reported_once_with_what_it_said() {
    let (mut attempt, _) = sent(&plan(), None);
    respond(&mut attempt, &[(":status", "200"), ("content-type", "application/json")]);
    let inbound = attempt.on_response_body(&Calm, COMPLETION, true, 9);
    let Inbound::Release(headers, body) = inbound else { panic!("{inbound:?}") };
    assert_eq!((headers.text(":status"), body.as_slice()), (Some("200"), COMPLETION));
    let report = report(&attempt.news());
    assert_eq!(report.facts.model.as_deref(), Some("m"));
    assert_eq!((report.attempts.len(), report.next), (1, None));
}

#[test]
fn what_is_no_plan_is_an_error_and_not_a_request() {
    let registry = Rc::new(Registry::parse(SETTINGS.as_bytes()).unwrap());
    for plan in [None, Some(b"".as_slice()), Some(b"{}"), Some(b"\xff")] {
        let beginning = Beginning {
            plan,
            report: &|| Some(b"[]".to_vec()),
            cluster: &String::new,
            vault: &Calm,
            now: 0,
        };
        let mut attempt = Attempt::new(registry.clone());
        let outbound = attempt.on_request_headers(&beginning, Headers::default(), true);
        assert!(matches!(outbound, Outbound::Reply(reply) if reply.status == 500));
    }
}
