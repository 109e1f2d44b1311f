"""A chat as a document that people read, and as the objects that a program reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import openai

from ...visitor import Visitor


def as_markdown(title: str, messages: Sequence[Mapping[str, Any]]) -> str:
    """A chat in Markdown.

    Args:
        title: its heading.
        messages: as `elements.messages.shown` makes them.
    """
    pieces = [f"# {title}"]
    for message in messages:
        time = datetime.fromisoformat(message["time"]).astimezone(UTC)
        pieces.append(f"## {message['name']} · {time:%Y-%m-%d %H:%M} UTC")
        for part in message["parts"]:
            pieces.append(part.get("plain") or part.get("text") or f"![]({part.get('src', '')})")
            pieces += [f"- {one['number']}: {one['name']}" for one in part.get("citations", ())]
        if message["files"]:
            pieces.append("\n".join(f"- {file['name']}" for file in message["files"]))
    return "\n\n".join(piece for piece in pieces if piece) + "\n"


async def as_json_lines(visitor: Visitor, thread: str) -> bytes:
    """All objects of a thread, as `POST /v1/import` takes them. Raises `openai.APIError`."""
    answer = await visitor.client.get(f"/threads/{thread}/export", cast_to=openai.HttpxBinaryResponseContent)
    return answer.content


def file_name(title: str, ending: str) -> str:
    """A name for a file: the title without what file systems dislike."""
    kept = "".join(c if c.isalnum() or c in " -_" else " " for c in title)
    return f"{' '.join(kept.split())[:60] or 'chat'}.{ending}"
