//! What is refused, and which field the error names. What is taken is in `tests/fixtures`.

use super::super::super::testing::{
    check_refused, with_assistant, with_content, with_members, with_messages,
};
use super::*;

#[test]
fn wrong_conversations_are_refused() {
    let (gone, kind, value) = ("missing_required_parameter", "invalid_type", "invalid_value");
    let unsupported = "unsupported_content";
    check_refused(
        translate,
        &[
            ("[]".into(), "invalid_json", ""),
            ("{\"model\":\"m\"".into(), "invalid_json", ""),
            ("{\"model\":\"m\",\"model\":\"n\"}".into(), "invalid_json", ""),
            ("{\"messages\":[]}".into(), gone, "model"),
            ("{\"model\":1}".into(), kind, "model"),
            ("{\"model\":\"m\"}".into(), gone, "messages"),
            (with_messages("null"), gone, "messages"),
            (with_messages("{}"), kind, "messages"),
            (with_messages("[]"), value, "messages"),
            (with_messages("[{\"role\":\"system\",\"content\":\"x\"}]"), value, "messages"),
            (with_messages("[\"x\"]"), kind, "messages[0]"),
            (with_messages("[[\"user\",\"x\"]]"), kind, "messages[0]"),
            (with_messages("[{\"content\":\"x\"}]"), gone, "messages[0].role"),
            (with_messages("[{\"role\":\"robot\"}]"), value, "messages[0].role"),
            (with_messages("[{\"role\":\"function\"}]"), unsupported, "messages[0].role"),
            (with_messages("[{\"role\":\"user\"}]"), gone, "messages[0].content"),
            (with_messages("[{\"role\":\"tool\"}]"), gone, "messages[0].tool_call_id"),
            (with_content("3"), kind, "messages[0].content"),
            (with_content("[3]"), kind, "messages[0].content[0]"),
            (with_content("[{}]"), gone, "messages[0].content[0].type"),
            (with_content("[{\"type\":\"text\"}]"), gone, "messages[0].content[0].text"),
            (with_content("[{\"type\":\"video\"}]"), unsupported, "messages[0].content[0]"),
            (with_content("[{\"type\":\"thinking\"}]"), unsupported, "messages[0].content[0]"),
            (
                with_content("[{\"type\":\"file\",\"file\":{}}]"),
                gone,
                "messages[0].content[0].file.file_data",
            ),
            (
                with_content(
                    "[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:audio/wav;base64,AA\"}}]",
                ),
                unsupported,
                "messages[0].content[0].image_url.url",
            ),
            (
                with_content(
                    "[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png,AA\"}}]",
                ),
                value,
                "messages[0].content[0].image_url.url",
            ),
            (with_assistant("\"function_call\":{}"), unsupported, "messages[0].function_call"),
            (
                with_assistant("\"content\":[{\"type\":\"image_url\"}]"),
                unsupported,
                "messages[0].content[0]",
            ),
            (with_assistant("\"content_blocks\":[{}]"), gone, "messages[0].content_blocks[0].type"),
        ],
    );
}

#[test]
fn wrong_tools_are_refused() {
    let (gone, kind, value) = ("missing_required_parameter", "invalid_type", "invalid_value");
    let call = |function: &str| {
        with_assistant(&format!("\"tool_calls\":[{{\"id\":\"c\",\"function\":{function}}}]"))
    };
    let arguments = "messages[0].tool_calls[0].function.arguments";
    check_refused(
        translate,
        &[
            (with_assistant("\"tool_calls\":{}"), kind, "messages[0].tool_calls"),
            (with_assistant("\"tool_calls\":[{}]"), gone, "messages[0].tool_calls[0].id"),
            (
                with_assistant("\"tool_calls\":[{\"type\":\"custom\"}]"),
                "unsupported_content",
                "messages[0].tool_calls[0].type",
            ),
            (call("{}"), gone, "messages[0].tool_calls[0].function.name"),
            (call("{\"name\":\"f\",\"arguments\":{}}"), kind, arguments),
            (call("{\"name\":\"f\",\"arguments\":\"3\"}"), value, arguments),
            (call("{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":\"}"), value, arguments),
            (with_members("\"tools\":{}"), kind, "tools"),
            (with_members("\"tools\":[{}]"), gone, "tools[0].type"),
            (with_members("\"tools\":[{\"type\":\"function\"}]"), gone, "tools[0].function"),
            (
                with_members("\"tools\":[{\"type\":\"function\",\"function\":{}}]"),
                gone,
                "tools[0].function.name",
            ),
            (
                with_members("\"tools\":[{\"type\":\"custom\",\"custom\":{}}]"),
                "unsupported_tool",
                "tools[0].type",
            ),
            (
                with_members("\"tools\":[{\"type\":\"bash\",\"bash\":{}}]"),
                gone,
                "tools[0].bash.name",
            ),
            (with_members("\"tool_choice\":\"maybe\""), value, "tool_choice"),
            (with_members("\"tool_choice\":{\"type\":\"function\"}"), value, "tool_choice"),
            (with_members("\"stop\":3"), kind, "stop"),
        ],
    );
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let tool = format!("\"tools\":[{{\"name\":\"n\",\"input_schema\":{{\"a\":{deep}}}}}]");
    // Either verdict is fine, as long as there is one.
    let _ = translate(with_members(&tool).as_bytes());
    let _ = translate(with_content(&deep).as_bytes());
}
