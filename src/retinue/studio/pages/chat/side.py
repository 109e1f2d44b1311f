"""The history at the side of the chat: search, rename, delete."""

from __future__ import annotations

from typing import Any

from nicegui import events, ui

from ...elements.controls import heading, plain, primary
from ...elements.history import History
from ...frame import attribute
from ...visitor import Visitor
from .branches import ROOT
from .threads import LONGEST_TITLE, TITLE, Threads


class Side:
    """A person's chats."""

    def __init__(self, visitor: Visitor, threads: Threads) -> None:
        """`threads`: where the chats are."""
        self._visitor, self._threads = visitor, threads
        self._found: list[dict[str, Any]] = []
        #: All that were ever loaded: the API finds words of messages, titles are looked through here.
        self._seen: dict[str, dict[str, Any]] = {}
        self._query, self._after, self._current = "", "", ""

    async def load(self, query: str = "") -> None:
        """Ask for the first page, of all chats or of those with these words. Raises `openai.APIError`."""
        page = await self._threads.list(query)
        found = {one["id"]: one for one in page["data"]}
        self._seen |= found
        if query:
            found |= {id: one for id, one in self._seen.items() if query.casefold() in self._title(one).casefold()}
        self._query, self._after = query, page["last_id"] if page["has_more"] else ""
        self._found = sorted(found.values(), key=lambda one: -one["created_at"])

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
                self._visitor, on_rename=self._ask_title, on_delete=self._ask_whether, on_more=self._more
            )
        self._show()

    def toggle(self) -> None:
        """Open or close it where windows are narrow."""
        self.element.classes(toggle="open")

    def mark(self, thread: dict[str, Any]) -> None:
        """Say which chat is shown, which may be new."""
        self._current = _root(thread)
        self._seen[thread["id"]] = thread
        if not self._query and self._threads.is_mine(thread):
            self._found = [thread, *(one for one in self._found if one["id"] != thread["id"])]
            self._found.sort(key=lambda one: -one["created_at"])
        self._show()

    def _title(self, thread: dict[str, Any]) -> str:
        return (thread["metadata"] or {}).get(TITLE) or self._visitor.text("history.untitled")

    def _show(self) -> None:
        items: dict[str, dict[str, Any]] = {}
        for one in self._found:
            root = _root(one)
            # Of a chat with branches, the newest stands for all.
            items.setdefault(
                root,
                {
                    "id": one["id"],
                    "title": self._title(one),
                    "time": one["created_at"],
                    "current": root == self._current,
                },
            )
        empty = self._visitor.text("history.nothing" if self._query else "history.none")
        self._list.show(list(items.values()), more=bool(self._after), empty=empty)

    async def _searched(self, event: events.ValueChangeEventArguments[Any]) -> None:
        await self.load(str(event.value or "").strip())
        self._show()

    async def _more(self) -> None:
        page = await self._threads.list(self._query, self._after)
        ids = {one["id"] for one in self._found}
        self._found += [one for one in page["data"] if one["id"] not in ids]
        self._after = page["last_id"] if page["has_more"] else ""
        self._show()

    def _ask_title(self, thread: str, title: str) -> None:
        text = self._visitor.text
        with ui.dialog() as dialog, ui.card().classes("dialog"):
            dialog.props["aria-label"] = text("history.rename")
            heading(text("history.rename"), 2)
            field = ui.input(text("history.title"), value=title).props(f"autofocus outlined maxlength={LONGEST_TITLE}")

            async def save() -> None:
                if new := (field.value or "").strip():
                    dialog.close()
                    await self._threads.rename(thread, new)
                    await self.load(self._query)
                    self._show()

            field.on("keydown.enter", save)
            with ui.element("div").classes("buttons"):
                plain(text("frame.cancel"), dialog.close)
                primary(text("frame.save"), save)
        dialog.on("hide", dialog.delete)
        dialog.open()

    def _ask_whether(self, thread: str, title: str) -> None:
        text = self._visitor.text
        with ui.dialog() as dialog, ui.card().classes("dialog"):
            dialog.props["aria-label"] = text("history.sure")
            heading(text("history.sure"), 2)
            ui.label(text("history.gone", title=title))

            async def delete() -> None:
                dialog.close()
                shown = next((one for one in self._found if one["id"] == thread), None)
                was_open = shown is not None and _root(shown) == self._current
                await self._threads.delete(thread)
                if was_open:
                    ui.navigate.to("/")
                    return
                await self.load(self._query)
                self._show()

            with ui.element("div").classes("buttons"):
                plain(text("frame.cancel"), dialog.close).props("autofocus")
                primary(text("frame.delete"), delete)
        dialog.on("hide", dialog.delete)
        dialog.open()


def _root(thread: dict[str, Any]) -> str:
    """The id by which all branches of a chat are known."""
    return (thread["metadata"] or {}).get(ROOT) or thread["id"]
