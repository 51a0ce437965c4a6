//! What providers of both wire formats answer.

use super::support::upstream::{Step, answer, chunk, json, last_chunk, sse_head};

/// A wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    OpenAi,
    Anthropic,
}

impl Format {
    pub fn provider(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
        }
    }

    pub fn other(self) -> Self {
        match self {
            Self::OpenAi => Self::Anthropic,
            Self::Anthropic => Self::OpenAi,
        }
    }
}

/// Tokens of every whole answer.
pub const PROMPT_TOKENS: u64 = 5;
pub const COMPLETION_TOKENS: u64 = 6;

/// The text of the answer of the provider of this name.
pub fn text(name: &str) -> String {
    pieces(name).concat()
}

fn pieces(name: &str) -> [String; 4] {
    [format!("{name}: alpha "), "beta ".into(), "gamma ".into(), "delta".into()]
}

/// The events of a streamed answer, as SSE bytes.
pub struct Events {
    /// What comes before any content.
    pub head: Vec<String>,
    /// The text.
    pub pieces: Vec<String>,
    /// The finish reason and the usage.
    pub finish: Vec<String>,
    /// What marks the end.
    pub end: Vec<String>,
}

impl Events {
    pub fn of(format: Format, name: &str) -> Self {
        match format {
            Format::OpenAi => openai(name),
            Format::Anthropic => anthropic(name),
        }
    }

    /// Head and text up to the second piece.
    pub fn half(self) -> Vec<Step> {
        let half = [self.head, self.pieces.into_iter().take(2).collect()].concat();
        stream(&half, false)
    }

    pub fn whole(self) -> Vec<Step> {
        stream(&[self.head, self.pieces, self.finish, self.end].concat(), true)
    }
}

/// These events, each a chunk; and if it ends, the last chunk.
pub fn stream(events: &[String], ends: bool) -> Vec<Step> {
    let mut steps = vec![sse_head()];
    steps.extend(events.iter().map(|event| chunk(event)));
    steps.extend(ends.then(last_chunk));
    steps
}

fn openai(name: &str) -> Events {
    let event = |members: &str| format!("data: {{\"id\":\"c\",\"model\":\"m\",{members}}}\n\n");
    let choice = |delta: &str, reason: &str| {
        event(&format!(
            "\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{reason}}}]"
        ))
    };
    let piece = |text: &String| choice(&format!("{{\"content\":\"{text}\"}}"), "null");
    let usage = format!(
        "\"choices\":[],\"usage\":{{\"prompt_tokens\":{PROMPT_TOKENS},\
         \"completion_tokens\":{COMPLETION_TOKENS},\"total_tokens\":11}}"
    );
    Events {
        head: vec![choice("{\"role\":\"assistant\",\"content\":\"\"}", "null")],
        pieces: pieces(name).iter().map(piece).collect(),
        finish: vec![choice("{}", "\"stop\""), event(&usage)],
        end: vec!["data: [DONE]\n\n".into()],
    }
}

fn anthropic(name: &str) -> Events {
    let event =
        |kind: &str, more: &str| format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{more}}}\n\n");
    let start = format!(
        ",\"message\":{{\"id\":\"msg\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\
         \"model\":\"claude\",\"usage\":{{\"input_tokens\":{PROMPT_TOKENS},\"output_tokens\":1}}}}"
    );
    let block = ",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}";
    let piece = |text: &String| {
        let delta = format!("{{\"type\":\"text_delta\",\"text\":\"{text}\"}}");
        event("content_block_delta", &format!(",\"index\":0,\"delta\":{delta}"))
    };
    let finish = format!(
        ",\"delta\":{{\"stop_reason\":\"end_turn\",\"stop_sequence\":null}},\
         \"usage\":{{\"output_tokens\":{COMPLETION_TOKENS}}}"
    );
    Events {
        head: vec![event("message_start", &start), event("content_block_start", block)],
        pieces: pieces(name).iter().map(piece).collect(),
        finish: vec![event("content_block_stop", ",\"index\":0"), event("message_delta", &finish)],
        end: vec![event("message_stop", "")],
    }
}

/// A whole answer, streamed or not.
pub fn good(format: Format, streams: bool, name: &str) -> Vec<Step> {
    if streams {
        return Events::of(format, name).whole();
    }
    json(200, &body(format, name))
}

/// The JSON body of a whole answer.
pub fn body(format: Format, name: &str) -> String {
    let text = text(name);
    match format {
        Format::OpenAi => format!(
            "{{\"id\":\"c\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\
             \"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"{text}\"}},\
             \"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":{PROMPT_TOKENS},\
             \"completion_tokens\":{COMPLETION_TOKENS},\"total_tokens\":11}}}}"
        ),
        Format::Anthropic => format!(
            "{{\"id\":\"msg\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude\",\
             \"content\":[{{\"type\":\"text\",\"text\":\"{text}\"}}],\"stop_reason\":\"end_turn\",\
             \"stop_sequence\":null,\"usage\":{{\"input_tokens\":{PROMPT_TOKENS},\
             \"output_tokens\":{COMPLETION_TOKENS}}}}}"
        ),
    }
}

/// An error answer; `headers` are lines that end in CR LF.
pub fn failing(format: Format, status: u16, headers: &str, code: &str, message: &str) -> Vec<Step> {
    let headers = format!("content-type: application/json\r\n{headers}");
    answer(status, &headers, &failure(format, code, message))
}

/// The body of an error: `code` is OpenAI's `code`, Anthropic's `type`.
pub fn failure(format: Format, code: &str, message: &str) -> String {
    match format {
        Format::OpenAi => format!(
            "{{\"error\":{{\"message\":\"{message}\",\"type\":\"{code}\",\"param\":null,\
             \"code\":\"{code}\"}}}}"
        ),
        Format::Anthropic => format!(
            "{{\"type\":\"error\",\"error\":{{\"type\":\"{code}\",\"message\":\"{message}\"}}}}"
        ),
    }
}

/// An error that comes as an event.
pub fn failure_event(format: Format, code: &str, message: &str) -> String {
    let name = if format == Format::Anthropic { "event: error\n" } else { "" };
    format!("{name}data: {}\n\n", failure(format, code, message))
}
