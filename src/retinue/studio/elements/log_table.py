"""A table whose rows lead somewhere: what happened, newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui


class LogTable(ui.element, component="log_table.js"):
    """A table; on narrow windows each row is a block.

    A column is a mapping: ``key``, ``label``, and perhaps ``kind``: `time` (seconds since 1970) or `number`. The first
    column's cells are the links. A row is a mapping of its cells by their column, with ``href``, and ``tones``: classes
    of cells by their column.
    """

    def __init__(
        self, columns: Sequence[Mapping[str, str]], rows: Sequence[Mapping[str, Any]], *, caption: str, language: str
    ) -> None:
        """A table.

        Args:
            columns: see the class.
            rows: see the class.
            caption: what the table is, for those who do not see it.
            language: of times.
        """
        super().__init__()
        self._props.update({"columns": list(columns), "initial": list(rows), "caption": caption, "language": language})

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Show more at the end."""
        self.run_method("add", list(rows))

    def begin(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Show more at the beginning."""
        self.run_method("begin", list(rows))

    def show(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Show these rows instead of all others."""
        self.run_method("show", list(rows))
