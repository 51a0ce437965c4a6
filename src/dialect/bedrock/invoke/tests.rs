use super::super::super::{Context, Dialect, Facts, Usage};
use super::*;
use crate::endpoint::Endpoint;

fn headers(pairs: &[(&str, &str)]) -> Headers {
    let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
    Headers::new(pairs.collect())
}

#[test]
fn counts_are_those_of_the_headers() {
    let input = ("x-amzn-bedrock-input-token-count", "9");
    let output = ("x-amzn-bedrock-output-token-count", "4");
    for (pairs, expected) in [
        (&[][..], None),
        (&[input], Some((9, 0))),
        (&[input, output], Some((9, 4))),
        (&[(input.0, "nine")], None),
    ] {
        let counted = Dialect::Bedrock.counts(&headers(pairs));
        let counted = counted.map(|usage| (usage.prompt_tokens, usage.completion_tokens));
        assert_eq!(counted, expected);
    }
}

#[test]
fn counts_of_headers_stand_for_those_that_the_body_lacks() {
    let counted = Some(Usage { prompt_tokens: 9, completion_tokens: 4, ..Usage::default() });
    for (endpoint, body, tokens) in [
        (Endpoint::Completions, r#"{"outputs":[{"text":"a","stop_reason":"stop"}]}"#, (9, 4)),
        (Endpoint::Completions, r#"{"generation":"a","prompt_token_count":2}"#, (2, 0)),
        (Endpoint::Embeddings, r#"{"embeddings":[[1]]}"#, (9, 0)),
        (Endpoint::Embeddings, r#"{"embedding":[1]}"#, (9, 0)),
        (Endpoint::Embeddings, r#"{"embedding":[1],"inputTextTokenCount":3}"#, (3, 0)),
    ] {
        let (provider, strict, created, model) = ("bedrock", true, 0, None);
        let roles = false;
        let context = Context { endpoint, provider, strict, roles, created, model, counted };
        let mut facts = Facts::default();
        Dialect::Bedrock.response(body.as_bytes(), &context, &mut facts).expect(body);
        let usage = facts.usage.expect(body);
        assert_eq!((usage.prompt_tokens, usage.completion_tokens), tokens, "{body}");
    }
}

#[test]
fn the_model_is_in_the_path() {
    for (made, path) in [
        (
            completion(br#"{"model":"amazon.titan-text-lite-v1","prompt":"a","stream":true}"#),
            "/model/amazon.titan-text-lite-v1/invoke-with-response-stream",
        ),
        (
            completion(br#"{"model":"mistral.m-v0:2","prompt":"a"}"#),
            "/model/mistral.m-v0%3A2/invoke",
        ),
        (embeddings::request(br#"{"model":"amazon.titan-embed-text-v2:0/../x","input":"a"}"#), ""),
        (
            images::request(br#"{"model":"stability.sd3-large-v1:0","prompt":"a"}"#),
            "/model/stability.sd3-large-v1%3A0/invoke",
        ),
        (
            tokens::request(br#"{"model":"us.anthropic.c-v1:0","messages":[]}"#),
            "/model/anthropic.c-v1%3A0/count-tokens",
        ),
        (
            tokens::request(
                br#"{"model":"arn:aws:bedrock:r:1:application-inference-profile/a","messages":[]}"#,
            ),
            "/model/arn%3Aaws%3Abedrock%3Ar%3A1%3Aapplication-inference-profile%2Fa/count-tokens",
        ),
    ] {
        match made {
            Ok(outgoing) => assert_eq!(outgoing.path, path),
            Err(error) => assert_eq!((error.code, path), ("unsupported_endpoint", "")),
        }
    }
}
