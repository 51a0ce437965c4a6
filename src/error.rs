//! Errors that a client sees, and the one place that builds their body.

use crate::endpoint::Endpoint;
use serde::Serialize;
use std::fmt;

/// The kind of errors that a time-out is.
pub const TIMEOUT: &str = "timeout_error";

/// The code of errors that a path or method is which the API does not have.
pub const NO_ROUTE: &str = "not_found";

/// The code of errors that a request without a model is, where Portkey answers without telling
/// which target it was.
pub const NO_MODEL: &str = "model_required";

/// Whose fault an error is: the `source` of the log record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The request was wrong.
    Client,
    /// The provider failed or could not be reached.
    Provider,
    /// The gateway itself, or its configuration.
    Gateway,
}

impl Source {
    /// The name in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Provider => "provider",
            Self::Gateway => "gateway",
        }
    }
}

/// An answer that the gateway makes itself instead of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// HTTP status, 400-599.
    pub status: u16,
    /// OpenAI's `error.type`.
    pub kind: &'static str,
    /// OpenAI's `error.code`: stable, for programs.
    pub code: &'static str,
    /// What went wrong, in Portkey's words where it has some; never holds a secret.
    pub message: String,
    /// What to change; follows the message in OpenAI's `error.message`.
    pub hint: Option<Box<str>>,
    /// The request field at fault, if one is.
    pub param: Option<Box<str>>,
    /// All that is wrong, as Portkey lists it: `path: targets,0,weight, message: ...`.
    pub errors: Vec<String>,
    /// Whose fault it is.
    pub source: Source,
}

impl Error {
    /// A 400 for a request that cannot be understood.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::client(400, code, message)
    }

    /// A 400 for an operation that a provider does not have, in Portkey's words.
    pub fn unsupported(endpoint: Endpoint, provider: &str) -> Self {
        let message = format!("{} is not supported by {provider}", endpoint.portkeys_name());
        Self::invalid("unsupported_endpoint", message)
    }

    /// A 4xx of the given status.
    pub fn client(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        let kind = "invalid_request_error";
        Self::new(status, kind, code, message.into(), Source::Client)
    }

    /// A failure on the provider's side or on the way to it.
    pub fn provider(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        let kind = "upstream_error";
        Self::new(status, kind, code, message.into(), Source::Provider)
    }

    /// A fault of the gateway or of its configuration.
    pub fn gateway(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(500, "gateway_error", code, message.into(), Source::Gateway)
    }

    fn new(
        status: u16,
        kind: &'static str,
        code: &'static str,
        message: String,
        source: Source,
    ) -> Self {
        Self { status, kind, code, message, hint: None, param: None, errors: Vec::new(), source }
    }

    /// Another status than the kind's own.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Another of OpenAI's types.
    #[must_use]
    pub fn with_kind(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }

    /// Names the request field at fault.
    #[must_use]
    pub fn with_param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into().into());
        self
    }

    /// Says what to change.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into().into());
        self
    }

    /// The JSON body, readable by Portkey's clients (`status`, `message`) and OpenAI's (`error`).
    ///
    /// Time-outs have Portkey's own shape, which has `error` alone, and so has a path that leads
    /// nowhere: `ok` instead of `status`.
    pub fn body(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Body<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            status: Option<&'static str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            message: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            ok: Option<bool>,
            #[serde(skip_serializing_if = "<[String]>::is_empty")]
            errors: &'a [String],
            error: Detail<'a>,
        }
        let timed_out = self.kind == TIMEOUT;
        let full = self.hint.as_ref().map(|hint| format!("{}: {hint}", self.message));
        let error = Detail {
            message: full.as_deref().unwrap_or(&self.message),
            kind: Some(self.kind),
            param: self.param.as_deref(),
            code: Some(self.code).filter(|_| !timed_out),
        };
        let lost = self.code == NO_ROUTE;
        let status = Some("failure").filter(|_| !timed_out && !lost);
        let ok = lost.then_some(false);
        let message = Some(self.message.as_str()).filter(|_| !timed_out);
        let body = Body { status, message, ok, errors: &self.errors, error };
        // Plain strings always serialise.
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

/// The `error` object of OpenAI's error bodies.
#[derive(Debug, Serialize)]
pub struct Detail<'a> {
    /// For people.
    pub message: &'a str,
    /// OpenAI's `type`.
    #[serde(rename = "type")]
    pub kind: Option<&'a str>,
    /// The request field at fault.
    pub param: Option<&'a str>,
    /// For programs.
    pub code: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_serves_both_worlds() {
        let error = Error::invalid("invalid_json", "no \"model\"").with_param("model");
        let error = error.with_hint("name one");
        let body: serde_json::Value = serde_json::from_slice(&error.body()).unwrap();
        let expected = serde_json::json!({
            "status": "failure",
            "message": "no \"model\"",
            "error": {
                "message": "no \"model\": name one",
                "type": "invalid_request_error",
                "param": "model",
                "code": "invalid_json",
            },
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn a_timeout_has_portkeys_shape() {
        let error = Error { kind: TIMEOUT, ..Error::provider(408, "request_timeout", "late") };
        let body =
            r#"{"error":{"message":"late","type":"timeout_error","param":null,"code":null}}"#;
        assert_eq!(String::from_utf8(error.body()).unwrap(), body);
    }
}
