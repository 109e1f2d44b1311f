"""What administrators decide of a GPT."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui

from ...elements.controls import heading, plain
from ...elements.dialogs import form
from ...visitor import Visitor
from .common import Json, api_path


class Deciding:
    """Buttons to feature, hide and approve it."""

    def __init__(self, visitor: Visitor, gpt: Json) -> None:
        self._visitor, self._gpt, text = visitor, gpt, visitor.text
        moderation = gpt["moderation"]
        featured, hidden, approved = gpt["featured"], moderation["hidden"], moderation["approved"]
        if gpt["version"] is None and not hidden:
            return
        with ui.element("section").classes("gpt-deciding"):
            heading(text("gpt_store.moderation"), 2)
            with ui.element("div").classes("gpt-buttons"):
                plain(text("gpt_store.unfeature" if featured else "gpt_store.feature"), self._to(featured=not featured))
                # Where the store shows everything, there is nothing to approve.
                if approved or moderation["waits"]:
                    said = "gpt_store.disapprove" if approved else "gpt_store.approve"
                    plain(text(said), self._to(approved=not approved))
                if hidden:
                    plain(text("gpt_store.unhide"), self._to(hidden=False))
                else:
                    plain(text("gpt_store.hide"), self._ask)

    def _to(self, **decided: bool) -> Callable[[], Awaitable[None]]:
        return lambda: self._decide(decided)

    async def _decide(self, decided: dict[str, Any]) -> None:
        await self._visitor.post(api_path(self._gpt, "/moderation"), decided)
        # All of the page says it: marks, notes, buttons.
        ui.navigate.reload()

    def _ask(self) -> None:
        text = self._visitor.text

        def fill() -> Callable[[], Awaitable[None]]:
            reason = ui.textarea(text("gpt_store.hide_reason")).props("outlined dense maxlength=2000 autogrow")
            return lambda: self._decide({"hidden": True, "reason": reason.value or ""})

        title = text("gpt_store.hide_title", name=self._gpt["name"])
        form(self._visitor, title, text("gpt_store.hide"), fill, text("gpt_store.hide_hint"), dangerous=True)
