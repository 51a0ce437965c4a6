"""Callers by key and by token, and their limits, as clients see them."""

import base64
import json
import time
from functools import partial

import jwt
import openai
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from langchain_openai import ChatOpenAI
from portkey_ai import createHeaders

from support.process import gateways
from support.ratelimit import RateLimitService
from support.upstream import Answer, Upstream

ISSUER, AUDIENCE = "https://login.acme.example", "portkey"
QUESTION = [{"role": "user", "content": "hi"}]
COMPLETION = {
    "id": "c-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "hello"},
        }
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 40, "total_tokens": 43},
}


@pytest.fixture
def provider():
    upstream = Upstream(lambda request: None)
    upstream.respond_with(lambda request: Answer.json(COMPLETION))
    yield upstream
    upstream.close()


@pytest.fixture
def start(tmp_path, provider):
    """Starts a gateway in front of the provider, with these settings as well."""
    for started in gateways(tmp_path, provider):
        yield partial(started, {"api_key": "sk-provider"})


def client(gateway, key, **headers):
    headers = createHeaders(virtual_key="v", **headers)
    return openai.OpenAI(
        api_key=key, base_url=f"{gateway.url}/v1", default_headers=headers, max_retries=0
    )


def ask(gateway, key, **options):
    raw = client(gateway, key, **options).chat.completions.with_raw_response
    return raw.create(model="gpt-4o", messages=QUESTION, max_tokens=40)


def refusal(gateway, key, **options):
    with pytest.raises(openai.APIStatusError) as caught:
        ask(gateway, key, **options)
    return caught.value


def test_rate_limit_errors_tell_when_to_come_again(start, provider):
    gateway = start(api_keys={"a": {"key": "pk-a", "rate_limits": {"requests_per_minute": 1}}})
    answer = ask(gateway, "pk-a")
    assert answer.headers["x-ratelimit-limit-requests"] == "1"
    assert answer.headers["x-ratelimit-remaining-requests"] == "0"
    error = refusal(gateway, "pk-a", trace_id="trace-refused")
    assert isinstance(error, openai.RateLimitError)
    assert (error.code, error.type) == ("rate_limit_exceeded", "requests")
    assert 1 <= int(error.response.headers["retry-after"]) <= 60
    assert gateway.record("trace-refused")["limited_by"] == "requests_per_minute"
    llm = ChatOpenAI(
        api_key="pk-a",
        base_url=f"{gateway.url}/v1",
        default_headers=createHeaders(virtual_key="v"),
        model="gpt-4o",
        max_retries=0,
    )
    with pytest.raises(openai.RateLimitError, match="try again later"):
        llm.invoke("hi")


def test_budgets_are_not_tried_again(start, provider):
    # gpt-4o takes 10 USD for a million tokens of an answer.
    budget = {"usd": 0.0005, "per": "day"}
    gateway = start(api_keys={"a": {"key": "pk-a", "budget": budget}})
    assert ask(gateway, "pk-a").status_code == 200
    with pytest.raises(openai.APIStatusError) as caught:
        client(gateway, "pk-a").with_options(max_retries=2).chat.completions.create(
            model="gpt-4o", messages=QUESTION, max_tokens=40
        )
    error = caught.value
    assert (error.status_code, error.code, error.type) == (
        412,
        "budget_exceeded",
        "insufficient_quota",
    )
    assert len(gateway.log.read_text().splitlines()) < 10
    assert len(provider.requests) == 1


def new_key(kid="k-1"):
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = json.loads(RSAAlgorithm.to_jwk(private.public_key()))
    return private, {"keys": [public | {"kid": kid, "alg": "RS256", "use": "sig"}]}


def token(private, kid="k-1", **claims):
    now = int(time.time())
    usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "a", "exp": now + 600}
    claims = {name: value for name, value in (usual | claims).items() if value is not None}
    return jwt.encode(claims, private, algorithm="RS256", headers={"kid": kid})


def unsigned(**claims):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    payload = {"iss": ISSUER, "aud": AUDIENCE, "sub": "a", "exp": int(time.time()) + 600}
    return f"{part({'alg': 'none', 'kid': 'k-1'})}.{part(payload | claims)}."


@pytest.fixture(params=["file", "server"])
def tokens(request, tmp_path, start, provider):
    """A gateway that knows callers by token, whose keys come from there; and the private key."""
    private, keys = new_key()
    settings = {"issuer": ISSUER, "audiences": [AUDIENCE, "other"]}
    server = Upstream(lambda request: None)
    if request.param == "file":
        (tmp_path / "jwks.json").write_text(json.dumps(keys))
        settings["jwks_file"] = str(tmp_path / "jwks.json")
    else:
        server.respond_with(lambda request: Answer.json(keys))
        settings["jwks_uri"] = f"http://127.0.0.1:{server.port}/keys"
    api_keys = {"a": {"models": ["gpt-*"]}, "k": {"key": "pk-k"}}
    yield start(jwt=settings, api_keys=api_keys), private
    server.close()


