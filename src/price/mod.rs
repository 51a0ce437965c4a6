//! What a request costs: prices of models, and token counts times prices. Integers only.

mod name;

use crate::dialect::Usage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Name of the model that stands for all others of a provider.
pub const ANY: &str = "*";

/// What one model takes for a million tokens, in micro-USD: 2500000 is 2.50 USD. What has no price
/// of its own costs what it is a part of: input or output.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// The price holds for prompts of more tokens than these.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub above: u64,
    /// Input tokens.
    pub input: u64,
    /// Output tokens.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub output: u64,
    /// Input tokens read from the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<u64>,
    /// Input tokens written to the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<u64>,
    /// Those of them that it keeps for an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<u64>,
    /// Output tokens spent on reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<u64>,
    /// Input tokens of audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_input: Option<u64>,
    /// Output tokens of audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_output: Option<u64>,
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl Price {
    /// The cost of these tokens in micro-USD, rounded to the nearest.
    fn of(&self, usage: &Usage) -> u64 {
        let read = usage.cached_tokens;
        let long = usage.cache_creation_1h_tokens;
        let short = usage.cache_creation_tokens.saturating_sub(long);
        let write = self.cache_write.unwrap_or(self.input);
        let parts = [read, usage.cache_creation_tokens, usage.audio_input_tokens];
        let input = parts.into_iter().fold(usage.prompt_tokens, u64::saturating_sub);
        let parts = [usage.reasoning_tokens, usage.audio_output_tokens];
        let output = parts.into_iter().fold(usage.completion_tokens, u64::saturating_sub);
        let sum: u128 = [
            (input, self.input),
            (read, self.cached_input.unwrap_or(self.input)),
            (short, write),
            (long, self.cache_write_1h.unwrap_or(write)),
            (usage.audio_input_tokens, self.audio_input.unwrap_or(self.input)),
            (output, self.output),
            (usage.reasoning_tokens, self.reasoning.unwrap_or(self.output)),
            (usage.audio_output_tokens, self.audio_output.unwrap_or(self.output)),
        ]
        .into_iter()
        // No sum of eight such products is near the end of the type.
        .map(|(tokens, price)| u128::from(tokens.min(MAX)) * u128::from(price.min(MAX)))
        .sum();
        u64::try_from((sum + 500_000) / 1_000_000).unwrap_or(u64::MAX)
    }
}

/// More tokens, or micro-USD for a million of them, than anybody will count.
const MAX: u64 = 1 << 60;

/// Prices by provider and model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Catalogue(BTreeMap<String, BTreeMap<String, Vec<Price>>>);

impl Catalogue {
    /// Adds a model, or replaces its prices. They are in the order of [`Price::above`].
    pub fn insert(&mut self, provider: &str, model: &str, mut prices: Vec<Price>) {
        prices.sort_by_key(|price| price.above);
        self.0.entry(provider.to_owned()).or_default().insert(model.to_owned(), prices);
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Provider, model and prices of all rows.
    pub fn rows(&self) -> impl Iterator<Item = (&str, &str, &[Price])> {
        self.0.iter().flat_map(|(provider, models)| {
            let row =
                |(model, prices)| (provider.as_str(), String::as_str(model), Vec::as_slice(prices));
            models.iter().map(row)
        })
    }

    /// What these tokens of a model cost in micro-USD, rounded to the nearest. `provider` is a slug
    /// of the table of providers, `model` a name as the provider or the client has it. `None`: the
    /// price is not known.
    pub fn cost(&self, provider: &str, model: &str, usage: &Usage) -> Option<u64> {
        let (_, prices) = self.find(provider, model)?;
        let price =
            prices.iter().rfind(|price| price.above == 0 || usage.prompt_tokens > price.above);
        price.map(|price| price.of(usage))
    }

    /// The name under which the catalogue has a model: one out of few, whatever was asked for.
    pub fn name(&self, provider: &str, model: &str) -> Option<&str> {
        self.find(provider, model).map(|(name, _)| name).filter(|name| *name != ANY)
    }

    fn find(&self, provider: &str, model: &str) -> Option<(&str, &[Price])> {
        let models = self.0.get(provider)?;
        let mut names = name::candidates(model).chain([ANY]);
        let (name, prices) = names.find_map(|name| models.get_key_value(name))?;
        Some((name, prices))
    }
}

#[cfg(test)]
mod tests;
