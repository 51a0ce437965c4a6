//! Byte-safe calls of the proxy-wasm ABI 0.2.1. The only place with `unsafe` code.
//!
//! The SDK's own wrappers panic on statuses and bytes that they do not expect, and a panic kills
//! every stream of an Envoy worker; these return [`HostError`] instead, whatever the host answers.
//! Contract of each call: <https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1>.

#![allow(unsafe_code)]

use std::fmt;
use std::ptr;

/// A host call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostError {
    /// Name of the call.
    pub call: &'static str,
    /// The status that the host gave; see the ABI's list.
    pub status: u32,
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered status {}", self.call, self.status)
    }
}

/// Result of a host call.
pub type HostResult<T> = Result<T, HostError>;

/// A header map of the current stream. Absent maps answer an error.
#[derive(Debug, Clone, Copy)]
#[repr(u32)]
pub enum Map {
    /// Request headers.
    RequestHeaders = 0,
    /// Response headers.
    ResponseHeaders = 2,
    /// Headers of the answer to an HTTP call, while its end is reported.
    CallResponse = 6,
}

/// A buffer that the host owns.
#[derive(Debug, Clone, Copy)]
#[repr(u32)]
pub enum Buffer {
    /// What is buffered of the request body, or the current piece.
    RequestBody = 0,
    /// What is buffered of the response body, or the current piece.
    ResponseBody = 1,
    /// The body of the answer to an HTTP call, while its end is reported.
    CallBody = 4,
    /// The plugin configuration, in `on_configure`.
    PluginConfiguration = 7,
}

