"""The two formats of providers, each with the same recorded answers, for tests that run on both."""

from dataclasses import dataclass, replace

from anthropic._constants import ANTHROPIC_API_VERSION

from .cohere import check_cohere_request
from .process import (
    ANTHROPIC_SECRET,
    AZURE_SECRET,
    COHERE_SECRET,
    GOOGLE_SECRET,
    OPENAI_SECRET,
)
from .schema import check_messages_request
from .upstream import Answer, recorded

# Credentials that callers send in tests; they may reach the provider and nobody else.
CALLER_OPENAI_KEY = "sk-caller-openai-7f3a"
CALLER_ANTHROPIC_KEY = "sk-caller-anthropic-91bc"
# What clients that use a virtual key send as theirs.
UNUSED_KEY = "X"
PORTKEY_KEY = "pk-caller-portkey-5e1d"

SECRETS = (
    OPENAI_SECRET,
    ANTHROPIC_SECRET,
    AZURE_SECRET,
    GOOGLE_SECRET,
    COHERE_SECRET,
    CALLER_OPENAI_KEY,
    CALLER_ANTHROPIC_KEY,
    PORTKEY_KEY,
)

# Of clients and of Envoy; no provider may see them.
PRIVATE_PREFIXES = ("x-portkey-", "x-envoy-", "x-forwarded-")
PRIVATE = ("cookie", "proxy-authorization", "x-request-id", "traceparent")

TEXT = 'The answer is 42: see "Deep Thought" — naïve? 答えは四十二。\n'
CITIES = ("Pau", "Dax")


@dataclass(frozen=True)
class Format:
    """A provider's format; the facts are those of its recorded answers."""

    name: str
    virtual_key: str
    caller_key: str
    model: str
    answering_model: str
    chat_path: str
    ids: dict

    @property
    def is_anthropic(self):
        return self.name == "anthropic"


OPENAI = Format(
    name="openai",
    virtual_key="openai-key",
    caller_key=CALLER_OPENAI_KEY,
    model="gpt-4o",
    answering_model="gpt-4o-2024-08-06",
    chat_path="/v1/chat/completions",
    ids={"text": "chatcmpl-BtQ1zVx3n8kGm5Rw7sYpLd02", "Pau": "call_9jwVb2", "Dax": "call_Qm41Zt"},
)
ANTHROPIC = Format(
    name="anthropic",
    virtual_key="anthropic-key",
    caller_key=CALLER_ANTHROPIC_KEY,
    model="claude-sonnet-4-6",
    answering_model="claude-sonnet-4-6",
    chat_path="/v1/messages",
    ids={"text": "msg_01XFDUDYJgAACzvnptvVoYEL", "Pau": "toolu_01A09q", "Dax": "toolu_01T1x1"},
)


AZURE = replace(
    OPENAI,
    name="azure",
    virtual_key="azure-key",
    chat_path="/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
)


class Provider:
    """One format and its scripted upstream."""

    def __init__(self, form, upstream):
        self.form = form
        self.upstream = upstream

    def answer(self, name, status=200, **options):
        """Queues the recorded JSON of that name."""
        body = recorded(f"{self.form.name}-{name}.json")
        return self.upstream.queue(Answer.json(body, status=status, **options))

    def stream(self, name, **options):
        """Queues the recorded stream of that name."""
        events = recorded(f"{self.form.name}-{name}.sse")
        return self.upstream.queue(Answer.stream(events, **options))

    @property
    def body(self):
        """The JSON of the only request that arrived."""
        return self.upstream.request.json


def check_openai(request):
    """What OpenAI may see of a request: its own credential, and nothing that is ours."""
    _check_private(request)
    assert request.header("x-api-key") is None
    allowed = [f"Bearer {OPENAI_SECRET}", f"Bearer {CALLER_OPENAI_KEY}"]
    assert request.header("authorization") in allowed, "no credential, or a wrong one"


def check_azure(request):
    """The same for Azure OpenAI."""
    _check_private(request)
    assert request.header("x-api-key") is None
    assert request.header("authorization") is None
    assert request.header("api-key") == AZURE_SECRET


def check_anthropic(request):
    """The same for Anthropic, and that it takes the body."""
    _check_private(request)
    assert request.header("authorization") is None
    assert request.header("x-api-key") in (ANTHROPIC_SECRET, CALLER_ANTHROPIC_KEY)
    version = request.header("anthropic-version")
    assert version in ("2023-06-01", ANTHROPIC_API_VERSION)
    if request.method == "POST" and request.path.partition("?")[0] == "/v1/messages":
        assert request.header("content-type").startswith("application/json")
        check_messages_request(request.json, version)


def check_google(request):
    """The same for Google."""
    _check_private(request)
    assert request.header("authorization") is None and request.header("x-api-key") is None
    assert request.header("x-goog-api-key") == GOOGLE_SECRET
    assert request.path.startswith("/v1beta/models/")


def check_cohere(request):
    """The same for Cohere, and that it takes the body."""
    _check_private(request)
    assert request.header("authorization") == f"Bearer {COHERE_SECRET}"
    check_cohere_request(request.path, request.json)


def _check_private(request):
    names = [name for name, _ in request.headers]
    seen = [name for name in names if name.startswith(PRIVATE_PREFIXES) or name in PRIVATE]
    assert not seen, f"private headers: {seen}"
    assert not [value for _, value in request.headers if PORTKEY_KEY in value]
    assert not request.path.startswith("//")
