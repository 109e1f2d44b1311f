"""Scores from a server with `POST /rerank`, in the shape that Cohere, Jina, vLLM and llama.cpp share."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...errors import ModelError
from ..chat import Json
from ..models import ServedModel


class RemoteReranker:
    """A model that is asked over its route. A `Reranker`."""

    def __init__(self, model: ServedModel) -> None:
        self.name = model.name
        self._route = model.route

    async def rank(self, query: str, texts: Sequence[str], *, caller: str = "") -> list[float]:
        """See `Reranker.rank`."""
        answer = await self._route.post("/rerank", {"query": query, "documents": list(texts)}, caller)
        try:
            scores = _scores(answer, len(texts))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ModelError("The model's server sent an answer that is not a ranking.") from error
        if all(0 <= score <= 1 for score in scores):
            return scores
        # Logits, as llama.cpp sends them. The form with tanh does not overflow.
        return [(1 + math.tanh(score / 2)) / 2 for score in scores]


def _scores(answer: Json, count: int) -> list[float]:
    """The scores of an answer, in the order of the texts.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: there are not so many, or they are no numbers.
    """
    results: list[Json] = sorted(answer["results"], key=lambda result: result["index"])
    if [result["index"] for result in results] != list(range(count)):
        raise ValueError("not one for each text")
    scores = [float(result["relevance_score"]) for result in results]
    if not all(map(math.isfinite, scores)):
        raise ValueError("not a number")
    return scores
