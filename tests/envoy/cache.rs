//! The cache of answers: hits, what is never kept, who shares what.

mod churn;
mod semantic;
mod simple;
mod wrong;

use crate::support::client::Response;
use crate::support::gateway::Gateway;
use crate::support::upstream::{Step, Upstream, chunk, json, last_chunk, sse_head};

/// A gateway whose virtual keys `a` and `b` lead to this upstream.
fn gateway(workers: usize, upstream: &Upstream, yaml: &str) -> Gateway {
    let url = format!("http://127.0.0.1:{}/v1", upstream.port);
    let keys = format!(
        "virtual_keys:\n  a: {{provider: openai, api_key: sk-a, base_url: '{url}'}}\n  \
         b: {{provider: openai, api_key: sk-b, base_url: '{url}'}}\n  \
         ant: {{provider: anthropic, api_key: sk-c, base_url: '{url}'}}\n{yaml}"
    );
    Gateway::with_workers(workers, &keys)
}

const SIMPLE: &str = r#"x-portkey-config: {"virtual_key":"a","cache":{"mode":"simple"}}"#;
const SEMANTIC: &str = r#"x-portkey-config: {"virtual_key":"a","cache":{"mode":"semantic"}}"#;

fn ask(text: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]}}"#)
}

/// An answer that tells how many there were before.
fn numbered(number: usize) -> Vec<Step> {
    json(200, &crate::COMPLETION.replace("hello", &format!("answer {number}")))
}

fn status(response: &Response) -> &str {
    response.header("x-portkey-cache-status").unwrap_or("none")
}

fn said(response: &Response) -> String {
    response.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
}

/// The chunks of a chat completion that says `words`.
fn stream(words: &[&str], end: bool) -> Vec<Step> {
    let event = |delta: &str, reason: &str| {
        chunk(&format!(
            "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\
             \"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{delta},\
             \"finish_reason\":{reason}}}]}}\n\n"
        ))
    };
    let mut steps = vec![sse_head(), event(r#"{"role":"assistant","content":""}"#, "null")];
    steps.extend(words.iter().map(|word| event(&format!(r#"{{"content":"{word}"}}"#), "null")));
    if end {
        steps.push(event("{}", "\"stop\""));
        steps.push(chunk("data: [DONE]\n\n"));
    }
    steps.push(last_chunk());
    steps
}
