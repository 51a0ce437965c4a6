//! A client that sends any bytes.

use super::support::outputs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long more is waited for once it is there.
const LINGER: Duration = Duration::from_millis(150);

/// What came back on one connection.
#[derive(Debug)]
pub struct Answers {
    pub bytes: Vec<u8>,
    /// Whether the gateway has closed the connection, or said that it will.
    pub closed: bool,
}

impl Answers {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The statuses of the answers, in order.
    pub fn statuses(&self) -> Vec<u16> {
        let text = self.text();
        let lines = text.split("HTTP/1.1 ").skip(1);
        lines.map(|rest| rest.get(..3).and_then(|code| code.parse().ok()).unwrap()).collect()
    }

    /// The status of the only answer.
    pub fn status(&self) -> u16 {
        let statuses = self.statuses();
        assert_eq!(statuses.len(), 1, "answers: {}", self.text());
        statuses[0]
    }
}

/// Sends bytes and reads what comes back.
pub fn talk(port: u16, bytes: &[u8]) -> Answers {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the gateway listens");
    // It may answer and close before it has read everything.
    let _ = stream.write_all(bytes);
    outputs::given(bytes);
    let answers = read(&mut stream, is_answer);
    outputs::answered(&answers.bytes);
    answers
}

/// Reads until the peer closes the connection, or a while after `done` says that all is there.
pub fn read(stream: &mut TcpStream, done: fn(&[u8]) -> bool) -> Answers {
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let (mut answers, mut piece) = (Answers { bytes: Vec::new(), closed: false }, [0; 4096]);
    let mut until = Instant::now() + PATIENCE;
    let mut complete = false;
    while Instant::now() < until {
        match stream.read(&mut piece) {
            Ok(0) => answers.closed = true,
            Ok(size) => answers.bytes.extend_from_slice(&piece[..size]),
            Err(error) => {
                use std::io::ErrorKind::{TimedOut, WouldBlock};
                answers.closed = !matches!(error.kind(), TimedOut | WouldBlock);
            }
        }
        if answers.closed {
            break;
        }
        if !complete && done(&answers.bytes) {
            complete = true;
            until = Instant::now() + LINGER;
        }
    }
    answers.closed |= answers.text().contains("\r\nconnection: close\r\n");
    answers
}

/// Whether bytes hold an answer of HTTP/1.1 whose length they tell.
fn is_answer(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_some_and(|length| length.parse() == Ok(body.len()))
}
