"""Anthropic's own SDK: its Messages API passes through the gateway unchanged."""

import anthropic
import pytest
from anthropic._constants import ANTHROPIC_API_VERSION
from portkey_ai import createHeaders

from support.process import ANTHROPIC_SECRET
from support.provider import CALLER_ANTHROPIC_KEY, TEXT
from support.upstream import Answer, recorded

ASKED = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": TEXT}],
}


@pytest.fixture
def sent():
    """The bodies that the client sent."""
    return []


@pytest.fixture
def client(gateway, sent):
    return anthropic.Anthropic(
        base_url=gateway.url,
        api_key="X",
        default_headers=createHeaders(virtual_key="anthropic-key"),
        http_client=anthropic.DefaultHttpxClient(
            event_hooks={"request": [lambda request: sent.append(request.read())]}
        ),
        max_retries=0,
    )


def check_passed(provider, sent, credential=ANTHROPIC_SECRET):
    request = provider.upstream.request
    assert [request.body] == sent
    assert request.path == "/v1/messages"
    assert request.header("x-api-key") == credential
    assert request.header("anthropic-version") == ANTHROPIC_API_VERSION


def check_message(message):
    assert message.id == "msg_01XFDUDYJgAACzvnptvVoYEL"
    assert (message.role, message.stop_reason) == ("assistant", "end_turn")
    assert [(block.type, block.text) for block in message.content] == [("text", TEXT)]
    usage = message.usage
    assert (usage.input_tokens, usage.output_tokens) == (12, 17)
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (8, 4)


def test_create(client, anthropic_provider, sent):
    anthropic_provider.answer("text")
    raw = client.messages.with_raw_response.create(**ASKED)
    check_message(raw.parse())
    assert raw.http_response.content == recorded("anthropic-text.json")
    assert raw.headers["x-portkey-provider"] == "anthropic"
    check_passed(anthropic_provider, sent)


def test_stream(client, anthropic_provider, sent):
    answer = anthropic_provider.stream("text", hold_after=4)
    text = ""
    with client.messages.stream(**ASKED) as stream:
        for piece in stream.text_stream:
            text += piece
            answer.release.set()
        check_message(stream.get_final_message())
    assert text == TEXT
    check_passed(anthropic_provider, sent)


def test_stream_is_not_touched(client, anthropic_provider):
    anthropic_provider.stream("tools")
    raw = client.messages.with_raw_response.create(**ASKED, stream=True)
    assert raw.http_response.read() == recorded("anthropic-tools.sse")


def test_own_key(gateway, anthropic_provider):
    anthropic_provider.answer("text")
    client = anthropic.Anthropic(
        base_url=gateway.url,
        api_key=CALLER_ANTHROPIC_KEY,
        default_headers=createHeaders(provider="anthropic"),
    )
    check_message(client.messages.create(**ASKED))
    assert anthropic_provider.upstream.request.header("x-api-key") == CALLER_ANTHROPIC_KEY


def test_beta_header(client, anthropic_provider):
    anthropic_provider.answer("text")
    client.messages.create(**ASKED, extra_headers={"anthropic-beta": "files-api-2025-04-14"})
    assert anthropic_provider.upstream.request.header("anthropic-beta") == "files-api-2025-04-14"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, anthropic.BadRequestError),
        (401, anthropic.AuthenticationError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
    ],
)
def test_errors(client, anthropic_provider, status, kind):
    anthropic_provider.answer(f"error-{status}", status=status)
    with pytest.raises(kind) as caught:
        client.messages.create(**ASKED)
    assert caught.value.response.content == recorded(f"anthropic-error-{status}.json")


def test_error_within_a_stream(client, anthropic_provider):
    anthropic_provider.stream("overloaded")
    failure = pytest.raises(anthropic.APIStatusError, match="Overloaded")
    with failure, client.messages.stream(**ASKED) as stream:
        stream.until_done()


def test_count_tokens(client, anthropic_provider, sent):
    anthropic_provider.upstream.queue(Answer.json({"input_tokens": 14}))
    asked = {name: value for name, value in ASKED.items() if name != "max_tokens"}
    assert client.messages.count_tokens(**asked).input_tokens == 14
    request = anthropic_provider.upstream.request
    assert (request.path, [request.body]) == ("/v1/messages/count_tokens", sent)


def test_models(client, anthropic_provider):
    listed = {"data": [], "has_more": False, "first_id": None, "last_id": None}
    anthropic_provider.upstream.queue(Answer.json(listed))
    assert list(client.models.list(limit=5)) == []
    assert anthropic_provider.upstream.request.path == "/v1/models?limit=5"
