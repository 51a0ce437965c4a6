"""The examples of `envoy/` as processes: placed into a directory, on free ports of loopback."""

import json
import os
import re
import subprocess
import time
from http.client import HTTPConnection
from pathlib import Path

from support.process import ROOT, free_ports

EXAMPLES = ROOT / "envoy"
# Seconds until Envoy serves, or has ended.
START, STOP = 30, 15


def program(variable, default):
    path = Path(os.environ.get(variable) or ROOT / default).absolute()
    assert path.is_file(), f"{path} is absent: run make build"
    return path


def tool(*arguments, check=True, **environment):
    """Runs the native tool; what it prints."""
    command = [program("PORTKEY_ENVOY", "target/debug/portkey-envoy"), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)
    assert not check or ended.returncode == 0, ended.stderr
    return ended


def render_filter(config, out, *options, **environment):
    """Renders the fragments of a gateway.yaml."""
    module = program("PORTKEY_ENVOY_WASM", "target/wasm32-wasip1/release/portkey_envoy.wasm")
    arguments = ["render", "filter", "--config", config, "--out", out, "--wasm", module]
    return tool(*arguments, *options, **environment)


def place(example, directory, replacements):
    """A file of an example in a directory, with what differs on this machine."""
    source = EXAMPLES / example
    text = source.read_text()
    for old, new in replacements.items():
        assert old in text, f"{example} has no {old}"
        text = text.replace(old, str(new))
    path = directory / f"{source.parent.name}-{source.name}"
    path.write_text(text)
    return path


class Envoy:
    """An Envoy process on a configuration file."""

    def __init__(self, config, admin, directory, name="envoy"):
        self.config, self.admin, self.name = config, admin, name
        self.log = directory / f"{name}.log"
        self.output = directory / f"{name}.out"
        self._process = None

    def start(self):
        """Returns when it serves; a further start goes on in the same logs."""
        command = [
            program("ENVOY", ".venv/bin/envoy"),
            "--config-path", self.config,
            "--concurrency", "1",
            "--use-dynamic-base-id",
            "--reject-unknown-dynamic-fields",
            "--log-level", "warn",
            "--file-flush-interval-msec", "100",
        ]  # fmt: skip
        with self.log.open("ab") as log, self.output.open("ab") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=log
            )
        deadline = time.monotonic() + START
        while not self._is_live():
            assert self._process.poll() is None, f"{self.name}: {self.log.read_text()}"
            assert time.monotonic() < deadline, f"{self.name}: {self.log.read_text()}"
            time.sleep(0.02)
        return self

    def _is_live(self):
        try:
            return self.ask_admin("GET", "/ready") == "LIVE\n"
        except OSError:
            return False

    def ask_admin(self, method, path):
        connection = HTTPConnection("127.0.0.1", self.admin, timeout=5)
        try:
            connection.request(method, path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def statistic(self, name):
        """A counter or gauge."""
        lines = self.ask_admin("GET", f"/stats?filter=^{re.escape(name)}$").splitlines()
        return sum(int(line.rpartition(": ")[2]) for line in lines)

    def drain(self):
        """Takes no more requests, and waits for those under way."""
        self.ask_admin("POST", "/healthcheck/fail")
        self.ask_admin("POST", "/drain_listeners?graceful&skip_exit")
        deadline = time.monotonic() + STOP
        while self.statistic("http.portkey.downstream_rq_active") or self.statistic(
            "http.edge.downstream_rq_active"
        ):
            assert time.monotonic() < deadline, f"{self.name} does not drain"
            time.sleep(0.02)

    def stop(self):
        """Ends it by its pid."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self):
        return self._process.pid

    def records(self):
        """The JSON lines of its access log so far."""
        lines = self.output.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def ask(port, method, path, headers=None, body=None):
    """Status, headers and text of an answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"content-type": "application/json"} | (headers or {}))
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


__all__ = ["Envoy", "ask", "free_ports", "place", "render_filter", "tool"]
