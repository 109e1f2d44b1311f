"""The application: what stands behind the routes, and how it starts and stops."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import cast

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp

from .. import __version__
from ..completions.service import ChatCompletions
from ..completions.text.service import TextCompletions
from ..errors import ApiError, InvalidRequest, MethodNotAllowed, NotFound
from ..gpts.asking import Asking
from ..gpts.completions import GptCompletions
from ..gpts.guests import Guests, Links
from ..gpts.models import GptModels
from ..inference.moderation import Moderations
from ..service import Service, running
from ..settings import Settings
from ..studio import UPLOADS
from ..tools.connections.oauth import CALLBACK_PATH
from ..webhooks.registry import WebhookRegistry
from . import (
    agents,
    all_runs,
    assistants,
    audit,
    chat,
    configured_models,
    connections,
    data_controls,
    embeddings,
    files,
    gpts,
    gpts_archive,
    gpts_builder,
    gpts_feedback,
    gpts_links,
    gpts_store,
    groups,
    guest_pages,
    guests,
    images,
    me,
    messages,
    models,
    moderations,
    organization,
    pages,
    people,
    rate_limits,
    request_log,
    rerank,
    runs,
    shares,
    spend_limits,
    stored_completions,
    system,
    text_completions,
    threads,
    tokenize,
    transfer,
    uploads,
    usage,
    v1,
    validation,
    vector_search,
    vector_stores,
    webhooks,
)
from .confidential import Confidential
from .idempotency import Idempotency
from .lean import FastLane
from .middleware import Gate, answer
from .v1.version import VersionOne

log = structlog.get_logger(__name__)

_MODULES = (
    *(chat, assistants, runs, threads, messages, files, uploads, vector_stores, vector_search, transfer),
    *(models, stored_completions, text_completions, images, tokenize, embeddings, rerank),
    *(moderations, webhooks, connections, organization, people, rate_limits, usage, spend_limits, system),
    *(audit, data_controls, me, all_runs, configured_models, request_log, shares, groups, agents),
    # `/v1/gpts/groups` and others come before `/v1/gpts/{gpt_id}`.
    *(gpts_archive, gpts_builder, gpts_store, gpts_feedback, gpts_links, gpts, guests),
)
#: Paths whose requests are calls of models, for which rate limits are meant.
_MODEL_CALLS = frozenset(
    {
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/rerank",
        "/v1/moderations",
        "/v1/images/generations",
        "/v1/images/edits",
        "/v1/images/variations",
    }
)
#: How paths begin that the token of a link opens: of the API, and of pages.
_BY_LINK, _PAGES_BY_LINK = (shares.PREFIX, guests.PREFIX), ("/s/", "/g/")


def _body_limits(settings: Settings) -> Callable[[str], int]:
    """From a path to the most bytes of a request's body: more where it is not held in memory."""
    of_paths = {
        "/v1/files": settings.max_file_bytes + files.FORM_BYTES,
        "/v1/import": settings.max_import_bytes,
        "/v1/gpts/import": gpts_archive.IMPORT_BYTES,
        "/v1/tokenize": settings.max_tokenize_bytes,
        "/v1/images/edits": images.body_limit(settings),
        "/v1/images/variations": images.body_limit(settings),
        **dict.fromkeys(pages.FORMS, pages.FORM_BYTES),
    }

    guests_body = guests.body_limit(settings)

    def limit(path: str) -> int:
        if path.startswith("/v1/uploads/") and path.endswith("/parts"):
            return uploads.PART_BODY_BYTES
        if path.startswith(UPLOADS):
            return settings.max_file_bytes + files.FORM_BYTES
        return guests_body if path.startswith(_BY_LINK) else of_paths.get(path, settings.max_body_bytes)

    return limit


