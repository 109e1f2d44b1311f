"""The page of usage."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from fastapi import Request
from nicegui import ui

from ...elements.controls import heading
from ...visitor import Visitor
from ..files import STYLE
from .fared import ask_fared, ask_runs
from .figures import FIELDS, MOST_DAYS, Question, ask, names_of, projects_of
from .tables import Tables

_PERIODS = (7, 30, 90)
#: From choices of whose requests count to what the API is asked for.
_FROM: Mapping[str, bool | None] = {"both": None, "programs": False, "pages": True}


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
            origins = {one: text(f"usage.from_{one}") for one in _FROM}
            self._origin = ui.select(origins, value="both", label=text("usage.from_which"))
        for day in (self._first, self._last):
            day.props("type=date stack-label").bind_visibility_from(self._period, "value", value=0)
        for one in (self._period, self._first, self._last, self._by, self._project, self._origin):
            one.props("outlined dense").on_value_change(self.load)
        self._state = ui.label().classes("quiet").props("role=status")
        self._content = ui.element("div").classes("usage")

    async def load(self) -> None:
        """Ask for what is chosen, and show it."""
        text, question = self._visitor.text, self._question()
        self._asked += 1
        asked = self._asked
        if question is None:
            self._state.set_text(text("usage.bad_period", most=MOST_DAYS))
            return
        self._state.set_text(text("usage.adding"))
        try:
            used, requests, runs = await asyncio.gather(
                ask(self._visitor, question),
                ask_fared(self._visitor, question, by_page=_FROM[str(self._origin.value)]),
                ask_runs(self._visitor, question),
            )
            groups = list(dict.fromkeys([*used.by_group(), *requests.groups(), *runs.groups()]))
            names = await names_of(self._visitor, question.by, groups)
        except Exception:
            if asked == self._asked:
                self._state.set_text("")
            raise
        # What was chosen meanwhile is shown, not this.
        if asked == self._asked:
            self._content.clear()
            with self._content:
                self._state.set_text(Tables(self._visitor, used, requests, runs, names).show())

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


async def build(visitor: Visitor, request: Request) -> None:
    """The page; for owners of the organization."""
    ui.add_head_html(STYLE)
    if not visitor.administers:
        heading(visitor.text("usage.title"))
        ui.label(visitor.text("usage.owners_only")).classes("empty")
        return
    await _Usage(visitor, await projects_of(visitor)).load()
