//! What the log learns from answers, of each format.

use super::*;

const CONTEXT: Context = Context {
    endpoint: Endpoint::ChatCompletions,
    provider: "anthropic",
    strict: false,
    roles: false,
    created: 1,
    model: None,
    counted: None,
};

fn stream(dialect: Dialect, events: &[&str]) -> Facts {
    let mut stream = dialect.stream(CONTEXT);
    let mut out = Vec::new();
    for data in events {
        stream.on_event(Event { name: b"", data: data.as_bytes(), failed: false }, &mut out);
    }
    stream.on_end(&mut out);
    stream.facts().clone()
}

fn facts(words: [Option<&str>; 4], usage: [u64; 5], complete: bool) -> Facts {
    let [id, model, finish_reason, error_type] = words.map(|word| word.map(str::to_owned));
    let [prompt_tokens, completion_tokens, cached_tokens, cache_creation_tokens, reasoning_tokens] =
        usage;
    let usage = Usage {
        prompt_tokens,
        completion_tokens,
        cached_tokens,
        cache_creation_tokens,
        reasoning_tokens,
        ..Usage::default()
    };
    let usage = (usage != Usage::default()).then_some(usage);
    Facts { id, model, usage, finish_reason, error_type, complete }
}

#[test]
fn an_answer_tells_its_facts() {
    let body = br#"{"id":"msg_1","type":"message","model":"claude","content":[],
        "stop_reason":"tool_use","usage":{"input_tokens":3,"output_tokens":5,
        "cache_read_input_tokens":10,"cache_creation_input_tokens":20,
        "output_tokens_details":{"thinking_tokens":4}}}"#;
    let mut seen = Facts::default();
    Dialect::Anthropic.response(body, &CONTEXT, &mut seen).unwrap();
    // The reason is OpenAI's even where the client gets the provider's own.
    let words = [Some("msg_1"), Some("claude"), Some("tool_calls"), None];
    assert_eq!(seen, facts(words, [33, 5, 10, 20, 4], true));
}

#[test]
fn a_bad_answer_tells_its_type() {
    for (dialect, body, kind) in [
        (Dialect::Anthropic, "{\"error\":{\"message\":\"m\",\"type\":\"t\"}}", "t"),
        (Dialect::Anthropic, "{\"error\":{\"message\":\"m\"}}", "invalid_response"),
        (Dialect::Anthropic, "{\"type\":\"message\"}", "invalid_response"),
        (Dialect::OpenAi, "<html>", "invalid_response"),
    ] {
        let mut seen = Facts::default();
        let error = dialect.response(body.as_bytes(), &CONTEXT, &mut seen).unwrap_err();
        assert_eq!((error.status, error.code), (502, "invalid_response"), "{body}");
        assert_eq!(seen.error_type.as_deref(), Some(kind), "{body}");
    }
    for (body, kind) in
        [("{\"error\":{\"message\":\"m\",\"type\":\"t\"}}", "t"), ("", "upstream_error")]
    {
        let mut seen = Facts::default();
        Dialect::OpenAi.error(500, body.as_bytes(), &CONTEXT, &mut seen);
        assert_eq!(seen.error_type.as_deref(), Some(kind), "{body}");
    }
}

#[test]
fn a_stream_tells_its_facts() {
    let start = r#"{"type":"message_start","message":{"id":"msg_1","model":"claude",
        "usage":{"input_tokens":3,"output_tokens":1,"cache_read_input_tokens":10}}}"#;
    let end = r#"{"type":"message_delta","delta":{"stop_reason":"refusal"},
        "usage":{"output_tokens":7}}"#;
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#;
    let stop = r#"{"type":"message_stop"}"#;
    let (id, model) = (Some("msg_1"), Some("claude"));
    let (reason, cut) = (Some("content_filter"), Some("upstream_error"));
    for (events, words, usage, complete) in [
        (vec![start, end, stop], [id, model, reason, None], [13, 7, 10, 0, 0], true),
        (vec![start, end], [id, model, reason, cut], [13, 7, 10, 0, 0], false),
        (vec![start], [id, model, None, cut], [13, 1, 10, 0, 0], false),
        (
            vec![start, error, stop],
            [id, model, None, Some("overloaded_error")],
            [13, 1, 10, 0, 0],
            false,
        ),
        (vec![], [None, None, None, cut], [0; 5], false),
    ] {
        let expected = facts(words, usage, complete);
        assert_eq!(stream(Dialect::Anthropic, &events), expected, "{events:?}");
    }
}

