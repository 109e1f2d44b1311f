"""For administrators: what was reported, what waits for approval, and what is hidden."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import Request
from nicegui import ui

from ...elements.controls import heading, plain
from ...elements.dialogs import form
from ...elements.moment import Moment
from ...visitor import Visitor
from .common import Json, administers, author, cards, head

_MOST = 100


class _Reports:
    """The page."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        head(visitor, "gpt_store.reports", "gpt_store.reports_hint", "/gpts/reports")
        self._all = ui.element("div").classes("gpt-found")

    async def load(self) -> None:
        """Show all anew."""
        get, text = self._visitor.get, self._visitor.text
        opened, resolved, waiting, hidden = await asyncio.gather(
            get("/gpts/reports", status="open", limit=_MOST),
            get("/gpts/reports", status="resolved", limit=20),
            get("/gpts", scope="waiting", limit=_MOST),
            get("/gpts", scope="hidden", limit=_MOST),
        )
        self._all.clear()
        with self._all:
            self._list("open_reports", opened["data"])
            if not opened["data"]:
                ui.label(text("gpt_store.no_open_reports")).classes("quiet")
            # Where the store shows everything, nothing waits.
            for title, gpts in (
                ("waiting", [one for one in waiting["data"] if one["moderation"]["waits"]]),
                ("hidden_gpts", hidden["data"]),
            ):
                if gpts:
                    with ui.element("section"):
                        heading(text(f"gpt_store.{title}"), 2)
                        cards(self._visitor, gpts, text(f"gpt_store.{title}"))
            if resolved["data"]:
                self._list("resolved_reports", resolved["data"])

    def _list(self, title: str, reports: list[Json]) -> None:
        heading(self._visitor.text(f"gpt_store.{title}"), 2)
        with ui.element("ul").classes("gpt-rows") as there:
            there.props["aria-label"] = self._visitor.text(f"gpt_store.{title}")
            for report in reports:
                with ui.element("li"):
                    self._one(report)

    def _one(self, report: Json) -> None:
        text = self._visitor.text
        with ui.element("div").classes("gpt-words"):
            ui.link(report["gpt_name"], f"/gpts/{report['gpt_id']}").classes("name")
            with ui.element("span").classes("facts"):
                reason = text(f"gpt_store.reason_{report['reason']}")
                ui.label(text("gpt_store.reported_by", reason=reason, name=author(self._visitor, report)))
                Moment(self._visitor, report["created_at"])
            if report["text"]:
                ui.label(report["text"]).classes("said")
            if report["resolution"]:
                ui.label(text("gpt_store.resolution_was", text=report["resolution"])).classes("quiet")
        if report["status"] == "open":
            button = plain(text("gpt_store.resolve"), lambda: self._resolve(report))
            button.props["aria-label"] = text("gpt_store.resolve_of", name=report["gpt_name"])

    def _resolve(self, report: Json) -> None:
        text = self._visitor.text

        def fill() -> Callable[[], Awaitable[None]]:
            done = ui.textarea(text("gpt_store.resolution")).props("outlined dense maxlength=2000 autogrow")

            async def resolve() -> None:
                await self._visitor.post(f"/gpts/reports/{report['id']}/resolve", {"resolution": done.value or ""})
                await self.load()

            return resolve

        title = text("gpt_store.resolve_title", name=report["gpt_name"])
        form(self._visitor, title, text("gpt_store.resolve"), fill)


async def build(visitor: Visitor, request: Request) -> None:
    """Make the page."""
    if not administers(visitor):
        head(visitor, "gpt_store.reports", "gpt_store.only_administrators", "/gpts/reports")
        return
    await _Reports(visitor).load()
