"""Contents of files, for pages that show or offer them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from urllib.parse import quote

import openai
from fastapi import Request, Response
from nicegui import app as pages
from starlette.responses import StreamingResponse

from .visitor import Visitors

#: Pictures that browsers show; everything else is offered for saving, since it could be a page with programs.
_SHOWN = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}


def content_url(file: str) -> str:
    """Where a page has the content of the file with this id from."""
    return f"/content/{quote(file, safe='')}"


def serve_content(visitors: Visitors) -> None:
    """Answer at `content_url`."""

    @pages.get("/content/{file}")
    async def content(file: str, request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        try:
            visitor = await visitors.of(request)
            name = (await visitor.client.files.retrieve(file)).filename
            opened = visitor.client.with_streaming_response.files.content(file)
            answer = await opened.__aenter__()
        except openai.APIStatusError as error:
            return Response(error.message, status_code=error.status_code, media_type="text/plain")

        async def pieces() -> AsyncGenerator[bytes]:
            try:
                async for piece in answer.iter_bytes():
                    yield piece
            finally:
                await opened.__aexit__(None, None, None)

        kind = _SHOWN.get(name.rpartition(".")[2].lower())
        headers = {
            "content-disposition": f"{'inline' if kind else 'attachment'}; filename*=utf-8''{quote(name, safe='')}",
            "content-security-policy": "default-src 'none'; sandbox",
            "cache-control": "private, max-age=3600",
            "vary": "cookie",
        }
        return StreamingResponse(pieces(), headers=headers, media_type=kind or "application/octet-stream")
