//! Stream framings, over bytes: a frame may be cut anywhere.

pub mod array;
pub mod aws;
pub mod lines;
pub mod sse;

/// One event of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// Its type; empty when there was none.
    pub name: &'a [u8],
    /// What it holds: the `data` lines of server-sent events, joined by line feeds; the payload of
    /// AWS's frames.
    pub data: &'a [u8],
    /// The framing itself says that the stream has failed: AWS's exceptions do.
    pub failed: bool,
}

/// The rest of the stream cannot be understood: an event is too long, or a frame is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken;

/// How a format divides a stream into events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    Sse,
    /// AWS's frames.
    Aws,
    /// A JSON array, or server-sent events.
    Array,
}

impl Framing {
    /// Media type of a body in this framing, in lower case; of a JSON array, which any JSON may be,
    /// that of server-sent events in its stead.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Sse | Self::Array => "text/event-stream",
            Self::Aws => "application/vnd.amazon.eventstream",
        }
    }
}

/// A decoder of one of the framings.
#[derive(Debug)]
pub enum Decoder {
    /// Server-sent events.
    Sse(sse::Decoder),
    /// AWS's frames.
    Aws(aws::Decoder),
    /// A JSON array, or server-sent events.
    Array(Box<array::Decoder>),
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new(framing: Framing) -> Self {
        match framing {
            Framing::Sse => Self::Sse(sse::Decoder::default()),
            Framing::Aws => Self::Aws(aws::Decoder::default()),
            Framing::Array => Self::Array(Box::default()),
        }
    }

    /// Takes the next bytes; calls `on_event` for each event that they complete.
    ///
    /// # Errors
    /// [`Broken`]; the decoder must not be used after that.
    pub fn push(
        &mut self,
        bytes: &[u8],
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Broken> {
        match self {
            Self::Sse(decoder) => decoder.push(bytes, on_event).map_err(|_| Broken),
            Self::Aws(decoder) => decoder.push(bytes, on_event).map_err(|_| Broken),
            Self::Array(decoder) => decoder.push(bytes, on_event),
        }
    }

    /// The stream has ended. A frame of AWS's that is not whole is no event.
    pub fn finish(&mut self, on_event: &mut dyn FnMut(Event<'_>)) {
        match self {
            Self::Sse(decoder) => decoder.finish(on_event),
            Self::Array(decoder) => decoder.finish(on_event),
            Self::Aws(_) => {}
        }
    }
}
