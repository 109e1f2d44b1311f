"""Pictures of GPTs, for pages that show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import openai
from fastapi import Request, Response
from nicegui import app as pages

from .visitor import Visitors

#: An SVG that somebody opens by itself must do nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


def picture_url(gpt: Mapping[str, Any]) -> str:
    """Where a page has the picture of a GPT from, as the API has the GPT. Another one after each change."""
    return f"/gpt-picture/{quote(gpt['id'], safe='')}?of={gpt['updated_at']}-{gpt['version'] or 0}"


def serve_pictures(visitors: Visitors) -> None:
    """Answer at `picture_url`."""

    @pages.get("/gpt-picture/{gpt}")
    async def picture(gpt: str, request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        try:
            visitor = await visitors.of(request)
            path = f"/gpts/{quote(gpt, safe='')}/picture"
            answer = await visitor.client.get(path, cast_to=openai.HttpxBinaryResponseContent)
        except openai.APIStatusError as error:
            return Response(error.message, status_code=error.status_code, media_type="text/plain")
        headers = {
            "content-security-policy": _POLICY,
            "x-content-type-options": "nosniff",
            "cache-control": "private, max-age=3600",
            "vary": "cookie",
        }
        return Response(answer.content, media_type=answer.response.headers["content-type"], headers=headers)
