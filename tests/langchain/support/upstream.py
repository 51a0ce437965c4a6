"""A scripted provider on loopback: it records every request and answers what a test queued."""

import json
import sys
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

RECORDED = Path(__file__).parent.parent / "recorded"

# Longest that a stream waits for the test to release it, in seconds.
HELD = 5


@dataclass(frozen=True)
class Request:
    """A request as it arrived; header names are in lower case."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name):
        """The only value of a header, None when it is absent."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) < 2, f"{name} is there {len(values)} times"
        return values[0] if values else None

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Answer:
    """What to answer. Several pieces go out as chunks, with `pause` seconds between them."""

    status: int = 200
    headers: dict = field(default_factory=dict)
    pieces: list = field(default_factory=list)
    chunked: bool = False
    # Seconds before the headers.
    delay: float = 0
    pause: float = 0
    # After that many pieces the answer waits for `release`.
    hold_after: int | None = None
    release: threading.Event = field(default_factory=threading.Event)
    # Breaks the connection off instead of ending the answer.
    cut: bool = False

    @classmethod
    def json(cls, body, status=200, headers=None, **options):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"content-type": "application/json"} | (headers or {})
        return cls(status=status, headers=headers, pieces=[data], **options)

    @classmethod
    def stream(cls, events, **options):
        """Server-sent events, one a chunk; `events` is a file's bytes or a list of events."""
        if isinstance(events, bytes):
            events = [event + b"\n\n" for event in events.split(b"\n\n") if event]
        headers = {"content-type": "text/event-stream; charset=utf-8"}
        return cls(headers=headers, pieces=events, chunked=True, **options)


def recorded(name):
    """The bytes of a recorded answer."""
    return (RECORDED / name).read_bytes()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """A connection that ends is none; all else is a fault of the script itself."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Upstream:
    """The provider. `check` is called with each request; what it raises is a fault. With a server's
    TLS context it speaks TLS."""

    def __init__(self, check, tls=None):
        self._check = check
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        if tls:
            # The handshake is a connection's own business, not the acceptor's.
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.port = self._server.server_address[1]
        self.reset()

    def reset(self):
        """Forgets everything of the test before."""
        self.requests = []
        self.faults = []
        self._answers = deque()
        self._respond = None

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def queue(self, answer):
        """Answers the next request that nothing else answers."""
        self._answers.append(answer)
        return answer

    def respond_with(self, respond):
        """Lets a function of the request make every answer."""
        self._respond = respond

    @property
    def request(self):
        """The only request that arrived."""
        assert len(self.requests) == 1, f"{len(self.requests)} requests"
        return self.requests[0]

    def verify(self):
        """Nothing was wrong, and everything queued was asked for."""
        assert not self.faults, "\n".join(self.faults)
        assert not self._answers, f"{len(self._answers)} answers were not asked for"

    def take(self, request):
        """Records a request and finds its answer."""
        with self._lock:
            self.requests.append(request)
            try:
                self._check(request)
            except Exception as fault:
                self.faults.append(f"{request.method} {request.path}: {fault}")
            if self._respond:
                return self._respond(request)
            if self._answers:
                return self._answers.popleft()
            self.faults.append(f"unexpected: {request.method} {request.path}")
            return Answer.json({"error": {"message": "unexpected"}}, status=418)


def _handler(upstream):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            """Nothing goes to the terminal."""

        def do_POST(self):
            headers = tuple((name.lower(), value) for name, value in self.headers.items())
            request = Request(self.command, self.path, headers, self._read())
            try:
                self._send(upstream.take(request))
            except OSError:
                # The gateway left, as it does when its client leaves.
                self.close_connection = True

        do_GET = do_DELETE = do_PUT = do_POST

        def _read(self):
            if self.headers.get("transfer-encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("content-length", 0)))
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def _send(self, answer):
            _sleep(answer.delay)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.chunked:
                self.send_header("transfer-encoding", "chunked")
            else:
                self.send_header("content-length", str(sum(map(len, answer.pieces))))
            self.end_headers()
            for at, piece in enumerate(answer.pieces):
                if at == answer.hold_after and not answer.release.wait(HELD):
                    upstream.faults.append("a held answer was not released")
                _sleep(answer.pause if at else 0)
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if answer.chunked else piece)
                self.wfile.flush()
            if answer.cut:
                self.close_connection = True
                self.connection.shutdown(2)
            elif answer.chunked:
                self.wfile.write(b"0\r\n\r\n")

    return Handler


def _sleep(seconds):
    if seconds:
        threading.Event().wait(seconds)
