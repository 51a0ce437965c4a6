"""The gateway of the examples, as `examples/gateway.yaml` says, in front of scripted providers."""

import json
import os
import runpy
import socket
import uuid

os.environ.update(LANGCHAIN_TRACING_V2="false", LANGSMITH_TRACING="false", NO_PROXY="*")

import pytest  # noqa: E402
import yaml  # noqa: E402
from support.process import ANTHROPIC_SECRET, OPENAI_SECRET, ROOT, GatewayProcess  # noqa: E402
from support.provider import check_anthropic, check_openai  # noqa: E402
from support.upstream import Upstream  # noqa: E402

EXAMPLES = ROOT / "examples"
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class ExampleGateway(GatewayProcess):
    """It differs from the file in addresses, keys and the place of the log alone."""

    def __init__(self, directory, openai, anthropic):
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
def session_gateway(upstreams, tmp_path_factory):
    gateway = ExampleGateway(tmp_path_factory.mktemp("gateway"), **upstreams)
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
