"""The list of agents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import openai
from fastapi import Request
from nicegui import ui

from ...elements.amounts import money
from ...elements.controls import heading, primary
from ...visitor import Visitor
from ..logs.lists import LogList
from .common import AT_WORK, STATUSES, STYLE, TONES, Json, address, in_a_line

#: Seconds between two looks, while one of those shown is at work.
_LOOK = 4.0


class _Agents(LogList):
    """All agents, or those of a status; the newest are looked at again while they work."""

    path, caption, empty = "/agents", "agents.title", "agents.none"

    def __init__(self, visitor: Visitor) -> None:
        super().__init__(visitor)
        #: What is shown, while that is the first page only.
        self._first: list[Json] | None = None
        self._busy = False

    async def build(self) -> None:
        text = self._visitor.text
        with ui.element("div").classes("filters"):
            statuses = {"": text("agents.all"), **{one: text(f"agents.status_{one}") for one in STATUSES}}
            select = ui.select(statuses, value="", label=text("agents.status"))
            select.props("outlined dense options-dense").on_value_change(lambda event: self._choose(event.value))
        with ui.element("div").classes("agents-list"):
            await super().build()
        ui.timer(_LOOK, self._look, immediate=False)

    def columns(self) -> Sequence[dict[str, str]]:
        text = self._visitor.text
        return [
            {"key": "name", "label": text("agents.name")},
            {"key": "status", "label": text("agents.status")},
            {"key": "goals", "label": text("agents.goals")},
            {"key": "cycles", "label": text("agents.cycles"), "kind": "number"},
            {"key": "cost", "label": text("agents.cost"), "kind": "number"},
            {"key": "time", "label": text("agents.begun"), "kind": "time"},
        ]

    def row(self, value: Json) -> dict[str, Any]:
        text = self._visitor.text
        name = value["name"]
        return {
            "href": address(value["id"]),
            "name": text("agents.sub", name=name) if value["parent_id"] else name,
            "status": text(f"agents.status_{value['status']}"),
            "goals": in_a_line(value["goals"]),
            "cycles": f"{value['cycles']:,}",
            "cost": money(value["cost"]),
            "time": value["created_at"],
            "tones": {"status": TONES.get(value["status"], "")},
        }

    async def _choose(self, status: str) -> None:
        self._filters["status"] = status or None
        self.empty = "agents.none_found" if status else "agents.none"
        await self._show()

    async def _show(self) -> None:
        await super()._show()
        if self._first == [] and not self._filters.get("status"):
            self._place.clear()
            with self._place:
                explain(self._visitor)

    async def _page(self, after: str | None = None) -> Json:
        page = await super()._page(after)
        self._seen(None if after else page["data"])
        return page

    def _seen(self, first: list[Json] | None) -> None:
        self._first = first
        self._busy = any(one["status"] in AT_WORK for one in first or [])

    async def _look(self) -> None:
        """Show how those at work fare, as long as nobody has gone on to older ones."""
        if not self._busy or not self._first:
            return
        before = self._first
        try:
            page = await super()._page()
        except openai.APIError:
            # Once is enough to be told.
            self._busy = False
            raise
        # What was chosen meanwhile is shown already.
        if self._first is before and page["data"] != before:
            self._seen(page["data"])
            self._after = page["last_id"]
            self._table.show([self.row(one) for one in page["data"]])


def explain(visitor: Visitor) -> None:
    """Say what an agent is, and lead to a first one."""
    text = visitor.text
    with ui.element("section").classes("card agents-empty"):
        heading(text("agents.what_title"), 2)
        ui.label(text("agents.what"))
        with ui.element("ol"):
            for one in ("think", "act", "ask", "end"):
                with ui.element("li"):
                    ui.label(text(f"agents.what_{one}"))
        if visitor.may_write:
            primary(text("agents.first"), lambda: ui.navigate.to("/agents/new"), icon="add")


async def build(visitor: Visitor, _: Request) -> None:
    """The page."""
    ui.add_head_html(STYLE)
    with ui.element("div").classes("agents-top"):
        heading(visitor.text("agents.title"))
        ui.space()
        if visitor.may_write:
            primary(visitor.text("agents.new"), lambda: ui.navigate.to("/agents/new"), icon="add")
    await _Agents(visitor).build()
