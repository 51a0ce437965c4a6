//! A message of a client's conversation, its members as raw JSON: each dialect takes those that its
//! provider has something for.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A message of OpenAI's format.
#[derive(Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub role: Option<&'a RawValue>,
    #[serde(borrow)]
    pub name: Option<&'a RawValue>,
    #[serde(borrow)]
    pub content: Option<&'a RawValue>,
    /// Portkey's own: the content as an earlier answer had it, with what the model thought.
    #[serde(borrow)]
    pub content_blocks: Option<&'a RawValue>,
    #[serde(borrow)]
    pub refusal: Option<&'a RawValue>,
    #[serde(borrow)]
    pub tool_calls: Option<&'a RawValue>,
    #[serde(borrow)]
    pub tool_call_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub function_call: Option<&'a RawValue>,
    /// Anthropic's own: a tool's result is a failure.
    #[serde(borrow)]
    pub is_error: Option<&'a RawValue>,
    /// Anthropic's own.
    #[serde(borrow)]
    pub cache_control: Option<&'a RawValue>,
    /// Cohere's own.
    #[serde(borrow)]
    pub tool_plan: Option<&'a RawValue>,
}
