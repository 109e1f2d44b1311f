"""The page on which a person makes a GPT by talking."""

# pyright: reportDeprecated=false
from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from urllib.parse import quote

import openai
from fastapi import Request
from nicegui import ui
from openai.types.beta.threads import Message, RequiredActionFunctionToolCall, Run

from ...elements.attaching import Chosen
from ...elements.composer import Composer
from ...elements.controls import heading, plain, primary
from ...elements.conversation import Conversation
from ...elements.messages import shown
from ...frame import Page, tell
from ...visitor import Visitor
from ..chat.log import PAGE, Log
from ..chat.runs import ACTIVE, Runs
from .builder import Builder
from .card import Card
from .picture import picture_of_draft
from .preview import Preview

_SENDING = "sending"
#: How often the builder may call functions in one turn.
_MOST_CALLS = 6
_IDEAS = 3
_QUESTION = re.compile(r"[^?？]+[?？]")


async def _build(visitor: Visitor, request: Request) -> None:
    builder = Builder(visitor)
    gpt = quote(request.path_params.get("gpt", ""), safe="")
    await builder.load(gpt, quote(request.query_params.get("thread", ""), safe=""))
    if not visitor.may_write or (builder.gpt and not builder.gpt["may_edit"]):
        said = "viewer" if not visitor.may_write else "not_yours"
        heading(visitor.text("gpt_builder.title"))
        ui.label(visitor.text(f"gpt_builder.{said}")).classes("empty")
        return
    await Create(visitor, builder).build()


