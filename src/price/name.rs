//! The names that one model goes by.

/// Prefixes of Bedrock's inference profiles. A catalogue that has another price for one of them
/// has the name with the prefix, too.
const REGIONS: [&str; 10] =
    ["global.", "us.", "eu.", "apac.", "jp.", "au.", "ca.", "in.", "us-gov.", "sa."];

/// The names of a model under which a catalogue may have it, the most exact one first: without the
/// address of a resource, without its date or version, without the region that it runs in, without
/// the vendor (Vertex AI).
pub(super) fn candidates(model: &str) -> impl Iterator<Item = &str> {
    let name = resource(model);
    let versions = [name, without_date(without_version(name))];
    let anywhere = versions.map(|name| {
        let region = REGIONS.iter().find_map(|region| name.strip_prefix(region));
        region.unwrap_or(name)
    });
    let bare = anywhere.map(|name| name.strip_prefix("anthropic.").unwrap_or(name));
    [model].into_iter().chain(versions).chain(anywhere).chain(bare)
}

/// What is named by `arn:aws:bedrock:...:inference-profile/<model>`, `models/<model>` (Gemini) or
/// `ft:<base>:<organisation>:<name>:<id>` (OpenAI).
fn resource(model: &str) -> &str {
    if model.starts_with("arn:") {
        return model.rsplit('/').next().unwrap_or(model);
    }
    if model.starts_with("ft:") {
        let end = model.match_indices(':').nth(1).map(|(at, _)| at);
        return end.and_then(|end| model.get(..end)).unwrap_or(model);
    }
    model.strip_prefix("models/").unwrap_or(model)
}

/// Without Bedrock's `-v1:0`, `-v1` or `:0`.
fn without_version(name: &str) -> &str {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let name = match name.rsplit_once(':') {
        Some((rest, number)) if is_number(number) => rest,
        _ => name,
    };
    match name.rsplit_once("-v") {
        Some((rest, number)) if is_number(number) => rest,
        _ => name,
    }
}

/// Without `-2024-08-06` (OpenAI), `-20250929` (Anthropic), `@20250929` or `@default` (Vertex AI).
fn without_date(name: &str) -> &str {
    let date = |text: &str, pattern: &str| {
        let fits = |(b, p): (u8, u8)| if p == b'0' { b.is_ascii_digit() } else { b == p };
        text.len() == pattern.len() && text.bytes().zip(pattern.bytes()).all(fits)
    };
    for pattern in ["-0000-00-00", "-00000000", "@00000000"] {
        if let Some((rest, end)) =
            name.len().checked_sub(pattern.len()).and_then(|at| name.split_at_checked(at))
            && date(end, pattern)
        {
            return rest;
        }
    }
    name.strip_suffix("@default").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_found_by_its_shorter_names() {
        for (model, expected) in [
            ("gpt-4o", "gpt-4o"),
            ("gpt-4o-2024-08-06", "gpt-4o"),
            ("ft:gpt-4o-mini-2024-07-18:acme::A1", "ft:gpt-4o-mini"),
            ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
            ("anthropic.claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
            ("claude-opus-4-6@default", "claude-opus-4-6"),
            ("models/gemini-2.5-pro", "gemini-2.5-pro"),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us.anthropic.claude-sonnet-4-5"),
            ("us.amazon.nova-lite-v1:0", "amazon.nova-lite"),
            (
                "arn:aws:bedrock:us-east-1:1:inference-profile/us.meta.llama3-3-70b-instruct-v1:0",
                "meta.llama3-3-70b-instruct",
            ),
            ("embed-v4.0", "embed-v4.0"),
        ] {
            assert!(candidates(model).any(|name| name == expected), "{model}");
        }
    }

    #[test]
    fn any_text_is_taken() {
        for text in
            ["", ":", "-v", "ft:", "ft:a:", "arn:", "@", "é-2024-08-06", "-00000000", "é🦀:1"]
        {
            assert!(candidates(text).count() > 0);
        }
        assert!(!candidates("gpt-4o-20240806x").any(|name| name == "gpt-4o"));
    }
}
