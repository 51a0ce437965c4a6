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
            results += [delay(field, options.quick), first_token(field, options.quick)]
            results += rows.sizes(field)
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
    peak = {name: load.peak(case, field[name], 1).rate for name in ("bare", "ours")}
    rates = {"bare": peak["ours"], "ours": peak["ours"], "bare at half of its own": peak["bare"]}
    found, values = {}, {}
    for label, rate in rates.items():
        process = field[label.partition(" ")[0]]
        sorted_ms = load.latencies(case, process, rate / 2, seconds)
        found[label] = {p: load.percentile(sorted_ms, p / 100) for p in (50, 99, 99.9)}
        for p, ms in found[label].items():
            values[f"{label}: p{p}, ms"] = [ms, "", None]
    added = found["ours"][99] - found["bare"][99]
    values["added p99, ms"] = [added, "<=", 0.5]
    row = f"latency at half of our peak, {peak['ours'] / 2:.0f} requests/s"
    return {"row": row, "ms": found, "values": values}


def first_token(field, quick):
    """Time to the first bytes of a stream whose upstream answers at once."""
    count, names = 100 if quick else 500, ("bare", "ours", "portkey")
    median = {}
    for name in names:
        case = rows.of(rows.STREAM, name)
        median[name] = statistics.median(load.first_bytes(case, field[name], count))
    values = {f"{name}, ms": [median[name], "", None] for name in names}
    values["ours / Portkey"] = [median["ours"] / median["portkey"], "<=", 0.1]
    return {"row": "time to first token", "values": values}


if __name__ == "__main__":
    main()
