//! What requests cost, in the log.

use crate::support::gateway::Gateway;
use crate::support::upstream::{Upstream, json as answer};
use crate::virtual_keys;
use serde_json::json;

const PRICES: &str = "prices:\n  openai:\n    mine: {input: 0.15, output: 0.6}\n";

fn chat(model: &str) -> String {
    json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] }).to_string()
}

#[test]
fn every_kind_of_token_is_paid_once_at_its_price() {
    let openai =
        Upstream::start(|request, _| {
            let model = request.json()["model"].as_str().unwrap().to_owned();
            let answered = if model == "gpt-4o" { "gpt-4o-2024-08-06" } else { &model };
            answer(200, &json!({
            "id": "c-1", "object": "chat.completion", "created": 1, "model": answered,
            "choices": [{ "index": 0, "finish_reason": "stop",
                "message": { "role": "assistant", "content": "hello" } }],
            "usage": { "prompt_tokens": 1000, "completion_tokens": 103, "total_tokens": 1103,
                "prompt_tokens_details": { "cached_tokens": 400 },
                "completion_tokens_details": { "reasoning_tokens": 64 } },
        })
        .to_string())
        });
    let anthropic =
        Upstream::start(|_, _| {
            answer(200, &json!({
            "id": "msg_1", "type": "message", "role": "assistant",
            "model": "claude-sonnet-4-5-20250929", "stop_reason": "end_turn",
            "content": [{ "type": "text", "text": "hello" }],
            "usage": { "input_tokens": 10, "output_tokens": 20, "cache_read_input_tokens": 1000,
                "cache_creation_input_tokens": 500,
                "cache_creation": { "ephemeral_5m_input_tokens": 400,
                    "ephemeral_1h_input_tokens": 100 } },
        })
        .to_string())
        });
    let keys = virtual_keys(openai.port, anthropic.port);
    let gateway = Gateway::start(&format!("{keys}{PRICES}"));
    let cached = r#"x-portkey-config: {"virtual_key":"oai","cache":{"mode":"simple"}}"#;
    let oai = "x-portkey-virtual-key: oai";
    let ant = "x-portkey-virtual-key: ant";
    for (header, model) in [
        (oai, "gpt-4o"),
        (ant, "claude-sonnet-4-5"),
        (oai, "unheard-of"),
        (cached, "mine"),
        (cached, "mine"),
    ] {
        assert_eq!(gateway.chat(&[header], &chat(model)).status, 200);
    }
    let log = gateway.log(5);
    let costs: Vec<_> = log.iter().map(|line| line["cost_micro_usd"].clone()).collect();
    let mine = 150 + 62; // 1000 * 0.15 + 103 * 0.6 = 211.8
    assert_eq!(
        costs,
        [
            // 600 new, 400 cached, 103 out, reasoning among them.
            json!(1_500 + 500 + 1_030),
            // 10 new, 1000 read, 400 written for minutes, 100 for an hour, 20 out.
            json!(30 + 300 + 1_500 + 600 + 300),
            json!(null),
            json!(mine),
            json!(0),
        ]
    );
    assert_eq!(log[4]["cache_status"], "HIT");
    assert_eq!(log[4]["saved_cost_micro_usd"], mine);
    assert_eq!(log[0]["saved_cost_micro_usd"], json!(null));
    gateway.assert_healthy();
}
