"""The page of a GPT's guest links: for people outside the project, and for other sites."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from html import escape
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import Request
from nicegui import ui

from ...elements.controls import heading, plain, primary
from ...elements.dialogs import copying, form, question
from ...elements.moment import Moment
from ...frame import Page
from ...visitor import Visitor
from ..files import STYLE

Json = dict[str, Any]

_STYLE = '<link rel="stylesheet" href="/static/gpt-links.css">'
#: For how long a link may be good, in seconds; 0: until it is deleted.
_TIMES = {"forever": 0, "day": 86_400, "week": 7 * 86_400, "month": 30 * 86_400, "year": 365 * 86_400}
#: What a new link allows unless something else is chosen.
_LIMITS = {"max_conversations": 1000, "max_messages": 50, "max_messages_per_day": 500}


async def _build(visitor: Visitor, request: Request) -> None:
    gpt = await visitor.get(f"/gpts/{quote(request.path_params['gpt'], safe='')}")
    links = await visitor.get(f"/gpts/{gpt['id']}/links")
    ui.add_head_html(STYLE + _STYLE)
    with ui.element("div").classes("page-head"):
        heading(gpt["name"])
        ui.link(visitor.text("gpt_analytics.edit"), f"/gpts/edit/{gpt['id']}")
    with ui.element("section").classes("card guest-page"):
        heading(visitor.text("gpt_links.title"), 2)
        _Links(visitor, gpt).show(links["data"])


class _Links:
    """The links, with buttons for what can be done with them."""

    def __init__(self, visitor: Visitor, gpt: Json) -> None:
        self._visitor, self._gpt = visitor, gpt
        self._path = f"/gpts/{gpt['id']}/links"
        text = visitor.text
        ui.label(text("gpt_links.hint")).classes("quiet")
        self._list = ui.element("div").classes("guest-links")
        with ui.element("div").classes("ends"):
            if gpt["version"]:
                primary(text("gpt_links.new"), self._ask)
            else:
                ui.label(text("gpt_links.not_published")).classes("quiet")

    def show(self, links: list[Json]) -> None:
        """Show these links."""
        self._list.clear()
        with self._list:
            if not links:
                ui.label(self._visitor.text("gpt_links.empty")).classes("empty")
            for link in links:
                with ui.element("section"):
                    self._one(link)

    async def _reload(self) -> None:
        self.show((await self._visitor.get(self._path))["data"])

    def _one(self, link: Json) -> None:
        text = self._visitor.text
        name = link["name"] or text("gpt_links.unnamed")
        with ui.element("div").classes("guest-link-head"):
            heading(name, 3)
            remove = plain(text("gpt_links.delete"), self._deleting(link))
            remove.props["aria-label"] = f"{text('gpt_links.delete')}: {name}"
        with ui.element("div").classes("quiet facts"):
            used = link["used"]
            ui.label(text("gpt_links.used", conversations=used["conversations"], messages=used["messages_today"]))
            if link["expires_at"]:
                before, _, behind = text("gpt_links.until").partition("{time}")
                with ui.element("span"):
                    ui.label(before).classes("inline")
                    Moment(self._visitor, link["expires_at"])
                    ui.label(behind).classes("inline")
            ui.label(", ".join(link["sites"]) or text("gpt_links.no_sites"))
        if not link["url"]:
            ui.label(text("gpt_links.unreadable")).classes("quiet")
            return
        self._copied(text("gpt_links.link"), link["url"], text("gpt_links.copy_link"))
        if link["sites"]:
            self._copied(text("gpt_links.snippet"), snippet(link), text("gpt_links.copy_snippet"))

    def _copied(self, label: str, value: str, button: str) -> None:
        with ui.element("div").classes("secret"):
            field = ui.input(label, value=value).props("outlined dense readonly").classes("mono")
            field.props["spellcheck"] = "false"
            copying(self._visitor, plain(button, icon="content_copy"), value)

    def _ask(self) -> None:
        form(self._visitor, self._visitor.text("gpt_links.new"), self._visitor.text("gpt_links.create"), self._fields)

    def _fields(self) -> Callable[[], Awaitable[object]]:
        text = self._visitor.text
        name = ui.input(text("gpt_links.name")).props("outlined dense maxlength=80")
        sites = ui.textarea(text("gpt_links.sites")).props("outlined dense autogrow")
        ui.label(text("gpt_links.sites_hint")).classes("quiet hint")
        with ui.element("div").classes("guest-limits"):
            times = {seconds: text(f"gpt_links.{key}") for key, seconds in _TIMES.items()}
            expires = ui.select(times, value=0, label=text("gpt_links.expires")).props("outlined dense")
            limits = {
                key: ui.number(text(f"gpt_links.{key}"), value=value, min=1, precision=0).props("outlined dense")
                for key, value in _LIMITS.items()
            }
            spend = ui.number(text("gpt_links.max_spend_per_day"), min=0.01).props("outlined dense")

        async def make() -> None:
            body: Json = {
                "name": (name.value or "").strip(),
                "sites": [line.strip() for line in (sites.value or "").splitlines() if line.strip()],
                "expires_in": expires.value or None,
                "max_spend_per_day": float(spend.value) if spend.value else None,
                **{key: int(field.value or _LIMITS[key]) for key, field in limits.items()},
            }
            await self._visitor.post(self._path, body)
            await self._reload()

        return make

    def _deleting(self, link: Json) -> Callable[[], None]:
        text = self._visitor.text

        async def delete() -> None:
            await self._visitor.delete(f"{self._path}/{link['id']}")
            await self._reload()

        return lambda: question(
            self._visitor,
            text("gpt_links.delete_title"),
            text("gpt_links.delete_hint"),
            text("gpt_links.delete"),
            delete,
        )


def snippet(link: Json) -> str:
    """What another site puts into its pages."""
    parts = urlsplit(link["url"])
    host = escape(f"{parts.scheme}://{parts.netloc}{parts.path.rpartition('/g/')[0]}")
    return f'<script src="{host}/widget.js" data-gpt="{escape(link["token"])}" async></script>'


PAGES = (Page("/gpts/{gpt}/links", "gpt_links.title", _build),)
