"""The gateway with a log of each type, in front of a provider whose answers a test scripts."""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import servers

ROOT = Path(__file__).resolve().parents[2]
# Seconds until the gateway serves, and until it has ended.
START, STOP = 60, 15

ANSWER = {
    "id": "c-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m-1",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "hello"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
}
# What the last user says to get another answer.
FAIL, SLOW = "fail", "slow"


class Provider(servers.Served):
    def __init__(self):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                said = request["messages"][-1]["content"]
                time.sleep(0.6 if said == SLOW else 0)
                error = {"error": {"message": "no", "type": "server_error"}}
                data = json.dumps(error if said == FAIL else ANSWER).encode()
                self.send_response(500 if said == FAIL else 200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.serve(Handler)


class Gateway:
    def __init__(self, directory, provider, logs):
        self.port, admin = free_port(), free_port()
        self.log = directory / "access.jsonl"
        base = f"http://127.0.0.1:{provider.port}/v1"
        config = {
            "listen": f"127.0.0.1:{self.port}",
            "admin": f"127.0.0.1:{admin}",
            "concurrency": 1,
            "virtual_keys": {"a": {"provider": "openai", "api_key": "sk-x", "base_url": base}},
            "logs": [{"type": "file", "path": str(self.log)}, *logs],
        }
        # JSON is YAML, too.
        (directory / "gateway.yaml").write_text(json.dumps(config))
        target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        module = target / "wasm32-wasip1/release/portkey_envoy.wasm"
        module = os.environ.get("PORTKEY_ENVOY_WASM", module)
        tool = os.environ.get("PORTKEY_ENVOY", target / "debug/portkey-envoy")
        envoy = os.environ.get("ENVOY", ROOT / ".venv/bin/envoy")
        command = [tool, "run", "--config", "gateway.yaml", "--envoy", envoy, "--wasm", module]
        self.errors = open(directory / "stderr", "w+")
        self.process = subprocess.Popen(command, cwd=directory, stderr=self.errors)
        deadline = time.monotonic() + START
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5).close()
                return
            except OSError:
                time.sleep(0.05)
        self.stop()
        pytest.fail((directory / "stderr").read_text())

    def ask(self, said, **headers):
        body = {"model": "m", "messages": [{"role": "user", "content": said}]}
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        names |= {"x-portkey-virtual-key": "a", "content-type": "application/json"}
        url = f"http://127.0.0.1:{self.port}/v1/chat/completions"
        request = urllib.request.Request(url, json.dumps(body).encode(), names)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def lines(self, count):
        """Lines of the log file, but for probes."""
        return wait(lambda: [one for one in self.read() if not is_probe(one)], count)

    def read(self):
        text = self.log.read_text() if self.log.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()


def is_probe(record):
    return record.get("response_code_details") == "portkey:local"


def wait(read, count):
    deadline = time.monotonic() + 20
    while len(found := read()) < count and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(found) == count, found
    return found


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


@pytest.fixture(scope="session")
def provider():
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture(scope="session")
def sinks():
    """A server of each type."""
    found = {
        "otlp_grpc": servers.OtlpGrpc(),
        "otlp_http": servers.OtlpHttp(),
        "grpc": servers.AccessLogService(),
        "fluentd": servers.Fluentd(),
    }
    yield found
    for sink in found.values():
        sink.close()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory, provider, sinks):
    directory = tmp_path_factory.mktemp("gateway")
    place = lambda name: f"127.0.0.1:{sinks[name].port}"
    file = lambda name: {"type": "file", "path": str(directory / name)}
    logs = [
        {"type": "opentelemetry", "url": f"http://{place('otlp_grpc')}"},
        {"type": "opentelemetry", "url": f"http://{place('otlp_http')}", "protocol": "http"},
        {"type": "grpc", "address": place("grpc"), "name": "mine"},
        {"type": "fluentd", "address": place("fluentd"), "tag": "llm.requests"},
        file("errors") | {"only": {"errors": True}},
        file("slow") | {"only": {"slower_than": 500}},
        file("both") | {"only": {"errors": True, "slower_than": 500}},
        file("share") | {"only": {"sample": 30}},
        file("all") | {"only": {"sample": 100}},
    ]
    gateway = Gateway(directory, provider, logs)
    gateway.directory = directory
    yield gateway
    gateway.stop()
