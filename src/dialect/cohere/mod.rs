//! Cohere's API, version 2: chat (<https://docs.cohere.com/reference/chat>) and embeddings.

mod answer;
mod content;
pub mod embed;
pub mod error;
mod generation;
mod logprobs;
mod messages;
pub mod request;
pub mod response;
pub mod stream;
mod tools;
mod usage;

use super::field::{first, missing, present, under, wrong_type};

/// Cohere's finish reason where it tells none.
const COMPLETE: &str = "COMPLETE";

/// OpenAI's finish reason for one of Cohere's.
fn finish_reason(reason: &str) -> &'static str {
    match reason {
        "MAX_TOKENS" => "length",
        "TOOL_CALL" => "tool_calls",
        // COMPLETE, STOP_SEQUENCE, ERROR, TIMEOUT, and reasons that are not known yet.
        _ => "stop",
    }
}
