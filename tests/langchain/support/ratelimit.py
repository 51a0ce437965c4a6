"""Envoy's rate-limit protocol on loopback: a service that counts, and notes what it was asked.

The messages are those of `envoy/service/ratelimit/v3/rls.proto`, as far as they matter here.
"""

import threading
from concurrent import futures

import grpc

OK, OVER_LIMIT = 1, 2
MINUTE = 2


class RateLimitService:
    """Counts for ever; `limits` is by caller and unit, what is not in it has no limit."""

    def __init__(self, limits):
        self.limits = limits
        self.used = {}
        self.calls = []
        self._lock = threading.Lock()
        self._server = grpc.server(futures.ThreadPoolExecutor(4))
        method = grpc.unary_unary_rpc_method_handler(self._should_rate_limit)
        name = "envoy.service.ratelimit.v3.RateLimitService"
        handler = grpc.method_handlers_generic_handler(name, {"ShouldRateLimit": method})
        self._server.add_generic_rpc_handlers((handler,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def close(self):
        self._server.stop(None).wait()

    def _should_rate_limit(self, request, context):
        fields = list(_fields(request))
        domain = _first(fields, 1, b"").decode()
        usual = _first(fields, 3, 0) or 1
        asked, statuses, overall = [], b"", OK
        with self._lock:
            for descriptor in (value for number, value in fields if number == 2):
                parts = list(_fields(descriptor))
                entries = dict(_entry(value) for number, value in parts if number == 1)
                addend = _first(parts, 3, None)
                hits = usual if addend is None else _first(list(_fields(addend)), 1, 0)
                asked.append((entries, hits))
                code, status = self._count(entries, hits)
                overall = max(overall, code)
                statuses += _bytes(2, status)
            self.calls.append((domain, asked))
        return _number(1, overall) + statuses

    def _count(self, entries, hits):
        key = entries.get("caller"), entries.get("unit")
        limit = self.limits.get(key)
        before = self.used.get(key, 0)
        self.used[key] = before + hits
        if limit is None:
            return OK, _number(1, OK)
        is_over = before + max(hits, 1) > limit
        code = OVER_LIMIT if is_over else OK
        left = max(limit - self.used[key], 0)
        current = _number(1, limit) + _number(2, MINUTE)
        until = _bytes(4, _number(1, 42))
        return code, _number(1, code) + _bytes(2, current) + _number(3, left) + until


def _entry(message):
    fields = list(_fields(message))
    return _first(fields, 1, b"").decode(), _first(fields, 2, b"").decode()


def _first(fields, number, default):
    return next((value for key, value in fields if key == number), default)


def _fields(message):
    """Numbers and values of the fields: integers, or bytes."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        value, at = _varint(message, at)
        if tag & 7 == 2:
            value, at = message[at : at + value], at + value
        else:
            assert tag & 7 == 0, f"wire type {tag & 7}"
        yield tag >> 3, value


def _varint(message, at):
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _encoded(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field, value):
    return _encoded(field << 3) + _encoded(value)


def _bytes(field, value):
    return _encoded(field << 3 | 2) + _encoded(len(value)) + value
