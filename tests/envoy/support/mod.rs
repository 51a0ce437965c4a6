//! What the tests in a real Envoy share.

#![allow(dead_code)] // Not every test binary uses all of it.

pub mod client;
pub mod gateway;
pub mod name_server;
pub mod otlp;
pub mod outputs;
pub mod upstream;
