"""Clients of OpenAI's Responses API at providers that do not have it: OpenAI's own client, the
OpenAI Agents SDK and LangChain."""

import agents
import openai
import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openai.types.responses import Response, ResponseStreamEvent
from portkey_ai import createHeaders
from pydantic import BaseModel

from support.client import bare_client
from support.model import CALL, RESULT, SAID, USAGE, respond
from support.provider import TEXT, UNUSED_KEY
from support.schema import check_closed
from support.upstream import Answer, recorded

# The virtual key of each provider, and the upstream behind it.
TARGETS = {
    "together-key": "openai",
    "anthropic-key": "anthropic",
    "google-key": "google",
    "cohere-key": "cohere",
}
TOOL = {
    "type": "function",
    "name": CALL[0],
    "description": "The weather of a city",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
# Names that the types spell otherwise than the API does.
SPELLING = {"by_alias": True, "exclude_unset": True}


class Weather(BaseModel):
    city: str
    degrees: int


@pytest.fixture(params=TARGETS)
def key(request, gateway, upstreams):
    """A virtual key of a provider that has no Responses API, with its scripted model."""
    form = TARGETS[request.param]
    upstreams[form].respond_with(respond(form))
    return request.param


@pytest.fixture
def client(gateway, key):
    return bare_client(gateway, virtual_key=key)


def check_usage(usage):
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (*USAGE, sum(USAGE))


def test_create(client):
    asked = {"model": "claude-sonnet-4-6", "input": TEXT, "instructions": "Be brief.", "user": "u"}
    raw = client.responses.with_raw_response.create(**asked, max_output_tokens=99, metadata={"a": "b"})
    check_closed(Response, raw.http_response.json())
    response = raw.parse()
    assert response.output_text == SAID
    assert (response.object, response.status, response.store) == ("response", "completed", False)
    assert (response.instructions, response.max_output_tokens) == ("Be brief.", 99)
    assert response.metadata == {"a": "b"}
    check_usage(response.usage)


@pytest.mark.parametrize("calls", [False, True])
def test_stream(client, calls):
    tools = [TOOL] if calls else []
    asked = {"model": "claude-sonnet-4-6", "input": TEXT, "tools": tools}
    events = list(client.responses.create(**asked, stream=True))
    for event in events:
        check_closed(ResponseStreamEvent, event.model_dump(mode="json", **SPELLING))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type.removeprefix("response.") for event in events]
    assert kinds[:3] == ["created", "in_progress", "output_item.added"]
    assert kinds[-2:] == ["output_item.done", "completed"]
    middle = [kind for kind in kinds[3:-2] if not kind.endswith(".delta")]
    texts = ["content_part.added", "output_text.done", "content_part.done"]
    assert middle == (["function_call_arguments.done"] if calls else texts)
    with client.responses.stream(**asked) as stream:
        stream.until_done()
        response = stream.get_final_response()
    if calls:
        assert response.output[0].arguments.replace(" ", "") == '{"city":"Pau"}'
    else:
        assert response.output_text == SAID
    check_usage(response.usage)


def test_tool_loop(client):
    conversation = [{"role": "user", "content": TEXT}]
    asked = {"model": "claude-sonnet-4-6", "tools": [TOOL], "tool_choice": "auto"}
    first = client.responses.create(input=conversation, **asked)
    (call,) = first.output
    assert (call.type, call.name) == ("function_call", CALL[0])
    output = {"type": "function_call_output", "call_id": call.call_id, "output": RESULT}
    conversation += [item.model_dump(exclude_none=True) for item in first.output] + [output]
    second = client.responses.create(input=conversation, **asked)
    assert second.output_text == SAID


@pytest.mark.parametrize("streams", [False, True])
def test_agent(gateway, key, run, streams):
    """The OpenAI Agents SDK: a tool is called, and its result is told."""
    called = []

    @agents.function_tool
    def get_weather(city: str) -> str:
        """The weather of a city."""
        called.append(city)
        return RESULT

    agents.set_tracing_disabled(True)
    client = bare_client(gateway, kind=openai.AsyncOpenAI, virtual_key=key)
    model = agents.OpenAIResponsesModel(model="claude-sonnet-4-6", openai_client=client)
    agent = agents.Agent(
        name="Forecaster", instructions="Use tools.", tools=[get_weather], model=model
    )

    async def ask():
        if not streams:
            return await agents.Runner.run(agent, TEXT)
        result = agents.Runner.run_streamed(agent, TEXT)
        async for _ in result.stream_events():
            pass
        return result

    result = run(ask())
    assert called == ["Pau"]
    assert result.final_output == SAID
    usage = result.context_wrapper.usage
    assert (usage.input_tokens, usage.output_tokens) == tuple(2 * count for count in USAGE)


