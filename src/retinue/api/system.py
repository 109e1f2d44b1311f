"""What is not part of OpenAI's API: health, and the first page."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ..store.store import Store

router = APIRouter(tags=["System"])


@router.get("/healthz")
async def health(request: Request) -> dict[str, str]:
    """200 when requests can be answered; 503 while the database is away."""
    store: Store = request.app.state.store
    await store.database.row("select 1", {})
    return {"status": "ok"}


@router.get("/", include_in_schema=False)
async def first_page(request: Request) -> Response:
    """What this server is and how to use it, for people."""
    return Response(request.app.state.first_page, media_type="text/html")
