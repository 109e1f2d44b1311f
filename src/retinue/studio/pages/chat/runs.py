"""Runs of a chat: started, joined, ended; a stream that breaks off is taken up again."""

# pyright: reportDeprecated=false
from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import openai
from nicegui import ui
from openai import AsyncStream
from openai.types.beta import AssistantStreamEvent
from openai.types.beta.threads import Message, Run

from ...elements.conversation import Conversation
from ...elements.turn import play
from ...visitor import Visitor

#: Statuses of a run that goes on by itself.
ACTIVE = ("queued", "in_progress", "cancelling")
#: How often a stream that breaks off is taken up again.
_TRIES = 3


class Runs:
    """The run that a page shows."""

    def __init__(self, visitor: Visitor, on_message: Callable[[Message], None]) -> None:
        """`on_message` is told messages that have come to their end."""
        self._visitor, self._on_message = visitor, on_message
        self._threads = visitor.client.beta.threads
        self._run: Run | None = None
        self._written: list[str] = []
        self._held = 0

    @property
    def busy(self) -> bool:
        """Whether an answer is being shown, or what leads to one goes on."""
        return self._held > 0

    @contextmanager
    def held(self) -> Generator[None]:
        """While the block lasts nothing else is to begin; a second click comes before an answer does."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1

    async def last(self, thread: str) -> Run | None:
        """The thread's last run. Raises `openai.APIError`."""
        self._run = next(iter((await self._threads.runs.list(thread, limit=1, order="desc")).data), None)
        return self._run

    async def start(
        self,
        conversation: Conversation,
        thread: str,
        assistant: str,
        name: str,
        tools: list[dict[str, Any]] | None = None,
        **options: Any,
    ) -> Run | None:
        """Start a run and show it; returns it when it stands still.

        Args:
            conversation: where its answer appears.
            thread: the thread's id.
            assistant: the assistant's id.
            name: what people call the assistant.
            tools: instead of the assistant's.
            options: more of the request.

        Raises:
            openai.APIError: it cannot be started.
        """
        create: Any = self._threads.runs.create
        chosen = options if tools is None else {**options, "tools": tools}
        self._run = None
        with self.held():
            events = await create(thread, assistant_id=assistant, stream=True, **chosen)
            return await self._show(conversation, events, name)

    async def submit(self, conversation: Conversation, outputs: list[dict[str, str]], name: str) -> Run | None:
        """Answer what the run waits for, and show how it goes on."""
        if self._run is None:
            return None
        submit: Any = self._threads.runs.submit_tool_outputs
        with self.held():
            events = await submit(self._run.id, thread_id=self._run.thread_id, tool_outputs=outputs, stream=True)
            return await self._show(conversation, events, name)

    async def join(self, conversation: Conversation, run: Run, name: str) -> Run | None:
        """Show a run that was started elsewhere, from its beginning; none of its messages are shown yet."""
        self._run = run
        with self.held():
            return await self._show(conversation, await self._stream_of(run), name)

    async def cancel(self) -> None:
        """End the run, if it has not ended."""
        if self._run:
            try:
                await self._threads.runs.cancel(self._run.id, thread_id=self._run.thread_id)
            except openai.BadRequestError:
                # It has ended meanwhile.
                return

    async def _stream_of(self, run: Run) -> AsyncStream[AssistantStreamEvent]:
        return await self._visitor.client.get(
            f"/threads/{run.thread_id}/runs/{run.id}/stream",
            cast_to=AssistantStreamEvent,  # pyright: ignore[reportArgumentType]
            stream=True,
            stream_cls=AsyncStream[AssistantStreamEvent],
        )

    async def _show(
        self, conversation: Conversation, events: AsyncStream[AssistantStreamEvent], name: str
    ) -> Run | None:
        for tries in range(_TRIES + 1):
            self._written = []
            try:
                async with events:
                    await play(self._visitor, conversation, events, assistant=name, on_event=self._note)
            except openai.APIError:
                if self._run is None:
                    raise
            run = self._run
            if conversation.is_deleted or run is None or run.status not in ACTIVE:
                return run
            if tries < _TRIES:
                # The stream has broken off, the run goes on: the whole of it again.
                for message in self._written:
                    conversation.drop(message)
                events = await self._stream_of(run)
        ui.notify(self._visitor.text("chat.lost"), type="warning", multi_line=True, timeout=0, close_button=True)
        return self._run

    def _note(self, event: AssistantStreamEvent) -> None:
        if isinstance(event.data, Run):
            self._run = event.data
        elif isinstance(event.data, Message):
            if event.event == "thread.message.created":
                self._written.append(event.data.id)
            elif event.event in ("thread.message.completed", "thread.message.incomplete"):
                self._on_message(event.data)
