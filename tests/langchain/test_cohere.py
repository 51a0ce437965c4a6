"""Cohere's own types as judges of what the module sends to it."""

import json
from pathlib import Path

import pytest

from support.cohere import check_cohere_request

REQUESTS = Path(__file__).parents[1] / "fixtures" / "cohere" / "request"
NAMES = sorted(
    path.name.removesuffix(".out.json")
    for path in REQUESTS.glob("*.out.json")
    if not path.name.startswith("refused-")
)


@pytest.mark.parametrize("name", NAMES)
def test_translated_request(name):
    body = json.loads((REQUESTS / f"{name}.out.json").read_text())
    check_cohere_request("/v2/embed" if name.startswith("embed-") else "/v2/chat", body)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v2/chat", {"model": "m", "messages": [], "n": 1}),
        ("/v2/chat", {"model": "m", "messages": [{"role": "nobody", "content": "x"}]}),
        ("/v2/chat", {"messages": []}),
        ("/v2/chat", {"model": "m", "messages": [], "k": "many"}),
        ("/v2/embed", {"model": "m", "input_type": "search_query", "texts": [1]}),
        ("/v2/embed", {"model": "m", "input_type": "search_query", "input": "x"}),
    ],
)
def test_judge_objects(path, body):
    with pytest.raises(AssertionError):
        check_cohere_request(path, body)
