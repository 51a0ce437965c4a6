//! What is refused, and which field the error names. What is taken is in `tests/fixtures`.

use super::super::super::testing::{check_refused, with_members, with_messages};
use super::*;

/// The body of a request with one user message of one part.
fn with_part(part: &str) -> String {
    with_messages(&format!("[{{\"role\":\"user\",\"content\":[{part}]}}]"))
}

/// The body of a request with one assistant message that calls this function.
fn with_call(function: &str) -> String {
    with_messages(&format!(
        "[{{\"role\":\"assistant\",\"tool_calls\":[{{\"id\":\"c\",\"function\":{function}}}]}}]"
    ))
}

#[test]
fn wrong_conversations_are_refused() {
    let (gone, kind, value) = ("missing_required_parameter", "invalid_type", "invalid_value");
    let unsupported = "unsupported_content";
    let part = "messages[0].content[0]";
    check_refused(
        translate,
        &[
            ("[]".into(), "invalid_json", ""),
            ("{\"model\":\"m\",\"model\":\"n\"}".into(), "invalid_json", ""),
            ("{\"messages\":[]}".into(), gone, "model"),
            ("{\"model\":1}".into(), kind, "model"),
            ("{\"model\":\"\"}".into(), value, "model"),
            (format!("{{\"model\":\"{}\"}}", "m".repeat(300)), value, "model"),
            ("{\"model\":\"m\"}".into(), gone, "messages"),
            (with_messages("{}"), kind, "messages"),
            (with_messages("[]"), value, "messages"),
            (with_messages("[{\"role\":\"system\",\"content\":\"x\"}]"), value, "messages"),
            (with_messages("[{\"role\":\"user\",\"content\":\"\"}]"), value, "messages"),
            (with_messages("[[\"user\",\"x\"]]"), kind, "messages[0]"),
            (with_messages("[{\"content\":\"x\"}]"), gone, "messages[0].role"),
            (with_messages("[{\"role\":\"robot\"}]"), value, "messages[0].role"),
            (with_messages("[{\"role\":\"user\"}]"), gone, "messages[0].content"),
            (with_messages("[{\"role\":\"user\",\"content\":3}]"), kind, "messages[0].content"),
            (
                with_messages("[{\"role\":\"system\",\"content\":[{\"type\":\"image_url\"}]}]"),
                unsupported,
                part,
            ),
            (with_messages("[{\"role\":\"tool\"}]"), gone, "messages[0].tool_call_id"),
            (
                with_messages("[{\"role\":\"tool\",\"tool_call_id\":\"c\"}]"),
                value,
                "messages[0].tool_call_id",
            ),
            (with_part("3"), kind, part),
            (with_part("{}"), gone, "messages[0].content[0].type"),
            (with_part("{\"type\":\"text\"}"), gone, "messages[0].content[0].text"),
            (with_part("{\"type\":\"text\",\"text\":3}"), kind, "messages[0].content[0].text"),
            (with_part("{\"type\":\"thinking\"}"), unsupported, part),
            (
                with_part("{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png,AA\"}}"),
                value,
                "messages[0].content[0].image_url.url",
            ),
            (
                with_part("{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AA\"}}"),
                gone,
                "messages[0].content[0].input_audio.format",
            ),
            (
                with_part("{\"type\":\"file\",\"file\":{}}"),
                gone,
                "messages[0].content[0].file.file_data",
            ),
        ],
    );
}

#[test]
fn wrong_tools_are_refused() {
    let (gone, kind, value) = ("missing_required_parameter", "invalid_type", "invalid_value");
    let function = |function: &str| {
        with_members(&format!("\"tools\":[{{\"type\":\"function\",\"function\":{function}}}]"))
    };
    let arguments = "messages[0].tool_calls[0].function.arguments";
    let parameters = "tools[0].function.parameters";
    check_refused(
        translate,
        &[
            (with_call("{}"), gone, "messages[0].tool_calls[0].function.name"),
            (with_call("{\"name\":\"f\",\"arguments\":{}}"), kind, arguments),
            (with_call("{\"name\":\"f\",\"arguments\":\"3\"}"), value, arguments),
            (with_members("\"tools\":{}"), kind, "tools"),
            (with_members("\"tools\":[{}]"), gone, "tools[0].type"),
            (with_members("\"tools\":[{\"type\":\"function\"}]"), gone, "tools[0].function"),
            (
                with_members("\"tools\":[{\"type\":\"custom\",\"custom\":{}}]"),
                "unsupported_tool",
                "tools[0].type",
            ),
            (
                with_members("\"tools\":[{\"type\":\"web_search\"}]"),
                "unsupported_tool",
                "tools[0].type",
            ),
            (function("{}"), gone, "tools[0].function.name"),
            (function("{\"name\":\"f\",\"parameters\":3}"), kind, parameters),
            (function("{\"name\":\"f\",\"parameters\":{\"$ref\":\"#/x\"}}"), value, parameters),
            (with_members("\"tool_choice\":\"maybe\""), value, "tool_choice"),
            (with_members("\"tool_choice\":{\"type\":\"function\"}"), value, "tool_choice"),
            (with_members("\"stop\":3"), kind, "stop"),
            (with_members("\"modalities\":\"text\""), kind, "modalities"),
            (with_members("\"generationConfig\":3"), kind, "generationConfig"),
            (
                with_members(
                    "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":3}}",
                ),
                kind,
                "response_format.json_schema.schema",
            ),
        ],
    );
}

#[test]
fn the_path_tells_model_and_form() {
    let path = |body: &str| translate(body.as_bytes()).unwrap().path.into_owned();
    let body = with_members("\"stream\":false");
    assert_eq!(path(&body), "/models/m:generateContent");
    let body = with_members("\"stream\":true").replace("\"m\"", "\"../a?b\"");
    assert_eq!(path(&body), "/models/..%2Fa%3Fb:streamGenerateContent");
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    // Either verdict is fine, as long as there is one.
    let _ = translate(with_members(&format!("\"tools\":[{{\"a\":{deep}}}]")).as_bytes());
    let _ = translate(with_part(&deep).as_bytes());
}
