//! Where models are asked. What they are told is in the fixtures.

use super::super::testing::with_members;
use super::*;
use crate::provider::Values;

fn settings() -> Values {
    let mut settings = Values::default();
    settings.set("vertex_project_id", "proj-1".to_owned());
    settings.set("vertex_region", "us-central1".to_owned());
    settings
}

fn ask(endpoint: Endpoint, stream: bool, settings: &Values) -> Ask<'_> {
    let provider = provider::find("vertex-ai").unwrap();
    Ask { endpoint, path: "", stream, strict: true, settings, provider }
}

fn path(endpoint: Endpoint, stream: bool, model: &str) -> Result<String, Error> {
    let model = serde_json::Value::from(model);
    let body = format!(
        "{{\"model\":{model},\"input\":\"x\",\"prompt\":\"x\",\
         \"messages\":[{{\"role\":\"user\",\"content\":\"x\"}}]}}"
    );
    request(&ask(endpoint, stream, &settings()), body.as_bytes())
        .map(|outgoing| outgoing.path.into_owned())
}

#[test]
fn the_model_decides_where_it_is_asked() {
    use Endpoint::{ChatCompletions, CountTokens, Embeddings, ImageGenerations};
    let place = "/projects/proj-1/locations/us-central1/";
    for (endpoint, model, version, below) in [
        (
            ChatCompletions,
            "gemini-2.5-pro",
            "v1",
            "publishers/google/models/gemini-2.5-pro:generateContent",
        ),
        (
            ChatCompletions,
            "google.gemini-2.0-flash",
            "v1",
            "publishers/google/models/gemini-2.0-flash:generateContent",
        ),
        (
            ChatCompletions,
            "google/gemini-2.0-flash",
            "v1",
            "publishers/google/models/gemini-2.0-flash:generateContent",
        ),
        (
            ChatCompletions,
            "anthropic.claude-3-haiku@20240307",
            "v1",
            "publishers/anthropic/models/claude-3-haiku@20240307:rawPredict",
        ),
        (
            ChatCompletions,
            "claude-sonnet-4-5@20250929",
            "v1",
            "publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict",
        ),
        (
            CountTokens,
            "anthropic.claude-3-haiku@20240307",
            "v1",
            "publishers/anthropic/models/count-tokens:rawPredict",
        ),
        (
            ChatCompletions,
            "mistralai.mistral-large-2411",
            "v1",
            "publishers/mistralai/models/mistral-large-2411:rawPredict",
        ),
        (
            ChatCompletions,
            "meta.llama-3.3-70b-instruct-maas",
            "v1beta1",
            "endpoints/openapi/chat/completions",
        ),
        (
            ChatCompletions,
            "qwen/qwen3-coder-480b-maas",
            "v1beta1",
            "endpoints/openapi/chat/completions",
        ),
        (ChatCompletions, "endpoints.1234567890", "v1", "endpoints/1234567890/chat/completions"),
        (
            Embeddings,
            "text-embedding-005",
            "v1",
            "publishers/google/models/text-embedding-005:predict",
        ),
        (
            Embeddings,
            "gemini-embedding-001",
            "v1",
            "publishers/google/models/gemini-embedding-001:predict",
        ),
        (
            Embeddings,
            "gemini-embedding-2-preview",
            "v1",
            "publishers/google/models/gemini-embedding-2-preview:embedContent",
        ),
        (
            ImageGenerations,
            "imagen-4.0-generate-001",
            "v1",
            "publishers/google/models/imagen-4.0-generate-001:predict",
        ),
    ] {
        let expected = ["/", version, place, below].concat();
        assert_eq!(path(endpoint, false, model).unwrap(), expected, "{model}");
    }
    for (model, end) in [
        ("gemini-2.5-pro", "google/models/gemini-2.5-pro:streamGenerateContent?alt=sse"),
        ("claude-x", "anthropic/models/claude-x:streamRawPredict"),
        ("mistralai.m", "mistralai/models/m:streamRawPredict"),
        ("meta.m", "endpoints/openapi/chat/completions"),
    ] {
        assert!(path(ChatCompletions, true, model).unwrap().ends_with(end), "{model}");
    }
}

#[test]
fn a_model_cannot_alter_the_path() {
    for (model, end) in [
        ("google.../../x?a#b", "google/models/..%2F..%2Fx%3Fa%23b:generateContent"),
        ("endpoints.1/../../2", "endpoints/1%2F..%2F..%2F2/chat/completions"),
        ("anthropic.a:b\r\n", "anthropic/models/a%3Ab%0D%0A:rawPredict"),
        ("evil/../../../x", "endpoints/openapi/chat/completions"),
    ] {
        let path = path(Endpoint::ChatCompletions, false, model).unwrap();
        assert!(path.ends_with(end), "{path}");
    }
}

#[test]
fn what_is_told_elsewhere_is_not_dropped() {
    for model in ["gemini-2.5-pro", "claude-x"] {
        let members = "\"stream\":true,\"store\":true,\"anthropic_version\":\"vertex-1\"";
        let body = with_members(members).replacen("\"m\"", &format!("\"{model}\""), 1);
        let settings = settings();
        let ask = ask(Endpoint::ChatCompletions, true, &settings);
        let dropped = request(&ask, body.as_bytes()).unwrap().dropped.list().unwrap();
        assert!(dropped.contains("store") && !dropped.contains("stream"), "{model}: {dropped}");
    }
}

#[test]
fn what_a_model_does_not_have_is_refused() {
    for (endpoint, model) in [
        (Endpoint::Embeddings, "anthropic.claude-x"),
        (Endpoint::ImageGenerations, "meta.llama"),
        (Endpoint::CountTokens, "mistralai.m"),
    ] {
        let error = path(endpoint, false, model).unwrap_err();
        assert_eq!((error.status, error.code), (400, "unsupported_endpoint"), "{model}");
    }
}

#[test]
fn model_project_and_region_must_be_there() {
    let with = |settings: &Values, body: &str| {
        let ask = ask(Endpoint::ChatCompletions, false, settings);
        request(&ask, body.as_bytes()).unwrap_err()
    };
    let body = with_members("\"n\":1");
    for (name, other) in
        [("vertex_project_id", "vertex_region"), ("vertex_region", "vertex_project_id")]
    {
        let mut settings = Values::default();
        settings.set(other, "a".to_owned());
        let error = with(&settings, &body);
        assert_eq!((error.code, error.param.as_deref()), ("missing_setting", Some(name)));
    }
    for model in ["null", "3", "\"\"", &format!("\"{}\"", "a".repeat(300))] {
        let error = with(&settings(), &body.replacen("\"m\"", model, 1));
        assert_eq!((error.status, error.param.as_deref()), (400, Some("model")), "{model}");
    }
}

#[test]
fn the_answer_is_in_the_models_format() {
    for (model, speaks) in [
        ("gemini-2.5-pro", Dialect::Gemini),
        ("claude-x", Dialect::Anthropic),
        ("mistralai.m", Dialect::OpenAi),
        ("meta.m", Dialect::OpenAi),
        ("endpoints.1", Dialect::OpenAi),
    ] {
        let settings = settings();
        let ask = ask(Endpoint::ChatCompletions, false, &settings);
        let body = with_members("\"n\":1").replacen("\"m\"", &format!("\"{model}\""), 1);
        let outgoing = request(&ask, body.as_bytes()).unwrap();
        assert_eq!(outgoing.speaks, Some(speaks), "{model}");
    }
}
