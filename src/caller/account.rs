//! What is used of an allowance in the running period, in the memory that all workers share: money
//! in millionths of a dollar, or tokens.
//!
//! Before a request goes out, what it may use is held back; when it is over, what it has used is
//! booked instead. So requests side by side cannot overdraw an account by more than they were
//! underestimated. What is held back is forgotten after [`MINUTES`]: a request that never came to
//! its end, because its VM has died, does not hold it for ever.

use crate::cache::shared::Shared;
use crate::config::caller::Period;
use crate::date;

/// Minutes that something is held back, at most.
pub const MINUTES: u64 = 16;
/// Tries at a write that others get in the way of.
const TRIES: usize = 1000;

/// An allowance.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    /// How much.
    pub limit: u64,
    /// In what time.
    pub per: Period,
}

/// What is held back for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// How much.
    pub amount: u64,
    /// In which minute of Unix time that began.
    minute: u64,
}

/// Why nothing was held back: so the account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overdrawn(pub Standing);

/// How an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What is neither used nor held back.
    pub left: u64,
    /// Seconds until the period ends.
    pub resets_in: u64,
}

/// An account.
pub struct Account<'a> {
    shared: &'a dyn Shared,
    name: &'a str,
    allowance: Allowance,
    /// Unix time in seconds.
    now: u64,
}

impl Period {
    /// The number of the period of a time, and when that ends, in seconds.
    pub fn of(self, now: u64) -> (u64, u64) {
        let of_length = |length: u64| (now / length, (now / length + 1).saturating_mul(length));
        match self {
            Self::Minute => of_length(60),
            Self::Day => of_length(date::DAY),
            Self::Month => date::month(now),
        }
    }
}

impl<'a> Account<'a> {
    /// The account of that name, which must have been opened.
    pub fn new(shared: &'a dyn Shared, name: &'a str, allowance: Allowance, now: u64) -> Self {
        Self { shared, name, allowance, now }
    }

    /// Makes a place for an account, if there is none yet.
    pub fn open(shared: &dyn Shared, name: &str) {
        if shared.get(name).is_none() {
            shared.set(name, &State::default().encode());
        }
    }

    /// Holds back that much, if it is there.
    ///
    /// # Errors
    /// It is not.
    pub fn hold(&self, amount: u64) -> Result<(Hold, Standing), Overdrawn> {
        let minute = self.now / 60;
        let (_, end) = self.allowance.per.of(self.now);
        let resets_in = end.saturating_sub(self.now);
        let mut left = 0;
        let held = self.change(|state| {
            left = self.left(state);
            left = left.checked_sub(amount)?;
            state.hold(minute, amount);
            Some(())
        });
        let standing = Standing { left, resets_in };
        match held {
            true => Ok((Hold { amount, minute }, standing)),
            false => Err(Overdrawn(standing)),
        }
    }

    /// Books what was used instead of what was held back; gives what is left.
    pub fn settle(&self, hold: Hold, used: u64) -> Option<u64> {
        let mut left = None;
        self.change(|state| {
            state.release(hold);
            state.used = state.used.saturating_add(used);
            left = Some(self.left(state));
            Some(())
        });
        left
    }

    fn left(&self, state: &State) -> u64 {
        self.allowance.limit.saturating_sub(state.taken())
    }

    /// Changes the state as of now; tells whether it was changed. `edit` says whether it wants to.
    fn change(&self, mut edit: impl FnMut(&mut State) -> Option<()>) -> bool {
        for _ in 0..TRIES {
            let Some((bytes, seen)) = self.shared.get(self.name) else { return false };
            let mut state = State::decode(&bytes).unwrap_or_default();
            let (period, _) = self.allowance.per.of(self.now);
            state.advance(period, self.now / 60);
            if edit(&mut state).is_none() {
                return false;
            }
            if self.shared.replace(self.name, &state.encode(), seen) {
                return true;
            }
        }
        false
    }
}

/// What is kept of an account.
#[derive(Debug, Default, PartialEq, Eq)]
struct State {
    /// The number of the period.
    period: u64,
    /// What was used in it.
    used: u64,
    /// What is held back, by the minute that began in: each has a place in turn.
    held: [Minute; MINUTES as usize],
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Minute {
    minute: u64,
    amount: u64,
}

impl State {
    /// Goes on to the period and minute that now are. Workers' clocks are one, but callbacks do not
    /// come in order: nothing goes back.
    fn advance(&mut self, period: u64, minute: u64) {
        if period > self.period {
            (self.period, self.used) = (period, 0);
        }
        for place in &mut self.held {
            if place.minute.saturating_add(MINUTES) <= minute {
                place.amount = 0;
            }
        }
    }

    fn taken(&self) -> u64 {
        let held = self.held.iter().map(|place| place.amount);
        held.fold(self.used, u64::saturating_add)
    }

