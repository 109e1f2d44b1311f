"""A stored chat completion: what was asked, and what was answered."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from fastapi import Request
from nicegui import ui

from ...elements.controls import heading
from ...elements.facts import Facts
from ...elements.objects import Objects
from ...visitor import Visitor
from ..runs.found import Json, pages, tokens
from .lists import answer_of


async def build(visitor: Visitor, request: Request) -> None:
    """The page."""
    ui.add_head_html('<link rel="stylesheet" href="/static/runs.css">')
    path = f"/chat/completions/{quote(request.path_params['completion'], safe='')}"
    completion: Json = await visitor.get(path)
    messages = [one async for one in pages(visitor, f"{path}/messages", order="asc")]
    text = visitor.text
    heading(text("logs.completion"))
    with ui.element("div").classes("card run"):
        reasons = {str(choice.get("finish_reason")) for choice in completion["choices"]}
        facts: list[dict[str, Any]] = [
            {"label": text("runs.model"), "value": completion["model"]},
            {"label": text("runs.created"), "value": completion["created"], "kind": "time"},
            {"label": text("runs.tokens"), "value": tokens(visitor, completion.get("usage"))},
            {"label": text("logs.finish_reason"), "value": ", ".join(sorted(reasons))},
            {"label": text("logs.metadata"), "value": _pairs(completion.get("metadata") or {})},
            {"label": text("logs.id"), "value": completion["id"], "kind": "mono"},
        ]
        Facts([fact for fact in facts if fact["value"]], visitor.language)
        heading(text("logs.messages"), 2)
        Objects(visitor, [_thing(message) for message in messages])
        heading(text("logs.answer"), 2)
        ui.label(answer_of(visitor, completion)).classes("said")
        Objects(visitor, [{"title": "JSON", "value": completion}])


def _pairs(metadata: dict[str, str]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in metadata.items())


def _thing(message: Json) -> dict[str, Any]:
    """A message that opens."""
    said = message.get("content")
    if said is None:
        rest = {name: value for name, value in message.items() if value is not None and name not in ("id", "role")}
        said = json.dumps(rest, indent=2, ensure_ascii=False)
    begin = " ".join(said.split())[:100]
    return {"title": message["role"], "note": begin, "text": said, "language": ""}
