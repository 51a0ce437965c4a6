//! What is answered without a provider: health, the banner, the list of what is configured.

use super::{Gateway, Reply, World};
use crate::caller::scope::Place;
use crate::config::request::PREFIX;
use crate::error::{Error, NO_ROUTE};
use crate::http::Headers;
use serde::Serialize;

/// The answer to a request that anybody may make.
pub fn answer(method: &str, path: &str) -> Option<Reply> {
    let (media, body) = match (method, path) {
        ("GET" | "HEAD", "/health" | "/v1/health") => {
            ("application/json", b"{\"status\":\"ok\"}".to_vec())
        }
        ("GET" | "HEAD", "/") => ("text/plain", b"AI Gateway says hey!".to_vec()),
        _ => return None,
    };
    Some(reply(media, body))
}

fn reply(media: &str, body: Vec<u8>) -> Reply {
    let mut headers = Headers::default();
    headers.set("content-type", media);
    let details = "portkey:local".to_owned();
    Reply { status: 200, headers, body, details }
}

fn names_target(headers: &Headers) -> bool {
    ["provider", "virtual-key", "config"]
        .iter()
        .any(|name| headers.get(&format!("{PREFIX}{name}")).is_some_and(|value| !value.is_empty()))
}

/// The 404 for every path that is not the API's.
pub fn not_found() -> Error {
    Error::client(404, NO_ROUTE, "Not Found").with_hint("the API is below /v1/")
}

impl Gateway {
    /// OpenAI's list of models: one entry for each virtual key and provider that gateway.yaml names
    /// and the caller may use now; `None` for other requests. With a provider, this is that
    /// provider's own list.
    pub(super) fn models(
        &self,
        world: &dyn World,
        method: &str,
        path: &str,
        headers: &Headers,
    ) -> Option<Reply> {
        if (method, path) != ("GET", "/v1/models") || names_target(headers) {
            return None;
        }
        let (caller, policy) = (self.record.caller.as_deref(), self.asking.policy());
        let now = world.now() / 1_000_000_000;
        let may_be_used = |slug: &str| {
            let key = self.registry.virtual_key(slug);
            key.is_some_and(|key| key.admit(slug, caller, now).is_ok())
        };
        let listed = self.registry.listed().filter(|place| {
            place.virtual_key.is_none_or(may_be_used) && policy.is_none_or(|one| one.allows(*place))
        });
        Some(list(listed))
    }
}

fn list<'a>(places: impl Iterator<Item = Place<'a>>) -> Reply {
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
    let model = |place: Place<'a>| {
        let id = place.virtual_key.unwrap_or(place.provider);
        Model { id, object: "model", created: 0, owned_by: place.provider }
    };
    let data = places.map(model).collect();
    // Plain strings and numbers always serialise.
    let body = serde_json::to_vec(&List { object: "list", data }).unwrap_or_default();
    reply("application/json", body)
}
