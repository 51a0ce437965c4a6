//! The release module in a real Envoy, in front of scripted upstreams.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]
#![allow(clippy::string_slice)]

mod support;

mod azure;
mod bad_config;
mod bad_input;
mod bedrock;
mod bodies;
mod cache;
mod callers;
mod cohere;
mod cost;
mod failure;
mod forgery;
mod gemini;
mod host_calls;
mod limits;
mod metrics;
mod once;
mod passing;
mod providers;
mod reload;
mod routing;
mod settings;
mod streaming;
mod timing;
mod traces;
mod uploads;
mod vault;
mod vertex;

/// A gateway.yaml with a virtual key for each wire format, at these ports.
fn virtual_keys(openai: u16, anthropic: u16) -> String {
    format!(
        "virtual_keys:\n  \
         oai: {{provider: openai, api_key: sk-oai-secret, base_url: 'http://127.0.0.1:{openai}/v1'}}\n  \
         ant: {{provider: anthropic, api_key: sk-ant-secret, base_url: 'http://127.0.0.1:{anthropic}/v1'}}\n"
    )
}

const OAI: &str = "x-portkey-virtual-key: oai";
const ANT: &str = "x-portkey-virtual-key: ant";

const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
const CHAT_STREAM: &str =
    r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;

const COMPLETION: &str = r#"{"id":"c-1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#;

const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":6}}"#;
