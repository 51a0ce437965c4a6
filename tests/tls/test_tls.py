"""How clients connect: TLS, HTTP/2, HTTP/3, certificates that change, and how many there may be."""

import json
import socket
import ssl
import time

import h2.config
import h2.connection
import h2.events
import httpx
import pytest
import quic
from certificates import Authority
from conftest import CHAT, DEMO, body

# Seconds until another certificate is shown.
RELOAD = 20


def _ask(gateway, verify=True, **options):
    with httpx.Client(verify=verify, trust_env=False, timeout=30, **options) as client:
        url = f"{gateway.url}/v1/chat/completions"
        return client.post(url, json=CHAT, headers=dict(DEMO))


def _is_chat(answer):
    assert answer.status_code == 200, answer.text
    assert answer.json()["object"] == "chat.completion"


def test_tls_offers_http2_and_http1(over_tls, context):
    answer = _ask(over_tls, context, http2=True)
    _is_chat(answer)
    assert answer.http_version == "HTTP/2"
    assert answer.headers["alt-svc"] == f'h3=":{over_tls.port}"; ma=86400'
    answer = _ask(over_tls, context, http1=True, http2=False)
    _is_chat(answer)
    assert answer.http_version == "HTTP/1.1"


def test_a_stream_comes_over_http2(over_tls, context):
    with httpx.Client(verify=context, http2=True, trust_env=False, timeout=30) as client:
        url = f"{over_tls.url}/v1/chat/completions"
        more = {"json": CHAT | {"stream": True}, "headers": dict(DEMO)}
        with client.stream("POST", url, **more) as answer:
            lines = [line for line in answer.iter_lines() if line]
    assert answer.http_version == "HTTP/2" and lines[-1] == "data: [DONE]"


def test_http3(over_tls, authority):
    headers, text = quic.ask(
        over_tls.port, authority.ca, "POST", "/v1/chat/completions", DEMO, body()
    )
    assert headers[":status"] == "200", text
    assert json.loads(text)["object"] == "chat.completion"
    headers, text = quic.ask(
        over_tls.port, authority.ca, "POST", "/v1/chat/completions", DEMO, body(stream=True)
    )
    assert headers["content-type"].startswith("text/event-stream")
    assert text.rstrip().endswith(b"data: [DONE]")
    # Errors, and what clients must not say, are the same.
    forged = [("x-portkey-provider", "nobody"), ("x-envoy-max-retries", "3")]
    headers, text = quic.ask(over_tls.port, authority.ca, "POST", "/v1/chat/completions", forged, body())
    assert headers[":status"] == "400" and "error" in json.loads(text)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_refused(over_tls, context, version):
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, version
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        _connect(over_tls, context)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with _connect(over_tls, context) as stream:
        assert stream.version() == "TLSv1.2"


