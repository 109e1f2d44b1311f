"""The page of a run, perhaps with another one beside it."""

from __future__ import annotations

import json
import re
from urllib.parse import quote

from fastapi import Request
from nicegui import ui

from ...elements.controls import heading, plain
from ...frame import Page
from ...visitor import Visitor
from .again import ask
from .found import find, run_page
from .panel import RunPanel

_BESIDE = re.compile(r"(thread_\w{1,100})/(run_\w{1,100})")


async def _build(visitor: Visitor, request: Request) -> None:
    ui.add_head_html('<link rel="stylesheet" href="/static/runs.css">')
    thread, run = request.path_params["thread"], request.path_params["run"]
    # Before anything is shown: where there is no such run, the page says so.
    first = await find(visitor, thread, run)
    base_url = str(request.base_url).rstrip("/") + "/v1"
    other = _BESIDE.fullmatch(request.query_params.get("beside", ""))

    async def beside(new_thread: str, new_run: str) -> None:
        ui.navigate.to(f"{run_page(thread, run)}?beside={quote(f'{new_thread}/{new_run}', safe='')}")

    panels: list[RunPanel] = []
    with ui.element("div").classes("run-top"):
        heading(visitor.text("runs.title"))
        ui.link(visitor.text("runs.all"), "/logs").classes("quiet")
        ui.space()
        link = plain(visitor.text("runs.share"), icon="link")
        copied = visitor.text("runs.shared")
        link.on(
            "click",
            lambda: ui.notify(copied, type="positive"),
            js_handler=_COPY.replace("PROJECT", json.dumps(visitor.project)),
        )
        if visitor.may_write:
            plain(visitor.text("runs.again"), lambda: ask(visitor, panels[0].found or first, beside), icon="replay")
    with ui.element("div").classes("runs" if other else "runs one"):
        places = [(thread, run, "runs.first")] + ([(other[1], other[2], "runs.second")] if other else [])
        for place_thread, place_run, label in places:
            with ui.element("div").classes("card"):
                if other:
                    heading(visitor.text(label), 2)
                panels.append(RunPanel(visitor, place_thread, place_run, base_url))
    await panels[0].load(first)
    for panel in panels[1:]:
        await panel.load()


#: Copies the page's address, with both runs, and with the project: colleagues may have chosen another one.
_COPY = """async () => {
  const rich = await import(`${window.path_prefix ?? ""}/static/rich-text.mjs`);
  const address = new URL(window.location.href);
  address.searchParams.set("project", PROJECT);
  await rich.copyText(address.href);
  emit();
}"""

PAGES = (Page("/runs/{thread}/{run}", "runs.title", _build),)
