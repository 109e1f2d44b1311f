"""Things that are long and seldom looked into: each opens by a click, and is only then rendered, by the browser."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nicegui import ui

from ..visitor import Visitor


class Objects(ui.element, component="objects.js"):
    """A list of things that open.

    A thing is a mapping: ``title``, perhaps ``note`` (behind the title) and ``open`` (from the start), and what it
    shows: ``value`` (anything that JSON has), or ``text`` with its ``language`` as Markdown names languages; `""` is
    plain text, whose lines break.
    """

    def __init__(self, visitor: Visitor, things: Iterable[Mapping[str, Any]] = ()) -> None:
        """`things`: see the class."""
        super().__init__()
        labels = {"copy": visitor.text("frame.copy"), "copied": visitor.text("frame.copied")}
        self._props.update({"initial": list(things), "labels": labels})

    def add(self, things: Iterable[Mapping[str, Any]]) -> None:
        """Show more at the end."""
        self.run_method("add", list(things))
