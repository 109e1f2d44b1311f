"""One answer of a model, as it comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from ..visitor import Visitor

#: Seconds between two pieces on their way to the browser, at least.
_PACE = 0.05


class Answer(ui.element, component="answer.js"):
    """A model's answer: what it thought, its text as Markdown, the tools that it calls."""

    def __init__(self, visitor: Visitor, **initial: Any) -> None:
        """An element. `initial`: ``text``, ``thoughts``, ``calls`` and ``busy`` to begin with."""
        super().__init__()
        labels = {"copy": visitor.text("frame.copy"), "copied": visitor.text("frame.copied")}
        labels |= {key: visitor.text(f"completions.{key}") for key in ("thoughts", "call")}
        labels |= {key: visitor.text(f"conversation.{key}") for key in ("waiting", "source")}
        self._props.update({"initial": initial, "labels": labels})
        self._pending: dict[str, str] = {}
        self._sent = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def append(self, *, text: str = "", thoughts: str = "") -> None:
        """Go on with the text, or with what the model thinks; pieces that come fast travel together."""
        for name, piece in (("text", text), ("thoughts", thoughts)):
            if piece:
                self._pending[name] = self._pending.get(name, "") + piece
        if self._pending and self._timer is None:
            wait = max(0.0, self._sent + _PACE - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(wait, self._flush)

    def calls(self, calls: Sequence[Mapping[str, str]]) -> None:
        """The tools that are called, as far as they are known: ``id``, ``name``, ``arguments``."""
        self.run_method("set", {"calls": list(calls)})

    def end(self) -> None:
        """Nothing more will come."""
        self.run_method("set", {"busy": False})

    def _flush(self) -> None:
        self._timer, self._sent = None, time.monotonic()
        pending, self._pending = self._pending, {}
        if not self.is_deleted:
            self.run_method("append", pending)
