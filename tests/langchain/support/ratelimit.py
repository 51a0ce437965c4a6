"""Envoy's rate-limit protocol on loopback: a service that counts, and notes what it was asked.

The messages are those of `envoy/service/ratelimit/v3/rls.proto`, as far as they matter here.
"""

import threading
from concurrent import futures

import grpc

from . import wire

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
        fields = list(wire.fields(request))
        domain = wire.first(fields, 1, b"").decode()
        usual = wire.first(fields, 3, 0) or 1
        asked, statuses, overall = [], b"", OK
        with self._lock:
            for descriptor in (value for number, value in fields if number == 2):
                parts = list(wire.fields(descriptor))
                entries = dict(_entry(value) for number, value in parts if number == 1)
                addend = wire.first(parts, 3, None)
                hits = usual if addend is None else wire.first(list(wire.fields(addend)), 1, 0)
                asked.append((entries, hits))
                code, status = self._count(entries, hits)
                overall = max(overall, code)
                statuses += wire.chunk(2, status)
            self.calls.append((domain, asked))
        return wire.number(1, overall) + statuses

    def _count(self, entries, hits):
        key = entries.get("caller"), entries.get("unit")
        limit = self.limits.get(key)
        before = self.used.get(key, 0)
        self.used[key] = before + hits
        if limit is None:
            return OK, wire.number(1, OK)
        is_over = before + max(hits, 1) > limit
        code = OVER_LIMIT if is_over else OK
        left = max(limit - self.used[key], 0)
        current = wire.number(1, limit) + wire.number(2, MINUTE)
        until = wire.chunk(4, wire.number(1, 42))
        return code, wire.number(1, code) + wire.chunk(2, current) + wire.number(3, left) + until


def _entry(message):
    fields = list(wire.fields(message))
    return wire.first(fields, 1, b"").decode(), wire.first(fields, 2, b"").decode()
