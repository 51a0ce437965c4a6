//! Names that the module and the rendered Envoy configuration must agree on.

/// Properties that the roles write; in filter state each has the prefix `wasm.`. The log record is
/// another: [`crate::record::PROPERTY`].
pub mod property {
    /// The encoded [`crate::plan::Plan`], written by the gateway role.
    pub const PLAN: &str = "portkey.plan";
    /// Name of what the route sends the request to: a cluster, or a weighted config.
    pub const CLUSTER: &str = "portkey.cluster";
    /// What the provider role found out, attempt by attempt: [`crate::report::Report`] as JSON.
    pub const REPORT: &str = "portkey.report";
    /// What a request has used in tokens, as a decimal number: written by the gateway role when it
    /// is over, for a rate-limit service.
    pub const TOKENS: &str = "portkey.tokens";
}

/// Private headers. Clients and upstreams cannot set them: the listener drops them from requests,
/// the provider role from answers.
pub mod header {
    /// On an answer: Envoy's router tries again.
    pub const RETRY: &str = "x-portkey-retry";
    /// On an answer, beside [`RETRY`]: whole seconds to wait before.
    pub const RETRY_AFTER: &str = "x-portkey-retry-after";
    /// On a request to [`super::cluster::HOP`]: the cluster behind it.
    pub const CLUSTER: &str = "x-portkey-cluster";
    /// On a request to [`super::cluster::CUSTOM`]: `http` or `https`.
    pub const SCHEME: &str = "x-portkey-scheme";
    /// On an answer that an internal listener made itself: Envoy's response flags.
    pub const LOCAL: &str = "x-portkey-local";
    /// On a request behind [`super::cluster::HOP`]: that listener has added it. Unlike [`CLUSTER`]
    /// it never gets into the header map that the attempts of a client's request share.
    pub const RELAYED: &str = "x-portkey-relayed";
    /// On a request that the gateway role has let pass: who asks, for Envoy's rate limits. On one
    /// that the gateway makes itself: on whose behalf.
    pub const CALLER: &str = "x-portkey-caller";
    /// On a request, from where the provider role runs: the key of a service account.
    pub const SERVICE_ACCOUNT: &str = "x-portkey-service-account";
}

/// Names of what Envoy's filter for tokens notes in its metadata.
pub mod metadata {
    /// The claims of a token that is good.
    pub const PAYLOAD: &str = "payload";
    /// Why another is not.
    pub const FAULT: &str = "fault";
}

/// Request headers that hold credentials: an attempt must not send those of another target, nor the
/// client's own.
pub const CREDENTIAL_HEADERS: [&str; 6] =
    ["authorization", "x-api-key", "api-key", "x-goog-api-key", "proxy-authorization", "cookie"];

/// Filter state of Envoy's: the protocols that TLS to the provider offers.
pub const APPLICATION_PROTOCOLS: &str = "envoy.network.application_protocols";
/// The only one of them for a WebSocket.
pub const HTTP1: &str = "http/1.1";

/// Clusters that are no provider's.
pub mod cluster {
    /// An internal listener that relays to the cluster named by a header, with a limit of its own
    /// until the response headers: Envoy knows one such limit a request, not one a target.
    pub const HOP: &str = "portkey.hop";
    /// An internal listener that answers 503: where a request goes that must not be tried again.
    pub const STOP: &str = "portkey.stop";
    /// An internal listener that never answers: a call's time-out is the only timer of a stream.
    pub const TIMER: &str = "portkey.timer";
    /// An internal listener that does what the clients' does: the gateway's way to itself.
    pub const GATEWAY: &str = "portkey.gateway";
    /// An internal listener that resolves the host of the request, if gateway.yaml allows it.
    pub const CUSTOM: &str = "portkey.custom";
    /// Where Google exchanges a service account's assertion for an access token.
    pub const GOOGLE_TOKEN: &str = "portkey.google_token";
}

/// Value of [`property::CLUSTER`] for a saved config that Envoy itself splits by weight.
pub fn weighted_config(slug: &str) -> String {
    format!("config.{slug}")
}
