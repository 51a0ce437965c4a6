"""Credentials that are not in gateway.yaml: Envoy has them from elsewhere, or a token for them."""

import os
import threading
import time
from urllib.parse import parse_qs

import openai
import pytest
from portkey_ai import createHeaders

from support.process import free_ports, gateways
from support.secrets import SecretServer, resource
from support.upstream import Answer, Upstream

QUESTION = [{"role": "user", "content": "hi"}]
MESSAGE = {"role": "assistant", "content": "hello"}
COMPLETION = {
    "id": "c-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o",
    "choices": [{"index": 0, "finish_reason": "stop", "message": MESSAGE}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
}


@pytest.fixture
def server():
    """Makes servers on loopback that answer every request like this."""
    running = []

    def started(respond):
        one = Upstream(lambda request: None)
        one.respond_with(respond)
        running.append(one)
        return one

    yield started
    for one in running:
        one.close()


@pytest.fixture
def provider(server):
    return server(lambda request: Answer.json(COMPLETION))


@pytest.fixture
def start(tmp_path, provider):
    """Starts a gateway whose virtual key v has this credential."""
    yield from gateways(tmp_path, provider)


def client(gateway, **headers):
    return openai.OpenAI(
        api_key="X",
        base_url=f"{gateway.url}/v1",
        default_headers=createHeaders(virtual_key="v", **headers),
        max_retries=0,
    )


def ask(gateway, **headers):
    chat = client(gateway, **headers).chat.completions
    return chat.create(model="gpt-4o", messages=QUESTION)


def credential(provider):
    return provider.requests[-1].header("authorization")


def assert_refused(gateway, provider):
    before = len(provider.requests)
    with pytest.raises(openai.APIStatusError) as caught:
        ask(gateway)
    assert (caught.value.status_code, caught.value.code) == (500, "no_credential")
    assert len(provider.requests) == before, "a request without a credential"


def wait_until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def serves(gateway):
    try:
        return bool(ask(gateway))
    except openai.APIStatusError as error:
        assert error.code == "no_credential"
        return False


def change_under_load(gateway, provider, change, new):
    """All requests are answered while the credential becomes the new one."""
    faults, is_over = [], threading.Event()

    def load():
        while not is_over.is_set():
            try:
                ask(gateway)
            except Exception as error:
                faults.append(error)

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(0.3)
        change()
        wait_until(lambda: credential(provider) == f"Bearer {new}")
        switched = len(provider.requests)
        wait_until(lambda: len(provider.requests) > switched + 20)
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert not faults
    # Each worker has the new one a moment after the other at most.
    late = {request.header("authorization") for request in provider.requests[-10:]}
    assert late == {f"Bearer {new}"}


def move(path, text):
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    os.replace(fresh, path)


def assert_secret(gateway, *secrets):
    text = gateway.log.read_text() + gateway.output.read_text() + "".join(gateway.dumps().values())
    for secret in secrets:
        assert secret not in text


def test_a_file_of_secret_discovery(tmp_path, start, provider):
    path = tmp_path / "sds" / "openai.json"
    path.parent.mkdir()
    path.write_text(resource("openai", "sk-first-of-file"))
    gateway = start({"api_key": {"sds": {"name": "openai", "file": str(path)}}})
    ask(gateway)
    assert credential(provider) == "Bearer sk-first-of-file"
    new = "sk-second-of-file"
    change_under_load(gateway, provider, lambda: move(path, resource("openai", new)), new)
    # What cannot be read changes nothing.
    move(path, "{")
    time.sleep(0.5)
    ask(gateway)
    assert credential(provider) == f"Bearer {new}"
    assert_secret(gateway, "sk-first-of-file", new)
    move(path, resource("openai", new))


def test_a_directory_whose_link_changes(tmp_path, start, provider):
    """As Kubernetes does it: the file is behind a link that is moved in another directory."""
    for name, secret in (("old", "sk-old-of-link"), ("new", "sk-new-of-link")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "key.json").write_text(resource("k", secret))
    data = tmp_path / "mount"
    data.mkdir()
    (data / "..data").symlink_to(tmp_path / "old")
    (data / "key.json").symlink_to("..data/key.json")
    place = {"name": "k", "file": str(data / "key.json"), "watch": str(data)}
    gateway = start({"api_keys": [{"sds": place}]})
    ask(gateway)
    assert credential(provider) == "Bearer sk-old-of-link"

    def change():
        (data / "..data_tmp").symlink_to(tmp_path / "new")
        os.replace(data / "..data_tmp", data / "..data")

    change_under_load(gateway, provider, change, "sk-new-of-link")


def test_a_server_of_secret_discovery(start, provider):
    secrets = SecretServer({})
    try:
        place = {"name": "openai", "server": f"http://127.0.0.1:{secrets.port}"}
        gateway = start({"api_key": {"sds": place}})
        # The server does not have it yet.
        assert_refused(gateway, provider)
        secrets.set("openai", "sk-first-of-server")
        wait_until(lambda: serves(gateway))
        assert credential(provider) == "Bearer sk-first-of-server"
        assert set(secrets.asked) == {"openai"}
        new = "sk-second-of-server"
        change_under_load(gateway, provider, lambda: secrets.set("openai", new), new)
        secrets.close()
        # What Envoy has it keeps.
        ask(gateway)
        assert credential(provider) == f"Bearer {new}"
        assert_secret(gateway, "sk-first-of-server", new)
    finally:
        secrets.close()


def test_a_server_of_secret_discovery_that_comes_later(start, provider):
    (port,) = free_ports(1)
    place = {"name": "openai", "server": f"http://127.0.0.1:{port}"}
    gateway = start({"api_key": {"sds": place}})
    assert_refused(gateway, provider)
    secrets = SecretServer({"openai": "sk-late"}, port)
    try:
        wait_until(lambda: serves(gateway), 30)
        assert credential(provider) == "Bearer sk-late"
    finally:
        secrets.close()


def test_the_cache_has_its_credential_from_there(tmp_path, start, server, provider):
    path = tmp_path / "redis.json"
    path.write_text(resource("redis", "token-of-redis"))
    store = server(lambda request: Answer.json([{"result": None}]))
    token = {"sds": {"name": "redis", "file": str(path)}}
    cache = {"redis": {"url": f"http://127.0.0.1:{store.port}", "token": token}}
    gateway = start({"api_key": "sk-usual"}, cache=cache)
    ask(gateway, config={"cache": {"mode": "simple"}})
    wait_until(lambda: store.requests)
    assert store.requests[0].header("authorization") == "Bearer token-of-redis"


CLIENT, CLIENT_SECRET = "client-1", "secret of the client"


def token_key(kind, tokens, tmp_path):
    """A virtual key for a token endpoint, and its path there."""
    url = f"http://127.0.0.1:{tokens.port}"
    of_client = {"client_id": CLIENT, "client_secret": CLIENT_SECRET}
    if kind == "entra":
        own = {"tenant_id": "acme.example", "authority": url}
        key = {"provider": "azure-openai", "api_version": "2024-10-21", "entra": of_client | own}
        return key, "/acme.example/oauth2/v2.0/token"
    if kind == "sds":
        path = tmp_path / "client.json"
        path.write_text(resource("client", CLIENT_SECRET))
        of_client["client_secret"] = {"sds": {"name": "client", "file": str(path)}}
    own = {"token_url": f"{url}/oauth/token", "scopes": ["llm.read", "llm.write"]}
    return {"oauth2": of_client | own}, "/oauth/token"


@pytest.mark.parametrize("kind", ["entra", "oauth2", "sds"])
def test_tokens(tmp_path, start, server, provider, kind):
    answer = {"access_token": "token-1", "token_type": "Bearer", "expires_in": 3600}
    tokens = server(lambda request: Answer.json(answer))
    key, path = token_key(kind, tokens, tmp_path)
    gateway = start(key)
    wait_until(lambda: serves(gateway))
    request = provider.requests[-1]
    assert request.header("authorization") == "Bearer token-1"
    assert request.header("api-key") is None
    asked = tokens.requests[0]
    form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
    assert (asked.method, asked.path, form["grant_type"]) == ("POST", path, "client_credentials")
    assert (form["client_id"], form["client_secret"]) == (CLIENT, CLIENT_SECRET)
    usual = "https://cognitiveservices.azure.com/.default"
    assert form["scope"] == (usual if kind == "entra" else "llm.read llm.write")
    assert_secret(gateway, CLIENT_SECRET, "token-1")


def test_tokens_are_renewed(tmp_path, start, server, provider):
    count = iter(range(1, 1000))

    def token(request):
        return Answer.json({"access_token": f"token-{next(count)}", "expires_in": 3})

    key, _ = token_key("oauth2", server(token), tmp_path)
    gateway = start(key)
    wait_until(lambda: serves(gateway))
    first = credential(provider)
    wait_until(lambda: bool(ask(gateway)) and credential(provider) != first)


def test_a_token_endpoint_that_fails(tmp_path, start, server, provider):
    answers = {"now": Answer.json({"error": "invalid_client"}, status=401)}
    tokens = server(lambda request: answers["now"])
    key, _ = token_key("oauth2", tokens, tmp_path)
    gateway = start(key)
    wait_until(lambda: tokens.requests)
    assert_refused(gateway, provider)
    answers["now"] = Answer.json({}, status=500)
    seen = len(tokens.requests)
    wait_until(lambda: len(tokens.requests) > seen + 1)
    assert_refused(gateway, provider)
    answers["now"] = Answer.json({"access_token": "token-1", "expires_in": 3600})
    wait_until(lambda: serves(gateway))
    assert credential(provider) == "Bearer token-1"
