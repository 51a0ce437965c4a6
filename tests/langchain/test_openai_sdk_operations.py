"""Every other operation of OpenAI's SDK: request and answer pass as they are."""

import pytest
from openai import DefaultHttpxClient, OpenAI
from portkey_ai import createHeaders

from support.process import OPENAI_SECRET
from support.provider import TEXT, UNUSED_KEY
from support.upstream import Answer

BYTES = bytes(range(256)) * 64
PICTURE = ("naïve.png", BYTES, "image/png")
LINES = ("batch.jsonl", b'{"custom_id": "1"}\n', "application/jsonl")

IMAGES = {"created": 1700000000, "data": [{"b64_json": "iVBORw0KGgo="}]}
FILE = {
    "id": "file-1", "object": "file", "bytes": 19, "created_at": 1700000000,
    "filename": "batch.jsonl", "purpose": "batch", "status": "processed",
}  # fmt: skip
BATCH = {
    "id": "batch_1", "object": "batch", "endpoint": "/v1/chat/completions",
    "input_file_id": "file-1", "completion_window": "24h", "status": "validating",
    "created_at": 1700000000,
}  # fmt: skip
MODEL = {"id": "gpt-4o", "object": "model", "created": 1700000000, "owned_by": "openai"}
KINDS = {
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit",
    "illicit/violent", "self-harm", "self-harm/instructions", "self-harm/intent", "sexual",
    "sexual/minors", "violence", "violence/graphic",
}  # fmt: skip
MODERATION = {
    "id": "modr-1",
    "model": "omni-moderation-latest",
    "results": [
        {
            "flagged": False,
            "categories": {kind: False for kind in KINDS},
            "category_scores": {kind: 0.25 for kind in KINDS},
            "category_applied_input_types": {kind: ["text"] for kind in KINDS},
        }
    ],
}

# What is called, what arrives, what is answered.
OPERATIONS = {
    "images.generate": (
        lambda client: client.images.generate(model="gpt-image-1", prompt=TEXT, size="1024x1024"),
        ("POST", "/v1/images/generations", "application/json"),
        IMAGES,
    ),
    "images.edit": (
        lambda client: client.images.edit(model="gpt-image-1", image=PICTURE, prompt=TEXT),
        ("POST", "/v1/images/edits", "multipart/form-data"),
        IMAGES,
    ),
    "audio.translations": (
        lambda client: client.audio.translations.create(model="whisper-1", file=PICTURE),
        ("POST", "/v1/audio/translations", "multipart/form-data"),
        {"text": TEXT},
    ),
    "files.create": (
        lambda client: client.files.create(file=LINES, purpose="batch"),
        ("POST", "/v1/files", "multipart/form-data"),
        FILE,
    ),
    "files.retrieve": (
        lambda client: client.files.retrieve("file-1"),
        ("GET", "/v1/files/file-1", None),
        FILE,
    ),
    "files.content": (
        lambda client: client.files.content("file-1"),
        ("GET", "/v1/files/file-1/content", None),
        BYTES,
    ),
    "audio.speech": (
        lambda client: client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT),
        ("POST", "/v1/audio/speech", "application/json"),
        BYTES,
    ),
    "audio.transcriptions": (
        lambda client: client.audio.transcriptions.create(model="whisper-1", file=PICTURE),
        ("POST", "/v1/audio/transcriptions", "multipart/form-data"),
        {"text": TEXT},
    ),
    "batches.create": (
        lambda client: client.batches.create(
            input_file_id="file-1", endpoint="/v1/chat/completions", completion_window="24h"
        ),
        ("POST", "/v1/batches", "application/json"),
        BATCH,
    ),
    "batches.cancel": (
        lambda client: client.batches.cancel("batch_1"),
        ("POST", "/v1/batches/batch_1/cancel", None),
        BATCH | {"status": "cancelling"},
    ),
    "batches.list": (
        lambda client: client.batches.list(limit=2),
        ("GET", "/v1/batches?limit=2", None),
        {"object": "list", "data": [BATCH], "has_more": False},
    ),
    "moderations.create": (
        lambda client: client.moderations.create(model="omni-moderation-latest", input=TEXT),
        ("POST", "/v1/moderations", "application/json"),
        MODERATION,
    ),
    "models.list": (
        lambda client: client.models.list(),
        ("GET", "/v1/models", None),
        {"object": "list", "data": [MODEL]},
    ),
    "models.retrieve": (
        lambda client: client.models.retrieve("gpt-4o"),
        ("GET", "/v1/models/gpt-4o", None),
        MODEL,
    ),
}


@pytest.mark.filterwarnings("ignore:deprecated")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_operation(gateway, openai_provider, operation):
    call, (method, path, media), told = OPERATIONS[operation]
    sent = []
    client = OpenAI(
        api_key=UNUSED_KEY,
        base_url=f"{gateway.url}/v1",
        default_headers=createHeaders(virtual_key="openai-key"),
        http_client=DefaultHttpxClient(event_hooks={"request": [lambda one: sent.append(one)]}),
        max_retries=0,
    )
    binary = isinstance(told, bytes)
    answer = Answer(headers={"content-type": "audio/mpeg"}, pieces=[told])
    openai_provider.upstream.queue(answer if binary else Answer.json(told))
    got = call(client)
    if binary:
        assert got.read() == told
    else:
        assert got.to_dict() == told
        type(got).model_validate(told)
    request = openai_provider.upstream.request
    assert (request.method, request.path) == (method, path)
    assert request.header("authorization") == f"Bearer {OPENAI_SECRET}"
    assert request.body == sent[0].read()
    if media:
        assert request.header("content-type") == sent[0].headers["content-type"]
        assert request.header("content-type").startswith(media)
        assert request.header("content-length") == str(len(request.body))
