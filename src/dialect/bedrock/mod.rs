//! Amazon Bedrock's Converse API
//! (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>).

mod additional;
mod answer;
mod content;
mod document;
pub mod error;
mod inference;
pub mod invoke;
mod media;
mod messages;
mod model;
mod output;
pub mod request;
pub mod response;
pub mod stream;
mod tools;
mod usage;

use super::field::{missing, present, under, wrong_type};

/// Bedrock's stop reason where it tells none.
const END_TURN: &str = "end_turn";

/// OpenAI's finish reason for one of Bedrock's.
fn finish_reason(reason: &str) -> &'static str {
    match reason {
        "max_tokens" | "model_context_window_exceeded" => "length",
        "tool_use" => "tool_calls",
        "guardrail_intervened" | "content_filtered" => "content_filter",
        // end_turn, stop_sequence, malformed_model_output, malformed_tool_use, and reasons that
        // are not known yet.
        _ => "stop",
    }
}
