"""A scripted realtime provider on loopback, in the clear or with TLS."""

import ipaddress
import json
import ssl
import threading
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Response
from websockets.sync.server import serve

# Answers instead of a session, by the model that is asked for: status, media type, body.
REFUSALS = {
    "no-key": (
        401,
        "application/json",
        {"error": {"message": "Incorrect API key", "type": "t", "code": "invalid_api_key"}},
    ),
    "no-json": (403, "text/plain", "not for you"),
    "nothing": (401, "text/plain", ""),
}


class Realtime:
    """It greets a session, then says what it has heard."""

    def __init__(self, tls=None):
        # Path, headers and negotiated protocol of each request.
        self.requests = []
        self._server = serve(
            _speak, "127.0.0.1", 0, ssl=tls, process_request=self._take, max_size=None
        )
        self.port = self._server.socket.getsockname()[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()

    def _take(self, connection, request):
        negotiated = getattr(connection.socket, "selected_alpn_protocol", lambda: None)()
        self.requests.append((request.path, request.headers, negotiated))
        query = parse_qs(urlsplit(request.path).query)
        refusal = REFUSALS.get(query.get("model", [""])[0])
        if refusal is None:
            return None
        status, media, body = refusal
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
        headers = Headers(
            {"content-type": media, "content-length": str(len(body)), "connection": "close"}
        )
        return Response(status, "Refused", headers, body)


def _speak(connection):
    connection.send(json.dumps({"type": "session.created", "event_id": "e0", "session": {}}))
    try:
        for number, heard in enumerate(connection):
            event = {
                "type": "response.output_text.delta", "event_id": f"e{number + 1}",
                "response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0,
                "delta": heard,
            }  # fmt: skip
            connection.send(json.dumps(event))
    except ConnectionClosed:
        pass


def server_tls(directory):
    """A TLS context of a server that prefers HTTP/2; gives with it the certificate's file, which is
    to be trusted."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "realtime")])
    now = datetime.now(UTC)
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .add_extension(x509.SubjectAlternativeName(names), False)
        .sign(key, hashes.SHA256())
    )
    pem, secret = directory / "realtime.crt", directory / "realtime.key"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context, pem
