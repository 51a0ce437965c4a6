"""The rendered resources of Istio: against its own schemas, and in an Envoy that got them as istiod
would send them."""

import json
import socket
import ssl
import subprocess
from http.client import HTTPConnection

import pytest
import yaml
from certificates import TRUST_DOMAIN, Authority
from conftest import ANTHROPIC_SECRET, CHAT, OPENAI_SECRET, TEXT
from harness import Envoy, ask, free_ports, program, tool
from istio import HCM, TYPE, Proxy
from support.upstream import Answer, Upstream, recorded

SECRETS = {"OPENAI_API_KEY": OPENAI_SECRET, "ANTHROPIC_API_KEY": ANTHROPIC_SECRET}
HOST = "llm.mesh"
# A namespace of its own, so that nothing is right by a default.
OPTIONS = ("--namespace", "llm", "--allow-namespace", "agents")
MODES = ("gateway", "sidecar")
ROUTER = {
    "name": "envoy.filters.http.router",
    "typed_config": {"@type": f"{TYPE}.extensions.filters.http.router.v3.Router"},
}
CORS = {
    "name": "envoy.filters.http.cors",
    "typed_config": {"@type": f"{TYPE}.extensions.filters.http.cors.v3.Cors"},
}


def gateway_yaml(path, openai, anthropic):
    """Virtual keys at hosts with names, by TLS and without, and one inside the cluster."""
    keys = {
        "my-openai": {"provider": "openai", "base_url": f"https://openai.test:{openai}/v1"},
        "my-claude": {"provider": "anthropic", "base_url": f"http://claude.test:{anthropic}/v1"},
        "vllm": {"provider": "openai", "base_url": "http://vllm.models.svc.cluster.local:8000/v1"},
    }
    names = {"my-openai": "OPENAI", "my-claude": "ANTHROPIC", "vllm": "OPENAI"}
    keys = {slug: key | {"api_key": f"${{{names[slug]}_API_KEY}}"} for slug, key in keys.items()}
    both = [{"virtual_key": "my-openai"}, {"virtual_key": "my-claude"}]
    split = [{"virtual_key": "my-openai", "weight": 1}, {"virtual_key": "my-claude", "weight": 0}]
    configs = {
        "pc-safe": {"strategy": {"mode": "fallback"}, "targets": both},
        "pc-split": {"strategy": {"mode": "loadbalance"}, "targets": split},
    }
    path.write_text(json.dumps({"virtual_keys": keys, "configs": configs}))
    return path


def render(config, out, mode, *options):
    arguments = ["render", "istio", "--config", config, "--out", out, "--mode", mode]
    tool(*arguments, *OPTIONS, *options, **SECRETS)
    paths = sorted(out.glob("*.yaml"))
    return [one for path in paths for one in yaml.safe_load_all(path.read_text())]


@pytest.mark.parametrize("mode", MODES)
def test_resources_fit_the_schemas(mode, tmp_path):
    resources = render(gateway_yaml(tmp_path / "gateway.yaml", 1443, 1080), tmp_path / "out", mode)
    kinds = {one["kind"] for one in resources}
    wanted = {"EnvoyFilter", "ServiceEntry", "DestinationRule", "VirtualService", "Telemetry"}
    assert kinds == wanted | ({"Gateway", "AuthorizationPolicy"} if mode == "gateway" else set())
    script = program("VALIDATE", "tests/mesh/validate.mjs")
    ended = subprocess.run(
        ["node", script], input=json.dumps(resources), capture_output=True, text=True, check=True
    )
    assert json.loads(ended.stdout) == []
    assert {one["metadata"]["namespace"] for one in resources} == {"llm"}
    # A service of the cluster is Istio's already.
    entries = [one["spec"]["hosts"] for one in resources if one["kind"] == "ServiceEntry"]
    assert sorted(entries) == [["claude.test"], [HOST], ["openai.test"]]


