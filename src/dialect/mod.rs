//! What: wire formats. Pure functions between OpenAI's format and a provider's.

pub mod anthropic;
pub mod bedrock;
pub mod cohere;
pub(crate) mod completion;
mod data_uri;
mod dropped;
mod embedding;
mod failure;
pub(crate) mod field;
pub mod gemini;
mod message;
mod nested;
pub mod openai;
pub(crate) mod raw;
mod segment;
mod stability;
mod tool_call;
mod tool_choice;
pub mod vertex;

pub use dropped::Dropped;
pub(crate) use failure::status_of;

use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::http::Headers;
use crate::provider::{Provider, Values};
use crate::stream::{Event, Framing};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI's own: bodies pass as they are.
    OpenAi,
    /// Anthropic's Messages API.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
    /// Cohere's Chat API.
    Cohere,
    /// Amazon Bedrock's Converse API.
    Bedrock,
    /// Google's Vertex AI: the model decides which of the others it is.
    Vertex,
    /// Stability AI's images.
    Stability,
}

/// What is asked of a provider: all that a translator must know of a request beside its body.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The operation.
    pub endpoint: Endpoint,
    /// The client's path and query below `/v1`.
    pub path: &'a str,
    /// Whether the client wants a stream.
    pub stream: bool,
    /// OpenAI's format and nothing more; `false` lets `content_blocks` through.
    pub strict: bool,
    /// The provider's settings; they may hold secrets of the caller.
    pub settings: &'a Values,
    /// The vendor.
    pub provider: &'static Provider,
}

/// A request in a provider's format.
#[derive(Debug)]
pub struct Outgoing {
    /// What follows the base URL: path and query.
    pub path: Cow<'static, str>,
    /// The body.
    pub body: Vec<u8>,
    /// The model that is asked for, a JSON string, where the answer will not tell it.
    pub model: Option<Box<RawValue>>,
    /// What the provider could not be told.
    pub dropped: Dropped,
    /// The format of the answer, where that of the request does not tell it.
    pub speaks: Option<Dialect>,
}

impl Outgoing {
    /// A request of which there is nothing else to say.
    pub fn new(path: Cow<'static, str>, body: Vec<u8>) -> Self {
        Self { path, body, model: None, dropped: Dropped::default(), speaks: None }
    }
}

/// What a translator of answers must know beside the body.
#[derive(Debug, Clone)]
pub struct Context {
    /// The operation.
    pub endpoint: Endpoint,
    /// Slug of the provider, for `provider` fields and error messages.
    pub provider: &'static str,
    /// OpenAI's format and nothing more; `false` lets `content_blocks` through.
    pub strict: bool,
    /// Whether each delta of a translated stream has the role, as Portkey has it, or the first alone.
    pub roles: bool,
    /// Unix time in seconds, for `created`.
    pub created: u64,
    /// [`Outgoing::model`]: stands for the model that answered where nobody tells it.
    pub model: Option<Box<RawValue>>,
    /// What [`Dialect::counts`] has found: stands for counts that the body does not tell.
    pub counted: Option<Usage>,
}

/// Token counts, as OpenAI counts them. Kept answers of the cache hold them as JSON, which may be
/// older than a field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// All input tokens, cached ones included.
    pub prompt_tokens: u64,
    /// All output tokens, reasoning included.
    pub completion_tokens: u64,
    /// Input tokens read from the provider's cache.
    pub cached_tokens: u64,
    /// Input tokens written to the provider's cache.
    pub cache_creation_tokens: u64,
    /// Those of them that it keeps for an hour instead of minutes.
    #[serde(default)]
    pub cache_creation_1h_tokens: u64,
    /// Output tokens spent on reasoning, where the provider tells.
    pub reasoning_tokens: u64,
    /// Input tokens of audio, where the provider tells.
    #[serde(default)]
    pub audio_input_tokens: u64,
    /// Output tokens of audio, where the provider tells.
    #[serde(default)]
    pub audio_output_tokens: u64,
}

