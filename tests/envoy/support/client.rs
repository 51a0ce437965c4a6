//! A plain HTTP/1.1 client that shows what came when, and whether it came to its end.

use super::outputs;
use super::upstream::{read_chunk, read_headers};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// What the client got.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// When each chunk arrived, from the request on.
    pub arrivals: Vec<Duration>,
    /// Whether the transfer ended as HTTP wants it.
    pub whole: bool,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text()))
    }
}

/// Sends a request; `headers` are raw lines.
pub fn send(port: u16, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Response {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n");
    if !body.is_empty() {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    send_raw(port, &[head.as_bytes(), b"\r\n", body].concat())
}

/// Sends a JSON body to the chat completions endpoint.
pub fn chat(port: u16, headers: &[&str], body: &str) -> Response {
    let headers = [&["content-type: application/json"], headers].concat();
    send(port, "POST", "/v1/chat/completions", &headers, body.as_bytes())
}

/// Sends bytes as they are.
pub fn send_raw(port: u16, request: &[u8]) -> Response {
    let started = Instant::now();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the gateway listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // A gateway may answer and close before it has read everything.
    let _ = stream.write_all(request);
    outputs::given(request);
    let response = read_response(&mut BufReader::new(stream), started);
    outputs::answered(format!("{:?}\n", response.headers).as_bytes());
    outputs::answered(&response.body);
    response
}

fn read_response(reader: &mut BufReader<TcpStream>, started: Instant) -> Response {
    let mut line = String::new();
    reader.read_line(&mut line).expect("a status line");
    let status = line.split_whitespace().nth(1).and_then(|word| word.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no status line: {line:?}"));
    let headers = read_headers(reader).expect("response headers");
    let (body, arrivals, whole) = (Vec::new(), Vec::new(), false);
    let mut response = Response { status, headers, body, arrivals, whole };
    match response.header("content-length").map(str::to_owned) {
        Some(length) => {
            let length: u64 = length.parse().unwrap();
            let read = reader.take(length).read_to_end(&mut response.body);
            response.whole = read.is_ok_and(|read| read as u64 == length);
        }
        None => read_chunks(reader, started, &mut response),
    }
    response
}

fn read_chunks(reader: &mut BufReader<TcpStream>, started: Instant, response: &mut Response) {
    loop {
        // The last chunk is recognised before it is consumed.
        let last = reader.fill_buf().is_ok_and(|bytes| bytes.starts_with(b"0\r\n"));
        match read_chunk(reader) {
            Some(chunk) => {
                response.arrivals.push(started.elapsed());
                response.body.extend(chunk);
            }
            None => {
                response.whole = last;
                return;
            }
        }
    }
}
