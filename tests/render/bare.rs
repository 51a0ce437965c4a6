//! A rendered gateway without the module: its filters are taken out, and what it would write into
//! headers and filter state the test writes itself.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::gateway::{self, PATIENCE, envoy};

/// Where a port of the gateway leads.
pub enum Front {
    /// To a listener inside Envoy, as if the module had just let the request go.
    Listener(&'static str),
    /// To a cluster, through its upstream filters.
    Cluster(&'static str),
}

/// A running Envoy. Dropping it stops it.
pub struct Bare {
    child: Child,
    directory: tempfile::TempDir,
    listen: SocketAddr,
    admin: SocketAddr,
    fronts: Vec<SocketAddr>,
}

impl Bare {
    /// Starts one with this gateway.yaml, but for the addresses, and a port for each front.
    pub fn start<const N: usize>(yaml: &str, fronts: [Front; N]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let [listen, admin] = gateway::free();
        let ports: [SocketAddr; N] = gateway::free();
        render(directory.path(), &gateway::with_addresses(yaml, listen, admin), "out");
        let out = directory.path().join("out");
        edit(&out.join("clusters.json"), take_module_out);
        edit(&out.join("bootstrap.json"), |bootstrap| {
            for listener in bootstrap["static_resources"]["listeners"].as_array_mut().unwrap() {
                replace_gateway_role(listener);
            }
            add_fronts(&mut bootstrap["static_resources"], fronts.iter().zip(ports));
        });
        let child = Command::new(envoy())
            .args(["--concurrency", "1", "--use-dynamic-base-id", "--log-level", "error"])
            .arg("--config-path")
            .arg(out.join("bootstrap.json"))
            .stdin(Stdio::null())
            .stderr(fs::File::create(directory.path().join("stderr")).unwrap())
            .spawn()
            .unwrap();
        let bare = Self { child, directory, listen, admin, fronts: ports.to_vec() };
        bare.wait_until("LIVE", || {
            TcpStream::connect(admin).is_ok() && bare.admin("GET", "/ready") == "LIVE\n"
        });
        let stats = bare.admin("GET", "/stats?filter=update_rejected");
        assert!(stats.lines().all(|line| line.ends_with(": 0")), "{stats}");
        bare
    }

    /// The head and the rest of the answer at a front; `head` without its end.
    pub fn ask(&self, front: usize, head: &str) -> (String, String) {
        gateway::ask(self.fronts[front], head, "")
    }

    /// Whether nothing comes back at a front for so long.
    pub fn is_silent(&self, front: usize, head: &str, long: Duration) -> bool {
        let mut stream = TcpStream::connect(self.fronts[front]).unwrap();
        stream.set_read_timeout(Some(long)).unwrap();
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        let waited = |error: std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
        stream.read(&mut [0]).is_err_and(waited)
    }

    /// The head and the rest of the answer at the listener for clients, where filter state names that cluster.
    pub fn ask_for(&self, cluster: &str) -> (String, String) {
        let head = format!("GET /v1/x HTTP/1.1\r\nhost: a\r\nx-test-cluster: {cluster}\r\n");
        gateway::ask(self.listen, &head, "")
    }

    /// What the admin interface says.
    pub fn admin(&self, method: &str, path: &str) -> String {
        let head = format!("{method} {path} HTTP/1.1\r\nhost: admin\r\n");
        gateway::exchange(self.admin, &head, "")
    }

    /// Replaces one rendered file by what this gateway.yaml gives.
    pub fn replace(&self, file: &str, yaml: &str) {
        let yaml = gateway::with_addresses(yaml, self.listen, self.admin);
        render(self.directory.path(), &yaml, "fresh");
        let path = |name: &str| self.directory.path().join(name).join(file);
        fs::rename(path("fresh"), path("out")).unwrap();
    }

    /// Replaces text in one rendered file.
    pub fn replace_text(&self, file: &str, from: &str, to: &str) {
        let [fresh, path] =
            ["fresh.json", file].map(|name| self.directory.path().join("out").join(name));
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&fresh, text.replace(from, to)).unwrap();
        fs::rename(fresh, path).unwrap();
    }

    /// Waits until something is so.
    pub fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        let started = Instant::now();
        while !is_so() {
            let log = fs::read_to_string(self.directory.path().join("stderr")).unwrap();
            assert!(started.elapsed() < PATIENCE, "not {what}: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        if kill_process(Pid::from_child(&self.child), Signal::TERM).is_ok() {
            self.child.wait().unwrap();
        }
    }
}

fn render(directory: &Path, yaml: &str, out: &str) {
    let config = directory.join("gateway.yaml");
    fs::write(&config, yaml).unwrap();
    gateway::render(&config, &directory.join(out));
}

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    change(&mut value);
    fs::write(path, value.to_string()).unwrap();
}

