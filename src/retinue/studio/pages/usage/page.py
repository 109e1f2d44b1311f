"""The page of usage."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from fastapi import Request
from nicegui import ui

from ...elements.controls import heading, plain
from ...elements.listing import Listing
from ...visitor import Visitor
from ..files import STYLE
from . import plots
from .figures import FIELDS, MOST_DAYS, Answer, Figures, Question, ask, names_of, projects_of
from .spreadsheet import as_csv

_PERIODS = (7, 30, 90)
#: Figures of a row of the tables, in their order.
_COLUMNS = ("requests", "input", "cached", "output", "cost")


class _Usage:
    """The page."""

    def __init__(self, visitor: Visitor, projects: Mapping[str, str]) -> None:
        self._visitor, text = visitor, visitor.text
        self._asked = 0
        heading(text("usage.title"))
        ui.label(text("usage.hint")).classes("quiet")
        today = datetime.now(UTC).date()
        with ui.element("div").classes("tools"):
            periods: dict[int, str] = {days: text("usage.days", count=days) for days in _PERIODS}
            self._period = ui.select({**periods, 0: text("usage.custom")}, value=30, label=text("usage.period"))
            self._first = ui.input(text("usage.from"), value=(today - timedelta(days=29)).isoformat())
            self._last = ui.input(text("usage.to"), value=today.isoformat())
            fields = {"": text("usage.by_none"), **{one: text(f"usage.by_{one}") for one in FIELDS}}
            self._by = ui.select(fields, value="", label=text("usage.by"))
            choices = {"": text("usage.all_projects"), **projects}
            self._project = ui.select(choices, value="", label=text("usage.project"))
        for day in (self._first, self._last):
            day.props("type=date stack-label").bind_visibility_from(self._period, "value", value=0)
        for one in (self._period, self._first, self._last, self._by, self._project):
            one.props("outlined dense").on_value_change(self.load)
        self._state = ui.label().classes("quiet").props("role=status")
        self._content = ui.element("div").classes("usage")

    async def load(self) -> None:
        """Ask for what is chosen, and show it."""
        text, question = self._visitor.text, self._question()
        if question is None:
            self._state.set_text(text("usage.bad_period", most=MOST_DAYS))
            return
        self._asked += 1
        asked = self._asked
        self._state.set_text(text("usage.adding"))
        try:
            answer = await ask(self._visitor, question)
            names = await names_of(self._visitor, question.by, list(answer.by_group()))
        except Exception:
            self._state.set_text("")
            raise
        # What was chosen meanwhile is shown, not this.
        if asked == self._asked:
            self._content.clear()
            with self._content:
                self._show(answer, names)

    def _question(self) -> Question | None:
        """What is asked for; None if the days make no sense."""
        by, project = str(self._by.value or ""), str(self._project.value or "")
        if days := int(self._period.value or 0):
            today = datetime.now(UTC).date()
            return Question(today - timedelta(days=days - 1), today, by, project)
        try:
            first, last = (date.fromisoformat(str(one.value or "")) for one in (self._first, self._last))
        except ValueError:
            return None
        long = (last - first).days + 1
        return Question(first, last, by, project) if 0 < long <= MOST_DAYS and first.year >= 1970 else None

    def _show(self, answer: Answer, names: Mapping[str, str]) -> None:
        text, total = self._visitor.text, answer.total()
        if not answer.cells:
            self._state.set_text("")
            ui.label(text("usage.nothing")).classes("empty")
            return
        said = {"requests": f"{total.requests:,}", "tokens": f"{total.tokens:,}", "cost": dollars(total.cost)}
        self._state.set_text(text("usage.summary", **said))
        with ui.element("div").classes("plots"):
            for title, plot in (("usage.tokens", plots.tokens), ("usage.cost", plots.cost)):
                with ui.element("section"):
                    heading(text(title), 2)
                    plot(self._visitor, answer, names)
        with ui.element("div").classes("page-head"):
            heading(text("usage.sums" if answer.question.by else "usage.by_day"), 2)
            plain(text("usage.csv"), lambda: self._download(answer, names), icon="download")
        if answer.question.by:
            self._table("sums", answer, {("", group): one for group, one in answer.by_group().items()}, names)
            heading(text("usage.by_day"), 2)
        self._table("by_day", answer, answer.cells, names)

    def _table(
        self, title: str, answer: Answer, cells: Mapping[tuple[str, str], Figures], names: Mapping[str, str]
    ) -> None:
        text, by, daily = self._visitor.text, answer.question.by, title == "by_day"
        columns: list[dict[str, Any]] = [{"name": "day", "label": text("usage.day"), "sorts": True}] if daily else []
        columns += [{"name": "group", "label": _title(text(f"usage.by_{by}")), "sorts": True}] if by else []
        columns += [{"name": one, "label": text(f"usage.{one}"), "kind": "number", "sorts": True} for one in _COLUMNS]
        rows: list[dict[str, Any]] = []
        for (day, group), figures in cells.items():
            shown: dict[str, Any] = {"day": day, "group": names.get(group, group)}
            for one in _COLUMNS:
                value = getattr(figures, one)
                shown[one] = {"text": dollars(value) if one == "cost" else f"{value:,}", "sort": value}
            rows.append({"id": f"{day} {group}", "name": day, "cells": shown})
        order = ("day", True) if daily else None
        Listing(self._visitor, caption=text(f"usage.{title}"), columns=columns, empty="", order=order).show(rows)

    def _download(self, answer: Answer, names: Mapping[str, str]) -> None:
        """What is shown, by day."""
        text, asked = self._visitor.text, answer.question
        group = [_title(text(f"usage.by_{asked.by}")), "ID"] if asked.by else []
        head = [text("usage.day"), *group, *(text(f"usage.{one}") for one in _COLUMNS)]
        rows: list[list[str | int | float]] = [list(head)]
        for (day, one), figures in answer.cells.items():
            called = [names.get(one, one), one] if asked.by else []
            rows.append([day, *called, *(getattr(figures, name) for name in _COLUMNS)])
        name = f"usage-{asked.first.isoformat()}-{asked.last.isoformat()}.csv"
        ui.download.content(as_csv(rows), name, "text/csv")


def _title(name: str) -> str:
    """A word as it begins a column."""
    return name[:1].upper() + name[1:]


def dollars(amount: float) -> str:
    """An amount as people read it: cents where there are dollars, more of small amounts."""
    if amount >= 1 or not amount:
        return f"{amount:,.2f}"
    return f"{amount:.4f}" if amount >= 0.01 else f"{amount:.9f}".rstrip("0")


async def build(visitor: Visitor, request: Request) -> None:
    """The page; for owners of the organization."""
    ui.add_head_html(STYLE)
    if not visitor.administers:
        heading(visitor.text("usage.title"))
        ui.label(visitor.text("usage.owners_only")).classes("empty")
        return
    await _Usage(visitor, await projects_of(visitor)).load()
