"""What the page of usage shows of answers: plots, tables, and a file of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from ...elements.amounts import dollars, milliseconds
from ...elements.controls import heading, plain
from ...elements.listing import Listing
from ...visitor import Visitor
from . import fared_plots, plots
from .fared import COLUMNS, RUN_COLUMNS, RUN_FIELDS, Fared, FaredAnswer, Ran
from .figures import Answer, Figures
from .spreadsheet import as_csv

#: Figures of a row of usage, in their order.
_USED = ("requests", "input", "cached", "output", "cost")
#: What is plotted of how long requests and runs took.
_TIMES, _RUN_TIMES = ("p50", "p95", "first_p50", "first_p95"), ("p50", "p95", "queue_p50", "queue_p95")

_Cells = Mapping[tuple[str, str], Figures | Fared | Ran]


class Tables:
    """Answers, shown."""

    def __init__(
        self,
        visitor: Visitor,
        used: Answer,
        requests: FaredAnswer[Fared],
        runs: FaredAnswer[Ran],
        names: Mapping[str, str],
    ) -> None:
        """Describe them: answers to one question, and `names` of their groups."""
        self._visitor, self._names = visitor, names
        self._used, self._requests, self._runs = used, requests, runs
        self._by = used.question.by

    def show(self) -> str:
        """Show them in the current slot; returns a summary."""
        text, total = self._visitor.text, self._used.total()
        if not self._used.cells and not self._requests.cells and not self._runs.cells:
            ui.label(text("usage.nothing")).classes("empty")
            return ""
        with ui.element("div").classes("plots"):
            self._plot()
        with ui.element("div").classes("page-head"):
            heading(text("usage.sums" if self._by else "usage.by_day"), 2)
            plain(text("usage.csv"), self._download, icon="download")
        if self._by:
            self._table("sums", _USED, {("", group): one for group, one in self._used.by_group().items()})
            heading(text("usage.by_day"), 2)
        self._table("by_day", _USED, self._used.cells)
        self._fared("fared", COLUMNS, self._requests)
        if self._by in RUN_FIELDS:
            self._fared("ran", RUN_COLUMNS, self._runs)
        said = {"requests": f"{total.requests:,}", "tokens": f"{total.tokens:,}", "cost": dollars(total.cost)}
        return text("usage.summary", **said)

    def _plot(self) -> None:
        visitor, names = self._visitor, self._names
        for title, plot in (("usage.tokens", plots.tokens), ("usage.cost", plots.cost)):
            with ui.element("section"):
                heading(visitor.text(title), 2)
                plot(visitor, self._used, names)
        grouped = "_grouped" if self._by else ""
        if self._requests.cells:
            with ui.element("section"):
                heading(title := visitor.text(f"usage.times{grouped}"), 2)
                if any(one.p95 is not None for one in self._requests.cells.values()):
                    fared_plots.times(visitor, self._requests, names, title, _TIMES)
                else:
                    ui.label(visitor.text("usage.no_times")).classes("empty")
            with ui.element("section"):
                heading(title := visitor.text(f"usage.errors{grouped}"), 2)
                fared_plots.ends(visitor, self._requests, names, title, "errors")
        if self._runs.cells:
            with ui.element("section"):
                heading(title := visitor.text(f"usage.run_times{grouped}"), 2)
                fared_plots.times(visitor, self._runs, names, title, _RUN_TIMES)
            with ui.element("section"):
                heading(title := visitor.text(f"usage.run_ends{grouped}"), 2)
                fared_plots.ends(visitor, self._runs, names, title, "ends")

    def _fared(self, kind: str, fields: Sequence[str], answer: FaredAnswer[Fared] | FaredAnswer[Ran]) -> None:
        """How requests, or runs, fared."""
        heading(self._visitor.text(f"usage.{kind}"), 2)
        ui.label(self._visitor.text(f"usage.{kind}_hint")).classes("quiet")
        if self._by and answer.cells:
            self._table(f"{kind}_sums", fields, {("", group): answer.sums[group] for group in answer.groups()})
            heading(self._visitor.text(f"usage.{kind}_by_day"), 2)
        self._table(f"{kind}_by_day", fields, answer.cells)

    def _table(self, title: str, fields: Sequence[str], cells: _Cells) -> None:
        text, by, daily = self._visitor.text, self._by, title.endswith("by_day")
        # As a time, it stays on one line.
        first = {"name": "day", "label": text("usage.day"), "sorts": True, "kind": "time"}
        columns: list[dict[str, Any]] = [first] if daily else []
        columns += [{"name": "group", "label": _title(text(f"usage.by_{by}")), "sorts": True}] if by else []
        columns += [{"name": one, "label": text(f"usage.{one}"), "kind": "number", "sorts": True} for one in fields]
        rows: list[dict[str, Any]] = []
        for (day, group), figures in cells.items():
            shown: dict[str, Any] = {"day": day, "group": self._names.get(group, group)}
            for one in fields:
                value = getattr(figures, one)
                shown[one] = {"text": self._told(one, value), "sort": -1 if value is None else value}
            rows.append({"id": f"{day} {group}", "name": day, "cells": shown})
        order = ("day", True) if daily else None
        empty = text(f"usage.no_{title.partition('_')[0]}" if title.startswith(("fared", "ran")) else "usage.no_calls")
        with ui.element("div").classes("wide-table"):
            Listing(self._visitor, caption=text(f"usage.{title}"), columns=columns, empty=empty, order=order).show(rows)

    def _told(self, name: str, value: float | None) -> str:
        """A figure as people read it."""
        if value is None:
            return "–"
        if name == "cost":
            return dollars(value)
        if name == "share":
            return f"{value:.1f} %"
        return milliseconds(self._visitor, round(value)) if name.endswith(("p50", "p95")) else f"{value:,}"

    def _download(self) -> None:
        """What is shown, by day."""
        text, by, asked = self._visitor.text, self._by, self._used.question
        run_fields = RUN_COLUMNS if by in RUN_FIELDS else ()
        head = [text("usage.day"), *([_title(text(f"usage.by_{by}")), "ID"] if by else [])]
        head += [text(f"usage.{one}") for one in _USED]
        head += [text("usage.csv_request", what=self._head(one)) for one in COLUMNS]
        head += [text("usage.csv_run", what=self._head(one)) for one in run_fields]
        rows: list[list[str | int | float]] = [list(head)]
        for day, one in sorted({*self._used.cells, *self._requests.cells, *self._runs.cells}):
            figures = self._used.cells.get((day, one), Figures())
            called = [self._names.get(one, one), one] if by else []
            used = [getattr(figures, name) for name in _USED]
            requests = _values(self._requests.of_day(day, one), COLUMNS)
            rows.append([day, *called, *used, *requests, *_values(self._runs.of_day(day, one), run_fields)])
        name = f"usage-{asked.first.isoformat()}-{asked.last.isoformat()}.csv"
        ui.download.content(as_csv(rows), name, "text/csv")

    def _head(self, field: str) -> str:
        """What a column of the file is called: times have a unit there."""
        name = self._visitor.text(f"usage.{field}")
        return f"{name} (ms)" if field.endswith(("p50", "p95")) else f"{name} (%)" if field == "share" else name


def _values(one: Fared | Ran | None, fields: Sequence[str]) -> list[str | int | float]:
    """Figures for the file; empty where there are none."""
    values = [getattr(one, name) if one else None for name in fields]
    return ["" if value is None else value for value in values]


def _title(name: str) -> str:
    """A word as it begins a column."""
    return name[:1].upper() + name[1:]
