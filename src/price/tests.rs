use super::*;

fn usage(prompt: u64, completion: u64) -> Usage {
    Usage { prompt_tokens: prompt, completion_tokens: completion, ..Usage::default() }
}

fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::default();
    let price = Price {
        input: 3_000_000,
        output: 15_000_000,
        cached_input: Some(300_000),
        cache_write: Some(3_750_000),
        cache_write_1h: Some(6_000_000),
        ..Price::default()
    };
    let long = Price { above: 200_000, input: 6_000_000, output: 22_500_000, ..Price::default() };
    catalogue.insert("anthropic", "claude-sonnet-4-5", vec![long, price]);
    let price = Price {
        input: 2_500_000,
        output: 10_000_000,
        reasoning: Some(11_000_000),
        audio_input: Some(40_000_000),
        audio_output: Some(80_000_000),
        ..Price::default()
    };
    catalogue.insert("openai", "gpt-4o-audio", vec![price]);
    catalogue.insert("vllm", ANY, vec![Price::default()]);
    catalogue
}

#[test]
fn a_part_with_a_price_of_its_own_is_not_paid_twice() {
    let catalogue = catalogue();
    for (provider, model, usage, expected) in [
        ("anthropic", "claude-sonnet-4-5", usage(1_000, 100), 3_000 + 1_500),
        (
            "anthropic",
            "claude-sonnet-4-5-20250929",
            // 1000 of the prompt are new, 5000 read, 700 written for 5 minutes, 300 for an hour.
            Usage {
                cached_tokens: 5_000,
                cache_creation_tokens: 1_000,
                cache_creation_1h_tokens: 300,
                ..usage(7_000, 10)
            },
            3_000 + 1_500 + 2_625 + 1_800 + 150,
        ),
        // Above the threshold everything has the other price; what it does not name costs as input.
        ("anthropic", "claude-sonnet-4-5", usage(200_000, 0), 600_000),
        (
            "anthropic",
            "claude-sonnet-4-5",
            Usage { cached_tokens: 1_000, ..usage(200_001, 0) },
            1_200_006,
        ),
        (
            "openai",
            "gpt-4o-audio",
            Usage {
                reasoning_tokens: 10,
                audio_input_tokens: 100,
                audio_output_tokens: 50,
                ..usage(120, 80)
            },
            // 20 text in, 100 audio in, 20 text out, 10 reasoning, 50 audio out.
            50 + 4_000 + 200 + 110 + 4_000,
        ),
        ("vllm", "whatever", usage(1_000_000, 1_000_000), 0),
    ] {
        assert_eq!(catalogue.cost(provider, model, &usage), Some(expected), "{model} {usage:?}");
    }
}

#[test]
fn what_is_unknown_has_no_cost() {
    let catalogue = catalogue();
    for (provider, model) in
        [("openai", "gpt-9"), ("groq", "claude-sonnet-4-5"), ("", ""), ("anthropic", "*x")]
    {
        assert_eq!(catalogue.cost(provider, model, &usage(1, 1)), None);
        assert_eq!(catalogue.name(provider, model), None);
    }
    assert_eq!(catalogue.name("vllm", "whatever"), None);
    let name = catalogue.name("anthropic", "claude-sonnet-4-5-20250929");
    assert_eq!(name, Some("claude-sonnet-4-5"));
}

#[test]
fn the_sum_is_rounded_once_to_the_nearest() {
    let mut catalogue = Catalogue::default();
    let price = Price { input: 150_000, output: 600_000, ..Price::default() };
    catalogue.insert("p", "m", vec![price]);
    // 0.15 and 0.6 micro-USD a token.
    for (prompt, completion, expected) in
        [(0, 0, 0), (1, 0, 0), (3, 0, 0), (4, 0, 1), (1, 1, 1), (10, 0, 2), (0, 1, 1)]
    {
        let cost = catalogue.cost("p", "m", &usage(prompt, completion));
        assert_eq!(cost, Some(expected), "{prompt} {completion}");
    }
}

#[test]
fn absurd_counts_neither_wrap_nor_panic() {
    let all = Usage {
        prompt_tokens: 1,
        completion_tokens: u64::MAX,
        cached_tokens: u64::MAX,
        cache_creation_tokens: u64::MAX,
        cache_creation_1h_tokens: u64::MAX,
        reasoning_tokens: u64::MAX,
        audio_input_tokens: u64::MAX,
        audio_output_tokens: u64::MAX,
    };
    let price = Price { input: u64::MAX, output: u64::MAX, ..Price::default() };
    let mut catalogue = Catalogue::default();
    catalogue.insert("p", "m", vec![price]);
    assert_eq!(catalogue.cost("p", "m", &all), Some(u64::MAX));
}

#[test]
fn it_is_the_same_after_a_trip_through_json() {
    let catalogue = catalogue();
    let json = serde_json::to_string(&catalogue).unwrap();
    assert_eq!(serde_json::from_str::<Catalogue>(&json).unwrap(), catalogue);
    assert!(json.contains(r#""vllm":{"*":[{"input":0}]}"#), "{json}");
}
