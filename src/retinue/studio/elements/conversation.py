"""The messages of a thread, as people read them."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import openai
from nicegui import ui
from nicegui.events import GenericEventArguments

from ..visitor import Visitor

#: Seconds between two pieces of a streamed answer on their way to the browser, at least.
_PACE = 0.05
#: Labels that the browser needs.
_LABELS = (
    *("conversation", "picture", "waiting", "source", "sources"),
    *("older", "loading", "latest", "branches", "previous", "next"),
)


class Conversation(ui.element, component="conversation.js"):
    """Messages with Markdown, pictures, files and citations; what is streamed appears as it comes.

    A message is a mapping: ``id``, ``role`` (`user` or `assistant`), ``name``, ``time`` (ISO 8601), ``parts`` (texts
    ``{"type": "text", "text", "plain", "citations": [{"number", "name"}]}`` and pictures ``{"type": "image", "src"}``),
    ``files`` (``{"id", "name", "href"}``), ``links`` (``{"label", "icon", "href"}``), ``streaming``, ``note``,
    ``noteKind``, ``marked`` (names of the buttons that are on), ``actions`` (buttons of its own), and ``branch``
    (``{"number", "count"}``: which of how many branches it begins). `messages.shown` makes one of what the API has. In
    the text, U+E000, a number and U+E001 stand for a citation.
    """

    def __init__(
        self,
        visitor: Visitor,
        messages: Sequence[Mapping[str, Any]] = (),
        *,
        actions: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
        on_action: Callable[[str, str], Any] | None = None,
        on_cite: Callable[[str, int], Any] | None = None,
        on_older: Callable[[], Any] | None = None,
        more: bool = False,
    ) -> None:
        """An element; what is put into its slot is shown while there are no messages.

        Args:
            visitor: who reads.
            messages: those that are there already, oldest first.
            actions: by role, the buttons under a message: ``{"name", "label", "icon"}``, and ``toggle`` for those that
                are on or off. `copy` copies by itself.
            on_action: is told the name of a button and the message's id; `previous` and `next` are those of ``branch``.
            on_cite: is told the message's id and the number of a citation.
            on_older: is called when older messages are to be put before those shown, by `prepend`.
            more: whether there are older ones.
        """
        super().__init__()
        self._props["initial"] = list(messages)
        self._props["more"] = more
        self._props["labels"] = {
            **{key: visitor.text(f"conversation.{key}") for key in _LABELS},
            "copy": visitor.text("frame.copy"),
            "copied": visitor.text("frame.copied"),
        }
        self._props["actions"] = {role: list(buttons) for role, buttons in (actions or {}).items()}
        self._pending: dict[str, str] = {}
        self._sent = 0.0
        self._timer: asyncio.TimerHandle | None = None
        if on_action:
            self.on("action", lambda event: on_action(event.args["name"], event.args["id"]))
        if on_cite:
            self.on("cite", lambda event: _cite(on_cite, event))
        if on_older:
            self.on("older", partial(ask_older, self, on_older))

    def show(self, messages: Sequence[Mapping[str, Any]], *, more: bool = False) -> None:
        """Show these messages instead of all others; `more`: whether there are older ones."""
        self._pending.clear()
        self.run_method("show", list(messages), more)

    def prepend(self, messages: Sequence[Mapping[str, Any]], *, more: bool = False) -> None:
        """Put older messages before those shown; `more`: whether there are still older ones."""
        self.run_method("prepend", list(messages), more)

    def add(self, message: Mapping[str, Any]) -> None:
        """Show one more at the end."""
        self.run_method("add", dict(message))

    def append(self, message: str, text: str) -> None:
        """Go on with the text of a message; pieces that come fast travel together."""
        self._pending[message] = self._pending.get(message, "") + text
        if self._timer is None:
            wait = max(0.0, self._sent + _PACE - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(wait, self._flush)

    def replace(self, message: str, by: Mapping[str, Any]) -> None:
        """Show a message in the place of the one with this id, or at the end if there is none."""
        self._pending.pop(message, None)
        self.run_method("replace", message, dict(by))

    def drop(self, message: str) -> None:
        """Show a message no more."""
        self._pending.pop(message, None)
        self.run_method("drop", message)

    def drop_notes(self) -> None:
        """Show no more what was said of earlier runs: all messages of the role `note`."""
        self.run_method("dropNotes")

    def status(self, text: str) -> None:
        """Say at the end what is being done; "" takes it away."""
        self.run_method("status", text)

    def reveal(self, message: str) -> None:
        """Scroll to a message."""
        self.run_method("reveal", message)

    def _flush(self) -> None:
        self._timer, self._sent = None, time.monotonic()
        pending, self._pending = self._pending, {}
        if not self.is_deleted:
            for message, text in pending.items():
                self.run_method("append", message, text)


def _cite(told: Callable[[str, int], Any], event: GenericEventArguments) -> Any:
    return told(event.args["id"], int(event.args["number"]))


async def ask_older(element: ui.element, ask: Callable[[], Any]) -> None:
    """Have older ones put into an element, as it was told how; where that fails, they can be asked for again."""
    try:
        if inspect.isawaitable(answer := ask()):
            await answer
    except openai.APIError:
        element.run_method("askedInVain")
        raise
