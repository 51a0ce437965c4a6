//! What operators and callers write: the plugin configuration, the request's headers, the config object.

pub mod settings;
