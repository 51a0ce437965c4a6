"""The gateway's own answers and limits, as OpenAI's SDK shows them."""

import json

import openai
import pytest

from support.client import bare_client, openai_client
from support.process import LARGEST_BODY
from support.provider import TEXT
from support.upstream import Answer, recorded

QUESTION = [{"role": "user", "content": "What is the meaning of life?"}]


def test_errors_of_the_gateway(gateway):
    with pytest.raises(openai.BadRequestError) as caught:
        bare_client(gateway).chat.completions.create(model="gpt-4o", messages=QUESTION)
    assert caught.value.code == "no_provider"
    assert "x-portkey-provider" in caught.value.message
    with pytest.raises(openai.BadRequestError) as caught:
        bare_client(gateway, config={"provider": "nobody"}).embeddings.create(model="m", input="x")
    assert caught.value.code == "invalid_config"
    assert caught.value.param == "config.provider"


def test_provider_that_cannot_be_reached(gateway, trace_id):
    one = bare_client(gateway, virtual_key="closed-key", trace_id=trace_id)
    with pytest.raises(openai.InternalServerError) as caught:
        one.chat.completions.create(model="gpt-4o", messages=QUESTION)
    assert (caught.value.status_code, caught.value.code) == (503, "upstream_unreachable")
    record = gateway.record(trace_id)
    assert (record["status"], record["cluster"]) == (503, "vk.closed-key")
    assert (record["error_type"], record["error_source"]) == ("upstream_unreachable", "provider")


def test_path_without_version(gateway):
    one = bare_client(gateway, provider="demo").with_options(base_url=gateway.url)
    with pytest.raises(openai.NotFoundError, match="/v1/"):
        one.chat.completions.create(model="any", messages=QUESTION)


def test_operation_that_the_provider_lacks(gateway, anthropic_provider):
    with pytest.raises(openai.BadRequestError, match="not supported by anthropic"):
        openai_client(gateway, anthropic_provider.form).embeddings.create(model="m", input="x")


def test_large_bodies(gateway, provider):
    """Both are larger than Envoy's own limit of a buffer, 1 MiB."""
    question, answer = "q" * (3 << 20), "a" * (3 << 20)
    recording = recorded(f"{provider.form.name}-text.json")
    text = json.dumps(TEXT, ensure_ascii=False).encode()
    assert text in recording
    provider.upstream.queue(Answer.json(recording.replace(text, json.dumps(answer).encode())))
    completion = openai_client(gateway, provider.form).chat.completions.create(
        model=provider.form.model, messages=[{"role": "user", "content": question}]
    )
    assert completion.choices[0].message.content == answer
    assert question.encode() in provider.upstream.request.body


def test_body_over_the_limit(gateway, provider):
    with pytest.raises(openai.APIStatusError) as caught:
        openai_client(gateway, provider.form).chat.completions.create(
            model=provider.form.model,
            messages=[{"role": "user", "content": "q" * (LARGEST_BODY + 1)}],
        )
    assert (caught.value.status_code, caught.value.code) == (413, "payload_too_large")


def test_clients_cannot_steer_envoy(gateway, provider):
    provider.answer("error-500", status=500)
    spoofed = {
        "x-envoy-retry-on": "5xx",
        "x-envoy-max-retries": "5",
        "x-envoy-upstream-rq-per-try-timeout-ms": "1",
        "x-portkey-retry": "1",
    }
    with pytest.raises(openai.InternalServerError):
        openai_client(gateway, provider.form).chat.completions.create(
            model=provider.form.model, messages=QUESTION, extra_headers=spoofed
        )
    assert len(provider.upstream.requests) == 1


def test_models_lists_what_is_configured(gateway):
    models = {model.id: model.owned_by for model in bare_client(gateway).models.list()}
    assert models == {
        "anthropic": "anthropic",
        "anthropic-key": "anthropic",
        "azure-key": "azure-openai",
        "azure-v1-key": "azure-openai",
        "closed-key": "openai",
        "cohere-key": "cohere",
        "demo": "demo",
        "google-key": "google",
        "openai": "openai",
        "openai-key": "openai",
        "together-key": "together-ai",
    }


def test_models_of_a_provider(gateway, openai_provider):
    listed = {
        "object": "list",
        "data": [{"id": "gpt-4o", "object": "model", "created": 1, "owned_by": "o"}],
    }
    openai_provider.upstream.queue(Answer.json(listed))
    assert [model.id for model in openai_client(gateway, openai_provider.form).models.list()] == [
        "gpt-4o"
    ]
    assert openai_provider.upstream.request.path == "/v1/models"


def test_demo_needs_no_key(gateway):
    one = bare_client(gateway, provider="demo")
    completion = one.chat.completions.create(model="any", messages=QUESTION)
    assert completion.choices[0].message.content
    chunks = list(one.chat.completions.create(model="any", messages=QUESTION, stream=True))
    assert len(chunks) > 2
