"""The application of the mesh test: a LangChain agent that knows `http://llm.mesh/v1` and no key."""

import json
import re
import secrets
import socket
import threading
import time
from dataclasses import dataclass, field

import httpx
from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from portkey_ai import createHeaders

WORKERS = 3
HOST = "llm.mesh"
# What the agent adds up, one number a call of its tool.
NUMBERS = [3, 4, 5, 6]
RUN = re.compile(r"run-[0-9a-f]{8}")


def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@dataclass
class Run:
    """One question to the agent: a call of the model for each number but the first, and one more."""

    id: str = field(default_factory=lambda: f"run-{secrets.token_hex(4)}")
    trace: str = field(default_factory=lambda: secrets.token_hex(16))
    answer: str | None = None
    error: str | None = None
    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0

    def is_right(self):
        return self.error is None and self.answer == f"The sum is {sum(NUMBERS)}."

    def steps(self):
        return [f"{self.id}/{step}" for step in range(len(NUMBERS))]


def step_of(messages):
    """The run that a request belongs to, and its place there, by what was said so far; of either
    format of providers."""
    text = json.dumps(messages)
    results = text.count('"tool_result"') or sum(one["role"] == "tool" for one in messages)
    return f"{RUN.search(text).group()}/{results}"


class Application:
    """The agent in several threads, until it is told to finish."""

    def __init__(self, sidecar_port):
        self.runs, self.queries, self.retried = [], set(), set()
        self.credentials = set()
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._work) for _ in range(WORKERS)]
        self._resolve_to(sidecar_port)

    def _resolve_to(self, port):
        """What iptables and the mesh's name server do for a pod: the name leads to its sidecar."""
        look_up = socket.getaddrinfo

        def redirected(host, service, *arguments, **options):
            if host in (HOST, HOST.encode()):
                return look_up("127.0.0.1", port, *arguments, **options)
            if host not in ("127.0.0.1", "localhost", None):
                self.queries.add(host)
                raise OSError(f"look-up of {host}")
            return look_up(host, service, *arguments, **options)

        socket.getaddrinfo = redirected

    def start(self):
        for thread in self._threads:
            thread.start()

    def finish(self):
        """Returns when every run that has begun has ended."""
        self._stopped.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def _work(self):
        with httpx.Client(event_hooks={"request": [self._note]}, timeout=30) as client:
            while not self._stopped.is_set():
                run = Run()
                try:
                    run.answer = self._ask(run, client)
                except Exception as error:
                    run.error = f"{type(error).__name__}: {error}"
                run.ended = time.monotonic()
                self.runs.append(run)

    def _ask(self, run, client):
        traceparent = f"00-{run.trace}-{secrets.token_hex(8)}-01"
        llm = ChatOpenAI(
            api_key="X",
            base_url=f"http://{HOST}/v1",
            default_headers=createHeaders(trace_id=run.id) | {"traceparent": traceparent},
            model="gpt-4o",
            max_retries=8,
            http_client=client,
        )
        question = f"{run.id}: add up {NUMBERS}"
        state = create_agent(llm, tools=[add]).invoke({"messages": [("user", question)]})
        return state["messages"][-1].content

    def _note(self, request):
        """Which calls the client makes again, and whether it has a key."""
        if request.headers.get("x-stainless-retry-count", "0") != "0":
            self.retried.add(step_of(json.loads(request.content)["messages"]))
        self.credentials.add(request.headers["authorization"])

    def has_a_key(self):
        return self.credentials != {"Bearer X"}
