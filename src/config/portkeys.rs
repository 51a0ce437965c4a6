//! Portkey's words for what is wrong with a config: its list of providers and the order that its
//! schema finds problems in.

use std::cmp::Ordering;

/// How our own words for such a provider begin; they say what may be meant.
pub const INVALID_PROVIDER: &str = "Invalid 'provider' value";

/// What the schema says to a provider that it does not know.
pub const UNKNOWN_PROVIDER: &str = "Invalid 'provider' value. Must be one of: \
     anthropic, anyscale, azure-openai, cohere, google, vertex-ai, mistral-ai, openai, palm, \
     perplexity-ai, reka-ai, together-ai, deepinfra, ncompass, stability-ai, nomic, ollama, \
     ai21, bedrock, groq, segmind, jina, fireworks-ai, workers-ai, moonshot, openrouter, lingyi, \
     zhipu, novita-ai, monsterapi, deepseek, predibase, triton, voyage, azure-ai, github, \
     deepbricks, siliconflow, huggingface, cerebras, inference-net, sambanova, lemonfox-ai, \
     upstage, lambda, dashscope, x-ai, cortex, sagemaker, nebius, recraft-ai, milvus, replicate, \
     portkey, lepton, kluster-ai, nscale, hyperbolic, bytez, featherless-ai, krutrim, qdrant, \
     302ai, cometapi, matterai, meshy, tripo3d, nextbit, modal, z-ai, oracle, iointelligence, \
     aibadgr, ovhcloud";

/// The keys of a config, in the order of the schema; it looks at all others last.
const KEYS: [&str; 17] = [
    "mode",
    "attempts",
    "strategy",
    "provider",
    "api_key",
    "aws_secret_access_key",
    "aws_access_key_id",
    "aws_session_token",
    "aws_region",
    "cache",
    "retry",
    "weight",
    "on_status_codes",
    "targets",
    "request_timeout",
    "custom_host",
    "forward_headers",
];

/// The order of two paths such as `targets,0,weight`.
pub fn order(one: &str, other: &str) -> Ordering {
    // What is wrong with a whole comes after what is wrong within it.
    let places = |path| str::split(path, ',').map(place).chain([usize::MAX]);
    places(one).cmp(places(other))
}

fn place(part: &str) -> usize {
    let key = KEYS.iter().position(|key| *key == part);
    key.or_else(|| part.parse().ok()).unwrap_or(usize::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_come_in_the_order_of_the_schema() {
        let mut paths =
            ["targets,10,weight", "targets,9,weight", "retry,attempts", "strategy,mode"];
        paths.sort_by(|one, other| order(one, other));
        let sorted = ["strategy,mode", "retry,attempts", "targets,9,weight", "targets,10,weight"];
        assert_eq!(paths, sorted);
        assert_eq!(order("strategy,conditions,0", "strategy"), Ordering::Less);
        assert_eq!(order("", "targets"), Ordering::Greater);
    }

    #[test]
    fn all_of_portkeys_providers_are_known_here() {
        let (_, list) = UNKNOWN_PROVIDER.split_once(": ").unwrap();
        for slug in list.split(", ") {
            let known = crate::provider::find(slug).is_some();
            assert!(known || crate::provider::reason(slug).is_some(), "{slug}");
        }
        assert_eq!(list.split(", ").count(), 74);
    }
}
