"""Instructions of a request, which other work on the machine does not change.

    make instructions

Envoy runs under valgrind's callgrind, which counts what its worker executes outside the kernel,
compiled wasm included. What is counted twice differs by less than a thousandth.
"""

import http.client
import json
import os
import re
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass

import report
import rows
import servers

REQUESTS = 100
# Before the first is counted: connections, caches, what is done once.
WARM_UP = 50
# An Envoy that compiles the module under valgrind.
START_SECONDS = 600
CACHED = {"x-portkey-config": '{"virtual_key": "openai", "cache": {"mode": "simple"}}'}


@dataclass
class Count:
    """Instructions of a request, all and those of compiled wasm."""

    all: float
    wasm: float


def main():
    # The program itself, not the script of its package that starts it.
    envoy = subprocess.run(
        [servers.ROOT / ".venv/bin/python", "-c", "import envoy; print(envoy.__path__[0])"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()
    servers.ENVOY = str(wrapper(f"{envoy}/_bin/envoy"))
    servers.START_SECONDS = START_SECONDS
    servers.WORK.mkdir(exist_ok=True)
    for old in servers.WORK.glob("callgrind.*.*"):
        old.unlink()
    found = {}
    with ExitStack() as stack:
        upstream = servers.upstream()
        stack.callback(upstream.stop)
        port = upstream.port
        small = {"": rows.SMALL}
        count(found, "bare Envoy", servers.bare("bare", port), small)
        count(found, "two no-op filters", servers.noop("noop", port), small)
        log = servers.noop("noop_log", port, publishes=True)
        count(found, "two no-op filters, log of 30 attributes", log, small)
        cached = lambda text: rows.chat("cached", CACHED, text)
        cases = {
            ": chat": rows.SMALL,
            ": chat to Anthropic": rows.chat("to anthropic", rows.key("anthropic")),
            ": chat that the cache misses": [cached(f"{n:06}") for n in range(4 * REQUESTS)],
            ": chat that the cache hits": cached(rows.QUESTION),
        }
        count(found, "ours", servers.ours("ours", rows.settings(upstream)), cases)
    finish(found)


def wrapper(program):
    """A program that runs Envoy under callgrind, and Envoy alone when it is asked for its version."""
    servers.WORK.mkdir(exist_ok=True)
    path = servers.WORK / "callgrind.sh"
    path.write_text(
        "#!/bin/sh\n"
        f'case "$1" in --version) exec {program} "$@";; esac\n'
        "exec valgrind --tool=callgrind --instr-atstart=no --separate-threads=yes"
        " --smc-check=all-non-file --log-file=/dev/null"
        f' --callgrind-out-file={servers.WORK}/callgrind.$$ {program} "$@"\n'
    )
    path.chmod(0o755)
    return path


def count(found, name, process, cases):
    """Counts the requests of each case, and ends the process."""
    try:
        first = next(iter(cases.values()))
        url = f"http://127.0.0.1:{process.port}{first.path}"
        servers.wait_for(process, url, first.headers, first.body)
        if name == "ours":
            process.child()
            # The tool asks Envoy for statistics meanwhile, which is not a request's work.
            process.process.send_signal(19)
        for label, case in cases.items():
            found[name + label] = one(process, case if isinstance(case, list) else [case])
            print(f"{name}{label}: {found[name + label].all:,.0f}", flush=True)
    finally:
        process.process.send_signal(18)
        process.stop()


def one(process, cases):
    control = lambda *words: subprocess.run(
        ["callgrind_control", *words, str(process.pid)], check=True, capture_output=True
    )
    connection = http.client.HTTPConnection("127.0.0.1", process.port)
    sent = 0

    def send(times):
        nonlocal sent
        for _ in range(times):
            case = cases[sent % len(cases)]
            sent += 1
            connection.request("POST", case.path, case.body, case.headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise SystemExit(f"{case.name}: status {answer.status}")

    send(WARM_UP)
    control("--instr=on")
    send(WARM_UP)
    control("--zero")
    send(REQUESTS)
    begin = time.time()
    control("--dump=counted")
    control("--instr=off")
    dumps = servers.WORK.glob(f"callgrind.{process.pid}.*")
    counts = [parts(dump) for dump in dumps if dump.stat().st_mtime >= begin - 1]
    # The worker is the thread that has done most.
    worker = max(counts, key=lambda count: count.all)
    return Count(worker.all / REQUESTS, worker.wasm / REQUESTS)


def parts(dump):
    """The sums of a dump: of each object, by lines of position and cost."""
    total, wasm, unknown, called, names = 0, 0, False, False, {}
    for line in dump.read_text().splitlines():
        if line.startswith("ob="):
            name = re.match(r"ob=\((\d+)\) ?(.*)", line)
            if name[2]:
                names[name[1]] = name[2]
            # Code without a file: what V8 has compiled.
            unknown = names.get(name[1]) == "???"
        elif line.startswith("calls="):
            called = True
        elif re.match(r"[-+*\d]", line):
            cost = int(line.split()[1]) if len(line.split()) > 1 else 0
            if not called:
                total += cost
                wasm += cost if unknown else 0
            called = False
    return Count(total, wasm)


def finish(found):
    bare = found["bare Envoy"].all
    print(f"\n{report.machine()}\n\n| request | instructions | of them in wasm and the vDSO | to bare Envoy |")
    print("| --- | --- | --- | --- |")
    for name, counted in found.items():
        share = counted.all / bare
        print(f"| {name} | {counted.all:,.0f} | {counted.wasm:,.0f} | {share:.2f} |")
    values = {name: vars(counted) for name, counted in found.items()}
    (servers.WORK / "instructions.json").write_text(json.dumps(values, indent=1))


if __name__ == "__main__":
    main()
