"""What a tab of the browser remembers of the page, so that a reload loses nothing."""

from __future__ import annotations

import json
from typing import Any, cast

from nicegui import ui

_NAME = "retinue.completions"
#: Characters that come from the browser at once: one message of its socket has at most a megabyte.
_PIECE = 150_000
#: Characters that are remembered; browsers give a site some five million.
_MOST = 2_000_000


async def remembered() -> dict[str, Any] | None:
    """What this tab remembers; None if it is nothing that can be read."""
    found = ""
    while True:
        ends = f"{len(found)}, {len(found) + _PIECE}"
        code = f"return (sessionStorage.getItem({_NAME!r}) ?? '').slice({ends})"
        piece = cast(str, await ui.run_javascript(code, timeout=10))
        found += piece
        if len(piece) < _PIECE or len(found) > _MOST:
            break
    try:
        state = json.loads(found)
    except ValueError:
        return None
    return state if isinstance(state, dict) and state.get("version") == 1 else None  # pyright: ignore


def remember(state: dict[str, Any]) -> None:
    """Let this tab remember; of what is too long, only the questions and not the answers."""
    text = _text(state)
    if len(text) > _MOST:
        text = _text({**state, "answers": []})
    if len(text) <= _MOST:
        # Twice JSON: a text of JavaScript's that holds JSON.
        ui.run_javascript(f"try {{ sessionStorage.setItem({_NAME!r}, {json.dumps(text)}) }} catch {{}}")


def _text(state: dict[str, Any]) -> str:
    return json.dumps({"version": 1, **state})
