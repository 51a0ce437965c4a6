"""The access log: one JSON object for each request, with values of the right types."""

import re

import openai
import pytest

from support.client import openai_client
from support.upstream import Answer, recorded

QUESTION = [{"role": "user", "content": "What is the meaning of life?"}]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
FIELDS = {
    "time": str,
    "trace_id": str,
    "metadata": dict,
    "endpoint": str,
    "provider": str,
    "virtual_key": str,
    "request_model": str,
    "response_model": str,
    "response_id": str,
    "finish_reason": str,
    "cluster": str,
    "status": int,
    "attempts": int,
    "stream": bool,
    "complete": bool,
    "prompt_tokens": int,
    "completion_tokens": int,
    "total_tokens": int,
    "cached_tokens": int,
    "cache_creation_tokens": int,
    "reasoning_tokens": int,
    "duration_ms": int,
    "time_to_first_byte_ms": int,
    "bytes_received": int,
    "bytes_sent": int,
}
METADATA = {"_user": "u1", "team": "naïve ☂"}


@pytest.fixture
def ask(gateway, trace_id):
    """Asks by a virtual key; returns the log record."""

    def ask(form, stream=False, headers=None, **options):
        asked = {"trace_id": trace_id, "metadata": METADATA} | (headers or {})
        client = openai_client(gateway, form, **asked)
        options = {"model": form.model, "messages": QUESTION} | options
        try:
            answer = client.chat.completions.create(stream=stream, **options)
            if stream:
                list(answer)
        except openai.APIError:
            pass
        return gateway.record(trace_id)

    return ask


def check(record, **expected):
    assert {name: record[name] for name in expected} == expected


@pytest.mark.parametrize("stream", [False, True])
def test_success(provider, ask, trace_id, stream):
    if stream:
        provider.stream("text")
        record = ask(provider.form, stream=True, stream_options={"include_usage": True})
    else:
        provider.answer("text")
        record = ask(provider.form)
    form = provider.form
    wrong = {name: record[name] for name, kind in FIELDS.items() if type(record[name]) is not kind}
    assert not wrong
    assert TIME.fullmatch(record["time"])
    check(
        record,
        trace_id=trace_id,
        metadata=METADATA,
        endpoint="chat_completions",
        provider=form.name,
        virtual_key=form.virtual_key,
        config=None,
        request_model=form.model,
        response_model=form.answering_model,
        response_id=form.ids["text"],
        finish_reason="stop",
        cluster=f"vk.{form.virtual_key}",
        status=200,
        attempts=1,
        stream=stream,
        complete=True,
        prompt_tokens=24,
        completion_tokens=17,
        total_tokens=41,
        cached_tokens=8,
        cache_creation_tokens=4 if form.is_anthropic else 0,
        reasoning_tokens=0,
        error_type=None,
        error_source=None,
    )
    assert 0 <= record["time_to_first_byte_ms"] <= record["duration_ms"] < 5000
    assert record["bytes_sent"] > len(form.ids["text"])


def test_times_of_a_stream(provider, ask):
    """The first byte comes at once, the last one after nine pauses or more."""
    provider.stream("text", pause=0.05)
    record = ask(provider.form, stream=True, stream_options={"include_usage": True})
    total, first = record["duration_ms"], record["time_to_first_token_ms"]
    assert total >= 300
    assert record["time_to_first_byte_ms"] < total - 200
    assert record["time_to_first_byte_ms"] <= first + 1
    # 17 output tokens, the first of which needs no time.
    assert record["time_per_output_token_us"] == pytest.approx((total - first) * 1000 / 16, abs=500)


def test_whose_time_it_was(provider, ask):
    provider.answer("error-500", status=500, delay=0.2)
    provider.answer("text", delay=0.3)
    config = {"virtual_key": provider.form.virtual_key, "retry": {"attempts": 1}}
    record = ask(provider.form, headers={"config": config})
    # Between the attempts Envoy waits for a time that chance decides.
    assert 495 <= record["upstream_ms"] <= record["time_to_first_byte_ms"] + 2
    assert record["gateway_ms"] <= record["time_to_first_byte_ms"] - 490
    assert record["request_ms"] < 100
    check(record, time_to_first_token_ms=None, time_per_output_token_us=None)


