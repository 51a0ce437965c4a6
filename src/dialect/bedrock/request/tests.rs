use super::translate;
use crate::dialect::testing::{
    check_refused, with_assistant, with_content, with_members, with_messages,
};

#[test]
fn what_bedrock_cannot_take_is_refused() {
    let tool = |members: &str| with_members(&format!("\"tools\":[{{{members}}}]"));
    check_refused(
        translate,
        &[
            ("{\"model\":\"m\"}".to_owned(), "missing_required_parameter", "messages"),
            ("{\"messages\":[]}".to_owned(), "missing_required_parameter", "model"),
            (with_messages("[]"), "invalid_value", "messages"),
            (
                with_messages("[{\"role\":\"system\",\"content\":\"x\"}]"),
                "invalid_value",
                "messages",
            ),
            (
                with_messages("[{\"role\":\"tool\",\"content\":\"x\"}]"),
                "missing_required_parameter",
                "messages[0].tool_call_id",
            ),
            (
                with_content(
                    "[{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://a/b.png\"}}]",
                ),
                "unsupported_content",
                "messages[0].content[0].image_url.url",
            ),
            (
                with_content(
                    "[{\"type\":\"image_url\",\"image_url\":\"data:image/bmp;base64,AA\"}]",
                ),
                "unsupported_content",
                "messages[0].content[0].image_url.url",
            ),
            (
                with_content("[{\"type\":\"file\",\"file\":{\"file_id\":\"f\"}}]"),
                "missing_required_parameter",
                "messages[0].content[0].file.file_data",
            ),
            (
                with_content("[{\"type\":\"poem\"}]"),
                "unsupported_content",
                "messages[0].content[0]",
            ),
            (
                with_assistant(
                    "\"tool_calls\":[{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"[\"}}]",
                ),
                "invalid_value",
                "messages[0].tool_calls[0].function.arguments",
            ),
            (tool("\"type\":\"function\""), "missing_required_parameter", "tools[0].function"),
            (tool("\"type\":\"custom\""), "unsupported_tool", "tools[0].type"),
            (with_members("\"tool_choice\":\"required\""), "invalid_value", "tool_choice"),
            (with_members("\"stop\":3"), "invalid_type", "stop"),
            (
                with_members("\"additional_model_request_fields\":3"),
                "invalid_type",
                "additional_model_request_fields",
            ),
        ],
    );
}

#[test]
fn the_path_tells_model_and_kind_of_answer() {
    let path = |members: &str| {
        let body = format!(
            "{{\"model\":\"a.b:0\",\"messages\":[{{\"role\":\"user\",\"content\":\"x\"}}]{members}}}"
        );
        translate(body.as_bytes()).unwrap().path.into_owned()
    };
    assert_eq!(path(""), "/model/a.b%3A0/converse");
    assert_eq!(path(",\"stream\":true"), "/model/a.b%3A0/converse-stream");
    assert_eq!(path(",\"stream\":false"), "/model/a.b%3A0/converse");
}
