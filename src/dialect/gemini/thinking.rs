//! How much the model is to think: `thinkingConfig`
//! (<https://ai.google.dev/gemini-api/docs/thinking>).

use super::super::raw::{object, text, write_key, write_member, write_number};
use super::model::{Model, Thinking};
use super::present;
use crate::json::Object;
use serde_json::value::RawValue;

members! {
    /// Anthropic's `thinking`, which Portkey takes for every provider.
    struct Wish<'a> {
        kind: Option<&'a RawValue> = "type",
        budget_tokens: Option<u64>,
    }
}

/// Name and raw JSON of the config, spelled as Portkey does: Google takes both spellings. `None`
/// when the client, or the model, has nothing to say.
pub(super) fn config(request: &Object<'_>, model: &Model) -> Option<(&'static str, String)> {
    let [camel, snake] = ["thinkingConfig", "thinking_config"];
    if let Some(own) = present(request, camel).or(present(request, snake)) {
        return Some((camel, own.to_owned()));
    }
    let mut out = b"{".to_vec();
    let name = match present(request, "thinking").and_then(object::<Wish<'_>>) {
        Some(wish) => {
            write_wish(&mut out, &wish, model);
            snake
        }
        None => {
            write_effort(&mut out, &request.string("reasoning_effort")?, model)?;
            camel
        }
    };
    out.push(b'}');
    Some((name, String::from_utf8(out).ok()?))
}

fn write_wish(out: &mut Vec<u8>, wish: &Wish<'_>, model: &Model) {
    let enabled = wish.kind.and_then(text).is_none_or(|kind| kind != "disabled");
    let least = if model.thinks_at_least_low() { 128 } else { 0 };
    let budget = if enabled { wish.budget_tokens } else { Some(least) };
    write_key(out, "include_thoughts");
    let shown = enabled && budget != Some(0);
    out.extend_from_slice(if shown { b"true" } else { b"false" });
    if let Some(budget) = budget {
        write_key(out, "thinking_budget");
        write_number(out, budget);
    }
}

/// `None` for a model that does not think.
fn write_effort(out: &mut Vec<u8>, effort: &str, model: &Model) -> Option<()> {
    match model.thinking() {
        Thinking::None => return None,
        Thinking::Budget => {
            write_key(out, "thinkingBudget");
            // Google's own equivalents.
            write_number(
                out,
                match effort {
                    // The least that a model takes which always thinks.
                    "none" if model.thinks_at_least_low() => 128,
                    "none" => 0,
                    "minimal" | "low" => 1024,
                    "medium" => 8192,
                    "high" | "xhigh" | "max" => 24576,
                    _ => return None,
                },
            );
        }
        Thinking::Level => {
            let level = match effort {
                // These models always think.
                "none" | "minimal" if model.thinks_at_least_low() => "low",
                "none" | "minimal" => "minimal",
                "low" => "low",
                "medium" => "medium",
                "high" | "xhigh" | "max" => "high",
                _ => return None,
            };
            write_member(out, "thinkingLevel", level);
        }
    }
    Some(())
}
