"""The gateway in front of a provider that embeds texts and counts its answers."""

import json
import os
import socket
import subprocess
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Seconds until the gateway serves, and until it has ended.
START, STOP = 60, 15
MODEL = "all-MiniLM-L6-v2"


class Server:
    """An HTTP server on loopback; `answer(method, path, body)` gives status and JSON."""

    def __init__(self, answer):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                status, value = answer(self.command, self.path, self.headers, body)
                data = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = handle_any

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()


class Provider:
    """Embeds by a function; its chat completions are numbered."""

    def __init__(self, embed):
        self.embed, self.answers = embed, 0
        self.server = Server(self.answer)

    def answer(self, _method, path, _headers, body):
        body = json.loads(body)
        if path == "/v1/embeddings":
            vector = [float(value) for value in self.embed(body["input"])]
            item = {"object": "embedding", "index": 0, "embedding": vector}
            return 200, {"object": "list", "model": MODEL, "data": [item]}
        assert path == "/v1/chat/completions", path
        self.answers += 1
        message = {"role": "assistant", "content": f"answer {self.answers}"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        head = {"id": f"c-{self.answers}", "object": "chat.completion", "created": 1}
        return 200, {**head, "model": "m", "choices": [choice]}


@pytest.fixture
def start(tmp_path):
    """Starts a gateway with this embedding function and this `cache`; gives its port."""
    processes, servers = [], []

    def start(embed, cache):
        provider = Provider(embed)
        servers.append(provider.server)
        port, admin = free_ports(2)
        key = {
            "provider": "openai",
            "api_key": "sk-test",
            "base_url": f"http://127.0.0.1:{provider.server.port}/v1",
        }
        settings = {
            "listen": f"127.0.0.1:{port}",
            "admin": f"127.0.0.1:{admin}",
            "concurrency": 1,
            "virtual_keys": {"k": key},
            "cache": cache,
            "logs": [],
        }
        config = tmp_path / f"gateway-{port}.yaml"
        # JSON is YAML, too.
        config.write_text(json.dumps(settings))
        command = [
            program("PORTKEY_ENVOY", "target/debug/portkey-envoy"), "run", "--config", config,
            "--envoy", program("ENVOY", ".venv/bin/envoy"),
            "--wasm", program(
                "PORTKEY_ENVOY_WASM", "target/wasm32-wasip1/release/portkey_envoy.wasm"
            ),
        ]  # fmt: skip
        path = tmp_path / f"output-{port}"
        with path.open("wb") as output:
            processes.append(subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output))
        wait(port, path)
        return port

    yield start
    for process in processes:
        process.terminate()
        process.wait(STOP)
    for server in servers:
        server.close()


def wait(port, output):
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(output.read_text())


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def program(variable, default):
    return Path(os.environ.get(variable, ROOT / default))


@pytest.fixture
def ask():
    """Asks a question in a namespace; gives the cache's status and the answer."""
    config = json.dumps({"virtual_key": "k", "cache": {"mode": "semantic"}})

    def ask(port, text, namespace="n"):
        body = {"model": "m", "messages": [{"role": "user", "content": text}]}
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/chat/completions",
            json.dumps(body).encode(),
            {
                "content-type": "application/json",
                "x-portkey-config": config,
                "x-portkey-cache-namespace": namespace,
            },
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
            status = response.headers["x-portkey-cache-status"]
        return status, answer["choices"][0]["message"]["content"]

    return ask
