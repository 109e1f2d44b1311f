"""The line above a chat: with whom one talks, whether it is kept, and what can be done with all of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui

from ...elements.controls import plain, symbol
from ...visitor import Visitor
from .choices import Choices
from .export import as_json_lines, as_markdown, file_name
from .keys import show_keys
from .opened import Opened
from .share import Sharing
from .threads import TITLE, Threads

_COPY_LINK = """() => {
  const address = location.origin + location.pathname;
  import(`${window.path_prefix ?? ""}/static/rich-text.mjs`).then((rich) => rich.copyText(address)).then(() => emit());
}"""


class Head:
    """Built in the current slot; `show` whenever the chat is another one."""

    def __init__(
        self,
        visitor: Visitor,
        chat: Opened,
        *,
        choices: Choices,
        chosen: str,
        own: bool,
        on_history: Callable[[], Any],
        on_choose: Callable[[str | None], Any],
        on_temporary: Callable[[bool], Any],
        on_back: Callable[[], Any],
    ) -> None:
        """Make it.

        Args:
            visitor: who talks.
            chat: the one that is shown.
            choices: whom one can talk with.
            chosen: the key of the one to begin with.
            own: whether the chat is the visitor's, to go on with and to share.
            on_history: is called to open the list of chats, where windows are narrow.
            on_choose: is told the key of another one to talk with.
            on_temporary: is told whether a new chat is to be kept.
            on_back: is called where an archived chat is to stand in the list again.
        """
        self._visitor, self._chat = visitor, chat
        text, names = visitor.text, choices.names
        with ui.element("div").classes("chat-head"):
            symbol("history", text("chat.history"), on_history).classes("only-narrow")
            ui.label(text("chat.title")).props("role=heading aria-level=1").classes("visually-hidden")
            choose = ui.select(names, value=chosen or None, with_input=len(names) > 8)
            choose.props["aria-label"] = text("chat.with")
            choose.props("dense borderless options-dense").classes("choose")
            choose.on_value_change(lambda event: on_choose(event.value))
            ui.space()
            self._switch = symbol("history_toggle_off", text("chat.temporary"), self._turn).props("aria-pressed=false")
            symbol("keyboard", text("chat.keys"), lambda: show_keys(visitor)).classes("only-wide")
            self._tools = ui.element("div").classes("chat-tools")
            with self._tools:
                self._links = ui.element("div").classes("chat-tools")
                with self._links:
                    if own:
                        symbol("share", text("shared.share"), self._share)
                    link = symbol("link", text("chat.copy_link"))
                    link.on("click", lambda: ui.notify(text("chat.link_copied"), timeout=8000), js_handler=_COPY_LINK)
                self._export()
        self._notice = ui.element("div").classes("chat-notice").props("role=status")
        self._own, self._on_temporary, self._on_back = own, on_temporary, on_back
        self._temporary = False

    def show(self, *, temporary: bool) -> None:
        """Show what holds for the chat as it is now.

        Args:
            temporary: whether it is not kept.
        """
        text, there = self._visitor.text, bool(self._chat.thread)
        self._temporary = temporary
        self._switch.set_visibility(not there and self._visitor.may_write)
        self._switch.props(f"aria-pressed={'true' if temporary else 'false'}")
        self._tools.set_visibility(there)
        # Nobody else can be shown what is gone soon.
        self._links.set_visibility(not temporary)
        self._notice.clear()
        archived = there and self._own and Threads.is_archived(self._chat.thread)
        self._notice.set_visibility(temporary or archived)
        with self._notice:
            if temporary:
                ui.icon("history_toggle_off").props("aria-hidden=true")
                ui.label(text("chat.temporary_hint"))
            elif archived:
                ui.icon("inventory_2").props("aria-hidden=true")
                ui.label(text("chat.archived_hint")).classes("grow")
                plain(text("history.unarchive"), self._on_back).props("dense")

    def _turn(self) -> None:
        self._on_temporary(not self._temporary)

    def _export(self) -> None:
        text = self._visitor.text
        with (
            ui.button(icon="download", color=None).props("flat round dense aria-haspopup=menu") as export,
            ui.menu(),
        ):
            ui.menu_item(text("chat.as_markdown"), self._as_markdown).props("role=menuitem")
            ui.menu_item(text("chat.as_json"), self._as_json).props("role=menuitem")
        export.props["aria-label"] = export.props["title"] = text("chat.export")

    async def _share(self) -> None:
        branches = [one["id"] for one in self._chat.branches] or [self._chat.id]
        title = self._chat.thread["metadata"].get(TITLE, "")
        await Sharing(self._visitor, self._chat.id, branches, title).open()

    async def _as_markdown(self) -> None:
        await self._chat.whole()
        title = self._chat.title
        text = as_markdown(title, await self._chat.view(0))
        ui.download.content(text.encode(), file_name(title, "md"), "text/markdown")

    async def _as_json(self) -> None:
        lines = await as_json_lines(self._visitor, self._chat.id)
        ui.download.content(lines, file_name(self._chat.title, "jsonl"), "application/jsonl")
