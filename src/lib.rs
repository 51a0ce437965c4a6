//! Portkey's AI gateway as a proxy-wasm filter for a stock Envoy.
//!
//! One module plays two roles: the *gateway* role decides once per client request, the
//! *provider* role translates once per attempt. Everything but `host` is free of I/O.
//! `ARCHITECTURE.md` tells where a change goes.

#[macro_use]
mod members;

pub mod adapter;
pub mod attempt;
mod base64;
pub mod cache;
pub mod call;
pub mod caller;
pub mod config;
pub mod contract;
pub mod date;
pub mod decide;
pub mod dialect;
pub mod endpoint;
pub mod error;
pub mod gateway;
#[cfg(target_family = "wasm")]
mod host;
pub mod http;
pub mod json;
pub mod metric;
pub mod plan;
pub mod price;
pub mod provider;
pub mod record;
pub mod report;
pub mod requirements;
pub mod service_account;
pub mod sigv4;
pub mod stream;
#[cfg(not(target_family = "wasm"))]
pub mod tool;
pub mod trace;
