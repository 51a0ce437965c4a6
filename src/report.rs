//! What the provider role found out, for the next attempt and for the gateway role.

use crate::dialect::{Dropped, Facts};
use serde::{Deserialize, Serialize};

/// One request as seen from its attempts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The attempts so far, in order.
    pub attempts: Vec<Attempt>,
    /// The one that has begun and is not among them.
    pub begun: Option<Begun>,
    /// Where the next attempt goes, if one was asked for.
    pub next: Option<Position>,
    /// Milliseconds that Envoy was asked to wait between them.
    pub waited: u64,
    /// Unix time in milliseconds at which the first content of the last attempt's stream came.
    pub first_content: Option<u64>,
    /// What the last attempt's provider could not be told.
    pub dropped: Dropped,
    /// What is known of the last attempt's answer.
    pub facts: Facts,
}

impl Report {
    /// The bytes that go into filter state.
    pub fn encode(&self) -> Vec<u8> {
        // All lengths are known, so that it always serialises.
        postcard::to_allocvec(self).unwrap_or_default()
    }

    /// Reads [`Self::encode`]'s bytes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }
}

/// A place in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Index of the target.
    pub target: usize,
    /// Attempts at this target, this one included.
    pub tries: u32,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Where it went.
    pub at: Position,
    /// The provider's status, or the one that stands for its failure.
    pub status: u16,
    /// Milliseconds until that was known.
    pub ms: u64,
    /// When it began: Unix time in milliseconds.
    pub started: u64,
    /// Whether the status is the provider's own.
    pub answered: bool,
}

/// An attempt of which nothing is known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// Where it goes.
    pub at: Position,
    /// When it began: Unix time in milliseconds.
    pub started: u64,
}
