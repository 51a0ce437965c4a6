"""Rules and dashboard name what a scrape has; Prometheus' own tool reads all three."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import promql
import pytest
import yaml
from support.process import ROOT

HERE = Path(__file__).parent
FILES = ROOT / "envoy/observability"
RULES = yaml.safe_load((FILES / "rules.yaml").read_text())["groups"]
DASHBOARD = json.loads((FILES / "dashboard.json").read_text())
# Of Prometheus itself.
SCRAPED = {"job", "instance"}
# Of docs/metrics.md, and in no scrape as long as the gateway itself has no fault.
FAULT = ("error_source", "gateway")
SERIES = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$")


def rules():
    return [rule for group in RULES for rule in group["rules"]]


def panels():
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]


def parse(text):
    """The label sets of each metric."""
    found = {}
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for name, pairs in (SERIES.match(line).groups("") for line in lines):
        found.setdefault(name, []).append(dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', pairs)))
    return found


@pytest.fixture(scope="session")
def metrics(scrape):
    return parse(scrape)


def expressions():
    queries = [one["query"]["query"] for one in DASHBOARD["templating"]["list"][1:]]
    names = [re.fullmatch(r"label_values\((\w+), (\w+)\)", query).groups() for query in queries]
    yield from (rule["expr"] for rule in rules())
    yield from panels()
    yield from (f"sum by ({label}) ({name})" for name, label in names)


def check(expression, metrics):
    """What an expression names that no scrape has."""
    recorded = {rule["record"] for rule in rules() if "record" in rule} | {"up"}
    # By label_replace.
    made = set(re.findall(r'\},\s*"(\w+)", "\$1"', expression))
    grouped, wrong, seen = promql.labels(expression) - SCRAPED - made, [], set()
    for name, matchers in promql.selectors(expression):
        pattern = next((value for label, _, value in matchers if label == "__name__"), None)
        if pattern:
            fits = lambda one: any(re.fullmatch(one, metric) for metric in metrics)
            # In two steps: the alternatives within brackets are of one name.
            parts = re.split(r"\|(?![^(]*\))", pattern)
            wrong += [part for part in parts if not fits(part)]
            continue
        if name in recorded:
            seen |= grouped
            continue
        sets = metrics.get(name, [])
        seen |= {label for labels in sets for label in labels}
        wrong += [] if sets else [name]
        for label, operator, value in matchers:
            values = {labels[label] for labels in sets if label in labels}
            plain = operator == "=" and "$" not in value and (label, value) != FAULT
            if label not in SCRAPED and (not values or plain and value not in values):
                wrong.append(f'{name}{{{label}{operator}"{value}"}}')
    return wrong + [f"by {label}" for label in grouped - seen]


def test_everything_that_is_named_is_scraped(metrics):
    count = 0
    for expression in expressions():
        assert check(expression, metrics) == [], expression
        count += len(promql.selectors(expression))
    assert count > 80


def test_what_is_not_scraped_is_found(metrics):
    for expression, wrong in [
        ("rate(portkey_request_total[5m])", ["portkey_request_total"]),
        ('portkey_requests_total{modell="a"}', ['portkey_requests_total{modell="a"}']),
        ('portkey_limited_total{limited_by="money"}', ['portkey_limited_total{limited_by="money"}']),
        ("sum by (job, modell) (portkey_requests_total)", ["by modell"]),
        ("{__name__=~\"envoy_.*_logs_dropped|envoy_nothing\"}", ["envoy_nothing"]),
    ]:  # fmt: skip
        assert check(expression, metrics) == wrong


def test_what_alerts_say_has_labels_that_they_have():
    for rule in rules():
        for label in re.findall(r"\$labels\.(\w+)", rule.get("annotations", {}).get("summary", "")):
            kept = promql.labels(rule["expr"])
            by_record = any(name.startswith("portkey:") for name, _ in promql.selectors(rule["expr"]))
            assert label in kept | SCRAPED or by_record, (rule["alert"], label)


def test_every_alert_is_tested():
    tests = yaml.safe_load((HERE / "alerts.yaml").read_text())["tests"]
    cases = [case for test in tests for case in test.get("alert_rule_test", [])]
    fire = {case["alertname"] for case in cases if case["exp_alerts"]}
    assert fire == {rule["alert"] for rule in rules() if "alert" in rule}


def test_panels_have_places_of_their_own():
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.fixture(scope="session")
def promtool():
    """Runs Prometheus' tool; its status and what it says."""
    path = os.environ.get("PROMTOOL") or shutil.which("promtool")
    if not path or not Path(path).is_file():
        pytest.skip("no promtool")

    def run(*arguments, **options):
        done = subprocess.run([path, *arguments], capture_output=True, text=True, **options)
        return done.returncode, done.stdout + done.stderr

    return run


def test_rules_are_valid(promtool):
    status, said = promtool("check", "rules", FILES / "rules.yaml")
    assert status == 0 and f"{len(rules())} rules found" in said, said


def test_alerts_fire(promtool):
    status, said = promtool("test", "rules", HERE / "alerts.yaml")
    assert status == 0, said


def test_panels_are_valid(promtool, tmp_path):
    """Each panel's expression, as a rule: with what Grafana puts in place of its variables."""
    filled = [re.sub(r"\$__\w+", "5m", one) for one in panels()]
    listed = [{"record": f"panel:{at}", "expr": expr} for at, expr in enumerate(filled)]
    path = tmp_path / "panels.json"
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": listed}]}))
    status, said = promtool("check", "rules", path)
    assert status == 0, said


# Envoy gives no help texts, and its statistics are integers, so that a second is no unit for them.
ACCEPTED = re.compile(r"no help text|use base unit \"seconds\" instead of \"(milli|micro)seconds\"")


def test_metrics_are_well_named(promtool, scrape):
    ours = re.compile(r"(# TYPE )?(portkey|gen_ai)_")
    lines = [line for line in scrape.splitlines() if ours.match(line)]
    assert len(lines) > 200
    _, said = promtool("check", "metrics", input="\n".join(lines) + "\n")
    assert [line for line in said.splitlines() if not ACCEPTED.search(line)] == []


def test_the_whole_scrape_can_be_read(promtool, scrape):
    status, said = promtool("check", "metrics", input=scrape)
    # 3: names that it does not like; 1: it cannot read it.
    assert status in (0, 3) and "error while linting" not in said, said[-2000:]
