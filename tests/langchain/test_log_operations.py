"""The access log of operations other than chat completions, and of the gateway's own answers."""

import anthropic
import pytest
from portkey_ai import createHeaders

from support.client import bare_client
from support.provider import UNUSED_KEY

QUESTION = [{"role": "user", "content": "What is the meaning of life?"}]


def check(record, **expected):
    assert {name: record[name] for name in expected} == expected


@pytest.mark.parametrize("stream", [False, True])
def test_messages_of_anthropic(gateway, anthropic_provider, trace_id, stream):
    (anthropic_provider.stream if stream else anthropic_provider.answer)("text")
    client = anthropic.Anthropic(
        base_url=gateway.url,
        api_key=UNUSED_KEY,
        default_headers=createHeaders(virtual_key="anthropic-key", trace_id=trace_id),
    )
    answer = client.messages.create(
        model="claude-sonnet-4-6", max_tokens=9, messages=QUESTION, stream=stream
    )
    if stream:
        list(answer)
    check(
        gateway.record(trace_id),
        endpoint="messages",
        request_model="claude-sonnet-4-6",
        response_model="claude-sonnet-4-6",
        response_id="msg_01XFDUDYJgAACzvnptvVoYEL",
        finish_reason="stop",
        prompt_tokens=24,
        completion_tokens=17,
        total_tokens=41,
        cached_tokens=8,
        cache_creation_tokens=4,
        stream=stream,
        complete=True,
        error_type=None,
    )


@pytest.mark.parametrize("status", [400, 429])
def test_failed_messages_of_anthropic(gateway, anthropic_provider, trace_id, status):
    anthropic_provider.answer(f"error-{status}", status=status)
    client = anthropic.Anthropic(
        base_url=gateway.url,
        api_key=UNUSED_KEY,
        default_headers=createHeaders(virtual_key="anthropic-key", trace_id=trace_id),
        max_retries=0,
    )
    with pytest.raises(anthropic.APIStatusError):
        client.messages.create(model="claude-sonnet-4-6", max_tokens=9, messages=QUESTION)
    kind = {400: "invalid_request_error", 429: "rate_limit_error"}[status]
    record = gateway.record(trace_id)
    check(record, status=status, error_type=kind, error_source="provider", total_tokens=None)


@pytest.mark.parametrize("stream", [False, True])
def test_responses_of_openai(gateway, openai_provider, trace_id, stream):
    (openai_provider.stream if stream else openai_provider.answer)("response")
    client = bare_client(gateway, virtual_key="openai-key", trace_id=trace_id)
    answer = client.responses.create(model="gpt-4o", input="What is the Earth?", stream=stream)
    if stream:
        list(answer)
    check(
        gateway.record(trace_id),
        status=200,
        request_model="gpt-4o",
        response_model="gpt-4o-2024-08-06",
        response_id="resp_67ccd2bed1ec8190b14f964abc054267",
        prompt_tokens=36,
        completion_tokens=9,
        total_tokens=45,
        cached_tokens=20,
        reasoning_tokens=4,
        stream=stream,
        complete=True,
    )


def test_embeddings_of_openai(gateway, openai_provider, trace_id):
    openai_provider.answer("embeddings")
    client = bare_client(gateway, virtual_key="openai-key", trace_id=trace_id)
    client.embeddings.create(model="text-embedding-3-small", input="x", encoding_format="float")
    check(
        gateway.record(trace_id),
        request_model="text-embedding-3-small",
        response_model="text-embedding-3-small",
        prompt_tokens=8,
        completion_tokens=0,
        total_tokens=8,
        complete=True,
    )


def test_transcription_of_openai(gateway, openai_provider, trace_id):
    openai_provider.answer("transcription")
    client = bare_client(gateway, virtual_key="openai-key", trace_id=trace_id)
    client.audio.transcriptions.create(model="whisper-1", file=("a.mp3", b"audio", "audio/mpeg"))
    record = gateway.record(trace_id)
    check(record, status=200, provider="openai", cluster="vk.openai-key", error_type=None)


def test_own_answer_is_no_failure(gateway, trace_id):
    bare_client(gateway, trace_id=trace_id).models.list()
    check(gateway.record(trace_id), status=200, error_type=None, provider=None, cluster=None)
