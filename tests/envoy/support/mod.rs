//! What the tests in a real Envoy share.

pub mod client;
pub mod gateway;
pub mod name_server;
pub mod upstream;
