//! A client that waits so long and no longer, and keeps whatever came.

use super::support::client::Response;
use super::support::upstream::{read_chunk, read_headers};
use std::io::{BufRead, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Longest time that any request may take.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Asks for a chat completion; `headers` are raw lines. Who drops the connection leaves early.
pub fn begin(port: u16, headers: &[&str], body: &str) -> TcpStream {
    let mut head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n",
        body.len()
    );
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the gateway listens");
    // A gateway may answer and close before it has read everything.
    let _ = stream.write_all(&[head.as_bytes(), b"\r\n", body.as_bytes()].concat());
    stream
}

/// Asks for a chat completion and waits for the answer, whose status is 0 when there was none.
///
/// # Panics
/// The answer did not end in time.
pub fn chat(port: u16, headers: &[&str], body: &str) -> Response {
    let started = Instant::now();
    let mut stream = begin(port, headers, body);
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 16 << 10];
    loop {
        let left = DEADLINE.saturating_sub(started.elapsed());
        assert!(!left.is_zero(), "the answer hangs after:\n{}", String::from_utf8_lossy(&bytes));
        stream.set_read_timeout(Some(left)).unwrap();
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    parse(&bytes)
}

fn parse(mut bytes: &[u8]) -> Response {
    let mut line = String::new();
    let _ = bytes.read_line(&mut line);
    let status = line.split_whitespace().nth(1).and_then(|word| word.parse().ok());
    let headers = read_headers(&mut bytes).unwrap_or_default();
    let mut response = Response {
        status: status.unwrap_or(0),
        headers,
        body: Vec::new(),
        arrivals: Vec::new(),
        whole: false,
    };
    match response.header("content-length").map(str::to_owned) {
        Some(length) => {
            response.whole = length.parse() == Ok(bytes.len());
            response.body = bytes.to_vec();
        }
        None => loop {
            let last = bytes.starts_with(b"0\r\n\r\n");
            let Some(chunk) = read_chunk(&mut bytes) else {
                response.whole = last;
                break;
            };
            response.body.extend(chunk);
        },
    }
    response
}
