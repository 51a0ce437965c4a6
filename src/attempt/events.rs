//! The events of a streamed answer on their way to the client.

use super::Inbound;
use crate::adapter;
use crate::dialect::{Facts, Stream};
use crate::provider::Touches;
use crate::stream::lines::Lines;
use crate::stream::{Decoder, Event, Framing};

/// A decoder and a translator of events.
#[derive(Debug)]
pub struct Events {
    decoder: Decoder,
    pub(super) stream: Stream,
    /// The decoder gave up: what follows cannot be understood, either.
    broken: bool,
    /// What ends the stream was written.
    ended: bool,
    /// The first event that was an error.
    pub(super) error: Option<Vec<u8>>,
    /// What the client gets.
    pub(super) output: Output,
}

/// What becomes of the events.
#[derive(Debug)]
pub enum Output {
    /// They pass as they are.
    Passed,
    /// They pass, but their bytes are edited.
    Edited(Lines, Touches),
    /// They become chunks of a chat completion.
    Translated,
    /// They become the events of another API of the client's.
    Adapted(adapter::Stream, Source),
}

/// What an adapter gets.
#[derive(Debug)]
pub enum Source {
    /// The events themselves, edited: the provider's format is OpenAI's.
    Edited(Touches),
    /// What the translator made of them; room for it.
    Translated(Vec<u8>),
}

impl Events {
    /// At the start of a stream.
    pub fn new(decoder: Decoder, stream: Stream, output: Output) -> Box<Self> {
        Box::new(Self { decoder, stream, broken: false, ended: false, error: None, output })
    }

    /// Takes bytes; appends what goes out instead of them, unless they pass.
    pub fn feed(&mut self, bytes: &[u8], end_of_stream: bool, out: &mut Vec<u8>) {
        let Self { decoder, stream, broken, error, output, .. } = self;
        let mut on_event = |event: Event<'_>| {
            match output {
                Output::Adapted(adapter, source) => source.on_event(event, stream, adapter, out),
                _ => stream.on_event(event, out),
            }
            if error.is_none() && stream.facts().error_type.is_some() {
                *error = Some(event.data.to_vec());
            }
        };
        if !*broken {
            *broken = decoder.push(bytes, &mut on_event).is_err();
        }
        if end_of_stream && !*broken {
            decoder.finish(&mut on_event);
        }
        if let Output::Edited(lines, touches) = output {
            lines.push(bytes, &|data| touches.chunk(data), out);
            if end_of_stream {
                lines.finish(&|data| touches.chunk(data), out);
            }
        }
        // After what cannot be understood nothing can come that is.
        if self.broken && matches!(self.output, Output::Translated | Output::Adapted(..)) {
            self.end(out);
        }
    }

    /// Whether a stream that ends here is complete; appends what ends it.
    pub fn is_complete(&mut self, out: &mut Vec<u8>) -> bool {
        self.end(out);
        self.stream.facts().complete
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let Self { stream, output, .. } = self;
        let Output::Adapted(adapter, _) = output else { return stream.on_end(out) };
        let mut rest = Vec::new();
        stream.on_end(&mut rest);
        give(&rest, stream.facts(), adapter, out);
        adapter.on_end(stream.facts(), out);
    }

    /// The piece is replaced by what becomes of its events.
    pub fn translate(&mut self, bytes: &[u8], end_of_stream: bool) -> Inbound {
        let mut out = Vec::with_capacity(bytes.len() * 2);
        self.feed(bytes, end_of_stream, &mut out);
        if end_of_stream {
            self.end(&mut out);
        }
        Inbound::Replace(out)
    }

    /// The bytes pass, or their lines are edited; after the last ones comes an error event if a
    /// chat stream ended too early.
    pub fn observe(&mut self, bytes: &[u8], end_of_stream: bool, chat: bool) -> Inbound {
        let (mut edited, mut appended) = (Vec::new(), Vec::new());
        self.feed(bytes, end_of_stream, &mut edited);
        if end_of_stream && chat && !self.broken {
            self.stream.on_end(&mut appended);
        }
        match (&self.output, appended.is_empty()) {
            (Output::Edited(..), _) => Inbound::Replace([edited, appended].concat()),
            // What a translator writes for another operation's events is nobody's.
            (_, true) => Inbound::Pass,
            (_, false) => Inbound::Replace([bytes, &appended].concat()),
        }
    }
}

impl Source {
    fn on_event(
        &mut self,
        event: Event<'_>,
        stream: &mut Stream,
        adapter: &mut adapter::Stream,
        out: &mut Vec<u8>,
    ) {
        match self {
            Self::Edited(touches) => {
                // It only observes.
                stream.on_event(event, &mut Vec::new());
                let data = touches.chunk(event.data);
                adapter.on_event(Event { data: &data, ..event }, stream.facts(), out);
            }
            Self::Translated(chunks) => {
                chunks.clear();
                stream.on_event(event, chunks);
                give(chunks, stream.facts(), adapter, out);
            }
        }
    }
}

/// Gives whole events to an adapter.
fn give(events: &[u8], facts: &Facts, adapter: &mut adapter::Stream, out: &mut Vec<u8>) {
    let mut decoder = Decoder::new(Framing::Sse);
    let mut on_event = |event: Event<'_>| adapter.on_event(event, facts, out);
    // What we wrote ourselves is not too long to be read.
    let _ = decoder.push(events, &mut on_event);
    decoder.finish(&mut on_event);
}
