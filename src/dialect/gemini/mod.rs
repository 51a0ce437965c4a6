//! Google's Gemini API: `generateContent` and `streamGenerateContent`
//! (<https://ai.google.dev/api/generate-content>).

mod answer;
mod content;
pub mod embeddings;
pub mod error;
mod generation;
mod logprobs;
mod media;
mod message;
mod messages;
mod model;
pub mod request;
pub mod response;
mod schema;
pub mod stream;
mod thinking;
mod tool_config;
mod tools;
mod usage;

use super::field::{first, missing, present, under, wrong_type};

/// OpenAI's finish reason where the prompt was refused, whatever the `blockReason`.
const BLOCKED: &str = "content_filter";

/// OpenAI's finish reason for a `finishReason`.
///
/// Gemini stops at a function call as at the end of a text; `has_calls` makes the difference.
fn finish_reason(reason: &str, has_calls: bool) -> &'static str {
    match reason {
        "MAX_TOKENS" | "CONTINUATION" => "length",
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "MODEL_ARMOR"
        | "ESCALATION"
        | "PUP_LIMITED_DISABLED" => "content_filter",
        _ if has_calls => "tool_calls",
        // STOP, OTHER, failed function calls, and reasons that are not known yet.
        _ => "stop",
    }
}
