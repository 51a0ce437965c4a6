//! Anthropic's Messages API (<https://docs.anthropic.com/en/api/messages>).

pub mod request;
pub mod response;
pub mod stream;
