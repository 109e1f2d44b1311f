"""A table of things with buttons: a table for screen readers, and on a phone one thing below the other."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from nicegui import ui

from ..visitor import Visitor
from .moment import Moment


class Rows:
    """A table. Its style is in `static/manage.css`."""

    def __init__(self, label: str, columns: Sequence[str]) -> None:
        """Built in the current slot, without rows.

        Args:
            label: what it is a table of, for screen readers.
            columns: their headings; a heading of "" is for buttons.
        """
        self._columns = columns
        with ui.element("table").classes("rows") as table:
            table.props["aria-label"] = label
            table.props["role"] = "table"
            with ui.element("thead").props("role=rowgroup"), ui.element("tr").props("role=row"):
                for column in columns:
                    with ui.element("th" if column else "td").props("role=columnheader" if column else ""):
                        ui.label(column)
            self._body = ui.element("tbody").props("role=rowgroup")

    @contextmanager
    def row(self) -> Generator[Row]:
        """A further row, to be filled within the block."""
        with self._body, ui.element("tr").props("role=row"):
            yield Row(self._columns)


class Row:
    """A row, filled from left to right."""

    def __init__(self, columns: Sequence[str]) -> None:
        """`columns`: as the table's."""
        self._columns = iter(columns)

    def cell(self) -> ui.element:
        """The next cell, to be filled."""
        column = next(self._columns)
        cell = ui.element("td").props("role=cell").classes("" if column else "buttons")
        if column:
            cell.props["data-label"] = column
        return cell

    def text(self, text: str, classes: str = "") -> None:
        """The next cell, with text."""
        with self.cell():
            ui.label(text or "–").classes(classes)

    def moment(self, visitor: Visitor, at: int | None, never: str = "–") -> None:
        """The next cell, with a moment in Unix seconds, or what stands for none."""
        with self.cell():
            if at:
                Moment(visitor, at)
            else:
                ui.label(never).classes("quiet")
