"""What is measured, as processes on free loopback ports, each ended by its process id.

The core of a machine that a contender runs on is its own; everything else shares the others.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".bench"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
ENVOY = os.environ.get("ENVOY", str(ROOT / ".venv/bin/envoy"))
MODULE = TARGET / "wasm32-wasip1/release/portkey_envoy.wasm"
NOOP = WORK / "target/wasm32-wasip1/release/bench_noop.wasm"
UPSTREAM = WORK / "target/release/bench-upstream"
TOOL = TARGET / "debug/portkey-envoy"

CORES = sorted(os.sched_getaffinity(0))
# The contender under load has this core alone.
MEASURED = {CORES[0]}
OTHERS = set(CORES[1:]) or MEASURED
START_SECONDS = 90


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A server and the process whose work is counted."""

    def __init__(self, name, command, cores, env=None, directory=None):
        self.name = name
        self.log = open(WORK / f"{name}.log", "w+")
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE if cores is OTHERS else self.log,
            stderr=self.log,
            env=os.environ | (env or {}),
            cwd=directory,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        self.begun = time.monotonic()
        self.pid = self.process.pid

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mib(self):
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def child(self):
        """Counts the work of the process that the started one has started."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        self.pid = int(children[0])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def upstream():
    process = Process("upstream", [UPSTREAM], OTHERS)
    process.port = int(process.process.stdout.readline())
    return process


def wait_for(process, url, headers, body):
    """Seconds from its start until the server answers this request with 200."""
    begin = process.begun
    request = urllib.request.Request(url, body, headers)
    while time.monotonic() - begin < START_SECONDS and process.process.poll() is None:
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                answer.read()
                return time.monotonic() - begin
        except OSError:
            time.sleep(0.02)
    raise SystemExit(f"{process.name} does not answer, see {process.log.name}")


def envoy(name, bootstrap):
    """A stock Envoy with one worker."""
    path = WORK / f"{name}.json"
    path.write_text(json.dumps(bootstrap))
    command = [ENVOY, "-c", path, "--concurrency", "1", "-l", "error", "--use-dynamic-base-id"]
    return Process(name, command, MEASURED)


def bare(name, upstream_port, filters=(), log=None):
    """Envoy in front of the upstream, with nothing that is not needed but these filters."""
    port = free_port()
    kind = "type.googleapis.com/envoy.extensions.filters"
    manager = {
        "@type": f"{kind}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "access_log": [log] if log else [],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [
                        {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "0s"}}
                    ],
                }
            ]
        },
        "http_filters": [
            *filters,
            {"name": "router", "typed_config": {"@type": f"{kind}.http.router.v3.Router"}},
        ],
    }
    many = 1_000_000
    cluster = {
        "name": "upstream",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": "upstream",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(upstream_port)}}]}],
        },
        "circuit_breakers": {
            "thresholds": [
                {"max_requests": many, "max_connections": many, "max_pending_requests": many}
            ]
        },
    }
    listener = {
        "name": "all",
        "address": address(port),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    process = envoy(name, {"static_resources": {"listeners": [listener], "clusters": [cluster]}})
    process.port = port
    return process


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def noop(name, upstream_port, publishes=False):
    """Envoy with two filters that do nothing: what the shape costs, whatever is built on it."""
    configuration = "attributes" if publishes else ""
    filters = [
        {
            "name": f"noop{number}",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                "config": {
                    "configuration": {
                        "@type": "type.googleapis.com/google.protobuf.StringValue",
                        "value": configuration if number == 0 else "",
                    },
                    "vm_config": {
                        "vm_id": "noop",
                        "runtime": "envoy.wasm.runtime.v8",
                        "code": {"local": {"filename": str(NOOP)}},
                    },
                },
            },
        }
        for number in range(2)
    ]
    log = None
    if publishes:
        fields = {f"a{n:02}": f"%FILTER_STATE(wasm.a{n:02}:PLAIN)%" for n in range(30)}
        log = {
            "name": "file",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                "path": str(WORK / f"{name}.jsonl"),
                "log_format": {"json_format": fields},
            },
        }
    return bare(name, upstream_port, filters, log)


def ours(name, settings):
    """This gateway, as its users start it."""
    directory = WORK / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    port = free_port()
    own = {"listen": f"127.0.0.1:{port}", "admin": f"127.0.0.1:{free_port()}", "concurrency": 1}
    # JSON is YAML, too.
    (directory / "gateway.yaml").write_text(json.dumps(own | settings))
    command = [TOOL, "run", "--config", "gateway.yaml", "--envoy", ENVOY, "--wasm", MODULE]
    process = Process(name, command, MEASURED, directory=directory)
    process.port = port
    return process


def portkey():
    """Portkey's own gateway, kept to loopback."""
    port = free_port()
    home = ROOT / "tests/portkey"
    script = home / "node_modules/@portkey-ai/gateway/build/start-server.js"
    guard = home / "loopback.cjs"
    command = ["node", "--require", guard, script, "--headless", f"--port={port}"]
    process = Process("portkey", command, MEASURED)
    process.port = port
    return process


def litellm(upstream_port):
    """LiteLLM's proxy, kept from fetching its price list."""
    port = free_port()
    model = {"model": "openai/gpt-4o-mini", "api_key": "sk-x"}
    model["api_base"] = f"http://127.0.0.1:{upstream_port}/v1"
    config = {"model_list": [{"model_name": "gpt-4o-mini", "litellm_params": model}]}
    path = WORK / "litellm.yaml"
    path.write_text(json.dumps(config))
    command = [WORK / "litellm/bin/litellm", "--config", path, "--host", "127.0.0.1"]
    command += ["--port", str(port), "--num_workers", "1", "--telemetry", "False"]
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "127.0.0.1", "LITELLM_LOG": "ERROR"}
    process = Process("litellm", command, MEASURED, env)
    process.port = port
    return process
