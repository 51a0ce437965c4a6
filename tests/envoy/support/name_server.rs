//! A name server on loopback that knows no name but those that it is told.

use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::thread;

/// A name server. It ends with the process.
pub struct NameServer {
    pub port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl NameServer {
    /// Starts one; it answers `names` with 127.0.0.1, all others with NXDOMAIN.
    pub fn start(names: &'static [&'static str]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let list = asked.clone();
        thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((size, client)) = socket.recv_from(&mut query) {
                let (name, end) = question(&query[..size]);
                let _ = socket.send_to(&answer(&query[..size], &name, end, names), client);
                list.lock().unwrap().push(name);
            }
        });
        Self { port, asked }
    }

    /// The names that it was asked for, in lower case, each as often as it was.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// The name of a query of one question, and where it ends (RFC 1035, section 4).
fn question(query: &[u8]) -> (String, usize) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] > 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(std::str::from_utf8(&query[at + 1..end]).unwrap());
        at = end;
    }
    (labels.join(".").to_ascii_lowercase(), at)
}

fn answer(query: &[u8], name: &str, at: usize, names: &[&str]) -> Vec<u8> {
    let question = &query[12..at + 5];
    let asks_v4 = query[at + 1..at + 3] == [0, 1];
    let known = names.contains(&name);
    let (code, count) = (if known { 0 } else { 3 }, u8::from(known && asks_v4));
    let mut out = query[..2].to_vec();
    out.extend([0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
    out.extend(question);
    if count > 0 {
        out.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    out
}