def test_parse(gateway, upstreams):
    answer = Weather(city="Pau", degrees=22)
    upstreams["openai"].respond_with(respond("openai", say=answer.model_dump_json()))
    client = bare_client(gateway, virtual_key="together-key")
    response = client.responses.parse(model="m", input=TEXT, text_format=Weather)
    assert response.output_parsed == answer
    form = upstreams["openai"].request.json["response_format"]
    assert form["json_schema"]["name"] == "Weather" and form["json_schema"]["strict"] is True


@pytest.mark.parametrize("streams", [False, True])
def test_chat_openai(gateway, key, streams):
    @tool
    def get_weather(city: str) -> str:
        """The weather of a city."""
        return RESULT

    llm = ChatOpenAI(
        model="claude-sonnet-4-6", base_url=f"{gateway.url}/v1", api_key=UNUSED_KEY, max_retries=0,
        default_headers=createHeaders(virtual_key=key), use_responses_api=True, streaming=streams,
    ).bind_tools([get_weather])  # fmt: skip
    messages = [HumanMessage(TEXT)]
    asked = llm.invoke(messages)
    assert [(call["name"], call["args"]) for call in asked.tool_calls] == [CALL]
    messages += [asked] + [get_weather.invoke(call) for call in asked.tool_calls]
    said = llm.invoke(messages)
    assert said.text == SAID
    assert (said.usage_metadata["input_tokens"], said.usage_metadata["output_tokens"]) == USAGE


def test_openais_own_passes(gateway, openai_provider):
    openai_provider.upstream.queue(Answer.json(recorded("openai-response.json")))
    client = bare_client(gateway, virtual_key="openai-key")
    client.responses.create(model="gpt-4o", input=TEXT, previous_response_id="resp_1")
    request = openai_provider.upstream.request
    assert (request.path, request.json["previous_response_id"]) == ("/v1/responses", "resp_1")


def test_nothing_is_stored(gateway):
    client = bare_client(gateway, virtual_key="anthropic-key")
    with pytest.raises(openai.BadRequestError, match="nothing is stored") as caught:
        client.responses.create(model="m", input=TEXT, previous_response_id="resp_1")
    assert caught.value.param == "previous_response_id"
    for call in (client.responses.retrieve, client.responses.delete, client.responses.cancel):
        with pytest.raises(openai.BadRequestError, match="native Responses API providers"):
            call("resp_1")


def test_a_stream_that_is_cut_has_failed(gateway, upstreams):
    chunk = b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"so"}}]}\n\n'
    upstreams["openai"].queue(Answer.stream([chunk]))
    client = bare_client(gateway, virtual_key="together-key")
    events = list(client.responses.create(model="m", input=TEXT, stream=True))
    assert events[-1].type == "response.failed"
    check_closed(Response, events[-1].response.model_dump(mode="json", **SPELLING))
    assert events[-1].response.error.code == "server_error"


def test_errors(gateway, openai_provider):
    openai_provider.answer("error-429", status=429)
    client = bare_client(gateway, virtual_key="together-key")
    with pytest.raises(openai.RateLimitError, match="together-ai error"):
        client.responses.create(model="m", input=TEXT)


def test_hosted_tools_are_dropped_and_named(gateway, upstreams, trace_id):
    upstreams["openai"].respond_with(respond("openai"))
    client = bare_client(gateway, virtual_key="together-key", trace_id=trace_id)
    raw = client.responses.with_raw_response.create(
        model="m", input=TEXT, tools=[{"type": "web_search"}], store=True
    )
    assert raw.headers["x-portkey-dropped-params"] == "tools.web_search,store"
    record = gateway.record(trace_id)
    assert (record["endpoint"], record["provider"]) == ("responses", "together-ai")
    assert (record["prompt_tokens"], record["completion_tokens"]) == USAGE
