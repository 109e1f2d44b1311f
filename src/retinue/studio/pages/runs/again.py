"""Running once more, with another model or other instructions, beside the first run."""

# pyright: reportDeprecated=false
from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import quote

from nicegui import ui

from ...elements.dialogs import form
from ...visitor import Visitor
from . import source
from .found import Found, Json, is_whole


async def ask(visitor: Visitor, found: Found, go: Callable[[str, str], Awaitable[None]]) -> None:
    """Ask how to run once more, and do so.

    Args:
        visitor: who asks.
        found: the first run.
        go: is told the thread and the run that were made.
    """
    models: Json = await visitor.get("/models")
    names = [one["id"] for one in models["data"] if "chat" in one["retinue"]["capabilities"]]
    current: str = found.run["model"]
    text = visitor.text
    whole = is_whole(visitor, found.run)

    def fill() -> Callable[[], Awaitable[object]]:
        model = ui.select(sorted({*names, current}), value=current, label=text("runs.model")).props("outlined dense")
        instructions = ui.textarea(text("runs.instructions"), value=found.run["instructions"])
        instructions.props("outlined autogrow input-class=instructions maxlength=256000")

        async def run() -> object:
            request = {**source.request_of(found.run, whole=whole), "model": model.value}
            # Instructions that are not to be seen are the assistant's, unless others are written.
            if whole or instructions.value:
                request["instructions"] = instructions.value
            thread, made = await _made(visitor, found, request)
            return lambda: go(thread, made)

        return run

    form(visitor, text("runs.again"), text("runs.again_button"), fill, text("runs.again_hint"), wide=True)


async def _made(visitor: Visitor, found: Found, request: Json) -> tuple[str, str]:
    """A thread with the same messages up to the run, and a run on it."""
    if found.asked is None:
        thread: Json = await visitor.post("/threads")
    else:
        path = f"/threads/{quote(found.run['thread_id'], safe='')}/fork"
        # With its metadata it would stand among somebody's chats.
        thread = await visitor.post(path, {"message_id": found.asked["id"], "metadata": {}})
    run: Json = await visitor.post(f"/threads/{thread['id']}/runs", request)
    return thread["id"], run["id"]