@pytest.mark.parametrize("mode", MODES)
def test_no_credential_is_in_any_file(mode, tmp_path):
    out = tmp_path / "out"
    render(gateway_yaml(tmp_path / "gateway.yaml", 1443, 1080), out, mode)
    texts = [path.read_text() for path in out.rglob("*.yaml")]
    assert len(texts) > 6
    assert not [text for text in texts for secret in SECRETS.values() if secret in text]
    (secret,) = yaml.safe_load_all((out / "fill-in/secret.yaml").read_text())
    assert sorted(secret["stringData"]) == ["my-claude.json", "my-openai.json", "vllm.json"]
    # The keys need not even be known.
    arguments = ["render", "istio", "--config", tmp_path / "gateway.yaml", "--out", tmp_path / "b"]
    tool(*arguments, *OPTIONS, "--mode", mode)
    first, second = ((tmp_path / name / "20-provider-role.yaml").read_text() for name in ("out", "b"))
    assert first == second


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [({"configs": {"pc": {"provider": "openai", "api_key": "k"}}}, [], "configs.pc.api_key"),
     ({"providers": {"openai": {"headers": {"cookie": "k"}}}}, [], "providers.openai.headers.cookie"),
     ({}, ["--host", "a b"], "--host"),
     ({}, ["--selector", "app"], "--selector"),
     ({}, ["--module", "https://x/y.wasm"], "--sha256")],
)  # fmt: skip
def test_what_cannot_be_rendered_is_told(settings, options, message, tmp_path):
    config = tmp_path / "gateway.yaml"
    config.write_text(json.dumps(settings))
    arguments = ["render", "istio", "--config", config, "--out", tmp_path / "out"]
    ended = tool(*arguments, *options, check=False)
    assert ended.returncode == 1 and message in ended.stderr, ended.stderr
    assert not (tmp_path / "out").exists()


