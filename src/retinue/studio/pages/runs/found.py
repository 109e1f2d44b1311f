"""What the API tells of a run, as JSON, and how it is told people."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import openai

from ...visitor import Visitor

Json = dict[str, Any]

#: Statuses in which something is still going to happen by itself.
UNDER_WAY = ("queued", "in_progress", "cancelling")
#: Objects of a list that are read at most.
_MOST = 1000
_INCLUDED = [
    "step_details.tool_calls[*].file_search.results[*].content",
    "step_details.tool_calls[*].file_search.queries",
]
#: Classes of statuses.
TONES: Mapping[str, str] = {
    "completed": "good",
    "failed": "wrong",
    "expired": "wrong",
    "incomplete": "wrong",
}


def run_api(thread: str, run: str) -> str:
    """Where the API has a run."""
    return f"/threads/{quote(thread, safe='')}/runs/{quote(run, safe='')}"


def run_page(thread: str, run: str) -> str:
    """Where the page of a run is."""
    return f"/runs/{quote(thread, safe='')}/{quote(run, safe='')}"


@dataclass(slots=True)
class Found:
    """A run with what it has brought. Everything as the API has it."""

    run: Json
    steps: list[Json] = field(default_factory=list[Json])
    #: Those that the run has written, by id.
    messages: dict[str, Json] = field(default_factory=dict[str, Json])
    #: The last one before the run's own; None if there was none.
    asked: Json | None = None
    #: None where it is gone, or not to be seen.
    assistant: Json | None = None

    @property
    def under_way(self) -> bool:
        """Whether something is still going to happen by itself."""
        return self.run["status"] in UNDER_WAY


def is_whole(visitor: Visitor, run: Json) -> bool:
    """Whether the visitor sees a run's instructions and tools: see docs/protection.md."""
    return not run.get("protected") or visitor.role == "owner" or visitor.administers


async def find(visitor: Visitor, thread: str, run: str) -> Found:
    """Ask for a run.

    Raises:
        openai.APIError: as the client's methods; `NotFoundError` where there is none.
    """
    path = run_api(thread, run)
    found = Found(await visitor.get(path))
    of_thread = f"/threads/{quote(thread, safe='')}/messages"
    found.steps, written, found.assistant = await asyncio.gather(
        _all(visitor, f"{path}/steps", include=_INCLUDED),
        _all(visitor, of_thread, run_id=found.run["id"]),
        assistant_of(visitor, found.run["assistant_id"]),
    )
    found.messages = {message["id"]: message for message in written}
    found.asked = await _before(visitor, of_thread, found)
    return found


async def assistant_of(visitor: Visitor, assistant: str) -> Json | None:
    """An assistant; None where it is gone."""
    try:
        return await visitor.get(f"/assistants/{quote(assistant, safe='')}")
    except openai.NotFoundError:
        return None


async def earlier(visitor: Visitor, found: Found, most: int) -> list[Json]:
    """The last messages of a run's thread from before the run's own, oldest first.

    Args:
        visitor: who asks.
        found: the run.
        most: how many, up to 100.
    """
    if found.asked is None:
        return []
    path = f"/threads/{quote(found.run['thread_id'], safe='')}/messages"
    page: Json = await visitor.get(path, order="desc", after=found.asked["id"], limit=most - 1) if most > 1 else {}
    return [*reversed(page.get("data", [])), found.asked]


async def _before(visitor: Visitor, path: str, found: Found) -> Json | None:
    """See `Found.asked`."""
    if found.messages:
        page = await visitor.get(path, order="desc", after=next(iter(found.messages)), limit=1)
        return page["data"][0] if page["data"] else None
    async for message in pages(visitor, path, order="desc"):
        if message["created_at"] <= found.run["created_at"]:
            return message
    return None


async def _all(visitor: Visitor, path: str, **query: Any) -> list[Json]:
    return [one async for one in pages(visitor, path, order="asc", **query)]


async def pages(visitor: Visitor, path: str, **query: Any) -> AsyncGenerator[Json]:
    """The objects of a list, page by page, at most 1,000."""
    after, count = None, 0
    while count < _MOST:
        page = await visitor.get(path, limit=100, after=after, **query)
        for one in page["data"]:
            yield one
        count += len(page["data"])
        if not page["has_more"]:
            return
        after = page["last_id"]


def seconds(begin: int | None, end: int | None) -> int | None:
    """How long something took, where both ends are known."""
    return None if begin is None or end is None else max(0, end - begin)


def ended_at(value: Json) -> int | None:
    """When a run or step ended; None where it has not, or the API does not tell."""
    return next(
        (value[name] for name in ("completed_at", "failed_at", "cancelled_at", "expired_at") if value.get(name)), None
    )


def tokens(visitor: Visitor, usage: Json | None) -> str:
    """How many tokens were read and written; `""` where that is not known."""
    if not usage:
        return ""
    return visitor.text(
        "runs.tokens_told", prompt=f"{usage['prompt_tokens']:,}", completion=f"{usage['completion_tokens']:,}"
    )


def text_of(message: Json) -> str:
    """All text of a message; what is no text is named."""
    parts: list[str] = []
    for part in message["content"]:
        if part["type"] == "text":
            parts.append(part["text"]["value"])
        elif part["type"] == "refusal":
            parts.append(part["refusal"])
        else:
            inner = part[part["type"]]
            parts.append(f"[{part['type']}: {inner.get('file_id') or str(inner.get('url'))[:200]}]")
    return "\n".join(parts)
