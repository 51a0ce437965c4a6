//! The model: its place in the path, whose it is, and what only some models take.

use super::super::raw::string;
use super::{missing, present, wrong_type};
use crate::error::Error;
use crate::json::Object;
use crate::sigv4;

/// Longest id or ARN of a model, in bytes, as AWS has it.
const MAX_NAME: usize = 2048;

/// What precedes the id of an inference profile that spans regions.
const REGIONS: [&str; 8] = ["us.", "us-gov.", "eu.", "apac.", "au.", "ca.", "jp.", "global."];

/// Parts of the ids of Claude models that refuse a schema for their output, strict tools, and a
/// level of effort. No model that is still to come belongs here.
const NO_FORMAT: [&str; 7] = [
    "claude-v2",
    "claude-instant",
    "claude-3",
    "claude-opus-4-2025",
    "claude-opus-4-1",
    "claude-sonnet-4-2025",
    "claude-opus-4-0",
];

/// Those that take a schema but no level of effort.
const NO_EFFORT: [&str; 2] = ["claude-sonnet-4-5", "claude-haiku-4-5"];

/// Who has made a model, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Ai21,
    Amazon,
    Anthropic,
    Cohere,
    Meta,
    Mistral,
    OpenAi,
    /// Another maker, whose models take what OpenAI's do.
    Other,
    /// The id does not tell: an application inference profile, a deployment of one's own.
    Unknown,
}

/// The `model` of a request.
#[derive(Debug)]
pub(super) struct Model {
    /// As AWS has it.
    id: String,
    pub(super) family: Family,
}

impl Model {
    /// Reads the id or ARN; it may be percent-encoded.
    ///
    /// # Errors
    /// It is missing, no string, too long, or cannot be a part of a path.
    pub(super) fn read(request: &Object<'_>) -> Result<Self, Error> {
        let model = present(request, "model").ok_or_else(|| missing("model"))?;
        let model = string(model).ok_or_else(|| wrong_type("model", "a string"))?;
        let id = decode(&model);
        // A path of dots alone would lead elsewhere.
        if id.is_empty() || id.len() > MAX_NAME || id.bytes().all(|byte| byte == b'.') {
            let message = format!("the model must be an id or ARN of 1 to {MAX_NAME} bytes");
            return Err(Error::invalid("invalid_value", message).with_param("model"));
        }
        let family = family(&id);
        Ok(Self { id, family })
    }

    /// Path of an operation on the model, below the base URL. The id is one segment of it, whatever
    /// it holds.
    pub(super) fn path(&self, operation: &str) -> String {
        let mut path = "/model/".to_owned();
        sigv4::encode(&mut path, &self.id, false);
        path.push('/');
        path.push_str(operation);
        path
    }

    /// Whether it may be a Claude model: what only these know is given to a model of unknown kind,
    /// too, since the client has asked for it.
    pub(super) fn is_claude(&self) -> bool {
        matches!(self.family, Family::Anthropic | Family::Unknown)
    }

    /// Whether it takes a JSON schema for its output, and strict tools.
    pub(super) fn takes_schema(&self) -> bool {
        match self.family {
            Family::Ai21 | Family::Amazon | Family::Cohere | Family::Meta => false,
            _ => !self.is(&NO_FORMAT),
        }
    }

    /// Whether it takes `outputConfig.effort`.
    pub(super) fn takes_effort(&self) -> bool {
        self.is_claude() && !self.is(&NO_FORMAT) && !self.is(&NO_EFFORT)
    }

    /// The model behind an inference profile that spans regions.
    pub(super) fn foundation(&self) -> Self {
        let id = match self.family {
            Family::Unknown => &self.id,
            _ => without_region(&self.id),
        };
        Self { id: id.to_owned(), family: self.family }
    }

    /// Whether its id has one of these parts.
    pub(super) fn is(&self, parts: &[&str]) -> bool {
        parts.iter().any(|part| self.id.contains(part))
    }
}

