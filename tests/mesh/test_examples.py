"""The examples of `envoy/`, each in a real Envoy, as their first lines say to start them."""

import json
import time
from contextlib import contextmanager

import pytest
from certificates import Authority
from conftest import CHAT, OPENAI_SECRET, TEXT
from harness import (
    EXAMPLES,
    Envoy,
    ask,
    free_ports,
    place,
    place_edge,
    place_egress,
    render_filter,
    tool,
)
from support.upstream import Answer, recorded

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def content(text):
    return json.loads(text)["choices"][0]["message"]["content"]


def chat(port, **headers):
    return ask(port, "POST", "/v1/chat/completions", headers, CHAT)


def check_gateway(port, providers, **headers):
    """A virtual key, a fallback, the demo provider and a stream."""
    providers.answers()
    for key in ("my-openai", "my-claude"):
        status, _, text = chat(port, **{"x-portkey-virtual-key": key}, **headers)
        assert status == 200 and TEXT in content(text), text
    providers.falls_back()
    status, answered, text = chat(port, **{"x-portkey-config": "pc-safe"}, **headers)
    assert status == 200 and TEXT in content(text), text
    assert answered["x-portkey-last-used-option-index"] == "config.targets[1]"
    status, _, text = chat(port, **{"x-portkey-provider": "demo"}, **headers)
    assert status == 200 and "demo provider" in content(text)
    stream = CHAT | {"stream": True}
    asked = {"x-portkey-provider": "demo", **headers}
    status, _, text = ask(port, "POST", "/v1/chat/completions", asked, stream)
    assert status == 200 and text.count("data: [DONE]") == 1


@pytest.mark.parametrize("example", ["standalone", "sidecar", "two-tier", "beside"])
def test_the_gateway_yaml_of_each_is_valid(example):
    keys = {"OPENAI_API_KEY": "a", "ANTHROPIC_API_KEY": "b"}
    assert "ok" in tool("check", "--config", EXAMPLES / example / "gateway.yaml", **keys).stdout


@pytest.mark.parametrize(
    ("example", "listen", "admin"),
    [("standalone", "0.0.0.0, port_value: 8787", 9901),
     ("sidecar", "127.0.0.1, port_value: 15080", 15000)],
)  # fmt: skip
def test_one_tier(example, listen, admin, providers, tmp_path):
    port, admin_port = free_ports(2)
    out = tmp_path / "portkey"
    config = providers.gateway_yaml(tmp_path / "gateway.yaml")
    render_filter(config, out)
    replacements = {
        "/etc/portkey": out,
        listen: f"127.0.0.1, port_value: {port}",
        f"port_value: {admin}": f"port_value: {admin_port}",
    }
    path = place(f"{example}/envoy.yaml", tmp_path, replacements)
    with Envoy(path, admin_port, tmp_path) as envoy:
        check_gateway(port, providers)
        # An edit, rendered again, is taken over by the running Envoy.
        more = {"my-other": {"provider": "demo"}}
        settings = json.loads(config.read_text())
        settings["virtual_keys"] |= more
        config.write_text(json.dumps(settings))
        render_filter(config, out)
        deadline(lambda: chat(port, **{"x-portkey-virtual-key": "my-other"})[0] == 200)
        deadline(lambda: len(envoy.records()) >= 5)
        models = [record["request_model"] for record in envoy.records()]
        assert models[0] == "gpt-4o" and envoy.records()[0]["provider"] == "openai"
    assert OPENAI_SECRET not in envoy.output.read_text() + envoy.log.read_text()


