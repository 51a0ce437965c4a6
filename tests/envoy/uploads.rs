//! Forms and audio pass as they come: nothing holds them, in either direction.

use super::support::client;
use super::support::gateway::Gateway;
use super::support::upstream::{Step, Upstream, read_headers};
use super::{OAI, virtual_keys};
use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const PIECE: usize = 1 << 20;
const PIECES: usize = 30;
/// KiB by which Envoy may grow meanwhile: far less than the form.
const GROWTH: usize = 12 << 10;
const ANSWER: &str = r#"{"text":"Don't panic"}"#;

/// Takes one request; counts the bytes of its body as they come, and answers at its end.
fn counting_server() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let arrived = Arc::new(AtomicUsize::new(0));
    let count = arrived.clone();
    thread::spawn(move || {
        let (connection, _) = listener.accept().unwrap();
        let mut writer = connection.try_clone().unwrap();
        let mut reader = BufReader::new(connection);
        let headers = read_headers(&mut skip_line(&mut reader)).unwrap();
        let length = headers.iter().find(|(name, _)| name == "content-length").unwrap();
        let length: usize = length.1.parse().unwrap();
        let mut piece = vec![0; 64 << 10];
        while count.load(Ordering::SeqCst) < length {
            match reader.read(&mut piece) {
                Ok(size) if size > 0 => count.fetch_add(size, Ordering::SeqCst),
                _ => return,
            };
        }
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
        let _ = write!(writer, "{head}{}\r\n\r\n{ANSWER}", ANSWER.len());
    });
    (port, arrived)
}

/// The reader behind the request line.
fn skip_line(reader: &mut BufReader<TcpStream>) -> &mut BufReader<TcpStream> {
    let mut byte = [0];
    while reader.read_exact(&mut byte).is_ok() && byte != *b"\n" {}
    reader
}

/// KiB of memory of the tool's child, Envoy.
fn resident(gateway: &Gateway) -> usize {
    let tool = gateway.child.id();
    let children = std::fs::read_to_string(format!("/proc/{tool}/task/{tool}/children")).unwrap();
    let envoy = children.split_whitespace().next().expect("Envoy runs");
    let status = std::fs::read_to_string(format!("/proc/{envoy}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn wait_for(arrived: &AtomicUsize, size: usize) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while arrived.load(Ordering::SeqCst) < size {
        assert!(Instant::now() < deadline, "{size} bytes have not arrived");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_form_arrives_while_it_is_sent_and_takes_no_memory() {
    let (port, arrived) = counting_server();
    let gateway = Gateway::start(&virtual_keys(port, port));
    let mut client = TcpStream::connect(("127.0.0.1", gateway.port)).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let head = format!(
        "POST /v1/audio/transcriptions HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n{OAI}\r\n\
         content-type: multipart/form-data; boundary=b\r\ncontent-length: {}\r\n\r\n",
        PIECE * PIECES
    );
    client.write_all(head.as_bytes()).unwrap();
    let piece = vec![b'a'; PIECE];
    let before = resident(&gateway);
    let mut most = before;
    for number in 1..=PIECES {
        client.write_all(&piece).unwrap();
        wait_for(&arrived, PIECE * number);
        most = most.max(resident(&gateway));
    }
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with(ANSWER), "{answer}");
    assert!(most - before < GROWTH, "Envoy grew from {before} to {most} KiB");
    gateway.assert_healthy();
}

#[test]
fn audio_arrives_while_it_is_made() {
    let pause = Duration::from_secs(2);
    let piece = [&b"\x00\xff"[..], &[7; 4094]].concat();
    let chunk = [b"1000\r\n", piece.as_slice(), b"\r\n"].concat();
    let upstream = Upstream::answering(vec![
        Step::Write(
            b"HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ntransfer-encoding: chunked\r\n\r\n"
                .to_vec(),
        ),
        Step::Write(chunk.clone()),
        Step::Sleep(pause),
        Step::Write([chunk.as_slice(), b"0\r\n\r\n"].concat()),
    ]);
    let gateway = Gateway::start(&virtual_keys(upstream.port, upstream.port));
    let headers = [OAI, "content-type: application/json"];
    let body = br#"{"model":"tts-1","voice":"alloy","input":"Don't panic"}"#;
    let response = client::send(gateway.port, "POST", "/v1/audio/speech", &headers, body);
    assert!(response.whole && response.body == piece.repeat(2));
    let gap = *response.arrivals.last().unwrap() - *response.arrivals.first().unwrap();
    assert!(gap > pause / 2, "all came at once, after {:?}", response.arrivals);
    gateway.assert_healthy();
}
