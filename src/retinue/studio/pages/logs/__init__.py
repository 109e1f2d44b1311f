"""Logs: all runs of the project, the chat completions that were stored, and the requests."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from ...elements.controls import heading
from ...frame import Page
from ...visitor import Visitor
from .completion import build as build_completion
from .lists import Completions, LogList, Runs
from .request import build as build_request
from .requests import Requests

_LISTS: dict[str, type[LogList]] = {"runs": Runs, "completions": Completions, "requests": Requests}


async def _build(visitor: Visitor, request: Request) -> None:
    ui.add_head_html('<link rel="stylesheet" href="/static/runs.css">')
    heading(visitor.text("logs.title"))
    chosen = request.query_params.get("show", "")
    tab = chosen if chosen in _LISTS else "runs"

    async def fill(name: str) -> None:
        content.clear()
        content.props["aria-label"] = visitor.text(f"logs.{name}")
        # What comes late of another tab finds its place gone.
        with content, ui.element("div"):
            await _LISTS[name](visitor).build()

    async def change(event: ValueChangeEventArguments[Any]) -> None:
        # A reload, and the way back from a row, find the same list again.
        ui.navigate.history.replace(f"/logs?show={event.value}")
        await fill(str(event.value))

    with ui.tabs().props("dense no-caps align=left").classes("run-tabs") as tabs:
        made = {name: ui.tab(name, visitor.text(f"logs.{name}")) for name in _LISTS}
    tabs.set_value(made[tab])
    tabs.on_value_change(change)
    content = ui.element("div").props("role=tabpanel tabindex=0")
    await fill(tab)


PAGES = (
    Page("/logs", "logs.title", _build, icon="receipt_long", group="watch"),
    Page("/logs/completions/{completion}", "logs.completion", build_completion),
    Page("/logs/requests/{request}", "logs.request", build_request),
)
