"""The semantic cache on Qdrant's HTTP API.

The package registries have no server of Qdrant's, so a stand-in answers: each request must be one of
the published OpenAPI schema (the models of qdrant-client are generated from it, and forbid what they
do not know), and is carried out by that client's own engine.
"""

import math
import re
import time

import pytest
from conftest import Server
from qdrant_client import QdrantClient
from qdrant_client.http import models
from qdrant_client.http.exceptions import UnexpectedResponse

COLLECTION = re.compile(r"/base/collections/(portkey_[A-Za-z0-9_]+_2)(/.*)?$")


class Qdrant:
    """The part of the API that the gateway uses."""

    def __init__(self):
        self.engine = QdrantClient(":memory:")
        self.seen = []
        self.server = Server(self.answer)

    def answer(self, method, path, headers, body):
        assert headers["api-key"] == "q-secret"
        assert headers["content-type"] == "application/json"
        path, _, query = path.partition("?")
        name, below = COLLECTION.match(path).groups()
        self.seen.append((method, below or "", query))
        if below and not self.engine.collection_exists(name):
            return 404, {"status": {"error": f"Collection `{name}` doesn't exist!"}, "time": 0.0}
        result = getattr(self, f"{method}{below or ''}".replace("/", "_"))(name, body)
        return 200, {"result": result, "status": "ok", "time": 0.0}

    def PUT(self, name, body):
        request = models.CreateCollection.model_validate_json(body, strict=True)
        return self.engine.create_collection(name, vectors_config=request.vectors)

    def PUT_index(self, name, body):
        models.CreateFieldIndex.model_validate_json(body, strict=True)
        return {"operation_id": 0, "status": "acknowledged"}

    def PUT_points(self, name, body):
        request = models.PointsList.model_validate_json(body, strict=True)
        self.engine.upsert(name, request.points)
        return {"operation_id": 1, "status": "acknowledged"}

    def POST_points_query(self, name, body):
        request = models.QueryRequest.model_validate_json(body, strict=True)
        found = self.engine.query_points(
            name,
            query=request.query,
            query_filter=request.filter,
            limit=request.limit,
            score_threshold=request.score_threshold,
            with_payload=request.with_payload,
        )
        return models.QueryResponse.model_validate(found.model_dump()).model_dump()


def embed(text):
    """A vector at the angle in degrees that the text begins with."""
    angle = math.radians(float(text.split()[0]))
    return [math.cos(angle), math.sin(angle)]


@pytest.fixture
def qdrant():
    qdrant = Qdrant()
    yield qdrant
    qdrant.server.close()


def test_questions_are_found_in_qdrant(start, ask, qdrant):
    url = f"http://127.0.0.1:{qdrant.server.port}/base"
    semantic = {
        "virtual_key": "k",
        "model": "test/model-1",
        "guard": False,
        "qdrant": {"url": url, "api_key": "q-secret"},
    }
    port = start(embed, {"semantic": semantic, "timeout": 10_000})
    status, kept = ask(port, "0 why?")
    assert status == "SEMANTIC MISS"
    # The collection was missing: it is made, and then the question is added.
    deadline = time.monotonic() + 10
    while not points(qdrant) and time.monotonic() < deadline:
        time.sleep(0.05)
    paths = [(method, below) for method, below, _ in qdrant.seen]
    assert paths == [
        ("POST", "/points/query"),
        ("PUT", "/points"),
        ("PUT", ""),
        ("PUT", "/index"),
        ("PUT", "/index"),
        ("PUT", "/points"),
    ]
    assert qdrant.engine.get_collections().collections[0].name == "portkey_test_model_1_2"
    assert ask(port, "10 why is it?") == ("SEMANTIC HIT", kept)
    assert ask(port, "40 how?")[0] == "SEMANTIC MISS"
    assert ask(port, "1 why?", "another")[0] == "SEMANTIC MISS"


def points(qdrant):
    try:
        found = qdrant.engine.scroll("portkey_test_model_1_2", limit=10)
    except (ValueError, UnexpectedResponse):
        return []
    return found[0]
