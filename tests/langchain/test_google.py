"""Google and Vertex AI behind `ChatOpenAI`, with Google's own code as the judge of what arrives."""

import json
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from portkey_ai import createHeaders
from pydantic import BaseModel
from support.google import check_generate_request, check_grant
from support.process import GatewayProcess
from support.schema import check_messages_request
from support.upstream import Answer, Upstream

FIXTURES = Path(__file__).parents[1] / "fixtures"
KEY_FILE = FIXTURES / "vertex" / "service_account.json"
ACCOUNT = json.loads(KEY_FILE.read_text())
GOOGLE_KEY = "AIza-google-key-3b"
TOKEN = "ya29.token-of-the-account"
USAGE = {"promptTokenCount": 17, "candidatesTokenCount": 6, "thoughtsTokenCount": 2}
PLACE = "/v1/projects/proj-1/locations/europe-west1/publishers/google/models/"


def answer(*parts):
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP"}
    return Answer.json(
        {"candidates": [candidate], "usageMetadata": USAGE, "modelVersion": "gemini-2.5-flash"}
    )


def events(name, dialect="gemini"):
    return Answer.stream((FIXTURES / dialect / "stream" / f"{name}.in.sse").read_bytes())


class Google(Upstream):
    """The models, and the token endpoint, which needs no script."""

    grants = ()

    def take(self, request):
        if request.path != "/token":
            return super().take(request)
        self.grants += (check_grant(request.body, ACCOUNT),)
        return Answer.json({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})


def check(request):
    """Credential, path and body of a model's request."""
    assert not [name for name, _ in request.headers if name.lower().startswith("x-portkey-")]
    if request.path.startswith("/v1beta/models/"):
        assert request.header("x-goog-api-key") == GOOGLE_KEY
        assert request.header("authorization") is None
    else:
        assert request.path.startswith(PLACE)
        assert request.header("authorization") == f"Bearer {TOKEN}"
        assert request.header("x-goog-api-key") is None
    check_generate_request(request.json)


@pytest.fixture(scope="module")
def served(loopback_only, tmp_path_factory):
    upstream = Google(check)
    place = {"base_url": f"http://127.0.0.1:{upstream.port}"}
    gateway = GatewayProcess(tmp_path_factory.mktemp("google"))
    account = {"vertex_region": "europe-west1", "vertex_service_account_json": f"file:{KEY_FILE}"}
    gateway.configure(
        {
            "listen": f"127.0.0.1:{gateway.port}",
            "admin": f"127.0.0.1:{gateway.admin}",
            "concurrency": 1,
            "google_token_url": f"http://127.0.0.1:{upstream.port}/token",
            "virtual_keys": {
                "google-key": {"provider": "google", "api_key": GOOGLE_KEY, **place},
                "vertex-key": {"provider": "vertex-ai", **account, **place},
            },
            "logs": [{"type": "file", "path": str(gateway.log)}],
        }
    )
    gateway.start()
    try:
        yield gateway, upstream
        texts = gateway.dumps() | {"log": gateway.log.read_text()}
        secrets = (GOOGLE_KEY, TOKEN, ACCOUNT["private_key"].splitlines()[1])
        assert not [(at, one) for at, text in texts.items() for one in secrets if one in text]
        assert not gateway.failures()
        assert len(upstream.grants) == 1, "one token serves all requests"
        assert upstream.grants[0]["iss"] == ACCOUNT["client_email"]
        assert upstream.grants[0]["scope"] == "https://www.googleapis.com/auth/cloud-platform"
    finally:
        gateway.stop()
        upstream.close()


@pytest.fixture(params=["google-key", "vertex-key"])
def google(served, request):
    gateway, upstream = served
    upstream.reset()
    headers = createHeaders(virtual_key=request.param)
    url, model = f"{gateway.url}/v1", "gemini-2.5-flash"
    yield ChatOpenAI(
        api_key="X", base_url=url, default_headers=headers, model=model, max_retries=0
    ), upstream
    upstream.verify()


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


def test_a_tool_calling_loop(google):
    llm, upstream = google
    upstream.queue(answer({"functionCall": {"name": "get_weather", "args": {"city": "Pau"}}}))
    upstream.queue(answer({"text": "Sunny."}))
    llm = llm.bind_tools([get_weather])
    messages = [HumanMessage("Weather in Pau?")]
    messages.append(llm.invoke(messages))
    (asked,) = messages[-1].tool_calls
    assert (asked["name"], asked["args"]) == ("get_weather", {"city": "Pau"})
    messages.append(ToolMessage(get_weather.invoke(asked["args"]), tool_call_id=asked["id"]))
    assert llm.invoke(messages).content == "Sunny."
    result = upstream.requests[1].json["contents"][2]["parts"][0]["functionResponse"]
    assert (result["name"], result["response"]) == ("get_weather", {"output": "sunny in Pau"})


def test_structured_output(google):
    class City(BaseModel):
        name: str

    llm, upstream = google
    upstream.queue(answer({"text": '{"name": "Pau"}'}))
    llm = llm.with_structured_output(City, method="json_schema")
    assert llm.invoke("Which city?") == City(name="Pau")
    config = upstream.request.json["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert config["responseSchema"]["properties"].keys() == {"name"}


def test_an_image(google):
    llm, upstream = google
    upstream.queue(answer({"text": "A dot."}))
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    message = HumanMessage([{"type": "text", "text": "What?"}, image])
    assert llm.invoke([message]).content == "A dot."
    part = upstream.request.json["contents"][0]["parts"][1]
    assert part == {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}


def test_a_stream_with_usage(google):
    llm, upstream = google
    upstream.queue(events("gemini-text", "vertex"))
    chunks = list(llm.stream("Go.", stream_usage=True))
    whole = sum(chunks[1:], chunks[0])
    assert whole.content == "Look: a jar."
    assert whole.usage_metadata["total_tokens"] == 14
    path, _, query = upstream.request.path.partition("?")
    assert path.endswith(":streamGenerateContent")
    assert query == ("alt=sse" if path.startswith(PLACE) else "")


def test_a_stream_of_tool_calls(google):
    llm, upstream = google
    upstream.queue(events("tools"))
    chunks = list(llm.stream("Go."))
    calls = sum(chunks[1:], chunks[0]).tool_calls
    assert calls and all(call["id"] and call["name"] for call in calls)


def fixtures(dialect, *names):
    for path in sorted((FIXTURES / dialect / "request").glob("*.out.json")):
        if path.name.startswith(names):
            yield path.name, json.loads(path.read_text())


def test_every_translated_fixture_is_a_request_of_geminis():
    seen = 0
    for dialect, names in [("gemini", ""), ("vertex", "gemini-")]:
        for name, body in fixtures(dialect, names):
            if not name.startswith(("refused-", "embeddings-")):
                check_generate_request(body)
                seen += 1
    assert seen >= 30


def test_every_translated_fixture_of_claude_is_a_request_of_anthropics():
    seen = 0
    for _, body in fixtures("vertex", "claude-"):
        assert body.pop("anthropic_version").startswith("vertex-")
        # Here it is in the path.
        check_messages_request(body | {"model": "m"}, "2023-06-01")
        seen += 1
    assert seen >= 6
