"""OpenAI's own SDK: chat completions from both formats of providers, and what its users read."""

import json

import openai
import pytest

from support.client import openai_client
from support.provider import CALLER_ANTHROPIC_KEY, CALLER_OPENAI_KEY, TEXT
from support.upstream import Answer, recorded

QUESTION = [{"role": "user", "content": "What is the meaning of life?"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the temperature in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def check_text(completion, form):
    (choice,) = completion.choices
    assert completion.object == "chat.completion"
    assert completion.id == form.ids["text"]
    assert completion.model == form.answering_model
    assert completion.created > 1_500_000_000
    assert (choice.index, choice.finish_reason) == (0, "stop")
    assert (choice.message.role, choice.message.content) == ("assistant", TEXT)
    assert choice.message.tool_calls is None
    check_usage(completion.usage)


def check_usage(usage):
    counts = usage.prompt_tokens, usage.completion_tokens, usage.total_tokens
    assert counts == (24, 17, 41)
    assert usage.prompt_tokens_details.cached_tokens == 8


@pytest.mark.parametrize("own_key", [False, True])
def test_create(gateway, provider, own_key):
    provider.answer("text")
    completions = openai_client(gateway, provider.form, own_key).chat.completions
    completion = completions.create(model=provider.form.model, messages=QUESTION)
    check_text(completion, provider.form)
    header = "x-api-key" if provider.form.is_anthropic else "authorization"
    sent = provider.upstream.request.header(header)
    assert sent.endswith((CALLER_OPENAI_KEY, CALLER_ANTHROPIC_KEY)) == own_key


def test_create_async(gateway, provider, run):
    provider.answer("text")

    async def create():
        async with openai_client(gateway, provider.form, kind=openai.AsyncOpenAI) as one:
            return await one.chat.completions.create(model=provider.form.model, messages=QUESTION)

    check_text(run(create()), provider.form)


@pytest.mark.parametrize("include_usage", [True, False])
def test_stream(gateway, provider, include_usage):
    provider.stream("text", pause=0.01)
    options = {"stream_options": {"include_usage": True}} if include_usage else {}
    stream = openai_client(gateway, provider.form).chat.completions.create(
        model=provider.form.model, messages=QUESTION, stream=True, **options
    )
    chunks = list(stream)
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    # As Portkey's, ids of Anthropic's streams begin with its name.
    own = provider.form.ids["text"]
    assert {chunk.id for chunk in chunks} == {own.replace("msg_", "anthropic-msg_")}
    assert {chunk.model for chunk in chunks} == {provider.form.answering_model}
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    assert deltas[0].role == "assistant"
    assert "".join(delta.content or "" for delta in deltas) == TEXT
    reasons = [choice.finish_reason for chunk in chunks for choice in chunk.choices]
    assert [reason for reason in reasons if reason] == ["stop"]
    if include_usage:
        (usage,) = [chunk.usage for chunk in chunks if chunk.usage]
        check_usage(usage)


def test_stream_is_done_once(gateway, provider):
    """Other clients than OpenAI's wait for the last event."""
    provider.stream("text")
    raw = openai_client(gateway, provider.form).chat.completions.with_raw_response
    answer = raw.create(model=provider.form.model, messages=QUESTION, stream=True)
    received = answer.http_response.read()
    assert received.endswith(b"\n\ndata: [DONE]\n\n")
    assert received.count(b"[DONE]") == 1


def test_stream_async(gateway, provider, run):
    answer = provider.stream("text", hold_after=5)

    async def collect():
        text = ""
        async with openai_client(gateway, provider.form, kind=openai.AsyncOpenAI) as one:
            chunks = await one.chat.completions.create(
                model=provider.form.model, messages=QUESTION, stream=True
            )
            async for chunk in chunks:
                text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
                if text:
                    answer.release.set()
        return text

    assert run(collect()) == TEXT


def test_stream_helper(gateway, provider):
    """The SDK's own accumulator of events reads the stream."""
    provider.stream("tools")
    with openai_client(gateway, provider.form).chat.completions.stream(
        model=provider.form.model,
        messages=QUESTION,
        tools=[TOOL],
        stream_options={"include_usage": True},
    ) as stream:
        kinds = {event.type for event in stream}
        completion = stream.get_final_completion()
    assert "tool_calls.function.arguments.done" in kinds
    check_calls(completion.choices[0], provider.form)
    assert completion.usage.total_tokens == 91


def test_tools(gateway, provider):
    provider.answer("tools")
    completion = openai_client(gateway, provider.form).chat.completions.create(
        model=provider.form.model, messages=QUESTION, tools=[TOOL]
    )
    check_calls(completion.choices[0], provider.form)


def check_calls(choice, form):
    assert choice.finish_reason == "tool_calls"
    calls = choice.message.tool_calls
    found = [(one.id, one.function.name, json.loads(one.function.arguments)) for one in calls]
    cities = "Pau", "Dax"
    assert found == [(form.ids[city], "weather", {"city": city}) for city in cities]
    assert {one.type for one in calls} == {"function"}


@pytest.mark.parametrize("stream", [False, True])
def test_response_headers(gateway, provider, trace_id, stream):
    (provider.stream if stream else provider.answer)("text")
    response = openai_client(
        gateway, provider.form, trace_id=trace_id
    ).chat.completions.with_raw_response
    answer = response.create(model=provider.form.model, messages=QUESTION, stream=stream)
    assert answer.status_code == 200
    assert answer.headers["x-portkey-trace-id"] == trace_id
    assert answer.headers["x-portkey-provider"] == provider.form.name
    assert answer.headers["x-portkey-last-used-option-index"] == "config"
    assert answer.headers["x-portkey-retry-attempt-count"] == "0"
    assert answer.headers["x-portkey-cache-status"] == "DISABLED"
    media = "text/event-stream" if stream else "application/json"
    assert answer.headers["content-type"].startswith(media)
    assert not [name for name in answer.headers if name.startswith("x-envoy-")]
    if stream:
        assert len(list(answer.parse())) > 5
    else:
        check_text(answer.parse(), provider.form)


def test_a_trace_id_is_made_when_none_is_sent(gateway, provider):
    provider.answer("text")
    raw = openai_client(gateway, provider.form).chat.completions.with_raw_response
    answer = raw.create(model=provider.form.model, messages=QUESTION)
    assert answer.headers["x-portkey-trace-id"]


def test_headers_of_the_provider_reach_the_client(gateway, provider):
    name = "request-id" if provider.form.is_anthropic else "openai-processing-ms"
    provider.answer("text", headers={name: "123", "x-portkey-retry": "1", "x-envoy-evil": "1"})
    raw = openai_client(gateway, provider.form).chat.completions.with_raw_response
    answer = raw.create(model=provider.form.model, messages=QUESTION)
    assert answer.headers[name] == "123"
    assert "x-portkey-retry" not in answer.headers
    assert "x-envoy-evil" not in answer.headers


def test_unknown_fields_reach_openai(gateway, openai_provider):
    openai_provider.answer("text")
    extra = {"x_new_field": {"deep": [1, 2.50, None]}, "big": 12345678901234567890123}
    openai_client(gateway, openai_provider.form).chat.completions.create(
        model="gpt-4o", messages=QUESTION, extra_body=extra
    )
    assert openai_provider.body == {"model": "gpt-4o", "messages": QUESTION} | extra


def test_unknown_fields_of_the_answer_reach_the_client(gateway, openai_provider):
    answer = json.loads(recorded("openai-text.json"))
    answer["choices"][0]["message"]["x_new_field"] = {"deep": [1]}
    openai_provider.upstream.queue(Answer.json(answer))
    completion = openai_client(gateway, openai_provider.form).chat.completions.create(
        model="gpt-4o", messages=QUESTION
    )
    assert completion.to_dict() == answer


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, openai.BadRequestError), (429, openai.RateLimitError)],
)
def test_errors(gateway, provider, status, kind, trace_id):
    provider.answer(f"error-{status}", status=status)
    with pytest.raises(kind) as caught:
        openai_client(gateway, provider.form, trace_id=trace_id).chat.completions.create(
            model=provider.form.model, messages=QUESTION
        )
    assert set(caught.value.body) == {"message", "type", "param", "code"}
    assert caught.value.message.count(f"{provider.form.name} error: ") == 1
    assert caught.value.response.json()["provider"] == provider.form.name
    assert caught.value.response.headers["x-portkey-trace-id"] == trace_id


def test_developer_message(gateway, provider):
    provider.answer("text")
    openai_client(gateway, provider.form).chat.completions.create(
        model=provider.form.model,
        messages=[{"role": "developer", "content": "Be brief."}, *QUESTION],
    )
    if provider.form.is_anthropic:
        (block,) = provider.body["system"]
        assert block["text"] == "Be brief."
        assert [message["role"] for message in provider.body["messages"]] == ["user"]
    else:
        assert provider.body["messages"][0] == {"role": "developer", "content": "Be brief."}


def test_openais_accounts_are_named_with_a_prefix_and_reach_openai_alone(gateway, provider):
    provider.answer("text")
    named = {"x-portkey-openai-organization": "org-1", "x-portkey-openai-project": "proj-1"}
    with openai_client(gateway, provider.form) as one:
        one.with_options(organization="bare", default_headers=named).chat.completions.create(
            model=provider.form.model, messages=QUESTION
        )
    expected = (None, None) if provider.form.is_anthropic else ("org-1", "proj-1")
    names = "openai-organization", "openai-project"
    assert tuple(provider.upstream.request.header(name) for name in names) == expected
