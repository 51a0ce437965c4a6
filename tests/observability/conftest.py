"""A scrape of a gateway after traffic in which everything has happened that the rules look at."""

import http.client
import json
import socket
import time
import urllib.error
import urllib.request

import pytest
from support.process import OPENAI_SECRET, GatewayProcess
from support.upstream import Answer, Upstream

CALLER = "ak-team-a-5f21"
USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 10,
    "total_tokens": 30,
    "prompt_tokens_details": {"cached_tokens": 5},
    "completion_tokens_details": {"reasoning_tokens": 4},
}
# Seconds until Envoy has merged the histograms of its workers, lost what it cannot send, and seen
# that a client is gone.
SCRAPE = 30


def completion(model):
    message = {"role": "assistant", "content": "hello"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    about = {"id": "c-1", "object": "chat.completion", "created": 1, "model": model}
    return about | {"choices": [choice], "usage": USAGE}


def events(model):
    about = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": model}
    choice = lambda delta, reason: [{"index": 0, "delta": delta, "finish_reason": reason}]
    for content in ("hel", "lo"):
        yield about | {"choices": choice({"content": content}, None), "usage": None}
    yield about | {"choices": choice({}, "stop"), "usage": None}
    yield about | {"choices": [], "usage": USAGE}


def provider(request):
    """What the last user says is what happens. The collector of traces is the same server."""
    if request.path == "/v1/traces":
        return Answer(status=400 if b"refuse" in request.body else 200)
    said = request.json["messages"][-1]["content"]
    if request.path.startswith("/down/"):
        said = "503"
    if said.isdigit():
        error = {"message": "no", "type": "their_type", "code": None, "param": None}
        return Answer.json({"error": error}, status=int(said))
    if request.json.get("stream"):
        lines = [b"data: %b\n\n" % json.dumps(one).encode() for one in events("gpt-4o")]
        lines = lines[:1] if said == "cut" else [*lines, b"data: [DONE]\n\n"]
        return Answer.stream(lines, pause=0.02, cut=said == "cut")
    return Answer.json(completion("gpt-4o"), delay=1 if said == "slow" else 0)


class ObservedGateway(GatewayProcess):
    """Its log service is not there, and its collector of traces refuses some spans."""

    def __init__(self, directory, upstream):
        super().__init__(directory)
        self.upstream = upstream
        url = f"http://127.0.0.1:{upstream.port}"
        key = {"provider": "openai", "api_key": OPENAI_SECRET, "base_url": f"{url}/v1"}
        absent = f"127.0.0.1:{self.closed}"
        targets = [{"virtual_key": "down"}, {"virtual_key": "good"}]
        self.configure({
            "listen": f"127.0.0.1:{self.port}",
            "admin": f"127.0.0.1:{self.admin}",
            "concurrency": 1,
            "virtual_keys": {"good": key, "down": key | {"base_url": f"{url}/down/v1"}},
            "configs": {
                "safe": {"strategy": {"mode": "fallback"}, "targets": targets},
                "again": {"virtual_key": "down", "retry": {"attempts": 1}},
                "kept": {"virtual_key": "good", "cache": {"mode": "simple"}},
            },
            "api_keys": {"team-a": {"key": CALLER, "budget": {"usd": 0.01, "per": "month"}}},
            "metrics": {"tags": ["team"]},
            "logs": [
                {"type": "file", "path": str(self.log)},
                {"type": "opentelemetry", "url": f"http://{absent}"},
                {"type": "grpc", "address": absent, "name": "mine"},
                {"type": "fluentd", "address": absent, "tag": "llm"},
            ],
            "traces": {"url": url, "interval": 100},
        })  # fmt: skip

    def ask(self, said="hi", target="virtual-key: good", status=200, **body):
        name, _, value = target.partition(": ")
        messages = [{"role": "user", "content": said}]
        data = {"model": "gpt-4o", "max_tokens": 10, "messages": messages} | body
        headers = {
            "content-type": "application/json",
            "x-portkey-api-key": CALLER,
            "x-portkey-metadata": '{"team": "red"}',
            f"x-portkey-{name}": value,
        }
        url = f"{self.url}/v1/chat/completions"
        request = urllib.request.Request(url, json.dumps(data).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                answer.read()
                assert answer.status == status
        except urllib.error.HTTPError as error:
            assert error.code == status, error.read()

    def leave(self):
        """Asks for what takes a second, and leaves when the provider has the question."""
        messages = [{"role": "user", "content": "slow"}]
        body = json.dumps({"model": "gpt-4o", "max_tokens": 10, "messages": messages}).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\n"
            f"x-portkey-api-key: {CALLER}\r\nx-portkey-virtual-key: good\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        asked = lambda: any(b'"slow"' in one.body for one in self.upstream.requests)
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            client.sendall(head.encode() + body)
            deadline = time.monotonic() + SCRAPE
            while not asked() and time.monotonic() < deadline:
                time.sleep(0.02)

    def traffic(self):
        options = {"stream_options": {"include_usage": True}}
        for _ in range(3):
            self.ask()
        self.ask(stream=True, **options)
        with pytest.raises(http.client.IncompleteRead):
            self.ask("cut", stream=True, **options)
        self.ask("500", status=500)
        self.ask("429", status=429)
        self.ask("400", status=400)
        self.ask(target="config: safe")
        self.ask(target="config: again", status=503)
        for _ in range(2):
            self.ask(target="config: kept")
        self.ask(max_tokens=16000, status=412)
        self.ask(target="span-name: refuse", status=400)
        self.ask(model="of-ours", status=403)
        self.leave()

    def scrape(self):
        url = f"http://127.0.0.1:{self.admin}/stats/prometheus"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read().decode()


@pytest.fixture(scope="session")
def scrape(tmp_path_factory):
    """The text of the scrape."""
    upstream = Upstream(lambda _request: None)
    upstream.respond_with(provider)
    gateway = ObservedGateway(tmp_path_factory.mktemp("gateway"), upstream)
    gateway.start()
    try:
        gateway.traffic()
        yield settled(gateway)
    finally:
        gateway.stop()
        upstream.close()


def settled(gateway):
    """A scrape that has all that takes its time."""
    late = (
        "gen_ai_client_operation_duration_milliseconds_count",
        "spans_dropped_total{} ",
        "portkey_client_disconnects_total{",
    )
    deadline = time.monotonic() + SCRAPE
    while True:
        text = gateway.scrape()
        if all(name in text for name in late) or time.monotonic() > deadline:
            return text
        time.sleep(0.5)
