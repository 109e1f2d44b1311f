"""A chat with the draft of a GPT, beside what changes it."""

# pyright: reportDeprecated=false
from __future__ import annotations

from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Any

import openai
from nicegui import ui
from openai.types.beta.threads import Message, Run

from ...elements.attaching import Chosen
from ...elements.composer import Composer
from ...elements.controls import heading, symbol
from ...elements.conversation import Conversation
from ...elements.messages import files_of, shown
from ...elements.passage import show_passage
from ...elements.turn import names_of
from ...frame import tell
from ...visitor import Visitor
from ..chat.runs import Runs
from ..chat.uploads import CODE, SEARCH, tool_for
from ..playground.answers import Answers

#: Marks, among a thread's metadata, one in which a draft was tried: the GPT's assistant. No chat's history has it.
PREVIEW_KEY = "gpt_preview"
_SENDING = "preview_sending"


class Preview:
    """A chat with a draft; its thread is made with the first message."""

    def __init__(self, visitor: Visitor) -> None:
        """Built in the current slot; there is nothing to talk with before `show`."""
        ui.add_head_html('<link rel="stylesheet" href="/static/gpt-preview.css">')
        self._visitor = visitor
        self._assistant, self._name, self._thread = "", "", ""
        self._starters: list[str] = []
        self._tools: list[str] = []
        self._runs = Runs(visitor, self._heard)
        text = visitor.text
        with ui.element("section").classes("gpt-preview") as self.element:
            self.element.props["aria-label"] = text("gpt_preview.title")
            with ui.element("div").classes("head"):
                heading(text("gpt_preview.title"), 2)
                self._anew = symbol("restart_alt", text("gpt_preview.again"), self.begin_anew)
            copy = {"name": "copy", "label": text("frame.copy"), "icon": "content_copy"}
            self._conversation = Conversation(
                visitor,
                actions={"user": [copy], "assistant": [copy]},
                on_cite=lambda message, number: show_passage(visitor, self._thread, message, number),
            )
            with self._conversation:
                self._hello = ui.element("div")
            self._asking = ui.element("div").classes("asking")
            self._composer = Composer(visitor, on_send=self._send, on_stop=self._stop)
        self._greet()

    def show(
        self, assistant: str, starters: Sequence[str] = (), *, name: str = "", capabilities: Sequence[str] = ()
    ) -> None:
        """Try this from now on. To be called after changes: what was said stays, the next answer is the new draft's.

        Args:
            assistant: the id of the draft's assistant; "" while there is none.
            starters: conversation starters, offered where nothing was said yet.
            name: what the GPT is called.
            capabilities: as a GPT has them; also `file_search` where it has knowledge.
        """
        if assistant != self._assistant:
            self._assistant = assistant
            self.begin_anew()
        self._name = name
        self._tools = [tool for tool in (CODE, SEARCH) if tool in capabilities]
        self._starters = list(starters)
        self._greet()

    def begin_anew(self) -> None:
        """Forget what was said."""
        if not self._runs.busy:
            self._thread = ""
            self._asking.clear()
            self._composer.busy(False)
            self._conversation.show([])

    def _greet(self) -> None:
        """What stands where nothing was said yet."""
        text, ready = self._visitor.text, bool(self._assistant)
        self._composer.element.set_visibility(ready and self._visitor.may_write)
        self._anew.set_visibility(ready)
        self._hello.clear()
        with self._hello:
            ui.label(text("gpt_preview.empty" if ready else "gpt_preview.none_yet")).classes("quiet")
            if ready and self._starters and self._visitor.may_write:
                with ui.element("ul").classes("starters") as starters:
                    starters.props["aria-label"] = text("gpt_preview.starters")
                    for one in self._starters:
                        with ui.element("li"):
                            ui.button(one, on_click=partial(self._send, one, []), color=None).props("flat no-caps")

    # Asking

    async def _send(self, text: str, files: list[Chosen]) -> bool:
        """Say something, and have it answered; returns whether it was said."""
        if self._runs.busy or not self._assistant:
            return False
        if files and not self._tools:
            ui.notify(self._visitor.text("gpt_preview.no_reader"), type="warning", multi_line=True, timeout=10_000)
            return False
        with self._runs.held():
            return await self._sent(text, files)

    async def _sent(self, text: str, files: list[Chosen]) -> bool:
        said = False
        self._composer.busy(True)
        sending = {"id": _SENDING, "role": "user", "name": self._visitor.text("conversation.you"), "parts": []}
        self._conversation.add({**sending, "parts": [{"type": "text", "text": text}] if text else []})
        try:
            message = await self._say(text, files)
            said = True
            names = await names_of(self._visitor, files_of([message]))
            self._conversation.replace(_SENDING, shown(self._visitor, message, names))
            self._conversation.drop_notes()
            self._conversation.status(self._visitor.text("gpt_preview.thinking"))
            await self._until_it_rests(self._runs.start(self._conversation, self._thread, self._assistant, self._name))
        except openai.APIError as error:
            tell(self._visitor, error)
        finally:
            if not said:
                self._conversation.drop(_SENDING)
            self._conversation.status("")
        return said

    async def _say(self, text: str, files: list[Chosen]) -> Message:
        threads = self._visitor.client.beta.threads
        if not self._thread:
            made = await threads.create(metadata={PREVIEW_KEY: self._assistant})
            self._thread = made.id
        attachments: list[Any] = []
        for file in files:
            self._conversation.status(self._visitor.text("conversation.uploading"))
            content = (file.name, file.data, file.kind or "application/octet-stream")
            stored = await self._visitor.client.files.create(file=content, purpose="assistants")
            best = tool_for(file, self._tools)
            tool = best if best in self._tools else self._tools[0]
            attachments.append({"file_id": stored.id, "tools": [{"type": tool}]})
        said = text.strip() or ", ".join(file.name for file in files)
        return await threads.messages.create(self._thread, role="user", content=said, attachments=attachments or None)

    async def _until_it_rests(self, answer: Awaitable[Run | None]) -> None:
        """Wait for an answer, and ask for what it waits for."""
        waits = False
        try:
            run = await answer
            waits = run is not None and run.status == "requires_action"
            if run and waits:
                await self._ask(run)
        finally:
            self._composer.busy(waits)

    async def _ask(self, run: Run) -> None:
        consents = (await self._visitor.get(f"/threads/{run.thread_id}/runs/{run.id}/consents"))["data"]
        calls = run.required_action.submit_tool_outputs.tool_calls if run.required_action else []
        self._asking.clear()
        with self._asking:
            Answers(self._visitor, calls, {one["tool_call_id"]: one for one in consents}, self._answer)

    async def _answer(self, said: dict[str, str]) -> None:
        outputs = [{"tool_call_id": call, "output": output} for call, output in said.items()]
        with self._conversation:
            self._asking.clear()
            try:
                await self._until_it_rests(self._runs.submit(self._conversation, outputs, self._name))
            except openai.APIStatusError as error:
                # The run waits on: the person is asked again.
                tell(self._visitor, error)
                await self._until_it_rests(self._runs.last(self._thread))

    async def _stop(self) -> None:
        self._asking.clear()
        await self._runs.cancel()
        if not self._runs.busy:
            self._composer.busy(False)

    def _heard(self, message: Message) -> None:
        """The conversation shows it already."""
