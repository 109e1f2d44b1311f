"""The page of a GPT's analytics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from fastapi import Request
from nicegui import ui

from ...elements.amounts import dollars
from ...elements.controls import heading, plain
from ...elements.listing import Listing
from ...elements.moment import Moment
from ...visitor import Visitor
from ..files import STYLE
from ..usage.plots import bars
from ..usage.spreadsheet import as_csv
from .feedback import Feedback

#: An object as the API answers it.
Json = Mapping[str, Any]
_PERIODS, _MOST_DAYS = (7, 30, 90), 366
#: Figures of a row of the tables, those of the summary, and those that are downloaded, in their order.
_COLUMNS = (*("conversations", "users", "runs", "errors", "unanswered", "thumbs_up", "thumbs_down", "tokens", "cost"),)
_SUMMARY = (
    "conversations",
    "users",
    "runs",
    "unanswered",
    "thumbs_up",
    "thumbs_down",
    "median_seconds",
    "tokens",
    "cost",
)
_DOWNLOADED = (
    *("conversations", "users", "runs", "messages", "errors", "found_nothing", "unanswered", "thumbs_up"),
    *("thumbs_down", "input_tokens", "output_tokens", "cost", "median_seconds"),
)
#: Words of columns that are shorter than elsewhere.
_SHORT = {"thumbs_up": "up_short", "thumbs_down": "down_short"}
#: Of what is good, what is bad, and errors.
_QUALITY = ("#4f9d69", "#c2603a", "#8a8a92")


class _Analytics:
    """The page."""

    def __init__(self, visitor: Visitor, gpt: Json) -> None:
        self._visitor, self._gpt, text = visitor, gpt, visitor.text
        self._asked = 0
        self._found: Json | None = None
        with ui.element("div").classes("page-head"):
            heading(text("gpt_analytics.of", name=gpt["name"]))
            ui.link(text("gpt_analytics.edit"), f"/gpts/edit/{gpt['id']}")
        ui.label(text("gpt_analytics.hint")).classes("quiet")
        today = datetime.now(UTC).date()
        with ui.element("div").classes("tools"):
            periods = {days: text("gpt_analytics.days", count=days) for days in _PERIODS}
            choices: dict[int, str] = {**periods, 0: text("gpt_analytics.custom")}
            self._period = ui.select(choices, value=30, label=text("gpt_analytics.period"))
            self._first = ui.input(text("gpt_analytics.from"), value=(today - timedelta(days=29)).isoformat())
            self._last = ui.input(text("gpt_analytics.to"), value=today.isoformat())
            versions: dict[int, str] = {0: text("gpt_analytics.every_version")}
            self._version = ui.select(versions, value=0, label=text("gpt_analytics.version"))
        for day in (self._first, self._last):
            day.props("type=date stack-label").bind_visibility_from(self._period, "value", value=0)
        for one in (self._period, self._first, self._last):
            one.props("outlined dense").on_value_change(self.load)
        self._version.props("outlined dense").on_value_change(self._show)
        self._state = ui.label().classes("quiet").props("role=status")
        self._content = ui.element("div").classes("usage")

    async def load(self) -> None:
        """Ask for the days that are chosen, and show them."""
        text, days = self._visitor.text, self._days()
        self._asked += 1
        asked = self._asked
        if days is None:
            self._state.set_text(text("gpt_analytics.bad_period", most=_MOST_DAYS))
            return
        self._state.set_text(text("gpt_analytics.loading"))
        try:
            found = await self._visitor.get(
                f"/gpts/{self._gpt['id']}/analytics", **{"from": days[0].isoformat(), "to": days[1].isoformat()}
            )
        finally:
            if asked == self._asked:
                self._state.set_text("")
        # What was chosen meanwhile is shown, not this.
        if asked == self._asked:
            self._found = found
            names = {
                one["version"]: text("gpt_analytics.version_of", number=one["version"]) for one in found["versions"]
            }
            chosen = self._version.value if self._version.value in names else 0
            self._version.set_options({0: text("gpt_analytics.every_version"), **names}, value=chosen)
            self._show()

    def _days(self) -> tuple[date, date] | None:
        """The first and the last day; None if they make no sense."""
        if days := int(self._period.value or 0):
            today = datetime.now(UTC).date()
            return today - timedelta(days=days - 1), today
        try:
            first, last = (date.fromisoformat(str(one.value or "")) for one in (self._first, self._last))
        except ValueError:
            return None
        return (first, last) if 0 <= (last - first).days < _MOST_DAYS and first.year >= 1970 else None

    def _show(self) -> None:
        found, version = self._found, int(self._version.value or 0)
        if found is None:
            return
        self._content.clear()
        with self._content:
            self._show_figures(found, version)

    def _show_figures(self, found: Json, version: int) -> None:
        text = self._visitor.text
        if not found["versions"]:
            said = "nothing" if self._gpt["version"] else "unpublished"
            ui.label(text(f"gpt_analytics.{said}")).classes("empty")
            return
        days = [one for one in found["days"] if version in (0, one["version"])]
        versions = [one for one in found["versions"] if version in (0, one["version"])]
        self._summary(versions[0] if version else found["total"])
        self._plots(found, days)
        heading(text("gpt_analytics.versions"), 2)
        self._table("versions", ("version",), versions)
        with ui.element("div").classes("page-head level"):
            heading(text("gpt_analytics.by_day"), 2)
            plain(text("gpt_analytics.csv"), lambda: self._download(found, days), icon="download")
        with ui.element("details"):
            with ui.element("summary"):
                ui.label(text("gpt_analytics.days_of", count=len({one["date"] for one in days})))
            self._table("by_day", ("date", "version"), days)
        self._questions([one for one in found["questions"] if version in (0, one["version"])])

    def _summary(self, figures: Json) -> None:
        text = self._visitor.text
        with ui.element("dl").classes("figures card").props(f'aria-label="{text("gpt_analytics.summary")}"'):
            for name in _SUMMARY:
                with ui.element("div"):
                    with ui.element("dt"):
                        ui.label(text(f"gpt_analytics.{name}"))
                    with ui.element("dd"):
                        ui.label(self._words(figures, name))
        ui.label(text("gpt_analytics.unanswered_hint")).classes("quiet small")

    def _words(self, figures: Json, name: str) -> str:
        """A figure as people read it."""
        value = _value(figures, name)
        if name == "cost":
            return dollars(value)
        if name == "median_seconds":
            return "–" if value is None else self._visitor.text("gpt_analytics.seconds", count=f"{value:g}")
        return f"{value:,}"

    def _plots(self, found: Json, days: Sequence[Json]) -> None:
        text = self._visitor.text
        first, last = (date.fromisoformat(found[name]) for name in ("from", "to"))
        dates = [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]
        place = {day: number for number, day in enumerate(dates)}
        runs: dict[str, list[float]] = {}
        quality = {text(f"gpt_analytics.{name}"): [0.0] * len(dates) for name in ("thumbs_up", "thumbs_down", "errors")}
        cost = [0.0] * len(dates)
        for one in days:
            at = place[one["date"]]
            name = text("gpt_analytics.version_of", number=one["version"])
            runs.setdefault(name, [0.0] * len(dates))[at] += one["runs"]
            for key in ("thumbs_up", "thumbs_down", "errors"):
                quality[text(f"gpt_analytics.{key}")][at] += one[key]
            cost[at] = round(cost[at] + one["cost"]["value"], 9)
        with ui.element("div").classes("plots three"):
            self._plot("plot_runs", dates, runs, whole=True)
            self._plot("plot_quality", dates, quality, colours=_QUALITY, whole=True)
            self._plot("plot_cost", dates, {text("gpt_analytics.cost"): cost})

    def _plot(self, title: str, dates: Sequence[str], series: Mapping[str, Sequence[float]], **look: Any) -> None:
        said = self._visitor.text(f"gpt_analytics.{title}")
        with ui.element("section"):
            heading(said, 2)
            bars(self._visitor, said, dates, series, **look)

    def _table(self, title: str, keys: Sequence[str], found: Sequence[Json]) -> None:
        text = self._visitor.text
        labels = {"date": text("gpt_analytics.day"), "version": text("gpt_analytics.version")}
        columns: list[dict[str, Any]] = [{"name": key, "label": labels[key], "sorts": True} for key in keys]
        for name in _COLUMNS:
            label = text(f"gpt_analytics.{_SHORT.get(name, name)}")
            columns.append({"name": name, "label": label, "kind": "number", "sorts": True})
        rows: list[dict[str, Any]] = []
        for figures in found:
            said = {key: str(figures[key]) for key in keys}
            said["version"] = text("gpt_analytics.version_of", number=figures["version"])
            cells: dict[str, Any] = {key: {"text": said[key], "sort": figures[key]} for key in keys}
            for name in _COLUMNS:
                cells[name] = {"text": self._words(figures, name), "sort": _value(figures, name)}
            called = " ".join(str(figures[key]) for key in keys)
            rows.append({"id": called, "name": called, "cells": cells})
        order = (keys[0], True)
        caption = text(f"gpt_analytics.{title}")
        with ui.element("div").classes("wide-table"):
            Listing(self._visitor, caption=caption, columns=columns, empty="", order=order).show(rows)

    def _questions(self, questions: Sequence[Json]) -> None:
        text = self._visitor.text
        heading(text("gpt_analytics.questions"), 2)
        if not questions:
            ui.label(text("gpt_analytics.no_questions")).classes("quiet")
            return
        ui.label(text("gpt_analytics.questions_hint")).classes("quiet")
        with ui.element("ul").classes("said"):
            for one in questions:
                with ui.element("li"):
                    ui.label(one["question"] or "–").classes("words")
                    if one["comment"]:
                        ui.label(one["comment"]).classes("words quiet")
                    with ui.element("div").classes("about"):
                        ui.label(text(f"gpt_analytics.reason_{one['reason']}")).classes("pill")
                        ui.label(text("gpt_analytics.version_of", number=one["version"]))
                        Moment(self._visitor, one["asked_at"])

    def _download(self, found: Json, days: Sequence[Json]) -> None:
        """What is shown, by day and version."""
        text = self._visitor.text
        head = [text("gpt_analytics.day"), text("gpt_analytics.version")]
        rows: list[list[str | int | float]] = [[*head, *(text(f"gpt_analytics.{name}") for name in _DOWNLOADED)]]
        for one in days:
            values = [_value(one, name) for name in _DOWNLOADED]
            rows.append([one["date"], one["version"], *("" if value is None else value for value in values)])
        name = f"{self._gpt['slug']}-{found['from']}-{found['to']}.csv"
        ui.download.content(as_csv(rows), name, "text/csv")


def _value(figures: Json, name: str) -> Any:
    """A figure: a number, or None where there is none."""
    if name == "tokens":
        return figures["input_tokens"] + figures["output_tokens"]
    return figures[name]["value"] if name == "cost" else figures[name]


async def build(visitor: Visitor, request: Request) -> None:
    """The page, for who may edit the GPT."""
    ui.add_head_html(STYLE)
    ui.add_head_html('<link rel="stylesheet" href="/static/gpt-analytics.css">')
    gpt: Json = await visitor.get(f"/gpts/{quote(request.path_params['gpt'], safe='')}")
    page = _Analytics(visitor, gpt)
    await page.load()
    await Feedback(visitor, gpt["id"]).load()
