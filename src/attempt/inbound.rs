//! The answer of an attempt: translated, or only observed for the log.

use super::Inbound;
use crate::dialect::{Context, Dialect, Facts, Stream};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::http::{Headers, media_type};
use crate::plan::Plan;
use crate::stream::sse::Decoder;

/// Most bytes of a body that are kept to observe it, when it is not held anyway.
const MAX_OBSERVED: usize = 4 << 20;

/// An answer as it comes in.
#[derive(Debug)]
pub struct Answer {
    dialect: Dialect,
    context: Context,
    facts: Facts,
    mode: Mode,
    /// A chat completion: the only kind of stream whose proper end is known here.
    chat: bool,
}

#[derive(Debug)]
enum Mode {
    /// The bytes are nobody's business.
    Pass,
    /// JSON that passes as it is; a copy is read at its end.
    Observe(Vec<u8>),
    /// Events that pass as they are and are read on the way.
    ObserveStream(Box<Events>),
    /// Events that are translated one by one.
    TranslateStream(Box<Events>),
    /// A body that is translated as a whole: what it needs of its headers.
    Translate { headers: Headers, status: u16 },
}

/// A decoder and a translator of events.
#[derive(Debug)]
struct Events {
    decoder: Decoder,
    stream: Stream,
    /// An event was too long to be understood: what follows cannot be, either.
    broken: bool,
}

impl Answer {
    /// An answer with these headers.
    pub fn new(
        dialect: Dialect,
        plan: &Plan,
        status: u16,
        headers: &Headers,
        context: Context,
    ) -> Self {
        let media = headers.get("content-type").map(media_type).unwrap_or_default();
        let success = (200..300).contains(&status);
        let chat = plan.endpoint == Endpoint::ChatCompletions;
        let translates = dialect.translates(plan.endpoint);
        let events = || Events::new(dialect.chat_stream(context.clone()));
        let mode = match media.as_str() {
            "text/event-stream" if success && translates => Mode::TranslateStream(events()),
            "text/event-stream" if success => Mode::ObserveStream(events()),
            // What calls itself something else than JSON may yet be a chat completion, or a page.
            other if translates || (chat && !(success && other == "application/json")) => {
                Mode::Translate { headers: headers.clone(), status }
            }
            "application/json" => Mode::Observe(Vec::new()),
            _ => Mode::Pass,
        };
        Self { dialect, context, facts: Facts::default(), mode, chat }
    }

    /// What is known so far.
    pub fn facts(&self) -> &Facts {
        match &self.mode {
            Mode::ObserveStream(events) | Mode::TranslateStream(events) => events.stream.facts(),
            _ => &self.facts,
        }
    }

    /// Whether nothing goes out before the end.
    pub fn holds(&self) -> bool {
        matches!(self.mode, Mode::Translate { .. })
    }

    /// Whether the bytes matter.
    pub fn reads(&self) -> bool {
        !matches!(self.mode, Mode::Pass)
    }

    /// The response headers, which the caller sends on unless the answer is held.
    pub fn on_headers(&mut self, headers: &mut Headers, end_of_stream: bool) -> Inbound {
        match &self.mode {
            // There is no body to translate: the gateway role answers for it.
            _ if end_of_stream => self.mode = Mode::Pass,
            Mode::Translate { .. } => return Inbound::Hold,
            Mode::TranslateStream(_) => headers.remove("content-length"),
            _ => {}
        }
        self.facts.complete = end_of_stream;
        Inbound::Pass
    }

    /// A piece of the body; all of it when the answer is held.
    pub fn on_body(&mut self, bytes: &[u8], end_of_stream: bool) -> Inbound {
        let chat = self.chat;
        let inbound = match &mut self.mode {
            Mode::Pass => return Inbound::Pass,
            Mode::Translate { .. } if !end_of_stream => return Inbound::Hold,
            Mode::Translate { headers, status } => {
                let (headers, status) = (std::mem::take(headers), *status);
                self.translate(headers, status, bytes)
            }
            Mode::Observe(seen) => {
                if seen.len() + bytes.len() <= MAX_OBSERVED {
                    seen.extend_from_slice(bytes);
                }
                if end_of_stream {
                    self.dialect.observe(seen, &mut self.facts);
                }
                Inbound::Pass
            }
            Mode::ObserveStream(events) => events.observe(bytes, end_of_stream, chat),
            Mode::TranslateStream(events) => events.translate(bytes, end_of_stream),
        };
        if end_of_stream {
            self.finish();
        }
        inbound
    }

    /// Nothing more comes: what was learned is kept, the rest is let go.
    fn finish(&mut self) {
        match std::mem::replace(&mut self.mode, Mode::Pass) {
            Mode::ObserveStream(events) | Mode::TranslateStream(events) => {
                self.facts = events.stream.into_facts();
                self.facts.complete |= !self.chat;
            }
            _ => {}
        }
    }

    fn translate(&mut self, mut headers: Headers, status: u16, body: &[u8]) -> Inbound {
        let (context, facts) = (&self.context, &mut self.facts);
        let encoding = headers.get("content-encoding").unwrap_or_default();
        let encoded = !encoding.is_empty() && !encoding.eq_ignore_ascii_case(b"identity");
        let translated = match (200..300).contains(&status) {
            true if encoded => Err(unreadable(context)),
            true => self.dialect.chat_response(body, context, facts),
            false => Ok(self.dialect.error(status, body, context, facts)),
        };
        let (status, body) = match translated {
            Ok(body) => (status, body),
            Err(error) => {
                facts.error_type = Some(error.code.to_owned());
                (error.status, error.body())
            }
        };
        headers.remove("content-encoding");
        headers.remove("transfer-encoding");
        headers.set(":status", status.to_string());
        headers.set("content-type", "application/json");
        headers.set("content-length", body.len().to_string());
        Inbound::Release(headers, body)
    }
}

fn unreadable(context: &Context) -> Error {
    let message = format!("{} answered with a compressed body", context.provider);
    Error::provider(502, "invalid_response", message)
}

impl Events {
    fn new(stream: Stream) -> Box<Self> {
        Box::new(Self { decoder: Decoder::default(), stream, broken: false })
    }

    fn feed(&mut self, bytes: &[u8], end_of_stream: bool, out: &mut Vec<u8>) {
        let Self { decoder, stream, broken } = self;
        if !*broken {
            *broken = decoder.push(bytes, &mut |event| stream.on_event(event, out)).is_err();
        }
        if end_of_stream && !*broken {
            decoder.finish(&mut |event| stream.on_event(event, out));
        }
    }

    fn translate(&mut self, bytes: &[u8], end_of_stream: bool) -> Inbound {
        let mut out = Vec::with_capacity(bytes.len() * 2);
        self.feed(bytes, end_of_stream, &mut out);
        if end_of_stream {
            self.stream.on_end(&mut out);
        }
        Inbound::Replace(out)
    }

    /// The bytes pass; after the last ones comes an error event if a chat stream ended too early.
    fn observe(&mut self, bytes: &[u8], end_of_stream: bool, chat: bool) -> Inbound {
        // What a translator writes for another operation's events is nobody's.
        self.feed(bytes, end_of_stream, &mut Vec::new());
        if !(end_of_stream && chat) || self.broken {
            return Inbound::Pass;
        }
        let mut appended = Vec::new();
        self.stream.on_end(&mut appended);
        match appended.is_empty() {
            true => Inbound::Pass,
            false => Inbound::Replace([bytes, &appended].concat()),
        }
    }
}
