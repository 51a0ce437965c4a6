"""Bedrock behind `ChatOpenAI`, with AWS's own code as the judge of what arrives there."""

import json
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from portkey_ai import createHeaders
from pydantic import BaseModel
from support.aws import check_body, check_request
from support.process import GatewayProcess
from support.upstream import Answer, Upstream

FIXTURES = Path(__file__).parents[1] / "fixtures" / "bedrock"
OPERATOR = ("AKIDOPERATOR", "operator-secret-1", "operator-token/+==")
CALLER = ("AKIDCALLER", "caller-secret-1")
MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
USAGE = {"inputTokens": 17, "outputTokens": 8, "totalTokens": 25}


def answer(*content, stop="end_turn"):
    message = {"role": "assistant", "content": list(content)}
    return Answer.json({"output": {"message": message}, "stopReason": stop, "usage": USAGE})


def frames(name):
    data = (FIXTURES / "stream" / f"{name}.in.bin").read_bytes()
    pieces = [data[at : at + 100] for at in range(0, len(data), 100)]
    headers = {"content-type": "application/vnd.amazon.eventstream"}
    return Answer(headers=headers, pieces=pieces, chunked=True)


class BedrockGateway(GatewayProcess):
    """A gateway in front of one Bedrock."""

    def __init__(self, directory, bedrock):
        super().__init__(directory)
        key, secret, token = OPERATOR
        bedrock = {"base_url": f"http://127.0.0.1:{bedrock.port}"}
        own = {"aws_access_key_id": key, "aws_secret_access_key": secret}
        own |= {"aws_session_token": token, "aws_region": "eu-west-1"}
        self.configure(
            {
                "listen": f"127.0.0.1:{self.port}",
                "admin": f"127.0.0.1:{self.admin}",
                "concurrency": 1,
                "providers": {"bedrock": bedrock},
                "virtual_keys": {"bedrock-key": {"provider": "bedrock", **bedrock, **own}},
                "logs": [{"type": "file", "path": str(self.log)}],
            }
        )


def check(request):
    """Whoever has signed it, botocore signs the same."""
    own = CALLER[0] in request.header("authorization")
    check_request(request, CALLER if own else OPERATOR, "us-west-2" if own else "eu-west-1")


@pytest.fixture(scope="module")
def served(loopback_only, tmp_path_factory):
    upstream = Upstream(check)
    gateway = BedrockGateway(tmp_path_factory.mktemp("bedrock"), upstream)
    gateway.start()
    try:
        yield gateway, upstream
        texts = gateway.dumps() | {"log": gateway.log.read_text()}
        secrets = (*OPERATOR[1:], CALLER[1])
        assert not [(at, one) for at, text in texts.items() for one in secrets if one in text]
        assert not gateway.failures()
    finally:
        gateway.stop()
        upstream.close()


@pytest.fixture(params=["envoy", "module"])
def bedrock(served, request):
    """A client whose requests Envoy signs, and one whose requests the module signs."""
    gateway, upstream = served
    upstream.reset()
    headers = createHeaders(virtual_key="bedrock-key")
    if request.param == "module":
        headers = createHeaders(
            provider="bedrock",
            aws_access_key_id=CALLER[0],
            aws_secret_access_key=CALLER[1],
            aws_region="us-west-2",
        )
    url = f"{gateway.url}/v1"
    yield ChatOpenAI(
        api_key="X", base_url=url, default_headers=headers, model=MODEL, max_retries=0
    ), upstream
    upstream.verify()


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


def test_a_tool_calling_loop(bedrock):
    llm, upstream = bedrock
    call = {"toolUseId": "tooluse_1", "name": "get_weather", "input": {"city": "Pau"}}
    upstream.queue(answer({"toolUse": call}, stop="tool_use"))
    upstream.queue(answer({"text": "Sunny."}))
    llm = llm.bind_tools([get_weather])
    messages = [HumanMessage("Weather in Pau?")]
    messages.append(llm.invoke(messages))
    (asked,) = messages[-1].tool_calls
    assert (asked["name"], asked["args"]) == ("get_weather", {"city": "Pau"})
    messages.append(ToolMessage(get_weather.invoke(asked["args"]), tool_call_id=asked["id"]))
    assert llm.invoke(messages).content == "Sunny."
    result = upstream.requests[1].json["messages"][2]["content"][0]["toolResult"]
    assert result == {"toolUseId": "tooluse_1", "content": [{"text": "sunny in Pau"}]}


def test_structured_output(bedrock):
    class City(BaseModel):
        name: str

    llm, upstream = bedrock
    upstream.queue(answer({"text": '{"name": "Pau"}'}))
    llm = llm.with_structured_output(City, method="json_schema")
    assert llm.invoke("Which city?") == City(name="Pau")
    form = upstream.request.json["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert json.loads(form["schema"])["properties"].keys() == {"name"}


def test_an_image(bedrock):
    llm, upstream = bedrock
    upstream.queue(answer({"text": "A dot."}))
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    message = HumanMessage([{"type": "text", "text": "What?"}, image])
    assert llm.invoke([message]).content == "A dot."
    block = upstream.request.json["messages"][0]["content"][1]
    assert block == {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}}


def test_a_stream_with_usage(bedrock):
    llm, upstream = bedrock
    upstream.queue(frames("text"))
    chunks = list(llm.stream("Go.", stream_usage=True))
    whole = sum(chunks[1:], chunks[0])
    assert whole.content == 'Ćwierć 日 🐝 "x"\n'
    assert whole.usage_metadata["total_tokens"] == 23
    assert upstream.request.path.endswith("/converse-stream")


def test_a_stream_of_tool_calls(bedrock):
    llm, upstream = bedrock
    upstream.queue(frames("tools"))
    chunks = list(llm.stream("Go."))
    calls = sum(chunks[1:], chunks[0]).tool_calls
    assert [(call["name"], call["args"]) for call in calls] == [
        ("get_weather", {"city": "Zug"}),
        ("now", {}),
    ]


def test_every_translated_fixture_is_a_request_of_bedrocks():
    seen = 0
    for path in sorted((FIXTURES / "request").glob("*.out.json")):
        # InvokeModel takes any body: what models have in it, AWS's code does not know.
        if not path.name.startswith(("refused-", "completions-", "embeddings-", "images-")):
            counts = path.name.startswith("tokens-")
            check_body(json.loads(path.read_text()), "CountTokens" if counts else "Converse")
            seen += 1
    assert seen >= 20
