"""`/v1/rerank`, an extension."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ..accounts.metering import Metering
from ..errors import InvalidRequest
from ..inference.rerank import Rerankers
from ..inference.tokens import estimate_tokens
from ..settings import Settings
from ..wire.common import to_json
from ..wire.rerank import RankedDocument, RankedText, Ranking, RerankCreate, RerankUsage
from .lean import LeanRoute

router = APIRouter(prefix="/v1/rerank", tags=["Reranking"], route_class=LeanRoute)


@router.post("", response_model=Ranking)
async def create_ranking(request: Request, body: RerankCreate) -> Response:
    """Rank documents by how well they answer a query."""
    rerankers: Rerankers = request.app.state.rerankers
    metering: Metering = request.app.state.metering
    reranker = rerankers.named(body.model)
    texts = body.texts
    tokens = _estimate(body.query, texts, request.app.state.settings)
    with await metering.call(request.scope["caller"], "rerank", reranker.name, tokens) as metered:
        scores = await reranker.rank(body.query, texts, caller=request.scope["project"])
        metered.usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    order = sorted(range(len(texts)), key=lambda index: -scores[index])[: body.top_n]
    ranking = Ranking(
        model=reranker.name,
        results=[
            RankedDocument(
                index=index,
                relevance_score=scores[index],
                document=RankedText(text=texts[index]) if body.return_documents else None,
            )
            for index in order
        ],
        usage=RerankUsage(total_tokens=tokens),
    )
    return Response(to_json(ranking), media_type="application/json", headers={"openai-model": reranker.name})


def _estimate(query: str, texts: list[str], settings: Settings) -> int:
    """How many tokens a model reads, about: the query with each document.

    Raises:
        InvalidRequest: more documents, or more tokens, than a request may have.
    """
    most = settings.max_rerank_documents
    if len(texts) > most:
        raise InvalidRequest(
            f"Invalid 'documents': array too long. Expected an array with maximum length {most}, but got an array "
            f"with length {len(texts)} instead.",
            param="documents",
            code="array_above_max_length",
        )
    tokens = estimate_tokens(query) * len(texts) + sum(map(estimate_tokens, texts))
    if tokens > settings.max_rerank_tokens:
        raise InvalidRequest(
            f"Requested {tokens} tokens, the query counted for each document, max {settings.max_rerank_tokens} tokens "
            "per request. Send fewer documents at once.",
            param="documents",
            code="max_tokens_per_request",
        )
    return tokens
