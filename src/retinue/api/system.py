"""What is not part of OpenAI's API: health."""

from __future__ import annotations

from fastapi import APIRouter, Request

from ..store.store import Store

router = APIRouter(tags=["System"])


@router.get("/healthz")
async def health(request: Request) -> dict[str, str]:
    """200 when requests can be answered; 503 while the database is away."""
    store: Store = request.app.state.store
    await store.database.row("select 1", {})
    return {"status": "ok"}
