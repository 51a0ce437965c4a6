"""LangChain's `ChatOpenAI` with tools and structured output, from both formats of providers."""

import json

import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from support.client import chat_openai
from support.provider import CITIES

QUESTION = "How warm is it in Pau and in Dax?"
DEGREES = {"Pau": "18 °C", "Dax": "21 °C"}


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
    """The message asks for both cities at once."""
    assert message.tool_calls == [
        {"name": "weather", "args": {"city": city}, "id": form.ids[city], "type": "tool_call"}
        for city in CITIES
    ]
    assert not message.invalid_tool_calls
    assert message.response_metadata["finish_reason"] == "tool_calls"
    assert message.usage_metadata["total_tokens"] == 91


def check_tool(body, form):
    """The tool was told to the provider in its own form."""
    (told,) = body["tools"]
    if form.is_anthropic:
        name, description, schema = told["name"], told["description"], told["input_schema"]
    else:
        function = told["function"]
        name, description = function["name"], function["description"]
        schema = function["parameters"]
    assert (name, description) == ("weather", "Tells the temperature in a city.")
    assert schema["properties"] == {"city": {"type": "string"}}
    assert (schema["type"], schema["required"]) == ("object", ["city"])


def test_tool_loop(gateway, provider):
    llm = chat_openai(gateway, provider.form).bind_tools([weather])
    conversation = [HumanMessage(QUESTION)]
    provider.answer("tools")
    asked = llm.invoke(conversation)
    check_calls(asked, provider.form)
    results = [weather.invoke(call) for call in asked.tool_calls]
    provider.answer("after-tools")
    answer = llm.invoke([*conversation, asked, *results])
    assert answer.content == "18 °C in Pau, 21 °C in Dax."
    assert answer.response_metadata["finish_reason"] == "stop"
    first, second = (request.json for request in provider.upstream.requests)
    check_tool(first, provider.form)
    check_tool(second, provider.form)
    check_results(second["messages"], provider.form)


def check_results(messages, form):
    """Calls and results are in the conversation in the provider's form."""
    if form.is_anthropic:
        _, calls, results = messages
        assert [message["role"] for message in messages] == ["user", "assistant", "user"]
        assert calls["content"] == [
            {"type": "tool_use", "id": form.ids[city], "name": "weather", "input": {"city": city}}
            for city in CITIES
        ]
        found = [(block["tool_use_id"], flat(block["content"])) for block in results["content"]]
        assert {block["type"] for block in results["content"]} == {"tool_result"}
    else:
        _, calls, *results = messages
        asked = [
            (call["id"], json.loads(call["function"]["arguments"])) for call in calls["tool_calls"]
        ]
        assert asked == [(form.ids[city], {"city": city}) for city in CITIES]
        found = [(result["tool_call_id"], result["content"]) for result in results]
    assert found == [(form.ids[city], DEGREES[city]) for city in CITIES]


def flat(content):
    """The text of a content, whatever its form."""
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def test_streamed_tool_calls(gateway, provider):
    provider.stream("tools")
    llm = chat_openai(gateway, provider.form, stream_usage=True).bind_tools([weather])
    message = None
    for chunk in llm.stream(QUESTION):
        message = chunk if message is None else message + chunk
    check_calls(message, provider.form)
    check_tool(provider.body, provider.form)


@pytest.mark.parametrize(
    ("choice", "anthropic", "openai"),
    [
        ("auto", {"type": "auto"}, "auto"),
        ("none", {"type": "none"}, "none"),
        ("required", {"type": "any"}, "required"),
        (
            "weather",
            {"type": "tool", "name": "weather"},
            {"type": "function", "function": {"name": "weather"}},
        ),
    ],
    ids=["auto", "none", "required", "named"],
)
def test_tool_choice(gateway, provider, choice, anthropic, openai):
    provider.answer("text")
    chat_openai(gateway, provider.form).bind_tools([weather], tool_choice=choice).invoke(QUESTION)
    expected = anthropic if provider.form.is_anthropic else openai
    assert provider.body["tool_choice"] == expected


def test_no_parallel_calls(gateway, provider):
    provider.answer("text")
    llm = chat_openai(gateway, provider.form).bind_tools([weather], parallel_tool_calls=False)
    llm.invoke(QUESTION)
    if provider.form.is_anthropic:
        expected = {"type": "auto", "disable_parallel_tool_use": True}
        assert provider.body["tool_choice"] == expected
    else:
        assert provider.body["parallel_tool_calls"] is False


def test_failed_tool(gateway, provider):
    """A result that says that the tool failed is still a result."""
    provider.answer("tools")
    llm = chat_openai(gateway, provider.form).bind_tools([weather])
    asked = llm.invoke(QUESTION)
    ids = [call["id"] for call in asked.tool_calls]
    results = [ToolMessage("no such city", tool_call_id=one, status="error") for one in ids]
    provider.answer("after-tools")
    llm.invoke([HumanMessage(QUESTION), asked, *results])
    last = provider.upstream.requests[1].json["messages"]
    contents = last[-1]["content"] if provider.form.is_anthropic else last[-2:]
    assert [flat(block["content"]) for block in contents] == ["no such city"] * 2


def test_structured_output_by_function(gateway, provider):
    provider.answer("structured-tool")
    llm = chat_openai(gateway, provider.form)
    assert llm.with_structured_output(Person, method="function_calling").invoke("Who?") == PERSON
    if provider.form.is_anthropic:
        choice = provider.body["tool_choice"]
        assert (choice["type"], choice["name"]) == ("tool", "Person")
    else:
        assert provider.body["tool_choice"]["function"] == {"name": "Person"}


def test_structured_output_by_json_mode(gateway, provider):
    provider.answer("structured-json")
    llm = chat_openai(gateway, provider.form)
    assert llm.with_structured_output(Person, method="json_mode").invoke("Who? JSON") == PERSON
    if not provider.form.is_anthropic:
        assert provider.body["response_format"] == {"type": "json_object"}


def test_structured_output_by_schema(gateway, provider):
    provider.answer("structured-json")
    llm = chat_openai(gateway, provider.form)
    assert llm.with_structured_output(Person, method="json_schema").invoke("Who?") == PERSON
    if provider.form.is_anthropic:
        output = provider.body["output_config"]["format"]
        assert output["type"] == "json_schema"
        schema = output["schema"]
    else:
        schema = provider.body["response_format"]["json_schema"]["schema"]
    assert set(schema["properties"]) == {"name", "age"}
    assert schema["additionalProperties"] is False
