"""A chat: its messages, the field to write, and what can be done with both."""

# pyright: reportDeprecated=false
from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import openai
from nicegui import ui
from openai.types.beta.threads import Message, Run

from ...elements.attaching import Chosen
from ...elements.composer import Composer
from ...elements.controls import primary
from ...elements.conversation import Conversation
from ...elements.passage import show_passage
from ...elements.shortcuts import Shortcuts
from ...elements.turn import ended
from ...frame import message_of, tell
from ...visitor import Visitor
from .asked import Asked
from .branches import chosen, owner_of, partings
from .choices import Choices
from .edit import ask_again
from .head import Head
from .hello import hello
from .keys import KEYS, show_keys
from .opened import RATING, Opened
from .runs import ACTIVE, Runs
from .side import Side
from .temporary import Temporary, sweep
from .threads import ASSISTANT, TEMPORARY, Threads, title_of
from .titles import title_by
from .uploads import CannotTake, told

#: Files of one message, at most bytes each.
_MAX_FILE = 64 * 1024 * 1024
#: Key of a thread's metadata: types of tools, beside the assistant's own, that its files need.
_TOOLS = "tools"
#: What a reader may think of a message, with icons.
_RATINGS = {"good": "thumb_up", "bad": "thumb_down"}
_SENDING = "sending"


