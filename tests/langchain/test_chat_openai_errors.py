"""What LangChain's users see when something fails, with both formats of providers."""

from dataclasses import replace

import openai
import pytest

from support.client import chat_openai
from support.upstream import Answer, recorded

QUESTION = "What is the meaning of life, universe and everything?"

FAILURES = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
}
MESSAGES = {
    "openai": {
        400: "Invalid 'temperature': decimal above maximum value.",
        401: "Incorrect API key provided",
        429: "Rate limit reached for gpt-4o",
        500: "The server had an error while processing your request.",
    },
    "anthropic": {
        400: "temperature: range: 0..1",
        401: "invalid x-api-key",
        429: "would exceed your organization's rate limit",
        500: "Internal server error",
    },
}
TYPES = {
    "openai": {
        400: "invalid_request_error",
        401: "invalid_request_error",
        429: "tokens",
        500: "server_error",
    },
    "anthropic": {
        400: "invalid_request_error",
        401: "authentication_error",
        429: "rate_limit_error",
        500: "api_error",
    },
}


def check_failure(failure, status, form):
    assert failure.status_code == status
    assert MESSAGES[form.name][status] in failure.message
    assert failure.type == TYPES[form.name][status]
    if not form.is_anthropic:
        assert failure.code == {
            400: "decimal_above_max_value",
            401: "invalid_api_key",
            429: "rate_limit_exceeded",
        }.get(status)


@pytest.mark.parametrize("status", FAILURES)
def test_failure_of_the_provider(gateway, provider, status):
    headers = {"retry-after": "7"} if status == 429 else None
    provider.answer(f"error-{status}", status=status, headers=headers)
    with pytest.raises(FAILURES[status]) as caught:
        chat_openai(gateway, provider.form).invoke(QUESTION)
    check_failure(caught.value, status, provider.form)
    assert caught.value.response.headers.get("retry-after") == ("7" if headers else None)


@pytest.mark.parametrize("status", FAILURES)
def test_failure_instead_of_a_stream(gateway, provider, status):
    provider.answer(f"error-{status}", status=status)
    with pytest.raises(FAILURES[status]) as caught:
        list(chat_openai(gateway, provider.form).stream(QUESTION))
    check_failure(caught.value, status, provider.form)


def test_failure_of_an_async_call(gateway, provider, run):
    provider.answer("error-429", status=429)
    with pytest.raises(openai.RateLimitError) as caught:
        run(chat_openai(gateway, provider.form).ainvoke(QUESTION))
    check_failure(caught.value, 429, provider.form)


def test_client_retries_what_may_be_tried_again(gateway, provider):
    provider.answer("error-429", status=429, headers={"retry-after-ms": "1"})
    provider.answer("text")
    assert chat_openai(gateway, provider.form, max_retries=1).invoke(QUESTION).content
    assert len(provider.upstream.requests) == 2


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b""], ids=["html", "empty"])
def test_failure_that_is_not_json(gateway, provider, body):
    answer = Answer(status=502, headers={"content-type": "text/html"}, pieces=[body])
    provider.upstream.queue(answer)
    with pytest.raises(openai.InternalServerError) as caught:
        chat_openai(gateway, provider.form).invoke(QUESTION)
    assert caught.value.status_code == 502
    assert caught.value.response.headers["content-type"] == "application/json"
    assert isinstance(caught.value.body["message"], str)


def test_success_that_is_no_answer(gateway, provider):
    """A page of some proxy on the way is an error, not a text that LangChain stumbles over."""
    page = Answer(headers={"content-type": "text/html"}, pieces=[b"<html>Please log in</html>"])
    provider.upstream.queue(page)
    with pytest.raises(openai.InternalServerError) as caught:
        chat_openai(gateway, provider.form).invoke(QUESTION)
    assert (caught.value.status_code, caught.value.code) == (502, "invalid_response")


def test_error_within_a_stream(gateway, provider):
    provider.stream("overloaded")
    received = ""
    with pytest.raises(openai.APIError) as caught:
        for chunk in chat_openai(gateway, provider.form).stream(QUESTION):
            received += chunk.content
    assert received == "The answer"
    assert "Overloaded" in caught.value.message


def test_stream_that_ends_too_early(gateway, provider):
    events = recorded(f"{provider.form.name}-text.sse").split(b"\n\n")[:5]
    provider.upstream.queue(Answer.stream([event + b"\n\n" for event in events]))
    with pytest.raises(openai.APIError, match="ended before the answer was complete"):
        list(chat_openai(gateway, provider.form).stream(QUESTION))


def test_stream_that_breaks_off(gateway, provider):
    events = recorded(f"{provider.form.name}-text.sse").split(b"\n\n")[:5]
    events = [event + b"\n\n" for event in events]
    provider.upstream.queue(Answer.stream(events, cut=True))
    # Never a clean end: LangChain would take the piece for the whole.
    with pytest.raises(openai.APIConnectionError):
        list(chat_openai(gateway, provider.form).stream(QUESTION))


def test_timeout_of_the_gateway(gateway, provider):
    provider.answer("text", delay=1.5)
    with pytest.raises(openai.APIStatusError) as caught:
        chat_openai(gateway, provider.form, {"request_timeout": 200}).invoke(QUESTION)
    assert caught.value.status_code == 408
    assert "timeout sent in the request: 200ms" in caught.value.message


def test_timeout_does_not_cut_a_stream(gateway, provider):
    provider.stream("text", pause=0.05)
    llm = chat_openai(gateway, provider.form, {"request_timeout": 200})
    chunks = [chunk.content for chunk in llm.stream(QUESTION)]
    assert "".join(chunks).endswith("答えは四十二。\n")


def test_timeout_of_the_client(gateway, provider):
    provider.answer("text", delay=1)
    with pytest.raises(openai.APITimeoutError):
        chat_openai(gateway, provider.form, timeout=0.2).invoke(QUESTION)


def test_unknown_virtual_key(gateway, provider):
    form = replace(provider.form, virtual_key="nobody-key")
    with pytest.raises(openai.BadRequestError) as caught:
        chat_openai(gateway, form).invoke(QUESTION)
    assert "nobody-key" in caught.value.message
    assert caught.value.code == "unknown_virtual_key"
    assert not provider.upstream.requests
