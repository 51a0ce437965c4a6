"""A LangChain agent at work in a mesh that does not stand still: application, its sidecar Envoy,
mutual TLS, the egress Envoy with the filter, providers behind TLS. Prints a report; its status is
0 when no call was lost, and none doubled but where the client tried again.

`make mesh`. All servers are on loopback and are ended by their pid.
"""

import json
import os
import ssl
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "langchain")]
os.environ.update(
    LANGCHAIN_TRACING_V2="false",
    LANGSMITH_TRACING="false",
    LANGCHAIN_OPENAI_TCP_KEEPALIVE="0",
    NO_PROXY="*",
)

from certificates import Authority  # noqa: E402
from harness import Envoy, place_edge, place_egress, render_filter  # noqa: E402
from mesh_app import WORKERS, Application  # noqa: E402
from mesh_providers import Collector, Providers  # noqa: E402
from support.process import free_ports  # noqa: E402

# Seconds of undisturbed work before and after each event.
CALM = 1.5


class Mesh:
    """Two Envoys, two providers, a collector of spans and the application."""

    def __init__(self, directory):
        self.directory = directory
        self.authority = Authority(directory / "certs")
        current = self.authority.directory / "current"
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(current / "provider.crt", current / "provider.key")
        self.providers, self.collector = Providers(tls), Collector()
        self.keys = {"my-openai": "sk-openai-1", "my-claude": "sk-claude-1"}
        self.weights = [1, 1]
        self.render()
        port, edge_admin, egress_port, egress_admin = free_ports(4)
        egress = place_egress(directory, self.authority, egress_port, egress_admin, self.collector.port)
        self.egress = Envoy(egress, egress_admin, directory, "egress")
        edge = place_edge(directory, self.authority, port, edge_admin, egress_port, self.collector.port)
        self.edge = Envoy(edge, edge_admin, directory, "edge")
        self.application = Application(port)

    def render(self):
        """Renders gateway.yaml for the egress Envoy, which takes over what has changed."""
        urls = self.providers.urls()
        providers = {"my-openai": "openai", "my-claude": "anthropic"}
        keys = {
            slug: {"provider": provider, "api_key": self.keys[slug], "base_url": urls[provider]}
            for slug, provider in providers.items()
        }
        keys["my-claude"]["default_params"] = {"max_tokens": 64}
        targets = [
            {"virtual_key": slug, "weight": weight}
            for slug, weight in zip(providers, self.weights, strict=True)
        ]
        settings = {
            "virtual_keys": keys,
            "configs": {"pc-mesh": {"strategy": {"mode": "loadbalance"}, "targets": targets}},
            "default_config": "pc-mesh",
            "logs": [{"type": "stdout"}],
        }
        path = self.directory / "gateway.yaml"
        path.write_text(json.dumps(settings))
        ca = str(self.authority.directory / "ca.crt")
        render_filter(path, self.directory / "portkey", SSL_CERT_FILE=ca)

    def start(self):
        self.providers.accept(self.keys.values())
        self.egress.start()
        self.edge.start()
        self.application.start()

    def stop(self):
        self.application.finish()
        self.edge.stop()
        self.egress.stop()
        self.providers.close()
        self.collector.close()

    def change_config(self):
        """All to one provider, and back to both."""
        self.weights = [0, 1]
        self.render()
        wait_until(lambda: self.providers.is_idle("openai", 1.0), "no call to the first provider")
        self.weights = [1, 1]
        self.render()
        wait_until(lambda: not self.providers.is_idle("openai", 0.5), "calls to both")

    def rotate_certificates(self):
        """Connections that stand keep theirs; new ones, after the restarts, get the new ones."""
        before = [self.edge.certificates(), self.egress.certificates()]
        self.authority.rotate()
        for envoy, old in zip((self.edge, self.egress), before, strict=True):
            is_new = lambda envoy=envoy, old=old: envoy.certificates() != old  # noqa: E731
            wait_until(is_new, f"{envoy.name}: the new certificate")

    def rotate_virtual_keys(self):
        """The providers take both until the old ones are out of use, as in life."""
        old, self.keys = self.keys, {"my-openai": "sk-openai-2", "my-claude": "sk-claude-2"}
        self.providers.accept([*old.values(), *self.keys.values()])
        self.render()
        wait_until(lambda: self.providers.uses(self.keys.values()), "the new keys in use")
        time.sleep(CALM)
        self.providers.accept(self.keys.values())

    def restart_edge(self):
        """It takes no more connections, ends what it has, and comes back."""
        self.edge.drain()
        self.edge.stop()
        self.edge.start()

    def restart_egress(self):
        """The same."""
        self.egress.drain()
        self.egress.stop()
        self.egress.start()

    def kill_egress(self):
        """Without a warning: what is under way is cut, and the application's client tries again."""
        self.egress.kill()
        self.egress.start()


