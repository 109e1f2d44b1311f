"""`/v1/organization/usage` and `/v1/organization/costs`: what was used, and what it cost."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.routing import APIRoute

from ..accounts import books, measures
from ..wire.measures import RequestsUsage, RequestsUsageParams, RunsUsage, RunsUsageParams
from ..wire.usage import (
    AudioSpeechesUsage,
    AudioTranscriptionsUsage,
    BucketPage,
    CallUsageParams,
    CodeInterpreterSessionsUsage,
    CompletionsUsage,
    CompletionsUsageParams,
    Costs,
    CostsParams,
    EmbeddingsUsage,
    FileSearchesUsage,
    ImagesUsage,
    ModelUsageParams,
    ModerationsUsage,
    ProjectUsageParams,
    UsageParams,
    VectorStoresUsage,
    WebSearchesUsage,
)
from .http import TheStore, ok


class _ListRoute(APIRoute):
    """A route whose lists come as the official clients write them, too: `group_by[]=model&group_by[]=user_id`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, given plain names."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            query: bytes = request.scope["query_string"]
            plain = query.replace(b"%5B%5D=", b"=").replace(b"%5b%5d=", b"=").replace(b"[]=", b"=")
            return await handler(Request({**request.scope, "query_string": plain}, request.receive))

        return handle


router = APIRouter(prefix="/v1/organization", tags=["Administration"], route_class=_ListRoute)

ByProject = Annotated[ProjectUsageParams, Query()]
ByCall = Annotated[CallUsageParams, Query()]
ByModel = Annotated[ModelUsageParams, Query()]


async def _page(store: TheStore, kind: books.Kind, params: UsageParams) -> Response:
    return ok(await books.page(store.books, kind, params))


@router.get("/usage/completions", response_model=BucketPage[CompletionsUsage])
async def get_completions_usage(store: TheStore, params: Annotated[CompletionsUsageParams, Query()]) -> Response:
    """What models that chat were used for, by runs too."""
    return await _page(store, "completions", params)


@router.get("/usage/embeddings", response_model=BucketPage[EmbeddingsUsage])
async def get_embeddings_usage(store: TheStore, params: ByModel) -> Response:
    """What embedding models and rerankers were used for."""
    return await _page(store, "embeddings", params)


@router.get("/usage/moderations", response_model=BucketPage[ModerationsUsage])
async def get_moderations_usage(store: TheStore, params: ByModel) -> Response:
    """What was moderated."""
    return await _page(store, "moderations", params)


@router.get("/usage/images", response_model=BucketPage[ImagesUsage])
async def get_images_usage(store: TheStore, params: ByModel) -> Response:
    """How many images were made."""
    return await _page(store, "images", params)


@router.get("/usage/audio_speeches", response_model=BucketPage[AudioSpeechesUsage])
async def get_audio_speeches_usage(store: TheStore, params: ByModel) -> Response:
    """What was spoken: nothing, for there are no such models."""
    return await _page(store, "audio_speeches", params)


@router.get("/usage/audio_transcriptions", response_model=BucketPage[AudioTranscriptionsUsage])
async def get_audio_transcriptions_usage(store: TheStore, params: ByModel) -> Response:
    """What was transcribed: nothing, for there are no such models."""
    return await _page(store, "audio_transcriptions", params)


@router.get("/usage/vector_stores", response_model=BucketPage[VectorStoresUsage])
async def get_vector_stores_usage(store: TheStore, params: ByProject) -> Response:
    """How much vector stores held."""
    return await _page(store, "vector_stores", params)


@router.get("/usage/code_interpreter_sessions", response_model=BucketPage[CodeInterpreterSessionsUsage])
async def get_code_interpreter_sessions_usage(store: TheStore, params: ByProject) -> Response:
    """How many code interpreter sessions began."""
    return await _page(store, "code_interpreter_sessions", params)


@router.get("/usage/file_search_calls", response_model=BucketPage[FileSearchesUsage])
async def get_file_search_calls_usage(store: TheStore, params: ByCall) -> Response:
    """How often files were searched."""
    return await _page(store, "file_search_calls", params)


@router.get("/usage/web_search_calls", response_model=BucketPage[WebSearchesUsage])
async def get_web_search_calls_usage(store: TheStore, params: ByCall) -> Response:
    """How often the web was searched."""
    return await _page(store, "web_search_calls", params)


@router.get("/costs", response_model=BucketPage[Costs])
async def get_costs(store: TheStore, params: Annotated[CostsParams, Query()]) -> Response:
    """What everything cost."""
    return await _page(store, "costs", params)


# --- extensions: how everything fared


@router.get("/usage/requests", response_model=BucketPage[RequestsUsage])
async def get_requests_usage(store: TheStore, params: Annotated[RequestsUsageParams, Query()]) -> Response:
    """How requests fared: numbers, errors, and how long they took."""
    return ok(await measures.requests(store.measures, params))


@router.get("/usage/runs", response_model=BucketPage[RunsUsage])
async def get_runs_usage(store: TheStore, params: Annotated[RunsUsageParams, Query()]) -> Response:
    """How runs fared: how they ended, and how long they took and waited."""
    return ok(await measures.runs(store.measures, params))
