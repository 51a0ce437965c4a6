//! A completion request in the format of the model's family.

use super::super::super::Outgoing;
use super::super::super::field::parse;
use super::super::super::raw::{string, write_key, write_member};
use super::super::model::{Family, Model};
use super::super::{inference, present};
use super::{INVOKE, INVOKE_STREAM, not_of, outgoing, prompt};
use crate::dialect::Dropped;
use crate::error::Error;
use crate::json::Object;

/// Without a limit the old Claude models refuse a request; it is that of chat completions.
const DEFAULT_MAX_TOKENS: &str = "4096";

/// How a family writes a completion request.
struct Form {
    prompt: &'static str,
    /// The object that all other members are in.
    inside: Option<&'static str>,
    /// OpenAI's names and the family's.
    names: &'static [(&'static str, &'static str)],
    /// List of the texts to stop at.
    stop: Option<&'static str>,
    /// Highest temperature.
    hottest: f64,
}

const TITAN: Form = Form {
    prompt: "inputText",
    inside: Some("textGenerationConfig"),
    names: &[("temperature", "temperature"), ("max_tokens", "maxTokenCount"), ("top_p", "topP")],
    stop: Some("stopSequences"),
    hottest: 1.0,
};

const CLAUDE: Form = Form {
    prompt: "prompt",
    inside: None,
    names: &[
        ("max_tokens", "max_tokens_to_sample"),
        ("temperature", "temperature"),
        ("top_p", "top_p"),
        ("top_k", "top_k"),
    ],
    stop: Some("stop_sequences"),
    hottest: 1.0,
};

const LLAMA: Form = Form {
    prompt: "prompt",
    inside: None,
    names: &[("max_tokens", "max_gen_len"), ("temperature", "temperature"), ("top_p", "top_p")],
    stop: None,
    hottest: 1.0,
};

const MISTRAL: Form = Form {
    prompt: "prompt",
    inside: None,
    names: &[
        ("max_tokens", "max_tokens"),
        ("temperature", "temperature"),
        ("top_p", "top_p"),
        ("top_k", "top_k"),
    ],
    stop: Some("stop"),
    hottest: 1.0,
};

const COMMAND: Form = Form {
    prompt: "prompt",
    inside: None,
    names: &[
        ("max_tokens", "max_tokens"),
        ("temperature", "temperature"),
        ("top_p", "p"),
        ("top_k", "k"),
        ("frequency_penalty", "frequency_penalty"),
        ("presence_penalty", "presence_penalty"),
        ("logit_bias", "logit_bias"),
        ("n", "num_generations"),
    ],
    stop: Some("end_sequences"),
    hottest: 5.0,
};

const JURASSIC: Form = Form {
    prompt: "prompt",
    inside: None,
    names: &[
        ("max_tokens", "maxTokens"),
        ("temperature", "temperature"),
        ("top_p", "topP"),
        ("n", "numResults"),
        ("countPenalty", "countPenalty"),
    ],
    stop: Some("stopSequences"),
    hottest: 1.0,
};

/// Translates the body of a completion request.
///
/// # Errors
/// The body is not what OpenAI's API takes; there is more than one prompt; the model takes chats
/// alone.
pub fn request(body: &[u8]) -> Result<Outgoing, Error> {
    let mut request = parse(body)?;
    let model = Model::read(&request)?;
    let operation = if request.is_true("stream") { INVOKE_STREAM } else { INVOKE };
    let dropped = Dropped::default();
    let form = match model.family {
        Family::Amazon if model.is(&["titan"]) => TITAN,
        Family::Anthropic if model.is(&["claude-v2", "claude-instant"]) => CLAUDE,
        Family::Amazon | Family::Anthropic => return Err(not_of("complete")),
        Family::Meta => LLAMA,
        Family::Mistral => MISTRAL,
        Family::Cohere => COMMAND,
        Family::Ai21 => JURASSIC,
        // These have OpenAI's own format, and so have most that are imported.
        Family::OpenAi | Family::Other | Family::Unknown => {
            prompt(&request)?;
            let outgoing = outgoing(&request, &model, operation, Vec::new(), dropped);
            request.remove("model");
            request.remove("stream");
            return Ok(Outgoing {
                body: request.to_vec(),
                dropped: Dropped::default(),
                ..outgoing
            });
        }
    };
    let mut out = Vec::with_capacity(body.len() + 64);
    write(&mut out, &form, &model, &request)?;
    Ok(outgoing(&request, &model, operation, out, dropped))
}

fn write(out: &mut Vec<u8>, form: &Form, model: &Model, request: &Object<'_>) -> Result<(), Error> {
    let raw = prompt(request)?;
    out.push(b'{');
    match model.family {
        Family::Anthropic => write_member(out, form.prompt, &turn(raw)),
        _ => {
            write_key(out, form.prompt);
            out.extend_from_slice(raw.as_bytes());
        }
    }
    if let Some(inside) = form.inside {
        write_key(out, inside);
        out.push(b'{');
    }
    let streams = request.is_true("stream");
    for (name, key) in form.names {
        // The chunks of several answers cannot be told from each other in all formats.
        if streams && *name == "n" {
            continue;
        }
        let raw = present(request, name);
        let raw = raw.or((*key == "max_tokens_to_sample").then_some(DEFAULT_MAX_TOKENS));
        let Some(raw) = raw else { continue };
        write_key(out, key);
        let raw = match *name {
            "temperature" => inference::within(raw, form.hottest),
            "top_p" => inference::within(raw, 1.0),
            _ => raw.into(),
        };
        out.extend_from_slice(raw.as_bytes());
    }
    if let Some(key) = form.stop
        && let Some(raw) = present(request, "stop")
    {
        inference::write_stop(out, key, raw)?;
    }
    match model.family {
        Family::Ai21 => write_penalties(out, request),
        Family::Cohere if streams => {
            write_key(out, "stream");
            out.extend_from_slice(b"true");
        }
        _ => {}
    }
    if form.inside.is_some() {
        out.push(b'}');
    }
    out.push(b'}');
    Ok(())
}

fn write_penalties(out: &mut Vec<u8>, request: &Object<'_>) {
    for (name, key) in
        [("frequency_penalty", "frequencyPenalty"), ("presence_penalty", "presencePenalty")]
    {
        if let Some(penalty) = super::super::additional::penalty(request, [name, key]) {
            write_key(out, key);
            out.extend_from_slice(penalty.as_bytes());
        }
    }
}

/// A prompt as the turn of a conversation, the only thing that old Claude models go on with.
fn turn(prompt: &str) -> String {
    let prompt = string(prompt).unwrap_or_default();
    match prompt.trim_start().starts_with("Human:") {
        true => prompt.into_owned(),
        false => format!("\n\nHuman: {prompt}\n\nAssistant:"),
    }
}
