"""The history at the side of the chat: search, rename, pin, put away, delete."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import events, ui

from ...elements.dialogs import form, question
from ...elements.history import History
from ...frame import attribute
from ...visitor import Visitor
from .branches import ROOT
from .threads import LONGEST_TITLE, TITLE, Threads


class Side:
    """A person's chats."""

    def __init__(self, visitor: Visitor, threads: Threads, on_change: Callable[[], Awaitable[None]]) -> None:
        """Nothing is shown before `build`.

        Args:
            visitor: whose they are.
            threads: where the chats are.
            on_change: is told when the chat that is open was named or pinned here.
        """
        self._visitor, self._threads, self._on_change = visitor, threads, on_change
        self._found: list[dict[str, Any]] = []
        self._query, self._after, self._current = "", "", ""
        #: How often the list was asked for anew: what was asked for before that is not shown any more.
        self._asked = 0
        #: Whether the chats that were put away are shown, instead of all others.
        self._archived = False

    async def load(self, query: str = "") -> None:
        """Ask for the first page, of all chats or of those with these words. Raises `openai.APIError`."""
        self._asked += 1
        asked = self._asked
        self._query, self._after = query, ""
        pinned = _none() if query or self._archived else self._threads.pinned()
        page, first = await asyncio.gather(self._threads.list(query, archived=self._archived), pinned)
        if asked != self._asked:
            return
        self._after = page["last_id"] if page["has_more"] else ""
        ids = {one["id"] for one in page["data"]}
        self._found = [*page["data"], *(one for one in first if one["id"] not in ids)]

    def build(self) -> None:
        """Make it in the current slot."""
        text = self._visitor.text
        with ui.element("aside").classes("side") as self.element:
            self.element.props["aria-label"] = text("history.history")
            with ui.element("div").classes("side-head"):
                with ui.link(target="/").classes("new-chat"):
                    ui.icon("add").props("aria-hidden=true")
                    ui.label(text("history.new"))
                close = ui.button(icon="close", on_click=self.toggle, color=None).classes("only-narrow")
                close.props(f'flat round dense aria-label="{attribute(text("frame.close"))}"')
            self._search = ui.input(placeholder=text("history.search"), on_change=self._searched)
            self._search.props(
                f'dense outlined clearable debounce=300 maxlength=256 aria-label="{text("history.search")}"'
            )
            self._list = History(
                self._visitor,
                on_rename=self._ask_title,
                on_delete=self._ask_whether,
                on_pin=self._pin,
                on_archive=self._archive,
                on_more=self._more,
            )
            self._switch = ui.button(icon="inventory_2", on_click=self._turn, color=None)
            self._switch.props("flat no-caps align=left").classes("archived-chats")
        self._show()

    def toggle(self) -> None:
        """Open or close it where windows are narrow."""
        self.element.classes(toggle="open")

    def mark(self, thread: dict[str, Any], *, used: bool = False) -> None:
        """Say which chat is shown, which may be new.

        Args:
            thread: of the chat.
            used: whether something is said in it now.
        """
        self._current = _root(thread)
        if used:
            thread["last_used_at"] = int(time.time())
        known = next((one for one in self._found if one["id"] == thread["id"]), None)
        if known:
            thread["last_used_at"] = max(self._threads.used(known), self._threads.used(thread))
        listed = self._threads.is_archived(thread) == self._archived
        if not self._query and listed and self._threads.is_mine(thread):
            self._found = [thread, *(one for one in self._found if one is not known)]
            self._found.sort(key=lambda one: -self._threads.used(one))
        self._show()

    def _title(self, thread: dict[str, Any]) -> str:
        return (thread["metadata"] or {}).get(TITLE) or self._visitor.text("history.untitled")

    def _show(self) -> None:
        items: dict[str, dict[str, Any]] = {}
        for one in self._found:
            root = _root(one)
            # Of a chat with branches, the one that was used last stands for all.
            items.setdefault(
                root,
                {
                    "id": one["id"],
                    "title": self._title(one),
                    "time": self._threads.used(one),
                    "current": root == self._current,
                    "pinned": self._threads.is_pinned(one),
                    "archived": self._threads.is_archived(one),
                },
            )
        none = "history.none_archived" if self._archived else "history.none"
        empty = self._visitor.text("history.nothing" if self._query else none)
        self._switch.set_text(self._visitor.text("history.back" if self._archived else "history.archived_chats"))
        self._list.show(list(items.values()), more=bool(self._after), empty=empty)

    async def _searched(self, event: events.ValueChangeEventArguments[Any]) -> None:
        await self.load(str(event.value or "").strip())
        self._show()

    async def _more(self) -> None:
        if not self._after:
            return
        asked = self._asked
        page = await self._threads.list(self._query, self._after, archived=self._archived)
        if asked != self._asked:
            return
        ids = {one["id"] for one in self._found}
        self._found += [one for one in page["data"] if one["id"] not in ids]
        self._after = page["last_id"] if page["has_more"] else ""
        self._show()

    def focus(self) -> None:
        """Put the cursor into the field for words to look for, which is opened where it is closed."""
        self.element.classes(add="open")
        self._search.run_method("focus")

    async def refresh(self) -> None:
        """Ask for the chats anew. Raises `openai.APIError`."""
        await self.load(self._query)
        self._show()

    async def _turn(self) -> None:
        """Show the chats that were put away, or all others again."""
        self._archived = not self._archived
        await self.refresh()

    async def _archive(self, thread: str, archived: bool) -> None:
        is_open = self._is_open(thread)
        await self._threads.archive(thread, archived=archived)
        if is_open:
            # It is open: the page says what it is from now on.
            ui.navigate.to("/" if archived else f"/chat/{thread}")
            return
        ui.notify(self._visitor.text("history.put_away" if archived else "history.brought_back"))
        await self.refresh()

    def _is_open(self, thread: str) -> bool:
        """Whether the page shows this chat, or a branch of it."""
        return any(one["id"] == thread and _root(one) == self._current for one in self._found)

    async def _pin(self, thread: str, pinned: bool) -> None:
        is_open = self._is_open(thread)
        await self._threads.pin(thread, pinned=pinned)
        await self._changed(is_open)

    async def _changed(self, is_open: bool) -> None:
        """Show what a chat is now."""
        await self.refresh()
        if is_open:
            await self._on_change()

    def _ask_title(self, thread: str, title: str) -> None:
        text = self._visitor.text

        def fill() -> Callable[[], Awaitable[object]]:
            field = ui.input(text("history.title"), value=title).props(f"autofocus outlined maxlength={LONGEST_TITLE}")

            async def save() -> object:
                if not (new := (field.value or "").strip()):
                    return False
                is_open = self._is_open(thread)
                await self._threads.rename(thread, new)
                return lambda: self._changed(is_open)

            return save

        form(self._visitor, text("history.rename"), text("frame.save"), fill)

    def _ask_whether(self, thread: str, title: str) -> None:
        text = self._visitor.text

        async def delete() -> None:
            was_open = self._is_open(thread)
            await self._threads.delete(thread)
            if was_open:
                ui.navigate.to("/")
                return
            await self.refresh()

        question(self._visitor, text("history.sure"), text("history.gone", title=title), text("frame.delete"), delete)


async def _none() -> list[dict[str, Any]]:
    return []


def _root(thread: dict[str, Any]) -> str:
    """The id by which all branches of a chat are known."""
    return (thread["metadata"] or {}).get(ROOT) or thread["id"]
