//! The operations of the API, told apart by method and path.

use serde::{Deserialize, Serialize};

/// The operation that a client asks for; paths are below `/v1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `POST /chat/completions`.
    ChatCompletions,
    /// `POST /completions`.
    Completions,
    /// `POST /embeddings`.
    Embeddings,
    /// `POST /rerank`.
    Rerank,
    /// `POST /moderations`.
    Moderations,
    /// `POST /images/generations`.
    ImageGenerations,
    /// `POST /images/edits`, a form.
    ImageEdits,
    /// `POST /images/variations`, a form.
    ImageVariations,
    /// `POST /audio/speech`: the answer is audio.
    Speech,
    /// `POST /audio/transcriptions`, a form.
    Transcriptions,
    /// `POST /audio/translations`, a form.
    Translations,
    /// `POST /responses`.
    Responses,
    /// An answer that OpenAI has kept: `/responses/{id}` and what is below it.
    StoredResponses,
    /// `POST /messages`: Anthropic's own API.
    Messages,
    /// `POST /messages/count_tokens`.
    CountTokens,
    /// `/files` and what is below it.
    Files,
    /// `/batches` and what is below it.
    Batches,
    /// `/fine_tuning` and what is below it.
    FineTuning,
    /// `GET /models` and what is below it.
    Models,
    /// `GET /realtime`: a WebSocket.
    Realtime,
    /// Every other path.
    Other,
}

/// Operations with one path.
const EXACT: [(&str, &str, Endpoint); 15] = [
    ("POST", "chat/completions", Endpoint::ChatCompletions),
    ("POST", "completions", Endpoint::Completions),
    ("POST", "embeddings", Endpoint::Embeddings),
    ("POST", "rerank", Endpoint::Rerank),
    ("POST", "moderations", Endpoint::Moderations),
    ("POST", "images/generations", Endpoint::ImageGenerations),
    ("POST", "images/edits", Endpoint::ImageEdits),
    ("POST", "images/variations", Endpoint::ImageVariations),
    ("POST", "audio/speech", Endpoint::Speech),
    ("POST", "audio/transcriptions", Endpoint::Transcriptions),
    ("POST", "audio/translations", Endpoint::Translations),
    ("POST", "responses", Endpoint::Responses),
    ("POST", "messages", Endpoint::Messages),
    ("POST", "messages/count_tokens", Endpoint::CountTokens),
    ("GET", "realtime", Endpoint::Realtime),
];

impl Endpoint {
    /// The operation of a path without its query; `None` when it is not below `/v1/`, or an
    /// operation's that has no such method: Portkey has none with these two.
    pub fn of(method: &str, path: &str) -> Option<Self> {
        let rest = path.strip_prefix("/v1/")?;
        if matches!(method, "PUT" | "PATCH") && EXACT.iter().any(|(_, name, _)| *name == rest) {
            return None;
        }
        let exact = EXACT.into_iter().find(|(verb, name, _)| *verb == method && *name == rest);
        if let Some((.., endpoint)) = exact {
            return Some(endpoint);
        }
        let (first, below) = rest.split_once('/').unwrap_or((rest, ""));
        Some(match (method, first) {
            (_, "files") => Self::Files,
            (_, "batches") => Self::Batches,
            (_, "fine_tuning") => Self::FineTuning,
            ("GET", "models") => Self::Models,
            (_, "responses") if is_stored(method, below) => Self::StoredResponses,
            _ => Self::Other,
        })
    }

    /// The name in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Rerank => "rerank",
            Self::Moderations => "moderations",
            Self::ImageGenerations => "image_generations",
            Self::ImageEdits => "image_edits",
            Self::ImageVariations => "image_variations",
            Self::Speech => "speech",
            Self::Transcriptions => "transcriptions",
            Self::Translations => "translations",
            Self::Responses => "responses",
            Self::StoredResponses => "stored_responses",
            Self::Messages => "messages",
            Self::CountTokens => "count_tokens",
            Self::Files => "files",
            Self::Batches => "batches",
            Self::FineTuning => "fine_tuning",
            Self::Models => "models",
            Self::Realtime => "realtime",
            Self::Other => "other",
        }
    }

    /// Portkey's name for it, in messages.
    pub fn portkeys_name(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chatComplete",
            Self::Completions => "complete",
            Self::Embeddings => "embed",
            Self::ImageGenerations => "imageGenerate",
            Self::ImageEdits => "imageEdit",
            Self::Speech => "createSpeech",
            Self::Transcriptions => "createTranscription",
            Self::Translations => "createTranslation",
            Self::Responses => "createModelResponse",
            Self::CountTokens => "messagesCountTokens",
            other => other.as_str(),
        }
    }

    /// Whether the request is a JSON object, whatever its content type says.
    pub fn takes_json(self) -> bool {
        matches!(
            self,
            Self::ChatCompletions
                | Self::Completions
                | Self::Embeddings
                | Self::Rerank
                | Self::Moderations
                | Self::ImageGenerations
                | Self::Speech
                | Self::Responses
                | Self::Messages
                | Self::CountTokens
        )
    }

    /// Whether the answer is in OpenAI's format, errors included.
    pub fn answers_as_openai(self) -> bool {
        match self {
            Self::Messages | Self::CountTokens => false,
            Self::Realtime => true,
            other => !other.is_proxied(),
        }
    }

    /// Whether the connection may become a WebSocket.
    pub fn may_upgrade(self) -> bool {
        matches!(self, Self::Realtime | Self::Other)
    }

    /// Whether the client speaks to the provider itself, so that its own headers go on.
    pub fn is_proxied(self) -> bool {
        matches!(self, Self::Models | Self::Realtime | Self::Other)
    }
}

