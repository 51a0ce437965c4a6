//! Counters in Envoy's statistics.

use super::abi::{self, HostResult};
use std::cell::RefCell;
use std::collections::HashMap;

thread_local! {
    /// Counters by name; there are as many as the module has.
    static COUNTERS: RefCell<HashMap<&'static str, u32>> = RefCell::default();
}

/// Adds to a counter.
pub fn count(name: &'static str, by: u64) {
    if let Err(error) = add(name, by) {
        log::error!("{name} was not counted: {error}");
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
