"""The gateway of the examples, as `examples/gateway.yaml` says, in front of scripted providers."""

import json
import os
import runpy
import socket
import uuid

os.environ.update(LANGCHAIN_TRACING_V2="false", LANGSMITH_TRACING="false", NO_PROXY="*")

import pytest  # noqa: E402
import yaml  # noqa: E402
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: E402
    ExportTraceServiceRequest as Traces,
)
from support.process import ANTHROPIC_SECRET, OPENAI_SECRET, ROOT, GatewayProcess  # noqa: E402
from support.provider import check_anthropic, check_openai  # noqa: E402
from support.upstream import Answer, Upstream  # noqa: E402

EXAMPLES = ROOT / "examples"
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class ExampleGateway(GatewayProcess):
    """It differs from the file in addresses, keys and the place of the log alone."""

    def __init__(self, directory, openai, anthropic, collector):
        super().__init__(directory)
        settings = yaml.safe_load((EXAMPLES / "gateway.yaml").read_text())
        secrets = {"openai": (openai, OPENAI_SECRET), "claude": (anthropic, ANTHROPIC_SECRET)}
        assert settings["virtual_keys"].keys() == secrets.keys()
        for slug, (upstream, secret) in secrets.items():
            url = f"http://127.0.0.1:{upstream.port}/v1"
            settings["virtual_keys"][slug] |= {"api_key": secret, "base_url": url}
        openai_url = f"http://127.0.0.1:{openai.port}/v1"
        settings |= {
            "listen": f"127.0.0.1:{self.port}",
            "admin": f"127.0.0.1:{self.admin}",
            "concurrency": 1,
            "providers": {"openai": {"base_url": openai_url}},
            "traces": {
                "url": f"http://127.0.0.1:{collector.port}",
                "interval": 100,
                # The providers of these tests take nothing of the sort.
                "propagate": False,
            },
            "logs": [{"type": "file", "path": str(self.log)}],
        }
        self.configure(settings)


@pytest.fixture(scope="session", autouse=True)
def loopback_only():
    """Fails whatever looks up or connects to another machine."""
    look_up, connect = socket.getaddrinfo, socket.socket.connect

    def guarded_look_up(host, *arguments, **options):
        assert host in (*LOOPBACK, None), f"look-up of {host}"
        return look_up(host, *arguments, **options)

    def guarded_connect(self, address):
        is_internet = self.family in (socket.AF_INET, socket.AF_INET6)
        assert not is_internet or address[0] in LOOPBACK, f"connection to {address}"
        return connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", guarded_look_up)
        patch.setattr(socket.socket, "connect", guarded_connect)
        yield


@pytest.fixture(scope="session")
def upstreams():
    pair = {"openai": Upstream(check_openai), "anthropic": Upstream(check_anthropic)}
    yield pair
    for upstream in pair.values():
        upstream.close()


@pytest.fixture(scope="session")
def collector():
    """Of traces."""
    collector = Upstream(lambda request: Traces.FromString(request.body))
    collector.respond_with(lambda _request: Answer())
    yield collector
    collector.verify()
    collector.close()


def spans_of(collector, trace_id):
    """The spans of a trace that have come so far."""
    return [
        span
        for request in collector.requests
        for resource in Traces.FromString(request.body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
        if span.trace_id.hex() == trace_id
    ]


@pytest.fixture(scope="session")
def session_gateway(upstreams, collector, tmp_path_factory):
    directory = tmp_path_factory.mktemp("gateway")
    gateway = ExampleGateway(directory, **upstreams, collector=collector)
    gateway.start()
    yield gateway
    assert not gateway.failures()
    assert gateway.stop() == 0


@pytest.fixture
def openai(upstreams):
    return _fresh(upstreams["openai"])


@pytest.fixture
def anthropic(upstreams):
    return _fresh(upstreams["anthropic"])


def _fresh(upstream):
    upstream.reset()
    return upstream


@pytest.fixture
def gateway(session_gateway, openai, anthropic, monkeypatch):
    """The gateway, as the environment of an example names it."""
    monkeypatch.setenv("GATEWAY_URL", f"{session_gateway.url}/v1")
    yield session_gateway
    openai.verify()
    anthropic.verify()


@pytest.fixture
def run(gateway, capsys):
    """Runs an example as a program; what it prints."""

    def run(name):
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return run


@pytest.fixture
def trace_id(monkeypatch):
    trace_id = f"trace-{uuid.uuid4()}"
    monkeypatch.setenv("TRACE_ID", trace_id)
    return trace_id


def records(gateway):
    """All records of the log so far."""
    return [json.loads(line) for line in gateway.log.read_text().splitlines()]
