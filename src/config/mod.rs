//! What operators and callers write: the plugin configuration, the request's headers, the config object.

pub mod object;
pub mod registry;
pub mod request;
pub mod settings;
