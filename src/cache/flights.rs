//! Requests that are under way on this worker, so that equal ones can wait for the first.

use super::key::Key;
use std::cell::RefCell;
use std::collections::HashMap;

/// Requests that are remembered, at most.
const MAX: usize = 10_000;

/// Keys of requests under way, with the time after which nobody waits for them any more.
#[derive(Debug, Default)]
pub struct Flights(RefCell<HashMap<Key, u64>>);

impl Flights {
    /// Notes a request until that time in milliseconds; `false` when an equal one is under way.
    pub fn begin(&self, key: &Key, until: u64, now: u64) -> bool {
        let mut flights = self.0.borrow_mut();
        if flights.get(key).is_some_and(|until| *until > now) {
            return false;
        }
        if flights.len() < MAX {
            flights.insert(*key, until);
        }
        true
    }

    /// Whether a request is under way.
    pub fn has(&self, key: &Key, now: u64) -> bool {
        self.0.borrow().get(key).is_some_and(|until| *until > now)
    }

    /// The request is over.
    pub fn end(&self, key: &Key) {
        self.0.borrow_mut().remove(key);
    }
}
