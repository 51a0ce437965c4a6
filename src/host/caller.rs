//! Calls to other servers, and those that outlive the request which they are made for.

use super::abi::{self, Buffer, HostResult, Map};
use super::{headers, timer};
use crate::cache::job::Job;
use crate::call::{Answer, Call};
use proxy_wasm::hostcalls;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// Jobs that wait or are under way, at most: what is lost is only an entry of the cache.
const MAX_JOBS: usize = 256;

thread_local! {
    static JOBS: RefCell<VecDeque<Job>> = const { RefCell::new(VecDeque::new()) };
}

/// Makes a call from the current context; gives its token, `None` if it cannot be made.
pub fn dispatch(call: &Call) -> Option<u32> {
    let text = |(name, value)| Some((name, std::str::from_utf8(value).ok()?));
    let pairs = call.headers.iter().filter_map(text).collect();
    let body = (!call.body.is_empty()).then_some(call.body.as_slice());
    // The ABI counts in 32 bits.
    let timeout = Duration::from_millis(call.timeout.min(u64::from(u32::MAX)));
    match hostcalls::dispatch_http_call(&call.cluster, pairs, body, vec![], timeout) {
        Ok(token) => Some(token),
        Err(status) => {
            log::warn!("no call to {}: {status:?}", call.cluster);
            None
        }
    }
}

/// The answer to a call, in the callback that brings it; `None` when there is none.
pub fn answer(headers_count: usize, body_size: usize) -> Option<Answer> {
    if headers_count == 0 {
        return None;
    }
    let read = || -> HostResult<Answer> {
        let map = headers(Map::CallResponse)?;
        let status = map.text(":status").and_then(|text| text.parse().ok()).unwrap_or(502);
        let body = abi::buffer(Buffer::CallBody, 0, body_size)?;
        Ok(Answer { status, body })
    };
    read().map_err(|error| log::error!("the answer to a call was not read: {error}")).ok()
}

/// Leaves a job to the root context: a call that a stream makes ends with the stream.
pub fn leave(jobs: Vec<Job>) {
    if jobs.is_empty() {
        return;
    }
    JOBS.with_borrow_mut(|waiting| {
        waiting.extend(jobs);
        waiting.truncate(MAX_JOBS);
    });
    timer::arm(1);
}

/// The jobs under way, in the root context.
#[derive(Default)]
pub struct Jobs(HashMap<u32, Job>);

impl Jobs {
    /// Begins those that wait.
    pub fn begin(&mut self) {
        let waiting = JOBS.with_borrow_mut(std::mem::take);
        for job in waiting {
            if self.0.len() < MAX_JOBS {
                self.go_on(job, None);
            }
        }
    }

    /// Takes the answer to a call.
    pub fn on_answer(&mut self, token: u32, answer: Option<&Answer>) {
        let Some(job) = self.0.remove(&token) else { return };
        let status = answer.map_or(503, |answer| answer.status);
        if status >= 400 && status != 404 && status != 409 {
            log::warn!("a store of the cache answered {status}");
        }
        self.go_on(job, Some(status));
    }

    fn go_on(&mut self, mut job: Job, status: Option<u16>) {
        if let Some(token) = job.next(status).and_then(|call| dispatch(&call)) {
            self.0.insert(token, job);
        }
    }
}
