"""Every sink gets what the file gets, and those that are choosy what they asked for."""

import json

from conftest import FAIL, SLOW, is_probe, wait

REQUESTS = 60


def test_every_sink_gets_every_request(gateway, sinks):
    tags = json.dumps({"_user": 'é "x" 100%', "n": 1})
    assert gateway.ask("hi", x_portkey_metadata=tags, x_portkey_trace_id="t-1") == 200
    assert gateway.ask(FAIL, x_portkey_trace_id="t-2") == 500
    lines = gateway.lines(2)
    assert [line["trace_id"] for line in lines] == ["t-1", "t-2"]
    assert lines[0]["metadata"] == {"_user": 'é "x" 100%', "n": 1}
    assert (lines[0]["total_tokens"], lines[1]["error_type"]) == (7, "server_error")
    for name, sink in sinks.items():
        found = wait(lambda: [one for one in sink.records if not is_probe(one)], 2)
        assert sorted(found, key=lambda one: one["trace_id"]) == lines, name
    for name in ("otlp_grpc", "otlp_http"):
        about = sinks[name].about[0]
        assert about["resource"]["service.name"] == "portkey"
        assert about["time"] > 0
    assert sinks["grpc"].name == "mine"
    assert sinks["grpc"].about[-1]["status"] == 500
    assert sinks["fluentd"].about[0]["tag"] == "llm.requests"


def test_choosy_sinks_get_what_they_asked_for(gateway):
    read = lambda name: [
        line
        for line in map(json.loads, (gateway.directory / name).read_text().splitlines())
        if line["trace_id"].startswith("c-")
    ]
    for number in range(REQUESTS):
        said = {0: FAIL, 1: SLOW}.get(number % 20, "hi")
        gateway.ask(said, x_portkey_trace_id=f"c-{number}")
    wait(lambda: read("all"), REQUESTS)
    failed = [f"c-{number}" for number in range(0, REQUESTS, 20)]
    slow = [f"c-{number}" for number in range(1, REQUESTS, 20)]
    ids = lambda name: [line["trace_id"] for line in read(name)]
    assert ids("errors") == failed
    assert ids("slow") == slow
    assert sorted(ids("both")) == sorted(failed + slow)
    assert 5 <= len(ids("share")) <= 35, "30 % of 60"
