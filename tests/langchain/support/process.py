"""The gateway as a process: started by the native tool, asked, stopped by its pid."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from jsonschema import Draft202012Validator

from . import outputs

ROOT = Path(__file__).resolve().parents[3]

OPENAI_SECRET = "sk-openai-secret"
ANTHROPIC_SECRET = "sk-ant-secret"
GOOGLE_SECRET = "goog-secret"
COHERE_SECRET = "co-secret"
AZURE_SECRET = "sk-azure-secret"

# What every line of the log is.
SCHEMA = Draft202012Validator(json.loads((ROOT / "docs/log.schema.json").read_text()))

# Bytes of the largest request.
LARGEST_BODY = 8 << 20

# Seconds until the gateway serves, until it has ended, and until a log line is in the file.
START, STOP, LOG = 120, 15, 5

# What counts the virtual machines that died or could not be loaded, and refused configuration.
FAILURES = re.compile(r"^(wasm\..*(vm_reload|crash|fail)|.*\.update_rejected).*$")
# What only counts anything when the module was loaded, so that zeros above mean something.
LOADED = re.compile(r"^wasm\..*\.active$")


def gateways(directory, provider):
    """What a fixture yields from: starts gateways whose virtual key v is at the provider."""
    running = []

    def started(key, **settings):
        gateway = GatewayProcess(directory)
        base = {"provider": "openai", "base_url": f"http://127.0.0.1:{provider.port}/v1"}
        basis = {
            "listen": f"127.0.0.1:{gateway.port}",
            "admin": f"127.0.0.1:{gateway.admin}",
            "concurrency": 2,
            "virtual_keys": {"v": base | key},
            "logs": [{"type": "file", "path": str(gateway.log)}],
        }
        gateway.configure(basis | settings)
        running.append(gateway)
        gateway.start()
        return gateway

    yield started
    for gateway in running:
        failures = gateway.failures()
        gateway.stop()
        assert not failures
        # Envoy tells of fields that it does not know.
        assert "unknown field" not in gateway.output.read_text().lower()


class GatewayProcess:
    """A gateway as a process, on ports that nobody else has."""

    def __init__(self, directory):
        self.directory = directory
        # Nobody listens on the last one.
        self.port, self.admin, self.closed = free_ports(3)
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = directory / "access.jsonl"
        self.output = directory / "output.txt"
        self._config = directory / "gateway.yaml"
        self._process = None

    def configure(self, settings):
        """Writes the gateway.yaml. JSON is YAML, too."""
        outputs.given("settings", outputs.secrets(settings))
        self._config.write_text(json.dumps(settings))

    def start(self):
        """Returns when it serves requests."""
        command = [
            _program("PORTKEY_ENVOY", "target/debug/portkey-envoy"), "run",
            "--config", self._config,
            "--envoy", _program("ENVOY", ".venv/bin/envoy"),
            "--wasm", _program(
                "PORTKEY_ENVOY_WASM", "target/wasm32-wasip1/release/portkey_envoy.wasm"
            ),
        ]  # fmt: skip
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _wait(self):
        deadline = time.monotonic() + START
        while not self._serves():
            status = self._process.poll()
            assert status is None, f"it ended with {status}: {self.output.read_text()}"
            assert time.monotonic() < deadline, f"not ready: {self.output.read_text()}"
            time.sleep(0.05)

    def _serves(self):
        try:
            return json.loads(_get(f"{self.url}/health")) == {"status": "ok"}
        except (URLError, ConnectionError):
            return False

    def stop(self):
        """Ends it; returns its exit status."""
        if self._process.poll() is None:
            self._keep()
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise

    def _keep(self):
        try:
            pages = self.dumps()
        except OSError:
            # It has not come as far as that.
            pages = {}
        outputs.keep(self.directory, (self.log, self.output), pages)

    def statistics(self):
        """Envoy's counters and gauges by name."""
        lines = _get(f"http://127.0.0.1:{self.admin}/stats?type=Counters").splitlines()
        lines += _get(f"http://127.0.0.1:{self.admin}/stats?type=Gauges").splitlines()
        pairs = (line.rsplit(": ", 1) for line in lines)
        return {name: int(value) for name, value in pairs}

    def dumps(self):
        """All that the admin interface tells of the configuration and of what happened."""
        pages = "config_dump?include_eds", "stats", "clusters", "listeners"
        return {page: _get(f"http://127.0.0.1:{self.admin}/{page}") for page in pages}

    def failures(self):
        """Counters of failures that are not zero."""
        statistics = self.statistics()
        assert any(value for name, value in statistics.items() if LOADED.match(name))
        names = [name for name in statistics if FAILURES.match(name)]
        assert any("vm_reload" in name for name in names), "the statistics have other names"
        return {name: statistics[name] for name in names if statistics[name]}

    def record(self, trace_id):
        """The log record of the only request with that trace id."""
        deadline = time.monotonic() + LOG
        while time.monotonic() < deadline:
            lines = self.log.read_text().splitlines() if self.log.exists() else []
            records = [json.loads(line) for line in lines if trace_id in line]
            if records:
                assert len(records) == 1, f"{len(records)} records of {trace_id}"
                SCHEMA.validate(records[0])
                return records[0]
            time.sleep(0.1)
        raise AssertionError(f"no record of {trace_id} after {LOG} s")