    fn place(&mut self, minute: u64) -> Option<&mut Minute> {
        self.held.get_mut((minute % MINUTES) as usize)
    }

    fn hold(&mut self, minute: u64, amount: u64) {
        let Some(place) = self.place(minute) else { return };
        let before = if place.minute == minute { place.amount } else { 0 };
        *place = Minute { minute, amount: before.saturating_add(amount) };
    }

    /// Nothing is to be released that was forgotten already.
    fn release(&mut self, hold: Hold) {
        if let Some(place) = self.place(hold.minute).filter(|place| place.minute == hold.minute) {
            place.amount = place.amount.saturating_sub(hold.amount);
        }
    }

    fn encode(&self) -> Vec<u8> {
        let held = self.held.iter().flat_map(|place| [place.minute, place.amount]);
        let numbers = [self.period, self.used].into_iter().chain(held);
        numbers.flat_map(u64::to_le_bytes).collect()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (chunks, []) = bytes.as_chunks::<8>() else { return None };
        let mut numbers = chunks.iter().map(|chunk| u64::from_le_bytes(*chunk));
        let mut state = Self { period: numbers.next()?, used: numbers.next()?, ..Self::default() };
        for place in &mut state.held {
            *place = Minute { minute: numbers.next()?, amount: numbers.next()? };
        }
        numbers.next().is_none().then_some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::shared::Memory;

    const TEN_A_DAY: Allowance = Allowance { limit: 10, per: Period::Day };
    /// Midnight of some day.
    const START: u64 = 20_000 * date::DAY;

    fn memory() -> Memory {
        let memory = Memory::default();
        Account::open(&memory, "a");
        memory
    }

    fn at(memory: &Memory, now: u64) -> Account<'_> {
        Account::new(memory, "a", TEN_A_DAY, now)
    }

    #[test]
    fn what_is_held_back_counts_until_it_is_settled() {
        let memory = memory();
        let account = at(&memory, START);
        let (first, standing) = account.hold(6).unwrap();
        assert_eq!(standing, Standing { left: 4, resets_in: date::DAY });
        assert_eq!(account.hold(5), Err(Overdrawn(standing)));
        assert_eq!(account.settle(first, 1), Some(9));
        let (second, standing) = account.hold(9).unwrap();
        assert_eq!(standing.left, 0);
        // It was underestimated.
        account.settle(second, 20);
        assert!(account.hold(0).is_ok() && account.hold(1).is_err());
        Account::open(&memory, "a");
        assert!(account.hold(1).is_err(), "a configuration that comes again forgets nothing");
    }

    #[test]
    fn a_new_period_begins_with_what_is_under_way() {
        let memory = memory();
        let (under_way, _) = at(&memory, START).hold(4).unwrap();
        let (over, _) = at(&memory, START).hold(6).unwrap();
        at(&memory, START + 1).settle(over, 6);
        assert!(at(&memory, START + 60).hold(1).is_err());
        let next = at(&memory, START + date::DAY);
        // By then it is forgotten, as it is older than a quarter of an hour.
        assert_eq!(next.hold(1).unwrap().1.left, 9);
        next.settle(under_way, 4);
        assert_eq!(next.hold(0).unwrap().1.left, 5);
        // A callback that was under way at midnight does not bring yesterday back.
        assert_eq!(at(&memory, START + date::DAY - 1).hold(0).unwrap().1.left, 5);
    }

    #[test]
    fn what_is_never_settled_is_forgotten() {
        let memory = memory();
        let (lost, _) = at(&memory, START).hold(10).unwrap();
        assert!(at(&memory, START + (MINUTES - 1) * 60).hold(1).is_err());
        let late = at(&memory, START + MINUTES * 60);
        let (own, _) = late.hold(10).unwrap();
        // What was held back in the same place since is another's.
        late.settle(lost, 0);
        assert!(late.hold(1).is_err());
        late.settle(own, 0);
        assert!(late.hold(10).is_ok());
    }

    #[test]
    fn any_bytes_are_an_account() {
        let memory = memory();
        for bytes in [&b""[..], b"x", &[255; 272], &[0; 280]] {
            memory.set("a", bytes);
            let _ = at(&memory, START).hold(1);
        }
        assert!(Account::new(&memory, "nobody", TEN_A_DAY, START).hold(0).is_err());
        let state = State { period: 3, used: 4, ..State::default() };
        assert_eq!(State::decode(&state.encode()), Some(state));
    }

    #[test]
    fn periods_end_where_the_next_begin() {
        let end = |period: Period, text: &str| period.of(date::parse(text).unwrap()).1;
        let expected = |text| date::parse(text).unwrap();
        let now = "2026-12-31T23:59:30Z";
        for period in [Period::Minute, Period::Day, Period::Month] {
            assert_eq!(end(period, now), expected("2027-01-01"));
        }
        assert_eq!(end(Period::Month, "2026-02-01"), expected("2026-03-01"));
    }
}