impl Usage {
    /// Prompt and completion tokens together.
    pub fn total_tokens(&self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }
}

/// What the log wants to know of an answer. `None` means that the provider did not say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The provider's id of the response.
    pub id: Option<String>,
    /// The model that answered.
    pub model: Option<String>,
    /// Token counts.
    pub usage: Option<Usage>,
    /// OpenAI's finish reason of the first choice.
    pub finish_reason: Option<String>,
    /// Type of the provider's error, if it answered with one.
    pub error_type: Option<String>,
    /// Whether the answer came to its own end; `false` for a stream that was cut.
    pub complete: bool,
}

/// A text as reports and logs keep it: clients and providers send such of any length.
pub fn bounded(text: Cow<'_, str>) -> String {
    const MAX_CHARS: usize = 256;
    match text.len() <= MAX_CHARS {
        true => text.into_owned(),
        false => text.chars().take(MAX_CHARS).collect(),
    }
}

impl Dialect {
    /// Whether providers of this format can have an operation. Paths that are the provider's own
    /// always pass.
    pub fn has(self, endpoint: Endpoint) -> bool {
        use Endpoint::{
            ChatCompletions, Completions, CountTokens, Embeddings, Files, ImageGenerations,
            Messages, Rerank,
        };
        match (self, endpoint) {
            (Self::Bedrock, Endpoint::Models) => false,
            (Self::Stability, endpoint) => matches!(endpoint, ImageGenerations | Endpoint::Other),
            (_, ChatCompletions | Endpoint::Models | Endpoint::Other) => true,
            (Self::OpenAi, endpoint) => !matches!(endpoint, Messages | CountTokens),
            (Self::Anthropic, endpoint) => matches!(endpoint, Messages | CountTokens | Files),
            (Self::Cohere, endpoint) => matches!(endpoint, Embeddings | Rerank),
            (Self::Gemini, endpoint) => endpoint == Embeddings,
            (Self::Vertex, endpoint) => {
                matches!(endpoint, CountTokens | Embeddings | ImageGenerations)
            }
            (Self::Bedrock, endpoint) => {
                matches!(endpoint, Completions | CountTokens | Embeddings | ImageGenerations)
            }
        }
    }

    /// How a stream of this format is divided into events.
    pub fn framing(self) -> Framing {
        match self {
            Self::Bedrock => Framing::Aws,
            Self::Gemini => Framing::Array,
            Self::OpenAi | Self::Anthropic | Self::Cohere | Self::Vertex | Self::Stability => {
                Framing::Sse
            }
        }
    }

    /// Whether bodies of this operation change on their way.
    pub fn translates(self, endpoint: Endpoint) -> bool {
        use Endpoint::{ChatCompletions, Completions, CountTokens, Embeddings, ImageGenerations};
        match (self, endpoint) {
            (Self::OpenAi, _) => false,
            (Self::Stability, endpoint) => endpoint == ImageGenerations,
            (_, ChatCompletions) | (Self::Cohere | Self::Gemini, Embeddings) => true,
            (Self::Vertex | Self::Bedrock, Embeddings | ImageGenerations | CountTokens) => true,
            (Self::Bedrock, Completions) => true,
            _ => false,
        }
    }

    /// A request in this format; what is not translated passes as it is.
    ///
    /// # Errors
    /// The body is not what OpenAI's API takes.
    pub fn request(self, ask: &Ask<'_>, body: &[u8]) -> Result<Outgoing, Error> {
        match (self, ask.endpoint) {
            (Self::Anthropic, Endpoint::ChatCompletions) => anthropic::request::translate(body),
            (Self::Gemini, Endpoint::ChatCompletions) => gemini::request::translate(body),
            (Self::Gemini, Endpoint::Embeddings) => gemini::embeddings::request(body),
            (Self::Cohere, Endpoint::ChatCompletions) => cohere::request::translate(body),
            (Self::Bedrock, Endpoint::ChatCompletions) => bedrock::request::translate(body),
            (Self::Bedrock, Endpoint::Completions) => bedrock::invoke::completion(body),
            (Self::Bedrock, Endpoint::Embeddings) => bedrock::invoke::embeddings::request(body),
            (Self::Bedrock, Endpoint::ImageGenerations) => bedrock::invoke::images::request(body),
            (Self::Bedrock, Endpoint::CountTokens) => bedrock::invoke::tokens::request(body),
            (Self::Cohere, Endpoint::Embeddings) => cohere::embed::request(body),
            (Self::Vertex, _) => vertex::request(ask, body),
            (Self::Stability, Endpoint::ImageGenerations) => stability::request(body),
            _ => Ok(Outgoing::new(ask.path.to_owned().into(), body.to_vec())),
        }
    }