class Gateway(GatewayProcess):
    """A running gateway in front of scripted providers, one of each format."""

    def __init__(self, directory, openai, anthropic, azure, google, cohere):
        super().__init__(directory)
        settings = self._settings(openai, anthropic, azure)
        settings["virtual_keys"] |= self._other_keys(openai, google, cohere)
        self.configure(settings)

    def _settings(self, openai, anthropic, azure):
        openai = {"base_url": f"http://127.0.0.1:{openai.port}/v1"}
        anthropic = {"base_url": f"http://127.0.0.1:{anthropic.port}/v1"}
        return {
            "listen": f"127.0.0.1:{self.port}",
            "admin": f"127.0.0.1:{self.admin}",
            "concurrency": 1,
            "providers": {"openai": openai, "anthropic": anthropic},
            "virtual_keys": {
                "openai-key": {"provider": "openai", "api_key": OPENAI_SECRET, **openai},
                "anthropic-key": {
                    "provider": "anthropic",
                    "api_key": ANTHROPIC_SECRET,
                    **anthropic,
                },
                "azure-key": {
                    "provider": "azure-openai",
                    "api_key": AZURE_SECRET,
                    "api_version": "2024-10-21",
                    "base_url": f"http://127.0.0.1:{azure.port}/openai",
                },
                "azure-v1-key": {
                    "provider": "azure-openai",
                    "api_key": AZURE_SECRET,
                    "deployment_id": "gpt-4o-eu",
                    "base_url": f"http://127.0.0.1:{azure.port}/openai",
                },
                "closed-key": {
                    "provider": "openai",
                    "api_key": OPENAI_SECRET,
                    "base_url": f"http://127.0.0.1:{self.closed}/v1",
                },
            },
            "configs": {
                "pc-claude": {
                    "virtual_key": "anthropic-key",
                    "override_params": {"temperature": 0.1},
                },
            },
            "logs": [{"type": "file", "path": str(self.log)}],
            "limits": {"request_body": LARGEST_BODY},
        }

    @staticmethod
    def _other_keys(openai, google, cohere):
        """Keys of providers whose only API for text is their chat completions."""
        together = {"base_url": f"http://127.0.0.1:{openai.port}/v1"}
        return {
            "together-key": {"provider": "together-ai", "api_key": OPENAI_SECRET, **together},
            "google-key": {
                "provider": "google",
                "api_key": GOOGLE_SECRET,
                "base_url": f"http://127.0.0.1:{google.port}",
            },
            "cohere-key": {
                "provider": "cohere",
                "api_key": COHERE_SECRET,
                "base_url": f"http://127.0.0.1:{cohere.port}",
            },
        }


def free_ports(count):
    """Ports of loopback that nobody has."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _program(variable, default):
    path = Path(os.environ.get(variable) or ROOT / default).absolute()
    assert path.is_file(), f"{path} is absent: build it, or name another by ${variable}"
    return path


def _get(url):
    with urlopen(url, timeout=5) as answer:
        return answer.read().decode()
