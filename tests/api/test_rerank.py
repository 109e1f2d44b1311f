"""`/v1/rerank`: passed on to a reranking model's server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from retinue.inference.rerank import Rerankers
from retinue.model_settings import ModelSettings
from retinue.settings import Settings

from ..harness import Api, Json, Server
from ..json_upstream import JsonUpstream, json_upstream

DOCUMENTS = ["It rains.", {"text": "The ferry leaves at nine."}, "A ferry is a ship."]
ASKED: Json = {"model": "judge", "query": "When does the ferry leave?", "documents": DOCUMENTS}


@pytest.fixture
async def models() -> AsyncIterator[JsonUpstream]:
    """The server of the reranking model, which counts the words that query and document share."""

    def rank(body: Json) -> Json:
        words = set(body["query"].lower().split())
        scores = [len(words & set(text.lower().split())) / len(words) for text in body["documents"]]
        return {"results": [{"index": index, "relevance_score": score} for index, score in enumerate(scores)]}

    async with json_upstream() as upstream:
        upstream.answers["/rerank"] = rank
        yield upstream


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path, models: JsonUpstream) -> Settings:
    """The reranking model `judge`."""
    overrides = {name: value for mark in request.node.iter_markers("settings") for name, value in mark.kwargs.items()}
    served = {"judge": ModelSettings(base_url=models.base_url, served_name="judge-v2", retries=0)}
    return Settings(data=tmp_path, models=served, **overrides)


async def ranking(api: Api, **fields: object) -> Json:
    return await api.call("POST", "/rerank", {**ASKED, **fields}, extension=True)


async def test_documents_come_the_best_first(api: Api, models: JsonUpstream):
    answer = await ranking(api)
    assert answer["model"] == "judge"
    assert [(found["index"], found["relevance_score"]) for found in answer["results"]] == [(1, 0.4), (2, 0.2), (0, 0)]
    assert not any("document" in found for found in answer["results"])
    texts = ["It rains.", "The ferry leaves at nine.", "A ferry is a ship."]
    assert models.requests == [("/rerank", {"model": "judge-v2", "query": ASKED["query"], "documents": texts})]
    shorter = await ranking(api, documents=["It rains."])
    assert 0 < shorter["usage"]["total_tokens"] < answer["usage"]["total_tokens"]


async def test_the_best_ones_with_their_texts(api: Api):
    answer = await ranking(api, top_n=1, return_documents=True)
    found = {"index": 1, "relevance_score": 0.4, "document": {"text": "The ferry leaves at nine."}}
    assert answer["results"] == [found]


@pytest.mark.settings(default_reranker="judge")
async def test_the_default_model(api: Api, server: Server):
    assert (await ranking(api, model="default-reranker"))["model"] == "judge"
    details = (await api.get("/models/default-reranker"))["retinue"]
    assert (details["serves"], details["capabilities"]) == ("judge", ["reranking"])
    rerankers: Rerankers = server.app.state.rerankers
    found = rerankers.find()
    assert found
    assert await found.rank("a b", ["b", "c"]) == [0.5, 0]


async def test_without_a_default_model_there_is_none(api: Api, server: Server):
    assert server.app.state.rerankers.find() is None
    error = await api.refused("POST", "/rerank", {**ASKED, "model": "default-reranker"}, status=404)
    assert error["code"] == "model_not_found"


@pytest.mark.settings(max_rerank_documents=3, max_rerank_tokens=100)
@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"query": ""}, "query", "string_below_min_length"),
        ({"query": 7}, "query", "invalid_type"),
        ({"documents": []}, "documents", "array_below_min_length"),
        ({"documents": ["a"] * 4}, "documents", "array_above_max_length"),
        ({"documents": ["so " * 200]}, "documents", "max_tokens_per_request"),
        ({"query": "so " * 50, "documents": ["a", "b", "c"]}, "documents", "max_tokens_per_request"),
        ({"top_n": 0}, "top_n", "integer_below_min_value"),
        ({"colour": "red"}, "colour", "unknown_parameter"),
        ({"model": "universal-sentence-encoder-multilingual"}, "model", "unsupported_value"),
    ],
)
async def test_what_cannot_be_ranked_is_refused(api: Api, models: JsonUpstream, fields: Json, param: str, code: str):
    error = await api.refused("POST", "/rerank", {**ASKED, **fields})
    assert (error["param"], error["code"]) == (param, code)
    assert models.requests == []


async def test_a_server_that_answers_nonsense_is_a_bad_gateway(api: Api, models: JsonUpstream):
    models.answers["/rerank"] = lambda body: {"results": []}
    error = await api.refused("POST", "/rerank", ASKED, status=502)
    assert "not a ranking" in error["message"]
