//! For the tests of what a dialect refuses: bodies of requests, and the errors that are due.

use crate::error::Error;

/// The body of a request with these messages.
pub(super) fn with_messages(messages: &str) -> String {
    format!("{{\"model\":\"m\",\"messages\":{messages}}}")
}

/// The body of a request with one assistant message of these members.
pub(super) fn with_assistant(members: &str) -> String {
    with_messages(&format!("[{{\"role\":\"assistant\",{members}}}]"))
}

/// The body of a request with one user message of this content.
pub(super) fn with_content(content: &str) -> String {
    with_messages(&format!("[{{\"role\":\"user\",\"content\":{content}}}]"))
}

/// The body of a request with these members beside a message.
pub(super) fn with_members(members: &str) -> String {
    format!("{{\"model\":\"m\",\"messages\":[{{\"role\":\"user\",\"content\":\"x\"}}],{members}}}")
}

/// Each body is refused with a 400 of this code that names this field.
pub(super) fn check_refused<T: std::fmt::Debug>(
    translate: impl Fn(&[u8]) -> Result<T, Error>,
    cases: &[(String, &str, &str)],
) {
    for (body, code, param) in cases {
        let error = translate(body.as_bytes()).expect_err(body);
        assert_eq!((error.status, error.code), (400, *code), "{body}");
        assert_eq!(error.param.as_deref().unwrap_or(""), *param, "{body}");
    }
}
