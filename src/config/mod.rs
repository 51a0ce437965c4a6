//! What operators and callers write: the plugin configuration, the request's headers, the config object.

pub mod caching;
pub mod caller;
pub mod custom_host;
pub mod inherit;
pub mod portkeys;
pub mod query;
pub mod reader;
pub mod registry;
pub mod request;
pub mod settings;
pub mod tree;
pub mod weighted;
