//! What a test run leaves behind, for the search for secrets that ends `make test`: all that a
//! gateway has let out, and the secrets that it knew. A folder per test below
//! `$PORTKEY_TEST_OUTPUTS`; without that variable nothing is kept.
//!
//! Nothing here panics: a gateway that is dropped by a failed test must not hide the failure.

use std::fs::{OpenOptions, create_dir_all};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Pages of the admin interface.
const PAGES: [&str; 7] = [
    "config_dump?include_eds",
    "stats",
    "clusters",
    "listeners",
    "certs",
    "server_info",
    "runtime",
];
/// Of what a client sends or gets, no more is kept.
const LONGEST: usize = 1 << 20;
/// Shorter words could be part of others.
const SHORTEST: usize = 8;
/// How words begin that are secrets.
const PREFIXES: [&str; 4] = ["sk-", "pk-", "key-of-", "ya29."];
/// What stands before secrets, in a gateway.yaml, a config object, or the headers of a request.
const NAMES: [&str; 9] = [
    "api_key",
    "api-key",
    "secret_access_key",
    "secret-access-key",
    "session_token",
    "session-token",
    "Bearer",
    "password",
    "ad_token",
];

/// The folder of this test.
fn folder() -> Option<PathBuf> {
    let root = std::env::var_os("PORTKEY_TEST_OUTPUTS")?;
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("threads").replace("::", ".");
    let program = std::env::current_exe().ok()?;
    let program = program.file_stem()?.to_str()?.split('-').next()?.to_owned();
    let path = Path::new(&root).join(program).join(name);
    create_dir_all(&path).ok()?;
    Some(path)
}

fn append(file: &str, bytes: &[u8]) {
    let Some(folder) = folder() else { return };
    let opened = OpenOptions::new().create(true).append(true).open(folder.join(file));
    let _ = opened.and_then(|mut file| file.write_all(bytes));
}

/// The secrets in what a gateway is given: its configuration, a request.
pub fn given(bytes: &[u8]) {
    let Some(bytes) = bytes.get(..bytes.len().min(LONGEST)) else { return };
    let text = String::from_utf8_lossy(bytes);
    let words: String = secrets(&text).iter().map(|word| format!("{word}\n")).collect();
    append("secrets", words.as_bytes());
}

/// What a client got.
pub fn answered(bytes: &[u8]) {
    let Some(bytes) = bytes.get(..bytes.len().min(LONGEST)) else { return };
    append("answers", &[bytes, b"\n"].concat());
}

/// Words of the text that are secrets.
fn secrets(text: &str) -> Vec<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_.-/+=".contains(c);
    let word = |rest: &str| -> usize { rest.find(|c| !is_part(c)).unwrap_or(rest.len()) };
    let after = |name: &str| -> Vec<&str> {
        let found = text.match_indices(name).filter_map(|(at, _)| text.get(at + name.len()..));
        let skip =
            |rest: &'_ str| rest.len() - rest.trim_start_matches(['"', '\'', ':', ' ', '[']).len();
        found
            .filter_map(|rest| rest.get(skip(rest)..))
            .filter_map(|rest| rest.get(..word(rest)))
            .collect()
    };
    let named = NAMES.iter().flat_map(|name| after(name));
    let marked = text
        .split(|c| !is_part(c))
        .filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)));
    named.chain(marked).filter(|word| word.len() >= SHORTEST).collect()
}

/// All that a gateway that still runs has let out so far: `dir` has its log and standard error,
/// `tool` is the process whose child is Envoy.
pub fn keep(dir: &Path, admin: u16, tool: u32) {
    if folder().is_none() {
        return;
    }
    let line = std::fs::read(format!("/proc/{tool}/cmdline")).unwrap_or_default();
    // Whoever has Envoy log all that it does sees headers as they are.
    let traces = String::from_utf8_lossy(&line).contains("--log-level\0trace");
    for file in ["stderr", "access.jsonl"].into_iter().skip(usize::from(traces)) {
        append(file, &std::fs::read(dir.join(file)).unwrap_or_default());
    }
    for page in PAGES {
        let file = page.split('?').next().unwrap_or(page);
        append(file, &get(admin, page).unwrap_or_default());
    }
    let children = std::fs::read_to_string(format!("/proc/{tool}/task/{tool}/children"));
    let children = children.unwrap_or_default();
    for pid in [tool.to_string().as_str()].into_iter().chain(children.split_whitespace()) {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        append("arguments", &line);
        rendered(&String::from_utf8_lossy(&line));
    }
}

/// The rendered files of the Envoy with these arguments, but for those that hold one secret each.
fn rendered(arguments: &str) {
    let bootstrap = arguments.split('\0').find(|word| word.ends_with("bootstrap.json"));
    let files = bootstrap.and_then(|path| std::fs::read_dir(Path::new(path).parent()?).ok());
    for entry in files.into_iter().flatten().flatten().filter(|entry| entry.path().is_file()) {
        append("rendered", &std::fs::read(entry.path()).unwrap_or_default());
    }
}

/// An answer, head and body.
pub fn get(port: u16, page: &str) -> std::io::Result<Vec<u8>> {
    let wait = Duration::from_secs(5);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, wait)?;
    stream.set_read_timeout(Some(wait))?;
    write!(stream, "GET /{page} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}
