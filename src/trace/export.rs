//! The calls that take spans to a collector, and what its answers mean: OTLP by HTTP or gRPC
//! (<https://opentelemetry.io/docs/specs/otlp/>).

use super::protobuf::{bytes, message};
use super::queue::Batch;
use super::span::attribute;
use crate::call::Call;
use crate::config::settings::{Protocol, Traces};

/// Milliseconds that a collector may take.
const TIMEOUT: u64 = 10_000;
/// Where OTLP by gRPC goes.
const METHOD: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken.
    Taken,
    /// It may be taken later.
    Later,
    /// It never will be.
    Refused,
}

/// The call with a batch.
pub fn call(traces: &Traces, batch: &Batch) -> Call {
    let request = request(traces, batch);
    let (path, body, kind) = match traces.protocol {
        Protocol::Http => (traces.path.as_str(), request, "application/x-protobuf"),
        Protocol::Grpc => {
            const UNCOMPRESSED: u8 = 0;
            let length = u32::try_from(request.len()).unwrap_or(u32::MAX).to_be_bytes();
            let body = [&[UNCOMPRESSED], length.as_slice(), &request].concat();
            (METHOD, body, "application/grpc")
        }
    };
    let mut call = Call::json(&traces.cluster, &traces.authority, "POST", path, body);
    call.headers.set("content-type", kind);
    if traces.protocol == Protocol::Grpc {
        call.headers.set("te", "trailers");
    }
    call.within(TIMEOUT)
}

/// An `ExportTraceServiceRequest`.
fn request(traces: &Traces, batch: &Batch) -> Vec<u8> {
    let mut out = Vec::new();
    message(&mut out, 1, |out| {
        message(out, 1, |out| {
            attribute(out, 1, "service.name", &traces.service_name.as_str().into());
        });
        message(out, 2, |out| {
            message(out, 1, |out| {
                bytes(out, 1, env!("CARGO_PKG_NAME").as_bytes());
                bytes(out, 2, env!("CARGO_PKG_VERSION").as_bytes());
            });
            batch.bytes().for_each(|spans| out.extend_from_slice(spans));
        });
    });
    out
}

/// The field of `ScopeSpans` that its spans are.
pub const SPANS: u32 = 2;

/// What an answer means. `grpc` is `grpc-status`, where the headers have it; `size` is that of the
/// body. No answer is status 0.
pub fn outcome(protocol: Protocol, status: u16, grpc: Option<&str>, size: usize) -> Outcome {
    match (protocol, status) {
        (_, 0 | 429 | 502..=504) => Outcome::Later,
        (Protocol::Http, 200..=299) => Outcome::Taken,
        (Protocol::Grpc, 200) => match grpc {
            // Cancelled, deadline, exhausted, aborted, out of range, unavailable, data loss.
            Some("1" | "4" | "8" | "10" | "11" | "14" | "15") => Outcome::Later,
            // A message has five bytes at least; an error has none.
            Some("0") | None if size >= 5 => Outcome::Taken,
            _ => Outcome::Refused,
        },
        _ => Outcome::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Later, Refused, Taken};
    use Protocol::{Grpc, Http};

    #[test]
    fn answers_of_collectors() {
        for (protocol, status, grpc, size, expected) in [
            (Http, 200, None, 0, Taken),
            (Http, 202, None, 0, Taken),
            (Http, 0, None, 0, Later),
            (Http, 503, None, 9, Later),
            (Http, 429, None, 9, Later),
            (Http, 400, None, 9, Refused),
            (Http, 404, None, 9, Refused),
            (Grpc, 200, None, 5, Taken),
            (Grpc, 200, None, 0, Refused),
            (Grpc, 200, Some("14"), 0, Later),
            (Grpc, 200, Some("16"), 0, Refused),
            (Grpc, 503, None, 0, Later),
        ] {
            assert_eq!(outcome(protocol, status, grpc, size), expected, "{status} {grpc:?}");
        }
    }
}