#[test]
fn a_gemini_answer_tells_its_facts() {
    let body = br#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}}]},
        "finishReason":"STOP"}],"modelVersion":"gemini","responseId":"r1","usageMetadata":{
        "promptTokenCount":30,"toolUsePromptTokenCount":3,"candidatesTokenCount":5,
        "cachedContentTokenCount":20,"thoughtsTokenCount":4,"totalTokenCount":42}}"#;
    let words = [Some("r1"), Some("gemini"), Some("tool_calls"), None];
    let expected = facts(words, [33, 9, 20, 0, 4], true);
    let mut seen = Facts::default();
    Dialect::Gemini.response(body, &CONTEXT, &mut seen).unwrap();
    assert_eq!(seen, expected);
    let mut seen = Facts::default();
    Dialect::Gemini.observe(body, &mut seen);
    assert_eq!(seen, expected);
    let blocked = br#"{"promptFeedback":{"blockReason":"OTHER"}}"#;
    let mut seen = Facts::default();
    Dialect::Gemini.response(blocked, &CONTEXT, &mut seen).unwrap();
    assert_eq!(seen, facts([None, None, Some("content_filter"), None], [0; 5], true));
    let error = br#"[{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}}]"#;
    let mut seen = Facts::default();
    Dialect::Gemini.error(429, error, &CONTEXT, &mut seen);
    assert_eq!(seen.error_type.as_deref(), Some("RESOURCE_EXHAUSTED"));
}

#[test]
fn a_gemini_stream_tells_its_facts() {
    let text = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"modelVersion":"gemini",
        "responseId":"r1","usageMetadata":{"promptTokenCount":3}}"#;
    let end = r#"{"candidates":[{"finishReason":"MAX_TOKENS"}],
        "usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":7}}"#;
    let error = r#"{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}"#;
    let blocked = r#"{"promptFeedback":{"blockReason":"OTHER"}}"#;
    let (id, model, cut) = (Some("r1"), Some("gemini"), Some("upstream_error"));
    for (events, words, usage, complete) in [
        (vec![text, end], [id, model, Some("length"), None], [3, 7, 0, 0, 0], true),
        (vec![text], [id, model, None, cut], [3, 0, 0, 0, 0], false),
        (vec![text, error], [id, model, None, Some("UNAVAILABLE")], [3, 0, 0, 0, 0], false),
        (vec![blocked], [None, None, Some("content_filter"), None], [0; 5], true),
        (vec![], [None, None, None, cut], [0; 5], false),
    ] {
        let expected = facts(words, usage, complete);
        assert_eq!(stream(Dialect::Gemini, &events), expected, "{events:?}");
    }
}

#[test]
fn a_cohere_answer_tells_its_facts() {
    let body = br#"{"id":"r1","message":{"content":[],"tool_calls":[]},"finish_reason":"TOOL_CALL",
        "usage":{"billed_units":{"input_tokens":3,"output_tokens":5},
        "tokens":{"input_tokens":30,"output_tokens":9},"cached_tokens":20}}"#;
    let mut seen = Facts::default();
    Dialect::Cohere.response(body, &CONTEXT, &mut seen).unwrap();
    // The model is not Cohere's to tell.
    let words = [Some("r1"), None, Some("tool_calls"), None];
    assert_eq!(seen, facts(words, [30, 9, 20, 0, 0], true));
    for body in ["{\"message\":\"m\"}", "{\"message\":{}}", "{\"message\":{\"content\":\"x\"}}"] {
        let mut seen = Facts::default();
        Dialect::Cohere.response(body.as_bytes(), &CONTEXT, &mut seen).unwrap_err();
        assert_eq!(seen.error_type.as_deref(), Some("invalid_response"), "{body}");
    }
}