def test_spans(provider, ask):
    """What tells an agent's steps from each other."""
    provider.answer("text")
    names = {"span_id": "s-2", "parent_span_id": "s-1", "span_name": 'plan "b"'}
    record = ask(provider.form, headers=names)
    check(record, span_id="s-2", parent_span_id="s-1", span_name='plan "b"', schema=1)
    assert record["config_version"]


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_failure_of_the_provider(provider, ask, status):
    provider.answer(f"error-{status}", status=status)
    record = ask(provider.form)
    kinds = {
        "openai": {
            400: "invalid_request_error",
            401: "invalid_request_error",
            429: "tokens",
            500: "server_error",
        },
        "anthropic": {
            400: "invalid_request_error",
            401: "authentication_error",
            429: "rate_limit_error",
            500: "api_error",
        },
    }
    check(
        record,
        status=status,
        error_type=kinds[provider.form.name][status],
        error_source="provider",
        provider=provider.form.name,
        request_model=provider.form.model,
        response_model=None,
        total_tokens=None,
        attempts=1,
        stream=False,
    )


def test_error_within_a_stream(provider, ask):
    provider.stream("overloaded")
    record = ask(provider.form, stream=True)
    kind = "overloaded_error" if provider.form.is_anthropic else "server_error"
    check(record, status=200, error_type=kind, error_source="provider", complete=False)


def test_stream_that_ends_too_early(provider, ask):
    events = recorded(f"{provider.form.name}-text.sse").split(b"\n\n")[:5]
    provider.upstream.queue(Answer.stream([event + b"\n\n" for event in events]))
    record = ask(provider.form, stream=True)
    check(record, status=200, complete=False, error_source="provider", finish_reason=None)
    assert record["error_type"]


def test_stream_that_breaks_off(provider, ask):
    events = recorded(f"{provider.form.name}-text.sse").split(b"\n\n")[:5]
    events = [event + b"\n\n" for event in events]
    provider.upstream.queue(Answer.stream(events, cut=True))
    record = ask(provider.form, stream=True)
    check(
        record,
        complete=False,
        response_model=provider.form.answering_model,
        finish_reason=None,
        error_type="upstream_reset",
        error_source="provider",
    )


def test_timeout(provider, ask):
    provider.answer("text", delay=1)
    record = ask(provider.form, headers={"request_timeout": 200})
    check(record, status=408, error_type="request_timeout", error_source="provider", attempts=1)
    # Envoy's clocks differ by a few milliseconds.
    assert 150 <= record["duration_ms"] < 900


def test_refused_by_the_gateway(gateway, ask, openai_provider):
    record = ask(openai_provider.form, headers={"virtual_key": "nobody-key"})
    check(
        record,
        status=400,
        error_type="unknown_virtual_key",
        error_source="client",
        metadata=METADATA,
        endpoint="chat_completions",
        provider=None,
        cluster=None,
        attempts=0,
    )


def test_refused_for_its_format(ask, anthropic_provider):
    """The request cannot be put in the provider's format: nothing is sent."""
    record = ask(anthropic_provider.form, messages=[{"role": "nobody", "content": "x"}])
    check(record, status=400, error_source="client", provider="anthropic", total_tokens=None)
    assert record["error_type"]


def test_retries(provider, ask):
    provider.answer("error-500", status=500)
    provider.answer("text")
    config = {"virtual_key": provider.form.virtual_key, "retry": {"attempts": 2}}
    record = ask(provider.form, headers={"config": config})
    check(record, status=200, attempts=2, error_type=None, error_source=None, total_tokens=41)


def test_saved_config(ask, anthropic_provider):
    anthropic_provider.answer("text")
    record = ask(anthropic_provider.form, headers={"virtual_key": None, "config": "pc-claude"})
    check(record, config="pc-claude", virtual_key="anthropic-key", cluster="vk.anthropic-key")


def test_own_key(gateway, provider, trace_id):
    provider.answer("text")
    client = openai_client(gateway, provider.form, own_key=True, trace_id=trace_id)
    client.chat.completions.create(model=provider.form.model, messages=QUESTION)
    cluster = f"provider.{provider.form.name}"
    check(gateway.record(trace_id), virtual_key=None, metadata=None, cluster=cluster)


def test_client_that_leaves(gateway, provider, trace_id):
    """What was known by then is in the log."""
    answer = provider.stream("text", hold_after=5)
    client = openai_client(gateway, provider.form, trace_id=trace_id)
    with client.chat.completions.create(
        model=provider.form.model, messages=QUESTION, stream=True
    ) as stream:
        next(chunk for chunk in stream if chunk.choices and chunk.choices[0].delta.content)
    answer.release.set()
    check(
        gateway.record(trace_id),
        complete=False,
        stream=True,
        response_model=provider.form.answering_model,
        finish_reason=None,
        response_flags="DC",
    )