    /// Reads the facts of a JSON answer of this format that passes as it is. What cannot be read is
    /// left out.
    pub fn observe(self, body: &[u8], facts: &mut Facts) {
        openai::observe(body, facts);
        match self {
            // Chat completions of these never pass as they are.
            Self::OpenAi | Self::Cohere | Self::Bedrock | Self::Stability => {}
            Self::Anthropic => anthropic::response::observe(body, facts),
            Self::Gemini | Self::Vertex => gemini::response::observe(body, facts),
        }
    }

    /// Token counts that the headers of an answer tell.
    pub fn counts(self, headers: &Headers) -> Option<Usage> {
        match self {
            Self::Bedrock => bedrock::invoke::counts(headers),
            _ => None,
        }
    }

    /// A successful answer of this format as OpenAI's; the facts are filled in.
    ///
    /// # Errors
    /// The body is not what the provider's API answers.
    pub fn response(
        self,
        body: &[u8],
        context: &Context,
        facts: &mut Facts,
    ) -> Result<Vec<u8>, Error> {
        match (self, context.endpoint) {
            (Self::Anthropic, Endpoint::ChatCompletions) => {
                anthropic::response::translate(body, context, facts)
            }
            (Self::Gemini, Endpoint::ChatCompletions) => {
                gemini::response::translate(body, context, facts)
            }
            (Self::Cohere, Endpoint::ChatCompletions) => {
                cohere::response::translate(body, context, facts)
            }
            (Self::Bedrock, Endpoint::ChatCompletions) => {
                bedrock::response::translate(body, context, facts)
            }
            (Self::Bedrock, Endpoint::Completions) => {
                bedrock::invoke::completed(body, context, facts)
            }
            (Self::Bedrock, Endpoint::Embeddings) => {
                bedrock::invoke::embeddings::response(body, context, facts)
            }
            // Stable Diffusion answers alike at both.
            (Self::Bedrock | Self::Stability, Endpoint::ImageGenerations) => {
                bedrock::invoke::images::response(body, context, facts)
            }
            (Self::Bedrock, Endpoint::CountTokens) => {
                bedrock::invoke::tokens::response(body, context, facts)
            }
            (Self::Cohere, Endpoint::Embeddings) => cohere::embed::response(body, context, facts),
            (Self::Gemini, Endpoint::Embeddings) => {
                gemini::embeddings::response(body, context, facts)
            }
            (Self::Vertex, Endpoint::Embeddings | Endpoint::ImageGenerations) => {
                vertex::response(body, context, facts)
            }
            _ => {
                openai::observe(body, facts);
                match failure::is_json(body) {
                    true => Ok(body.to_vec()),
                    false => Err(failure::invalid_response(body, context.provider, facts)),
                }
            }
        }
    }

    /// The body of an answer with an error status (4xx, 5xx) in OpenAI's shape:
    /// `{"error":{"message","type","param","code"},"provider"}`. Any bytes are taken.
    pub fn error(self, status: u16, body: &[u8], context: &Context, facts: &mut Facts) -> Vec<u8> {
        // One reader serves all: Anthropic's error object is OpenAI's without `param` and `code`.
        let body = match self {
            Self::Gemini | Self::Vertex => gemini::error::in_openais_shape(body),
            Self::Cohere => cohere::error::in_openais_shape(body),
            Self::Bedrock => bedrock::error::in_openais_shape(body),
            Self::Stability => stability::in_openais_shape(body),
            Self::OpenAi | Self::Anthropic => body.into(),
        };
        failure::translate(status, &body, context.provider, facts)
    }

