"""Clients of Anthropic's Messages API at providers that do not have it."""

import anthropic
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from portkey_ai import createHeaders

from support.model import CALL, RESULT, SAID, USAGE, respond
from support.provider import TEXT
from support.schema import check_closed
from support.upstream import Answer

# The virtual key of each provider, and the upstream behind it.
TARGETS = {"together-key": "openai", "google-key": "google", "cohere-key": "cohere"}
ASKED = {"model": "model-0", "max_tokens": 64, "messages": [{"role": "user", "content": TEXT}]}
TOOL = {
    "name": CALL[0],
    "description": "The weather of a city",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
# As Claude Code asks.
AGENT = {
    "model": "model-0",
    "max_tokens": 16000,
    "system": [
        {"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "Use tools.", "cache_control": {"type": "ephemeral"}},
    ],
    "tools": [
        TOOL,
        *({"name": f"tool_{at}", "description": "x" * 200, "input_schema": {
            "$schema": "http://json-schema.org/draft-07/schema#", "type": "object",
            "properties": {"path": {"type": "string"}}, "additionalProperties": False,
        }} for at in range(20)),
    ],
    "thinking": {"type": "enabled", "budget_tokens": 10000},
    "metadata": {"user_id": "user_" + "5f" * 32 + "_account__session_1"},
    "messages": [
        {"role": "user", "content": [
            {"type": "text", "text": "<system-reminder>\nIt is Tuesday.\n</system-reminder>"},
            {"type": "text", "text": TEXT, "cache_control": {"type": "ephemeral"}},
        ]},
    ],
}  # fmt: skip


@pytest.fixture(params=TARGETS)
def key(request, gateway, upstreams):
    """A virtual key of a provider that has chat completions alone, with its scripted model."""
    form = TARGETS[request.param]
    upstreams[form].respond_with(respond(form))
    return request.param


def client_of(gateway, key, **headers):
    headers = createHeaders(virtual_key=key, **headers)
    return anthropic.Anthropic(
        base_url=gateway.url, api_key="X", default_headers=headers, max_retries=0
    )


@pytest.fixture
def client(gateway, key):
    return client_of(gateway, key)


def check_usage(usage):
    assert (usage.input_tokens, usage.output_tokens) == USAGE


def test_create(client, key):
    raw = client.messages.with_raw_response.create(**ASKED)
    check_closed(Message, raw.http_response.json())
    message = raw.parse()
    assert (message.type, message.role, message.stop_reason) == ("message", "assistant", "end_turn")
    assert [(block.type, block.text) for block in message.content] == [("text", SAID)]
    assert message.model == ("model-0" if key == "cohere-key" else "model-1")
    check_usage(message.usage)


def test_stream(client):
    events = list(client.messages.create(**ASKED, stream=True))
    for event in events:
        check_closed(RawMessageStreamEvent, event.model_dump(exclude_unset=True))
    kinds = [event.type for event in events]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    with client.messages.stream(**ASKED) as stream:
        assert "".join(stream.text_stream) == SAID
        check_usage(stream.get_final_message().usage)


def test_beta(client, upstreams, key):
    """Claude Code asks with `?beta=true` and features that others do not have."""
    message = client.beta.messages.create(
        **ASKED, betas=["context-management-2025-06-27"], context_management={"edits": []}
    )
    assert message.content[0].text == SAID
    request = upstreams[TARGETS[key]].request
    assert "beta=" not in request.path and request.header("anthropic-beta") is None
    assert "context_management" not in request.json


@pytest.mark.parametrize("streams", [False, True])
def test_tool_loop_of_an_agent(client, upstreams, key, streams):
    messages = list(AGENT["messages"])
    for _ in range(2):
        asked = AGENT | {"messages": messages}
        if streams:
            with client.messages.stream(**asked) as stream:
                message = stream.get_final_message()
        else:
            message = client.messages.create(**asked)
        calls = [block for block in message.content if block.type == "tool_use"]
        if not calls:
            break
        assert message.stop_reason == "tool_use"
        assert [(call.name, call.input) for call in calls] == [CALL]
        content = [block.model_dump(exclude_none=True) for block in message.content]
        result = {"type": "tool_result", "tool_use_id": calls[0].id, "content": RESULT}
        messages += [{"role": "assistant", "content": content}, {"role": "user", "content": [result]}]
    assert message.content[-1].text == SAID
    check_usage(message.usage)
    first, second = upstreams[TARGETS[key]].requests
    assert b"tool_19" in first.body and RESULT.encode() in second.body
    assert b"cache_control" not in first.body


@pytest.mark.parametrize(
    ("status", "kind", "name"),
    [
        (400, anthropic.BadRequestError, "invalid_request_error"),
        (401, anthropic.AuthenticationError, "authentication_error"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
    ],
)
def test_errors_of_providers(gateway, openai_provider, status, kind, name):
    openai_provider.answer(f"error-{status}", status=status)
    with pytest.raises(kind) as caught:
        client_of(gateway, "together-key").messages.create(**ASKED)
    assert caught.value.body["type"] == "error"
    assert caught.value.body["error"]["type"] == name
    assert set(caught.value.body["error"]) == {"type", "message"}


def test_errors_of_the_gateway(gateway):
    with pytest.raises(anthropic.BadRequestError) as caught:
        client_of(gateway, "nobody").messages.create(**ASKED)
    error = caught.value.body["error"]
    assert error["type"] == "invalid_request_error" and "virtual key" in error["message"]
    with pytest.raises(anthropic.BadRequestError, match="must be user or assistant"):
        bad = ASKED | {"messages": [{"role": "robot", "content": "x"}]}
        client_of(gateway, "together-key").messages.create(**bad)
    with pytest.raises(anthropic.APIStatusError, match="could not be reached") as caught:
        client_of(gateway, "closed-key").messages.create(**ASKED)
    assert caught.value.status_code == 503
    assert caught.value.body["error"]["type"] == "overloaded_error"


def test_tokens_are_counted_by_anthropic_alone(gateway):
    asked = {name: value for name, value in ASKED.items() if name != "max_tokens"}
    with pytest.raises(anthropic.BadRequestError, match="not supported by together-ai"):
        client_of(gateway, "together-key").messages.count_tokens(**asked)


def test_a_stream_that_is_cut_ends_with_an_error(gateway, upstreams):
    chunk = b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"so"}}]}\n\n'
    upstreams["openai"].queue(Answer.stream([chunk]))
    client = client_of(gateway, "together-key")
    with pytest.raises(anthropic.APIStatusError, match="ended before"):
        with client.messages.stream(**ASKED) as stream:
            stream.until_done()


