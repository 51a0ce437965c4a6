//! Memory that all workers share, as a cache sees it.

/// Values by name, each with a number that changes whenever the value does.
///
/// Names are never forgotten by the host, so that a user must have a fixed set of them.
pub trait Shared {
    /// A value and its number.
    fn get(&self, name: &str) -> Option<(Vec<u8>, u32)>;

    /// Writes a value, whatever it was.
    fn set(&self, name: &str, value: &[u8]);

    /// Writes a value whose number is still `seen`; tells whether it was.
    fn replace(&self, name: &str, value: &[u8], seen: u32) -> bool;
}

/// For tests: the memory of one process.
#[cfg(test)]
#[derive(Default)]
pub(crate) struct Memory(pub std::cell::RefCell<std::collections::HashMap<String, (Vec<u8>, u32)>>);

#[cfg(test)]
impl Memory {
    /// Bytes of all values.
    pub fn size(&self) -> usize {
        self.0.borrow().values().map(|(value, _)| value.len()).sum()
    }
}

#[cfg(test)]
impl Shared for Memory {
    fn get(&self, name: &str) -> Option<(Vec<u8>, u32)> {
        self.0.borrow().get(name).cloned()
    }

    fn set(&self, name: &str, value: &[u8]) {
        let mut values = self.0.borrow_mut();
        let number = values.get(name).map_or(0, |(_, number)| *number) + 1;
        values.insert(name.to_owned(), (value.to_vec(), number));
    }

    fn replace(&self, name: &str, value: &[u8], seen: u32) -> bool {
        let same = self.0.borrow().get(name).is_some_and(|(_, number)| *number == seen);
        if same {
            self.set(name, value);
        }
        same
    }
}