class _Application(FastAPI):
    """The application inside what is done for every request."""

    def build_middleware_stack(self) -> ASGIApp:
        """All layers, outermost first."""
        settings: Settings = self.state.settings
        # Starlette's own outermost layer would answer failures before the gate can.
        inside = cast(ServerErrorMiddleware, super().build_middleware_stack()).app
        lanes = FastLane(inside, (route for module in _MODULES for route in module.router.routes))
        once = Idempotency(
            lanes, renew_every=settings.run_lease / 3, max_answer_bytes=settings.idempotency_max_answer_bytes
        )
        return Gate(
            Confidential(once),
            organization=settings.organization,
            max_body_bytes=_body_limits(settings),
            limited=_MODEL_CALLS,
            signed=images.CONTENT_PREFIX,
            keyless={CALLBACK_PATH},
            by_token=(*_BY_LINK, *_PAGES_BY_LINK),
        )


def create_app(
    settings: Settings, conninfo: str, first_key: str | None = None, studio: Callable[[FastAPI], None] | None = None
) -> FastAPI:
    """The ASGI application.

    Args:
        settings: all settings.
        conninfo: a psycopg connection string of a database that has been migrated.
        first_key: a key that opens the default project from the start.
        studio: adds the web pages at all other paths.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        async with running(settings, conninfo, work=settings.serve_worker) as service:
            app.state.store, app.state.models, app.state.engine = service.store, service.models, service.engine
            app.state.keys, app.state.people, app.state.limits = service.keys, service.people, service.limits
            app.state.request_log = service.requests
            metering = app.state.metering = service.metering
            app.state.embedders, app.state.rerankers = service.embedders, service.rerankers
            app.state.search = service.search
            app.state.moderations = Moderations(service.models, settings)
            app.state.images, app.state.egress = service.images, service.egress
            app.state.chat_completions = ChatCompletions(service.store, service.models, metering)
            app.state.text_completions = TextCompletions(service.models, metering)
            app.state.connections, app.state.gpts = service.connections, service.gpts
            asking = _asking(app, service, settings)
            app.state.agents = service.agents
            app.state.webhooks = WebhookRegistry(service.store, service.egress, settings)
            if first_key:
                await app.state.keys.ensure(first_key, "first key")
            yield
            await asking.stop()

    app = _Application(
        title="Retinue",
        version=__version__,
        summary="The OpenAI Assistants platform on your own machines, with any model.",
        lifespan=lifespan,
        redirect_slashes=False,
        # What a model that manages this server calls its operations.
        generate_unique_id_function=lambda route: route.name,
        # FastAPI's own pages load their scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.router.routes.append(VersionOne(v1.router))
    for module in _MODULES:
        app.include_router(module.router)
    if settings.pages:
        app.include_router(pages.router)
        app.include_router(guest_pages.router)
    if settings.pages and studio is not None:
        studio(app)
    return app


def _asking(app: FastAPI, service: Service, settings: Settings) -> Asking:
    """What asks GPTs for those who know them as models, and for guests."""
    store, gpts, asking = service.store, service.gpts, Asking(service.store, service.engine)
    app.state.gpt_completions = GptCompletions(store, gpts, asking, settings)
    app.state.gpt_models = GptModels(store, gpts, service.models)
    app.state.gpt_links = Links(store, gpts, settings)
    app.state.guests = Guests(store, asking, settings)
    return asking


class _ErrorResponse(Response):
    """An error, sent as the middleware sends its own."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(status_code=error.status)
        self._error = error

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        await answer(self._error, send)  # pyright: ignore[reportArgumentType] (ASGI's types)


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101 (registered for it)
    return _ErrorResponse(error)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 (registered for it)
    return _ErrorResponse(validation.translate(error.errors(), error.body))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 (registered for it)
    if isinstance(error.__cause__, ApiError):
        # What went wrong while the body was read: FastAPI wraps it.
        return _ErrorResponse(error.__cause__)
    address = f"{request.method} {request.url.path}"
    if error.status_code == 404:
        return _ErrorResponse(NotFound(f"Invalid URL ({address})", code="unknown_url"))
    if error.status_code == 405:
        return _ErrorResponse(MethodNotAllowed(f"Invalid method for URL ({address})", code="method_not_supported"))
    return _ErrorResponse(InvalidRequest(str(error.detail)))