/// The family of a model's id or ARN.
fn family(id: &str) -> Family {
    let Some((maker, _)) = without_region(id).split_once('.') else { return Family::Unknown };
    match maker {
        "ai21" => Family::Ai21,
        "amazon" => Family::Amazon,
        "anthropic" => Family::Anthropic,
        "cohere" => Family::Cohere,
        "meta" => Family::Meta,
        "mistral" => Family::Mistral,
        "openai" => Family::OpenAi,
        _ => Family::Other,
    }
}

/// The model's own name in an id or ARN.
fn without_region(id: &str) -> &str {
    let named = id.rsplit('/').next().unwrap_or(id);
    REGIONS.iter().find_map(|region| named.strip_prefix(region)).unwrap_or(named)
}

/// Percent-decodes once. What is no encoding, or not UTF-8 then, stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let encoded = after.split_first_chunk::<2>().filter(|_| *byte == b'%');
        let decoded = encoded.and_then(|([high, low], after)| {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            Some(((digit(*high)? << 4 | digit(*low)?) as u8, after))
        });
        let (byte, after) = decoded.unwrap_or((*byte, after));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(model: &str) -> Result<Model, Error> {
        let body = serde_json::json!({ "model": model }).to_string();
        Model::read(&Object::parse(body.as_bytes()).unwrap())
    }

    #[test]
    fn a_name_cannot_alter_the_path() {
        for (name, expected) in [
            ("amazon.nova-pro-v1:0", "/model/amazon.nova-pro-v1%3A0/converse"),
            ("amazon.nova-pro-v1%3A0", "/model/amazon.nova-pro-v1%3A0/converse"),
            (
                "arn:aws:bedrock:us-east-1:1:inference-profile/us.x",
                "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.x/converse",
            ),
            ("../guardrail", "/model/..%2Fguardrail/converse"),
            ("%2e%2e/a", "/model/..%2Fa/converse"),
            ("%252e", "/model/%252e/converse"),
            ("a?b#c\r\n d", "/model/a%3Fb%23c%0D%0A%20d/converse"),
            ("%", "/model/%25/converse"),
            ("%e9", "/model/%25e9/converse"),
            ("g\u{e9}", "/model/g%C3%A9/converse"),
        ] {
            assert_eq!(read(name).unwrap().path("converse"), expected, "{name}");
        }
        for name in ["", ".", "..", "%2e%2E", &"m".repeat(2049)] {
            assert_eq!(read(name).unwrap_err().param.as_deref(), Some("model"), "{name}");
        }
    }

    #[test]
    fn models_differ_in_what_they_take() {
        for (id, family, schema, effort) in [
            ("anthropic.claude-3-haiku-20240307-v1:0", Family::Anthropic, false, false),
            ("us.anthropic.claude-sonnet-4-20250514-v1:0", Family::Anthropic, false, false),
            ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", Family::Anthropic, true, false),
            ("eu.anthropic.claude-opus-4-6-v1", Family::Anthropic, true, true),
            ("amazon.nova-lite-v1:0", Family::Amazon, false, false),
            ("us.meta.llama3-3-70b-instruct-v1:0", Family::Meta, false, false),
            ("cohere.command-r-v1:0", Family::Cohere, false, false),
            ("ai21.jamba-1-5-large-v1:0", Family::Ai21, false, false),
            ("mistral.mistral-large-3-675b-instruct", Family::Mistral, true, false),
            ("openai.gpt-oss-120b-1:0", Family::OpenAi, true, false),
            ("qwen.qwen3-32b-v1:0", Family::Other, true, false),
            (
                "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
                Family::Amazon,
                false,
                false,
            ),
            (
                "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc",
                Family::Unknown,
                true,
                true,
            ),
        ] {
            let model = read(id).unwrap();
            let takes = (model.family, model.takes_schema(), model.takes_effort());
            assert_eq!(takes, (family, schema, effort), "{id}");
        }
    }
}
