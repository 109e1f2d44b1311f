"""The field in which a person writes a message, with files."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Literal

from nicegui import events, ui

from ..frame import attribute
from ..visitor import Visitor
from .attaching import Arriving, Chosen, taking_files
from .controls import on_enter

#: What was written and not sent, which the tab keeps under `DRAFT`.
_KEPT = "retinue-draft"
_TELL = f"const text = sessionStorage.getItem(DRAFT); if (text) emitEvent('{_KEPT}', text)"
_KEEP = """(value) => {
  const text = String(value ?? "");
  text ? sessionStorage.setItem(DRAFT, text.slice(0, 100000)) : sessionStorage.removeItem(DRAFT);
}"""


class Composer:
    """A field with buttons to send, to stop and to attach."""

    def __init__(
        self,
        visitor: Visitor,
        *,
        on_send: Callable[[str, list[Chosen]], Awaitable[bool | None]],
        on_stop: Callable[[], Awaitable[None]],
        max_file_bytes: int = 64 * 1024 * 1024,
        attach: bool = True,
        on_add: Callable[[str, list[Chosen], Literal["user", "assistant"]], Awaitable[bool | None]] | None = None,
        keep: bool = False,
        beside: Callable[[], object] | None = None,
    ) -> None:
        """Built in the current slot.

        Args:
            visitor: who writes.
            on_send: gets the text and the files; the field is empty by then. Where it returns False, nothing was sent,
                and text and files are put back.
            on_stop: is called when the answer is to stop.
            max_file_bytes: of one file.
            attach: whether files can go along.
            on_add: as `on_send`, for a message, of either role, that asks for no answer; where it is given, sending an
                empty field asks for an answer to what is there.
            keep: whether the browser's tab keeps, by the page's address, what was written and not sent.
            beside: makes further buttons before the one that sends.
        """
        self._visitor, self._on_send, self._on_stop, self._on_add = visitor, on_send, on_stop, on_add
        self._keep = keep
        self._files: list[Chosen] = []
        self._arriving: Arriving | None = None
        with ui.element("form").classes("composer") as self.element:
            self._chips = ui.element("div").classes("chips").props("role=list")
            with ui.element("div").classes("line"):
                if attach:
                    self._attach(max_file_bytes)
                self._field = ui.textarea(placeholder=visitor.text("conversation.write"))
                self._field.props("autogrow borderless rows=1 input-class=composer-input maxlength=1000000")
                self._field.props(f'aria-label="{attribute(visitor.text("conversation.write"))}"').classes("grow")
                # Shift+Enter begins a line.
                on_enter(self._field, self._enter)
                if keep:
                    self._field.on("update:model-value", js_handler=self._of_draft(_KEEP))
                    ui.on(_KEPT, self._remember)
                    ui.run_javascript(self._of_draft(_TELL))
                if on_add:
                    self._offer_adding()
                if beside:
                    beside()
                self._send = ui.button(icon="arrow_upward", on_click=self._click, color=None).props("round unelevated")
                self._send.classes("primary").props(f'aria-label="{attribute(visitor.text("conversation.send"))}"')
                self._stop = ui.button(icon="stop", on_click=self._halt, color=None).props("round unelevated")
                self._stop.classes("primary").props(f'aria-label="{attribute(visitor.text("conversation.stop"))}"')
        self.busy(False)

    def _attach(self, max_file_bytes: int) -> None:
        """Files come by the button, from the clipboard, or are dropped."""
        label = attribute(self._visitor.text("conversation.attach"))
        button = ui.button(icon="attach_file", color=None).props(f'flat round aria-label="{label}"')
        self._arriving = taking_files(self._visitor, self.element, button, self._hold, max_file_bytes)

    def _offer_adding(self) -> None:
        text = self._visitor.text
        label = text("conversation.add")
        with ui.button(icon="playlist_add", color=None).props(f'flat round aria-label="{attribute(label)}"') as button:
            ui.tooltip(label)
            with ui.menu():
                ui.menu_item(text("conversation.add_user"), lambda: self._add("user"))
                ui.menu_item(text("conversation.add_assistant"), lambda: self._add("assistant"))
        self._adding = button

    def busy(self, busy: bool) -> None:
        """Whether an answer is on its way: then it can be stopped, and nothing can be sent."""
        self._busy = busy
        self._send.set_visibility(not busy)
        if self._on_add:
            self._adding.set_enabled(not busy)
        self._stop.set_visibility(busy)

    @property
    def text(self) -> str:
        """What stands in the field."""
        return self._field.value or ""

    def write(self, text: str) -> None:
        """Put a text into the field, and the cursor behind it."""
        self._field.set_value(text)
        self._field.run_method("focus")

    def focus(self) -> None:
        """Put the cursor into the field."""
        self._field.run_method("focus")

    def _of_draft(self, code: str) -> str:
        """JavaScript with the name under which the tab keeps the draft."""
        return code.replace("DRAFT", f"{json.dumps(self._visitor.own('retinue.draft'))} + ':' + location.pathname")

    def _remember(self, event: events.GenericEventArguments) -> None:
        """Put back what was written and not sent."""
        if not self._field.is_deleted and not self._field.value:
            self._field.set_value(str(event.args))

    async def _enter(self, event: events.GenericEventArguments) -> None:
        await self._go(str(event.args))

    async def _click(self) -> None:
        await self._go(self._field.value or "")

    async def _go(self, text: str) -> None:
        if self._busy or not (text.strip() or self._files or self._on_add):
            return
        await self._hand_over(text, self._on_send)

    async def _add(self, role: Literal["user", "assistant"]) -> None:
        text, add = self._field.value or "", self._on_add
        if self._busy or not add or not (text.strip() or self._files):
            self._field.run_method("focus")
            return
        await self._hand_over(text, lambda text, files: add(text, files, role))

    async def _halt(self) -> None:
        if self._arriving:
            self._arriving.abort()
        else:
            await self._on_stop()

    async def _arrived(self) -> bool:
        """Whether the files that are on their way have come; False: they were stopped."""
        if not self._arriving:
            return True
        self.busy(True)
        with self._chips, ui.element("span").classes("chip").props("role=listitem") as chip:
            ui.spinner(size="1em")
            ui.label(self._visitor.text("conversation.uploading"))
        whole = await self._arriving.settled()
        if not self._field.is_deleted:
            chip.delete()
            self.busy(False)
        return whole

    async def _hand_over(self, text: str, to: Callable[[str, list[Chosen]], Awaitable[bool | None]]) -> None:
        self._field.set_value("")
        if not await self._arrived():
            self._field.set_value(text)
            return
        files, self._files = self._files, []
        self._chips.clear()
        if self._keep:
            ui.run_javascript(self._of_draft("sessionStorage.removeItem(DRAFT)"))
        if await to(text, files) is False and not self._field.is_deleted:
            self._field.set_value(text)
            for file in files:
                self._hold(file)

    def _hold(self, file: Chosen) -> None:
        """Keep a file for the next message."""
        self._files.append(file)
        with self._chips, ui.element("span").classes("chip").props("role=listitem") as chip:
            ui.label(file.name)
            label = self._visitor.text("conversation.detach", name=file.name)
            ui.button(icon="close", on_click=lambda: self._drop(file, chip), color=None).props(
                f'flat round dense size=xs aria-label="{attribute(label)}"'
            )

    def _drop(self, file: Chosen, chip: ui.element) -> None:
        self._files.remove(file)
        chip.delete()
