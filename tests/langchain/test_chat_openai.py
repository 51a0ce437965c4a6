"""LangChain's `ChatOpenAI`: plain answers, streams and batches, from both formats of providers."""

import json

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI
from portkey_ai import createHeaders

from support.client import chat_openai
from support.process import ANTHROPIC_SECRET
from support.provider import PORTKEY_KEY, TEXT
from support.upstream import Answer, recorded

QUESTION = "What is the meaning of life, universe and everything?"
# 24 prompt tokens, 8 of which came from a cache.
USAGE = {"input_tokens": 24, "output_tokens": 17, "total_tokens": 41}


def check_text(message, form, finish_reason="stop"):
    """The message is the recorded answer `text`."""
    assert message.content == TEXT
    assert message.response_metadata["finish_reason"] == finish_reason
    assert message.response_metadata["model_name"] == form.answering_model


def check_usage(message):
    usage = message.usage_metadata
    assert {name: usage[name] for name in USAGE} == USAGE
    assert usage["input_token_details"]["cache_read"] == 8


def test_the_snippet_of_the_documentation(gateway, anthropic_provider):
    anthropic_provider.answer("text")
    llm = ChatOpenAI(
        api_key="X",
        base_url=f"{gateway.url}/v1",
        default_headers=createHeaders(api_key=PORTKEY_KEY, virtual_key="anthropic-key"),
        model="claude-3-opus-20240229",
    )
    assert llm.invoke(QUESTION).content == TEXT
    request = anthropic_provider.upstream.request
    assert (request.method, request.path) == ("POST", "/v1/messages")
    assert request.header("x-api-key") == ANTHROPIC_SECRET
    assert request.header("anthropic-version") == "2023-06-01"
    body = request.json
    (turn,) = body.pop("messages")
    assert (turn["role"], texts(turn["content"])) == ("user", [QUESTION])
    assert body.pop("max_tokens") > 0
    assert body.pop("system") == []
    assert body in (
        {"model": "claude-3-opus-20240229"} | extra for extra in ({}, {"stream": False})
    )


def test_invoke(gateway, provider):
    provider.answer("text")
    headers = {"trace_id": "t", "metadata": {"_user": "u1"}}
    message = chat_openai(gateway, provider.form, headers).invoke(QUESTION)
    check_text(message, provider.form)
    check_usage(message)
    assert message.response_metadata["id"] == provider.form.ids["text"]
    assert provider.upstream.request.path == provider.form.chat_path
    assert provider.body["model"] == provider.form.model


def test_ainvoke(gateway, provider, run):
    provider.answer("text")
    message = run(chat_openai(gateway, provider.form).ainvoke(QUESTION))
    check_text(message, provider.form)
    check_usage(message)


def join(chunks):
    """The message that the chunks are pieces of."""
    message = chunks[0]
    for chunk in chunks[1:]:
        message += chunk
    return message


@pytest.mark.parametrize("stream_usage", [True, False])
def test_stream(gateway, provider, stream_usage):
    provider.stream("text", pause=0.01)
    chunks = list(chat_openai(gateway, provider.form, stream_usage=stream_usage).stream(QUESTION))
    assert len([chunk for chunk in chunks if chunk.content]) == 5
    message = join(chunks)
    check_text(message, provider.form)
    assert provider.body["stream"] is True
    if stream_usage:
        check_usage(message)
        assert len([chunk for chunk in chunks if chunk.usage_metadata]) == 1


def test_a_stream_arrives_while_the_provider_still_thinks(gateway, provider):
    answer = provider.stream("text", hold_after=5)
    chunks = chat_openai(gateway, provider.form).stream(QUESTION)
    text = next(chunk.content for chunk in chunks if chunk.content)
    assert text == "The answer"
    assert not answer.release.is_set()
    answer.release.set()
    assert text + "".join(chunk.content for chunk in chunks) == TEXT


def test_astream(gateway, provider, run):
    answer = provider.stream("text", hold_after=5)

    async def collect():
        chunks = []
        async for chunk in chat_openai(gateway, provider.form, stream_usage=True).astream(QUESTION):
            chunks.append(chunk)
            if chunk.content:
                answer.release.set()
        return join(chunks)

    message = run(collect())
    check_text(message, provider.form)
    check_usage(message)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_stream_may_be_cut_anywhere(gateway, provider, size):
    events = recorded(f"{provider.form.name}-text.sse")
    pieces = [events[at : at + size] for at in range(0, len(events), size)]
    provider.upstream.queue(Answer.stream(pieces))
    message = join(list(chat_openai(gateway, provider.form, stream_usage=True).stream(QUESTION)))
    check_text(message, provider.form)
    check_usage(message)


