"""The page on which people talk with assistants."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import Request

from ...frame import Page
from ...visitor import Visitor
from .talk import Talk


async def _build(visitor: Visitor, request: Request) -> None:
    query = request.query_params
    wanted = f"assistant:{query['assistant']}" if "assistant" in query else ""
    if "model" in query:
        wanted = f"model:{query['model']}"
    if "gpt" in query:
        wanted = f"gpt:{query['gpt']}"
    thread = quote(request.path_params.get("thread", ""), safe="")
    await Talk(visitor).build(
        thread=thread, wanted=wanted, ask=query.get("ask", ""), temporary=not thread and "temporary" in query
    )


PAGES = (
    Page("/", "chat.title", _build, icon="chat", group="use", fills=True),
    Page("/chat/{thread}", "chat.title", _build, fills=True),
)
