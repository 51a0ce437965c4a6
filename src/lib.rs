//! Portkey's AI gateway as a proxy-wasm filter for a stock Envoy.
//!
//! One module plays two roles: the *gateway* role decides once per client request, the
//! *provider* role translates once per attempt. Everything but `host` is free of I/O.
//! `ARCHITECTURE.md` tells where a change goes.

pub mod config;
pub mod dialect;
pub mod error;
pub mod http;
pub mod json;
pub mod provider;
pub mod stream;
