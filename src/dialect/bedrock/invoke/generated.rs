//! What models of all families answer to a completion request. Their members have names of their
//! own, so that one reader serves all.

use super::super::super::completion::write_head;
use super::super::super::raw::{
    array, inside, object, text, write_comma, write_line, write_number,
};
use super::super::super::{Context, Facts, Usage, failure};
use super::super::answer::read;
use crate::error::Error;
use crate::json::write_string;
use serde_json::value::RawValue;

/// Kind of the answers, and of the chunks of streams.
pub(super) const KIND: &str = "text_completion";

members! {
    /// An answer, or a chunk of one. Either has a list of texts, or is one itself.
    #[derive(Default)]
    pub(super) struct Generated<'a> {
        /// Titan's.
        results: Option<&'a RawValue>,
        /// Mistral's.
        outputs: Option<&'a RawValue>,
        /// Cohere's.
        generations: Option<&'a RawValue>,
        /// AI21's.
        completions: Option<&'a RawValue>,
        /// OpenAI's.
        choices: Option<&'a RawValue>,
        titans_input: Option<&'a RawValue> = "inputTextTokenCount",
        titans_output: Option<&'a RawValue> = "totalOutputTextTokenCount",
        llamas_input: Option<&'a RawValue> = "prompt_token_count",
        llamas_output: Option<&'a RawValue> = "generation_token_count",
        usage: Option<&'a RawValue>,
        /// Bedrock's own counts, in the last chunk.
        metrics: Option<&'a RawValue> = "amazon-bedrock-invocationMetrics",
    }

    /// A text and why it ends there; who has which members, see [`Generated`].
    #[derive(Default)]
    struct Raw<'a> {
        output_text: Option<&'a RawValue> = "outputText",
        text: Option<&'a RawValue>,
        /// Llama's.
        generation: Option<&'a RawValue>,
        /// Anthropic's.
        completion: Option<&'a RawValue>,
        data: Option<&'a RawValue>,
        completion_reason: Option<&'a RawValue> = "completionReason",
        finish_reason: Option<&'a RawValue>,
        stop_reason: Option<&'a RawValue>,
        why: Option<&'a RawValue> = "finishReason",
        reason: Option<&'a RawValue>,
        tokens: Option<&'a RawValue> = "tokenCount",
        logprobs: Option<&'a RawValue>,
    }
}

/// One generated text.
#[derive(Default)]
pub(super) struct Piece<'a> {
    /// What is between its quotes.
    pub(super) text: Option<&'a str>,
    /// Why it ends there, in the model's words.
    pub(super) reason: Option<String>,
    /// OpenAI's, of models that have its format.
    logprobs: Option<&'a RawValue>,
    tokens: Option<&'a RawValue>,
}

impl<'a> Piece<'a> {
    fn of(raw: Raw<'a>) -> Self {
        let data: Raw<'a> = read(raw.data);
        let why: Raw<'a> = read(raw.why);
        let texts = [raw.output_text, raw.text, raw.generation, raw.completion, data.text];
        let reasons = [raw.completion_reason, raw.finish_reason, raw.stop_reason, why.reason];
        Self {
            text: texts.into_iter().flatten().find_map(inside),
            reason: reasons.into_iter().flatten().find_map(text).map(Into::into),
            logprobs: raw.logprobs,
            tokens: raw.tokens,
        }
    }
}

members! {
    /// Counts of tokens under one of the names that they have.
    #[derive(Default)]
    struct Counts {
        input: Option<u64> = "inputTokenCount",
        output: Option<u64> = "outputTokenCount",
        prompt_tokens: Option<u64>,
        completion_tokens: Option<u64>,
    }
}