#[test]
fn a_cohere_stream_tells_its_facts() {
    let start = r#"{"type":"message-start","id":"r1","delta":{"message":{"role":"assistant"}}}"#;
    let text = r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"a"}}}}"#;
    let end = r#"{"type":"message-end","delta":{"finish_reason":"MAX_TOKENS",
        "usage":{"billed_units":{"input_tokens":3,"output_tokens":7}}}}"#;
    let fallen = r#"{"type":"message-end","delta":{"error":"m","finish_reason":"ERROR"}}"#;
    let (id, cut) = (Some("r1"), Some("upstream_error"));
    for (events, words, usage, complete) in [
        (vec![start, text, end], [id, None, Some("length"), None], [3, 7, 0, 0, 0], true),
        (vec![start, text], [id, None, None, cut], [0; 5], false),
        (vec![start, fallen, end], [id, None, None, cut], [0; 5], false),
        (vec![r#"{"message":"m"}"#, end], [None, None, None, cut], [0; 5], false),
        (vec![], [None, None, None, cut], [0; 5], false),
    ] {
        let expected = facts(words, usage, complete);
        assert_eq!(stream(Dialect::Cohere, &events), expected, "{events:?}");
    }
}

#[test]
fn content_of_cohere_is_more_than_its_begin() {
    let event = |kind: &str, message: &str| {
        format!("{{\"type\":\"{kind}\",\"index\":0,\"delta\":{{\"message\":{message}}}}}")
    };
    for (kind, message, content) in [
        ("message-start", "{}", false),
        ("content-start", "{\"content\":{\"type\":\"text\",\"text\":\"\"}}", false),
        ("content-delta", "{\"content\":{\"text\":\"a\"}}", true),
        ("content-delta", "{\"content\":{\"thinking\":\"a\"}}", true),
        ("tool-plan-delta", "{\"tool_plan\":\"a\"}", true),
        ("tool-call-start", "{\"tool_calls\":{\"id\":\"c\"}}", true),
        ("message-end", "{}", true),
    ] {
        let mut stream = Dialect::Cohere.stream(CONTEXT);
        let data = event(kind, message);
        stream.on_event(Event { name: b"", data: data.as_bytes(), failed: false }, &mut Vec::new());
        assert_eq!(stream.has_content(), content, "{data}");
    }
}

#[test]
fn content_is_what_an_answer_is_made_of() {
    let usage = r#"{"usageMetadata":{"promptTokenCount":3}}"#;
    let empty = r#"{"candidates":[{"content":{"role":"model"}}]}"#;
    let thought = r#"{"candidates":[{"content":{"parts":[{"text":"a","thought":true}]}}]}"#;
    let call = r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}}]}}]}"#;
    let finish = r#"{"candidates":[{"finishReason":"STOP"}]}"#;
    for (event, content) in
        [(usage, false), (empty, false), (thought, true), (call, true), (finish, true)]
    {
        let mut stream = Dialect::Gemini.stream(CONTEXT);
        stream
            .on_event(Event { name: b"", data: event.as_bytes(), failed: false }, &mut Vec::new());
        assert_eq!(stream.has_content(), content, "{event}");
    }
}

#[test]
fn an_openai_stream_is_complete_or_says_so() {
    let text = r#"{"model":"m","choices":[{"delta":{"content":"x"},"finish_reason":null}]}"#;
    let end = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
    let error = r#"{"error":{"message":"m","type":"server_error"}}"#;
    for (events, error_type, complete) in [
        (vec![text, end, "[DONE]"], None, true),
        (vec![text, end], None, true),
        (vec![text, "[DONE]"], None, true),
        (vec![text], Some("upstream_error"), false),
        (vec![text, error], Some("server_error"), false),
    ] {
        let facts = stream(Dialect::OpenAi, &events);
        assert_eq!(facts.error_type.as_deref(), error_type, "{events:?}");
        assert_eq!(facts.complete, complete, "{events:?}");
    }
}
