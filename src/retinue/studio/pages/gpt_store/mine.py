"""One's own GPTs, with drafts."""

from __future__ import annotations

from fastapi import Request
from nicegui import ui

from ...elements.controls import plain, symbol
from ...elements.dialogs import question, working
from ...visitor import Visitor
from .common import Json, address, api_path, counted, edit_address, head, picture, rating, standing

_PAGE = 50


class _Mine:
    """The page."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        head(visitor, "gpt_store.mine", "gpt_store.mine_hint", "/gpts/mine")
        self._list = ui.element("ul").classes("gpt-rows")
        self._list.props["aria-label"] = visitor.text("gpt_store.mine")
        self._end = ui.element("div")

    async def load(self, after: str | None = None) -> None:
        """Show those that follow one; or all from the beginning."""
        page = await self._visitor.get("/gpts", scope="mine", limit=_PAGE, after=after)
        with self._list:
            for gpt in page["data"]:
                self._row(gpt)
        self._end.clear()
        with self._end:
            if page["has_more"]:
                button = plain(self._visitor.text("gpt_store.more"))

                async def more() -> None:
                    with working(button):
                        await self.load(page["last_id"])

                button.on_click(more)
            elif not page["data"] and not after:
                ui.label(self._visitor.text("gpt_store.empty_mine")).classes("empty")

    def _row(self, gpt: Json) -> None:
        text = self._visitor.text
        with ui.element("li") as row:
            picture(gpt, 44)
            with ui.element("div").classes("gpt-words"):
                ui.link(gpt["name"], address(gpt)).classes("name")
                with ui.element("span").classes("facts"):
                    for said, look in standing(self._visitor, gpt):
                        ui.label(said).classes(f"mark {look}")
                    if count := gpt["statistics"]["conversations"]:
                        ui.label(counted(self._visitor, "conversations", count))
                    rating(self._visitor, gpt)
            if self._visitor.may_write:
                symbol("edit", text("gpt_store.edit_of", name=gpt["name"]), lambda: ui.navigate.to(edit_address(gpt)))
                symbol("delete", text("gpt_store.delete_of", name=gpt["name"]), lambda: self._delete(gpt, row))

    def _delete(self, gpt: Json, row: ui.element) -> None:
        text = self._visitor.text

        async def delete() -> None:
            await self._visitor.delete(api_path(gpt))
            row.delete()
            ui.notify(text("gpt_store.deleted", name=gpt["name"]))

        title = text("gpt_store.delete_title", name=gpt["name"])
        question(self._visitor, title, text("gpt_store.delete_hint"), text("frame.delete"), delete)


async def build(visitor: Visitor, request: Request) -> None:
    """Make the page."""
    await _Mine(visitor).load()
