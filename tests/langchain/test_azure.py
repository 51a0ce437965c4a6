"""Azure OpenAI behind the gateway: LangChain's `ChatOpenAI`, and the clients of Azure's users."""

import json
from dataclasses import replace

import openai
import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import AzureChatOpenAI
from portkey_ai import createHeaders
from pydantic import BaseModel

from support.client import chat_openai, openai_client
from support.provider import CITIES, TEXT
from support.upstream import Answer

QUESTION = "How warm is it in Pau and in Dax?"
DEGREES = {"Pau": "18 °C", "Dax": "21 °C"}
VERSION = "2024-10-21"
PIXEL = "iVBORw0KGgo="


@tool
def weather(city: str) -> str:
    """Tells the temperature in a city."""
    return DEGREES[city]


class Person(BaseModel):
    """A person."""

    name: str
    age: int


PERSON = Person(name="Ford Prefect", age=200)


def check_calls(message, form):
    assert message.tool_calls == [
        {"name": "weather", "args": {"city": city}, "id": form.ids[city], "type": "tool_call"}
        for city in CITIES
    ]
    assert message.response_metadata["finish_reason"] == "tool_calls"
    assert message.usage_metadata["total_tokens"] == 91


def test_tool_loop(gateway, azure_provider):
    form = azure_provider.form
    llm = chat_openai(gateway, form).bind_tools([weather])
    azure_provider.answer("tools")
    asked = llm.invoke(QUESTION)
    check_calls(asked, form)
    results = [weather.invoke(call) for call in asked.tool_calls]
    azure_provider.answer("after-tools")
    answer = llm.invoke([HumanMessage(QUESTION), asked, *results])
    assert answer.content == "18 °C in Pau, 21 °C in Dax."
    first, second = azure_provider.upstream.requests
    assert {first.path, second.path} == {form.chat_path}
    assert first.json["tools"][0]["function"]["name"] == "weather"
    _, calls, *told = second.json["messages"]
    asked = [json.loads(call["function"]["arguments"])["city"] for call in calls["tool_calls"]]
    assert asked == list(CITIES)
    found = [(one["tool_call_id"], one["content"]) for one in told]
    assert found == [(form.ids[city], DEGREES[city]) for city in CITIES]


def test_streamed_tool_calls(gateway, azure_provider):
    azure_provider.stream("tools")
    llm = chat_openai(gateway, azure_provider.form, stream_usage=True).bind_tools([weather])
    chunks = list(llm.stream(QUESTION))
    message = chunks[0]
    for chunk in chunks[1:]:
        message += chunk
    check_calls(message, azure_provider.form)


def test_stream_with_usage(gateway, azure_provider):
    azure_provider.stream("text", pause=0.01)
    chunks = list(chat_openai(gateway, azure_provider.form, stream_usage=True).stream(QUESTION))
    assert "".join(chunk.content for chunk in chunks) == TEXT
    (usage,) = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata]
    assert (usage["input_tokens"], usage["output_tokens"]) == (24, 17)
    assert usage["input_token_details"]["cache_read"] == 8
    body = azure_provider.body
    assert body["stream"] is True and body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_structured_output(gateway, azure_provider, method):
    azure_provider.answer("structured-tool" if method == "function_calling" else "structured-json")
    llm = chat_openai(gateway, azure_provider.form)
    assert llm.with_structured_output(Person, method=method).invoke("Who? JSON") == PERSON
    body = azure_provider.body
    if method == "function_calling":
        assert body["tool_choice"]["function"] == {"name": "Person"}
    else:
        kind = "json_object" if method == "json_mode" else method
        assert body["response_format"]["type"] == kind


def test_image(gateway, azure_provider):
    azure_provider.answer("text")
    url = f"data:image/png;base64,{PIXEL}"
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    chat_openai(gateway, azure_provider.form).invoke([HumanMessage(content)])
    text, picture = azure_provider.body["messages"][0]["content"]
    assert text == {"type": "text", "text": "What is this?"}
    assert picture["image_url"]["url"] == url


