"""Each example is run as it stands. What a provider says is scripted; what it was asked is checked."""

import hashlib
import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from conftest import EXAMPLES, records, spans_of
from support.process import OPENAI_SECRET
from support.provider import CALLER_OPENAI_KEY
from support.upstream import Answer, recorded

TEXT = 'The answer is 42: see "Deep Thought"'
# The span of an agent's run.
RUN = "b7ad6b7169203331"
# The vectors of the scripted embeddings: how often each word is in a text.
WORDS = ("hitchhiker", "towel", "thought", "vogons", "useful", "carry")


def openai_text(text):
    return Answer.json({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-2024-08-06",
        "choices": [{
            "index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text},
        }],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
    })  # fmt: skip


def anthropic_message(*content, stop_reason="end_turn"):
    return Answer.json({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6",
        "content": content, "stop_reason": stop_reason, "stop_sequence": None,
        "usage": {"input_tokens": 9, "output_tokens": 3},
    })  # fmt: skip


def anthropic_text(text):
    return anthropic_message({"type": "text", "text": text})


def test_every_example_has_a_test():
    tests = Path(__file__).read_text()
    names = [path.name for path in (*EXAMPLES.glob("*.py"), *EXAMPLES.glob("js/*.mjs"))]
    assert len(names) == 10
    assert [name for name in names if f'{name}"' not in tests] == []


def test_quick_start(run, openai):
    openai.queue(Answer.json(recorded("openai-text.json")))
    assert TEXT in run("quick_start.py")
    assert openai.request.header("authorization") == f"Bearer {OPENAI_SECRET}"
    assert openai.request.json["model"] == "gpt-4o"


def test_many_models(run, openai, anthropic):
    openai.queue(Answer.json(recorded("openai-text.json")))
    anthropic.queue(Answer.json(recorded("anthropic-text.json")))
    lines = run("many_models.py").splitlines()
    assert lines[0].startswith(f"gpt-4o: {TEXT}") and "claude-sonnet-4-6: " in "\n".join(lines)
    assert anthropic.request.path == "/v1/messages" and anthropic.request.json["max_tokens"] == 1024


def test_streaming(run, anthropic):
    anthropic.queue(Answer.stream(recorded("anthropic-text.sse")))
    out = run("streaming.py")
    assert TEXT in out and re.search(r"\n\d+ tokens\n$", out), out
    assert anthropic.request.json["stream"] is True