def echo(form):
    """Answers with the question, so that mixed up answers show."""
    answer = recorded(f"{form.name}-text.json").decode()
    text = json.dumps(TEXT, ensure_ascii=False)

    def respond(request):
        content = request.json["messages"][-1]["content"]
        question = content if isinstance(content, str) else content[0]["text"]
        return Answer.json(answer.replace(text, json.dumps(question)).encode())

    return respond


def test_batch(gateway, provider, run):
    provider.upstream.respond_with(echo(provider.form))
    questions = [f"Question {number}" for number in range(12)]
    llm = chat_openai(gateway, provider.form)
    answers = llm.batch(questions, config={"max_concurrency": 6})
    assert [answer.content for answer in answers] == questions
    answers = run(llm.abatch(questions))
    assert [answer.content for answer in answers] == questions
    assert len(provider.upstream.requests) == 24


@pytest.mark.parametrize(
    ("name", "finish_reason", "text"),
    [("length", "length", "The answer is"), ("refusal", "content_filter", "")],
)
def test_finish_reasons(gateway, provider, name, finish_reason, text):
    provider.answer(name)
    message = chat_openai(gateway, provider.form, max_tokens=3).invoke(QUESTION)
    assert message.content == text
    assert message.response_metadata["finish_reason"] == finish_reason
    name = "max_tokens" if provider.form.is_anthropic else "max_completion_tokens"
    assert provider.body[name] == 3


def test_conversation_with_system_message(gateway, provider):
    provider.answer("text")
    turns = [
        SystemMessage("Be brief."),
        HumanMessage("Who are you?"),
        AIMessage("Deep Thought."),
        HumanMessage(QUESTION),
    ]
    check_text(chat_openai(gateway, provider.form).invoke(turns), provider.form)
    said = provider.body["messages"]
    if provider.form.is_anthropic:
        assert texts(provider.body["system"]) == ["Be brief."]
    else:
        assert said.pop(0) == {"role": "system", "content": "Be brief."}
    assert [turn["role"] for turn in said] == ["user", "assistant", "user"]
    contents = [texts(turn["content"]) for turn in said]
    assert contents == [["Who are you?"], ["Deep Thought."], [QUESTION]]


def texts(content):
    """The texts of a content, whatever its form."""
    return [content] if isinstance(content, str) else [part["text"] for part in content]


PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.mark.parametrize(
    "image",
    [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
        {"type": "image", "base64": PIXEL, "mime_type": "image/png"},
    ],
    ids=["openai", "langchain"],
)
def test_image(gateway, provider, image):
    provider.answer("text")
    content = [{"type": "text", "text": "What is this?"}, image]
    chat_openai(gateway, provider.form).invoke([HumanMessage(content)])
    text, picture = provider.body["messages"][0]["content"]
    assert text == {"type": "text", "text": "What is this?"}
    if provider.form.is_anthropic:
        source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
        assert picture == {"type": "image", "source": source}
    else:
        assert picture["image_url"]["url"] == f"data:image/png;base64,{PIXEL}"


@pytest.mark.parametrize("stop", [["END"], ["\n\n", "Human:"]])
def test_stop_sequences(gateway, provider, stop):
    provider.answer("text")
    chat_openai(gateway, provider.form).invoke(QUESTION, stop=stop)
    name = "stop_sequences" if provider.form.is_anthropic else "stop"
    assert provider.body[name] == stop


def test_parameters(gateway, provider):
    provider.answer("text")
    chat_openai(gateway, provider.form, temperature=0.25, top_p=0.5).invoke(QUESTION, user="u-7")
    assert provider.body["temperature"] == 0.25
    assert provider.body["top_p"] == 0.5
    if provider.form.is_anthropic:
        assert provider.body["metadata"] == {"user_id": "u-7"}
    else:
        assert provider.body["user"] == "u-7"


def test_saved_config(gateway, anthropic_provider):
    anthropic_provider.answer("text")
    llm = ChatOpenAI(
        api_key="X",
        base_url=f"{gateway.url}/v1",
        default_headers=createHeaders(config="pc-claude"),
        model=anthropic_provider.form.model,
        temperature=0.9,
        max_retries=0,
    )
    check_text(llm.invoke(QUESTION), anthropic_provider.form)
    assert anthropic_provider.body["temperature"] == 0.1
