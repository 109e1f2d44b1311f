"""What routes share: the caller's project, JSON in and out, list parameters, event streams."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal, cast

import orjson
from fastapi import Depends, Query, Request, Response
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from ..accounts.keys import Caller
from ..accounts.request_log import note_run
from ..errors import InvalidRequest
from ..runs.engine import Engine
from ..runs.events import EventStream
from ..settings import Settings
from ..store.objects import PageQuery
from ..store.store import Store
from ..wire.common import Id, ObjectList, WireObject, to_json
from ..wire.runs import ACTIVE, Run


class JsonRequest(Request):
    """A request whose JSON is read strictly: UTF-8, no NaN, no NUL characters, not nested too deep."""

    async def json(self) -> Any:
        """The body, parsed."""
        if not hasattr(self, "_json"):
            raw = await self.body()
            value = orjson.loads(raw)
            depth = cast(Settings, self.app.state.settings).max_json_depth
            if b"\\u0000" in raw or raw.count(b"{") + raw.count(b"[") > depth:
                _inspect(value, depth)
            self._json = value
        return self._json


def _inspect(value: Any, depth: int) -> None:
    if depth == 0:
        raise InvalidRequest("The request body is nested too deep.")
    if isinstance(value, str):
        if "\x00" in value:
            raise InvalidRequest("The request body holds a NUL character (\\u0000), which cannot be stored.")
    elif isinstance(value, dict):
        for key, inner in value.items():
            _inspect(key, depth)
            _inspect(inner, depth - 1)
    elif isinstance(value, list):
        for inner in value:
            _inspect(inner, depth - 1)


class JsonRoute(APIRoute):
    """A route that reads `JsonRequest`s."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, given strict requests."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(JsonRequest(request.scope, request.receive))

        return handle


def address_of(request: Request) -> str:
    """The network address of whoever asks, as far as it is known."""
    return request.client.host if request.client else ""


async def _project(request: Request) -> str:
    return request.scope["project"]


async def _store(request: Request) -> Store:
    return request.app.state.store


async def _engine(request: Request) -> Engine:
    return request.app.state.engine


async def _page(
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Literal["asc", "desc"] = "desc",
    after: Annotated[Id | None, Query()] = None,
    before: Annotated[Id | None, Query()] = None,
) -> PageQuery:
    return PageQuery(limit=limit, order=order, after=after, before=before)


async def _caller(request: Request) -> Caller:
    return request.scope["caller"]


TheCaller = Annotated[Caller, Depends(_caller)]
ProjectId = Annotated[str, Depends(_project)]
TheStore = Annotated[Store, Depends(_store)]
TheEngine = Annotated[Engine, Depends(_engine)]
Page = Annotated[PageQuery, Depends(_page)]


def metadata_filter(request: Request) -> dict[str, str]:
    """The pairs that listed objects must have: the query's `metadata[key]=value`.

    Raises:
        InvalidRequest: too many, or one twice.
    """
    parameters = request.query_params.multi_items()
    pairs = [(name[9:-1], value) for name, value in parameters if name.startswith("metadata[") and name[-1] == "]"]
    metadata = dict(pairs)
    if len(pairs) > 16 or len(metadata) < len(pairs):
        raise InvalidRequest("Invalid 'metadata': at most 16 pairs are allowed, each key once.", param="metadata")
    return metadata


def ok(value: WireObject, headers: dict[str, str] | None = None) -> Response:
    """200 with an object."""
    return Response(to_json(value), media_type="application/json", headers=headers)


def ok_list(page: ObjectList[Any]) -> Response:
    """200 with a page of objects."""
    body = b'{"object":"list","data":[%s],"first_id":%s,"last_id":%s,"has_more":%s}' % (
        b",".join(map(to_json, page.data)),
        orjson.dumps(page.first_id),
        orjson.dumps(page.last_id),
        b"true" if page.has_more else b"false",
    )
    return Response(body, media_type="application/json")


def ok_run(run: Run, settings: Settings, shown: WireObject | None = None) -> Response:
    """200 with a run, or with what is shown in its place: which model serves it, and when to ask again."""
    note_run(run)
    headers = {"openai-model": run.model}
    if run.status in ACTIVE:
        headers["openai-poll-after-ms"] = str(settings.poll_after_ms)
    return ok(shown or run, headers)


#: They keep proxies from holding a stream back.
EVENT_STREAM_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


class EventStreamResponse(Response):
    """Server-sent events in plain ASGI. A client that goes away stops the stream, not the run."""

    media_type = "text/event-stream"

    def __init__(self, stream: EventStream, run: Run, keep_alive: float) -> None:
        """`keep_alive`: seconds of silence after which a comment is sent."""
        note_run(run)
        super().__init__(headers={**EVENT_STREAM_HEADERS, "openai-model": run.model})
        del self.headers["content-length"]
        self._stream = stream
        self._keep_alive = keep_alive

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        # Once the client is gone the server drops what is sent: reading on costs little and keeps the queue empty.
        async for events in self._stream.read(self._keep_alive):
            await send({"type": "http.response.body", "body": events, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
