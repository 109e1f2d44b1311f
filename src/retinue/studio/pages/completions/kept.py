"""What a tab of the browser remembers of the page, so that a reload loses nothing."""

from __future__ import annotations

import json
from typing import Any, cast

from nicegui import ui

from ...visitor import Visitor

#: Characters that come from the browser at once: one message of its socket has at most a megabyte.
_PIECE = 150_000
#: Characters that are remembered; browsers give a site some five million.
_MOST = 2_000_000
#: Seconds that a tab has for a piece.
_PATIENCE = 10


async def remembered(visitor: Visitor) -> dict[str, Any] | None:
    """What this tab remembers of the visitor's; None if it is nothing that can be read, or the tab is gone."""
    found = ""
    while True:
        ends = f"{len(found)}, {len(found) + _PIECE}"
        code = f"return (sessionStorage.getItem({_name(visitor)}) ?? '').slice({ends})"
        try:
            piece = cast("str | None", await ui.run_javascript(code, timeout=_PATIENCE))
        except TimeoutError:
            return None
        # Nothing comes from a page that has been left.
        if piece is None:
            return None
        found += piece
        if len(piece) < _PIECE or len(found) > _MOST:
            break
    try:
        state = json.loads(found)
    except ValueError:
        return None
    return state if isinstance(state, dict) and state.get("version") == 1 else None  # pyright: ignore


def remember(visitor: Visitor, state: dict[str, Any]) -> None:
    """Let this tab remember; of what is too long, not the files, and if need be not the answers either."""
    bare = [{name: value for name, value in one.items() if name != "files"} for one in state["messages"]]
    without_files = {**state, "messages": bare}
    for one in (state, without_files, {**without_files, "answers": []}):
        # Writing down what is far too long would hold up everybody.
        if _length(one) <= _MOST and len(text := json.dumps({"version": 1, **one})) <= _MOST:
            # Twice JSON: a text of JavaScript's that holds JSON.
            ui.run_javascript(f"try {{ sessionStorage.setItem({_name(visitor)}, {json.dumps(text)}) }} catch {{}}")
            return


def _length(value: Any) -> int:
    """Characters of all texts in a value as JSON has it: its JSON has no fewer."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_length, cast("dict[str, Any]", value).values()))
    return sum(map(_length, cast("list[Any]", value))) if isinstance(value, list) else 0


def _name(visitor: Visitor) -> str:
    return json.dumps(visitor.own("retinue.completions"))
