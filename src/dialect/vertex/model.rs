//! The model: whose it is, and so where it is asked and in which format.

use super::super::segment::push_segment;
use super::no_model;
use crate::error::Error;
use crate::provider::Values;
use std::borrow::Cow;

/// Longest name of a model, in bytes: it becomes part of the path.
const MAX_NAME: usize = 256;

/// Who made a model, as far as it decides how it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Publisher {
    /// Gemini, Imagen, embeddings: Google's own formats.
    Google,
    /// Claude: Anthropic's Messages.
    Anthropic,
    /// OpenAI's format, by the model's own path.
    Mistral,
    /// All others that Google hosts: OpenAI's format, by one path for all.
    OpenApi,
    /// What the project has deployed itself: OpenAI's format, by the endpoint's number.
    Endpoint,
}

/// Portkey's names for publishers, before a `.` or a `/`.
const PUBLISHERS: [(&str, Publisher); 5] = [
    ("google", Publisher::Google),
    ("anthropic", Publisher::Anthropic),
    ("mistralai", Publisher::Mistral),
    ("meta", Publisher::OpenApi),
    ("endpoints", Publisher::Endpoint),
];

/// A model of Vertex AI.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Model<'a> {
    pub(super) publisher: Publisher,
    /// Its name in a path or a body, without the publisher that Portkey has before it.
    pub(super) name: Cow<'a, str>,
}

impl<'a> Model<'a> {
    /// Reads a name, such as `gemini-2.5-pro`, `anthropic.claude-sonnet-4-5@20250929`,
    /// `meta.llama-3.3-70b-instruct-maas`, `endpoints.123` or `qwen/qwen3-coder-480b-maas`.
    ///
    /// # Errors
    /// It is empty or too long.
    pub(super) fn parse(model: &'a str) -> Result<Self, Error> {
        if model.is_empty() {
            return Err(no_model());
        }
        if model.len() > MAX_NAME {
            let message = format!("the model must have at most {MAX_NAME} bytes");
            return Err(Error::invalid("invalid_value", message).with_param("model"));
        }
        let known = PUBLISHERS.into_iter().find_map(|(name, publisher)| {
            let rest = model.strip_prefix(name)?.strip_prefix(['.', '/'])?;
            Some((name, publisher, rest))
        });
        let (publisher, name) = match known {
            // The one path takes the publisher's name as part of the model's.
            Some((name, Publisher::OpenApi, rest)) => {
                (Publisher::OpenApi, Cow::Owned([name, "/", rest].concat()))
            }
            Some((_, publisher, rest)) => (publisher, rest.into()),
            None if model.contains('/') => (Publisher::OpenApi, model.into()),
            None if model.starts_with("claude") => (Publisher::Anthropic, model.into()),
            None => (Publisher::Google, model.into()),
        };
        Ok(Self { publisher, name })
    }

    /// The path for a method of the model's own, such as `generateContent`.
    ///
    /// # Errors
    /// Project or region is missing.
    pub(super) fn path(&self, method: &str, settings: &Values) -> Result<String, Error> {
        let (root, method) = match self.publisher {
            Publisher::Google => ("publishers/google/models/", [":", method].concat()),
            Publisher::Anthropic => ("publishers/anthropic/models/", [":", method].concat()),
            Publisher::Mistral => ("publishers/mistralai/models/", [":", method].concat()),
            Publisher::OpenApi => {
                return place(settings, "v1beta1", "endpoints/openapi/chat/completions");
            }
            Publisher::Endpoint => ("endpoints/", "/chat/completions".to_owned()),
        };
        let mut path = place(settings, "v1", root)?;
        push_segment(&mut path, &self.name);
        path.push_str(&method);
        Ok(path)
    }
}

/// A path of the project in its region.
fn place(settings: &Values, version: &str, below: &str) -> Result<String, Error> {
    let template = "/projects/{vertex_project_id}/locations/{vertex_region}/";
    let place = settings.expand(template).map_err(|missing| missing.error("vertex-ai"))?;
    Ok(["/", version, &place, below].concat())
}
