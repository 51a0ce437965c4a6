//! Stream framings, over bytes: a frame may be cut anywhere.

pub mod sse;
