"""Two scripted providers, clean for each test."""

import json

import pytest
from support import outputs
from support.upstream import Answer, Upstream, recorded

OPENAI_SECRET = "sk-mesh-openai"
ANTHROPIC_SECRET = "sk-mesh-anthropic"
CHAT = {"model": "gpt-4o", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
TEXT = 'The answer is 42: see "Deep Thought"'


class Providers:
    """OpenAI and Anthropic, as the gateway.yaml of a test names them."""

    def __init__(self):
        self.openai, self.anthropic = Upstream(_check_openai), Upstream(_check_anthropic)

    def both(self):
        return self.openai, self.anthropic

    def answers(self):
        """Each will answer one chat."""
        self.openai.queue(Answer.json(recorded("openai-text.json")))
        self.anthropic.queue(Answer.json(recorded("anthropic-text.json")))

    def falls_back(self):
        """The first will fail, the second answer."""
        self.openai.queue(Answer.json({"error": {"message": "overloaded"}}, status=503))
        self.anthropic.queue(Answer.json(recorded("anthropic-text.json")))

    def gateway_yaml(self, path, **more):
        """The virtual keys and the config of the examples, for these providers."""
        urls = {one: f"http://127.0.0.1:{one.port}/v1" for one in self.both()}
        settings = {
            "virtual_keys": {
                "my-openai": {
                    "provider": "openai",
                    "api_key": OPENAI_SECRET,
                    "base_url": urls[self.openai],
                },
                "my-claude": {
                    "provider": "anthropic",
                    "api_key": ANTHROPIC_SECRET,
                    "base_url": urls[self.anthropic],
                },
            },
            "configs": {
                "pc-safe": {
                    "strategy": {"mode": "fallback"},
                    "targets": [{"virtual_key": "my-openai"}, {"virtual_key": "my-claude"}],
                },
            },
            "logs": [{"type": "stdout"}],
        }
        outputs.given("settings", outputs.secrets(settings | more))
        path.write_text(json.dumps(settings | more))
        return path


def _check_openai(request):
    assert request.header("authorization") == f"Bearer {OPENAI_SECRET}"
    _check_private(request)


def _check_anthropic(request):
    assert request.header("x-api-key") == ANTHROPIC_SECRET
    assert request.header("authorization") is None
    _check_private(request)


def _check_private(request):
    private = ("x-portkey-", "x-envoy-", "x-forwarded-", "traceparent", "tracestate")
    seen = [name for name, _ in request.headers if name.startswith(private)]
    assert not seen, f"private headers: {seen}"


@pytest.fixture(scope="session")
def session_providers():
    providers = Providers()
    yield providers
    for one in providers.both():
        one.close()


@pytest.fixture
def providers(session_providers):
    for one in session_providers.both():
        one.reset()
    yield session_providers
    for one in session_providers.both():
        one.verify()
