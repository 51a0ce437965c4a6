//! The table of providers: one row each, sorted by slug.

use super::{Auth, Provider};
use crate::dialect::Dialect;

/// Every provider that the gateway knows.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        slug: "anthropic",
        base_url: "https://api.anthropic.com/v1",
        dialect: Dialect::Anthropic,
        auth: Auth::Header("x-api-key"),
        headers: &[("anthropic-beta", "messages-2023-12-15"), ("anthropic-version", "2023-06-01")],
        client_headers: &["anthropic-beta", "anthropic-version"],
    },
    Provider {
        slug: "demo",
        base_url: "envoy://demo/v1",
        dialect: Dialect::OpenAi,
        auth: Auth::None,
        headers: &[],
        client_headers: &[],
    },
    Provider {
        slug: "google",
        base_url: "https://generativelanguage.googleapis.com/v1beta",
        dialect: Dialect::Gemini,
        // Portkey puts the key into the URL, which is logged.
        auth: Auth::Header("x-goog-api-key"),
        headers: &[],
        client_headers: &[],
    },
    Provider {
        slug: "openai",
        base_url: "https://api.openai.com/v1",
        dialect: Dialect::OpenAi,
        auth: Auth::Bearer,
        headers: &[],
        client_headers: &["openai-beta", "openai-organization", "openai-project"],
    },
];
