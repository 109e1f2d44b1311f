"""`/v1/vector_stores/{vector_store_id}/search`"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from ..accounts.metering import Metering
from ..errors import InvalidRequest, ModelNotFound
from ..inference.models import Models
from ..inference.tokens import estimate_tokens
from ..knowledge.rewriting import rewrite
from ..knowledge.search import Search
from ..settings import Settings
from ..store.search import Found
from ..store.store import Store
from ..wire.vector_search import (
    ChunkPlace,
    MeaningLeg,
    SearchExplanation,
    SearchRanking,
    SearchResult,
    SearchResults,
    VectorSearch,
    WordPlace,
    WordsLeg,
)
from ..wire.vector_stores import FileContentPart
from .http import JsonRoute, TheCaller, TheStore, ok

if TYPE_CHECKING:  # numpy takes 20 MiB: the first vectors load it
    from ..knowledge.candidates import Candidates
    from ..knowledge.explaining import Explanation

router = APIRouter(prefix="/v1/vector_stores", tags=["Vector stores"], route_class=JsonRoute)

#: Results where the request says nothing.
_RESULTS = 10


@router.post("/{vector_store_id}/search", response_model=SearchResults)
async def search_vector_store(
    vector_store_id: str, body: VectorSearch, request: Request, caller: TheCaller, store: TheStore
) -> Response:
    """Search the chunks of a vector store."""
    search: Search = request.app.state.search
    ranking, queries = body.ranking_options or SearchRanking(), body.queries
    if body.rewrite_query:
        await _check(store, caller.project, vector_store_id)
        queries = await _rewritten(request, queries)
    trace: list[Candidates] | None = [] if body.explain else None
    found = await search.search(
        caller,
        [vector_store_id],
        queries,
        body.max_num_results or _RESULTS,
        filter=body.filters,
        threshold=ranking.score_threshold or 0.0,
        rerank=ranking.ranker != "none",
        weights=ranking.hybrid_search,
        trace=trace,
    )
    if not found:
        await _check(store, caller.project, vector_store_id)
    metering: Metering = request.app.state.metering
    metering.usage.record(caller, "file_search")
    results = list(map(_result, found))
    if trace:
        for one, result, why in zip(found, results, await search.explain(caller.project, found, trace), strict=True):
            result.retinue = _explanation(one, why)
    return ok(SearchResults(search_query=queries, data=results))


async def _check(store: Store, project: str, identifier: str) -> None:
    """See that a vector store can be searched.

    Raises:
        NotFound: the project has no such store.
        InvalidRequest: it has expired.
    """
    if (await store.vector_stores.get(project, identifier)).status == "expired":
        raise InvalidRequest(f"The vector store {identifier} has expired. Make a new one with its files.")


async def _rewritten(request: Request, queries: list[str]) -> list[str]:
    models: Models = request.app.state.models
    metering: Metering = request.app.state.metering
    settings: Settings = request.app.state.settings
    try:
        model = models.resolve("default")
    except ModelNotFound:
        return queries
    estimate = sum(map(estimate_tokens, queries))
    with await metering.call(request.scope["caller"], "vector_stores", model.name, estimate) as metered:
        made = await rewrite(queries, model, request.scope["project"], settings.rewrite_timeout)
        metered.usage = {
            "prompt_tokens": made.usage.prompt_tokens,
            "completion_tokens": made.usage.completion_tokens,
        }
    return made.queries


def _result(found: Found) -> SearchResult:
    return SearchResult(
        file_id=found.file,
        filename=found.filename,
        score=found.score,
        attributes=found.attributes,
        content=[FileContentPart(text=found.text)],
    )


def _explanation(found: Found, why: Explanation) -> SearchExplanation:
    meaning = words = None
    if why.meaning and why.cosine is not None:
        meaning = MeaningLeg(**why.meaning._asdict(), cosine=why.cosine)
    if why.words:
        places = [WordPlace(start_index=begin, end_index=end) for begin, end in why.places]
        words = WordsLeg(**why.words._asdict(), found=list(why.there), missing=list(why.missing), places=places)
    return SearchExplanation(
        query=why.query,
        score=why.score,
        reranked=round(found.score, 6) != why.score,
        meaning=meaning,
        words=words,
        place=ChunkPlace(
            chunk=found.number + 1,
            chunks=why.chunks,
            start_index=found.start,
            page=found.page,
            section=found.section,
            before=why.before,
            behind=why.behind,
        ),
    )
