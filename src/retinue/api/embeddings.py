"""`/v1/embeddings`"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncGenerator

import orjson
from fastapi import APIRouter, Request, Response

from ..accounts.metering import Metering
from ..errors import InvalidRequest
from ..inference.embeddings import Embedded, Embedders, EncodingFormat
from ..inference.tokens import estimate_tokens
from ..settings import Settings
from ..wire.embeddings import EmbeddingCreate, EmbeddingList
from .lean import LeanRoute

router = APIRouter(prefix="/v1/embeddings", tags=["Embeddings"], route_class=LeanRoute)

#: Vectors that are written before others get their turn on the event loop: a millisecond or two.
_AT_ONCE = 64


@router.post("", response_model=EmbeddingList)
async def create_embeddings(request: Request, body: EmbeddingCreate) -> Response:
    """Embed texts, or texts as tokens."""
    embedders: Embedders = request.app.state.embedders
    metering: Metering = request.app.state.metering
    embedder = embedders.find(body.model)
    tokens = _estimate(body, request.app.state.settings)
    encoding = body.encoding_format or "float"
    with await metering.call(request.scope["caller"], "embeddings", embedder.name, tokens) as metered:
        embedded = await embedder.embed(
            body.inputs,
            caller=request.scope["project"],
            input_type=body.input_type,
            dimensions=body.dimensions,
            encoding_format=encoding,
            user=body.user,
        )
        metered.usage = {"prompt_tokens": embedded.tokens, "total_tokens": embedded.tokens}
        content = b'{"object":"list","data":[%b],"model":%b,"usage":%b}' % (
            b",".join([part async for part in _data(embedded, encoding)]),
            orjson.dumps(embedder.name),
            orjson.dumps(metered.usage),
        )
    return Response(content, media_type="application/json", headers={"openai-model": embedder.name})


def _estimate(body: EmbeddingCreate, settings: Settings) -> int:
    """How many tokens a request has, about.

    Raises:
        InvalidRequest: more than it may have.
    """
    inputs = body.inputs
    tokens = sum(estimate_tokens(given) if isinstance(given, str) else len(given) for given in inputs)
    if tokens > settings.max_embedding_tokens:
        raise InvalidRequest(
            f"Requested {tokens} tokens, max {settings.max_embedding_tokens} tokens per request. Send fewer inputs at "
            "once.",
            param="input",
            code="max_tokens_per_request",
        )
    return tokens


async def _data(embedded: Embedded, encoding: EncodingFormat) -> AsyncGenerator[bytes]:
    """The vectors as JSON objects with commas between, some at a time."""
    vectors = embedded.vectors.astype("<f4", copy=False)
    for start in range(0, len(vectors), _AT_ONCE):
        data = [
            {
                "object": "embedding",
                "index": index,
                "embedding": b64encode(vector).decode() if encoding == "base64" else vector,
            }
            for index, vector in enumerate(vectors[start : start + _AT_ONCE], start)
        ]
        yield orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
        await asyncio.sleep(0)
