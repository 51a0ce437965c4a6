//! Prices that gateway.yaml adds to the catalogue.

use super::Checker;
use crate::price::{Catalogue, Price};
use crate::tool::field::{Field, Fields};
use crate::tool::prices;
use crate::tool::yaml::Node;

const KEYS: [&str; 9] = [
    "above",
    "input",
    "output",
    "cached_input",
    "cache_write",
    "cache_write_1h",
    "reasoning",
    "audio_input",
    "audio_output",
];

impl Checker<'_> {
    /// A mapping of providers, models and prices, or `false`: no costs.
    pub(super) fn prices(&mut self, field: Option<&Field<'_>>) -> Catalogue {
        let mut catalogue = prices::catalogue();
        let Some(field) = field else { return catalogue };
        if *field.node == Node::Bool(false) {
            return Catalogue::default();
        }
        for (slug, models) in field.entries(&mut self.problems) {
            let Some(provider) = self.provider(&models.path, slug) else { continue };
            for (model, entry) in models.entries(&mut self.problems) {
                let prices = self.model(&entry);
                catalogue.insert(provider.slug, model, prices);
            }
        }
        catalogue
    }

    /// A price, or a list of prices by the length of the prompt.
    fn model(&mut self, entry: &Field<'_>) -> Vec<Price> {
        let items = match entry.node {
            Node::List(_) => entry.items(&mut self.problems).unwrap_or_default(),
            _ => vec![entry.clone()],
        };
        let prices: Vec<Price> = items.iter().map(|item| self.price(item)).collect();
        if prices.iter().filter(|price| price.above == 0).count() != 1 {
            let message = "needs one price without \"above\", and others with it";
            self.problems.add(&entry.path, message);
        }
        prices
    }

    fn price(&mut self, field: &Field<'_>) -> Price {
        let fields = Fields::open(field, &KEYS, &mut self.problems);
        let above = self.number(fields.get("above"), 1..=u64::MAX).unwrap_or_default();
        let mut usd = |name| fields.get(name).and_then(|field| self.usd(field));
        let price = Price {
            above,
            input: usd("input").unwrap_or_default(),
            output: usd("output").unwrap_or_default(),
            cached_input: usd("cached_input"),
            cache_write: usd("cache_write"),
            cache_write_1h: usd("cache_write_1h"),
            reasoning: usd("reasoning"),
            audio_input: usd("audio_input"),
            audio_output: usd("audio_output"),
        };
        if fields.get("input").is_none() {
            self.problems.add(&field.path, "needs an input price, in USD for a million tokens");
        }
        price
    }

    fn usd(&mut self, field: &Field<'_>) -> Option<u64> {
        let text = match field.node {
            Node::Integer(number) => number.to_string(),
            // The shortest text that is this number: what stood in the file.
            Node::Float(number) => number.to_string(),
            Node::Text(text) => text.clone(),
            other => {
                field.mismatch("a number", other, &mut self.problems);
                return None;
            }
        };
        let micro = prices::micro(&text);
        if micro.is_none() {
            let message = "must be USD for a million tokens, with six decimal places at most";
            self.problems.add(&field.path, message);
        }
        micro
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Usage;
    use crate::price::ANY;
    use crate::tool::check::check;

    #[test]
    fn what_is_named_replaces_the_catalogue() {
        let yaml = "prices:\n  openai:\n    gpt-4o: {input: 1.25, output: '3'}\n    \
                    mine: [{input: 1}, {above: 10, input: 0.000001}]\n  vllm: {'*': {input: 0}}";
        let prices = check(yaml, &|_| None).unwrap().prices;
        let usage = |prompt_tokens| Usage { prompt_tokens, ..Usage::default() };
        for (provider, model, tokens, expected) in [
            ("openai", "gpt-4o", 1_000_000, Some(1_250_000)),
            ("openai", "mine", 10, Some(10)),
            ("openai", "mine", 1_000_000, Some(1)),
            ("openai", "gpt-4o-mini", 1_000_000, Some(150_000)),
            ("vllm", ANY, 1, Some(0)),
            ("vllm", "qwen", 1, Some(0)),
            ("ollama", "qwen", 1, None),
        ] {
            assert_eq!(prices.cost(provider, model, &usage(tokens)), expected, "{model}");
        }
        assert!(check("prices: false", &|_| None).unwrap().prices.is_empty());
        assert_eq!(check("", &|_| None).unwrap().prices, prices::catalogue());
    }

    #[test]
    fn every_problem_has_its_path() {
        for (yaml, expected) in [
            ("true", "prices: must be a mapping, not true or false"),
            ("{opnai: {}}", "prices.opnai: unknown provider \"opnai\", did you mean \"openai\"?"),
            ("{openai: {m: 1}}", "prices.openai.m: must be a mapping, not a number"),
            (
                "{openai: {m: {output: 1}}}",
                "prices.openai.m: needs an input price, in USD for a million tokens",
            ),
            (
                "{openai: {m: {input: 1, ouput: 1}}}",
                "prices.openai.m.ouput: unknown key, did you mean \"output\"?",
            ),
            (
                "{openai: {m: {input: -1}}}",
                "prices.openai.m.input: must be USD for a million tokens, with six decimal places \
                 at most",
            ),
            (
                "{openai: {m: [{input: 1, above: 5}]}}",
                "prices.openai.m: needs one price without \"above\", and others with it",
            ),
        ] {
            let rejected = check(&format!("prices: {yaml}"), &|_| None).unwrap_err();
            assert!(rejected.problems.contains(&expected.to_owned()), "{:?}", rejected.problems);
        }
    }
}
