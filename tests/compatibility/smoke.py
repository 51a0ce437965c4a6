"""What a gateway must do on an Envoy that the filter starts on, and must not do on any other."""

import json
import time
from http.client import HTTPConnection

from support.upstream import Answer, recorded

SECRET = "sk-compatibility-secret"
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
ANSWER = 'The answer is 42: see "Deep Thought"'


def settings(ports, openai, anthropic, name_server):
    """The gateway.yaml; JSON is YAML, too."""
    openai, anthropic = (f"http://127.0.0.1:{one.port}/v1" for one in (openai, anthropic))
    return {
        "listen": f"127.0.0.1:{ports[0]}",
        "admin": f"127.0.0.1:{ports[1]}",
        "concurrency": 1,
        "virtual_keys": {
            "openai-key": {"provider": "openai", "api_key": SECRET, "base_url": openai},
            "claude-key": {"provider": "anthropic", "api_key": SECRET, "base_url": anthropic},
        },
        "custom_hosts": ["private.test"],
        "dns_resolvers": [f"127.0.0.1:{name_server.port}"],
        "logs": [],
    }


class Bench:
    """A gateway on some Envoy, and its two scripted providers."""

    def __init__(self, port, openai, anthropic):
        self.port, self.openai, self.anthropic = port, openai, anthropic

    def ask(self, headers, **body):
        """Status and text of a chat."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            headers = {"content-type": "application/json"} | headers
            connection.request("POST", "/v1/chat/completions", json.dumps(CHAT | body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def calls(self):
        return len(self.openai.requests) + len(self.anthropic.requests)


def content(text):
    return json.loads(text)["choices"][0]["message"]["content"]


def demo(bench):
    status, text = bench.ask({"x-portkey-provider": "demo"})
    assert status == 200 and "demo provider" in text, text


def virtual_key(bench):
    bench.openai.queue(Answer.json(recorded("openai-text.json")))
    status, text = bench.ask({"x-portkey-virtual-key": "openai-key"})
    assert status == 200 and ANSWER in content(text)
    assert bench.openai.request.header("authorization") == f"Bearer {SECRET}"


def translation(bench):
    bench.anthropic.queue(Answer.json(recorded("anthropic-text.json")))
    status, text = bench.ask({"x-portkey-virtual-key": "claude-key"}, max_tokens=9)
    assert status == 200 and ANSWER in content(text)
    assert bench.anthropic.request.header("x-api-key") == SECRET


def stream(bench):
    bench.anthropic.queue(Answer.stream(recorded("anthropic-text.sse")))
    asked = {"max_tokens": 9, "stream": True}
    status, text = bench.ask({"x-portkey-virtual-key": "claude-key"}, **asked)
    assert status == 200 and text.count("data: [DONE]") == 1, text


def fallback(bench):
    bench.openai.queue(Answer.json({"error": {"message": "overloaded"}}, status=503))
    bench.anthropic.queue(Answer.json(recorded("anthropic-text.json")))
    targets = [{"virtual_key": "openai-key"}, {"virtual_key": "claude-key"}]
    config = {"strategy": {"mode": "fallback"}, "targets": targets}
    status, text = bench.ask({"x-portkey-config": json.dumps(config)}, max_tokens=9)
    assert status == 200 and ANSWER in content(text)
    assert bench.anthropic.request.header("authorization") is None


def private_address(bench):
    host = f"http://private.test:{bench.openai.port}/v1"
    asked = {"x-portkey-provider": "openai", "x-portkey-custom-host": host}
    status, text = bench.ask(asked | {"authorization": "Bearer mine"})
    assert status >= 400 and not bench.calls(), text


def body_limit(bench):
    large = "x" * (3 << 20)
    bench.openai.queue(Answer.json(recorded("openai-text.json")))
    messages = [{"role": "user", "content": large}]
    status, _ = bench.ask({"x-portkey-virtual-key": "openai-key"}, messages=messages)
    assert status == 200 and len(bench.openai.request.body) > len(large)


CHECKS = {
    "chat": demo,
    "virtual key": virtual_key,
    "translation": translation,
    "stream": stream,
    "fallback": fallback,
    "private address denied": private_address,
    "3 MiB body": body_limit,
}


def passes_nothing(bench, seconds=1.0):
    """Whether every request fails and none arrives, also a while after the start."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for headers in ({"x-portkey-virtual-key": "openai-key"}, {"x-portkey-provider": "demo"}):
            try:
                status, _ = bench.ask(headers)
            except OSError:
                continue
            if status < 400:
                return False
        time.sleep(0.1)
    return bench.calls() == 0
