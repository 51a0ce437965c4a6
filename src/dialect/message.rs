//! A message of a client's conversation, its members as raw JSON: each dialect takes those that its
//! provider has something for.

use serde_json::value::RawValue;

members! {
    /// A message of OpenAI's format.
    pub(super) struct Message<'a> {
        pub role: Option<&'a RawValue>,
        pub name: Option<&'a RawValue>,
        pub content: Option<&'a RawValue>,
        /// Portkey's own: the content as an earlier answer had it, with what the model thought.
        pub content_blocks: Option<&'a RawValue>,
        pub refusal: Option<&'a RawValue>,
        pub tool_calls: Option<&'a RawValue>,
        pub tool_call_id: Option<&'a RawValue>,
        pub function_call: Option<&'a RawValue>,
        /// Anthropic's own: a tool's result is a failure.
        pub is_error: Option<&'a RawValue>,
        /// Anthropic's own.
        pub cache_control: Option<&'a RawValue>,
        /// Cohere's own.
        pub tool_plan: Option<&'a RawValue>,
    }
}