def test_what_is_dropped_is_named_and_logged(gateway, upstreams, trace_id):
    upstreams["openai"].respond_with(respond("openai"))
    client = client_of(gateway, "together-key", trace_id=trace_id)
    tools = [{"type": "web_search_20250305", "name": "web_search"}]
    asked = ASKED | {"tools": tools, "extra_body": {"top_k": 4}}
    raw = client.messages.with_raw_response.create(**asked)
    assert raw.headers["x-portkey-dropped-params"] == "tools.web_search,top_k"
    record = gateway.record(trace_id)
    assert record["endpoint"] == "messages" and record["provider"] == "together-ai"
    assert record["dropped_params"] == "tools.web_search,top_k"
    assert (record["prompt_tokens"], record["completion_tokens"]) == USAGE
    assert record["finish_reason"] == "stop"


def test_fallback_from_one_format_to_another(gateway, upstreams, anthropic_provider):
    """The second attempt starts from what the client sent, not from the first one's translation."""
    anthropic_provider.answer("error-500", status=500)
    upstreams["google"].queue(Answer.json({"error": {"code": 503, "message": "x"}}, status=503))
    upstreams["cohere"].queue(Answer.stream([b'data: {"message":"overloaded"}\n\n']))
    upstreams["openai"].respond_with(respond("openai"))
    keys = ["anthropic-key", "google-key", "cohere-key", "together-key"]
    config = {"strategy": {"mode": "fallback"}, "targets": [{"virtual_key": key} for key in keys]}
    client = anthropic.Anthropic(
        base_url=gateway.url, api_key="X", default_headers=createHeaders(config=config)
    )
    with client.messages.stream(**AGENT) as stream:
        message = stream.get_final_message()
    assert [(block.name, block.input) for block in message.content] == [CALL]
    assert b"cache_control" in anthropic_provider.upstream.request.body
    last = upstreams["openai"].request.json
    assert [each["role"] for each in last["messages"]] == ["system", "user"]
    assert last["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("streams", [False, True])
def test_chat_anthropic(gateway, key, streams):
    @tool
    def get_weather(city: str) -> str:
        """The weather of a city."""
        return RESULT

    llm = ChatAnthropic(
        model="model-0", base_url=gateway.url, api_key="X", max_retries=0, streaming=streams,
        default_headers=createHeaders(virtual_key=key),
    ).bind_tools([get_weather])  # fmt: skip
    messages = [HumanMessage(TEXT)]
    asked = llm.invoke(messages)
    assert [(call["name"], call["args"]) for call in asked.tool_calls] == [CALL]
    messages += [asked] + [get_weather.invoke(call) for call in asked.tool_calls]
    said = llm.invoke(messages)
    assert said.text == SAID
    assert (said.usage_metadata["input_tokens"], said.usage_metadata["output_tokens"]) == USAGE
