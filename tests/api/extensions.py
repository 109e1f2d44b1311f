"""Operations that OpenAI does not have, called and checked against our own document."""

from __future__ import annotations

from ..harness import Api, Json


async def get(api: Api, path: str) -> Json:
    """What GET answers."""
    return await api.call("GET", path, extension=True)


async def post(api: Api, path: str, body: Json | None = None) -> Json:
    """What POST answers."""
    return await api.call("POST", path, body or {}, extension=True)
