"""examples/agent.py through the gateway, and its trace in Arize Phoenix: one tree.

    make phoenix

Phoenix gets the gateway's spans and the one of the run, which the agent's own tracing would send.
All is on loopback. A screenshot is taken where there is Chromium.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/examples"), str(ROOT / "tests/langchain")]

from conftest import ExampleGateway, Traces  # noqa: E402
from support.process import free_ports  # noqa: E402
from support.upstream import Upstream  # noqa: E402
from test_examples import RUN, agents_provider  # noqa: E402

TRACE = "0af7651916cd43dd8448eb211c80319c"
PICTURE = ROOT / "docs/images/phoenix.png"
# Seconds until Phoenix serves, and until it has the spans.
START, SPANS = 120, 30


class Phoenix:
    """A server with a directory of its own. `port` is also that of its collector."""

    def __init__(self, directory):
        self.port, grpc = free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
        settings = {
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": str(self.port),
            "PHOENIX_GRPC_PORT": str(grpc),
            "PHOENIX_WORKING_DIR": str(directory),
            "PHOENIX_TELEMETRY_ENABLED": "false",
            "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
        }
        self.output = (directory / "phoenix.txt").open("wb")
        self.process = subprocess.Popen(
            [ROOT / ".phoenix/bin/phoenix", "serve"],
            env=os.environ | settings,
            stdout=self.output,
            stderr=self.output,
        )

    def wait(self):
        deadline = time.monotonic() + START
        while True:
            try:
                return self.get("/v1/projects")
            except OSError:
                assert self.process.poll() is None and time.monotonic() < deadline, "no Phoenix"
                time.sleep(0.5)

    def get(self, path):
        with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:
            return json.loads(answer.read())

    def send(self, request):
        """Spans, as a client's own tracing sends them."""
        headers = {"content-type": "application/x-protobuf"}
        url = f"{self.url}/v1/traces"
        urllib.request.urlopen(
            urllib.request.Request(url, request.SerializeToString(), headers), timeout=10
        ).close()

    def spans(self, count):
        deadline = time.monotonic() + SPANS
        while True:
            found = self.get("/v1/projects/default/spans?limit=100")["data"]
            if len(found) >= count or time.monotonic() > deadline:
                assert len(found) == count, found
                return found
            time.sleep(0.5)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.output.close()


def run_span(begin, end):
    """The span of the whole run."""
    request = Traces()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id = bytes.fromhex(TRACE), bytes.fromhex(RUN)
    span.name, span.kind = "agent", 1
    span.start_time_unix_nano, span.end_time_unix_nano = begin, end
    kind = span.attributes.add()
    kind.key, kind.value.string_value = "openinference.span.kind", "AGENT"
    return request


def check(spans):
    """One root, three calls below it, and one attempt below each."""
    assert {span["context"]["trace_id"] for span in spans} == {TRACE}
    below = lambda parent: [span for span in spans if span["parent_id"] == parent]
    [root] = below(None)
    calls = below(root["context"]["span_id"])
    assert (root["name"], len(calls)) == ("agent", 3), spans
    for call in calls:
        attempts = below(call["context"]["span_id"])
        assert len(attempts) == 1, call
        assert call["attributes"]["gen_ai.request.model"] == "claude-sonnet-4-6"


def picture(phoenix):
    browser = shutil.which("chromium")
    if not browser:
        print("no chromium, and so no picture")
        return
    project = phoenix.get("/v1/projects/default")["data"]["id"]
    subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        + ["--disable-background-networking", "--disable-component-update"]
        + ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        + ["--window-size=1400,800", "--virtual-time-budget=20000", f"--screenshot={PICTURE}"]
        + [f"{phoenix.url}/projects/{project}/traces/{TRACE}"],
        check=True,
        timeout=120,
        capture_output=True,
    )
    print("picture:", PICTURE)


def main():
    directory = Path(tempfile.mkdtemp(prefix="phoenix-"))
    provider = Upstream(lambda _request: None)
    provider.respond_with(agents_provider)
    phoenix = Phoenix(directory)
    gateway = ExampleGateway(directory, provider, provider, phoenix)
    try:
        phoenix.wait()
        gateway.start()
        names = {"GATEWAY_URL": f"{gateway.url}/v1", "TRACE_ID": TRACE, "SPAN_ID": RUN}
        begin = time.time_ns()
        subprocess.run(
            [sys.executable, ROOT / "examples/agent.py"], env=os.environ | names, check=True
        )
        phoenix.send(run_span(begin, time.time_ns()))
        check(phoenix.spans(7))
        picture(phoenix)
    finally:
        if gateway._process:
            gateway.stop()
        phoenix.stop()
        provider.close()
        shutil.rmtree(directory)
    print("one trace, one tree: a run, 3 requests, 3 attempts")


if __name__ == "__main__":
    main()
