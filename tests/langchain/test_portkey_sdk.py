"""Portkey's own SDK, by each way in which it names a target."""

import pytest
from portkey_ai import AsyncPortkey, Portkey

from support.provider import PORTKEY_KEY, TEXT

QUESTION = [{"role": "user", "content": "What is the meaning of life?"}]
TARGETS = ["virtual_key", "own_key", "config", "config_with_targets", "at_provider"]


def target(kind, form):
    """Arguments of the client."""
    return {
        "virtual_key": {"virtual_key": form.virtual_key},
        "own_key": {"provider": form.name, "Authorization": f"Bearer {form.caller_key}"},
        "config": {"config": {"provider": form.name, "api_key": form.caller_key}},
        "config_with_targets": {
            "config": {
                "strategy": {"mode": "single"},
                "targets": [{"virtual_key": form.virtual_key}],
            }
        },
        "at_provider": {"provider": f"@{form.virtual_key}"},
    }[kind]


def client(gateway, kind=Portkey, **options):
    return kind(api_key=PORTKEY_KEY, base_url=f"{gateway.url}/v1", **options)


@pytest.mark.parametrize("kind", TARGETS)
def test_create(gateway, provider, kind):
    provider.answer("text")
    portkey = client(gateway, **target(kind, provider.form))
    completion = portkey.chat.completions.create(model=provider.form.model, messages=QUESTION)
    assert completion.choices[0].message.content == TEXT
    assert completion.usage.total_tokens == 41
    index = "config.targets[0]" if kind == "config_with_targets" else "config"
    headers = completion.get_headers()
    assert headers["last-used-option-index"] == index
    assert headers["provider"] == provider.form.name


@pytest.mark.parametrize("kind", TARGETS)
def test_stream(gateway, provider, kind):
    provider.stream("text")
    portkey = client(gateway, **target(kind, provider.form))
    chunks = portkey.chat.completions.create(
        model=provider.form.model, messages=QUESTION, stream=True
    )
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == TEXT


def test_create_async(gateway, provider, run):
    provider.answer("text")
    portkey = client(gateway, AsyncPortkey, virtual_key=provider.form.virtual_key)

    async def create():
        return await portkey.chat.completions.create(model=provider.form.model, messages=QUESTION)

    assert run(create()).choices[0].message.content == TEXT


@pytest.mark.parametrize("stream", [False, True])
def test_saved_config(gateway, anthropic_provider, stream):
    (anthropic_provider.stream if stream else anthropic_provider.answer)("text")
    portkey = client(gateway, config="pc-claude")
    answer = portkey.chat.completions.create(
        model="claude-sonnet-4-6", messages=QUESTION, temperature=0.9, stream=stream
    )
    if stream:
        deltas = [choice.delta for chunk in answer for choice in chunk.choices]
        assert "".join(delta.content or "" for delta in deltas) == TEXT
    else:
        assert answer.choices[0].message.content == TEXT
    assert anthropic_provider.body["temperature"] == 0.1


def test_override_params(gateway, provider):
    provider.answer("text")
    config = {
        "virtual_key": provider.form.virtual_key,
        "override_params": {"model": "other-model", "temperature": 0.5},
    }
    portkey = client(gateway, config=config)
    portkey.chat.completions.create(model="any-model", messages=QUESTION, temperature=1)
    assert provider.body["model"] == "other-model"
    assert provider.body["temperature"] == 0.5


def test_retry(gateway, provider):
    provider.answer("error-500", status=500)
    provider.answer("error-500", status=500)
    provider.answer("text")
    config = {"virtual_key": provider.form.virtual_key, "retry": {"attempts": 3}}
    portkey = client(gateway, config=config)
    completion = portkey.chat.completions.create(model=provider.form.model, messages=QUESTION)
    assert completion.choices[0].message.content == TEXT
    assert completion.get_headers()["retry-attempt-count"] == "2"
    bodies = {request.body for request in provider.upstream.requests}
    assert (len(provider.upstream.requests), len(bodies)) == (3, 1)


@pytest.mark.parametrize("strict", [False, True])
def test_compliance(gateway, anthropic_provider, strict):
    """Unless asked to keep to OpenAI's format, Portkey's SDK gets Anthropic's own blocks, too."""
    anthropic_provider.answer("text")
    options = {"strict_open_ai_compliance": True} if strict else {}
    portkey = client(gateway, virtual_key="anthropic-key", **options)
    completion = portkey.chat.completions.create(model="claude-sonnet-4-6", messages=QUESTION)
    choice = completion.choices[0].model_dump()
    assert choice["finish_reason"] == ("stop" if strict else "end_turn")
    blocks = None if strict else [{"type": "text", "text": TEXT}]
    assert choice["message"].get("content_blocks") == blocks


def test_metadata_and_trace(gateway, provider, trace_id):
    provider.answer("text")
    portkey = client(gateway, virtual_key=provider.form.virtual_key)
    portkey.with_options(trace_id=trace_id, metadata={"_user": "u1"}).chat.completions.create(
        model=provider.form.model, messages=QUESTION
    )
    assert gateway.record(trace_id)["metadata"] == {"_user": "u1"}
