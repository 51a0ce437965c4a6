//! The operations of the API, told apart by method and path.

use serde::{Deserialize, Serialize};

/// The operation that a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `POST /v1/chat/completions`.
    ChatCompletions,
    /// `POST /v1/messages` and what is below it: Anthropic's own API.
    Messages,
    /// `GET /v1/models` and what is below it.
    Models,
    /// Every other path below `/v1`.
    Other,
}

impl Endpoint {
    /// The operation of a path without its query; `None` when it is not below `/v1/`.
    pub fn of(method: &str, path: &str) -> Option<Self> {
        let rest = path.strip_prefix("/v1/")?;
        let is = |name: &str| {
            rest.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        Some(match method {
            "POST" if rest == "chat/completions" => Self::ChatCompletions,
            "POST" if is("messages") => Self::Messages,
            "GET" if is("models") => Self::Models,
            _ => Self::Other,
        })
    }

    /// The name in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Messages => "messages",
            Self::Models => "models",
            Self::Other => "other",
        }
    }
}

/// The part of a path (and its query) below `/v1`, or below Portkey's `/v1/proxy`.
pub fn below(path: &str) -> &str {
    let below = path.strip_prefix("/v1").unwrap_or(path);
    match below.strip_prefix("/proxy") {
        Some(rest) if rest.starts_with('/') => rest,
        _ => below,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn method_and_path_name_the_operation() {
        for (method, path, endpoint) in [
            ("POST", "/v1/chat/completions", Some(Endpoint::ChatCompletions)),
            ("GET", "/v1/chat/completions", Some(Endpoint::Other)),
            ("POST", "/v1/messages", Some(Endpoint::Messages)),
            ("POST", "/v1/messages/count_tokens", Some(Endpoint::Messages)),
            ("POST", "/v1/messagesx", Some(Endpoint::Other)),
            ("GET", "/v1/models", Some(Endpoint::Models)),
            ("GET", "/v1/models/gpt-4o", Some(Endpoint::Models)),
            ("POST", "/v1/embeddings", Some(Endpoint::Other)),
            ("POST", "/v1", None),
            ("POST", "/v10/x", None),
            ("POST", "/chat/completions", None),
        ] {
            assert_eq!(Endpoint::of(method, path), endpoint, "{method} {path}");
        }
    }
}
