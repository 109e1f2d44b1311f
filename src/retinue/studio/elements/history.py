"""A person's chats, as a list at the side of a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui import ui

from ..visitor import Visitor

_LABELS = (
    "history",
    "options",
    "rename",
    "delete",
    "more",
    "today",
    "yesterday",
    "week",
    "month",
    "pinned",
    "pin",
    "unpin",
    "archived",
    "archive",
    "unarchive",
)


class History(ui.element, component="history.js"):
    """Links to chats, grouped by day, each with a menu to rename, to pin, to put away and to delete it."""

    def __init__(
        self,
        visitor: Visitor,
        *,
        on_rename: Callable[[str, str], Any],
        on_delete: Callable[[str, str], Any],
        on_pin: Callable[[str, bool], Any],
        on_archive: Callable[[str, bool], Any],
        on_more: Callable[[], Any],
    ) -> None:
        """Empty until `show`.

        Args:
            visitor: who reads.
            on_rename: is told the id and the title of a chat that is to be renamed.
            on_delete: the same for one that is to be deleted.
            on_pin: is told the id of a chat, and whether it is to stand above the others.
            on_archive: is told the id of a chat, and whether it is to be put away.
            on_more: is called when more chats are to be shown.
        """
        super().__init__()
        self._props["items"] = []
        self._props["labels"] = {key: visitor.text(f"history.{key}") for key in _LABELS}
        self._props["writes"] = visitor.may_write
        self.on("rename", lambda event: on_rename(event.args["id"], event.args["title"]))
        self.on("delete", lambda event: on_delete(event.args["id"], event.args["title"]))
        self.on("pin", lambda event: on_pin(event.args["id"], bool(event.args["pinned"])))
        self.on("archive", lambda event: on_archive(event.args["id"], bool(event.args["archived"])))
        self.on("more", lambda: on_more())

    def show(self, items: Sequence[Mapping[str, Any]], *, more: bool, empty: str) -> None:
        """Show these chats.

        Args:
            items: ``{"id", "title", "time", "current", "pinned", "archived"}``, last used first; ``time`` in seconds
                since 1970.
            more: whether there are more.
            empty: what is said where there are none.
        """
        self._props.update({"items": list(items), "more": more, "empty": empty})
        self.update()
