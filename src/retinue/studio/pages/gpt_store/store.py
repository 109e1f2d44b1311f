"""The store: shelves, and what a search finds."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from nicegui import ui

from ...elements.controls import heading, plain
from ...elements.dialogs import working
from ...visitor import Visitor
from ..gpts.categories import categories
from .common import Json, cards, head

#: GPTs on a shelf, and on a page of what was found.
_SHELF, _PAGE = 6, 24
_SORTS = ("newest", "most_used", "top_rated", "featured")
_LONGEST = 256


class _Store:
    """The page."""

    def __init__(self, visitor: Visitor, request: Request) -> None:
        self._visitor, text = visitor, visitor.text
        asked = request.query_params
        category, sort = asked.get("category", ""), asked.get("sort", "")
        head(visitor, "gpt_store.title", "gpt_store.hint", "/gpts")
        with ui.element("div").classes("tools").props("role=search"):
            self._words = ui.input(text("gpt_store.search"), value=asked.get("q", "")[:_LONGEST]).classes("wide")
            self._words.props(f"dense outlined clearable type=search maxlength={_LONGEST} debounce=250")
            offered = {"": text("gpt_store.all_categories"), **categories(visitor)}
            self._category = ui.select(
                offered, value=category if category in offered else "", label=text("gpt_store.category")
            )
            sorts = {one: text(f"gpt_store.{one}") for one in _SORTS}
            self._sort = ui.select(sorts, value=sort if sort in sorts else _SORTS[0], label=text("gpt_store.sort"))
        # Shelves have an order of their own; whoever asks for one wants a list.
        self._listed = sort in sorts
        for one in (self._category, self._sort):
            one.props("dense outlined")
        self._words.on_value_change(self._search)
        self._category.on_value_change(self._search)
        self._sort.on_value_change(self._order)
        self._found = ui.element("div").classes("gpt-found")
        self._asked = 0

    async def _order(self) -> None:
        self._listed = True
        await self._search()

    async def _search(self) -> None:
        query = {"q": self._query, "category": self._category.value, "sort": self._sort.value if self._listed else ""}
        kept = urlencode({key: value for key, value in query.items() if value})
        ui.run_javascript(f"history.replaceState(null, '', {json.dumps('/gpts' + (f'?{kept}' if kept else ''))})")
        await self.show()

    @property
    def _query(self) -> str:
        return (self._words.value or "").strip()

    async def show(self) -> None:
        """Show shelves; or, where something is sought, what is found."""
        self._asked += 1
        asked = self._asked
        if self._query or self._category.value or self._listed:
            wanted: dict[str, Any] = {"q": self._query or None, "category": self._category.value or None}
            wanted["sort"] = self._sort.value
            page = await self._visitor.get("/gpts", limit=_PAGE, **wanted)
            # Whoever types on is shown what was asked last.
            if asked == self._asked:
                self._show_found(page, wanted)
            return
        shelves = await asyncio.gather(*(self._visitor.get("/gpts", sort=sort, limit=_SHELF) for sort in _SORTS))
        if asked == self._asked:
            self._show_shelves(dict(zip(_SORTS, shelves, strict=True)))

    def _show_found(self, page: Json, wanted: dict[str, Any]) -> None:
        text = self._visitor.text
        self._found.clear()
        with self._found:
            gpts: list[Json] = page["data"]
            if not gpts:
                ui.label(text("gpt_store.none_found")).classes("empty").props("role=status")
                return
            said = "gpt_store.found_more" if page["has_more"] else "gpt_store.found"
            ui.label(text(said, count=len(gpts))).classes("quiet").props("role=status")
            place = ui.element("div").classes("gpt-found")
            with place:
                cards(self._visitor, gpts, text("gpt_store.all"))
            if page["has_more"]:
                self._offer_more(place, page["last_id"], wanted)

    def _offer_more(self, place: ui.element, last: str, wanted: dict[str, Any]) -> None:
        async def more() -> None:
            with working(button):
                page = await self._visitor.get("/gpts", limit=_PAGE, after=last, **wanted)
            if button.is_deleted:
                # Something else is sought by now.
                return
            button.delete()
            with place:
                cards(self._visitor, page["data"], self._visitor.text("gpt_store.all"))
            with self._found:
                if page["has_more"]:
                    self._offer_more(place, page["last_id"], wanted)

        button = plain(self._visitor.text("gpt_store.more"), more).classes("gpt-more")

    def _show_shelves(self, pages: dict[str, Json]) -> None:
        self._found.clear()
        with self._found:
            newest: Json = pages["newest"]
            if not newest["data"]:
                said = "gpt_store.empty" if self._visitor.may_write else "gpt_store.empty_viewer"
                ui.label(self._visitor.text(said)).classes("empty")
                return
            self._shelf("featured", [one for one in pages["featured"]["data"] if one["featured"]])
            if newest["has_more"]:
                self._shelf("most_used", [one for one in pages["most_used"]["data"] if _used(one)])
                self._shelf("top_rated", [one for one in pages["top_rated"]["data"] if _liked(one)])
            self._shelf("newest", newest["data"])

    def _shelf(self, sort: str, gpts: list[Json]) -> None:
        if not gpts:
            return
        name = self._visitor.text(f"gpt_store.{sort}")
        with ui.element("section"):
            with ui.element("div").classes("gpt-shelf"):
                heading(name, 2)
                link = ui.link(self._visitor.text("gpt_store.see_all"), f"/gpts?sort={sort}")
                link.props["aria-label"] = self._visitor.text("gpt_store.see_all_of", name=name)
            cards(self._visitor, gpts, name)


def _used(gpt: Json) -> bool:
    return gpt["statistics"]["conversations"] > 0


def _liked(gpt: Json) -> bool:
    return gpt["statistics"]["reviews"] > 0


async def build(visitor: Visitor, request: Request) -> None:
    """Make the page."""
    await _Store(visitor, request).show()
