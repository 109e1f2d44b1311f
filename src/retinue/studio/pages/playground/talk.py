"""The conversation in the middle: messages of a thread, and its runs."""

# pyright: reportDeprecated=false
from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Literal, cast

import openai
from nicegui import ui
from openai import AsyncStream
from openai.types.beta import AssistantStreamEvent
from openai.types.beta.threads import Message, Run

from ...elements.composer import Chosen, Composer
from ...elements.controls import plain
from ...elements.conversation import Conversation
from ...elements.dialogs import question
from ...elements.messages import files_of, shown
from ...elements.passage import show_passage
from ...elements.turn import ended, names_of, play
from ...frame import tell
from ...visitor import Visitor
from .answers import Answers
from .attached import Attached, attach
from .code import asked, show_code
from .draft import Draft
from .run_options import RunOptions

#: Messages that are shown at once.
_PAGE = 50
_ACTIVE = ("queued", "in_progress", "cancelling")
_WRITTEN = ("thread.message.completed", "thread.message.incomplete")
_UNDONE = ("failed", "expired", "incomplete", "cancelled")


class Talk:
    """Messages, the field in which they are written, and what a run asks for."""

    def __init__(
        self,
        visitor: Visitor,
        draft: Draft,
        *,
        on_thread: Callable[[str], Awaitable[None]],
        on_changed: Callable[[], Awaitable[None]],
    ) -> None:
        """Built in the current slot, with a thread that is still to be made.

        Args:
            visitor: who talks.
            draft: the assistant that answers.
            on_thread: is told the id of a thread that was made, and of one that got its first message.
            on_changed: is called where the assistant got a tool for a file.
        """
        self._visitor, self._draft = visitor, draft
        self._on_thread, self._on_changed = on_thread, on_changed
        self._threads = visitor.client.beta.threads
        self._thread, self._run = "", ""
        self._messages: list[Message] = []
        self._names: dict[str, str] = {}
        #: Counts what was opened, so that what belongs to another thread is not shown.
        self._opened = 0
        text = visitor.text
        self._earlier = plain(text("playground.earlier"), self._show_earlier).classes("earlier")
        self._earlier.set_visibility(False)
        copy = {"name": "copy", "label": text("frame.copy"), "icon": "content_copy"}
        delete = {"name": "delete", "label": text("playground.delete_message"), "icon": "delete"}
        actions = [copy, delete] if visitor.may_write else [copy]
        self._conversation = Conversation(
            visitor, actions={"user": actions, "assistant": actions}, on_action=self._act, on_cite=self._cite
        )
        with self._conversation:
            ui.label(text("playground.hello" if visitor.may_write else "playground.look"))
        self._form = ui.element("div").classes("waiting-form")
        self._composer = Composer(
            visitor, on_send=self._send, on_stop=self._stop, on_add=self._add, beside=self._offer_options
        )
        self._composer.element.set_visibility(visitor.may_write)

    def _offer_options(self) -> None:
        self._options = RunOptions(self._visitor, self._draft)

    @property
    def thread(self) -> str:
        """The id of the thread; "" while there is none."""
        return self._thread

    def show_code(self, base_url: str) -> None:
        """Show what is on the page as a program for the API at `base_url`."""
        messages = asked(
            [one.to_dict(warnings=False) for one in self._messages],
            self._composer.text,
            self._visitor.text("playground.code_example"),
        )
        assistant = {"id": self._draft.id, "tools": self._draft.state["tools"]}
        show_code(self._visitor, base_url, assistant, self._options.fields(), messages)

    def follow(self) -> None:
        """Keep the end of the conversation in sight where the form takes room from it; once in a page."""
        ui.run_javascript(
            f"new ResizeObserver(() => getElement({self._conversation.id})?.follow?.())"
            f".observe(getHtmlElement({self._form.id}))"
        )

    def new(self) -> None:
        """Begin a thread; it is made with its first message."""
        self._leave("")

    async def open(self, thread: str) -> None:
        """Show a thread, and go on with its run if one is under way. Raises `openai.APIError`."""
        opened = self._leave(thread)
        page = await self._threads.messages.list(thread, limit=_PAGE, order="desc")
        runs = await self._threads.runs.list(thread, limit=1)
        if opened != self._opened:
            return
        run = runs.data[0] if runs.data else None
        joined = run.id if run and run.status in _ACTIVE else None
        self._messages = [one for one in reversed(page.data) if not joined or one.run_id != joined]
        self._earlier.set_visibility(bool(page.has_more))
        await self._show(run)
        if run and joined:
            self._run = run.id
            await self._play(await self._join(run))
        elif run and run.status == "requires_action":
            self._run = run.id
            await self._ask(run)

    def _leave(self, thread: str) -> int:
        self._opened += 1
        self._thread, self._run, self._messages = thread, "", []
        self._form.clear()
        self._composer.busy(False)
        self._conversation.status("")
        self._conversation.show([])
        self._earlier.set_visibility(False)
        return self._opened

    async def _show(self, run: Run | None = None) -> None:
        self._names = await names_of(self._visitor, files_of(self._messages), self._names)
        said = [self._shown(one) for one in self._messages]
        if run and run.status in _UNDONE:
            said.append(ended(self._visitor, run, self._draft.name))
        self._conversation.show(said)

    def _shown(self, message: Message) -> dict[str, Any]:
        return shown(self._visitor, message, self._names, self._draft.name)

    async def _show_earlier(self) -> None:
        first = self._messages[0].id
        page = await self._threads.messages.list(self._thread, limit=_PAGE, order="desc", after=first)
        if self._messages[0].id == first:
            self._messages = [*reversed(page.data), *self._messages]
            self._earlier.set_visibility(bool(page.has_more))
            await self._show()
            self._conversation.reveal(first)

    async def _join(self, run: Run) -> AsyncStream[AssistantStreamEvent]:
        """The events of a run that is under way already."""
        return await self._visitor.client.get(
            f"/threads/{run.thread_id}/runs/{run.id}/stream",
            cast_to=cast(Any, Run),
            options=cast(Any, {"synthesize_event_and_data": True}),
            stream=True,
            stream_cls=AsyncStream[AssistantStreamEvent],
        )

    async def _send(self, text: str, files: list[Chosen]) -> bool | None:
        """Add a message, if there is one, and run the assistant."""
        opened = self._opened
        if text.strip() or files:
            if not await self._write(text, files, "user"):
                return False
        elif not self._messages:
            ui.notify(self._visitor.text("playground.say_something"))
            return None
        if opened != self._opened:
            return None
        self._composer.busy(True)
        try:
            events = await self._threads.runs.create(
                self._thread, assistant_id=self._draft.id, stream=True, **self._options.fields()
            )
        except openai.APIError as error:
            # The message is in the thread: it is not to be put back into the field.
            self._composer.busy(False)
            tell(self._visitor, error)
            return None
        await self._play(events)
        return None

    async def _add(self, text: str, files: list[Chosen], role: Literal["user", "assistant"]) -> bool:
        return await self._write(text, files, role)

    async def _write(self, text: str, files: list[Chosen], role: Literal["user", "assistant"]) -> bool:
        """Add a message to the thread, which is made if there is none; whether that worked."""
        opened = self._opened
        self._composer.busy(True)
        try:
            attached = await self._attached(files)
            content: Any = [{"type": "text", "text": text}] if text.strip() else []
            if not content and not attached.pictures:
                content = [{"type": "text", "text": ", ".join(file.name for file in files)}]
            content += [{"type": "image_file", "image_file": {"file_id": one}} for one in attached.pictures]
            made = not self._thread
            thread = self._thread or (await self._threads.create()).id
            if opened == self._opened:
                self._thread = thread
            message = await self._threads.messages.create(
                thread, role=role, content=content, attachments=cast(Any, attached.attachments)
            )
        except openai.APIError as error:
            tell(self._visitor, error)
            return False
        finally:
            if opened == self._opened:
                self._conversation.status("")
                self._composer.busy(False)
        if opened != self._opened:
            # Another thread was opened meanwhile.
            return True
        self._names |= attached.names
        if attached.switched:
            await self._on_changed()
        first = not self._messages
        self._messages.append(message)
        self._conversation.add(self._shown(message))
        if made or first:
            await self._on_thread(self._thread)
        return True

    async def _attached(self, files: list[Chosen]) -> Attached:
        if not files:
            return Attached()
        self._conversation.status(self._visitor.text("playground.uploading"))
        return await attach(self._visitor, self._draft, files)

    async def _play(self, events: AsyncStream[AssistantStreamEvent]) -> None:
        """Show a run while it runs, to where it has ended or waits."""
        opened = self._opened
        self._composer.busy(True)
        run = None
        try:
            run = await play(
                self._visitor,
                self._conversation,
                self._while_open(events, opened),
                assistant=self._draft.name,
                on_event=self._note,
            )
        finally:
            await events.close()
            if opened == self._opened:
                self._composer.busy(False)
        if opened == self._opened and run and run.status == "requires_action":
            await self._ask(run)

    async def _while_open(
        self, events: AsyncStream[AssistantStreamEvent], opened: int
    ) -> AsyncIterator[AssistantStreamEvent]:
        async for event in events:
            if opened != self._opened:
                return
            yield event

    def _note(self, event: AssistantStreamEvent) -> None:
        if isinstance(event.data, Run):
            self._run = event.data.id
        elif isinstance(event.data, Message) and event.event in _WRITTEN:
            self._messages.append(event.data)

    async def _ask(self, run: Run) -> None:
        """Ask for what a run waits for."""
        opened = self._opened
        self._composer.busy(True)
        consents = await self._visitor.get(f"/threads/{run.thread_id}/runs/{run.id}/consents")
        calls = run.required_action.submit_tool_outputs.tool_calls if run.required_action else []
        if opened != self._opened:
            return
        self._form.clear()
        if not self._visitor.may_write:
            return
        with self._form:
            Answers(
                self._visitor,
                calls,
                {one["tool_call_id"]: one for one in consents["data"]},
                lambda said: self._answer(run, said),
            )

    async def _answer(self, run: Run, said: dict[str, str]) -> None:
        outputs: Any = [{"tool_call_id": call, "output": output} for call, output in said.items()]
        events = await self._threads.runs.submit_tool_outputs(
            run.id, thread_id=run.thread_id, tool_outputs=outputs, stream=True
        )
        with self._conversation:
            self._form.clear()
            await self._play(events)

    async def _stop(self) -> None:
        if not self._run:
            return
        run = await self._threads.runs.cancel(self._run, thread_id=self._thread)
        waited = bool(self._form.default_slot.children)
        self._form.clear()
        if waited:
            self._composer.busy(False)
            self._conversation.add(ended(self._visitor, run, self._draft.name))

    def _act(self, name: str, message: str) -> None:
        if name != "delete":
            return
        text, thread = self._visitor.text, self._thread

        async def delete() -> None:
            await self._threads.messages.delete(message, thread_id=thread)
            self._messages = [one for one in self._messages if one.id != message]
            self._conversation.drop(message)

        title, hint = text("playground.delete_message"), text("playground.message_lost")
        question(self._visitor, title, hint, text("frame.delete"), delete)

    async def _cite(self, message: str, number: int) -> None:
        await show_passage(self._visitor, self._thread, message, number)
