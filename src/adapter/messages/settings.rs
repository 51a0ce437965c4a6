//! How the answer is to be: `thinking`, `output_config` and `output_format`, as
//! `reasoning_effort` and `response_format`.

use super::super::write::write_raw;
use super::super::{Extras, Taker};
use crate::dialect::Dropped;
use crate::dialect::field::present;
use crate::dialect::raw::{object, string, text, write_key, write_member};
use crate::json::Object;
use serde_json::value::RawValue;

members! {
    #[derive(Default)]
    struct Thinking<'a> {
        kind: Option<&'a RawValue> = "type",
        budget_tokens: Option<u64>,
    }

    #[derive(Default)]
    struct Config<'a> {
        effort: Option<&'a RawValue>,
        format: Option<&'a RawValue>,
    }

    #[derive(Default)]
    struct Format<'a> {
        kind: Option<&'a RawValue> = "type",
        name: Option<&'a RawValue>,
        schema: Option<&'a RawValue>,
    }
}

/// Appends what there is to say.
pub(super) fn write(out: &mut Vec<u8>, request: &Object<'_>, taker: Taker, dropped: &mut Dropped) {
    let config: Config<'_> = present(request, "output_config").and_then(object).unwrap_or_default();
    write_thinking(out, request, &config, taker, dropped);
    let format = config.format.map(RawValue::get).or(present(request, "output_format"));
    let format: Format<'_> = format.and_then(object).unwrap_or_default();
    if format.kind.and_then(text).as_deref() == Some("json_schema")
        && let Some(schema) = format.schema
        && request.get("response_format").is_none()
    {
        write_key(out, "response_format");
        out.extend_from_slice(b"{\"type\":\"json_schema\",\"json_schema\":{");
        let name = format.name.and_then(text);
        // OpenAI wants a name, which Anthropic does not have.
        write_member(out, "name", name.as_deref().unwrap_or("response"));
        write_raw(out, "schema", schema.get());
        out.extend_from_slice(b"}}");
    }
}

fn write_thinking(
    out: &mut Vec<u8>,
    request: &Object<'_>,
    config: &Config<'_>,
    taker: Taker,
    dropped: &mut Dropped,
) {
    let own = request.get("reasoning_effort").is_some();
    let effort = config.effort.and_then(text).filter(|_| !own);
    let mut known = effort.is_some() || own;
    if let Some(effort) = effort {
        // OpenAI's highest has another name, and few models have it.
        let plain = taker.extras < Extras::Portkey;
        let word = if plain && effort == "max" { "high" } else { &effort };
        write_member(out, "reasoning_effort", word);
    }
    let Some(raw) = present(request, "thinking") else { return };
    if taker.extras >= Extras::Portkey {
        return write_raw(out, "thinking", raw);
    }
    let thinking: Thinking<'_> = object(raw).unwrap_or_default();
    let model = present(request, "model").and_then(string).unwrap_or_default();
    if let Some(budget) = thinking.budget_tokens.filter(|_| !known && takes_effort(&model)) {
        write_member(out, "reasoning_effort", effort_of(budget));
        known = true;
    }
    let says_nothing = matches!(
        thinking.kind.and_then(text).as_deref(),
        // How much is the model's own choice, or none is what a model does that is not asked.
        Some("adaptive" | "disabled")
    );
    if !known && !says_nothing {
        dropped.add("thinking");
    }
}

/// OpenAI's word for a number of tokens.
fn effort_of(budget: u64) -> &'static str {
    match budget {
        0..=4095 => "low",
        4096..=16383 => "medium",
        _ => "high",
    }
}

/// Whether a model is known to take `reasoning_effort`; others refuse it. A vendor may stand
/// before its name.
fn takes_effort(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let generation = |prefix: &str| {
        let rest = name.strip_prefix(prefix)?;
        let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        rest.get(..end)?.parse::<u32>().ok()
    };
    let reasons = generation("gpt-").is_some_and(|number| number >= 5)
        || generation("o").is_some_and(|number| number >= 1);
    let without = ["o1-mini", "o1-preview"].iter().any(|old| name.starts_with(old));
    name.starts_with("gpt-oss") || (reasons && !without && !name.contains("-chat"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_that_reason_are_known_by_name() {
        for model in ["gpt-5-mini", "o3", "o4-mini-2025-04-16", "openai/gpt-oss-120b", "gpt-5.1"] {
            assert!(takes_effort(model), "{model}");
        }
        for model in ["gpt-4o", "gpt-4.1", "o1-mini", "gpt-5-chat-latest", "ollama", "kimi-k2", ""]
        {
            assert!(!takes_effort(model), "{model}");
        }
    }
}
