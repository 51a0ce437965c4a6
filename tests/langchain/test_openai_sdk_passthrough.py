"""OpenAI's other operations: what the SDK sends reaches OpenAI byte for byte, and back."""

import openai
import pytest
from portkey_ai import createHeaders

from support.process import OPENAI_SECRET
from support.provider import TEXT
from support.upstream import Answer, recorded

QUESTION = [{"role": "user", "content": TEXT}]


@pytest.fixture
def sent():
    """What the client sent: (path, content type, body) of each request."""
    return []


@pytest.fixture
def client(gateway, sent):
    def note(request):
        media = request.headers.get("content-type")
        sent.append((request.url.raw_path.decode(), media, request.read()))

    return openai.OpenAI(
        api_key="X",
        base_url=f"{gateway.url}/v1",
        default_headers=createHeaders(virtual_key="openai-key") | {"cookie": "session=1"},
        http_client=openai.DefaultHttpxClient(event_hooks={"request": [note]}),
        max_retries=0,
    )


def check_passed(provider, sent):
    """The only request that was sent arrived as it was."""
    request = provider.upstream.request
    assert [(request.path, request.header("content-type"), request.body)] == sent
    assert request.header("authorization") == f"Bearer {OPENAI_SECRET}"
    assert request.header("content-length") == str(len(request.body))


def test_chat_completion(client, openai_provider, sent):
    openai_provider.answer("text")
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=QUESTION)
    check_passed(openai_provider, sent)
    assert raw.content == recorded("openai-text.json")


def test_streamed_chat_completion(client, openai_provider, sent):
    openai_provider.stream("text")
    raw = client.chat.completions.with_raw_response.create(
        model="gpt-4o", messages=QUESTION, stream=True
    )
    received = raw.http_response.read()
    check_passed(openai_provider, sent)
    assert received == recorded("openai-text.sse")


def test_embeddings(client, openai_provider, sent):
    openai_provider.answer("embeddings")
    answer = client.embeddings.create(
        model="text-embedding-3-small", input=["Don't panic", TEXT], encoding_format="float"
    )
    assert answer.data[0].embedding == [0.0023064255, -0.009327292, 1e-7]
    assert answer.usage.prompt_tokens == 8
    assert sent[0][0] == "/v1/embeddings"
    check_passed(openai_provider, sent)


def test_response(client, openai_provider, sent):
    openai_provider.answer("response")
    answer = client.responses.create(model="gpt-4o", input="What is the Earth?")
    assert answer.output_text == "Mostly harmless."
    assert answer.usage.total_tokens == 45
    assert sent[0][0] == "/v1/responses"
    check_passed(openai_provider, sent)


def test_streamed_response(client, openai_provider, sent):
    answer = openai_provider.stream("response", hold_after=4)
    text = ""
    for event in client.responses.create(model="gpt-4o", input="What is the Earth?", stream=True):
        if event.type == "response.output_text.delta":
            answer.release.set()
            text += event.delta
    assert text == "Mostly harmless."
    assert event.type == "response.completed"
    check_passed(openai_provider, sent)


def test_transcription(client, openai_provider, sent):
    openai_provider.answer("transcription")
    audio = bytes(range(256)) * 4096
    answer = client.audio.transcriptions.create(
        model="whisper-1", file=("naïve.mp3", audio, "audio/mpeg"), language="en"
    )
    assert answer.text == "Time is an illusion. Lunchtime doubly so."
    assert sent[0][1].startswith("multipart/form-data; boundary=")
    assert audio in sent[0][2]
    check_passed(openai_provider, sent)


def test_speech(client, openai_provider, sent):
    audio = bytes(range(256)) * 4096
    headers = {"content-type": "audio/mpeg"}
    openai_provider.upstream.queue(Answer(headers=headers, pieces=[audio]))
    answer = client.audio.speech.create(model="tts-1", voice="alloy", input="Don't panic")
    assert answer.read() == audio
    check_passed(openai_provider, sent)


def test_error_of_another_operation(client, openai_provider):
    openai_provider.answer("error-429", status=429)
    with pytest.raises(openai.RateLimitError) as caught:
        client.embeddings.create(model="text-embedding-3-small", input="x")
    assert caught.value.code == "rate_limit_exceeded"
    assert "Rate limit reached for gpt-4o" in caught.value.message


def test_query(client, openai_provider, sent):
    listed = {"object": "list", "data": [], "has_more": False}
    openai_provider.upstream.queue(Answer.json(listed))
    list(client.files.list(purpose="fine-tune", extra_query={"q": "a b/ü", "r[]": "1"}))
    assert sent[0][0].startswith("/v1/files?") and "purpose=fine-tune" in sent[0][0]
    assert openai_provider.upstream.request.path == sent[0][0]


def test_delete(client, openai_provider, sent):
    deleted = {"id": "file-abc", "object": "file", "deleted": True}
    openai_provider.upstream.queue(Answer.json(deleted))
    assert client.files.delete("file-abc").deleted
    request = openai_provider.upstream.request
    assert (request.method, request.path, request.body) == ("DELETE", "/v1/files/file-abc", b"")


def test_post_without_body(client, openai_provider, sent):
    openai_provider.answer("response")
    client.responses.cancel("resp_67ccd2bed1ec8190b14f964abc054267")
    request = openai_provider.upstream.request
    path = "/v1/responses/resp_67ccd2bed1ec8190b14f964abc054267/cancel"
    assert (request.method, request.path, request.body) == ("POST", path, sent[0][2])
