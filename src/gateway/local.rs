//! What is answered without a provider: health, the banner, the list of what is configured.

use super::Reply;
use crate::config::registry::Registry;
use crate::config::request::PREFIX;
use crate::error::Error;
use crate::http::Headers;
use serde::Serialize;

/// The answer to a request that names no provider and needs none.
pub fn answer(method: &str, path: &str, headers: &Headers, registry: &Registry) -> Option<Reply> {
    let (media, body) = match (method, path) {
        ("GET" | "HEAD", "/health" | "/v1/health") => {
            ("application/json", b"{\"status\":\"ok\"}".to_vec())
        }
        ("GET" | "HEAD", "/") => ("text/plain", b"AI Gateway says hey!".to_vec()),
        // With a provider, this is that provider's own list.
        ("GET", "/v1/models") if !names_target(headers) => ("application/json", models(registry)),
        _ => return None,
    };
    let mut headers = Headers::default();
    headers.set("content-type", media);
    let details = "portkey:local".to_owned();
    Some(Reply { status: 200, headers, body, details })
}

fn names_target(headers: &Headers) -> bool {
    ["provider", "virtual-key", "config"]
        .iter()
        .any(|name| headers.get(&format!("{PREFIX}{name}")).is_some_and(|value| !value.is_empty()))
}

/// The 404 for every path that is not the API's.
pub fn not_found() -> Error {
    Error::client(404, "not_found", "Not Found").with_hint("the API is below /v1/")
}

/// OpenAI's list of models: one entry for each virtual key and provider that gateway.yaml names.
fn models(registry: &Registry) -> Vec<u8> {
    #[derive(Serialize)]
    struct List<'a> {
        object: &'static str,
        data: Vec<Model<'a>>,
    }
    #[derive(Serialize)]
    struct Model<'a> {
        id: &'a str,
        object: &'static str,
        created: u64,
        owned_by: &'a str,
    }
    let listed = registry.listed();
    let data =
        listed.map(|(id, owned_by)| Model { id, object: "model", created: 0, owned_by }).collect();
    // Plain strings and numbers always serialise.
    serde_json::to_vec(&List { object: "list", data }).unwrap_or_default()
}
