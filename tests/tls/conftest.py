"""Gateways with TLS, and without."""

import json
import ssl

import pytest
from certificates import Authority
from support import outputs, process
from support.process import GatewayProcess

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
DEMO = [("x-portkey-provider", "demo"), ("content-type", "application/json")]


class TlsGateway(GatewayProcess):
    """A gateway with these settings; `scheme` is how clients come."""

    def __init__(self, directory, scheme, settings):
        super().__init__(directory)
        self.scheme, self.url = scheme, f"{scheme}://127.0.0.1:{self.port}"
        own = {
            "listen": f"127.0.0.1:{self.port}",
            "admin": f"127.0.0.1:{self.admin}",
            "concurrency": 1,
            "logs": [{"type": "file", "path": str(self.log)}],
        }
        self.configure(own | settings)

    def _serves(self):
        # With the admin interface: a client may need a certificate.
        try:
            return process._get(f"http://127.0.0.1:{self.admin}/ready") == "LIVE\n"
        except OSError:
            return False


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("certificates"), "authority")
    authority.issue("gateway")
    authority.issue("client")
    return authority


def tls(authority, **more):
    certificate, key = authority.pair("gateway")
    return {"certificate": f"file:{certificate}", "private_key": f"file:{key}", **more}


def _running(directory, scheme, settings, authority):
    gateway = TlsGateway(directory, scheme, settings)
    gateway.start()
    # A line of a key is as secret as all of it.
    lines = authority.pair("gateway")[1].read_text().splitlines()
    outputs.given("settings", [lines[1]])
    try:
        yield gateway
        texts = [*gateway.dumps().values(), gateway.output.read_text()]
        assert not [text for text in texts if "PRIVATE KEY" in text or lines[1] in text]
        assert not gateway.failures()
    finally:
        gateway.stop()


@pytest.fixture(scope="session")
def over_tls(authority, tmp_path_factory):
    settings = {"tls": tls(authority), "http3": True}
    yield from _running(tmp_path_factory.mktemp("tls"), "https", settings, authority)


@pytest.fixture(scope="session")
def for_known(authority, tmp_path_factory):
    settings = {"tls": tls(authority, client_ca=f"file:{authority.ca}")}
    yield from _running(tmp_path_factory.mktemp("mutual"), "https", settings, authority)


@pytest.fixture(scope="session")
def plain(authority, tmp_path_factory):
    settings = {"limits": {"streams": 7, "connections": 6, "memory": "96MiB"}}
    yield from _running(tmp_path_factory.mktemp("plain"), "http", settings, authority)


@pytest.fixture
def context(authority):
    """What a client trusts."""
    return ssl.create_default_context(cafile=authority.ca)


def body(**more):
    return json.dumps(CHAT | more).encode()


