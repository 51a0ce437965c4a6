"""Speed as ratios, measured in one run: this gateway beside a bare Envoy, an Envoy with filters
that do nothing, Portkey's own gateway and LiteLLM's proxy.

    make bench            all rows
    make bench QUICK=1    the main rows, in under 3 minutes

Rounds are interleaved: each contender has its turn in every round, so that what else the machine
does hits all of them alike; a row is the median of its rounds.
"""

import argparse
import json
import statistics
from contextlib import ExitStack

import load
import report
import rows
import servers


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", help="names of rows")
    options = parser.parse_args()
    servers.WORK.mkdir(exist_ok=True)
    results = []
    with ExitStack() as stack:
        field = rows.start(stack, options.quick)
        for row in rows.throughput(options.quick):
            if not options.only or row.name in options.only:
                results.append(measure(row, field, options.quick))
                report.print_row(results[-1])
        if not options.only:
            results += [delay(field, options.quick), *rows.sizes(field)]
        if not options.only and not options.quick:
            results += [rows.slow_streams(field)]
    (servers.WORK / "results.json").write_text(json.dumps(results, indent=1))
    report.finish(results, options.quick)


def measure(row, field, quick):
    """Rates and processor time of each contender of a row, in turns."""
    rounds, seconds = (3, 1) if quick else (5, 3)
    found = {name: [] for name in row.contenders}
    for name, case in row.contenders.items():
        load.peak(case, field[name], 1, row.connections)
    for _ in range(rounds):
        for name, case in row.contenders.items():
            found[name].append(load.peak(case, field[name], seconds, row.connections))
    failed = {name: sum(one.failed for one in loads) for name, loads in found.items()}
    if any(failed.values()):
        raise SystemExit(f"{row.name}: requests failed: {failed}")
    rate = {name: statistics.median(one.rate for one in loads) for name, loads in found.items()}
    cpu = {name: statistics.median(one.cpu_us for one in loads) for name, loads in found.items()}
    return {"row": row.name, "rate": rate, "cpu_us": cpu, "targets": row.targets}


def delay(field, quick):
    """Latency over that of a bare Envoy, each at half of what the slower can do."""
    case, seconds = rows.SMALL, 3 if quick else 10
    rate = 0.5 * load.peak(case, field["ours"], 1).rate
    found = {}
    for name in ("bare", "ours"):
        values = load.latencies(case, field[name], rate, seconds)
        found[name] = {p: load.percentile(values, p / 100) for p in (50, 99, 99.9)}
    added = found["ours"][99] - found["bare"][99]
    target = {"added p99 at half load, ms": [added, "<=", 0.5]}
    return {"row": f"latency at {rate:.0f} requests/s", "ms": found, "values": target}


if __name__ == "__main__":
    main()
