//! Spans that wait to be sent, a bounded number of them.

use std::collections::VecDeque;

/// Spans that wait, at most, in one worker.
const MAX_SPANS: usize = 4096;
/// Bytes of them, at most.
const MAX_BYTES: usize = 4 << 20;
/// Spans that go out together, at most but for the last request's.
const BATCH_SPANS: usize = 512;
/// Bytes of them, likewise.
const BATCH_BYTES: usize = 1 << 20;
/// Longest pause after failures, in milliseconds.
const MAX_PAUSE: u64 = 30_000;

/// The spans of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spans {
    /// Each as an element of `ScopeSpans.spans`.
    pub bytes: Vec<u8>,
    /// How many they are.
    pub count: usize,
}

/// Those of several requests, on their way.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch(Vec<Spans>);

impl Batch {
    /// The spans, one after another.
    pub fn bytes(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|spans| spans.bytes.as_slice())
    }

    /// How many spans they are.
    pub fn count(&self) -> usize {
        self.0.iter().map(|spans| spans.count).sum()
    }
}

/// The queue of one worker. Times are milliseconds.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: VecDeque<Spans>,
    spans: usize,
    bytes: usize,
    /// Failures in a row.
    failures: u32,
}

impl Queue {
    /// Adds the spans of a request; gives how many found no room.
    pub fn push(&mut self, spans: Spans) -> usize {
        if self.spans + spans.count > MAX_SPANS || self.bytes + spans.bytes.len() > MAX_BYTES {
            return spans.count;
        }
        self.spans += spans.count;
        self.bytes += spans.bytes.len();
        self.waiting.push_back(spans);
        0
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Milliseconds until what waits is to be sent, if it is to be sent every `interval`.
    pub fn pause(&self, interval: u64) -> u64 {
        match self.failures {
            0 if self.spans >= BATCH_SPANS || self.bytes >= BATCH_BYTES => 1,
            0 => interval,
            failures => interval.saturating_mul(1 << failures.min(16)).min(MAX_PAUSE),
        }
    }

    /// What goes out next.
    pub fn take(&mut self) -> Option<Batch> {
        let (mut batch, mut spans, mut bytes) = (Vec::new(), 0, 0);
        while spans < BATCH_SPANS
            && bytes < BATCH_BYTES
            && let Some(next) = self.waiting.pop_front()
        {
            spans += next.count;
            bytes += next.bytes.len();
            batch.push(next);
        }
        self.spans -= spans;
        self.bytes -= bytes;
        (!batch.is_empty()).then_some(Batch(batch))
    }

    /// The collector has taken a batch, or never will.
    pub fn on_answer(&mut self) {
        self.failures = 0;
    }

    /// The collector may take the batch later. Gives how many of its spans find no room until then.
    pub fn put_back(&mut self, batch: Batch) -> usize {
        self.failures = self.failures.saturating_add(1);
        let mut lost = 0;
        for spans in batch.0.into_iter().rev() {
            let (count, bytes) = (spans.count, spans.bytes.len());
            if self.spans + count > MAX_SPANS || self.bytes + bytes > MAX_BYTES {
                lost += count;
                continue;
            }
            self.spans += count;
            self.bytes += bytes;
            self.waiting.push_front(spans);
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(name: u8, count: usize) -> Spans {
        Spans { bytes: vec![name; 10], count }
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let mut queue = Queue::default();
        assert_eq!(queue.push(spans(b'a', MAX_SPANS - 1)), 0);
        assert_eq!(queue.push(spans(b'b', 2)), 2);
        assert_eq!(queue.push(spans(b'c', 1)), 0);
        let large = Spans { bytes: vec![0; MAX_BYTES], count: 1 };
        assert_eq!(Queue::default().push(large.clone()), 0);
        let batch = queue.take().unwrap();
        assert_eq!(batch.count(), MAX_SPANS - 1);
        assert_eq!(queue.push(large), 1);
    }

    #[test]
    fn a_batch_comes_back_in_its_order_and_later() {
        let mut queue = Queue::default();
        for name in [b'a', b'b', b'c'] {
            queue.push(spans(name, 256));
        }
        assert_eq!(queue.pause(1000), 1);
        let batch = queue.take().unwrap();
        assert_eq!((batch.count(), queue.pause(1000)), (512, 1000));
        assert_eq!(queue.put_back(batch), 0);
        assert_eq!(queue.pause(1000), 2000);
        let again = queue.take().unwrap();
        assert_eq!(again.bytes().collect::<Vec<_>>(), [[b'a'; 10], [b'b'; 10]]);
        queue.push(spans(b'd', MAX_SPANS - 512));
        assert_eq!(queue.put_back(again), 256);
        assert_eq!(queue.pause(1000), 4000);
        queue.on_answer();
        assert_eq!(queue.pause(1000), 1);
    }

    #[test]
    fn nothing_is_no_batch() {
        assert_eq!(Queue::default().take(), None);
        let mut queue = Queue { failures: 99, ..Queue::default() };
        assert_eq!(queue.pause(1000), MAX_PAUSE);
        queue.on_answer();
        assert!(queue.is_empty());
    }
}
