"""The table: what was measured beside what is aimed at."""

import platform
from pathlib import Path

import servers


def lines(result):
    """Label, measured value, target, whether it is met."""
    for label, (above, below, target) in result.get("targets", {}).items():
        value = result["rate"][above] / result["rate"][below]
        yield f"{result['row']}: {label}", value, f">= {target}", value >= target
    for label, (value, sign, target) in result.get("values", {}).items():
        met = {"<=": lambda: value <= target, ">=": lambda: value >= target, "": lambda: None}
        yield f"{result['row']}: {label}", value, f"{sign} {target}" if sign else "", met[sign]()


def print_row(result):
    rates = "  ".join(f"{name} {rate:,.0f}" for name, rate in result["rate"].items())
    cpu = "  ".join(f"{name} {us:,.0f}" for name, us in result["cpu_us"].items())
    print(f"\n{result['row']}\n  requests/s      {rates}\n  CPU us/request  {cpu}", flush=True)


def table(results):
    out = ["| row | measured | target | |", "| --- | --- | --- | --- |"]
    for result in results:
        for label, value, target, met in lines(result):
            mark = {True: "met", False: "missed", None: ""}[met]
            out.append(f"| {label} | {value:.3g} | {target} | {mark} |")
    return "\n".join(out)


def machine():
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    model = names[0].partition(": ")[2] if names else platform.machine()
    return f"{model}, {len(servers.CORES)} cores, Linux {platform.release()}"


def finish(results, quick):
    text = table(results)
    print(f"\n{machine()}\n\n{text}")
    run = "make bench QUICK=1" if quick else "make bench"
    (servers.WORK / "table.md").write_text(f"`{run}`, {machine()}:\n\n{text}\n")