class Create:
    """The talk at the left, the draft and a chat with it at the right."""

    def __init__(self, visitor: Visitor, builder: Builder) -> None:
        """Nothing is shown before `build`."""
        self._visitor, self._builder = visitor, builder
        self._runs = Runs(visitor, self._heard)
        self._log = Log(visitor, builder.thread)
        #: What the builder has said since the person spoke last.
        self._said = ""

    # Making the page

    async def build(self) -> None:
        """Make the page in the current slot. Raises `openai.APIError`."""
        ui.add_head_html('<link rel="stylesheet" href="/static/gpt-builder.css">')
        text = self._visitor.text
        await self._log.older()
        self._builder.recall(sum(one.role == "user" for one in self._log.messages))
        with ui.element("div").classes("gpt-create") as self._page:
            self._head()
            with ui.element("div").classes("split"):
                with ui.element("section").classes("middle talk") as talk:
                    talk.props["aria-label"] = text("gpt_builder.talk")
                    self._talk()
                with ui.element("div").classes("side end"):
                    self._card = Card(self._visitor, self._forget)
                    self._preview = Preview(self._visitor)
        await self._refresh()
        if self._builder.thread:
            ui.timer(0, self._resume, once=True)

    def _head(self) -> None:
        text = self._visitor.text
        with ui.element("div").classes("head"):
            heading(text("gpt_builder.title"))
            with ui.element("div").classes("doors") as self._doors:
                plain(text("gpt_builder.configure"), partial(self._go, ""))
                primary(text("gpt_builder.publish"), partial(self._go, "?publish=1"))
        with ui.tabs(on_change=lambda event: self._turn(str(event.value))).classes("parts") as parts:
            parts.props["aria-label"] = text("gpt_builder.parts")
            parts.props("dense no-caps align=justify")
            for one in ("talk", "preview"):
                ui.tab(one, label=text(f"gpt_builder.{one}"))
            parts.set_value("talk")

    def _turn(self, part: str) -> None:
        """Show the other part, where there is room for one only."""
        ends = ("show-preview", "") if part == "preview" else ("", "show-preview")
        self._page.classes(add=ends[0], remove=ends[1])

    def _talk(self) -> None:
        copy = {"name": "copy", "label": self._visitor.text("frame.copy"), "icon": "content_copy"}
        messages = [self._shown(one) for one in self._log.messages]
        self._conversation = Conversation(
            self._visitor,
            messages,
            actions={"user": [copy], "assistant": [copy]},
            on_older=self._older,
            more=self._log.more,
        )
        with self._conversation:
            self._hello()
        self._composer = Composer(self._visitor, on_send=self._send, on_stop=self._runs.cancel)

    def _hello(self) -> None:
        text, begun = self._visitor.text, self._builder.gpt is not None
        greeting = text("gpt_builder.hello_again") if begun else self._builder.definition["greeting"]
        # Its first sentence, and what follows.
        asks = _QUESTION.match(greeting)
        heading(asks[0] if asks else greeting, 2)
        if rest := greeting[asks.end() :].strip() if asks else "":
            ui.label(rest)
        ui.label(text("gpt_builder.again_hint" if begun else "gpt_builder.hint")).classes("quiet")
        if not begun:
            with ui.element("ul").classes("ideas") as ideas:
                ideas.props["aria-label"] = text("gpt_builder.ideas")
                for number in range(1, _IDEAS + 1):
                    idea = text(f"gpt_builder.idea_{number}")
                    with ui.element("li"):
                        ui.button(idea, on_click=partial(self._send, idea, []), color=None).props("flat no-caps")

    def _shown(self, message: Message) -> dict[str, object]:
        return shown(self._visitor, message, {}, self._builder.name)

    async def _older(self) -> None:
        older = [self._shown(one) for one in await self._log.older(PAGE)]
        self._conversation.prepend(older, more=self._log.more)

    async def _refresh(self) -> None:
        """Show the draft as it is."""
        gpt = self._builder.gpt
        self._doors.set_visibility(gpt is not None)
        self._preview.element.set_visibility(gpt is not None)
        if gpt is None:
            return
        draft = gpt["draft"]
        picture = await picture_of_draft(self._visitor, gpt)
        self._card.show(draft, picture, self._builder.every_name, self._builder.changed)
        can = [*draft["capabilities"], *(["file_search"] if draft["knowledge"] else [])]
        starters = draft["conversation_starters"]
        self._preview.show(draft["assistant_id"], starters, name=draft["name"], capabilities=can)

    def _go(self, query: str) -> None:
        if self._builder.gpt:
            ui.navigate.to(f"/gpts/edit/{self._builder.gpt['id']}{query}")

    # Talking

    async def _send(self, text: str, files: list[Chosen]) -> bool:
        """Say something, and let the builder change the draft; returns whether it was said."""
        if self._runs.busy:
            return False
        with self._runs.held():
            return await self._sent(text, files)

    async def _sent(self, text: str, files: list[Chosen]) -> bool:
        said = False
        self._composer.busy(True)
        sending = {"id": _SENDING, "role": "user", "name": self._visitor.text("conversation.you")}
        self._conversation.add({**sending, "parts": [{"type": "text", "text": text}] if text else []})
        try:
            await self._builder.refresh()
            if files:
                self._conversation.status(self._visitor.text("conversation.uploading"))
            taken = await self._builder.take(files)
            message = await self._builder.say(text, *taken)
            said = True
            self._conversation.replace(_SENDING, self._shown(message))
            self._remember()
            if taken:
                await self._refresh()
            await self._work()
        except openai.APIError as error:
            tell(self._visitor, error)
        finally:
            if not said:
                self._conversation.drop(_SENDING)
            self._conversation.status("")
            self._composer.busy(False)
        return said

    def _remember(self) -> None:
        """Let the address be the one under which this is found again."""
        gpt, thread = self._builder.gpt, self._builder.thread
        ui.navigate.history.replace(f"/gpts/create/{gpt['id']}" if gpt else f"/gpts/create?thread={thread}")

    async def _work(self) -> None:
        """A turn of the builder: a run, with what it calls for."""
        self._said = ""
        self._conversation.drop_notes()
        self._card.writing(True)
        try:
            begun = self._builder.gpt is not None
            self._conversation.status(self._visitor.text("gpt_builder.working" if begun else "gpt_builder.writing"))
            assistant, options = await self._builder.assistant(), await self._builder.options()
            run = await self._runs.start(
                self._conversation, self._builder.thread, assistant, self._builder.name, **options
            )
            await self._finish(run)
        finally:
            self._card.writing(False)

    async def _finish(self, run: Run | None) -> None:
        """Answer what a run calls for until it has ended, and see that it ends with a question."""
        calls = 0
        while run and run.status == "requires_action" and run.required_action:
            calls += 1
            if calls > _MOST_CALLS:
                await self._runs.cancel()
                break
            try:
                run = await self._answer(run.required_action.submit_tool_outputs.tool_calls)
            except Exception:
                # A run that waits on takes no further message.
                with suppress(openai.APIError):
                    await self._runs.cancel()
                raise
        if self._conversation.is_deleted or (run and run.status in (*ACTIVE, "cancelled")):
            return
        await self._conclude()

    async def _answer(self, calls: Sequence[RequiredActionFunctionToolCall]) -> Run | None:
        """Do what a run calls for, and let it go on; returns it when it stands still again."""
        outputs: list[dict[str, str]] = []
        for call in calls:
            draws = call.function.name == "draw_picture"
            self._conversation.status(self._visitor.text("gpt_builder.drawing" if draws else "gpt_builder.saving"))
            outputs.append({"tool_call_id": call.id, "output": await self._builder.answer(call)})
        await self._refresh()
        self._remember()
        self._conversation.status(self._visitor.text("gpt_builder.working"))
        return await self._runs.submit(self._conversation, outputs, self._builder.name)

    async def _conclude(self) -> None:
        """No turn ends without a word; with a model that is led, none without a question."""
        if _QUESTION.search(self._said) or (self._said and not self._builder.definition["led"]):
            return
        if not self._said and not self._builder.changed:
            note = self._visitor.text("gpt_builder.failed")
            self._conversation.add({"id": "failed", "role": "note", "parts": [], "note": note})
            return
        said = self._builder.question()
        if not self._said:
            fields = ", ".join(self._visitor.text(f"gpt_builder.{one}") for one in self._builder.changed)
            said = f"{self._visitor.text('gpt_builder.did', fields=fields)} {said}"
        self._conversation.add(self._shown(await self._builder.ask(said)))

    async def _resume(self) -> None:
        """Go on with a run that was under way when the page was opened."""
        run = await self._runs.last(self._builder.thread)
        if run is None or self._conversation.is_deleted:
            return
        if run.status not in (*ACTIVE, "requires_action"):
            return
        self._composer.busy(True)
        self._card.writing(True)
        try:
            if run.status in ACTIVE:
                for message in self._log.messages:
                    if message.run_id == run.id:
                        self._conversation.drop(message.id)
                self._conversation.status(self._visitor.text("gpt_builder.working"))
                run = await self._runs.join(self._conversation, run, self._builder.name)
            await self._finish(run)
        finally:
            self._conversation.status("")
            self._composer.busy(False)
            self._card.writing(False)

    def _heard(self, message: Message) -> None:
        """The builder has said something."""
        self._said = "".join(part.text.value for part in message.content if part.type == "text")

    async def _forget(self, file: str) -> None:
        """Take a file out of the knowledge."""
        await self._builder.refresh()
        if self._builder.gpt:
            kept = [one for one in self._builder.gpt["draft"]["knowledge"] if one != file]
            self._builder.changed = []
            await self._builder.change({"knowledge": kept})
            await self._refresh()


PAGES = (
    Page("/gpts/create", "gpt_builder.title", _build, fills=True),
    Page("/gpts/create/{gpt}", "gpt_builder.title", _build, fills=True),
)
