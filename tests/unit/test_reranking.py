"""Scores of remote reranking models."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from retinue.errors import ModelError
from retinue.inference.rerank.remote import RemoteReranker

Json = dict[str, Any]


class Route:
    """Answers everything with one body, and remembers what it was asked."""

    def __init__(self, answer: Json) -> None:
        self.answer = answer
        self.asked: list[tuple[str, Json, str]] = []

    async def post(self, path: str, body: Json, caller: str = "") -> Json:
        self.asked.append((path, body, caller))
        return self.answer


def remote(answer: Json) -> tuple[RemoteReranker, Route]:
    route = Route(answer)
    return RemoteReranker(SimpleNamespace(name="judge", route=route)), route  # type: ignore[arg-type]


def ranked(*scores: Any) -> Json:
    """An answer with a score for each document, the last one first."""
    results = [{"index": index, "relevance_score": score} for index, score in enumerate(scores)]
    return {"results": results[::-1]}


async def test_scores_are_in_the_order_of_the_texts():
    reranker, route = remote(ranked(0.25, 1, 0))
    assert await reranker.rank("q", ["a", "b", "c"], caller="p") == [0.25, 1, 0]
    assert route.asked == [("/rerank", {"query": "q", "documents": ["a", "b", "c"]}, "p")]


async def test_logits_become_scores():
    reranker, _ = remote(ranked(-5000, -1.5, 0.5, 5000))
    expected = [0, 1 / (1 + math.exp(1.5)), 1 / (1 + math.exp(-0.5)), 1]
    assert await reranker.rank("q", ["a", "b", "c", "d"]) == pytest.approx(expected)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"results": None},
        {"results": []},
        ranked(0.5),
        ranked(0.5, 0.5, 0.5),
        ranked(0.5, None),
        ranked(0.5, "high"),
        ranked(0.5, float("nan")),
        {"results": ["x", "y"]},
        {"results": [{"index": 0, "relevance_score": 1}, {"index": 0, "relevance_score": 1}]},
        {"results": [{"relevance_score": 1}, {"index": 1, "relevance_score": 1}]},
    ],
)
async def test_an_answer_that_is_no_ranking_is_the_servers_fault(answer: Json):
    reranker, _ = remote(answer)
    with pytest.raises(ModelError, match="not a ranking"):
        await reranker.rank("q", ["a", "b"])
