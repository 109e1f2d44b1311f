"""Files of agents' workspaces, for pages that show or offer them."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import openai
from fastapi import Request, Response
from nicegui import app as pages

from .visitor import Visitors

#: Pictures that browsers show; everything else is offered for saving, since it could be a page with programs.
PICTURES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}


def file_path(agent: str, path: str) -> str:
    """Where the API has a file of an agent's workspace."""
    return f"/agents/{quote(agent, safe='')}/files/content?{urlencode({'path': path})}"


def file_url(agent: str, path: str) -> str:
    """Where a page has it from."""
    return f"/agent-files/{quote(agent, safe='')}?{urlencode({'path': path})}"


def archive_url(agent: str) -> str:
    """Where a page has all files of a workspace from, as a zip."""
    return f"/agent-files/{quote(agent, safe='')}"


def serve_agent_files(visitors: Visitors) -> None:
    """Answer at `file_url` and `archive_url`."""

    @pages.get("/agent-files/{agent}")
    async def content(agent: str, request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        path = request.query_params.get("path", "")
        source = file_path(agent, path) if path else f"/agents/{quote(agent, safe='')}/files/archive"
        try:
            visitor = await visitors.of(request)
            answer = await visitor.client.get(source, cast_to=openai.HttpxBinaryResponseContent)
        except openai.APIStatusError as error:
            return Response(error.message, status_code=error.status_code, media_type="text/plain")
        kind = PICTURES.get(path.rpartition(".")[2].lower())
        name = path.rpartition("/")[2] or f"{agent}.zip"
        headers = {
            "content-disposition": f"{'inline' if kind else 'attachment'}; filename*=utf-8''{quote(name, safe='')}",
            "content-security-policy": "default-src 'none'; sandbox",
            "x-content-type-options": "nosniff",
            "cache-control": "private, no-cache",
            "vary": "cookie",
        }
        return Response(answer.content, headers=headers, media_type=kind or "application/octet-stream")
