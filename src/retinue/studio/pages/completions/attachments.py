"""Pictures and files of a user's message: dropped on it, pasted into it, or chosen."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import partial
from typing import Any

from nicegui import ui

from ...elements.attaching import PICTURES, Chosen, taking_files
from ...elements.controls import symbol
from ...visitor import Visitor

#: Files of one message, and bytes of each: a request carries them whole.
_MOST, _MOST_BYTES = 10, 8 * 1024 * 1024


class Attachments:
    """What goes with a message: small pictures and names, which can be taken away."""

    def __init__(self, visitor: Visitor, item: dict[str, Any], number: int, on_change: Callable[[], Any]) -> None:
        """Built in the current slot, below the message's field; `offer` makes the button.

        Args:
            visitor: who writes.
            item: the message; its ``files`` are changed.
            number: of the message.
            on_change: is called when they have changed.
        """
        self._visitor, self._item, self._number, self._on_change = visitor, item, number, on_change
        self._box = ui.element("div").classes("attached").props("role=list")
        self._box.props["aria-label"] = visitor.text("completions.files_of", number=number)
        self._show()

    def offer(self, place: ui.element) -> None:
        """Make the button that chooses files; `place` is where they can be dropped and pasted."""
        button = symbol("attach_file", self._visitor.text("completions.attach", number=self._number))
        taking_files(self._visitor, place, button.props("size=sm"), self._take, _MOST_BYTES)

    def _take(self, file: Chosen) -> None:
        files: list[dict[str, str]] = self._item.setdefault("files", [])
        if len(files) >= _MOST:
            ui.notify(self._visitor.text("completions.most_files", most=_MOST), type="warning")
            return
        kind = file.kind or "application/octet-stream"
        data = base64.b64encode(file.data).decode()
        files.append({"name": file.name, "kind": kind, "data": f"data:{kind};base64,{data}"})
        self._changed()

    def _remove(self, file: dict[str, str]) -> None:
        self._item["files"].remove(file)
        self._changed()

    def _changed(self) -> None:
        self._show()
        self._on_change()

    def _show(self) -> None:
        self._box.clear()
        with self._box:
            for file in self._item.get("files") or ():
                with ui.element("span").classes("chip").props("role=listitem"):
                    if file["kind"] in PICTURES:
                        picture = ui.element("img")
                        picture.props["src"], picture.props["alt"] = file["data"], ""
                    ui.label(file["name"])
                    label = self._visitor.text("conversation.detach", name=file["name"])
                    symbol("close", label, partial(self._remove, file)).props("size=xs")
