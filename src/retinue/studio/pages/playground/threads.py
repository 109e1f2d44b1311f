"""The project's threads, searchable."""

# pyright: reportDeprecated=false
from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import openai
from nicegui import ui

from ...asking import each
from ...elements.controls import plain, symbol
from ...elements.dialogs import question
from ...visitor import Visitor
from ..chat.threads import TEMPORARY

#: Threads that are listed at once.
_PAGE = 30
#: Characters of a title.
_TITLE = 80


class Threads:
    """A list of threads; the one that is open is marked."""

    def __init__(
        self,
        visitor: Visitor,
        *,
        on_open: Callable[[str], Awaitable[None]],
        on_new: Callable[[], Awaitable[None]],
        on_deleted: Callable[[str], Awaitable[None]],
    ) -> None:
        """Built in the current slot; `load` fills it.

        Args:
            visitor: whose threads.
            on_open: is told the id of a thread that was chosen.
            on_new: is called where a new one is wanted.
            on_deleted: is told the id of a thread that is no more.
        """
        self._visitor, self._on_open, self._on_deleted = visitor, on_open, on_deleted
        self._current, self._last, self._asked = "", "", 0
        self._rows: dict[str, ui.element] = {}
        self._titles: dict[str, str] = {}
        text = visitor.text
        if visitor.may_write:
            plain(text("playground.new_thread"), on_new, icon="add").classes("wide")
        self._search = ui.input(text("playground.search"), on_change=lambda: self.load())
        self._search.props("dense outlined clearable debounce=300 maxlength=256 type=search")
        self._list = ui.element("div").props("role=list")
        self._list.props["aria-label"] = text("playground.threads")
        self._none = ui.label().classes("quiet none").props("role=status")
        self._more = plain(text("playground.more"), lambda: self.load(more=True)).classes("wide")
        self._more.set_visibility(False)

    async def load(self, *, more: bool = False) -> None:
        """Show the newest threads that fit the search, or further ones. Raises `openai.APIError`."""
        self._asked += 1
        asked, query = self._asked, (self._search.value or "").strip()
        after = self._last if more else None
        found = await self._visitor.get("/threads", limit=_PAGE, query=query or None, after=after)
        # Chats that are not kept are nobody else's affair.
        kept = [one for one in found["data"] if TEMPORARY not in (one.get("metadata") or {})]
        if asked != self._asked or self._list.is_deleted:
            return
        if not more:
            self._list.clear()
            self._rows.clear()
        self._last = found["last_id"] or ""
        self._more.set_visibility(found["has_more"])
        said = "playground.nothing_found" if query else "playground.no_threads"
        self._none.set_text("" if kept or more else self._visitor.text(said))
        labels = {thread["id"]: self._row(thread) for thread in kept}
        await each(lambda thread: self._title(thread, labels[thread["id"]]), kept)

    def mark(self, thread: str) -> None:
        """Show which thread is open; "" is none."""
        if row := self._rows.get(self._current):
            row.props(remove="aria-current")
        self._current = thread
        if row := self._rows.get(thread):
            row.props("aria-current=true")

    def _row(self, thread: Mapping[str, Any]) -> ui.label:
        """Show a thread; returns where its title belongs."""
        id_ = thread["id"]
        with self._list, ui.element("div").classes("thread").props("role=listitem") as item:
            with ui.element("button").classes("open").props("type=button") as row:
                label = ui.label(self._titles.get(id_, "…")).classes("title")
                ui.label(self._ago(thread["created_at"])).classes("quiet")
            row.on("click", lambda: self._on_open(id_))
            if self._visitor.may_write:
                remove = symbol(
                    "delete", self._visitor.text("playground.delete_thread"), lambda: self._delete(id_, item)
                )
                remove.props("size=sm")
        self._rows[id_] = row
        if id_ == self._current:
            row.props("aria-current=true")
        return label

    async def _title(self, thread: Mapping[str, Any], label: ui.label) -> None:
        """A thread is called by its title, or by what was said in it first."""
        id_ = thread["id"]
        title = str((thread.get("metadata") or {}).get("title") or self._titles.get(id_, ""))
        if not title:
            title = await self._beginning(id_)
        if title:
            self._titles[id_] = title
        if not label.is_deleted:
            label.set_text(title or self._visitor.text("playground.empty_thread"))

    async def _beginning(self, thread: str) -> str:
        try:
            page = await self._visitor.client.beta.threads.messages.list(thread, order="asc", limit=1)
        except openai.APIStatusError:
            return ""
        parts = [part.text.value for one in page.data for part in one.content if part.type == "text"]
        return " ".join(" ".join(parts).split())[:_TITLE]

    def _ago(self, at: int) -> str:
        minutes = max(0, int(time.time()) - at) // 60
        if minutes < 1:
            return self._visitor.text("playground.now")
        if minutes < 60:
            return self._visitor.text("playground.minutes", n=minutes)
        if minutes < 48 * 60:
            return self._visitor.text("playground.hours", n=minutes // 60)
        return self._visitor.text("playground.days", n=minutes // (24 * 60))

    def _delete(self, thread: str, item: ui.element) -> None:
        text = self._visitor.text

        async def delete() -> None:
            await self._visitor.client.beta.threads.delete(thread)
            self._rows.pop(thread, None)
            item.delete()
            await self._on_deleted(thread)
            if not self._rows:
                await self.load()

        title, hint = text("playground.delete_thread"), text("playground.thread_lost")
        question(self._visitor, title, hint, text("frame.delete"), delete)