mod raw {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        pub fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
        pub fn proxy_get_log_level(level: *mut u32) -> u32;
        pub fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
        pub fn proxy_get_buffer_bytes(
            buffer: u32,
            start: usize,
            max_size: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub fn proxy_set_buffer_bytes(
            buffer: u32,
            start: usize,
            size: usize,
            data: *const u8,
            data_size: usize,
        ) -> u32;
        pub fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
        pub fn proxy_set_header_map_pairs(map: u32, data: *const u8, size: usize) -> u32;
        pub fn proxy_add_header_map_value(
            map: u32,
            name: *const u8,
            name_size: usize,
            value: *const u8,
            value_size: usize,
        ) -> u32;
        pub fn proxy_replace_header_map_value(
            map: u32,
            name: *const u8,
            name_size: usize,
            value: *const u8,
            value_size: usize,
        ) -> u32;
        pub fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
        pub fn proxy_get_property(
            path: *const u8,
            path_size: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub fn proxy_set_property(
            path: *const u8,
            path_size: usize,
            data: *const u8,
            size: usize,
        ) -> u32;
        pub fn proxy_get_shared_data(
            key: *const u8,
            key_size: usize,
            data: *mut *mut u8,
            size: *mut usize,
            cas: *mut u32,
        ) -> u32;
        pub fn proxy_set_shared_data(
            key: *const u8,
            key_size: usize,
            data: *const u8,
            size: usize,
            cas: u32,
        ) -> u32;
        pub fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
        pub fn proxy_define_metric(
            kind: u32,
            name: *const u8,
            name_size: usize,
            metric: *mut u32,
        ) -> u32;
        pub fn proxy_increment_metric(metric: u32, offset: i64) -> u32;
        pub fn proxy_record_metric(metric: u32, value: u64) -> u32;
        pub fn proxy_get_metric(metric: u32, value: *mut u64) -> u32;
        pub fn proxy_continue_stream(stream: u32) -> u32;
        pub fn proxy_close_stream(stream: u32) -> u32;
        pub fn proxy_send_local_response(
            status: u32,
            details: *const u8,
            details_size: usize,
            body: *const u8,
            body_size: usize,
            headers: *const u8,
            headers_size: usize,
            grpc_status: i32,
        ) -> u32;
        pub fn proxy_call_foreign_function(
            name: *const u8,
            name_size: usize,
            arguments: *const u8,
            arguments_size: usize,
            results: *mut *mut u8,
            results_size: *mut usize,
        ) -> u32;
    }
}

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const CAS_MISMATCH: u32 = 8;

fn check(call: &'static str, status: u32) -> HostResult<()> {
    match status {
        OK => Ok(()),
        status => Err(HostError { call, status }),
    }
}

/// Takes over a block that the host allocated through the module's own allocator.
fn take(data: *mut u8, size: usize) -> Vec<u8> {
    if data.is_null() {
        return Vec::new();
    }
    // SAFETY: the host gets such blocks from `proxy_on_memory_allocate(size)`, which hands out a
    // `Vec` of exactly that capacity, fills all of it, and forgets it.
    unsafe { Vec::from_raw_parts(data, size, size) }
}

/// Runs a call that returns a block; `None` when the host says that there is no such thing.
fn fetch(
    call: &'static str,
    run: impl FnOnce(*mut *mut u8, *mut usize) -> u32,
) -> HostResult<Option<Vec<u8>>> {
    let (mut data, mut size) = (ptr::null_mut(), 0);
    match run(&raw mut data, &raw mut size) {
        OK => Ok(Some(take(data, size))),
        NOT_FOUND => Ok(None),
        status => Err(HostError { call, status }),
    }
}

/// Writes a line to Envoy's own log. A failure has nowhere to go.
pub fn log(level: u32, message: &str) {
    // SAFETY: pointer and length of a live string.
    let _ = unsafe { raw::proxy_log(level, message.as_ptr(), message.len()) };
}

/// Envoy's log level for wasm: 0 trace, 1 debug, 2 info, 3 warn, 4 error, 5 critical.
///
/// # Errors
/// The host refused.
pub fn log_level() -> HostResult<u32> {
    let mut level = 0;
    // SAFETY: a pointer to a live local.
    let status = unsafe { raw::proxy_get_log_level(&raw mut level) };
    check("get_log_level", status).map(|()| level)
}

/// Unix time in nanoseconds.
///
/// # Errors
/// The host refused.
pub fn now() -> HostResult<u64> {
    let mut time = 0;
    // SAFETY: a pointer to a live local.
    let status = unsafe { raw::proxy_get_current_time_nanoseconds(&raw mut time) };
    check("get_current_time", status).map(|()| time)
}

/// Up to `size` bytes of a buffer from `start` on; empty when there are none.
///
/// # Errors
/// The buffer does not exist in this phase.
pub fn buffer(buffer: Buffer, start: usize, size: usize) -> HostResult<Vec<u8>> {
    let bytes = fetch("get_buffer", |data, length| {
        // SAFETY: two pointers to live locals.
        unsafe { raw::proxy_get_buffer_bytes(buffer as u32, start, size, data, length) }
    })?;
    Ok(bytes.unwrap_or_default())
}

/// Replaces a whole buffer.
///
/// # Errors
/// The buffer does not exist in this phase.
pub fn set_buffer(buffer: Buffer, bytes: &[u8]) -> HostResult<()> {
    // SAFETY: pointer and length of a live slice.
    let status = unsafe {
        raw::proxy_set_buffer_bytes(buffer as u32, 0, usize::MAX, bytes.as_ptr(), bytes.len())
    };
    check("set_buffer", status)
}

/// A serialised header map; see [`crate::http::Headers::decode`].
///
/// # Errors
/// The map does not exist in this phase.
pub fn header_map(map: Map) -> HostResult<Vec<u8>> {
    let bytes = fetch("get_header_map", |data, length| {
        // SAFETY: two pointers to live locals.
        unsafe { raw::proxy_get_header_map_pairs(map as u32, data, length) }
    })?;
    Ok(bytes.unwrap_or_default())
}

/// Replaces a whole header map.
///
/// # Errors
/// The map does not exist in this phase.
pub fn set_header_map(map: Map, pairs: &[u8]) -> HostResult<()> {
    // SAFETY: pointer and length of a live slice.
    let status =
        unsafe { raw::proxy_set_header_map_pairs(map as u32, pairs.as_ptr(), pairs.len()) };
    check("set_header_map", status)
}

/// Appends a header.
///
/// # Errors
/// The map does not exist in this phase.
pub fn add_header(map: Map, name: &str, value: &[u8]) -> HostResult<()> {
    let (at, size) = (value.as_ptr(), value.len());
    // SAFETY: pointers and lengths of a live string and a live slice.
    let status =
        unsafe { raw::proxy_add_header_map_value(map as u32, name.as_ptr(), name.len(), at, size) };
    check("add_header", status)
}

/// Replaces all headers of a name by one.
///
/// # Errors
/// The map does not exist in this phase.
pub fn replace_header(map: Map, name: &str, value: &[u8]) -> HostResult<()> {
    let (at, size) = (value.as_ptr(), value.len());
    // SAFETY: pointers and lengths of a live string and a live slice.
    let status = unsafe {
        raw::proxy_replace_header_map_value(map as u32, name.as_ptr(), name.len(), at, size)
    };
    check("replace_header", status)
}

/// Removes all headers of a name.
///
/// # Errors
/// The map does not exist in this phase.
pub fn remove_header(map: Map, name: &str) -> HostResult<()> {
    // SAFETY: pointer and length of a live string.
    let status =
        unsafe { raw::proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) };
    check("remove_header", status)
}

