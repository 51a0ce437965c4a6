//! The catalogue of prices that comes with the tool: `prices.csv`, a row a model and threshold,
//! in USD for a million tokens. Its first line names its version.

use crate::price::{Catalogue, Price};

const CSV: &str = include_str!("prices.csv");

/// A row of the file.
#[derive(Debug)]
pub struct Row {
    /// Slug of the provider.
    pub provider: &'static str,
    /// Name of the model, without its date.
    pub model: &'static str,
    /// What it takes.
    pub price: Price,
    /// The page that says so.
    pub source: &'static str,
    /// The day on which it was read.
    pub date: &'static str,
}

/// The version of the catalogue: the day of its last change.
pub fn version() -> &'static str {
    CSV.lines().next().and_then(|line| line.strip_prefix("# version ")).unwrap_or_default()
}

/// All rows, in the order of the file. A test reads every line.
pub fn rows() -> impl Iterator<Item = Row> {
    const TITLES: usize = 2;
    CSV.lines().skip(TITLES).filter_map(row)
}

fn row(line: &'static str) -> Option<Row> {
    let cells: Vec<&str> = line.split(',').collect();
    let [
        provider,
        model,
        above,
        input,
        output,
        cached_input,
        cache_write,
        cache_write_1h,
        reasoning,
        audio_input,
        audio_output,
        source,
        date,
    ] = *cells.as_slice()
    else {
        return None;
    };
    let price = Price {
        above: if above.is_empty() { 0 } else { above.parse().ok()? },
        input: micro(input)?,
        output: micro(output)?,
        cached_input: micro(cached_input),
        cache_write: micro(cache_write),
        cache_write_1h: micro(cache_write_1h),
        reasoning: micro(reasoning),
        audio_input: micro(audio_input),
        audio_output: micro(audio_output),
    };
    Some(Row { provider, model, price, source, date })
}

/// The catalogue as the module has it.
pub fn catalogue() -> Catalogue {
    let rows: Vec<Row> = rows().collect();
    let mut catalogue = Catalogue::default();
    for model in rows.chunk_by(|a, b| (a.provider, a.model) == (b.provider, b.model)) {
        if let [first, ..] = model {
            let prices = model.iter().map(|row| row.price.clone()).collect();
            catalogue.insert(first.provider, first.model, prices);
        }
    }
    catalogue
}

/// Millionths of a decimal number such as `2.5`, which has at most six decimal places.
pub fn micro(text: &str) -> Option<u64> {
    const PLACES: usize = 6;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > PLACES {
        return None;
    }
    format!("{whole}{fraction:0<PLACES$}").parse().ok()
}

/// A number of millionths as a decimal number.
fn decimal(micro: u64) -> String {
    let text = format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The catalogue for people: prices in USD for a million tokens.
pub fn text() -> String {
    const TITLES: [&str; 12] = [
        "PROVIDER",
        "MODEL",
        "ABOVE",
        "INPUT",
        "OUTPUT",
        "CACHED",
        "WRITE",
        "WRITE 1H",
        "REASONING",
        "AUDIO IN",
        "AUDIO OUT",
        "DATE",
    ];
    let mut lines = vec![TITLES.map(str::to_owned)];
    lines.extend(rows().map(|row| {
        let Price { above, input, output, .. } = row.price;
        let price = |price: Option<u64>| price.map_or("-".to_owned(), decimal);
        [
            row.provider.to_owned(),
            row.model.to_owned(),
            if above == 0 { "-".to_owned() } else { above.to_string() },
            decimal(input),
            decimal(output),
            price(row.price.cached_input),
            price(row.price.cache_write),
            price(row.price.cache_write_1h),
            price(row.price.reasoning),
            price(row.price.audio_input),
            price(row.price.audio_output),
            row.date.to_owned(),
        ]
    }));
    let mut widths = [0; TITLES.len()];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.len().max(*width);
        }
    }
    let mut out = format!("Version {}. USD for a million tokens.\n\n", version());
    for line in lines {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        out.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        out.push('\n');
    }
    out
}

/// The catalogue for programs: prices in micro-USD for a million tokens.
pub fn json() -> String {
    let rows = rows().map(|row| {
        serde_json::json!({
            "provider": row.provider,
            "model": row.model,
            "price": row.price,
            "source": row.source,
            "date": row.date,
        })
    });
    let all = serde_json::json!({ "version": version(), "prices": rows.collect::<Vec<_>>() });
    format!("{all:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Usage;
    use crate::provider;

    #[test]
    fn every_row_is_a_price_with_a_source_and_a_date() {
        let lines = CSV.lines().count() - 2;
        assert_eq!(rows().count(), lines);
        let is_date =
            |text: &str| text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        assert!(is_date(version()), "{:?}", version());
        let mut before = None;
        for row in rows() {
            let at = (row.provider, row.model, row.price.above);
            assert!(before < Some(at), "{at:?} is out of order, or there twice");
            before = Some(at);
            assert!(provider::find(row.provider).is_some(), "{at:?}");
            assert!(is_date(row.date) && row.date <= version(), "{at:?}");
            assert!(row.source.starts_with("https://"), "{at:?}");
            assert!(row.price.input > 0, "{at:?}");
            let Price { input, cached_input, cache_write, cache_write_1h, .. } = row.price;
            assert!(cached_input.is_none_or(|read| read <= input), "{at:?}");
            assert!(cache_write.is_none_or(|write| write >= input), "{at:?}");
            assert!(cache_write_1h.is_none_or(|long| Some(long) >= cache_write), "{at:?}");
        }
        let first = rows().filter(|row| row.price.above == 0).count();
        assert_eq!(catalogue().rows().count(), first, "a threshold has a price below it");
    }

    #[test]
    fn prices_are_found_by_the_names_that_providers_use() {
        let usage = Usage { prompt_tokens: 1_000_000, ..Usage::default() };
        for (provider, model, expected) in [
            ("openai", "gpt-4o-2024-08-06", Some(2_500_000)),
            ("openai", "gpt-4o-2024-05-13", Some(5_000_000)),
            ("openai", "ft:gpt-4o-mini-2024-07-18:acme::A1", Some(300_000)),
            ("anthropic", "claude-opus-4-1-20250805", Some(15_000_000)),
            ("bedrock", "us.anthropic.claude-haiku-4-5-20251001-v1:0", Some(1_100_000)),
            ("bedrock", "global.anthropic.claude-haiku-4-5-20251001-v1:0", Some(1_000_000)),
            ("bedrock", "amazon.nova-lite-v1:0", Some(60_000)),
            ("bedrock", "amazon.titan-embed-text-v2:0", Some(20_000)),
            ("vertex-ai", "anthropic.claude-haiku-4-5@20251001", Some(1_000_000)),
            ("vertex-ai", "gemini-2.5-flash", Some(300_000)),
            ("azure-openai", "gpt-4o-mini-2024-07-18", Some(150_000)),
            ("openai", "my-model", None),
            ("groq", "gpt-4o", None),
        ] {
            assert_eq!(catalogue().cost(provider, model, &usage), expected, "{model}");
        }
    }

    #[test]
    fn decimal_numbers_are_exact() {
        for (text, micro) in [
            ("0", Some(0)),
            ("2.5", Some(2_500_000)),
            ("0.0375", Some(37_500)),
            ("0.000001", Some(1)),
            ("0.0000001", None),
            ("", None),
            (".5", None),
            ("-1", None),
            ("1e3", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(super::micro(text), micro, "{text}");
            if let Some(micro) = micro {
                assert_eq!(decimal(micro), text);
            }
        }
    }
}
