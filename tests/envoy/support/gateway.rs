//! The gateway as a user runs it: `portkey-envoy run` with the release module and a real Envoy.

use super::client::{self, Response};
use super::outputs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A running gateway. It ends with the value.
pub struct Gateway {
    pub port: u16,
    pub admin: u16,
    pub dir: tempfile::TempDir,
    /// The native tool, whose child is Envoy.
    pub child: Child,
}

impl Gateway {
    /// Starts a gateway; `yaml` is its gateway.yaml without `listen`, `admin` and `logs`.
    pub fn start(yaml: &str) -> Self {
        Self::with_workers(1, yaml)
    }

    /// Starts a gateway whose Envoy logs all that it does.
    pub fn tracing(yaml: &str) -> Self {
        Self::begin(1, "trace", yaml)
    }

    /// Starts a gateway with so many Envoy workers.
    pub fn with_workers(workers: usize, yaml: &str) -> Self {
        Self::begin(workers, "warn", yaml)
    }

    fn begin(workers: usize, log_level: &str, yaml: &str) -> Self {
        for _ in 0..5 {
            let mut gateway = Self::spawn(workers, log_level, yaml);
            if gateway.wait_until_ready() {
                return gateway;
            }
            let stderr = gateway.stderr();
            // Another process may take a port between our look at it and Envoy's.
            let taken = ["cannot be used", "cannot bind"].iter().any(|why| stderr.contains(why));
            assert!(taken, "the gateway did not start:\n{stderr}");
        }
        panic!("no free ports");
    }

    fn spawn(workers: usize, log_level: &str, yaml: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (port, admin) = (free_port(), free_port());
        let config = dir.path().join("gateway.yaml");
        let text = Self::config(dir.path(), port, admin, yaml);
        let text = text.replacen("concurrency: 1", &format!("concurrency: {workers}"), 1);
        outputs::given(text.as_bytes());
        std::fs::write(&config, text).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let child = Command::new(env!("CARGO_BIN_EXE_portkey-envoy"))
            .args(["run", "--log-level", log_level, "--config"])
            .arg(&config)
            .arg("--envoy")
            .arg(envoy(root))
            .arg("--wasm")
            .arg(module(root))
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(dir.path().join("stderr")).unwrap())
            .spawn()
            .expect("the native tool starts");
        Self { port, admin, dir, child }
    }

    /// The text of a gateway.yaml on these ports.
    pub fn config(dir: &Path, port: u16, admin: u16, yaml: &str) -> String {
        let log = dir.join("access.jsonl");
        format!(
            "listen: 127.0.0.1:{port}\nadmin: 127.0.0.1:{admin}\nconcurrency: 1\n\
             logs: [{{type: file, path: {}}}]\n{yaml}\n",
            log.display()
        )
    }

    fn wait_until_ready(&mut self) -> bool {
        // A machine that is busy with other tests needs its time.
        let deadline = Instant::now() + Duration::from_secs(120);
        while Instant::now() < deadline {
            if self.child.try_wait().unwrap().is_some() {
                break;
            }
            if answers(self.admin, "ready") && answers(self.port, "health") {
                return true;
            }
            thread::sleep(Duration::from_millis(50));
        }
        false
    }

    pub fn chat(&self, headers: &[&str], body: &str) -> Response {
        client::chat(self.port, headers, body)
    }

    /// What the tool and Envoy wrote to standard error.
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("stderr")).unwrap_or_default()
    }

    /// Envoy's counters and gauges whose names hold `part`, with their values.
    pub fn stats(&self, part: &str) -> Vec<(String, u64)> {
        let path = format!("/stats?filter={part}");
        let text = client::send(self.admin, "GET", &path, &[], b"").text();
        let parse = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        text.lines().filter_map(parse).collect()
    }

    /// The access log once it has `lines` lines.
    pub fn log(&self, lines: usize) -> Vec<serde_json::Value> {
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            let text = std::fs::read_to_string(self.dir.path().join("access.jsonl"));
            let text = text.unwrap_or_default();
            // The readiness probe is logged, too.
            let records = text.lines().filter_map(|line| serde_json::from_str(line).ok());
            let records: Vec<serde_json::Value> = records
                .filter(|record: &serde_json::Value| {
                    record["response_code_details"] != "portkey:local"
                })
                .collect();
            if records.len() >= lines {
                assert_eq!(records.len(), lines, "lines in the access log");
                return records;
            }
            assert!(Instant::now() < deadline, "the access log has only:\n{text}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Asserts that no VM has crashed, none was refused a function, and no request is stuck.
    pub fn assert_healthy(&self) {
        // A VM that has crashed is noticed by the next request only, and Envoy tells at once.
        for line in self.stderr().lines() {
            let bad = ["panic", "Function: proxy_on", "Uncaught", "restricted"]
                .iter()
                .any(|part| line.contains(part));
            assert!(!bad, "{line}");
        }
        for (name, value) in self.stats("wasm") {
            let bad = ["vm_reload", "crash", "fail_stream"].iter().any(|part| name.contains(part));
            assert!(!bad || value == 0, "{name}: {value}\n{}", self.stderr());
        }
    }

    /// Sends a signal to the tool and waits for it to end.
    pub fn stop(&mut self, signal: i32) -> std::process::ExitStatus {
        outputs::keep(self.dir.path(), self.admin, self.child.id());
        let pid = self.child.id().to_string();
        Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.stop(15);
        }
    }
}

/// Whether a server answers 200.
fn answers(port: u16, path: &str) -> bool {
    outputs::get(port, path).is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 200"))
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The Envoy binary that the tests run.
pub fn envoy(root: &Path) -> PathBuf {
    let path =
        std::env::var_os("ENVOY").map_or_else(|| root.join(".venv/bin/envoy"), PathBuf::from);
    assert!(path.exists(), "{} is missing: run `make setup`", path.display());
    path
}

/// The release module.
pub fn module(root: &Path) -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let path = target.join("wasm32-wasip1/release/portkey_envoy.wasm");
    assert!(path.exists(), "{} is missing: run `make wasm`", path.display());
    path
}
