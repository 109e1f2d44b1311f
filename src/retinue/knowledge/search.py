"""Searching vector stores, by meaning and by words at once."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from ..accounts.keys import Caller
from ..accounts.usage import UsageMeter
from ..errors import ApiError, NotFound
from ..inference.embeddings import Embedders
from ..inference.rerank import Rerankers
from ..store.search import Found, Hit, StoreScope
from ..store.store import Store
from ..wire.vector_search import ComparisonFilter, CompoundFilter, HybridWeights
from .passages import passages, tokens
from .postings import WordIndex
from .query_vectors import QueryVector, QueryVectors

if TYPE_CHECKING:
    from .bm25 import Bm25, WordScores
    from .candidates import Candidates
    from .explaining import Explanation

log = structlog.get_logger(__name__)

#: The best chunks by meaning, and by words, that compete for the results of a query.
_LEG = 100
#: The most results; so many of the best are what a reranker puts in order.
_MOST_RESULTS = 50
#: Postings that are ranked in about a millisecond; more are in a thread.
_QUICK = 40_000
#: Seconds that a reranker may take.
_RERANK_WAIT = 30
#: Seconds between two looks at whether files have been read.
_LOOK_EVERY = 0.2
#: The most chunks that files can have which are given whole.
_MOST_WHOLE = 64

#: Position of a file, number of a chunk, and its cosine; None where it has no vector.
Candidate = tuple[int, int, float | None]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is searched for in every store."""

    queries: Sequence[str]
    #: Words of each query.
    words: Sequence[Sequence[str]]
    #: Vectors of the queries by the name of an embedding model; none where that cannot be had.
    vectors: dict[str | None, list[QueryVector]]
    #: What meaning and words count for; None: as we think best.
    weights: tuple[float, float] | None