def test_beside_other_routes(providers, tmp_path):
    port, admin_port = free_ports(2)
    out = tmp_path / "portkey"
    config = providers.gateway_yaml(tmp_path / "gateway.yaml")
    shop = providers.openai
    replacements = {
        "0.0.0.0, port_value: 8080": f"127.0.0.1, port_value: {port}",
        "port_value: 9904": f"port_value: {admin_port}",
        "port_value: 8000": f"port_value: {shop.port}",
    }
    path = place("beside/envoy.yaml", tmp_path, replacements)
    render_filter(config, out, "--into", path, "--listener", "web")
    with Envoy(out / "bootstrap.json", admin_port, tmp_path) as envoy:
        assert ask(port, "GET", "/hello")[::2] == (200, "hello\n")
        check_gateway(port, providers)
        # The shop's requests are not ours: no credential is dropped, no answer changed.
        shop.reset()
        shop._check = lambda request: None
        shop.queue(_shop_answer())
        status, headers, text = ask(port, "GET", "/cart", {"cookie": "a=1", "x-api-key": "theirs"})
        assert (status, text) == (404, "no cart") and "x-portkey-trace-id" not in headers
        assert shop.request.header("cookie") == "a=1"
        assert shop.request.header("x-api-key") == "theirs"
        # The gateway's routes end where they say, and only its requests are in its log.
        assert ask(port, "GET", "/v1/models")[0] == 200
        deadline(lambda: len(envoy.records()) >= 6)
        assert all(record["trace_id"] for record in envoy.records())


def _shop_answer():
    return Answer(status=404, headers={"content-type": "text/plain"}, pieces=[b"no cart"])


@pytest.mark.parametrize(
    ("text", "listener", "message"),
    [("[]", "web", "must be an object"),
     ("static_resources: {}", "web", "there are no listeners"),
     ("static_resources: {listeners: [{name: a}]}", "web", 'there is no listener "web"'),
     ("static_resources: {listeners: [{name: web}]}", "web", "has no connection manager"),
     ("dynamic_resources: {cds_config: {}}", "web", "dynamic_resources.cds_config is there")],
)  # fmt: skip
def test_what_cannot_be_merged_is_told(text, listener, message, providers, tmp_path):
    config = providers.gateway_yaml(tmp_path / "gateway.yaml")
    bootstrap = tmp_path / "envoy.yaml"
    bootstrap.write_text(text)
    options = ["--into", bootstrap, "--listener", listener]
    arguments = ["render", "filter", "--config", config, "--out", tmp_path / "out", *options]
    module = EXAMPLES.parent / "tests/fixtures/render/empty.wasm"
    ended = tool(*arguments, "--wasm", module, check=False)
    assert ended.returncode == 1 and message in ended.stderr, ended.stderr


def test_two_tiers(providers, tmp_path):
    with two_tiers(providers, tmp_path) as (port, edge, egress):
        host = {"host": "llm.mesh", "traceparent": TRACEPARENT}
        check_gateway(port, providers, **host)
        # Without a name the saved default is used.
        providers.openai.reset()
        providers.openai.queue(Answer.json(recorded("openai-text.json")))
        status, _, text = chat(port, **host, **{"x-portkey-trace-id": "trace-1"})
        assert status == 200, text
        deadline(lambda: any(r["trace_id"] == "trace-1" for r in egress.records()))
        deadline(lambda: any(r["trace_id"] == "trace-1" for r in edge.records()))
        for envoy in (edge, egress):
            (record,) = [r for r in envoy.records() if r["trace_id"] == "trace-1"]
            assert record["trace"] == TRACE
        assert record["peer"] == "spiffe://mesh.local/edge"
        # Nobody without a certificate of the mesh gets in, and no other host leads there.
        assert ask(port, "GET", "/v1/models", {"host": "elsewhere"})[0] == 404


def deadline(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@contextmanager
def two_tiers(providers, directory):
    port, edge_admin, egress_port, egress_admin, collector = free_ports(5)
    authority = Authority(directory / "certs")
    config = providers.gateway_yaml(directory / "gateway.yaml", default_config="pc-safe")
    render_filter(config, directory / "portkey")
    egress = place_egress(directory, authority, egress_port, egress_admin, collector)
    edge = place_edge(directory, authority, port, edge_admin, egress_port, collector)
    with (
        Envoy(egress, egress_admin, directory, "egress") as egress,
        Envoy(edge, edge_admin, directory, "edge") as edge,
    ):
        yield port, edge, egress
