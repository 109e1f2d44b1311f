"""The page on which people talk with assistants."""

# pyright: reportDeprecated=false
from __future__ import annotations

from fastapi import Request
from nicegui import ui

from ..elements.composer import Chosen, Composer
from ..elements.conversation import Conversation
from ..elements.messages import shown
from ..elements.turn import play
from ..frame import Page
from ..visitor import Visitor


class _Chat:
    """A talk with the default model."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor, self._client = visitor, visitor.client
        self._thread = self._assistant = ""
        self._run = ""
        with ui.element("div").classes("split"), ui.element("div").classes("middle"):
            self._conversation = Conversation(visitor)
            with self._conversation:
                ui.label(visitor.text("chat.hello"))
            self._composer = Composer(visitor, on_send=self._send, on_stop=self._stop, attach=False)

    async def _send(self, text: str, files: list[Chosen]) -> None:
        self._composer.busy(True)
        try:
            threads = self._client.beta.threads
            if not self._thread:
                self._assistant = (await self._client.beta.assistants.create(model="default")).id
                self._thread = (await threads.create()).id
            message = await threads.messages.create(self._thread, role="user", content=text)
            self._conversation.add(shown(self._visitor, message, {}))
            events = await threads.runs.create(self._thread, assistant_id=self._assistant, stream=True)
            await play(self._visitor, self._conversation, events, on_event=self._note)
        finally:
            self._composer.busy(False)

    def _note(self, event: object) -> None:
        run = getattr(event, "data", None)
        if getattr(run, "object", "") == "thread.run":
            self._run = run.id  # pyright: ignore

    async def _stop(self) -> None:
        if self._run:
            await self._client.beta.threads.runs.cancel(self._run, thread_id=self._thread)


async def _build(visitor: Visitor, request: Request) -> None:
    _Chat(visitor)


PAGES = (Page("/", "chat.title", _build, icon="chat", group="use", fills=True),)
