//! Listeners inside Envoy, which no socket reaches. Those of this file answer by themselves; those
//! of [`super::relay`] send requests on.

use serde_json::{Value, json};

use super::{Places, access_log, extension, listener, merge, plugin, relay, set};
use crate::config::settings::Role;
use crate::contract::{APPLICATION_PROTOCOLS, HTTP1};
use crate::tool::model::Gateway;

/// Listener of the demo provider, as the table of providers names it.
const DEMO: &str = "demo";
/// Listener of [`crate::contract::cluster::STOP`].
pub(super) const STOP: &str = "stop";

/// Listener of [`crate::contract::cluster::TIMER`].
pub(super) const TIMER: &str = "timer";

/// Listener of [`crate::contract::cluster::GATEWAY`].
pub(super) const GATEWAY: &str = "gateway";

/// Longer than any time that gateway.yaml or a caller may set.
const FOREVER: &str = "604800s";
/// What they take at most; the listener of the clients has the real limit.
pub(super) const MAX_BODY: u32 = 1 << 30;

/// Those that answer by themselves.
pub(super) fn listeners() -> Vec<Value> {
    vec![demo(), stop(), timer()]
}

/// The demo provider: fixed answers.
fn demo() -> Value {
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
    let hosts = json!([{ "name": DEMO, "domains": ["*"], "routes": routes }]);
    listener(DEMO, fixed_routes(DEMO, hosts), vec![buffer()])
}

fn answer(matcher: Value, status: u16, media_type: &str, body: &str) -> Value {
    json!({
        "match": matcher,
        "direct_response": { "status": status, "body": { "inline_string": body } },
        "response_headers_to_add": [set("content-type", media_type)],
    })
}

/// Where a request ends that must not be tried again.
fn stop() -> Value {
    let answer = json!([{
        "match": { "prefix": "/" },
        "direct_response": { "status": 503, "body": { "inline_string": "{}" } },
        "response_headers_to_add": [set("content-type", "application/json"), relay::mark("STOP")],
    }]);
    let hosts = json!([{ "name": STOP, "domains": ["*"], "routes": answer }]);
    listener(STOP, fixed_routes(STOP, hosts), vec![buffer()])
}

/// What never answers: the time-out of a call to it is a timer.
fn timer() -> Value {
    let hold = extension(
        "envoy.filters.http.fault",
        "envoy.extensions.filters.http.fault.v3.HTTPFault",
        json!({ "delay": { "fixed_delay": FOREVER, "percentage": { "numerator": 100 } } }),
    );
    let answer = json!([{ "match": { "prefix": "/" }, "direct_response": { "status": 503 } }]);
    let hosts = json!([{ "name": TIMER, "domains": ["*"], "routes": answer }]);
    listener(TIMER, fixed_routes(TIMER, hosts), vec![hold])
}

/// What clients get, for the module itself: embeddings through all that clients' requests go
/// through.
pub(super) fn gateway(gateway: &Gateway, places: &Places) -> Value {
    let options = merge(
        listener::routes(places),
        json!({ "access_log": access_log::loggers(&gateway.logs) }),
    );
    listener(GATEWAY, options, vec![plugin::filter(Role::Gateway, places)])
}

/// What the gateway role says of a WebSocket in filter state, which does not come this far.
fn http1_alone() -> Value {
    extension(
        "envoy.filters.http.set_filter_state",
        "envoy.extensions.filters.http.set_filter_state.v3.Config",
        json!({ "on_request_headers": [{
            "object_key": APPLICATION_PROTOCOLS,
            "format_string": { "text_format_source": { "inline_string": HTTP1 } },
        }] }),
    )
}

/// Without it a long request would still be on its way when it is answered.
fn buffer() -> Value {
    extension(
        "envoy.filters.http.buffer",
        "envoy.extensions.filters.http.buffer.v3.Buffer",
        json!({ "max_request_bytes": MAX_BODY }),
    )
}

fn fixed_routes(name: &str, virtual_hosts: Value) -> Value {
    json!({ "route_config": { "name": name, "virtual_hosts": virtual_hosts } })
}

/// A listener with that name and these `options` of its connection manager.
pub(super) fn listener(name: &str, options: Value, mut filters: Vec<Value>) -> Value {
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
        "http_filters": filters,
        "upgrade_configs": [{
            "upgrade_type": listener::WEBSOCKET,
            "filters": [http1_alone(), listener::router()],
        }],
    });
    json!({
        "name": name,
        "internal_listener": {},
        // Only clients are counted.
        "ignore_global_conn_limit": true,
        "filter_chains": [{
            "filters": [listener::connection_manager(merge(manager, options))],
        }],
    })
}
