//! Failures of providers, and what becomes of the request: in a real Envoy, in front of scripted
//! upstreams of both wire formats. Each fallback has two targets; the second one speaks the other
//! format than the first.
//!
//! `Rescued`: the client gets one whole answer. `CleanError`: an error of a known form, or a
//! transfer that is visibly broken; never something that looks complete and is not.
//!
//! |  # | the first target                           | default    | `stream_hold: complete` |
//! | -- | ------------------------------------------ | ---------- | ----------------------- |
//! |  1 | 429 without `Retry-After`                  | Rescued    | Rescued                 |
//! |  2 | 429 with `Retry-After`, in four forms      | Rescued    | Rescued                 |
//! |  3 | one 500, then good                         | Rescued    | Rescued                 |
//! |  4 | 503 for good                               | Rescued    | Rescued                 |
//! |  5 | closes the connection before an answer     | Rescued    | Rescued                 |
//! |  6 | never answers                              | Rescued    | Rescued                 |
//! |  7 | headers at once, the first token never     | Rescued    | Rescued                 |
//! |  8 | a stream that is cut in the middle         | CleanError | Rescued                 |
//! |  9 | a stream that stalls in the middle         | CleanError | Rescued                 |
//! | 10 | a malformed chunk in the middle            | Rescued    | Rescued                 |
//! | 11 | a stream without its end                   | CleanError | Rescued                 |
//! | 12 | 400: longer than the context               | Rescued    | Rescued                 |
//! | 13 | 400: against the content policy            | Rescued    | Rescued                 |
//! | 14 | cut; the second one takes no prefill       | CleanError | Rescued                 |
//! | 15 | good and bad by turns, under load          | Rescued    | Rescued                 |
//! | 16 | error after usage: what the log counts     | Rescued    | Rescued                 |
//!
//! Nothing that was streamed to a client is taken back, so that 8, 9, 11 and 14 can only be rescued
//! when the stream is held until its end.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]
#![allow(clippy::string_slice)]
// The support is shared with another binary, which uses all of it.
#![allow(dead_code)]

#[path = "../envoy/support/mod.rs"]
mod support;

mod answer;
mod bench;
mod client;
mod exhausted;
mod flapping;
mod provider;
mod refusal;
mod scenario;
mod soak;
mod suite;
mod table;