/// A property; path elements are separated by NUL. `None` when there is no such property.
///
/// # Errors
/// The host refused.
pub fn property(path: &str) -> HostResult<Option<Vec<u8>>> {
    fetch("get_property", |data, length| {
        // SAFETY: pointer and length of a live string, two pointers to live locals.
        unsafe { raw::proxy_get_property(path.as_ptr(), path.len(), data, length) }
    })
}

/// Writes a property: filter state of the name `wasm.<path>`.
///
/// # Errors
/// The host refused.
pub fn set_property(path: &str, value: &[u8]) -> HostResult<()> {
    // SAFETY: pointers and lengths of a live string and a live slice.
    let status =
        unsafe { raw::proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) };
    check("set_property", status)
}

/// A value that all VMs of the same id share; `None` when there is none.
///
/// # Errors
/// The host refused.
pub fn shared_data(key: &str) -> HostResult<Option<Vec<u8>>> {
    numbered_shared_data(key).map(|found| found.map(|(value, _)| value))
}

/// The same with the number of this state of the value.
///
/// # Errors
/// The host refused.
pub fn numbered_shared_data(key: &str) -> HostResult<Option<(Vec<u8>, u32)>> {
    let mut cas = 0;
    let value = fetch("get_shared_data", |data, length| {
        // SAFETY: pointer and length of a live string, three pointers to live locals.
        unsafe { raw::proxy_get_shared_data(key.as_ptr(), key.len(), data, length, &raw mut cas) }
    })?;
    Ok(value.map(|value| (value, cas)))
}

/// Writes a shared value, whatever it was. Keys are never evicted: only use a fixed set.
///
/// # Errors
/// The host refused.
pub fn set_shared_data(key: &str, value: &[u8]) -> HostResult<()> {
    const WHATEVER_IT_WAS: u32 = 0;
    replace_shared_data(key, value, WHATEVER_IT_WAS).map(|_| ())
}

/// Writes a shared value whose state still has that number; tells whether it was so.
///
/// # Errors
/// The host refused for another reason.
pub fn replace_shared_data(key: &str, value: &[u8], number: u32) -> HostResult<bool> {
    // SAFETY: pointers and lengths of a live string and a live slice.
    let status = unsafe {
        let (data, size) = (value.as_ptr(), value.len());
        raw::proxy_set_shared_data(key.as_ptr(), key.len(), data, size, number)
    };
    match status {
        CAS_MISMATCH => Ok(false),
        status => check("set_shared_data", status).map(|()| true),
    }
}

/// Has the root context's timer go off every so many milliseconds; 0 stops it.
///
/// # Errors
/// The host refused.
pub fn set_tick_period(milliseconds: u32) -> HostResult<()> {
    // SAFETY: no pointers.
    let status = unsafe { raw::proxy_set_tick_period_milliseconds(milliseconds) };
    check("set_tick_period", status)
}

