//! Sends spans to their collector, from the root context.

use super::abi::{self, Buffer, Map};
use super::{caller, headers, metrics, timer};
use crate::config::settings::Traces;
use crate::metric::Metric;
use crate::trace::export::{self, Outcome};
use crate::trace::queue::{Batch, Queue, Spans};
use std::cell::RefCell;

/// Bytes that are read of a collector's answer.
const MAX_ANSWER: usize = 1024;

thread_local! {
    static QUEUE: RefCell<Queue> = RefCell::default();
}

/// Leaves the spans of a request to the root context. `interval` as in [`Traces`].
pub fn queue((spans, interval): (Spans, u64)) {
    let (lost, pause) = QUEUE.with_borrow_mut(|queue| (queue.push(spans), queue.pause(interval)));
    drop_spans(lost);
    timer::arm(pause);
}

fn drop_spans(count: usize) {
    if count > 0 {
        metrics::count(Metric::SpansDropped, count);
    }
}

/// The batch under way, in the root context.
#[derive(Default)]
pub struct Exporter(Option<(u32, Batch)>);

impl Exporter {
    /// Sends what waits, unless a batch is under way.
    pub fn begin(&mut self, traces: &Traces) {
        if self.0.is_some() {
            return;
        }
        let Some(batch) = QUEUE.with_borrow_mut(Queue::take) else { return };
        match caller::dispatch(&export::call(traces, &batch)) {
            Some(token) => self.0 = Some((token, batch)),
            None => later(traces, batch),
        }
    }

    /// Takes the answer to a call, if it is one of its own.
    pub fn on_answer(&mut self, traces: &Traces, token: u32, count: usize, size: usize) -> bool {
        let Some((_, batch)) = self.0.take_if(|(own, _)| *own == token) else { return false };
        match outcome(traces, count, size) {
            Outcome::Taken => {
                metrics::count(Metric::SpansSent, batch.count());
                QUEUE.with_borrow_mut(Queue::on_answer);
                again(traces);
            }
            Outcome::Later => later(traces, batch),
            Outcome::Refused => {
                log::warn!("the collector of traces has refused {} spans", batch.count());
                drop_spans(batch.count());
                QUEUE.with_borrow_mut(Queue::on_answer);
                again(traces);
            }
        }
        true
    }
}

fn later(traces: &Traces, batch: Batch) {
    drop_spans(QUEUE.with_borrow_mut(|queue| queue.put_back(batch)));
    again(traces);
}

/// Comes back for what still waits.
fn again(traces: &Traces) {
    let pause =
        QUEUE.with_borrow(|queue| (!queue.is_empty()).then(|| queue.pause(traces.interval)));
    if let Some(pause) = pause {
        timer::arm(pause);
    }
}

/// What the answer to a call means, in the callback that brings it.
fn outcome(traces: &Traces, count: usize, size: usize) -> Outcome {
    let map = if count == 0 { None } else { headers(Map::CallResponse).ok() };
    let text = |name| map.as_ref().and_then(|map| map.text(name));
    let status = text(":status").and_then(|text| text.parse().ok()).unwrap_or(0);
    let body = abi::buffer(Buffer::CallBody, 0, size.min(MAX_ANSWER)).unwrap_or_default();
    export::outcome(traces.protocol, status, text("grpc-status"), body.len())
}
