"""What a draft is made of, at a glance; what has just changed is marked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from typing import Any

from nicegui import ui

from ...elements.controls import heading, symbol
from ...visitor import Visitor


class Card:
    """A draft's profile."""

    def __init__(self, visitor: Visitor, on_remove: Callable[[str], Awaitable[None]]) -> None:
        """Built in the current slot, empty.

        Args:
            visitor: who looks.
            on_remove: is told the id of a file that the draft is to know no more.
        """
        self._visitor, self._on_remove = visitor, on_remove
        self._news = ui.label().classes("visually-hidden").props("role=status")
        self._box = ui.element("section").classes("gpt-card").props("tabindex=0 role=region")
        self._box.props["aria-label"] = visitor.text("gpt_builder.card")
        with self._box:
            ui.label(visitor.text("gpt_builder.no_draft")).classes("quiet")

    def writing(self, busy: bool) -> None:
        """Whether it is being changed."""
        self._box.classes(add="writing" if busy else "", remove="" if busy else "writing")

    def show(
        self, draft: Mapping[str, Any], picture: str, names: Mapping[str, str], changed: Collection[str] = ()
    ) -> None:
        """Show a draft.

        Args:
            draft: as the API has it.
            picture: the address of its picture.
            names: of files and connections, by their ids.
            changed: the fields that have just changed.
        """
        text = self._visitor.text
        self._box.clear()
        with self._box:
            with ui.element("div").classes("who"):
                image = ui.element("img").classes("picture" + (" new" if "picture" in changed else ""))
                image.props["src"], image.props["alt"] = picture, text("gpt_builder.picture_of", name=draft["name"])
                with ui.element("div").classes("grow"):
                    with self._part("name", changed, titled=False):
                        heading(draft["name"], 2)
                    with self._part("description", changed, titled=False):
                        ui.label(draft["description"] or text("gpt_builder.none")).classes("quiet")
            with self._part("instructions", changed):
                ui.label(draft["instructions"] or text("gpt_builder.none")).classes("instructions")
            with self._part("conversation_starters", changed):
                self._list(draft["conversation_starters"])
            with ui.element("div").classes("pair"):
                with self._part("category", changed):
                    ui.label(text(f"gpt_categories.{draft['category']}"))
                with self._part("capabilities", changed):
                    can = [text(f"gpt_builder.can_{one}") for one in draft["capabilities"]]
                    ui.label(", ".join(can) or text("gpt_builder.none"))
            with self._part("knowledge", changed):
                self._knowledge(draft["knowledge"], names)
            if draft["connections"] or "connections" in changed:
                with self._part("connections", changed):
                    self._list([names.get(one, one) for one in draft["connections"]])
        fields = ", ".join(text(f"gpt_builder.{one}") for one in changed)
        self._news.set_text(text("gpt_builder.changed_now", fields=fields) if changed else "")

    def _part(self, field: str, changed: Collection[str], *, titled: bool = True) -> ui.element:
        text, new = self._visitor.text, field in changed
        part = ui.element("div").classes("part" + (" new" if new else "")).props(f"data-field={field}")
        with part:
            if titled:
                with ui.element("div").classes("label"):
                    heading(text(f"gpt_builder.{field}"), 3)
                    if new:
                        ui.label(text("gpt_builder.changed")).classes("mark")
            elif new:
                ui.label(text("gpt_builder.changed")).classes("visually-hidden")
        return part

    def _list(self, texts: Collection[str]) -> None:
        if not texts:
            ui.label(self._visitor.text("gpt_builder.none")).classes("quiet")
            return
        with ui.element("ul").classes("said"):
            for one in texts:
                with ui.element("li"):
                    ui.label(one)

    def _knowledge(self, files: Collection[str], names: Mapping[str, str]) -> None:
        if not files:
            ui.label(self._visitor.text("gpt_builder.none")).classes("quiet")
            return
        with ui.element("ul").classes("known"):
            for file in files:
                name = names.get(file, file)
                with ui.element("li"):
                    ui.label(name)
                    symbol("close", self._visitor.text("gpt_builder.remove", name=name), partial(self._on_remove, file))
