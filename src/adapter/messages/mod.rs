//! Anthropic's Messages API (<https://docs.anthropic.com/en/api/messages>) for its clients.

mod assistant;
mod content;
mod conversation;
pub mod request;
pub mod response;
mod settings;
pub mod stream;
mod tools;
mod usage;

/// Anthropic's reason for OpenAI's finish reason.
fn stop_reason(finish_reason: Option<&str>, has_calls: bool) -> &'static str {
    match finish_reason {
        Some("length") => "max_tokens",
        Some("content_filter") => "refusal",
        // Some servers say that the model stopped, although it waits for a result.
        _ if has_calls => "tool_use",
        Some("tool_calls" | "function_call") => "tool_use",
        // stop, reasons of vendors, and none at all.
        _ => "end_turn",
    }
}
