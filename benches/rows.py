"""The rows of the table: who does what work, and what is aimed at."""

import base64
import json
import time
from dataclasses import dataclass, field

import load
import servers


@dataclass
class Case:
    """A request."""

    name: str
    body: bytes
    headers: dict
    path: str = "/v1/chat/completions"


@dataclass
class Row:
    """The same work, done by each contender with a request of its own."""

    name: str
    contenders: dict
    # Name of a ratio: numerator, denominator, what it should be at least.
    targets: dict = field(default_factory=dict)
    connections: int = load.CONNECTIONS


QUESTION = "What is the meaning of life, the universe and everything? Answer in one sentence."
KEY = {"authorization": "Bearer sk-x"}


def chat(name, headers, content=QUESTION, stream=False, path="/v1/chat/completions"):
    body = {"model": "gpt-4o-mini", "temperature": 0.7, "max_tokens": 256, "stream": stream}
    system = {"role": "system", "content": "You are a helpful assistant, and brief."}
    body["messages"] = [system, {"role": "user", "content": content}]
    sent = {"content-type": "application/json"} | headers
    return Case(name, json.dumps(body).encode(), sent, path)


def key(slug):
    return {"x-portkey-virtual-key": slug}


MEDIUM_TEXT = "All work and no play makes Jack a dull boy. " * (32 * 1024 // 44)
IMAGE = base64.b64encode(bytes(range(256)) * 3072).decode()
LARGE_PARTS = [
    {"type": "text", "text": QUESTION},
    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{IMAGE}"}},
]
SMALL = chat("small", key("openai"))
MEDIUM = chat("medium", key("openai"), MEDIUM_TEXT)
LARGE = chat("large", key("openai"), LARGE_PARTS)
STREAM = chat("stream", key("openai"), stream=True)


def settings(upstream, **more):
    base = f"http://127.0.0.1:{upstream.port}"
    keys = {
        "openai": {"provider": "openai", "api_key": "sk-x", "base_url": f"{base}/v1"},
        "second": {"provider": "openai", "api_key": "sk-y", "base_url": f"{base}/second/v1"},
        "failing": {"provider": "openai", "api_key": "sk-z", "base_url": f"{base}/status/503/v1"},
        "slow": {"provider": "openai", "api_key": "sk-x", "base_url": f"{base}/slow/v1"},
        "anthropic": {"provider": "anthropic", "api_key": "sk-x", "base_url": f"{base}/anthropic/v1"},
        "google": {"provider": "google", "api_key": "sk-x", "base_url": f"{base}/gemini/v1beta"},
    }
    targets = lambda *slugs: [{"virtual_key": slug} for slug in slugs]
    configs = {
        "half": {"strategy": {"mode": "loadbalance"}, "targets": targets("openai", "second")},
        "rescue": {"strategy": {"mode": "fallback"}, "targets": targets("failing", "openai")},
    }
    return {"virtual_keys": keys, "configs": configs} | more


def start(stack, quick):
    """Every contender, ready to serve."""

    upstream = servers.upstream()
    stack.callback(upstream.stop)
    PORT["upstream"] = upstream.port
    field = {"upstream": upstream}

    def run(name, process):
        """Waits for its first answer, so that each has the machine to itself while it starts."""
        stack.callback(process.stop)
        case = of(SMALL, name)
        url = f"http://127.0.0.1:{process.port}{case.path}"
        process.start_seconds = servers.wait_for(process, url, case.headers, case.body)
        if name.startswith("ours"):
            process.child()
        field[name] = process

    run("bare", servers.bare("bare", upstream.port))
    run("noop", servers.noop("noop", upstream.port))
    run("noop_log", servers.noop("noop_log", upstream.port, publishes=True))
    quiet = settings(upstream, logs=[], metrics=False)
    run("ours_quiet", servers.ours("ours_quiet", quiet))
    run("ours", servers.ours("ours", settings(upstream)))
    run("portkey", servers.portkey())
    field["ours"].idle_mib = field["ours"].rss_mib()
    # The same gateway with another request.
    field["ours_cached"] = field["ours"]
    if not quick:
        run("ours_no_log", servers.ours("ours_no_log", settings(upstream, logs=[])))
        run("ours_no_metrics", servers.ours("ours_no_metrics", settings(upstream, metrics=False)))
        many = settings(upstream)
        for number in range(500):
            many["virtual_keys"][f"key{number}"] = many["virtual_keys"]["openai"]
        run("ours_500_keys", servers.ours("ours_500_keys", many))
        run("litellm", servers.litellm(upstream.port))
    return field


PORT = {}


def of(case, name):
    """The same request, as a contender wants it."""
    if name == "portkey":
        host = f"http://127.0.0.1:{PORT['upstream']}/v1"
        own = {"x-portkey-provider": "openai", "x-portkey-custom-host": host} | KEY
        return Case(case.name, case.body, {"content-type": "application/json"} | own, case.path)
    return case


def row(name, case, others, targets, **more):
    contenders = {other: of(case, other) for other in others}
    return Row(name, contenders, targets, **more)


def throughput(quick):
    """The rows that are measured by requests in a time."""
    yield row(
        "small",
        SMALL,
        ["bare", "noop", "noop_log", "ours_quiet", "ours", "portkey"],
        {
            "no log, no metrics / bare": ["ours_quiet", "bare", 0.72],
            "ours / bare": ["ours", "bare", 0.60],
            "log and metrics / neither": ["ours", "ours_quiet", 0.90],
            "ours / no-op filters with a log": ["ours", "noop_log", 0.90],
            "ours / Portkey": ["ours", "portkey", 15],
        },
    )
    yield row("32 KB", MEDIUM, ["bare", "ours"], {"ours / bare": ["ours", "bare", 0.70]})
    yield row("1 MB", LARGE, ["bare", "ours"], {"ours / bare": ["ours", "bare", 0.80]}, connections=8)
    for slug in ("anthropic", "google"):
        case = chat(f"to {slug}", key(slug))
        contenders = {"bare": SMALL, "ours": case}
        yield Row(f"translated to {slug}", contenders, {"ours / bare": ["ours", "bare", 0.62]})
    yield row(
        "stream of 200 chunks",
        STREAM,
        ["bare", "ours", "portkey"],
        {"ours / bare": ["ours", "bare", 0.80], "ours / Portkey": ["ours", "portkey", 15]},
    )
    translated = chat("stream from anthropic", key("anthropic"), stream=True)
    plain = chat("stream of anthropic", {}, stream=True, path="/anthropic/v1/messages")
    contenders = {"bare": plain, "ours": translated}
    yield Row("translated stream", contenders, {"ours / bare": ["ours", "bare", 0.60]})
    hit = {"x-portkey-config": '{"virtual_key": "openai", "cache": {"mode": "simple"}}'}
    yield Row("cache hit", {"ours": SMALL, "ours_cached": chat("hit", hit)})
    if quick:
        return
    yield row("log and metrics", SMALL, ["ours", "ours_quiet", "ours_no_log", "ours_no_metrics"], {})
    for config in ("half", "rescue"):
        case = chat(config, {"x-portkey-config": config})
        yield Row(f"config: {config}", {"bare": SMALL, "ours": case})
    case = chat("of 500 keys", key("key77"))
    yield Row("one of 500 virtual keys", {"ours": SMALL, "ours_500_keys": case})
    yield row("LiteLLM", SMALL, ["litellm", "ours"], {"ours / LiteLLM": ["ours", "litellm", 100]})


def sizes(field):
    """Memory, size, start."""
    yield {
        "row": "sizes",
        "values": {
            "RSS, one worker, 80 clusters, idle, MiB": [field["ours"].idle_mib, "<=", 120],
            "RSS after the rows above, MiB": [field["ours"].rss_mib(), "", None],
            "module, KB": [servers.MODULE.stat().st_size / 1000, "<=", 900],
            "start to first answer, s": [field["ours"].start_seconds, "<=", 1.5],
        },
    }


def slow_streams(field):
    """A thousand streams of 200 chunks in a minute."""
    case = chat("slow", key("openai"), stream=True)
    case.headers = {"content-type": "application/json"} | key("slow")
    ours, before = field["ours"], field["ours"].rss_mib()
    begin, cpu = time.monotonic(), ours.cpu_seconds()
    load.run(load.command(case, ours.port, 1000, "-n1000"))
    seconds = time.monotonic() - begin
    return {
        "row": f"1,000 slow streams in {seconds:.0f} s",
        "values": {
            "RSS, MiB": [ours.rss_mib(), "<=", 250],
            "KiB a stream": [(ours.rss_mib() - before) * 1.024, "", None],
            "share of a core": [(ours.cpu_seconds() - cpu) / seconds, "", None],
        },
    }