fn take_module_out(clusters: &mut Value) {
    let options = "/typed_extension_protocol_options/\
                   envoy.extensions.upstreams.http.v3.HttpProtocolOptions/http_filters";
    for cluster in clusters["resources"].as_array_mut().unwrap() {
        if let Some(Value::Array(filters)) = cluster.pointer_mut(options) {
            filters.retain(|filter| filter["name"] != "portkey.provider");
        }
    }
}

/// Filter state comes from a header.
fn replace_gateway_role(listener: &mut Value) {
    let filters = &mut listener["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"];
    if filters[0]["name"] != "portkey.gateway" {
        return;
    }
    filters[0] = extension(
        "filters.http.set_filter_state.v3.Config",
        json!({ "clear_route_cache": true, "on_request_headers": [{
            "object_key": "wasm.portkey.cluster",
            "factory_key": "envoy.string",
            "format_string": {
                "text_format_source": { "inline_string": "%REQ(x-test-cluster)%" },
            },
        }] }),
    );
}

fn add_fronts<'a>(resources: &mut Value, fronts: impl Iterator<Item = (&'a Front, SocketAddr)>) {
    for (front, address) in fronts {
        let cluster = match front {
            Front::Listener(name) => {
                push(resources, "clusters", leads_to(name));
                (*name).to_owned()
            }
            Front::Cluster(name) => (*name).to_owned(),
        };
        let mut filter = main_manager(resources);
        let config = filter["typed_config"].as_object_mut().unwrap();
        config.remove("rds");
        config.remove("early_header_mutation_extensions");
        config["http_filters"].as_array_mut().unwrap().remove(0);
        let route = json!({ "match": { "prefix": "/" }, "route": { "cluster": cluster } });
        let host = json!({ "name": "front", "domains": ["*"], "routes": [route] });
        let routes = json!({ "validate_clusters": false, "virtual_hosts": [host] });
        config.insert("route_config".to_owned(), routes);
        let (host, port) = (address.ip(), address.port());
        let listener = json!({
            "name": address,
            "address": { "socket_address": { "address": host, "port_value": port } },
            "filter_chains": [{ "filters": [filter] }],
        });
        push(resources, "listeners", listener);
    }
}

fn main_manager(resources: &Value) -> Value {
    resources["listeners"][0]["filter_chains"][0]["filters"][0].clone()
}

fn push(resources: &mut Value, list: &str, item: Value) {
    match &mut resources[list] {
        Value::Array(items) => items.push(item),
        none => *none = json!([item]),
    }
}

/// A cluster with the name of the listener that it leads to. `x-test-timeout` of a request becomes
/// the limit that the module would set, which the front would take for its own.
fn leads_to(listener: &str) -> Value {
    let address = json!({ "envoy_internal_address": { "server_listener_name": listener } });
    let timeout = json!({
        "key": "x-envoy-upstream-rq-per-try-timeout-ms",
        "value": "%REQ(x-test-timeout)%",
    });
    let mutations = json!({ "request_mutations": [{ "append": { "header": timeout } }] });
    let filters = json!([
        extension(
            "filters.http.header_mutation.v3.HeaderMutation",
            json!({
                "mutations": mutations,
            })
        ),
        extension("filters.http.upstream_codec.v3.UpstreamCodec", json!({})),
    ]);
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let plain = extension("transport_sockets.raw_buffer.v3.RawBuffer", json!({}));
    json!({
        "name": listener,
        "load_assignment": { "cluster_name": listener, "endpoints": [{ "lb_endpoints": [
            { "endpoint": { "address": address } },
        ] }] },
        "transport_socket": extension(
            "transport_sockets.internal_upstream.v3.InternalUpstreamTransport",
            json!({ "transport_socket": plain }),
        ),
        "typed_extension_protocol_options": { options: {
            "@type": format!("type.googleapis.com/{options}"),
            "explicit_http_config": { "http_protocol_options": {} },
            "http_filters": filters,
        } },
    })
}

/// An extension by the name of its message below `envoy.extensions`.
fn extension(message: &str, mut config: Value) -> Value {
    config["@type"] = format!("type.googleapis.com/envoy.extensions.{message}").into();
    json!({ "name": message, "typed_config": config })
}

/// A provider that answers 200 with the request's head as its body, and with headers that it has
/// no business to set. On a path with `hang` it never answers. It lives as long as the process.
pub fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || answer(stream.unwrap()));
        }
    });
    address
}

fn answer(mut stream: TcpStream) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if !matches!(stream.read(&mut byte), Ok(1)) {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    if head.lines().next().unwrap().contains("hang") {
        // Ends when the other side gives up.
        let _ = stream.read(&mut byte);
        return;
    }
    let answer = format!(
        "HTTP/1.1 200 OK\r\nx-portkey-local: UF\r\nx-portkey-retry: 1\r\n\
         x-portkey-retry-after: 9\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{head}",
        head.len()
    );
    // The other side may have left.
    let _ = stream.write_all(answer.as_bytes());
}
