"""A table of things, with what can be done with each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui import ui

from ..visitor import Visitor

#: A row: ``id``, ``name`` (what it is called), ``cells`` by the names of columns, and ``actions``, the names of those
#: that it has (all, if that is missing). A cell is a text, or a mapping of ``text`` or ``time`` (Unix seconds, 0 for
#: none), ``sort`` (what it is ordered by), ``href``, ``look`` (classes) and ``notes`` below: ``{"text", "look"}``,
#: with ``time`` where the text has the place ``{when}`` for it.
Row = Mapping[str, Any]


class Listing(ui.element, component="listing.js"):
    """A table that the browser sorts; on a phone, a list."""

    def __init__(
        self,
        visitor: Visitor,
        *,
        caption: str,
        columns: Sequence[Mapping[str, Any]],
        empty: str,
        actions: Sequence[Mapping[str, str]] = (),
        on_action: Callable[[str, str], Any] | None = None,
        order: tuple[str, bool] | None = None,
    ) -> None:
        """A table without rows.

        Args:
            visitor: who reads.
            caption: what a screen reader calls it.
            columns: ``{"name", "label", "kind", "sorts"}``; `number` and `time` are kinds.
            empty: what is said while there are no rows.
            actions: buttons of each row: ``{"name", "label", "icon"}``.
            on_action: is told the name of a button and the row's id.
            order: the column that it is sorted by at first, and whether downwards; None: as the rows come.
        """
        super().__init__()
        labels = {key: visitor.text(f"listing.{key}") for key in ("actions", "more")}
        self._props.update({"columns": list(columns), "rows": [], "actions": list(actions), "labels": labels})
        self._props.update({"caption": caption, "empty": empty})
        self._props["order"] = {"by": order[0], "down": order[1]} if order else None
        if on_action:
            self.on("action", lambda event: on_action(event.args["name"], event.args["id"]))

    def show(self, rows: Sequence[Row]) -> None:
        """Show other rows."""
        self._props["rows"] = list(rows)
        self.update()

    def say(self, empty: str) -> None:
        """What is said while there are no rows."""
        self._props["empty"] = empty
        self.update()