def test_virtual_keys(run, openai, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", CALLER_OPENAI_KEY)
    openai.respond_with(lambda request: Answer.json(recorded("openai-text.json")))
    out = run("virtual_keys.py")
    assert f"virtual key: {TEXT}" in out and f"your own key: {TEXT}" in out
    sent = [request.header("authorization") for request in openai.requests]
    assert sent == [f"Bearer {OPENAI_SECRET}", f"Bearer {CALLER_OPENAI_KEY}"]


def test_load_balance(run, openai, anthropic):
    openai.respond_with(lambda request: openai_text("gpt"))
    anthropic.respond_with(lambda request: anthropic_text("claude"))
    lines = run("load_balance.py").splitlines()
    assert len(lines) == 2 and len(openai.requests) + len(anthropic.requests) == 40
    # The chance that one of 20 requests goes to a half never is one in a million.
    for line in lines:
        assert "gpt-4o-2024-08-06" in line and "claude-sonnet-4-6" in line, line
    assert {request.json["model"] for request in anthropic.requests} == {"claude-sonnet-4-6"}


def test_fallback(run, openai, anthropic):
    openai.respond_with(lambda request: Answer.json({"error": {"message": "busy"}}, status=503))
    anthropic.queue(Answer.json(recorded("anthropic-text.json")))
    out = run("fallback.py")
    assert TEXT in out and "answered by config.targets[1] anthropic" in out
    assert len(openai.requests) == 2
    assert anthropic.request.header("authorization") is None


def agents_provider(request):
    """Lets an agent raise 3 to the power of 5, multiply that by 7, and answer."""
    results = [
        part["content"]
        for message in request.json["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
        if part["type"] == "tool_result"
    ]
    assert {tool["name"] for tool in request.json["tools"]} == {"multiply", "exponentiate"}
    steps = [("exponentiate", {"base": 3, "exponent": 5}), ("multiply", {"a": 243, "b": 7})]
    if len(results) < len(steps):
        name, arguments = steps[len(results)]
        call = {"type": "tool_use", "id": f"toolu_{len(results)}", "name": name}
        return anthropic_message(call | {"input": arguments}, stop_reason="tool_use")
    return anthropic_text(f"It is {float(_text(results[-1])):g}.")


def test_agent(run, gateway, anthropic, trace_id, collector, monkeypatch):
    monkeypatch.setenv("SPAN_ID", RUN)
    anthropic.respond_with(agents_provider)
    out = run("agent.py")
    assert "ai: It is 1701." in out and f"trace id {trace_id}" in out, out
    assert len(anthropic.requests) == 3
    found = eventually(lambda: _of_trace(gateway, trace_id), 3)
    assert [record["status"] for record in found] == [200] * 3
    assert {record["metadata"]["_user"] for record in found} == {"arthur"}
    assert {record["parent_span_id"] for record in found} == {RUN}
    # A tree below the span of the run: three requests, each with its attempt.
    digits = hashlib.sha256(trace_id.encode()).hexdigest()[:32]
    spans = eventually(lambda: spans_of(collector, digits), 6)
    calls = [span.span_id for span in spans if span.parent_span_id.hex() == RUN]
    assert sorted(span.hex() for span in calls) == sorted(record["span_id"] for record in found)
    parents = [span.parent_span_id for span in spans if span.span_id not in calls]
    assert len(spans) == 6 and sorted(parents) == sorted(calls)


def _text(content):
    return content if isinstance(content, str) else content[0]["text"]


def _of_trace(gateway, trace_id):
    return [record for record in records(gateway) if record["trace_id"] == trace_id]


def eventually(get, count, seconds=10):
    deadline = time.monotonic() + seconds
    while len(found := get()) < count:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def test_rag(run, openai, anthropic):
    def embed(request):
        asked = request.json
        texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
        assert all(isinstance(text, str) for text in texts)
        vectors = [[float(text.lower().count(word)) for word in WORDS] for text in texts]
        data = [
            {"object": "embedding", "index": at, "embedding": vector}
            for at, vector in enumerate(vectors)
        ]
        usage = {"prompt_tokens": 9, "total_tokens": 9}
        return Answer.json({"object": "list", "data": data, "model": asked["model"], "usage": usage})

    openai.respond_with(embed)
    anthropic.queue(anthropic_text("A towel."))
    out = run("rag.py")
    assert "found: A towel is about" in out and "answer: A towel." in out, out
    assert {request.path for request in openai.requests} == {"/v1/embeddings"}
    assert "massively useful" in json.dumps(anthropic.request.json["messages"])


def test_langgraph(run, openai, anthropic):
    drafts = iter(["It dries.", "It dries, warms and shields."])
    verdicts = iter(["Say more.", "OK"])
    openai.respond_with(lambda request: openai_text(next(drafts)))
    anthropic.respond_with(lambda request: anthropic_text(next(verdicts)))
    assert run("langgraph_review.py") == "It dries, warms and shields. (2 rounds, OK)\n"
    assert "Say more." in json.dumps(openai.requests[1].json["messages"])


def test_javascript(gateway, anthropic):
    anthropic.queue(Answer.json(recorded("anthropic-text.json")))
    anthropic.queue(Answer.stream(recorded("anthropic-text.sse")))
    ended = subprocess.run(
        ["node", EXAMPLES / "js/openai.mjs"], capture_output=True, text=True, env=os.environ, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count(TEXT) == 2 and re.search(r"\n\d+ tokens\n$", ended.stdout)


def test_the_gateway_yaml_is_valid_as_it_stands(tmp_path):
    from support.process import _program

    tool = _program("PORTKEY_ENVOY", "target/debug/portkey-envoy")
    keys = {"OPENAI_API_KEY": "a", "ANTHROPIC_API_KEY": "b"}
    command = [tool, "check", "--config", EXAMPLES / "gateway.yaml"]
    ended = subprocess.run(command, capture_output=True, text=True, env=os.environ | keys)
    assert ended.returncode == 0, ended.stderr


@pytest.fixture(autouse=True)
def no_other_keys(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
