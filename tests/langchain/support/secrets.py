"""Envoy's secret discovery on loopback: a server whose secrets a test sets and changes.

The messages are those of `envoy/service/discovery/v3/discovery.proto` and of
`envoy/extensions/transport_sockets/tls/v3/secret.proto`, as far as they matter here.
"""

import json
import threading
from concurrent import futures

import grpc

from . import wire

TYPE = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"


def resource(name, secret):
    """A discovery response with one secret, as a file has it."""
    one = {"@type": TYPE, "name": name, "generic_secret": {"secret": {"inline_string": secret}}}
    return json.dumps({"resources": [one]})


class SecretServer:
    """Tells each stream of the secret that it asked for, now and whenever that changes."""

    def __init__(self, secrets, port=0):
        self.asked = []
        self._secrets = dict(secrets)
        self._changed = threading.Condition()
        self._is_open = True
        self._server = grpc.server(futures.ThreadPoolExecutor(16))
        method = grpc.stream_stream_rpc_method_handler(self._stream)
        name = "envoy.service.secret.v3.SecretDiscoveryService"
        handler = grpc.method_handlers_generic_handler(name, {"StreamSecrets": method})
        self._server.add_generic_rpc_handlers((handler,))
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()

    def set(self, name, secret):
        with self._changed:
            self._secrets[name] = secret
            self._changed.notify_all()

    def close(self):
        with self._changed:
            self._is_open = False
            self._changed.notify_all()
        self._server.stop(None).wait()

    def _stream(self, requests, context):
        fields = list(wire.fields(next(requests)))
        name = wire.first(fields, 3, b"").decode()
        self.asked.append(name)
        known, version = None, 0
        while context.is_active():
            with self._changed:
                # A stream that has ended is noticed by the time alone.
                self._changed.wait_for(lambda: self._news(name, known), 1)
                if not self._is_open:
                    return
                secret = self._secrets.get(name)
            if secret is not None and secret != known:
                known, version = secret, version + 1
                yield _response(name, secret, version)

    def _news(self, name, known):
        return not self._is_open or self._secrets.get(name) != known


def _response(name, secret, version):
    value = wire.chunk(1, wire.chunk(3, secret.encode()))
    message = wire.chunk(1, name.encode()) + wire.chunk(5, value)
    any_of = wire.chunk(1, TYPE.encode()) + wire.chunk(2, message)
    mark = str(version).encode()
    return b"".join(
        [
            wire.chunk(1, mark),
            wire.chunk(2, any_of),
            wire.chunk(4, TYPE.encode()),
            wire.chunk(5, mark),
        ]
    )
