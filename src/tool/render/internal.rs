//! Listeners inside Envoy, which no socket reaches: the demo provider, and the way to hosts that
//! are resolved on their first use.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{extension, listener};
use crate::provider::{BaseUrl, PROVIDERS, Scheme};

/// Cluster and listener through which hosts are resolved on use.
pub(super) const RESOLVE_ON_USE: &str = "resolve_on_use";

/// What the demo provider takes at most; the listener of the clients has the real limit.
const MAX_DEMO_BODY: u32 = 1 << 30;

/// The demo provider: fixed answers.
pub(super) fn demo() -> Value {
    let chat = json!({ "path": "/v1/chat/completions" });
    let stream = json!({
        "path": "/v1/chat/completions",
        "headers": [{
            "name": "accept",
            "string_match": { "contains": "text/event-stream" },
        }],
    });
    let routes = json!([
        answer(stream, 200, "text/event-stream", include_str!("demo.sse")),
        answer(chat, 200, "application/json", include_str!("demo.json")),
        answer(json!({ "prefix": "/" }), 404, "application/json", include_str!("demo_404.json")),
    ]);
    // Without it a long request would still be on its way when it is answered.
    let buffer = extension(
        "envoy.filters.http.buffer",
        "envoy.extensions.filters.http.buffer.v3.Buffer",
        json!({ "max_request_bytes": MAX_DEMO_BODY }),
    );
    internal_listener(
        "demo",
        json!([{
            "name": "demo",
            "domains": ["*"],
            "routes": routes,
        }]),
        vec![buffer],
    )
}

fn answer(matcher: Value, status: u16, content_type: &str, body: &str) -> Value {
    json!({
        "match": matcher,
        "direct_response": { "status": status, "body": { "inline_string": body } },
        "response_headers_to_add": [{
            "header": { "key": "content-type", "value": content_type },
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }],
    })
}

/// The way to the hosts of the table of providers that gateway.yaml does not name. A failure to
/// resolve comes back as a 503 of this listener, which can be retried.
pub(super) fn resolve_on_use() -> Value {
    let hosts: BTreeSet<String> = PROVIDERS
        .iter()
        .filter_map(|row| BaseUrl::parse(row.base_url).ok())
        .filter(|url| url.scheme == Scheme::Https)
        .map(|url| url.authority())
        .collect();
    internal_listener(
        RESOLVE_ON_USE,
        json!([{
            "name": RESOLVE_ON_USE,
            "domains": hosts,
            "routes": [{
                "match": { "prefix": "/" },
                // The listener of the clients rules how long a stream may take.
                "route": { "cluster": RESOLVE_ON_USE, "timeout": "0s" },
            }],
        }]),
        Vec::new(),
    )
}

fn internal_listener(name: &str, virtual_hosts: Value, mut filters: Vec<Value>) -> Value {
    filters.push(listener::router());
    let manager = json!({
        "stat_prefix": name,
        "codec_type": "HTTP1",
        "server_header_transformation": "PASS_THROUGH",
        "scheme_header_transformation": { "match_upstream": true },
        "generate_request_id": false,
        "skip_xff_append": true,
        "max_request_headers_kb": 256,
        "stream_idle_timeout": "0s",
        "route_config": {
            "name": name,
            // Clusters come after the listeners.
            "validate_clusters": false,
            "request_headers_to_remove": ["x-forwarded-proto"],
            "virtual_hosts": virtual_hosts,
        },
        "http_filters": filters,
    });
    json!({
        "name": name,
        "internal_listener": {},
        "filter_chains": [{ "filters": [listener::connection_manager(manager)] }],
    })
}
