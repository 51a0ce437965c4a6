"""Bounded load by h2load: as fast as it goes, or at a fixed rate, over HTTP/1.1."""

import http.client
import os
import re
import subprocess
import time
from dataclasses import dataclass

import servers

CONNECTIONS = 32


@dataclass
class Load:
    requests: int
    failed: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self):
        return self.requests / self.seconds

    @property
    def cpu_us(self):
        return self.cpu_seconds * 1e6 / max(self.requests, 1)


def command(case, port, connections, *more):
    body = servers.WORK / f"{case.name}.body"
    body.write_bytes(case.body)
    headers = [f"-H{name}: {value}" for name, value in case.headers.items()]
    url = f"http://127.0.0.1:{port}{case.path}"
    return ["h2load", "--h1", "-t1", f"-c{connections}", f"-d{body}", *headers, *more, url]


def run(words):
    pin = lambda: os.sched_setaffinity(0, servers.OTHERS)
    done = subprocess.run(words, capture_output=True, text=True, preexec_fn=pin, timeout=300)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}: {done.stderr}")
    return done.stdout


def peak(case, process, seconds, connections=CONNECTIONS):
    """As many requests as get through."""
    before = process.cpu_seconds()
    # The time may not be a fraction.
    output = run(command(case, process.port, connections, f"-D{seconds}"))
    cpu = process.cpu_seconds() - before
    total, failed = totals(output)
    return Load(total - failed, failed, seconds, cpu)


def totals(output):
    line = re.search(r"requests: (\d+) total.* (\d+) done, (\d+) succeeded", output)
    return int(line[2]), int(line[2]) - int(line[3])


def latencies(case, process, rate, seconds, connections=CONNECTIONS):
    """Milliseconds of requests that come at a fixed rate, sorted."""
    log = servers.WORK / "latencies"
    log.unlink(missing_ok=True)
    each = max(1, round(rate / connections))
    count = each * connections * seconds
    run(command(case, process.port, connections, f"--rps={each}", f"-n{count}", f"--log-file={log}"))
    rows = (line.split("\t") for line in log.read_text().splitlines())
    return sorted(int(row[2]) / 1000 for row in rows if row[1].startswith("2"))


def first_bytes(case, process, count):
    """Milliseconds until the first bytes of an answer's body, one request after the other, sorted."""
    connection = http.client.HTTPConnection("127.0.0.1", process.port)
    found = []
    for _ in range(count):
        begin = time.perf_counter()
        connection.request("POST", case.path, case.body, case.headers)
        answer = connection.getresponse()
        answer.read1(1)
        found.append((time.perf_counter() - begin) * 1000)
        answer.read()
    return sorted(found)


def percentile(values, share):
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")