def test_deployment_of_a_virtual_key(gateway, azure_provider):
    """The version v1 has OpenAI's paths, and the deployment is the model."""
    azure_provider.answer("text")
    llm = chat_openai(gateway, replace(azure_provider.form, virtual_key="azure-v1-key"))
    assert llm.invoke(QUESTION).content == TEXT
    assert azure_provider.upstream.request.path == "/openai/v1/chat/completions"
    assert azure_provider.body["model"] == "gpt-4o-eu"


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, openai.BadRequestError, "content_filter"),
        (401, openai.AuthenticationError, "401"),
        (404, openai.NotFoundError, "DeploymentNotFound"),
        (429, openai.RateLimitError, "429"),
    ],
)
def test_errors(gateway, azure_provider, status, kind, code):
    azure_provider.answer(f"error-{status}", status=status)
    llm = chat_openai(gateway, azure_provider.form)
    with pytest.raises(kind) as caught:
        llm.invoke(QUESTION)
    error = caught.value
    assert (error.status_code, error.code) == (status, code)
    assert error.body["message"].startswith("azure-openai error: ")
    assert caught.value.response.json()["provider"] == "azure-openai"


def test_error_that_is_no_json(gateway, azure_provider):
    page = Answer(status=502, headers={"content-type": "text/html"}, pieces=[b"<h1>Bad</h1>"])
    azure_provider.upstream.queue(page)
    with pytest.raises(openai.InternalServerError) as caught:
        chat_openai(gateway, azure_provider.form).invoke(QUESTION)
    assert caught.value.status_code == 502
    assert "azure-openai" in caught.value.body["message"]


def azure_client(gateway, **options):
    """OpenAI's client for Azure, whose endpoint is the gateway."""
    settings = {"api_key": "X", "api_version": VERSION, "max_retries": 0} | options
    headers = createHeaders(virtual_key="azure-key")
    return openai.AzureOpenAI(
        azure_endpoint=f"{gateway.url}/v1", default_headers=headers, **settings
    )


def test_azure_sdk(gateway, azure_provider):
    azure_provider.answer("text")
    completion = azure_client(gateway).chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": QUESTION}]
    )
    assert completion.choices[0].message.content == TEXT
    assert azure_provider.upstream.request.path == azure_provider.form.chat_path


def test_azure_sdk_stream_and_token(gateway, azure_provider):
    azure_provider.stream("text")
    # The client's token is not the provider's: a virtual key has the credential.
    client = azure_client(gateway, api_key=None, azure_ad_token="token-of-the-client")
    stream = client.chat.completions.create(
        model="gpt-4o",
        messages=[{"role": "user", "content": QUESTION}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    deltas = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
    assert "".join(deltas) == TEXT
    assert [chunk.usage.total_tokens for chunk in chunks if chunk.usage] == [41]


def test_azure_chat_openai(gateway, azure_provider):
    llm = AzureChatOpenAI(
        azure_endpoint=f"{gateway.url}/v1",
        azure_deployment="gpt-4o",
        api_version=VERSION,
        api_key="X",
        default_headers=createHeaders(virtual_key="azure-key"),
        max_retries=0,
    )
    azure_provider.answer("tools")
    check_calls(llm.bind_tools([weather]).invoke(QUESTION), azure_provider.form)
    azure_provider.stream("text")
    assert "".join(chunk.content for chunk in llm.stream(QUESTION)) == TEXT
    paths = {request.path for request in azure_provider.upstream.requests}
    assert paths == {azure_provider.form.chat_path}


def test_other_operations(gateway, azure_provider):
    """What runs a model is below its deployment, the rest is not."""
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    answer = {"object": "list", "data": [], "model": "m", "usage": usage}
    client = openai_client(gateway, azure_provider.form)
    azure_provider.upstream.queue(Answer.json(answer))
    client.embeddings.create(model="ada", input="x", encoding_format="float")
    azure_provider.upstream.queue(Answer.json(answer))
    client.files.list()
    form = {"text": "hello"}
    v1 = openai_client(gateway, azure_provider.form, virtual_key="azure-v1-key")
    azure_provider.upstream.queue(Answer.json(form))
    assert v1.audio.transcriptions.create(model="whisper", file=("a.wav", b"RIFF")).text == "hello"
    paths = [request.path for request in azure_provider.upstream.requests]
    query = f"?api-version={VERSION}"
    assert paths == [
        f"/openai/deployments/ada/embeddings{query}",
        f"/openai/files{query}",
        "/openai/v1/audio/transcriptions",
    ]
