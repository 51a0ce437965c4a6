//! The triangle: clients of Anthropic's Messages API, of OpenAI's Responses API and of its legacy
//! completions at providers that have chat completions alone.
//!
//! A client's request becomes a chat completion request, which the provider's dialect takes from
//! there; a chat completion, or its chunks, becomes what the client's API answers. Pure: the same
//! bytes in, the same bytes out, on every attempt.

mod calls;
mod chat;
pub mod completions;
mod error;
pub mod messages;
mod parts;
pub mod responses;
mod write;

use crate::dialect::{Dialect, Dropped, Facts};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::provider::Provider;
use crate::stream::Event;
use serde_json::value::RawValue;

/// The API that a client speaks, where it is not chat completions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Anthropic's Messages API.
    Messages,
    /// OpenAI's Responses API.
    Responses,
    /// OpenAI's legacy completions.
    Completions,
}

/// What a target's chat completions take beside OpenAI's own; each of these takes what the ones
/// before it do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extras {
    /// Nothing: a member that it does not know may make it refuse the request.
    None,
    /// Anthropic's `cache_control`, beside content parts and tools.
    CacheControl,
    /// Portkey's additions: `thinking`, `content_blocks`, files by URL. What a dialect of ours has no
    /// place for, it leaves out.
    Portkey,
    /// Anthropic's own blocks and tools.
    Anthropic,
}

/// Who the chat completion request is for.
#[derive(Debug, Clone, Copy)]
pub struct Taker {
    /// Slug of the provider, for error messages.
    pub provider: &'static str,
    /// What it takes.
    pub extras: Extras,
    /// Whether results of tools may be more than texts: images, and failures that say so. Where
    /// not, the user sends the images, and the text says that the tool failed.
    pub rich_results: bool,
}

/// A client's request as a chat completion request.
#[derive(Debug)]
pub struct Request {
    /// The body.
    pub body: Vec<u8>,
    /// What the answer repeats of the request.
    pub echo: Echo,
    /// What had to be left out.
    pub dropped: Dropped,
}

/// What an answer repeats of its request.
#[derive(Debug, Clone, Default)]
pub struct Echo {
    /// The model that was asked for, a JSON string: stands for the one that answered where nobody
    /// tells it.
    pub model: Option<Box<RawValue>>,
    /// Members of a Responses answer, each with a comma before it.
    pub members: Vec<u8>,
    /// What the text of a completion begins with, escaped as between the quotes of a JSON string.
    pub text: String,
}

/// What an adapter must know beside the chat completion.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Of the request.
    pub echo: Echo,
    /// Unix time in seconds, where the chat completion has none.
    pub created: u64,
}

impl Taker {
    /// What a provider takes.
    pub fn of(row: &Provider) -> Self {
        let extras = match row.dialect {
            Dialect::Anthropic => Extras::Anthropic,
            Dialect::OpenAi if row.cache_control => Extras::CacheControl,
            Dialect::OpenAi => Extras::None,
            // What the others have no place for, they leave out.
            _ => Extras::Portkey,
        };
        let rich_results = !matches!(row.dialect, Dialect::OpenAi | Dialect::Cohere);
        Self { provider: row.slug, extras, rich_results }
    }
}

impl Format {
    /// The format of an operation that an adapter can do.
    pub fn of(endpoint: Endpoint) -> Option<Self> {
        match endpoint {
            Endpoint::Messages => Some(Self::Messages),
            Endpoint::Responses => Some(Self::Responses),
            Endpoint::Completions => Some(Self::Completions),
            _ => None,
        }
    }

    /// The format that a client must be translated from for an operation of this provider.
    pub fn needed(endpoint: Endpoint, row: &Provider) -> Option<Self> {
        let format = Self::of(endpoint)?;
        let own = match format {
            Self::Completions => row.has(endpoint),
            Self::Messages | Self::Responses => row.native.contains(&endpoint),
        };
        (row.chat && !own).then_some(format)
    }

    /// The format whose errors a client of an operation reads, if they are not OpenAI's.
    pub fn of_errors(endpoint: Endpoint) -> Option<Self> {
        let anthropics = matches!(endpoint, Endpoint::Messages | Endpoint::CountTokens);
        anthropics.then_some(Self::Messages)
    }

    /// The client's request as a chat completion request.
    ///
    /// # Errors
    /// It is not what the client's API takes, or cannot be said in a chat completion request.
    pub fn request(self, body: &[u8], taker: Taker) -> Result<Request, Error> {
        match self {
            Self::Messages => messages::request::translate(body, taker),
            Self::Responses => responses::request::translate(body, taker),
            Self::Completions => completions::request::translate(body),
        }
    }

    /// A chat completion, of which `facts` are known, as the client's API answers it; `None` when
    /// it is none.
    pub fn response(self, body: &[u8], context: &Context, facts: &Facts) -> Option<Vec<u8>> {
        match self {
            Self::Messages => messages::response::translate(body, context, facts),
            Self::Responses => responses::response::translate(body, context, facts),
            Self::Completions => completions::response::translate(body, context),
        }
    }

    /// An error body in OpenAI's shape, in the shape of the client's API.
    pub fn error(self, status: u16, body: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Messages => error::in_anthropics_shape(status, &body),
            Self::Responses | Self::Completions => body,
        }
    }

    /// A translator for one streamed chat completion.
    pub fn stream(self, context: Context) -> Stream {
        match self {
            Self::Messages => Stream::Messages(messages::stream::Stream::new(context)),
            Self::Responses => Stream::Responses(Box::new(responses::stream::Stream::new(context))),
            Self::Completions => Stream::Completions(completions::stream::Stream::new(context)),
        }
    }
}

/// State of one streamed answer.
#[derive(Debug)]
pub enum Stream {
    /// For a client of the Messages API.
    Messages(messages::stream::Stream),
    /// For a client of the Responses API.
    Responses(Box<responses::stream::Stream>),
    /// For a client of legacy completions.
    Completions(completions::stream::Stream),
}

impl Stream {
    /// Takes one event of a streamed chat completion, of which `facts` are known by now; appends
    /// what the client gets, as SSE bytes, to `out`.
    pub fn on_event(&mut self, event: Event<'_>, facts: &Facts, out: &mut Vec<u8>) {
        if event.data == b"[DONE]" {
            return self.finish(facts, out);
        }
        let Some(chunk) = chat::Chunk::parse(event.data) else { return };
        match self {
            Self::Messages(stream) => stream.on_chunk(&chunk, facts, out),
            Self::Responses(stream) => stream.on_chunk(&chunk, facts, out),
            Self::Completions(stream) => stream.on_chunk(&chunk, out),
        }
    }

    /// The stream has ended cleanly; if it is not complete, the client is told so.
    pub fn on_end(&mut self, facts: &Facts, out: &mut Vec<u8>) {
        if facts.complete {
            return self.finish(facts, out);
        }
        let message = "the stream ended before the answer was complete";
        match self {
            Self::Messages(stream) => stream.fail(None, message, out),
            Self::Responses(stream) => stream.fail(None, message, out),
            Self::Completions(stream) => stream.fail(None, message, out),
        }
    }

    fn finish(&mut self, facts: &Facts, out: &mut Vec<u8>) {
        match self {
            Self::Messages(stream) => stream.finish(facts, out),
            Self::Responses(stream) => stream.finish(facts, out),
            Self::Completions(stream) => stream.finish(out),
        }
    }
}
