//! OpenAI's Responses API (<https://platform.openai.com/docs/api-reference/responses>) for its
//! clients. Nothing is stored: an answer cannot be asked for again, or be referred to.

mod answer;
mod content;
mod echo;
mod input;
mod item;
pub mod request;
pub mod response;
mod settings;
pub mod stream;
mod tools;

/// What the `encrypted_content` of a reasoning item begins with when it is the signature of a
/// block of reasoning, or such a block that only the provider can read. OpenAI's own begin with
/// neither.
const SIGNATURE: &str = "thinking.";
const REDACTED: &str = "redacted_thinking.";
