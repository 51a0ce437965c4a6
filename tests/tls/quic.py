"""A client of HTTP/3 that makes one request."""

import asyncio
import ssl

from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration

# Seconds.
PATIENCE = 30


class _Client(QuicConnectionProtocol):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self._http = H3Connection(self._quic)
        self._answer = asyncio.get_running_loop().create_future()
        self._headers, self._body = {}, b""

    async def ask(self, headers, body):
        stream = self._quic.get_next_available_stream_id()
        self._http.send_headers(stream, headers, end_stream=not body)
        if body:
            self._http.send_data(stream, body, end_stream=True)
        self.transmit()
        return await asyncio.wait_for(self._answer, PATIENCE)

    def quic_event_received(self, event):
        for part in self._http.handle_event(event):
            if isinstance(part, HeadersReceived):
                self._headers |= {name.decode(): value.decode() for name, value in part.headers}
            elif isinstance(part, DataReceived):
                self._body += part.data
            if part.stream_ended and not self._answer.done():
                self._answer.set_result((self._headers, self._body))


def ask(port, ca, method, path, headers=(), body=b""):
    """Headers, with `:status`, and body of the answer."""
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, is_client=True)
    configuration.load_verify_locations(cafile=str(ca))
    configuration.verify_mode = ssl.CERT_REQUIRED
    pseudo = {":method": method, ":scheme": "https", ":authority": f"localhost:{port}", ":path": path}
    lines = [(name.encode(), value.encode()) for name, value in [*pseudo.items(), *headers]]

    async def run():
        options = {"configuration": configuration, "create_protocol": _Client}
        async with connect("127.0.0.1", port, **options) as client:
            return await client.ask(lines, body)

    return asyncio.run(run())