def test_clear_text_is_no_tls(over_tls):
    with socket.create_connection(("127.0.0.1", over_tls.port), 30) as stream:
        stream.sendall(b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n")
        assert b"HTTP/1.1 200" not in stream.recv(1000)


def test_a_new_certificate_is_shown_and_cuts_nothing(over_tls, authority, context):
    with httpx.Client(verify=context, trust_env=False, timeout=30) as client:
        assert client.get(f"{over_tls.url}/health").status_code == 200
        fresh = authority.issue("gateway")
        deadline = time.monotonic() + RELOAD
        while _serial(over_tls, context) != fresh:
            assert time.monotonic() < deadline, "the old certificate is still shown"
            time.sleep(0.2)
        # The connection from before.
        assert client.get(f"{over_tls.url}/health").status_code == 200
        accepted = over_tls.statistics()[f"listener.127.0.0.1_{over_tls.port}.downstream_cx_total"]
        assert client.get(f"{over_tls.url}/health").status_code == 200
        again = over_tls.statistics()[f"listener.127.0.0.1_{over_tls.port}.downstream_cx_total"]
        assert again == accepted
    assert quic.ask(over_tls.port, authority.ca, "GET", "/health")[0][":status"] == "200"


def test_half_a_change_of_a_certificate_changes_nothing(over_tls, authority, context):
    shown = _serial(over_tls, context)
    key = authority.pair("gateway")[1]
    before = key.read_bytes()
    key.write_text("no key")
    deadline = time.monotonic() + RELOAD
    while "tls.private_key: holds no private key" not in over_tls.output.read_text():
        assert time.monotonic() < deadline, over_tls.output.read_text()
        time.sleep(0.2)
    assert _serial(over_tls, context) == shown
    key.write_bytes(before)


def test_clients_need_a_certificate_of_the_authority(for_known, authority, tmp_path):
    def context(pair=None):
        context = ssl.create_default_context(cafile=authority.ca)
        if pair:
            context.load_cert_chain(*pair)
        return context

    _is_chat(_ask(for_known, context(authority.pair("client")), http2=True))
    stranger = Authority(tmp_path, "stranger")
    stranger.issue("client")
    for wrong in (context(), context(stranger.pair("client"))):
        with pytest.raises(httpx.TransportError):
            _ask(for_known, wrong)
    errors = for_known.statistics()
    prefix = f"listener.127.0.0.1_{for_known.port}.ssl"
    assert errors[f"{prefix}.fail_verify_no_cert"] == 1
    assert errors[f"{prefix}.fail_verify_error"] == 1


def test_http2_without_tls_and_its_limit_of_streams(plain):
    answer = _ask(plain, http1=False, http2=True)
    _is_chat(answer)
    assert answer.http_version == "HTTP/2"
    with socket.create_connection(("127.0.0.1", plain.port), 30) as stream:
        client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        client.initiate_connection()
        stream.sendall(client.data_to_send())
        events = []
        while not any(isinstance(one, h2.events.RemoteSettingsChanged) for one in events):
            events += client.receive_data(stream.recv(65536))
        assert client.remote_settings.max_concurrent_streams == 7


def test_no_more_connections_than_that(plain):
    deadline = time.monotonic() + RELOAD
    # Those of earlier tests.
    while plain.statistics()["http.portkey.downstream_cx_active"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    held = [socket.create_connection(("127.0.0.1", plain.port), 30) for _ in range(6)]
    try:
        for stream in held:
            stream.sendall(b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n")
            assert b"200 OK" in stream.recv(1000)
        with socket.create_connection(("127.0.0.1", plain.port), 30) as one_more:
            assert _is_closed(one_more)
        # The admin interface is not a client's.
        statistics = plain.statistics()
    finally:
        for stream in held:
            stream.close()
    name = f"listener.127.0.0.1_{plain.port}.downstream_global_cx_overflow"
    assert statistics[name] == 1


def test_without_memory_left_requests_are_refused(plain):
    head = (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx-portkey-provider: demo\r\n"
        b"content-type: application/json\r\ncontent-length: 90000000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", plain.port), 30) as upload:
        upload.sendall(head)
        upload.settimeout(2)
        try:
            for _ in range(800):
                upload.sendall(b" " * 100_000)
        except OSError:
            # It is not read any further, or refused.
            pass
        refused = _until(lambda: httpx.get(f"{plain.url}/health", trust_env=False), 503)
    assert refused.json()["error"]["code"] == "overloaded"
    assert plain.statistics()["http.portkey.downstream_rq_overload_close"] >= 1
    _until(lambda: httpx.get(f"{plain.url}/health", trust_env=False), 200)


def _until(ask, status):
    deadline = time.monotonic() + RELOAD
    while (answer := ask()).status_code != status:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.1)
    return answer


def _is_closed(stream):
    try:
        stream.sendall(b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n")
        return stream.recv(1000) == b""
    except ConnectionError:
        return True


def _connect(gateway, context):
    stream = socket.create_connection(("127.0.0.1", gateway.port), 30)
    return context.wrap_socket(stream, server_hostname="localhost")


def _serial(gateway, context):
    with _connect(gateway, context) as stream:
        return int(stream.getpeercert()["serialNumber"], 16)
