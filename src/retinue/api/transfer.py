"""`/v1/export`, `/v1/import` and `/v1/threads/{thread_id}/export`: projects and threads as JSON lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Literal

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from ..errors import InvalidRequest, Unavailable
from ..settings import Settings
from ..transfer.export import export
from ..transfer.load import load
from .http import ProjectId, TheCaller, TheStore

router = APIRouter(prefix="/v1", tags=["Export and import"])


@router.get("/export", response_class=Response)
async def export_project(request: Request, project: ProjectId, store: TheStore) -> Response:
    """Everything that the project has, as JSON lines."""
    return await _exported(export(store, project), request)


@router.get("/threads/{thread_id}/export", response_class=Response)
async def export_thread(thread_id: str, request: Request, project: ProjectId, store: TheStore) -> Response:
    """A thread with its messages, runs and run steps, as JSON lines."""
    await store.threads.get(project, thread_id)
    return await _exported(export(store, project, thread_id), request)


@router.post("/import")
async def import_project(
    request: Request, caller: TheCaller, store: TheStore, ids: Literal["new", "keep"] = "new"
) -> Response:
    """Take in an export, all of it or nothing."""
    settings: Settings = request.app.state.settings
    pieces = _received(request, settings.transfer_idle)
    await store.storage.require(caller.project, 1)
    imported = await load(store, settings, caller, pieces, keep_ids=ids == "keep")
    body = {
        "object": "import",
        "counts": imported.counts,
        "ids": imported.ids,
        "has_more": imported.has_more,
    }
    return Response(orjson.dumps(body), media_type="application/json")


async def _exported(parts: AsyncGenerator[bytes], request: Request) -> Response:
    """The lines as an answer. What goes wrong before the first is an ordinary error."""
    first = await anext(parts)

    async def whole() -> AsyncGenerator[bytes]:
        try:
            yield first
            async for part in _joined(parts):
                yield part
        finally:
            await parts.aclose()

    settings: Settings = request.app.state.settings
    return _Export(whole(), settings.transfer_idle)


#: Bytes of lines that are sent together.
_PIECE = 64 * 1024


async def _joined(parts: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    waiting: list[bytes] = []
    size = 0
    async for part in parts:
        waiting.append(part)
        size += len(part)
        if size >= _PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


class _Export(StreamingResponse):
    """A stream that is broken off, without its end, when the client reads no more."""

    media_type = "application/jsonl"

    def __init__(self, parts: AsyncGenerator[bytes], idle: float) -> None:
        super().__init__(parts, headers={"content-disposition": 'attachment; filename="export.jsonl"'})
        self._parts = parts
        self._idle = idle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""

        async def timely(message: Message) -> None:
            try:
                async with asyncio.timeout(self._idle):
                    await send(message)
            except TimeoutError as error:
                raise Unavailable("The export was read too slowly and was broken off.") from error

        try:
            await super().__call__(scope, receive, timely)
        finally:
            await self._parts.aclose()


async def _received(request: Request, idle: float) -> AsyncGenerator[bytes]:
    """The body, as it comes in."""
    pieces = request.stream()
    while True:
        try:
            async with asyncio.timeout(idle):
                piece = await anext(pieces, None)
        except TimeoutError as error:
            raise InvalidRequest(f"Nothing came for {idle:g} seconds: the import was given up.") from error
        except ClientDisconnect as error:
            raise InvalidRequest("The client hung up: the import was given up.") from error
        if piece is None:
            return
        yield piece
