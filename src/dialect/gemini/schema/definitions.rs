//! What the references of a schema refer to, and how much work they may make.

use super::super::super::raw::array;
use crate::error::Error;
use crate::members;
use std::collections::BTreeMap;

/// The definitions of a schema.
pub(super) struct Definitions<'a, 'w> {
    root: &'a str,
    /// Those that were looked up already.
    known: BTreeMap<String, &'a str>,
    /// The references that are followed at this moment, outermost first.
    followed: Vec<String>,
    /// Bytes that may still be read.
    left: &'w mut usize,
}

impl<'a, 'w> Definitions<'a, 'w> {
    pub(super) fn new(root: &'a str, left: &'w mut usize) -> Self {
        Self { root, known: BTreeMap::new(), followed: Vec::new(), left }
    }

    /// Counts bytes that are read.
    ///
    /// # Errors
    /// They are too many.
    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), Error> {
        let left = self.left.checked_sub(bytes);
        *self.left = left.ok_or_else(|| {
            let message = "the schema is too large when its references are inlined";
            Error::invalid("invalid_value", message)
        })?;
        Ok(())
    }

    /// Begins a node; what is followed from here on ends with [`Self::close`].
    pub(super) fn open(&self) -> usize {
        self.followed.len()
    }

    pub(super) fn close(&mut self, open: usize) {
        self.followed.truncate(open);
    }

    /// What a reference refers to; `None` inside of itself.
    ///
    /// # Errors
    /// It refers to nothing in this schema.
    pub(super) fn follow(&mut self, reference: &str) -> Result<Option<&'a str>, Error> {
        if self.followed.iter().any(|it| it == reference) {
            return Ok(None);
        }
        let target = match self.known.get(reference) {
            Some(target) => *target,
            None => {
                self.spend(self.root.len())?;
                let target = self.find(reference).ok_or_else(|| {
                    let reference: String = reference.chars().take(64).collect();
                    let message = format!("the schema does not hold {reference:?}");
                    Error::invalid("invalid_value", message)
                })?;
                self.known.insert(reference.to_owned(), target);
                target
            }
        };
        self.spend(target.len())?;
        self.followed.push(reference.to_owned());
        Ok(Some(target))
    }

    /// Follows a JSON pointer (RFC 6901) in a URI fragment.
    fn find(&self, reference: &str) -> Option<&'a str> {
        let pointer = reference.strip_prefix('#')?;
        let mut at = self.root;
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            at = match at.starts_with('[') {
                true => array(at)?.get(step.parse::<usize>().ok()?)?.get(),
                false => {
                    let [found] = members::find(at, &[&step])?;
                    found?.get()
                }
            };
        }
        at.starts_with('{').then_some(at)
    }
}
