//! Token counts of the Gemini API, and as OpenAI counts them.

use super::super::Usage;
use super::super::raw::{array, object, text, write_key, write_number};
use serde_json::value::RawValue;

members! {
    /// A `usageMetadata` object; each chunk of a stream has the totals so far.
    #[derive(Default)]
    struct RawUsage<'a> {
        prompt_token_count: Option<u64> = "promptTokenCount",
        candidates_token_count: Option<u64> = "candidatesTokenCount",
        cached_content_token_count: Option<u64> = "cachedContentTokenCount",
        thoughts_token_count: Option<u64> = "thoughtsTokenCount",
        tool_use_prompt_token_count: Option<u64> = "toolUsePromptTokenCount",
        prompt_tokens_details: Option<&'a RawValue> = "promptTokensDetails",
        candidates_tokens_details: Option<&'a RawValue> = "candidatesTokensDetails",
    }

    struct ModalityCount<'a> {
        modality: Option<&'a RawValue>,
        token_count: Option<u64> = "tokenCount",
    }
}

/// The counts so far, in OpenAI's terms.
#[derive(Debug, Default)]
pub(super) struct Counts {
    usage: Option<Usage>,
    /// What of the details it has told.
    told: Told,
}

#[derive(Debug, Default, Clone, Copy)]
struct Told {
    cached: bool,
    audio_input: bool,
    audio_output: bool,
}

impl Counts {
    /// Takes the counts of a `usageMetadata`, which replace those before.
    pub(super) fn update(&mut self, raw: &RawValue) {
        let usage: RawUsage<'_> = object(raw.get()).unwrap_or_default();
        let count = |count: Option<u64>| count.unwrap_or(0);
        let thoughts = count(usage.thoughts_token_count);
        // What Google's own tools fetched is input like the prompt.
        let fetched = count(usage.tool_use_prompt_token_count);
        self.told = Told {
            cached: usage.cached_content_token_count.is_some(),
            audio_input: usage.prompt_tokens_details.is_some(),
            audio_output: usage.candidates_tokens_details.is_some(),
        };
        self.usage = Some(Usage {
            prompt_tokens: count(usage.prompt_token_count).saturating_add(fetched),
            completion_tokens: count(usage.candidates_token_count).saturating_add(thoughts),
            cached_tokens: count(usage.cached_content_token_count),
            reasoning_tokens: thoughts,
            audio_input_tokens: audio(usage.prompt_tokens_details),
            audio_output_tokens: audio(usage.candidates_tokens_details),
            ..Usage::default()
        });
    }

    /// `None` when Gemini did not tell.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Appends `,"usage":{...}`, if it is known.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        self.write_with(Told { cached: true, audio_input: true, audio_output: true }, out);
    }

    /// The same for a chunk, where Portkey has no zeros for what Gemini did not tell.
    pub(super) fn write_in_chunk(&self, out: &mut Vec<u8>) {
        self.write_with(self.told, out);
    }

    fn write_with(&self, told: Told, out: &mut Vec<u8>) {
        let Some(usage) = self.usage else { return };
        let mut member = |name: &str, count, told: bool| {
            if told {
                out.extend_from_slice(name.as_bytes());
                write_number(out, count);
            }
        };
        member(",\"usage\":{\"prompt_tokens\":", usage.prompt_tokens, true);
        member(",\"completion_tokens\":", usage.completion_tokens, true);
        member(",\"total_tokens\":", usage.total_tokens(), true);
        let reasoning = ",\"completion_tokens_details\":{\"reasoning_tokens\":";
        member(reasoning, usage.reasoning_tokens, true);
        member(",\"audio_tokens\":", usage.audio_output_tokens, told.audio_output);
        out.extend_from_slice(b"},\"prompt_tokens_details\":{");
        if told.cached {
            write_key(out, "cached_tokens");
            write_number(out, usage.cached_tokens);
        }
        if told.audio_input {
            write_key(out, "audio_tokens");
            write_number(out, usage.audio_input_tokens);
        }
        out.extend_from_slice(b"}}");
    }
}

/// Tokens of audio among those of all modalities.
fn audio(details: Option<&RawValue>) -> u64 {
    let details = details.and_then(|raw| array(raw.get()));
    let counts = details.into_iter().flatten().filter_map(|raw| {
        let count: ModalityCount<'_> = object(raw.get())?;
        (count.modality.and_then(text)? == "AUDIO").then_some(count.token_count?)
    });
    counts.fold(0, u64::saturating_add)
}
