//! OpenTelemetry's names for what generative AI does: <https://opentelemetry.io/docs/specs/semconv/gen-ai/>.

use crate::endpoint::Endpoint;

/// `gen_ai.operation.name`: a well-known one, or that of the log.
pub fn operation(endpoint: &str) -> &str {
    let is = |one: Endpoint| one.as_str() == endpoint;
    match endpoint {
        _ if is(Endpoint::ChatCompletions) => "chat",
        _ if is(Endpoint::Messages) || is(Endpoint::Responses) => "chat",
        _ if is(Endpoint::Completions) => "text_completion",
        other => other,
    }
}

/// `gen_ai.provider.name`: a well-known one, or the slug.
pub fn provider(slug: &str) -> &str {
    match slug {
        "azure-openai" => "azure.ai.openai",
        "azure-ai" => "azure.ai.inference",
        "bedrock" => "aws.bedrock",
        "google" => "gcp.gemini",
        "vertex-ai" => "gcp.vertex_ai",
        "mistral-ai" => "mistral_ai",
        "moonshot" => "moonshot_ai",
        "perplexity-ai" => "perplexity",
        "x-ai" => "x_ai",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::find;

    #[test]
    fn slugs_with_another_name_are_of_the_table() {
        for slug in ["azure-openai", "azure-ai", "bedrock", "google", "vertex-ai", "mistral-ai"]
            .into_iter()
            .chain(["moonshot", "perplexity-ai", "x-ai"])
        {
            assert!(find(slug).is_some() && provider(slug) != slug, "{slug}");
        }
        assert_eq!((provider("openai"), operation("embeddings")), ("openai", "embeddings"));
        assert_eq!((operation("responses"), operation("completions")), ("chat", "text_completion"));
    }
}