EVENTS = (
    ("config changed, and back", Mesh.change_config),
    ("certificates rotated", Mesh.rotate_certificates),
    ("virtual keys rotated", Mesh.rotate_virtual_keys),
    ("sidecar Envoy restarted", Mesh.restart_edge),
    ("egress Envoy restarted", Mesh.restart_egress),
    ("egress Envoy killed", Mesh.kill_egress),
)


def wait_until(condition, what, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so after {seconds} s: {what}"
        time.sleep(0.05)


class Report:
    """What was seen, and what of it must not be."""

    def __init__(self, mesh):
        self.mesh, self.events, self.killed = mesh, [], []

    def run(self):
        """Lets everything happen while the agent works."""
        self.mesh.start()
        time.sleep(CALM)
        for name, event in EVENTS:
            began, calls = time.monotonic(), self.mesh.providers.count()
            event(self.mesh)
            ended = time.monotonic()
            time.sleep(CALM)
            self.events.append((name, self.mesh.providers.count() - calls, ended - began))
            if event is Mesh.kill_egress:
                self.killed = [began - 1, ended]
        self.mesh.application.finish()
        # The loggers and the tracer write with a delay.
        time.sleep(CALM)

    def problems(self):
        app, providers = self.mesh.application, self.mesh.providers
        steps = providers.steps
        found = [f"{one.id}: {one.error or one.answer}" for one in app.runs if not one.is_right()]
        found += providers.faults()
        found += [f"{name}: no call meanwhile" for name, calls, _ in self.events if not calls]
        wanted = {step for run in app.runs for step in run.steps()}
        found += [f"{step}: lost" for step in sorted(wanted - set(steps))]
        found += [f"{step}: unasked" for step in sorted(set(steps) - wanted)]
        doubled = {step for step, times in steps.items() if times > 1}
        found += [f"{step}: twice without a retry" for step in sorted(doubled - app.retried)]
        found += self._of_traces()
        if len(self.peers()) < 2:
            found.append("no connection had the new certificate")
        if app.queries or app.has_a_key():
            found.append(f"the application looked up {app.queries}, sent {app.credentials}")
        return found

    def _of_traces(self):
        """A run's trace is in the logs of both Envoys, under the run's id, and among the spans of
        both; but what a killed Envoy had not written is lost."""
        problems = []
        seen = {}
        for envoy in (self.mesh.edge, self.mesh.egress):
            for record in envoy.records():
                seen.setdefault(record["trace_id"], {}).setdefault(envoy.name, set()).add(record["trace"])
        for run in self.whole_runs():
            if seen.get(run.id) != {"edge": {run.trace}, "egress": {run.trace}}:
                problems.append(f"{run.id}: traces in the logs: {seen.get(run.id)}")
            spans = self.mesh.collector.services.get(run.trace)
            if spans != {"edge", "egress"}:
                problems.append(f"{run.id}: spans of {spans}")
        return problems

    def whole_runs(self):
        began, ended = self.killed
        return [run for run in self.mesh.application.runs if run.ended < began or run.began > ended]

    def peers(self):
        """The certificates that the egress Envoy has seen."""
        return {record["peer_serial"] for record in self.mesh.egress.records()}

    def text(self):
        app, steps = self.mesh.application, self.mesh.providers.steps
        lines = [f"{'while the agent works':<28}{'calls meanwhile':>16}{'seconds':>10}"]
        lines += [f"{name:<28}{calls:>16}{seconds:>10.1f}" for name, calls, seconds in self.events]
        wrong = [run for run in app.runs if not run.is_right()]
        doubled = [step for step, times in steps.items() if times > 1]
        lines += [
            "",
            f"{len(app.runs)} runs of the agent by {WORKERS} workers, {len(wrong)} of them failed",
            f"{len(steps)} calls of a model: {dict(self.mesh.providers.by_provider)}",
            f"{len(app.retried)} calls made again by the application's client, "
            f"{len(doubled)} of which a provider saw twice",
            f"{len(self.peers())} certificates of the sidecar seen by the egress Envoy",
            f"{len(self.whole_runs())} runs with one trace in both logs and among both Envoys' spans",
        ]
        return "\n".join(lines)


def main():
    with tempfile.TemporaryDirectory(prefix="portkey-mesh-") as directory:
        mesh = Mesh(Path(directory))
        report = Report(mesh)
        try:
            report.run()
            problems = report.problems()
            print(report.text())
        except BaseException:
            for envoy in (mesh.edge, mesh.egress):
                print(envoy.name, envoy.log.read_text()[-2000:], file=sys.stderr)
            raise
        finally:
            mesh.stop()
    for problem in problems[:20]:
        print("PROBLEM", problem)
    print(f"failed: {len(problems)} problems" if problems else "passed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
