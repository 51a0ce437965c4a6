//! Calls that no request waits for.

use crate::call::Call;
use std::collections::VecDeque;

/// Calls one after the other that no request waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    calls: VecDeque<Call>,
    /// What to do instead when the first call is answered 404.
    when_missing: Vec<Call>,
}

impl Job {
    /// One call; if it is answered 404, these others.
    pub fn new(call: Call, when_missing: Vec<Call>) -> Self {
        Self { calls: VecDeque::from([call]), when_missing }
    }

    /// The next call, after one that was answered with that status.
    pub fn next(&mut self, status: Option<u16>) -> Option<Call> {
        let missing = std::mem::take(&mut self.when_missing);
        match status {
            None => self.when_missing = missing,
            Some(404) => self.calls.extend(missing),
            Some(_) => {}
        }
        self.calls.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_made_once() {
        let call = |path| Call::json("c", "c", "PUT", path, Vec::new());
        let run = |statuses: &[u16]| {
            let mut job = Job::new(call("/add"), vec![call("/make"), call("/add again")]);
            let mut paths = Vec::new();
            let mut status = None;
            let mut statuses = statuses.iter();
            while let Some(call) = job.next(status) {
                paths.push(call.headers.text(":path").unwrap().to_owned());
                status = statuses.next().copied();
                assert!(paths.len() < 9);
            }
            paths
        };
        assert_eq!(run(&[200]), ["/add"]);
        assert_eq!(run(&[500]), ["/add"]);
        assert_eq!(run(&[404, 200, 200]), ["/add", "/make", "/add again"]);
        assert_eq!(run(&[404, 409, 404]), ["/add", "/make", "/add again"]);
    }
}