class Talk:
    """One page of chat."""

    def __init__(self, visitor: Visitor) -> None:
        """Nothing is shown before `build`."""
        self._visitor = visitor
        self._choices, self._threads = Choices(visitor), Threads(visitor)
        self._side = Side(visitor, self._threads, self._renew)
        self._runs = Runs(visitor, self._heard)
        self._chat = Opened(visitor, self._choices, self._threads)
        #: What is deleted with a chat that is not kept; None for others.
        self._temporary: Temporary | None = None
        #: The name that the page gave a new chat; "" once somebody or something else may have named it.
        self._first_words = ""

    # Making the page

    async def build(self, *, thread: str, wanted: str, ask: str, temporary: bool = False) -> None:
        """Make the page in the current slot.

        Args:
            thread: the id of the chat; "" for a new one.
            wanted: the key of the assistant or model to talk with; "" for the usual one.
            ask: what stands in the field at first.
            temporary: whether a new chat is not kept.

        Raises:
            openai.APIError: there is no such thread, or the server does not answer.
        """
        ui.add_head_html('<link rel="stylesheet" href="/static/chat.css">')
        await asyncio.gather(self._choices.load(), self._side.load(), self._chat.load(thread))
        last = (self._chat.thread.get("metadata") or {}).get(ASSISTANT, "")
        await self._choices.learn([last])
        before = f"gpt:{last}" if last.startswith("gpt_") else self._choices.of(last)
        self._chosen = await self._choices.default(wanted or before)
        messages = await self._chat.view()
        if temporary or (TEMPORARY in (self._chat.thread.get("metadata") or {}) and self._may_go_on()):
            self._temporary = Temporary(self._visitor)
        with ui.element("div").classes("split chat") as self._split:
            self._side.build()
            with ui.element("div").classes("middle"):
                self._head = Head(
                    self._visitor,
                    self._chat,
                    choices=self._choices,
                    chosen=self._chosen,
                    own=self._may_go_on(),
                    on_history=self._side.toggle,
                    on_choose=self._talk_with,
                    on_temporary=self._keep_not,
                    on_back=self._bring_back,
                )
                self._conversation = Conversation(
                    self._visitor,
                    messages,
                    actions=self._actions(),
                    on_action=self._act,
                    on_cite=lambda message, number: show_passage(self._visitor, self._chat.id, message, number),
                    on_older=self._older,
                    more=self._chat.has_older,
                )
                with self._conversation:
                    self._hello = ui.element("div")
                self._talk_with(self._chosen)
                self._asked = Asked(self._visitor, on_answer=self._submit, on_end=self._stop)
                self._foot = ui.element("div").classes("foot")
                self._build_foot()
        Shortcuts(KEYS, self._pressed)
        self._entitle()
        if ask and self._composer:
            self._composer.write(ask[:10_000])
        if self._chat.thread:
            ui.timer(0, self._resume, once=True)
        elif self._visitor.may_write:
            ui.timer(0, lambda: sweep(self._visitor, self._threads), once=True)

    def _talk_with(self, key: str | None) -> None:
        """Talk with this one from now on, and say so where nothing has been said yet."""
        self._chosen = key or self._chosen
        offered = self._visitor.may_write and not self._chat.thread
        self._hello.clear()
        with self._hello:
            hello(self._visitor, self._choices.all.get(self._chosen), on_ask=self._send if offered else None)

    def _build_foot(self) -> None:
        """The field to write, or why there is none."""
        text = self._visitor.text
        self._composer: Composer | None = None
        self._foot.clear()
        with self._foot:
            if not self._visitor.may_write:
                ui.label(text("chat.viewer")).classes("quiet note")
            elif self._chat.thread and not self._threads.is_mine(self._chat.thread):
                with ui.element("div").classes("note"):
                    ui.label(text("chat.of_other")).classes("quiet")
                    primary(text("chat.continue"), self._copy)
            elif self._choices.all:
                self._composer = Composer(
                    self._visitor, on_send=self._send, on_stop=self._stop, max_file_bytes=_MAX_FILE, keep=True
                )

    def _actions(self) -> dict[str, list[dict[str, Any]]]:
        text = self._visitor.text
        copy = {"name": "copy", "label": text("frame.copy"), "icon": "content_copy"}
        if not self._may_go_on():
            return {"user": [copy], "assistant": [copy]}
        again = {"name": "again", "label": text("chat.again"), "icon": "refresh"}
        edit = {"name": "edit", "label": text("chat.edit"), "icon": "edit"}
        ratings = [
            {"name": name, "label": text(f"chat.{name}"), "icon": icon, "toggle": True}
            for name, icon in _RATINGS.items()
        ]
        return {"user": [copy, edit], "assistant": [copy, again, *ratings], "note": [again]}

    def _may_go_on(self) -> bool:
        return self._visitor.may_write and (not self._chat.thread or self._threads.is_mine(self._chat.thread))

    def _entitle(self) -> None:
        """Say everywhere which chat this is."""
        self._head.show(temporary=self._temporary is not None)
        title = self._visitor.text("chat.temporary") if self._temporary else self._chat.title
        ui.page_title(f"{title} · Retinue")
        self._split.classes(add="temporary" if self._temporary else "", remove="" if self._temporary else "temporary")
        if self._temporary and self._chat.thread:
            self._temporary.follow(self._chat.id, ui.context.client)
        elif self._chat.thread:
            self._side.mark(self._chat.thread)

    def _at_address(self) -> None:
        """Let the browser's address be the chat's; one that is not kept has none."""
        if not self._temporary:
            ui.navigate.history.replace(f"/chat/{self._chat.id}")

    def _keep_not(self, temporary: bool) -> None:
        """Whether the chat that begins here is not kept."""
        self._temporary = Temporary(self._visitor) if temporary else None
        ui.navigate.history.replace("/?temporary=1" if temporary else "/")
        self._entitle()

    async def _bring_back(self) -> None:
        """Let an archived chat stand in the list again."""
        await self._threads.archive(self._chat.id, archived=False)
        await self._side.refresh()
        await self._renew()

    async def _renew(self) -> None:
        """Say everywhere what the chat is called by now, and which it is."""
        thread = self._chat.thread
        thread["metadata"] = (await self._threads.get(thread["id"]))["metadata"] or {}
        self._entitle()

    # What is there

    async def _older(self) -> None:
        """Show older messages."""
        self._conversation.prepend(await self._chat.older(), more=self._chat.has_older)

    async def _open(self, thread: str) -> None:
        """Show another chat in this page."""
        await self._chat.load(thread)
        self._conversation.show(await self._chat.view(), more=self._chat.has_older)
        self._at_address()
        self._entitle()

    # Asking

    async def _send(self, text: str, files: list[Chosen]) -> bool:
        """Say something, and have it answered; returns whether it was said."""
        if self._composer is None or self._runs.busy:
            return False
        with self._runs.held():
            return await self._sent(self._composer, text, files)

    async def _sent(self, composer: Composer, text: str, files: list[Chosen]) -> bool:
        said = False
        composer.busy(True)
        self._asked.hide()
        name = self._choices.all[self._chosen].name
        sending = {"id": _SENDING, "role": "user", "name": self._visitor.text("conversation.you"), "parts": []}
        self._conversation.add({**sending, "parts": [{"type": "text", "text": text}] if text else []})
        try:
            if files:
                self._conversation.status(self._visitor.text("conversation.uploading"))
            message = await self._say(text, files)
            said = True
            self._conversation.replace(_SENDING, await self._chat.put(message))
            await self._after(await self._answer())
        except CannotTake as why:
            ui.notify(self._visitor.text(why.word, name=name), type="warning", multi_line=True, timeout=10_000)
        except openai.APIError as error:
            tell(self._visitor, error)
        finally:
            if not said:
                self._conversation.status("")
                self._conversation.drop(_SENDING)
            composer.busy(False)
        return said

    async def _say(self, text: str, files: list[Chosen]) -> Message:
        """Put a message into the thread, which is made if it is the first."""
        choice = self._choices.all[self._chosen]
        sees = bool(files) and await self._choices.sees(self._chosen)
        made = await told(self._visitor, text, files, sees=sees, tools=choice.tools, fixed=choice.is_gpt)
        if not self._chat.thread:
            self._first_words = title_of(text) or title_of(", ".join(file.name for file in files))
            assistant, temporary = await self._choices.assistant(self._chosen), self._temporary is not None
            self._chat.begin(await self._threads.create(self._first_words, assistant, temporary=temporary))
            self._at_address()
            self._entitle()
        elif self._threads.is_archived(self._chat.thread):
            await self._bring_back()
        if not self._temporary:
            self._side.mark(self._chat.thread, used=True)
        await self._need(made.tools)
        return await self._post(self._chat.id, made.content, made.attachments)

    async def _need(self, tools: set[str]) -> None:
        """Remember which tools the thread's files need."""
        known = set(filter(None, self._chat.thread["metadata"].get(_TOOLS, "").split(",")))
        if tools - known:
            await self._threads.note(self._chat.thread, **{_TOOLS: ",".join(sorted(known | tools))})

    async def _post(self, thread: str, content: list[dict[str, Any]], attachments: list[Any]) -> Message:
        create: Any = self._visitor.client.beta.threads.messages.create
        message = await create(thread, role="user", content=content, attachments=attachments or None)
        if self._temporary:
            await self._temporary.note(thread, [message])
        return message

    async def _answer(self) -> Run | None:
        """Have the thread's last message answered; returns the run, if there is one."""
        choice = self._choices.all[self._chosen]
        self._conversation.drop_notes()
        self._conversation.status(self._visitor.text("chat.thinking"))
        try:
            assistant = await self._choices.assistant(self._chosen)
            await self._threads.note(self._chat.thread, **{ASSISTANT: assistant})
            needed = set(filter(None, self._chat.thread["metadata"].get(_TOOLS, "").split(","))) - set(choice.tools)
            own, more = self._choices.tools(self._chosen), [{"type": one} for one in sorted(needed)]
            tools = [*own, *more] if more and not choice.is_gpt else None
            return await self._runs.start(self._conversation, self._chat.id, assistant, choice.name, tools)
        except openai.AuthenticationError:
            raise
        except openai.APIStatusError as error:
            said = message_of(error)
            self._conversation.add({"id": "refused", "role": "note", "parts": [], "note": said, "noteKind": "wrong"})
            return None
        finally:
            self._conversation.status("")

    async def _after(self, run: Run | None) -> None:
        """What is to be done when a run stands still."""
        if self._temporary:
            await self._temporary.note(self._chat.id, self._chat.log.messages)
        elif run is not None and run.status == "completed" and self._first_words:
            # The answer is there: nobody waits for the name.
            with self._foot:
                ui.timer(0, self._name, once=True)
        if run is not None and run.status == "requires_action":
            await self._asked.ask(run)
        if run is not None and run.status == "incomplete":
            self._conversation.replace(f"end_{run.id}", self._unfinished(run))
        marks = self._chat.marks()
        for at, mark in marks.items():
            if at < len(self._chat.log.messages) and self._chat.log.messages[at].run_id:
                message = self._chat.log.messages[at]
                self._conversation.replace(message.id, self._chat.shown(message, mark))

    async def _name(self) -> None:
        """Have the model that has answered first name the chat, unless a person has done so."""
        words, self._first_words = self._first_words, ""
        chat, choice = self._chat.thread, self._choices.all[self._chosen]
        try:
            if words and choice.model and await self._choices.names_chats(self._chosen):
                title = await title_by(self._visitor, choice.model, self._chat.log.messages[:4])
                if title and await self._threads.rename_from(chat, words, title) and chat["id"] == self._chat.id:
                    self._entitle()
        except openai.APIError:
            # The chat is gone, perhaps; it has a name in any case.
            return

    def _unfinished(self, run: Run) -> dict[str, Any]:
        """What is said of a run that did not complete; an answer that was cut off can be gone on with."""
        cut = run.incomplete_details is not None and run.incomplete_details.reason == "max_completion_tokens"
        go_on = {"name": "go_on", "label": self._visitor.text("chat.go_on"), "icon": "keyboard_double_arrow_right"}
        return {**ended(self._visitor, run), "actions": [go_on] if cut and self._may_go_on() else []}

    def _heard(self, message: Message) -> None:
        """A message has come to its end."""
        self._chat.log.put(message)

    async def _stop(self) -> None:
        await self._runs.cancel()
        self._asked.hide()

    async def _pressed(self, name: str) -> None:
        """A key that does something anywhere."""
        if name == "help":
            show_keys(self._visitor)
        elif name == "new":
            ui.navigate.to("/")
        elif name == "search":
            self._side.focus()
        elif name == "write" and self._composer:
            self._composer.focus()
        elif name == "stop" and self._runs.busy:
            await self._stop()

    async def _submit(self, outputs: list[dict[str, str]]) -> None:
        try:
            await self._busily(self._runs.submit(self._conversation, outputs, self._choices.all[self._chosen].name))
        except openai.APIStatusError as error:
            # The run waits on: the person is asked again. The button that was pressed is gone by now.
            with self._foot:
                tell(self._visitor, error)
            run = await self._runs.last(self._chat.id)
            if run is not None and run.status == "requires_action":
                await self._asked.ask(run)

    async def _resume(self) -> None:
        """Go on showing an answer that was under way when the page was opened, or say how the last one ended."""
        run = await self._runs.last(self._chat.id)
        if run is None or self._conversation.is_deleted:
            return
        name = self._choices.all.get(self._choices.of(run.assistant_id))
        if run.status in ACTIVE:
            for message in self._chat.log.messages:
                if message.run_id == run.id:
                    self._conversation.drop(message.id)
            await self._busily(self._runs.join(self._conversation, run, name.name if name else ""))
        elif run.status == "requires_action" and self._may_go_on():
            await self._asked.ask(run)
        elif run.status in ("failed", "expired", "incomplete"):
            self._conversation.add(self._unfinished(run))

    async def _busily(self, answer: Awaitable[Run | None]) -> None:
        """Wait for an answer while nothing can be sent."""
        if self._composer:
            self._composer.busy(True)
        try:
            with self._runs.held():
                await self._after(await answer)
        finally:
            if self._composer:
                self._composer.busy(False)

    # Branches

    async def _act(self, name: str, message: str) -> None:
        """A button under a message."""
        if name == "copy" or self._runs.busy:
            return
        if name in _RATINGS:
            await self._rate(message, name)
            return
        if name == "go_on":
            await self._send(self._visitor.text("chat.go_on_said"), [])
            return
        with self._runs.held():
            await self._part(name, message)

    async def _part(self, name: str, message: str) -> None:
        """A button that leads to another branch."""
        if not await self._chat.whole():
            ui.notify(self._visitor.text("chat.too_long"), type="warning")
            return
        at = self._chat.log.number(message)
        if name in ("previous", "next"):
            await self._turn(at, 1 if name == "next" else -1)
        elif name == "again" and self._may_go_on():
            await self._again(at)
        elif name == "edit" and at >= 0:
            ask_again(self._visitor, self._chat.log.messages[at], lambda text: self._edit(at, text))

    async def _rate(self, identifier: str, rating: str) -> None:
        """Note what the reader thinks of an answer; the same again takes it back."""
        at = self._chat.log.number(identifier)
        if at < 0 or not self._may_go_on():
            return
        metadata = dict(self._chat.log.messages[at].metadata or {})
        if metadata.pop(RATING, "") != rating:
            metadata[RATING] = rating
        update = self._visitor.client.beta.threads.messages.update
        message = await update(identifier, thread_id=self._chat.id, metadata=metadata)
        self._chat.log.put(message)
        self._conversation.replace(identifier, self._chat.shown(message, self._chat.marks().get(at)))

    async def _turn(self, at: int, by: int) -> None:
        """Show the branch beside the one that is shown."""
        tree = self._chat.tree
        ways = partings(tree.values(), self._chat.id).get(at, [])
        number = ways.index(chosen(tree, self._chat.id, at)) + by if ways else -1
        if 0 <= number < len(ways):
            await self._open(ways[number])

    async def _again(self, at: int) -> None:
        """Answer once more the question that stands before a message; a note stands behind the last one."""
        messages = self._chat.log.messages
        at = len(messages) if at < 0 else at
        asked = next((number for number in range(at - 1, -1, -1) if messages[number].role == "user"), -1)
        if asked < 0:
            return
        if asked < len(messages) - 1:
            await self._open(await self._fork(asked + 1))
        await self._busily(self._answer())

    async def _edit(self, at: int, text: str) -> Callable[[], Awaitable[None]]:
        """Ask another question in the place of one, with the same files; returns what has it answered."""
        old = self._chat.log.messages[at]
        content: list[dict[str, Any]] = [{"type": "text", "text": text}]
        content += [part.to_dict() for part in old.content if part.type != "text"]  # pyright: ignore[reportArgumentType]
        attachments: list[Any] = [one.to_dict() for one in old.attachments or []]
        fork = await self._fork(at)
        try:
            await self._post(fork, content, attachments)
        except openai.APIError:
            # Nothing would lead back from a branch without a message of its own.
            with suppress(openai.APIError):
                await self._visitor.delete(f"/threads/{fork}")
            raise
        await self._open(fork)
        return lambda: self._busily(self._answer())

    async def _fork(self, at: int) -> str:
        """A thread that has the first `at` messages; returns its id."""
        owner = owner_of(self._chat.tree, self._chat.id, at)
        last = self._chat.log.messages[at - 1].id if at else ""
        return (await self._threads.fork(self._chat.thread, owner, at, last))["id"]

    async def _copy(self) -> None:
        """Go on with somebody else's chat in a copy."""
        copy = await self._threads.copy(self._chat.thread)
        ui.navigate.to(f"/chat/{copy['id']}")
