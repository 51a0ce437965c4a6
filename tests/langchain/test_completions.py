"""OpenAI's legacy completions at providers that have chat completions alone: OpenAI's own client,
and LangChain's `OpenAI`."""

import openai
import pytest
from langchain_openai import OpenAI
from openai.types import Completion
from portkey_ai import createHeaders

from support.client import bare_client
from support.model import SAID, USAGE, respond
from support.provider import TEXT, UNUSED_KEY
from support.schema import check_closed
from support.upstream import Answer

# The virtual key of each provider, which is the name of its upstream, and what it reads the
# prompt from.
TARGETS = {
    "anthropic": lambda body: body["messages"],
    "google": lambda body: body["contents"],
    "cohere": lambda body: body["messages"],
}
PROMPTS = {
    "anthropic": [{"role": "user", "content": TEXT}],
    "google": [{"role": "user", "parts": [{"text": TEXT}]}],
    "cohere": [{"role": "user", "content": TEXT}],
}
ASKED = {"model": "claude-sonnet-4-6", "prompt": TEXT, "max_tokens": 99}


@pytest.fixture(params=TARGETS)
def form(request, gateway, upstreams):
    """The format of a provider that has no completions, with its scripted model."""
    upstreams[request.param].respond_with(respond(request.param))
    return request.param


@pytest.fixture
def client(gateway, form):
    return bare_client(gateway, virtual_key=f"{form}-key")


def check(raw, form):
    """OpenAI's shape, and `provider` beside it."""
    assert raw.pop("provider") == form
    check_closed(Completion, raw)


def test_create(client, form, upstreams):
    raw = client.completions.with_raw_response.create(**ASKED, stop=["\n\n"], temperature=0.5)
    check(raw.http_response.json(), form)
    completion = raw.parse()
    assert completion.object == "text_completion"
    (choice,) = completion.choices
    assert (choice.text, choice.index, choice.finish_reason) == (SAID, 0, "stop")
    usage = completion.usage
    assert (usage.prompt_tokens, usage.completion_tokens) == USAGE
    assert usage.total_tokens == sum(USAGE)
    body = upstreams[form].request.json
    assert TARGETS[form](body) == PROMPTS[form]
    assert "prompt" not in body


def test_stream(client, form):
    chunks = list(
        client.completions.create(**ASKED, stream=True, stream_options={"include_usage": True})
    )
    for chunk in chunks:
        raw = chunk.model_dump(mode="json", exclude_unset=True)
        reasons = [choice.get("finish_reason") for choice in raw["choices"]]
        for choice in raw["choices"]:
            # The type has no word for a choice that goes on; OpenAI's API sends null.
            choice["finish_reason"] = choice["finish_reason"] or "stop"
        if form == "cohere":
            # As Portkey's, these chunks do not name the provider.
            raw["provider"] = form
        check(raw, form)
        assert set(reasons) <= {None, "stop"}
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert len(choices) > 2
    assert "".join(choice.text for choice in choices) == SAID
    assert [choice.finish_reason for choice in choices].count("stop") == 1
    (usage,) = [chunk.usage for chunk in chunks if chunk.usage]
    assert (usage.prompt_tokens, usage.completion_tokens) == USAGE


def test_echo(client, form):
    completion = client.completions.create(**ASKED, echo=True)
    assert completion.choices[0].text == TEXT + SAID
    chunks = client.completions.create(**ASKED, echo=True, stream=True)
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == TEXT + SAID


def test_dropped(client, form):
    raw = client.completions.with_raw_response.create(**ASKED, logprobs=3, best_of=2)
    assert {"best_of", "logprobs"} <= set(raw.headers["x-portkey-dropped-params"].split(","))


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"prompt": [1212, 318]}, "prompt"),
        ({"prompt": [[1212], [318]]}, "prompt"),
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"suffix": "the end"}, "suffix"),
    ],
)
def test_refused(gateway, upstreams, wrong, field):
    client = bare_client(gateway, virtual_key="anthropic-key")
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(**(ASKED | wrong))
    assert (caught.value.param, caught.value.type) == (field, "invalid_request_error")
    assert not upstreams["anthropic"].requests


@pytest.mark.parametrize("streams", [False, True])
def test_error_of_the_provider(gateway, upstreams, streams):
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    upstreams["anthropic"].queue(Answer.json(error, status=529))
    client = bare_client(gateway, virtual_key="anthropic-key")
    with pytest.raises(openai.InternalServerError, match="Overloaded") as caught:
        client.completions.create(**ASKED, stream=streams)
    assert caught.value.status_code == 529


def test_stream_that_breaks_off(gateway, upstreams):
    """The client is told; what came is not taken for an answer."""
    whole = respond("anthropic")(type("Streams", (), {"body": b"", "json": {"stream": True}}))
    upstreams["anthropic"].queue(Answer.stream(whole.pieces[:3]))
    client = bare_client(gateway, virtual_key="anthropic-key")
    with pytest.raises(openai.APIError, match="before"):
        list(client.completions.create(**ASKED, stream=True))


@pytest.mark.parametrize("streams", [False, True])
def test_langchain(gateway, form, streams):
    headers = createHeaders(virtual_key=f"{form}-key")
    llm = OpenAI(
        api_key=UNUSED_KEY,
        base_url=f"{gateway.url}/v1",
        default_headers=headers,
        model="claude-sonnet-4-6",
        max_retries=0,
        streaming=streams,
    )
    assert llm.invoke(TEXT) == SAID
    assert "".join(llm.stream(TEXT)) == SAID