    /// A translator for one streamed answer of this format; events of operations that are not
    /// translated are read for the log.
    pub fn stream(self, context: Context) -> Stream {
        match self {
            Self::OpenAi | Self::Vertex | Self::Stability => {
                Stream::OpenAi(openai::Stream::new(context.provider))
            }
            Self::Anthropic => Stream::Anthropic(anthropic::stream::Stream::new(context)),
            Self::Gemini => Stream::Gemini(gemini::stream::Stream::new(context)),
            Self::Cohere => Stream::Cohere(cohere::stream::Stream::new(context)),
            Self::Bedrock if context.endpoint == Endpoint::Completions => {
                Stream::Invoked(bedrock::invoke::stream::Stream::new(context))
            }
            Self::Bedrock => Stream::Bedrock(bedrock::stream::Stream::new(context)),
        }
    }
}

/// State of one streamed answer.
#[derive(Debug)]
pub enum Stream {
    /// Only observed: the bytes pass as they are.
    OpenAi(openai::Stream),
    /// Translated event by event.
    Anthropic(anthropic::stream::Stream),
    /// Translated event by event; the end is written at the end.
    Gemini(gemini::stream::Stream),
    /// Translated event by event.
    Cohere(cohere::stream::Stream),
    /// Translated event by event.
    Bedrock(bedrock::stream::Stream),
    /// Translated event by event; the end is written at the end.
    Invoked(bedrock::invoke::stream::Stream),
}

impl Stream {
    /// Takes one event; appends what the client gets, as SSE bytes, to `out`.
    pub fn on_event(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        match self {
            Self::OpenAi(stream) => stream.on_event(event),
            Self::Anthropic(stream) => stream.on_event(event, out),
            Self::Gemini(stream) => stream.on_event(event, out),
            Self::Cohere(stream) => stream.on_event(event, out),
            Self::Bedrock(stream) => stream.on_event(event, out),
            Self::Invoked(stream) => stream.on_event(event, out),
        }
    }

    /// The upstream ended cleanly: appends an error event when it ended too early, and what is only
    /// known to be the end now.
    pub fn on_end(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::OpenAi(stream) => stream.on_end(out),
            Self::Anthropic(stream) => stream.on_end(out),
            Self::Gemini(stream) => stream.on_end(out),
            Self::Cohere(stream) => stream.on_end(out),
            Self::Bedrock(stream) => stream.on_end(out),
            Self::Invoked(stream) => stream.on_end(out),
        }
    }

    /// What was learned, when nothing more comes.
    pub fn into_facts(self) -> Facts {
        match self {
            Self::OpenAi(stream) => stream.facts,
            Self::Anthropic(stream) => stream.facts,
            Self::Gemini(stream) => stream.facts,
            Self::Cohere(stream) => stream.facts,
            Self::Bedrock(stream) => stream.facts,
            Self::Invoked(stream) => stream.facts,
        }
    }

    /// Whether anything of an answer has come: text, a tool call, reasoning, a finish reason.
    pub fn has_content(&self) -> bool {
        match self {
            Self::OpenAi(stream) => stream.content,
            Self::Anthropic(stream) => stream.content,
            Self::Gemini(stream) => stream.content,
            Self::Cohere(stream) => stream.content,
            Self::Bedrock(stream) => stream.content,
            Self::Invoked(stream) => stream.content,
        }
    }

    /// What is known so far.
    pub fn facts(&self) -> &Facts {
        match self {
            Self::OpenAi(stream) => &stream.facts,
            Self::Anthropic(stream) => &stream.facts,
            Self::Gemini(stream) => &stream.facts,
            Self::Cohere(stream) => &stream.facts,
            Self::Bedrock(stream) => &stream.facts,
            Self::Invoked(stream) => &stream.facts,
        }
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
