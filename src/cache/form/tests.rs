use super::*;
use crate::stream::sse::Decoder;
use serde_json::json;

fn assemble(form: Form, bytes: &[u8]) -> Option<Value> {
    let mut assembler = Assembler::new(form);
    let mut decoder = Decoder::default();
    decoder.push(bytes, &mut |event| assembler.on_event(event)).unwrap();
    decoder.finish(&mut |event| assembler.on_event(event));
    assembler.finish()
}

fn answers() -> Vec<(Form, Value)> {
    let text = "It is forty two, as far as anybody could find out. ".repeat(5) + "\u{1f600}";
    let chat = |message: Value, reason: &str, logprobs: Value| {
        json!({
            "id": "c-1", "object": "chat.completion", "created": 7, "model": "m-1",
            "provider": "openai", "system_fingerprint": "fp",
            "choices": [{"index": 0, "message": message, "logprobs": logprobs,
                "finish_reason": reason}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
        })
    };
    let call = |id: &str, arguments: &str| {
        json!({"id": id, "type": "function",
            "function": {"name": "weather", "arguments": arguments}})
    };
    let plain = json!({"role": "assistant", "content": text, "reasoning_content": "hm, hm"});
    let tools = json!({"role": "assistant", "content": null,
        "tool_calls": [call("t1", "{\"city\":\"Paris\"}"), call("t2", "")]});
    let blocks = json!({"role": "assistant", "content": "hi", "content_blocks": [
        {"type": "thinking", "thinking": "hm", "signature": "sig"}, {"type": "text", "text": "hi"},
        {"type": "redacted_thinking", "data": "x"}]});
    let probable = json!({"content": [{"token": "hi", "logprob": -0.5, "bytes": [104, 105],
        "top_logprobs": []}], "refusal": null});
    let mut several = chat(plain.clone(), "stop", Value::Null);
    several["choices"] = json!([
        {"index": 0, "message": {"role": "assistant", "content": "a"}, "logprobs": null,
            "finish_reason": "stop"},
        {"index": 1, "message": {"role": "assistant", "content": "b"}, "logprobs": null,
            "finish_reason": "length"}]);
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            {"type": "redacted_thinking", "data": "x"},
            {"type": "text", "text": text},
            {"type": "text", "text": "cited", "citations": [{"type": "char_location"}]},
            {"type": "tool_use", "id": "t", "name": "weather", "input": {"city": "Paris"}},
            {"type": "tool_use", "id": "u", "name": "now", "input": {}}],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 5, "output_tokens": 6}});
    let response = json!({"id": "resp_1", "object": "response", "status": "completed",
        "model": "m", "output": [
            {"type": "reasoning", "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "hm"}]},
            {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                "content": [{"type": "output_text", "text": text, "annotations": [{"type": "x"}],
                    "logprobs": []}, {"type": "refusal", "refusal": "no"}]},
            {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "weather",
                "arguments": "{\"city\":\"Paris\"}", "status": "completed"},
            {"type": "web_search_call", "id": "ws_1", "status": "completed"}],
        "usage": {"input_tokens": 5, "output_tokens": 6, "total_tokens": 11}});
    vec![
        (Form::Chat, chat(plain, "stop", Value::Null)),
        (Form::Chat, chat(tools, "tool_calls", Value::Null)),
        (Form::Chat, chat(blocks, "stop", Value::Null)),
        (Form::Chat, chat(json!({"role": "assistant", "content": "hi"}), "stop", probable)),
        (Form::Chat, several),
        (
            Form::Completion,
            json!({"id": "c", "object": "text_completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "text": text, "logprobs": null, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}),
        ),
        (Form::Message, message),
        (Form::Response, response),
    ]
}

#[test]
fn a_replayed_stream_is_put_together_to_the_same_answer() {
    for (form, answer) in answers() {
        assert!(form.is_whole(&answer), "{answer}");
        let stream = form.replay(&answer, true).unwrap();
        assert_eq!(assemble(form, &stream).unwrap(), answer, "{}", answer);
        let text = String::from_utf8(stream).unwrap();
        assert!(text.lines().count() > 8 || !text.contains("forty two"), "{text}");
    }
}

#[test]
fn a_stream_without_usage_says_none() {
    let (form, mut answer) = answers().remove(0);
    let stream = form.replay(&answer, false).unwrap();
    assert!(!String::from_utf8_lossy(&stream).contains("usage"));
    answer.as_object_mut().unwrap().remove("usage");
    assert_eq!(assemble(form, &stream), Some(answer));
}

#[test]
fn no_cut_stream_is_kept() {
    for (form, answer) in answers() {
        let stream = form.replay(&answer, true).unwrap();
        let last = stream.len() - 3;
        for end in (0..last).step_by(7).chain([last]) {
            assert_eq!(assemble(form, &stream[..end]), None, "{form:?} cut at {end}");
        }
        // Nothing may follow the end.
        let more = [stream.as_slice(), b"data: {}\n\n"].concat();
        assert_eq!(assemble(form, &more), None);
    }
}

#[test]
fn errors_and_what_does_not_add_up_are_not_kept() {
    let chunk = r#"data: {"id":"c","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}"#;
    let done = "data: [DONE]\n\n";
    let whole = format!("{chunk}\n\n{done}");
    assert!(assemble(Form::Chat, whole.as_bytes()).is_some());
    for other in [
        r#"data: {"error":{"message":"no"}}"#,
        "data: no json",
        "data: [1]",
        r#"data: {"choices":[{"index":0,"delta":{"content":["a"]}}]}"#,
        r#"data: {"choices":[{"index":0,"delta":{"audio":{"data":"x"}}}]}"#,
        r#"data: {"choices":[{"index":5000,"delta":{}}]}"#,
        r#"data: {"choices":[{"index":1,"delta":{"content":"unfinished"}}]}"#,
        r#"data: {"choices":"x"}"#,
    ] {
        let stream = format!("{chunk}\n\n{other}\n\n{done}");
        assert_eq!(assemble(Form::Chat, stream.as_bytes()), None, "{other}");
    }
    for (form, answer) in [
        (Form::Chat, json!({"choices": []})),
        (Form::Chat, json!({"choices": [{"message": {}}]})),
        (Form::Chat, json!({"choices": [{"finish_reason": "stop"}], "error": {"code": 1}})),
        (Form::Chat, json!("x")),
        (Form::Embedding, json!({"data": []})),
        (Form::Message, json!({"type": "message", "stop_reason": null})),
        (Form::Response, json!({"status": "incomplete"})),
    ] {
        assert!(!form.is_whole(&answer), "{answer}");
    }
}

#[test]
fn calls_of_tools_are_seen() {
    let calls: Vec<bool> =
        answers().iter().map(|(form, answer)| form.calls_tools(answer)).collect();
    assert_eq!(calls, [false, true, false, false, false, false, true, true]);
}
