//! Traces: a span for each request and one for each of its attempts, as OpenTelemetry has them.
//!
//! Envoy's own tracer picks the ids of its spans before any filter runs, so that no client could
//! name the span which another request is to be a child of, and no filter could tell it the tokens
//! of an answer. So the gateway role makes the spans itself, when all is over, and the root context
//! sends them, many at a time.

pub mod context;
pub mod export;
pub mod names;
pub mod protobuf;
pub mod queue;
pub mod span;

pub use context::{Context, Parent};
