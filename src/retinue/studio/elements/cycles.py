"""What an agent thought and did, cycle by cycle, newest first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from nicegui import ui

from ..visitor import Visitor
from .conversation import ask_older

_LABELS = ("failed", "truncated", "feedback", "repaired", "older", "loading", "lines")


class Cycles(ui.element, component="cycles.js"):
    """A timeline. Its style is in `static/agents.css`.

    A cycle is a mapping: ``id``, ``number``, ``title`` (what it did), ``command`` (its name, or `""`), ``state`` and
    ``tone`` (a class) where it is not simply done, ``note`` (what it took), ``at`` (seconds since 1970), ``text``
    (Markdown: its thoughts), ``thoughts`` (further ones: ``label`` and ``text``), ``args`` (``name``, ``text``,
    ``language``), ``feedback``, ``repaired``, ``result`` (``text``, ``failed``, ``truncated``; None while there is
    none) and ``files``, paths that it wrote.
    """

    def __init__(
        self,
        visitor: Visitor,
        cycles: Sequence[Mapping[str, Any]],
        *,
        more: bool,
        empty: str,
        on_older: Callable[[], Any],
        on_file: Callable[[str], Any],
    ) -> None:
        """A timeline with some cycles.

        Args:
            visitor: who reads.
            cycles: the newest first.
            more: whether there are older ones.
            empty: what is said while there are none.
            on_older: is called when older ones are wanted.
            on_file: is told the path of a file that is to be seen.
        """
        super().__init__()
        labels = {key: visitor.text(f"agents.cycle_{key}", **_AS_IT_IS.get(key, {})) for key in _LABELS}
        labels |= {"copy": visitor.text("frame.copy"), "copied": visitor.text("frame.copied"), "source": ""}
        self._props.update({"initial": list(cycles), "initialMore": more, "labels": labels, "saying": empty})
        self.on("older", partial(ask_older, self, on_older))
        self.on("file", lambda event: on_file(str(event.args)))

    def put(self, cycles: Sequence[Mapping[str, Any]]) -> None:
        """Show cycles in the place of those with their ids, or as new ones."""
        self.run_method("put", list(cycles))

    def older(self, cycles: Sequence[Mapping[str, Any]], *, more: bool) -> None:
        """Show older ones at the end; `more`: whether there are still older ones."""
        self.run_method("older", list(cycles), more)

    def say(self, empty: str) -> None:
        """What is said while there are none."""
        self.run_method("say", empty)


#: The browser counts.
_AS_IT_IS: Mapping[str, Mapping[str, str]] = {"lines": {"count": "{count}"}}
