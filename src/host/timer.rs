//! The timer of a root context, which those who need it share: each asks to be woken, and looks
//! when it rings whether it is its turn.

use super::abi;
use super::world::milliseconds;
use std::cell::Cell;

/// Milliseconds after which a timer that has not rung is taken for lost, with its root context.
const LOST: u64 = 1000;

thread_local! {
    /// When it rings: Unix time in milliseconds; 0: it does not.
    static RINGS: Cell<u64> = const { Cell::new(0) };
}

/// Has it ring in so many milliseconds, at the latest.
pub fn arm(milliseconds_from_now: u64) {
    let now = milliseconds();
    let at = now.saturating_add(milliseconds_from_now.max(1));
    let (rings, lost) = (RINGS.get(), now.saturating_sub(LOST));
    if rings > lost && rings <= at {
        return;
    }
    RINGS.set(at);
    set(u32::try_from(milliseconds_from_now.max(1)).unwrap_or(u32::MAX));
}

/// It rings: it will not again, unless it is armed.
pub fn rang() {
    RINGS.set(0);
    set(0);
}

fn set(period: u32) {
    if let Err(error) = abi::set_tick_period(period) {
        log::error!("the timer was not set: {error}");
    }
}
