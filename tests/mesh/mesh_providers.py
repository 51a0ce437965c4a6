"""The providers of the mesh test, behind TLS: they do the model's part of the agent, and count. And
the collector of the Envoys' spans."""

import json
import threading
import time
from collections import Counter

from mesh_app import NUMBERS, step_of
from support.upstream import Answer, Upstream

# Seconds that a model thinks.
THINKING = 0.03


class Providers:
    """OpenAI and Anthropic; each takes the keys that are accepted, and no other."""

    def __init__(self, tls):
        self._lock = threading.Lock()
        self._accepted, self._last_key, self._last_call = set(), {}, {}
        self.steps, self.by_provider, self._faults = Counter(), Counter(), []
        self._upstreams = {
            name: Upstream(lambda request: None, tls) for name in ("openai", "anthropic")
        }
        answers = {"openai": _openai, "anthropic": _anthropic}
        for name, upstream in self._upstreams.items():
            upstream.respond_with(lambda request, n=name: self._answer(n, request, answers[n]))

    def urls(self):
        return {n: f"https://127.0.0.1:{one.port}/v1" for n, one in self._upstreams.items()}

    def accept(self, keys):
        self._accepted = set(keys)

    def _answer(self, name, request, answer):
        key = request.header("x-api-key") or request.header("authorization")
        key = key.removeprefix("Bearer ")
        private = [h for h, _ in request.headers if h.startswith(("x-portkey", "trace", "x-envoy"))]
        with self._lock:
            self._last_key[name], self._last_call[name] = key, time.monotonic()
            if key not in self._accepted or private:
                self._faults.append(f"{name}: a request with {key if not private else private}")
                return Answer.json({"error": {"message": "no such key"}}, status=401)
            step = step_of(request.json["messages"])
            self.steps[step] += 1
            self.by_provider[name] += 1
        done = int(step.rpartition("/")[2])
        total = sum(NUMBERS[: done + 1])
        if done + 1 == len(NUMBERS):
            return answer(step, text=f"The sum is {total}.")
        return answer(step, call={"a": total, "b": NUMBERS[done + 1]})

    def count(self):
        return sum(self.steps.values())

    def uses(self, keys):
        """Whether the last request of each had one of these keys."""
        return all(key in keys for key in self._last_key.values())

    def is_idle(self, name, seconds):
        return time.monotonic() - self._last_call.get(name, 0) > seconds

    def faults(self):
        return self._faults + [fault for one in self._upstreams.values() for fault in one.faults]

    def close(self):
        for upstream in self._upstreams.values():
            upstream.close()


def _openai(step, text=None, call=None):
    message = {"role": "assistant", "content": text}
    if call:
        function = {"name": "add", "arguments": json.dumps(call)}
        message["tool_calls"] = [{"id": f"call_{step[-1]}", "type": "function", "function": function}]
    return Answer.json({
        "id": f"chatcmpl-{step}", "object": "chat.completion", "created": 1, "model": "gpt-4o",
        "choices": [{
            "index": 0, "message": message, "finish_reason": "tool_calls" if call else "stop",
        }],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
    }, delay=THINKING)  # fmt: skip


def _anthropic(step, text=None, call=None):
    content = {"type": "text", "text": text}
    if call:
        content = {"type": "tool_use", "id": f"toolu_{step[-1]}", "name": "add", "input": call}
    return Answer.json({
        "id": f"msg_{step}", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6",
        "content": [content], "stop_reason": "tool_use" if call else "end_turn",
        "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 3},
    }, delay=THINKING)  # fmt: skip


class Collector:
    """Takes spans by OTLP over HTTP, and keeps the trace and the service of each."""

    def __init__(self):
        self.services = {}
        self._upstream = Upstream(lambda request: None)
        self._upstream.respond_with(self._take)
        self.port = self._upstream.port

    def _take(self, request):
        """`ExportTraceServiceRequest`: resource_spans 1; in it resource 1 and scope_spans 2."""
        for resource_spans in _fields(request.body, 1):
            (resource,) = _fields(resource_spans, 1)
            service = next(name for name in (b"edge", b"egress") if name in resource)
            for scope in _fields(resource_spans, 2):
                for span in _fields(scope, 2):
                    (trace,) = _fields(span, 1)
                    self.services.setdefault(trace.hex(), set()).add(service.decode())
        return Answer()

    def close(self):
        self._upstream.close()


def _fields(message, wanted):
    """The length-delimited fields of that number in a protobuf message."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while at < len(message):
        tag = varint()
        kind = tag & 7
        if kind == 0:
            varint()
            continue
        size = {1: 8, 5: 4}.get(kind) or varint()
        if tag >> 3 == wanted and kind == 2:
            yield message[at : at + size]
        at += size
