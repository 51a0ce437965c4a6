//! A bounded set of label values: who comes late becomes `other`.

use crate::cache::shared::Shared;
use std::cell::RefCell;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Tries at a write that other workers get in the way of.
const TRIES: usize = 100;
/// Bytes of a value in the shared memory.
const SIZE: usize = size_of::<u64>();

/// Values that have a series of their own, the same in all workers.
#[derive(Debug)]
pub struct Admission {
    /// Name in the shared memory.
    name: String,
    limit: usize,
    /// Hashes of those that this worker knows of.
    known: RefCell<HashSet<u64>>,
}

impl Admission {
    /// A set of that name, of so many values at most.
    pub fn new(name: String, limit: usize) -> Self {
        Self { name, limit, known: RefCell::default() }
    }

    /// Makes its place in the shared memory, if there is none yet.
    pub fn open(&self, shared: &dyn Shared) {
        if shared.get(&self.name).is_none() {
            shared.set(&self.name, &[]);
        }
    }

    /// Whether a value is in the set; it gets in if there is room.
    pub fn admits(&self, shared: Option<&dyn Shared>, value: &str) -> bool {
        // Its keys are fixed, so that all workers agree.
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        let hash = hasher.finish();
        let mut known = self.known.borrow_mut();
        if known.contains(&hash) {
            return true;
        }
        let Some(shared) = shared else {
            return known.len() < self.limit && known.insert(hash);
        };
        for _ in 0..TRIES {
            if known.len() >= self.limit {
                return false;
            }
            let Some((mut bytes, number)) = shared.get(&self.name) else { return false };
            let hashes = bytes.chunks_exact(SIZE).filter_map(|chunk| chunk.try_into().ok());
            known.extend(hashes.map(u64::from_le_bytes).take(self.limit));
            if known.contains(&hash) {
                return true;
            }
            if known.len() >= self.limit {
                return false;
            }
            bytes.extend(hash.to_le_bytes());
            if shared.replace(&self.name, &bytes, number) {
                known.insert(hash);
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::shared::Memory;

    #[test]
    fn workers_agree_on_who_has_come_first() {
        let memory = Memory::default();
        let workers = [0, 1].map(|_| Admission::new("metric.x".to_owned(), 3));
        workers.iter().for_each(|one| one.open(&memory));
        let ask = |worker: usize, value| workers[worker].admits(Some(&memory), value);
        assert!(ask(0, "a") && ask(1, "b") && ask(0, "b") && ask(0, "c"));
        assert!(!ask(1, "d") && !ask(0, "d") && !ask(0, "e"));
        assert!(ask(1, "c") && ask(1, "a"));
        assert_eq!(memory.size(), 3 * SIZE);
        // A worker that starts later, and a smaller limit.
        let late = Admission::new("metric.x".to_owned(), 3);
        late.open(&memory);
        assert!(late.admits(Some(&memory), "a") && !late.admits(Some(&memory), "d"));
        let alone = Admission::new("metric.x".to_owned(), 1);
        assert!(alone.admits(None, "z") && !alone.admits(None, "y"));
    }
}
