"""The history of an assistant on this page: what was changed when, and back to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from nicegui import ui

from ...elements.controls import plain
from ...elements.dialogs import closing, dialog, outliving
from ...elements.moment import Moment
from ...visitor import Visitor
from .draft import Draft

#: Characters of a value.
_SHORT = 60


def show_versions(visitor: Visitor, draft: Draft, on_go: Callable[[int], Awaitable[None]]) -> None:
    """Open a dialog with all versions, newest first.

    Args:
        visitor: who looks.
        draft: the assistant.
        on_go: is told the place of a version that is to hold again.
    """
    text, history = visitor.text, draft.history
    with dialog(text("playground.history"), wide=True) as made:
        ui.label(text("playground.history_hint")).classes("quiet")

        async def go(at: int) -> None:
            with outliving(made):
                made.close()
                await on_go(at)

        with ui.element("ol").classes("versions"):
            for at in reversed(range(len(history.versions))):
                version = history.versions[at]
                before = history.versions[at - 1].state if at else {}
                with ui.element("li"):
                    with ui.element("div").classes("grow"):
                        Moment(visitor, int(version.at.timestamp()), clock=True).classes("quiet mono")
                        for field in version.changed:
                            ui.label(_said(visitor, field, before.get(field), version.state[field]))
                        if not version.changed:
                            ui.label(text("playground.as_opened"))
                    if at == history.at:
                        ui.label(text("playground.current")).classes("good")
                    elif draft.may_change:
                        plain(text("playground.go_back"), partial(go, at)).props("dense")
        closing(visitor, made)


def _said(visitor: Visitor, field: str, before: Any, after: Any) -> str:
    """What became of a field, in a line."""
    name = visitor.text(f"playground.{field}")
    return f"{name}: {_short(visitor, field, before)} → {_short(visitor, field, after)}"


def _short(visitor: Visitor, field: str, value: Any) -> str:
    if value is False or value in (None, "", [], {}):
        return visitor.text("playground.nothing")
    if field == "tools":
        tools = cast(Sequence[Mapping[str, Any]], value)
        return _cut(", ".join(one["function"]["name"] if "function" in one else one["type"] for one in tools))
    if field == "tool_resources":
        held: Mapping[str, Any] = value
        files = len((held.get("code_interpreter") or {}).get("file_ids") or [])
        stores = len((held.get("file_search") or {}).get("vector_store_ids") or [])
        return visitor.text("playground.held", files=files, stores=stores)
    if field == "protected":
        return visitor.text("playground.yes")
    if field == "metadata":
        pairs = cast(Mapping[str, str], value)
        return _cut(", ".join(f"{key}={one}" for key, one in pairs.items()))
    if field == "response_format" and isinstance(value, dict):
        return str(cast(Mapping[str, Any], value)["type"])
    return _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}…"
