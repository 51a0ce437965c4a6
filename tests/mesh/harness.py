"""The examples of `envoy/` as processes: placed into a directory, on free ports of loopback."""

import json
import os
import re
import subprocess
import time
from http.client import HTTPConnection
from pathlib import Path

from certificates import EGRESS_HOST
from support import outputs
from support.process import ROOT, free_ports

EXAMPLES = ROOT / "envoy"
# Seconds until Envoy serves, or has ended.
START, STOP = 120, 15
# Seconds that a draining Envoy tells its clients so before it closes its listeners.
DRAIN = 1


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


# Spans are sent one by one, so that none is waiting when an Envoy is ended.
RUNTIME = """layered_runtime:
  layers:
  - name: test
    static_layer: {tracing.opentelemetry.min_flush_spans: 1}
static_resources:
"""


def place_egress(directory, authority, port, admin, collector):
    """The second tier; what is rendered is in `portkey` of that directory."""
    _place_certificate("egress", directory, authority)
    return place("two-tier/egress.yaml", directory, {
        "/etc/portkey": directory / "portkey",
        "/etc/certs": authority.directory,
        "0.0.0.0, port_value: 8443": f"127.0.0.1, port_value: {port}",
        "port_value: 9902": f"port_value: {admin}",
        "port_value: 4318": f"port_value: {collector}",
        "static_resources:\n": RUNTIME,
    })  # fmt: skip


def place_edge(directory, authority, port, admin, egress_port, collector):
    """The first tier."""
    _place_certificate("edge", directory, authority)
    return place("two-tier/edge.yaml", directory, {
        "/etc/certs": authority.directory,
        "port_value: 15080": f"port_value: {port}",
        "port_value: 9903": f"port_value: {admin}",
        "port_value: 4318": f"port_value: {collector}",
        "STRICT_DNS": "STATIC",
        f"address: {EGRESS_HOST}, port_value: 8443": f"address: 127.0.0.1, port_value: {egress_port}",
        "static_resources:\n": RUNTIME,
    })  # fmt: skip


def _place_certificate(party, directory, authority):
    """The SDS file of a party, where its Envoy looks for it."""
    path = place(f"two-tier/{party}-certificate.yaml", directory, {
        "# /etc/certs": "# certs", "to /etc/certs/current": "to current",
        "/etc/certs": authority.directory,
    })  # fmt: skip
    path.rename(authority.directory / f"{party}.yaml")


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
            "--drain-time-s", str(DRAIN),
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
        time.sleep(DRAIN + 0.5)
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
        if self._process.poll() is None and self._is_live():
            dump = self.ask_admin("GET", "/config_dump?include_eds")
            pages = {f"{self.name}.config_dump": dump}
            outputs.keep(self.log.parent, (self.log, self.output), pages)
        self._process.terminate()
        try:
            self._process.wait(STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self):
        """Ends it at once."""
        self._process.kill()
        self._process.wait()

    def certificates(self):
        """Serial numbers of the certificates that it shows others."""
        loaded = json.loads(self.ask_admin("GET", "/certs"))["certificates"]
        return sorted(one["serial_number"] for each in loaded for one in each.get("cert_chain", []))

    def records(self):
        """The JSON lines of its access log so far."""
        lines = self.output.read_text().splitlines()
        # The last line of a killed one may be half a line.
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

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