/// What a metric is.
#[derive(Debug, Clone, Copy)]
#[repr(u32)]
pub enum MetricKind {
    /// Goes up.
    Counter = 0,
    /// Is set.
    Gauge = 1,
    /// Values by size.
    Histogram = 2,
}

/// The metric of that name.
///
/// # Errors
/// The host refused.
pub fn define_metric(kind: MetricKind, name: &str) -> HostResult<u32> {
    let (mut metric, kind) = (0, kind as u32);
    // SAFETY: pointer and length of a live string, a pointer to a live local.
    let status =
        unsafe { raw::proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut metric) };
    check("define_metric", status).map(|()| metric)
}

/// Sets a gauge, or adds a value to a histogram.
///
/// # Errors
/// There is no such metric.
pub fn record_metric(metric: u32, value: u64) -> HostResult<()> {
    // SAFETY: no pointers.
    let status = unsafe { raw::proxy_record_metric(metric, value) };
    check("record_metric", status)
}

/// The value of a gauge or counter.
///
/// # Errors
/// There is no such metric.
pub fn metric(metric: u32) -> HostResult<u64> {
    let mut value = 0;
    // SAFETY: a pointer to a live local.
    let status = unsafe { raw::proxy_get_metric(metric, &raw mut value) };
    check("get_metric", status).map(|()| value)
}

/// Adds to a counter.
///
/// # Errors
/// There is no such counter.
pub fn increment_counter(metric: u32, by: u64) -> HostResult<()> {
    // SAFETY: no pointers.
    let status =
        unsafe { raw::proxy_increment_metric(metric, i64::try_from(by).unwrap_or(i64::MAX)) };
    check("increment_metric", status)
}

/// Lets a held request go on.
///
/// # Errors
/// The host refused.
pub fn resume_request() -> HostResult<()> {
    const REQUEST: u32 = 0;
    // SAFETY: no pointers.
    let status = unsafe { raw::proxy_continue_stream(REQUEST) };
    check("continue_stream", status)
}

/// Lets a held response go on.
///
/// # Errors
/// The host refused.
pub fn resume_response() -> HostResult<()> {
    const RESPONSE: u32 = 1;
    // SAFETY: no pointers.
    let status = unsafe { raw::proxy_continue_stream(RESPONSE) };
    check("continue_stream", status)
}

/// Breaks the response off: its receiver sees a transfer that did not end.
///
/// # Errors
/// The host refused.
pub fn close_response() -> HostResult<()> {
    const RESPONSE: u32 = 1;
    // SAFETY: no pointers.
    let status = unsafe { raw::proxy_close_stream(RESPONSE) };
    check("close_stream", status)
}

/// Answers the request here. `details` becomes Envoy's `response_code_details`.
///
/// # Errors
/// An answer has been sent already.
pub fn send_local_response(
    status: u16,
    details: &str,
    headers: &[u8],
    body: &[u8],
) -> HostResult<()> {
    const NO_GRPC_STATUS: i32 = -1;
    // SAFETY: pointers and lengths of live slices.
    let status = unsafe {
        raw::proxy_send_local_response(
            u32::from(status),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            NO_GRPC_STATUS,
        )
    };
    check("send_local_response", status)
}

/// Calls a function of Envoy's beyond the ABI; arguments and result are its protobuf messages.
///
/// # Errors
/// Unknown function, or refused arguments.
pub fn call_foreign_function(name: &str, arguments: &[u8]) -> HostResult<Vec<u8>> {
    let result = fetch("call_foreign_function", |data, length| {
        // SAFETY: pointers and lengths of live slices, two pointers to live locals.
        unsafe {
            raw::proxy_call_foreign_function(
                name.as_ptr(),
                name.len(),
                arguments.as_ptr(),
                arguments.len(),
                data,
                length,
            )
        }
    })?;
    Ok(result.unwrap_or_default())
}
