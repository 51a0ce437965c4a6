//! The cache of answers, without I/O.
//!
//! [`identity`] makes the key of a request, [`lookup`] finds an answer, [`recording`] copies one on
//! its way to the client. [`slots`] is the store inside the process, [`redis`] the one outside;
//! [`semantic`] finds requests that mean the same, and [`form`] knows what answers look like.

pub mod canonical;
pub mod entry;
pub mod flights;
pub mod form;
pub mod identity;
pub mod job;
pub mod key;
pub mod lookup;
pub mod recording;
pub mod redis;
pub mod semantic;
pub mod shared;
pub mod slots;
