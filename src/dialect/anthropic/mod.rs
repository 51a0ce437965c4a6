//! Anthropic's Messages API (<https://docs.anthropic.com/en/api/messages>).

mod content;
mod event;
mod media;
mod messages;
mod output;
pub mod request;
pub mod response;
pub mod stream;
mod tool_choice;
mod tools;
mod usage;

use super::field::{missing, under, wrong_type};

/// OpenAI's finish reason for a `stop_reason`.
fn finish_reason(stop_reason: &str) -> &'static str {
    match stop_reason {
        "max_tokens" | "model_context_window_exceeded" => "length",
        "tool_use" => "tool_calls",
        "refusal" => "content_filter",
        // end_turn, stop_sequence, pause_turn, and reasons that are not known yet.
        _ => "stop",
    }
}
