//! What the module may ask of Envoy.

use super::support::gateway::module;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

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

/// The names in the rendered configuration of both roles.
fn allowed() -> BTreeSet<String> {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("gateway.yaml");
    std::fs::write(&config, "logs: []\n").unwrap();
    let out = dir.path().join("out");
    let rendered = Command::new(env!("CARGO_BIN_EXE_portkey-envoy"))
        .args(["render", "envoy", "--config"])
        .arg(&config)
        .arg("--out")
        .arg(&out)
        .arg("--wasm")
        .arg(module(Path::new(env!("CARGO_MANIFEST_DIR"))))
        .status();
    assert!(rendered.unwrap().success());
    let names = |file: &str| -> BTreeSet<String> {
        let text = std::fs::read_to_string(out.join(file)).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let config = &json["resources"][0]["typed_config"]["config"];
        let list = &config["capability_restriction_config"]["allowed_capabilities"];
        list.as_object().expect("a list").keys().cloned().collect()
    };
    assert_eq!(names("gateway.json"), names("provider.json"));
    names("gateway.json")
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