class Mesh:
    """A proxy with the rendered resources, and providers by TLS and without."""

    def __init__(self, mode, directory):
        self.mode = mode
        self.authority = Authority(directory / "certs")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        current = self.authority.directory / "current"
        context.load_cert_chain(current / "provider.crt", current / "provider.key")
        self.openai = Upstream(lambda request: None, context)
        self.anthropic = Upstream(lambda request: None)
        self.port, self.admin = free_ports(2)
        config = gateway_yaml(directory / "gateway.yaml", self.openai.port, self.anthropic.port)
        options = ["--directory", directory / "pod", "--module", program(
            "PORTKEY_ENVOY_WASM", "target/wasm32-wasip1/release/portkey_envoy.wasm"
        ), "--trusted-ca", self.authority.directory / "ca.crt"]  # fmt: skip
        if mode == "sidecar":
            options += ["--port", str(self.port)]
        resources = render(config, directory / "out", mode, *options)
        self._fill_in(directory)
        context = {"gateway": "GATEWAY", "sidecar": "SIDECAR_OUTBOUND"}[mode]
        self.proxy = Proxy(resources, context, {"ca": self.authority.directory / "ca.crt"})
        self._add_listener()
        self.proxy.apply()
        path = directory / "bootstrap.json"
        path.write_text(json.dumps(self.proxy.bootstrap(self.admin, directory)))
        self.envoy = Envoy(path, self.admin, directory)

    def _fill_in(self, directory):
        """The Secret as a volume of the pod, with the keys."""
        (secret,) = yaml.safe_load_all((directory / "out/fill-in/secret.yaml").read_text())
        keys = {"my-claude": ANTHROPIC_SECRET, "my-openai": OPENAI_SECRET, "vllm": OPENAI_SECRET}
        mounted = directory / "pod/secrets"
        mounted.mkdir(parents=True)
        for name, text in secret["stringData"].items():
            key = keys[name.removesuffix(".json")]
            assert '"inline_string": ""' in text
            filled = text.replace('"inline_string": ""', f'"inline_string": "{key}"')
            (mounted / name).write_text(filled)

    def _add_listener(self):
        """What istiod generates of the VirtualService and, for a gateway, of the Gateway."""
        service = self.proxy.spec("VirtualService", "portkey")
        (rule,) = [one for one in service["http"] if one["name"] == "portkey"]
        destination = rule["route"][0]["destination"]
        assert rule["retries"] == {"attempts": 0} and destination["host"] == HOST
        cluster = f"outbound|{destination['port']['number']}||{HOST}"
        route = {
            "name": rule["name"],
            "match": {"prefix": "/"},
            "route": {"cluster": cluster, "timeout": "0s"},
            "decorator": {"operation": f"{HOST}:80/*"},
        }
        port = 443 if self.mode == "gateway" else self.port
        hosts = [
            {"name": f"{HOST}:{port}", "domains": [HOST, f"{HOST}:*"], "routes": [route]},
            {"name": "other:80", "domains": ["other"], "routes": [{
                "match": {"prefix": "/"},
                "direct_response": {"status": 418, "body": {"inline_string": "other"}},
            }]},
        ]  # fmt: skip
        name = "https.443.https-portkey.portkey.llm" if self.mode == "gateway" else str(port)
        manager = {
            "@type": HCM,
            "stat_prefix": f"outbound_0.0.0.0_{port}",
            "server_name": "istio-envoy",
            "normalize_path": True,
            "stream_idle_timeout": "0s",
            "use_remote_address": self.mode == "gateway",
            "upgrade_configs": [{"upgrade_type": "websocket"}],
            "route_config": {"name": name, "virtual_hosts": hosts},
            "http_filters": [CORS, ROUTER],
        }
        if self.mode == "sidecar":
            self.proxy.add_listener(f"0.0.0.0_{port}", self.port, manager)
            return
        (server,) = self.proxy.spec("Gateway", "portkey")["servers"]
        assert server["tls"] == {"mode": "ISTIO_MUTUAL"}
        match = {"server_names": server["hosts"], "transport_protocol": "tls"}
        self.proxy.add_listener("0.0.0.0_8443", self.port, manager, match, self._mutual_tls())

    def _mutual_tls(self):
        current = self.authority.directory / "current"
        names = [{"san_type": "URI", "matcher": {"prefix": TRUST_DOMAIN}}]
        return {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": f"{TYPE}.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "require_client_certificate": True,
                "common_tls_context": {
                    "tls_certificates": [{
                        "certificate_chain": {"filename": str(current / "egress.crt")},
                        "private_key": {"filename": str(current / "egress.key")},
                    }],
                    "validation_context": {
                        "trusted_ca": {"filename": str(self.authority.directory / "ca.crt")},
                        "match_typed_subject_alt_names": names,
                    },
                },
            },
        }  # fmt: skip

    def chat(self, headers, **body):
        """Status and JSON of a chat, by mutual TLS where that is the way."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        if self.mode == "gateway":
            context = ssl.create_default_context(cafile=self.authority.directory / "ca.crt")
            context.check_hostname = False
            current = self.authority.directory / "current"
            context.load_cert_chain(current / "edge.crt", current / "edge.key")
            plain = socket.create_connection(("127.0.0.1", self.port))
            connection.sock = context.wrap_socket(plain, server_hostname=HOST)
        try:
            headers = {"content-type": "application/json", "host": HOST} | headers
            body = json.dumps(CHAT | body)
            connection.request("POST", "/v1/chat/completions", body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def close(self):
        self.openai.close()
        self.anthropic.close()


@pytest.fixture(params=MODES)
def mesh(request, tmp_path):
    mesh = Mesh(request.param, tmp_path)
    yield mesh
    mesh.close()


def test_istio_s_proxy_serves(mesh):
    command = [program("ENVOY", ".venv/bin/envoy"), "--mode", "validate", "--config-path"]
    flags = ["--use-dynamic-base-id", "--reject-unknown-dynamic-fields"]
    ended = subprocess.run([*command, mesh.envoy.config, *flags], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    # Envoy calls the field deprecated, has no other for it, and obeys it (tests/security/module.rs).
    lines = [line for line in ended.stderr.splitlines() if "capability_restriction" not in line]
    assert not [line for line in lines if "eprecated" in line], ended.stderr
    with mesh.envoy:
        mesh.openai.queue(Answer.json(recorded("openai-text.json")))
        status, text = mesh.chat({"x-portkey-virtual-key": "my-openai"})
        assert status == 200 and TEXT in _content(text), text
        assert mesh.openai.request.header("authorization") == f"Bearer {OPENAI_SECRET}"
        assert mesh.openai.request.header("host") == f"openai.test:{mesh.openai.port}"
        # The way from one provider to the next, and back into OpenAI's format.
        mesh.openai.queue(Answer.json({"error": {"message": "overloaded"}}, status=503))
        mesh.anthropic.queue(Answer.json(recorded("anthropic-text.json")))
        status, text = mesh.chat({"x-portkey-config": "pc-safe"})
        assert status == 200 and TEXT in _content(text), text
        assert mesh.anthropic.request.header("x-api-key") == ANTHROPIC_SECRET
        # A split by weight is a route of its own; bodies may be larger than Envoy's usual limit.
        mesh.openai.queue(Answer.json(recorded("openai-text.json")))
        large = [{"role": "user", "content": "x" * (2 << 20)}]
        status, text = mesh.chat({"x-portkey-config": "pc-split"}, messages=large)
        assert status == 200, text
        status, text = mesh.chat({"x-portkey-provider": "demo"})
        assert status == 200 and "demo provider" in _content(text)
        # A provider that gateway.yaml does not name is not let out, and other hosts are not ours.
        status, text = mesh.chat({"x-portkey-provider": "groq", "authorization": "Bearer mine"})
        assert status == 400 and json.loads(text)["error"]["code"] == "no_upstream", text
        assert mesh.chat({"host": "other"}) == (418, "other")
        mesh.openai.verify()
        mesh.anthropic.verify()
    records = mesh.envoy.records()
    assert [record["status"] for record in records][:4] == [200] * 4 and len(records) == 5
    assert records[1]["attempts"] == 2 and records[1]["provider"] == "anthropic"


def test_a_gateway_lets_nobody_in_without_a_certificate(tmp_path):
    mesh = Mesh("gateway", tmp_path)
    try:
        with mesh.envoy, pytest.raises(OSError):
            ask(mesh.port, "GET", "/v1/models", {"host": HOST})
    finally:
        mesh.close()


def _content(text):
    return json.loads(text)["choices"][0]["message"]["content"]