def test_tokens(tokens, provider):
    gateway, private = tokens
    assert ask(gateway, token(private), trace_id="trace-good").status_code == 200
    assert gateway.record("trace-good")["caller"] == "a"
    assert ask(gateway, token(private, aud=["x", "other"])).status_code == 200
    # A key will do, too, beside a token that will not.
    assert ask(gateway, "pk-k").status_code == 200
    assert ask(gateway, unsigned(), api_key="pk-k").status_code == 200
    for request in provider.requests:
        assert request.header("authorization") == "Bearer sk-provider"
    other, _ = new_key()
    now = int(time.time())
    bad = {
        "expired": token(private, exp=now - 600),
        "without an end": token(private, exp=None),
        "of another signer": token(other),
        "of an unknown key": token(other, kid="k-2"),
        "of another issuer": token(private, iss="https://evil.example"),
        "for somebody else": token(private, aud="billing"),
        "for nobody": token(private, aud=None),
        "not signed": unsigned(),
        "cut": token(private)[:-8],
        "no token": "X",
    }
    for what, one in bad.items():
        error = refusal(gateway, one)
        assert error.status_code == 401, what
        assert error.code in ("missing_api_key", "invalid_api_key"), what
        assert one not in error.message, what
    assert "expired" in refusal(gateway, bad["expired"]).message.lower()
    # Somebody whom gateway.yaml does not name.
    error = refusal(gateway, token(private, sub="stranger"))
    assert (error.status_code, error.code) == (403, "unknown_caller")
    assert len(provider.requests) == 4
    text = gateway.log.read_text() + gateway.output.read_text()
    assert token(private).split(".")[0] not in text


def test_changed_keys_are_noticed(tmp_path, start, provider):
    private, keys = new_key()
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(keys))
    settings = {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks_file": str(path), "default": "all"}
    gateway = start(jwt=settings, api_keys={"all": {}})
    assert ask(gateway, token(private, sub="somebody"), trace_id="trace-first").status_code == 200
    assert gateway.record("trace-first")["caller"] == "somebody"
    fresh, keys = new_key()
    path.write_text(json.dumps(keys))
    deadline = time.monotonic() + 10
    while True:
        try:
            assert ask(gateway, token(fresh)).status_code == 200
            break
        except openai.AuthenticationError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert refusal(gateway, token(private)).status_code == 401


def test_a_rate_limit_service_counts_requests_and_tokens(start, provider):
    service = RateLimitService({("a", "requests"): 3, ("b", "tokens"): 50})
    try:
        api_keys = {name: {"key": f"pk-{name}"} for name in "ab"}
        place = {"address": f"127.0.0.1:{service.port}", "domain": "d", "timeout": 5000}
        gateway = start(api_keys=api_keys, rate_limit_service=place)
        for _ in range(3):
            assert ask(gateway, "pk-a").status_code == 200
        error = refusal(gateway, "pk-a", trace_id="trace-over")
        assert isinstance(error, openai.RateLimitError)
        assert (error.code, error.response.headers["retry-after"]) == ("rate_limit_exceeded", "42")
        assert gateway.record("trace-over")["limited_by"] == "rate_limit_service"
        wait_until(lambda: service.used.get(("a", "tokens")) == 3 * 43)
        # Two answers of 43 tokens are more than 50: the third request finds none left.
        for count in (1, 2):
            assert ask(gateway, "pk-b").status_code == 200
            wait_until(lambda count=count: service.used.get(("b", "tokens")) == count * 43)
        assert isinstance(refusal(gateway, "pk-b"), openai.RateLimitError)
        assert len(provider.requests) == 5
        domain, asked = service.calls[0]
        assert domain == "d"
        assert asked == [
            ({"caller": "a", "unit": "requests"}, 1),
            ({"caller": "a", "unit": "tokens"}, 0),
        ]
    finally:
        service.close()


@pytest.mark.parametrize("deny", [False, True])
def test_a_rate_limit_service_that_is_not_there(start, provider, deny):
    gateway = start(
        api_keys={"a": {"key": "pk-a"}},
        rate_limit_service={"address": "127.0.0.1:9", "deny_on_failure": deny},
    )
    if deny:
        error = refusal(gateway, "pk-a")
        assert (error.status_code, error.code) == (503, "no_rate_limits")
    else:
        assert ask(gateway, "pk-a").status_code == 200


def wait_until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
