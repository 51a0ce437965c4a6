"""Fixtures: the gateway once for all tests, a clean pair of scripted providers for each."""

import asyncio
import os
import socket
import uuid

# Before any SDK is imported: nothing reports anything to anyone.
os.environ.update(
    LANGCHAIN_TRACING_V2="false",
    LANGSMITH_TRACING="false",
    OTEL_SDK_DISABLED="true",
    OPENAI_AGENTS_DISABLE_TRACING="1",
    NO_PROXY="*",
)
for name in list(os.environ):
    if name.endswith("_API_KEY") or name.endswith("_BASE_URL"):
        del os.environ[name]

import pytest  # noqa: E402

from support.process import Gateway  # noqa: E402
from support.provider import (  # noqa: E402
    ANTHROPIC,
    AZURE,
    OPENAI,
    SECRETS,
    Provider,
    check_anthropic,
    check_azure,
    check_cohere,
    check_google,
    check_openai,
)
from support.upstream import Upstream  # noqa: E402

LOOPBACK = ("127.0.0.1", "::1", "localhost")


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
def run():
    """Runs a coroutine. One event loop serves all: LangChain's clients share connections."""
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture(scope="session")
def upstreams(loopback_only):
    checks = {
        "openai": check_openai,
        "anthropic": check_anthropic,
        "azure": check_azure,
        "google": check_google,
        "cohere": check_cohere,
    }
    upstreams = {name: Upstream(check) for name, check in checks.items()}
    yield upstreams
    for upstream in upstreams.values():
        upstream.close()


@pytest.fixture(scope="session")
def session_gateway(upstreams, tmp_path_factory):
    """The gateway. When all is over, no secret may be anywhere and no virtual machine dead."""
    gateway = Gateway(tmp_path_factory.mktemp("gateway"), **upstreams)
    gateway.start()
    try:
        yield gateway
        dumps, failures = gateway.dumps(), gateway.failures()
    finally:
        status = gateway.stop()
    texts = dumps | {"access log": gateway.log.read_text(), "output": gateway.output.read_text()}
    leaks = [
        (place, secret) for place, text in texts.items() for secret in SECRETS if secret in text
    ]
    assert not leaks
    assert not failures
    assert "panic" not in texts["output"], texts["output"]
    assert "[critical]" not in texts["output"] and "[error]" not in texts["output"], texts["output"]
    assert status == 0


@pytest.fixture
def gateway(session_gateway, upstreams):
    """The gateway, with upstreams that know of nothing yet and are checked at the end."""
    for upstream in upstreams.values():
        upstream.reset()
    yield session_gateway
    for upstream in upstreams.values():
        upstream.verify()


@pytest.fixture
def openai_provider(gateway, upstreams):
    return Provider(OPENAI, upstreams["openai"])


@pytest.fixture
def anthropic_provider(gateway, upstreams):
    return Provider(ANTHROPIC, upstreams["anthropic"])


@pytest.fixture
def azure_provider(gateway, upstreams):
    return Provider(AZURE, upstreams["azure"])


@pytest.fixture(params=["openai", "anthropic"])
def provider(request):
    """Each of the two in turn."""
    return request.getfixturevalue(f"{request.param}_provider")


@pytest.fixture
def trace_id():
    """One that no other request has."""
    return f"trace-{uuid.uuid4()}"
