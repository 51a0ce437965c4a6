//! What the module may ask of Envoy.

use super::bench::CHAT;
use super::support::client;
use super::support::gateway::{Gateway, envoy, free_port, module};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What the SDK declares, and nothing here calls. Envoy gives the module a function that refuses.
const REFUSED: [&str; 12] = [
    "proxy_dequeue_shared_queue",
    "proxy_done",
    "proxy_enqueue_shared_queue",
    "proxy_get_header_map_value",
    "proxy_get_status",
    "proxy_grpc_call",
    "proxy_grpc_cancel",
    "proxy_grpc_close",
    "proxy_grpc_send",
    "proxy_grpc_stream",
    "proxy_register_shared_queue",
    "proxy_resolve_shared_queue",
];

#[test]
fn the_module_is_allowed_what_it_uses_and_nothing_else() {
    let (imports, exports) = sections();
    let allowed = allowed();
    let refused: BTreeSet<String> = REFUSED.iter().map(|name| (*name).to_owned()).collect();
    assert!(allowed.is_disjoint(&refused));
    let wanted: BTreeSet<String> = imports.difference(&refused).cloned().collect();
    let called: BTreeSet<String> =
        allowed.iter().filter(|name| !name.starts_with("proxy_on_")).cloned().collect();
    assert_eq!(called, wanted, "host functions");
    for callback in allowed.iter().filter(|name| name.starts_with("proxy_on_")) {
        assert!(exports.contains(callback), "{callback} is no export");
    }
}

/// Envoy calls the field deprecated: whether it still obeys is what counts. That the list is long
/// enough the other tests show, none of which may find a refusal in Envoy's log.
#[test]
fn envoy_refuses_what_is_not_allowed() {
    // A function of Envoy's: the module's calls fail, and so does what it needs them for.
    let edited = Edited::start("proxy_get_header_map_pairs");
    let answer = client::chat(edited.port, &["x-portkey-provider: demo"], CHAT);
    assert_eq!(answer.status, 500, "{}", answer.text());
    assert_eq!(answer.json()["error"]["code"], "internal_error");
    assert!(edited.stderr().contains(RESTRICTED), "{}", edited.stderr());
    // A function of the module's: Envoy does not call it, and nobody says where the request goes.
    let edited = Edited::start("proxy_on_request_headers");
    let answer = client::chat(edited.port, &["x-portkey-provider: demo"], CHAT);
    assert_eq!(answer.status, 500, "{}", answer.text());
    assert_eq!(answer.json()["error"]["code"], "no_route");
}

/// What Envoy says of each such call.
const RESTRICTED: &str =
    "Attempted call to restricted proxy-wasm capability: proxy_get_header_map_pairs";

/// An Envoy on a rendered configuration in which the module is allowed one function less.
struct Edited {
    port: u16,
    dir: tempfile::TempDir,
    child: Child,
}

impl Edited {
    fn start(without: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (port, admin) = (free_port(), free_port());
        render(dir.path(), &Gateway::config(dir.path(), port, admin, ""));
        for file in ROLES {
            let path = dir.path().join("out").join(file);
            let mut json = resource(&path);
            let list = &mut json["resources"][0]["typed_config"]["config"]["capability_restriction_config"]
                ["allowed_capabilities"];
            assert!(list.as_object_mut().unwrap().remove(without).is_some());
            std::fs::write(path, json.to_string()).unwrap();
        }
        let child = Command::new(envoy(Path::new(env!("CARGO_MANIFEST_DIR"))))
            .args(["--concurrency", "1", "--use-dynamic-base-id", "--log-level", "error"])
            .arg("--config-path")
            .arg(dir.path().join("out/bootstrap.json"))
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(dir.path().join("stderr")).unwrap())
            .spawn()
            .unwrap();
        let edited = Self { port, dir, child };
        let deadline = Instant::now() + Duration::from_secs(120);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "Envoy did not start: {}", edited.stderr());
            std::thread::sleep(Duration::from_millis(50));
        }
        edited
    }

    fn stderr(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("stderr")).unwrap()
    }
}

impl Drop for Edited {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The files of the two roles' plugins.
const ROLES: [&str; 2] = ["gateway.json", "provider.json"];

/// Renders that gateway.yaml into the folder `out` below `dir`.
fn render(dir: &Path, yaml: &str) {
    let config = dir.join("gateway.yaml");
    std::fs::write(&config, yaml).unwrap();
    let rendered = Command::new(env!("CARGO_BIN_EXE_portkey-envoy"))
        .args(["render", "envoy", "--config"])
        .arg(&config)
        .arg("--out")
        .arg(dir.join("out"))
        .arg("--wasm")
        .arg(module(Path::new(env!("CARGO_MANIFEST_DIR"))))
        .stdout(Stdio::null())
        .status();
    assert!(rendered.unwrap().success());
}

fn resource(path: &Path) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The names in the rendered configuration of both roles.
fn allowed() -> BTreeSet<String> {
    let dir = tempfile::tempdir().unwrap();
    render(dir.path(), "logs: []\n");
    let names = ROLES.map(|file| -> BTreeSet<String> {
        let json = resource(&dir.path().join("out").join(file));
        let config = &json["resources"][0]["typed_config"]["config"];
        let list = &config["capability_restriction_config"]["allowed_capabilities"];
        list.as_object().expect("a list").keys().cloned().collect()
    });
    assert_eq!(names[0], names[1]);
    names[0].clone()
}

/// Names of the functions that the module imports and exports.
fn sections() -> (BTreeSet<String>, BTreeSet<String>) {
    let bytes = std::fs::read(module(Path::new(env!("CARGO_MANIFEST_DIR")))).unwrap();
    let (mut imports, mut exports) = (BTreeSet::new(), BTreeSet::new());
    let mut file = Reader(&bytes[8..]);
    while !file.0.is_empty() {
        let kind = file.byte();
        let size = file.number();
        let mut section = Reader(file.take(size));
        match kind {
            2 => {
                for _ in 0..section.number() {
                    section.name();
                    imports.insert(section.name());
                    assert_eq!(section.byte(), 0, "only functions are imported");
                    section.number();
                }
            }
            7 => {
                for _ in 0..section.number() {
                    let name = section.name();
                    if section.byte() == 0 {
                        exports.insert(name);
                    }
                    section.number();
                }
            }
            _ => {}
        }
    }
    (imports, exports)
}

/// Of the binary format of WebAssembly, section 5.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, size: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(size);
        self.0 = rest;
        head
    }

    fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    /// An unsigned LEB128.
    fn number(&mut self) -> usize {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            value |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 128 {
                return value;
            }
        }
    }

    fn name(&mut self) -> String {
        let size = self.number();
        String::from_utf8(self.take(size).to_vec()).unwrap()
    }
}