/// The texts and the counts in an answer or a chunk. `None` when it is neither.
pub(super) fn parse(body: &str) -> Option<(Vec<Piece<'_>>, Option<Usage>)> {
    let generated: Generated<'_> = object(body)?;
    let Generated { results, outputs, generations, completions, choices, .. } = generated;
    let list = results.or(outputs).or(generations).or(completions).or(choices);
    let pieces: Vec<_> = match list.and_then(|raw| array(raw.get())) {
        Some(list) => {
            let raws = list.into_iter().map(|raw| object::<Raw<'_>>(raw.get()));
            raws.map(|raw| raw.map(Piece::of)).collect::<Option<_>>()?
        }
        None => vec![Piece::of(object(body)?)],
    };
    let usage = usage(&generated, &pieces);
    Some((pieces, usage))
}

fn usage(generated: &Generated<'_>, pieces: &[Piece<'_>]) -> Option<Usage> {
    let number = |raw: Option<&RawValue>| raw.and_then(|raw| raw.get().parse::<u64>().ok());
    let counts: Counts = read(generated.metrics.or(generated.usage));
    let summed = || {
        let counts = pieces.iter().map(|piece| number(piece.tokens));
        counts.flatten().reduce(u64::saturating_add)
    };
    let input = counts.input.or(counts.prompt_tokens);
    let input = input.or(number(generated.titans_input)).or(number(generated.llamas_input));
    let output = counts.output.or(counts.completion_tokens);
    let output = output.or(number(generated.titans_output)).or(number(generated.llamas_output));
    let output = output.or_else(summed);
    input.or(output)?;
    Some(Usage {
        prompt_tokens: input.unwrap_or_default(),
        completion_tokens: output.unwrap_or_default(),
        ..Usage::default()
    })
}

/// OpenAI's finish reason for one of any family's.
pub(super) fn finish_reason(reason: &str) -> &'static str {
    match reason.to_ascii_lowercase().as_str() {
        "length" | "max_tokens" => "length",
        "content_filtered" | "content_filter" | "error_toxic" => "content_filter",
        _ => "stop",
    }
}

/// Translates a complete, successful answer.
///
/// # Errors
/// The body is not what any of the models answers.
pub fn response(body: &[u8], context: &Context, facts: &mut Facts) -> Result<Vec<u8>, Error> {
    let parsed = std::str::from_utf8(body).ok().and_then(|body| parse(body.trim_start()));
    let parsed = parsed.filter(|(pieces, _)| pieces.iter().any(|piece| piece.text.is_some()));
    let Some((pieces, usage)) = parsed else {
        return Err(failure::invalid_response(body, context.provider, facts));
    };
    facts.complete = true;
    facts.usage = usage.or(context.counted);
    let mut out = Vec::with_capacity(body.len() + 512);
    write_head(&mut out, None, None, context, KIND);
    for (index, piece) in (0..).zip(&pieces) {
        write_comma(&mut out);
        let reason = piece.reason.as_deref().unwrap_or("stop");
        let reason = if context.strict { finish_reason(reason) } else { reason };
        write_choice(&mut out, index, piece, Some(reason));
    }
    let first = pieces.first().and_then(|piece| piece.reason.as_deref()).unwrap_or("stop");
    facts.finish_reason = Some(finish_reason(first).to_owned());
    out.push(b']');
    write_usage(&mut out, facts.usage);
    out.push(b'}');
    Ok(out)
}

/// Appends a choice with this finish reason.
pub(super) fn write_choice(out: &mut Vec<u8>, index: u64, piece: &Piece<'_>, reason: Option<&str>) {
    out.extend_from_slice(b"{\"text\":\"");
    out.extend_from_slice(piece.text.unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\",\"index\":");
    write_number(out, index);
    out.extend_from_slice(b",\"logprobs\":");
    write_line(out, piece.logprobs.map_or("null", RawValue::get));
    out.extend_from_slice(b",\"finish_reason\":");
    match reason {
        Some(reason) => write_string(out, reason),
        None => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
}

/// Appends the member `usage`; nobody's count is 0, as Portkey has it.
pub(super) fn write_usage(out: &mut Vec<u8>, usage: Option<Usage>) {
    let usage = usage.unwrap_or_default();
    for (name, count) in [
        (&b",\"usage\":{\"prompt_tokens\":"[..], usage.prompt_tokens),
        (b",\"completion_tokens\":", usage.completion_tokens),
        (b",\"total_tokens\":", usage.total_tokens()),
    ] {
        out.extend_from_slice(name);
        write_number(out, count);
    }
    out.push(b'}');
}
