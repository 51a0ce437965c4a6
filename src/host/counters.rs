//! Counters of the cache, in Envoy's statistics.

use super::abi::{self, HostResult};
use crate::gateway::cache::{Effect, Status};
use std::cell::RefCell;
use std::collections::HashMap;

thread_local! {
    /// Counters by name; there are as many as [`count`] knows.
    static COUNTERS: RefCell<HashMap<&'static str, u32>> = RefCell::default();
}

/// Counts what the cache did for a request.
pub fn count(effect: Effect) {
    let name = match effect.status {
        Status::Disabled => return,
        Status::Hit => "portkey.cache.hit",
        Status::Miss => "portkey.cache.miss",
        Status::SemanticHit => "portkey.cache.semantic_hit",
        Status::SemanticMiss => "portkey.cache.semantic_miss",
        Status::Refresh => "portkey.cache.refresh",
    };
    let mut counted = add(name, 1);
    if let Some(tokens) = effect.tokens {
        counted = counted.and(add("portkey.cache.saved_tokens", tokens));
    }
    if let Some(ms) = effect.ms {
        counted = counted.and(add("portkey.cache.saved_ms", ms));
    }
    if let Err(error) = counted {
        log::error!("nothing was counted: {error}");
    }
}

fn add(name: &'static str, by: u64) -> HostResult<()> {
    let known = COUNTERS.with_borrow(|counters| counters.get(name).copied());
    let counter = match known {
        Some(counter) => counter,
        None => {
            let counter = abi::define_counter(name)?;
            COUNTERS.with_borrow_mut(|counters| counters.insert(name, counter));
            counter
        }
    };
    abi::increment_counter(counter, by)
}
