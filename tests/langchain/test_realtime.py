"""Realtime sessions: WebSockets of OpenAI's client through the gateway, to a scripted provider."""

import json
import time

import openai
import pytest
from portkey_ai import createHeaders
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from support.process import GatewayProcess
from support.realtime import Realtime, server_tls

KEY, CALLERS_KEY = "sk-realtime-secret", "sk-realtime-caller"
# Bytes; a session has more.
LARGEST_BODY = 64 << 10
# Milliseconds until an attempt must be answered; a session lasts longer.
TIMEOUT = 700


@pytest.fixture(scope="module")
def served(loopback_only, tmp_path_factory):
    """The gateway, the provider, and the same with TLS."""
    directory = tmp_path_factory.mktemp("realtime")
    context, certificate = server_tls(directory)
    plain, secure = Realtime(), Realtime(context)
    gateway = GatewayProcess(directory)
    at = f"http://127.0.0.1:{plain.port}"
    azure = {"provider": "azure-openai", "api_key": KEY, "base_url": f"{at}/openai"}
    openai_at = {"provider": "openai", "api_key": KEY}
    gateway.configure(
        {
            "listen": f"127.0.0.1:{gateway.port}",
            "admin": f"127.0.0.1:{gateway.admin}",
            "concurrency": 1,
            "providers": {"openai": {"base_url": f"{at}/v1"}},
            "virtual_keys": {
                "plain": openai_at | {"base_url": f"{at}/v1"},
                "tls": openai_at | {"base_url": f"https://127.0.0.1:{secure.port}/v1"},
                "closed": openai_at | {"base_url": f"http://127.0.0.1:{gateway.closed}/v1"},
                "azure": azure | {"api_version": "2025-04-01-preview", "deployment_id": "d"},
                "azure-v1": azure,
            },
            "custom_hosts": [{"host": f"127.0.0.1:{secure.port}", "private": True}],
            "logs": [{"type": "file", "path": str(gateway.log)}],
            "limits": {"request_body": LARGEST_BODY},
        }
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(certificate))
        gateway.start()
    try:
        yield gateway, plain, secure
        texts = gateway.dumps() | {"log": gateway.log.read_text()}
        secrets = (KEY, CALLERS_KEY)
        assert not [(at, one) for at, text in texts.items() for one in secrets if one in text]
        assert not gateway.failures()
    finally:
        gateway.stop()
        plain.close()
        secure.close()


def session(gateway, key="X", model="gpt-realtime", **headers):
    client = openai.OpenAI(
        api_key=key, base_url=f"{gateway.url}/v1", default_headers=createHeaders(**headers)
    )
    beta = {"OpenAI-Beta": "realtime=v1"}
    return client.realtime.connect(model=model, extra_headers=beta)


def exchange(connection, text):
    """Says something, and checks that it is heard as it is."""
    event = {"type": "input_audio_buffer.append", "audio": text}
    connection.send(event)
    heard = connection.recv()
    assert heard.type == "response.output_text.delta"
    assert json.loads(heard.delta) == event


OPENAI_PATH = "/v1/realtime?model=gpt-realtime"
BEARER = ("authorization", f"Bearer {KEY}")
DATED = "/openai/realtime?api-version=2025-04-01-preview&model=gpt-realtime&deployment=d"

WAYS = {
    "virtual key": ({"virtual_key": "plain"}, OPENAI_PATH, BEARER),
    "caller's key": ({"provider": "openai"}, OPENAI_PATH, None),
    "own limit": ({"virtual_key": "plain", "request_timeout": TIMEOUT}, OPENAI_PATH, BEARER),
    "tls": ({"virtual_key": "tls"}, OPENAI_PATH, BEARER),
    "tls, own limit": ({"virtual_key": "tls", "request_timeout": TIMEOUT}, OPENAI_PATH, BEARER),
    "custom host": ({"provider": "openai"}, OPENAI_PATH, None),
    "azure, dated": ({"virtual_key": "azure"}, DATED, ("api-key", KEY)),
    "azure, v1": (
        {"virtual_key": "azure-v1"},
        "/openai/v1/realtime?model=gpt-realtime",
        ("api-key", KEY),
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_session(served, way, trace_id):
    gateway, plain, secure = served
    headers, path, credential = WAYS[way]
    headers = headers | {"trace_id": trace_id}
    provider = secure if way in ("tls", "tls, own limit", "custom host") else plain
    if way == "custom host":
        headers["custom_host"] = f"https://127.0.0.1:{secure.port}/v1"
    seen = len(provider.requests)
    begun = time.monotonic()
    with session(gateway, key="X" if credential else CALLERS_KEY, **headers) as connection:
        assert connection.recv().type == "session.created"
        exchange(connection, "a")
        exchange(connection, "audio" * LARGEST_BODY)
        # Longer than any answer may take.
        time.sleep(1.5 * TIMEOUT / 1000)
        exchange(connection, "naïve 答え")
    lasted = (time.monotonic() - begun) * 1000
    (asked, got, negotiated), *more = provider.requests[seen:]
    assert not more and asked == path
    name, value = credential or ("authorization", f"Bearer {CALLERS_KEY}")
    assert got.get_all(name) == [value]
    others = {"authorization", "api-key"} - {name}
    assert not [one for one in got if one.lower().startswith("x-portkey-") or one in others]
    assert negotiated == ("http/1.1" if provider is secure else None)
    assert got["openai-beta"] == "realtime=v1"
    record = gateway.record(trace_id)
    assert (record["status"], record["endpoint"], record["attempts"]) == (101, "realtime", 1)
    assert (record["complete"], record["error_type"]) == (True, None)
    assert TIMEOUT < record["duration_ms"] <= lasted + 100
    assert min(record["bytes_received"], record["bytes_sent"]) > 5 * LARGEST_BODY


@pytest.mark.parametrize(
    "key, model, status, code, message",
    [
        ("plain", "no-key", 401, "invalid_api_key", "Incorrect API key"),
        ("plain", "no-json", 403, None, "not for you"),
        ("plain", "nothing", 401, "empty_response", "status 401 and no body"),
        ("closed", "m", 503, "upstream_unreachable", "could not be reached"),
        ("tls", "no-key", 401, "invalid_api_key", "Incorrect API key"),
    ],
)
def test_refusal(served, key, model, status, code, message, trace_id):
    gateway = served[0]
    with pytest.raises(InvalidStatus) as caught:
        session(gateway, model=model, virtual_key=key, trace_id=trace_id).enter()
    answer = caught.value.response
    assert answer.status_code == status
    error = json.loads(answer.body)["error"]
    assert message in error["message"] and error["code"] == code
    record = gateway.record(trace_id)
    assert (record["status"], record["endpoint"]) == (status, "realtime")


def test_fallback(served):
    targets = [{"virtual_key": "closed"}, {"virtual_key": "plain"}, {"virtual_key": "tls"}]
    config = {"strategy": {"mode": "fallback"}, "targets": targets}
    with session(served[0], config=json.dumps(config)) as connection:
        assert connection.recv().type == "session.created"
        exchange(connection, "on")
        answer = connection._connection.response.headers
    assert answer["x-portkey-last-used-option-index"] == "config.targets[1]"


@pytest.mark.parametrize("path", ["/v1/files", "/v1/models"])
def test_what_is_no_websocket(served, path):
    url = f"ws://127.0.0.1:{served[0].port}{path}"
    with pytest.raises(InvalidStatus) as caught:
        connect(url, additional_headers=createHeaders(virtual_key="plain"))
    assert caught.value.response.status_code == 400
    assert json.loads(caught.value.response.body)["error"]["code"] == "invalid_upgrade"