class Search:
    """Finds chunks of vector stores."""

    def __init__(self, store: Store, embedders: Embedders, rerankers: Rerankers, usage: UsageMeter) -> None:
        self._store = store
        self._vectors = QueryVectors(embedders, usage)
        self._usage = usage
        self._index = WordIndex(store.search)
        self._rerankers = rerankers
        #: Whether what cuts English into words has been loaded, which takes a moment; for Chinese it is a dictionary.
        self._knows_english = False

    async def search(
        self,
        caller: Caller,
        stores: Sequence[str],
        queries: Sequence[str],
        limit: int,
        *,
        filter: ComparisonFilter | CompoundFilter | None = None,
        threshold: float = 0.0,
        rerank: bool = True,
        weights: HybridWeights | None = None,
        trace: list[Candidates] | None = None,
    ) -> list[Found]:
        """The chunks that fit queries best, best first; each once, with its best score.

        Where an embedding model cannot be had, words alone decide; where the reranker cannot, the order stays.

        Args:
            caller: who asks; what models are asked for is on the caller's books.
            stores: ids of vector stores; those that the caller's project does not have, or that have expired, hold
                nothing.
            queries: in any language, each once.
            limit: the most chunks, up to 50.
            filter: only in files whose attributes fit.
            threshold: the lowest score, 0 to 1.
            rerank: whether the reranker is asked, if one is configured.
            weights: what meaning and words count for; None leaves it to us.
            trace: is given what the results were chosen from, for `explain`.

        Raises:
            InvalidRequest: the filter makes no sense.
        """
        known, words = await asyncio.gather(
            self._store.search.scopes(caller.project, stores, filter), self._words(queries, weights)
        )
        scopes = [one for one in known if one.among]
        if not scopes:
            return []
        wanted = await self._wanted(queries, words, scopes, caller, weights)
        best: dict[tuple[int, int], tuple[float, int]] = {}
        for competing in await asyncio.gather(*(self._in_store(one, wanted) for one in scopes)):
            if trace is not None:
                trace += competing
            for index, one in enumerate(competing):
                for hit in one.best(_MOST_RESULTS):
                    best[hit.file, hit.number] = max((hit.score, index), best.get((hit.file, hit.number), (-1.0, 0)))
        ordered = sorted(best.items(), key=lambda one: -one[1][0])
        ranked = await self._ranked(caller, queries, ordered) if rerank else None
        if ranked is None:
            hits = [Hit(*chunk, score) for chunk, (score, _) in ordered[:limit] if score >= threshold]
            return await self._store.search.found(caller.project, hits)
        return [one for one in ranked[:limit] if one.score >= threshold]

    async def _words(self, queries: Sequence[str], weights: HybridWeights | None) -> Sequence[Sequence[str]]:
        """The words of each query; none where words do not count."""
        if weights is not None and weights.text_weight == 0:
            return [()] * len(queries)
        quick = self._knows_english and all(map(str.isascii, queries))
        words = _in_words(queries) if quick else await asyncio.to_thread(_in_words, queries)
        self._knows_english = True
        return words

    async def _wanted(
        self,
        queries: Sequence[str],
        words: Sequence[Sequence[str]],
        scopes: Sequence[StoreScope],
        caller: Caller,
        weights: HybridWeights | None,
    ) -> _Wanted:
        models = {one.embedding_model for one in scopes} if weights is None or weights.embedding_weight > 0 else set()
        vectors = {model: await self._vectors.of(model, queries, caller) for model in models if model}
        given = (weights.embedding_weight, weights.text_weight) if weights else None
        return _Wanted(queries, words, {model: made for model, made in vectors.items() if made}, given)

    async def _in_store(self, scope: StoreScope, wanted: _Wanted) -> list[Candidates]:
        """What competes in a store for each query."""
        from .candidates import Candidates

        vectors = [one for one in wanted.vectors.get(scope.embedding_model, ()) if len(one.vector) == scope.dimensions]
        (by_words, fitting), near = await asyncio.gather(
            self._by_words(scope, wanted, vectors), self._by_meaning(scope, vectors)
        )
        asked = list(zip(wanted.queries, wanted.words, by_words, fitting, strict=True))
        if not vectors:
            return [Candidates(*query, 0.0, (0.0, 1.0)) for query in asked]
        weights = wanted.weights or _default_weights(scope.embedding_model)
        return [
            Candidates(query, words, scored, [*hits, *chunks], one.background, weights)
            for (query, words, scored, chunks), hits, one in zip(asked, near, vectors, strict=True)
        ]

    async def _by_meaning(self, scope: StoreScope, vectors: Sequence[QueryVector]) -> list[list[Hit]]:
        """The nearest chunks to each query."""
        return await asyncio.gather(*(self._store.search.nearest(scope, one.vector, _LEG) for one in vectors))

    async def _by_words(
        self, scope: StoreScope, wanted: _Wanted, vectors: Sequence[QueryVector]
    ) -> tuple[list[Bm25], list[list[Candidate]]]:
        """The scores by words for each query, and the best chunks by these, with their cosines if there are vectors."""
        asked = list(dict.fromkeys(word for words in wanted.words for word in words))
        found = await self._index.find(scope, asked)
        if sum(len(one.chunks) for one in found.values()) <= _QUICK:
            scored, best = _scored(wanted.words, found, scope)
        else:
            scored, best = await asyncio.to_thread(_scored, wanted.words, found, scope)
        if not vectors:
            return scored, [[(*chunk, None) for chunk in chunks] for chunks in best]

        async def with_cosines(chunks: Sequence[tuple[int, int]], query: QueryVector) -> list[Candidate]:
            cosines = await self._store.search.similarities(scope, query.vector, chunks)
            return [(*chunk, cosine) for chunk, cosine in zip(chunks, cosines, strict=True)]

        return scored, await asyncio.gather(*map(with_cosines, best, vectors))

    async def _ranked(
        self, caller: Caller, queries: Sequence[str], ordered: Sequence[tuple[tuple[int, int], tuple[float, int]]]
    ) -> list[Found] | None:
        """The best chunks in the order of the reranker, with its scores; None without one."""
        try:
            reranker = self._rerankers.find()
            if reranker is None or not ordered:
                return None
            found = await self._store.search.found(
                caller.project, [Hit(*chunk, score) for chunk, (score, _) in ordered[:_MOST_RESULTS]]
            )
            asked = {chunk: queries[index] for chunk, (_, index) in ordered[:_MOST_RESULTS]}
            ranked: list[Found] = []
            async with asyncio.timeout(_RERANK_WAIT):
                for query in dict.fromkeys(asked.values()):
                    own = [one for one in found if asked[one.position, one.number] == query]
                    scores = await reranker.rank(query, [one.text for one in own], caller=caller.project)
                    asked_of = sum(one.tokens for one in own)
                    self._usage.record(caller, "rerank", reranker.name, prompt_tokens=asked_of)
                    ranked += [replace(one, score=score) for one, score in zip(own, scores, strict=True)]
        except (ApiError, TimeoutError) as error:
            log.warning("results were not reranked", error=str(error) or "no answer")
            return None
        return sorted(ranked, key=lambda one: -one.score)

    async def explain(self, project: str, found: Sequence[Found], trace: Sequence[Candidates]) -> list[Explanation]:
        """Why chunks were found, and what stands around them, in their order.

        Args:
            project: the caller's project.
            found: results of `search`.
            trace: what it was given.
        """
        from .explaining import explain

        around = await self._store.search.around(project, [(one.position, one.number) for one in found])
        return await asyncio.to_thread(explain, found, trace, around)

    async def whole(self, project: str, stores: Sequence[str], most: int) -> list[Found] | None:
        """All chunks of stores, file by file, in order; None if there are none, or more than a model should be given.

        Args:
            project: the caller's project.
            stores: as for `search`.
            most: tokens of all files together, by estimate.
        """
        scopes = await self._store.search.scopes(project, stores)
        if not most or not 0 < sum(one.chunks for one in scopes) <= _MOST_WHOLE:
            return None
        found = await self._store.search.whole(project, [one.id for one in scopes], _MOST_WHOLE)
        return found if found and tokens(passages(found)) <= most else None

    async def settled(self, project: str, stores: Sequence[str], *, within: float) -> bool:
        """Wait until no file of these stores is still being read; says whether that is so.

        Args:
            project: the caller's project.
            stores: ids of vector stores.
            within: the longest wait, in seconds.
        """
        until = time.monotonic() + within
        while await self._reading(project, stores):
            if time.monotonic() >= until:
                return False
            await asyncio.sleep(_LOOK_EVERY)
        return True

    async def _reading(self, project: str, stores: Sequence[str]) -> bool:
        for identifier in stores:
            with contextlib.suppress(NotFound):
                if (await self._store.vector_stores.get(project, identifier)).status == "in_progress":
                    return True
        return False


def _in_words(queries: Sequence[str]) -> list[list[str]]:
    """The words of queries."""
    from .words import query_words

    return [query_words(one) for one in queries]


def _scored(
    words: Sequence[Sequence[str]], found: Mapping[str, WordScores], scope: StoreScope
) -> tuple[list[Bm25], list[list[tuple[int, int]]]]:
    """For each query the scores by words, and the best chunks."""
    from .bm25 import Bm25

    scored = [Bm25(own, found, scope.chunks) for own in words]
    return scored, [one.best(_LEG) for one in scored]


def _default_weights(embedding_model: str | None) -> tuple[float, float]:
    from .ranking import default_weights

    return default_weights(embedding_model or "")