/// `GET` and `DELETE /responses/{id}`, `POST /responses/{id}/cancel`, `GET
/// /responses/{id}/input_items`.
fn is_stored(method: &str, below: &str) -> bool {
    match method {
        "GET" | "DELETE" => !below.is_empty(),
        _ => below.ends_with("/cancel"),
    }
}

/// The part of a path (and its query) below `/v1`.
pub fn below(path: &str) -> &str {
    path.strip_prefix("/v1").unwrap_or(path)
}

/// The part of a path (and its query) below Portkey's `/v1/proxy`: a path of the provider's own.
pub fn proxied(path: &str) -> Option<&str> {
    path.strip_prefix("/v1/proxy").filter(|rest| rest.starts_with('/'))
}

/// The value of a query's only parameter of that name, decoded; `None` when there are several: who
/// reads them may choose another.
pub fn query_value(path: &str, name: &str) -> Option<String> {
    let (_, query) = path.split_once('?')?;
    let mut values = query.split('&').filter_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(key)? == name).then(|| decoded(value))
    });
    let value = values.next()?;
    value.filter(|_| values.next().is_none())
}

/// The text of a query's key or value; `None` when it is none.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

/// All but RFC 3986's unreserved characters as `%XX`.
pub fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_has_one_value_of_a_name() {
        for (path, expected) in [
            ("/v1/realtime?model=m", Some("m")),
            ("/v1/realtime?a=b&mode%6C=%40k%2fm+%C3%A9&c", Some("@k/m é")),
            ("/v1/realtime?model", Some("")),
            ("/v1/realtime?model=a&mode%6c=b", None),
            ("/v1/realtime?model=%zz", None),
            ("/v1/realtime?model=%4", None),
            ("/v1/realtime?model=%ff", None),
            ("/v1/realtime?models=m", None),
            ("/v1/realtime", None),
        ] {
            assert_eq!(query_value(path, "model").as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn method_and_path_name_the_operation() {
        for (method, path, endpoint) in [
            ("POST", "/v1/chat/completions", Some(Endpoint::ChatCompletions)),
            ("GET", "/v1/chat/completions", Some(Endpoint::Other)),
            ("POST", "/v1/completions", Some(Endpoint::Completions)),
            ("POST", "/v1/messages", Some(Endpoint::Messages)),
            ("POST", "/v1/messages/count_tokens", Some(Endpoint::CountTokens)),
            ("POST", "/v1/messages/batches", Some(Endpoint::Other)),
            ("POST", "/v1/messagesx", Some(Endpoint::Other)),
            ("GET", "/v1/models", Some(Endpoint::Models)),
            ("GET", "/v1/models/gpt-4o", Some(Endpoint::Models)),
            ("DELETE", "/v1/models/gpt-4o", Some(Endpoint::Other)),
            ("POST", "/v1/embeddings", Some(Endpoint::Embeddings)),
            ("POST", "/v1/embeddings/", Some(Endpoint::Other)),
            ("POST", "/v1/proxy/embeddings", Some(Endpoint::Other)),
            ("POST", "/v1/files", Some(Endpoint::Files)),
            ("DELETE", "/v1/files/f1", Some(Endpoint::Files)),
            ("PUT", "/v1/chat/completions", None),
            ("PUT", "/v1/vendors/own", Some(Endpoint::Other)),
            ("GET", "/v1/filesx", Some(Endpoint::Other)),
            ("POST", "/v1/batches/b1/cancel", Some(Endpoint::Batches)),
            ("POST", "/v1/fine_tuning/jobs", Some(Endpoint::FineTuning)),
            ("POST", "/v1/responses", Some(Endpoint::Responses)),
            ("GET", "/v1/responses/r1", Some(Endpoint::StoredResponses)),
            ("POST", "/v1/responses/r1/cancel", Some(Endpoint::StoredResponses)),
            ("POST", "/v1/responses/input_tokens", Some(Endpoint::Other)),
            ("GET", "/v1/realtime", Some(Endpoint::Realtime)),
            ("POST", "/v1/realtime/sessions", Some(Endpoint::Other)),
            ("POST", "/v1", None),
            ("POST", "/v10/x", None),
            ("POST", "/chat/completions", None),
        ] {
            assert_eq!(Endpoint::of(method, path), endpoint, "{method} {path}");
        }
    }

    #[test]
    fn a_name_in_logs_is_the_name_in_plans() {
        for (.., endpoint) in EXACT {
            let name = serde_json::to_string(&endpoint).unwrap();
            assert_eq!(name, format!("\"{}\"", endpoint.as_str()));
        }
    }
}
