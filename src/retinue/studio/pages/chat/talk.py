"""A chat: its messages, the field to write, and what can be done with both."""

# pyright: reportDeprecated=false
from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Any

import openai
from nicegui import ui
from openai.types.beta.threads import Message, Run

from ...elements.composer import Chosen, Composer
from ...elements.controls import heading, primary, symbol
from ...elements.conversation import Conversation
from ...elements.messages import files_of, shown
from ...elements.passage import show_passage
from ...elements.turn import ended, names_of
from ...frame import message_of, tell
from ...visitor import Visitor
from .asked import Asked
from .branches import ROOT, branch_of, chosen, owner_of, partings
from .choices import Choices
from .edit import ask_again
from .export import as_json_lines, as_markdown, file_name
from .log import PAGE, Log
from .runs import ACTIVE, Runs
from .side import Side
from .threads import ASSISTANT, TITLE, Threads, title_of
from .uploads import CannotSee, told

#: Files of one message, at most bytes each.
_MAX_FILE = 64 * 1024 * 1024
#: Key of a thread's metadata: types of tools, beside the assistant's own, that its files need.
_TOOLS = "tools"
_SENDING = "sending"
_COPY_LINK = """() => {
  const address = location.origin + location.pathname;
  import(`${window.path_prefix ?? ""}/static/rich-text.mjs`).then((rich) => rich.copyText(address)).then(() => emit());
}"""


class Talk:
    """One page of chat."""

    def __init__(self, visitor: Visitor) -> None:
        """Nothing is shown before `build`."""
        self._visitor = visitor
        self._choices, self._threads = Choices(visitor), Threads(visitor)
        self._side = Side(visitor, self._threads)
        self._runs = Runs(visitor, self._heard)
        self._thread: dict[str, Any] = {}
        self._branches: list[dict[str, Any]] = []
        self._log = Log(visitor, "")
        self._names: dict[str, str] = {}
        #: Number of the first message shown.
        self._first = 0

    # Making the page

    async def build(self, *, thread: str, wanted: str, ask: str) -> None:
        """Make the page in the current slot.

        Args:
            thread: the id of the chat; "" for a new one.
            wanted: the key of the assistant or model to talk with; "" for the usual one.
            ask: what stands in the field at first.

        Raises:
            openai.APIError: there is no such thread, or the server does not answer.
        """
        ui.add_head_html('<link rel="stylesheet" href="/static/chat.css">')
        await asyncio.gather(self._choices.load(), self._side.load(), self._load(thread))
        last = (self._thread.get("metadata") or {}).get(ASSISTANT, "")
        self._chosen = await self._choices.default(wanted or self._choices.of(last))
        messages = await self._view()
        with ui.element("div").classes("split chat"):
            self._side.build()
            with ui.element("div").classes("middle"):
                self._head()
                self._conversation = Conversation(
                    self._visitor,
                    messages,
                    actions=self._actions(),
                    on_action=self._act,
                    on_cite=lambda message, number: show_passage(self._visitor, self._thread["id"], message, number),
                    on_older=self._older,
                    more=self._has_older(),
                )
                with self._conversation:
                    self._hello()
                self._asked = Asked(self._visitor, on_answer=self._submit, on_end=self._stop)
                self._foot = ui.element("div").classes("foot")
                self._build_foot()
        self._entitle()
        if ask and self._composer:
            self._composer.write(ask[:10_000])
        if self._thread:
            ui.timer(0, self._resume, once=True)

    def _head(self) -> None:
        text = self._visitor.text
        with ui.element("div").classes("chat-head"):
            symbol("history", text("chat.history"), self._side.toggle).classes("only-narrow")
            ui.label(text("chat.title")).props("role=heading aria-level=1").classes("visually-hidden")
            names = {
                key: one.name if key.startswith("assistant:") else text("chat.model", name=one.name)
                for key, one in self._choices.all.items()
            }
            self._choose = ui.select(names, value=self._chosen or None, with_input=len(names) > 8)
            self._choose.props["aria-label"] = text("chat.with")
            self._choose.props("dense borderless options-dense").classes("choose")
            self._choose.on_value_change(lambda event: setattr(self, "_chosen", event.value or self._chosen))
            ui.space()
            self._tools = ui.element("div").classes("chat-tools")
            with self._tools:
                link = symbol("link", text("chat.copy_link"))
                link.on("click", lambda: ui.notify(text("chat.link_copied"), timeout=8000), js_handler=_COPY_LINK)
                with (
                    ui.button(icon="download", color=None).props("flat round dense aria-haspopup=menu") as export,
                    ui.menu(),
                ):
                    ui.menu_item(text("chat.as_markdown"), self._export_markdown).props("role=menuitem")
                    ui.menu_item(text("chat.as_json"), self._export_json).props("role=menuitem")
                export.props["aria-label"] = export.props["title"] = text("chat.export")

    def _hello(self) -> None:
        text = self._visitor.text
        heading(text("chat.hello"), 2)
        if not self._choices.all:
            ui.label(text("chat.no_models")).props("role=alert")
        elif self._visitor.may_write and not self._thread:
            with ui.element("ul").classes("suggestions") as suggestions:
                suggestions.props["aria-label"] = text("chat.suggestions")
                for number in range(1, 5):
                    said = text(f"chat.suggestion_{number}")
                    with ui.element("li"):
                        ui.button(said, on_click=partial(self._send, said, []), color=None).props("flat no-caps")

    def _build_foot(self) -> None:
        """The field to write, or why there is none."""
        text = self._visitor.text
        self._composer: Composer | None = None
        self._foot.clear()
        with self._foot:
            if not self._visitor.may_write:
                ui.label(text("chat.viewer")).classes("quiet note")
            elif self._thread and not self._threads.is_mine(self._thread):
                with ui.element("div").classes("note"):
                    ui.label(text("chat.of_other")).classes("quiet")
                    primary(text("chat.continue"), self._copy)
            elif self._choices.all:
                self._composer = Composer(
                    self._visitor, on_send=self._send, on_stop=self._stop, max_file_bytes=_MAX_FILE
                )

    def _actions(self) -> dict[str, list[dict[str, str]]]:
        text = self._visitor.text
        copy = {"name": "copy", "label": text("frame.copy"), "icon": "content_copy"}
        if not self._may_go_on():
            return {"user": [copy], "assistant": [copy]}
        again = {"name": "again", "label": text("chat.again"), "icon": "refresh"}
        edit = {"name": "edit", "label": text("chat.edit"), "icon": "edit"}
        return {"user": [copy, edit], "assistant": [copy, again], "note": [again]}

    def _may_go_on(self) -> bool:
        return self._visitor.may_write and (not self._thread or self._threads.is_mine(self._thread))

    def _entitle(self) -> None:
        """Say everywhere which chat this is."""
        self._tools.set_visibility(bool(self._thread))
        if self._thread:
            title = self._thread["metadata"].get(TITLE) or self._visitor.text("chat.title")
            ui.page_title(f"{title} · Retinue")
            self._side.mark(self._thread)

    # What is there

    async def _load(self, thread: str) -> None:
        """Get a thread, its last messages and its branches."""
        self._log = Log(self._visitor, thread)
        if not thread:
            return
        self._thread, _ = await asyncio.gather(self._threads.get(thread), self._log.older())
        self._thread["metadata"] = self._thread["metadata"] or {}
        self._branches = []
        if ROOT in self._thread["metadata"]:
            self._branches, _ = await asyncio.gather(self._threads.branches(self._thread), self._log.whole())
        self._first = max(0, len(self._log.messages) - PAGE)

    async def _view(self, begin: int | None = None, end: int | None = None) -> list[dict[str, Any]]:
        """Messages for the conversation: those from the first shown on, or these."""
        first = self._first if begin is None else begin
        some = self._log.messages[first:end]
        self._names = await names_of(self._visitor, files_of(some), self._names)
        marks = self._marks()
        return [self._shown(one, marks.get(first + at)) for at, one in enumerate(some)]

    def _shown(self, message: Message, branch: Mapping[str, int] | None = None) -> dict[str, Any]:
        name = self._choices.all.get(self._choices.of(message.assistant_id or ""))
        one = shown(self._visitor, message, self._names, name.name if name else "")
        if message.status == "incomplete":
            one |= {"note": self._visitor.text("chat.stopped")}
        return {**one, "branch": dict(branch)} if branch else one

    def _marks(self) -> dict[int, dict[str, int]]:
        """Where branches part: by the number of a message, which of how many is shown."""
        if not self._log.complete or not self._thread:
            return {}
        branches = {one["id"]: branch_of(one) for one in self._branches}
        found: dict[int, dict[str, int]] = {}
        for at, ways in partings(branches.values(), self._thread["id"]).items():
            number = ways.index(chosen(branches, self._thread["id"], at)) + 1
            found[at] = {"number": number, "count": len(ways)}
        return found

    def _has_older(self) -> bool:
        return self._first > 0 or self._log.more

    async def _older(self) -> None:
        """Show older messages."""
        if self._first == 0:
            self._first = len(await self._log.older())
        end, self._first = self._first, max(0, self._first - PAGE)
        self._conversation.prepend(await self._view(self._first, end), more=self._has_older())

    async def _open(self, thread: str) -> None:
        """Show another chat in this page."""
        await self._load(thread)
        self._conversation.show(await self._view(), more=self._has_older())
        ui.navigate.history.replace(f"/chat/{thread}")
        self._entitle()

    # Asking

    async def _send(self, text: str, files: list[Chosen]) -> bool:
        """Say something, and have it answered; returns whether it was said."""
        if self._composer is None or self._runs.busy:
            return False
        said = False
        self._composer.busy(True)
        self._asked.hide()
        name = self._choices.all[self._chosen].name
        sending = {"id": _SENDING, "role": "user", "name": self._visitor.text("conversation.you"), "parts": []}
        self._conversation.add({**sending, "parts": [{"type": "text", "text": text}] if text else []})
        try:
            if files:
                self._conversation.status(self._visitor.text("chat.uploading"))
            message = await self._say(text, files)
            said = True
            self._log.put(message)
            self._names = await names_of(self._visitor, files_of([message]), self._names)
            self._conversation.replace(_SENDING, self._shown(message))
            await self._after(await self._answer())
        except CannotSee:
            blind = self._visitor.text("chat.cannot_see", name=name)
            ui.notify(blind, type="warning", multi_line=True, timeout=10_000)
        except openai.APIError as error:
            tell(self._visitor, error)
        finally:
            if not said:
                self._conversation.status("")
                self._conversation.drop(_SENDING)
            self._composer.busy(False)
        return said

    async def _say(self, text: str, files: list[Chosen]) -> Message:
        """Put a message into the thread, which is made if it is the first."""
        choice = self._choices.all[self._chosen]
        sees = bool(files) and await self._choices.sees(self._chosen)
        made = await told(self._visitor, text, files, sees=sees, tools=choice.tools)
        if not self._thread:
            title = title_of(text) or title_of(", ".join(file.name for file in files))
            self._thread = await self._threads.create(title, await self._choices.assistant(self._chosen))
            self._log = Log(self._visitor, "")
            ui.navigate.history.replace(f"/chat/{self._thread['id']}")
            self._entitle()
        await self._need(made.tools)
        return await self._post(made.content, made.attachments)

    async def _need(self, tools: set[str]) -> None:
        """Remember which tools the thread's files need."""
        known = set(filter(None, self._thread["metadata"].get(_TOOLS, "").split(",")))
        if tools - known:
            await self._threads.note(self._thread, **{_TOOLS: ",".join(sorted(known | tools))})

    async def _post(self, content: list[dict[str, Any]], attachments: list[dict[str, Any]]) -> Message:
        create: Any = self._visitor.client.beta.threads.messages.create
        return await create(self._thread["id"], role="user", content=content, attachments=attachments or None)

    async def _answer(self) -> Run | None:
        """Have the thread's last message answered; returns the run, if there is one."""
        choice = self._choices.all[self._chosen]
        self._conversation.drop_notes()
        self._conversation.status(self._visitor.text("chat.thinking"))
        try:
            assistant = await self._choices.assistant(self._chosen)
            await self._threads.note(self._thread, **{ASSISTANT: assistant})
            needed = set(filter(None, self._thread["metadata"].get(_TOOLS, "").split(","))) - set(choice.tools)
            tools = [*self._choices.tools(self._chosen), *({"type": one} for one in sorted(needed))] if needed else None
            return await self._runs.start(self._conversation, self._thread["id"], assistant, choice.name, tools)
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
        if run is not None and run.status == "requires_action":
            self._asked.ask(run)
        marks = self._marks()
        for at, mark in marks.items():
            if at < len(self._log.messages) and self._log.messages[at].run_id:
                message = self._log.messages[at]
                self._conversation.replace(message.id, self._shown(message, mark))

    def _heard(self, message: Message) -> None:
        """A message has come to its end."""
        self._log.put(message)

    async def _stop(self) -> None:
        await self._runs.cancel()
        self._asked.hide()

    async def _submit(self, outputs: list[dict[str, str]]) -> None:
        await self._busily(self._runs.submit(self._conversation, outputs, self._choices.all[self._chosen].name))

    async def _resume(self) -> None:
        """Go on showing an answer that was under way when the page was opened, or say how the last one ended."""
        run = await self._runs.last(self._thread["id"])
        if run is None or self._conversation.is_deleted:
            return
        name = self._choices.all.get(self._choices.of(run.assistant_id))
        if run.status in ACTIVE:
            for message in self._log.messages:
                if message.run_id == run.id:
                    self._conversation.drop(message.id)
            await self._busily(self._runs.join(self._conversation, run, name.name if name else ""))
        elif run.status == "requires_action" and self._may_go_on():
            self._asked.ask(run)
        elif run.status in ("failed", "expired", "incomplete"):
            self._conversation.add(ended(self._visitor, run))

    async def _busily(self, answer: Awaitable[Run | None]) -> None:
        """Wait for an answer while nothing can be sent."""
        if self._composer:
            self._composer.busy(True)
        try:
            await self._after(await answer)
        finally:
            if self._composer:
                self._composer.busy(False)

    # Branches

    async def _act(self, name: str, message: str) -> None:
        """A button under a message."""
        if name == "copy" or self._runs.busy:
            return
        self._first += len(await self._log.whole())
        if not self._log.complete:
            ui.notify(self._visitor.text("chat.too_long"), type="warning")
            return
        at = self._log.number(message)
        if name in ("previous", "next"):
            await self._turn(at, 1 if name == "next" else -1)
        elif name == "again" and self._may_go_on():
            await self._again(at)
        elif name == "edit" and at >= 0:
            ask_again(self._visitor, self._log.messages[at], lambda text: self._edit(at, text))

    async def _turn(self, at: int, by: int) -> None:
        """Show the branch beside the one that is shown."""
        branches = {one["id"]: branch_of(one) for one in self._branches}
        ways = partings(branches.values(), self._thread["id"]).get(at, [])
        number = ways.index(chosen(branches, self._thread["id"], at)) + by if ways else -1
        if 0 <= number < len(ways):
            await self._open(ways[number])

    async def _again(self, at: int) -> None:
        """Answer once more the question that stands before a message; a note stands behind the last one."""
        messages = self._log.messages
        at = len(messages) if at < 0 else at
        asked = next((number for number in range(at - 1, -1, -1) if messages[number].role == "user"), -1)
        if asked < 0:
            return
        if asked < len(messages) - 1:
            await self._branch(asked + 1)
        await self._busily(self._answer())

    async def _edit(self, at: int, text: str) -> None:
        """Ask another question in the place of one, with the same files."""
        old = self._log.messages[at]
        content: list[dict[str, Any]] = [{"type": "text", "text": text}]
        content += [part.to_dict() for part in old.content if part.type != "text"]  # pyright: ignore[reportArgumentType]
        attachments: list[Any] = [one.to_dict() for one in old.attachments or []]
        await self._branch(at)
        message = await self._post(content, attachments)
        self._log.put(message)
        self._conversation.add(self._shown(message, self._marks().get(at)))
        await self._busily(self._answer())

    async def _branch(self, at: int) -> None:
        """Go on in a fork that has the first `at` messages."""
        branches = {one["id"]: branch_of(one) for one in self._branches}
        owner = owner_of(branches, self._thread["id"], at)
        last = self._log.messages[at - 1].id if at else ""
        fork = await self._threads.fork(self._thread, owner, at, last)
        await self._open(fork["id"])

    async def _copy(self) -> None:
        """Go on with somebody else's chat in a copy."""
        copy = await self._threads.copy(self._thread)
        ui.navigate.to(f"/chat/{copy['id']}")

    # Export

    async def _export_markdown(self) -> None:
        self._first += len(await self._log.whole())
        title = self._thread["metadata"].get(TITLE) or self._visitor.text("chat.title")
        text = as_markdown(title, await self._view(0))
        ui.download.content(text.encode(), file_name(title, "md"), "text/markdown")

    async def _export_json(self) -> None:
        title = self._thread["metadata"].get(TITLE) or self._visitor.text("chat.title")
        lines = await as_json_lines(self._visitor, self._thread["id"])
        ui.download.content(lines, file_name(title, "jsonl"), "application/jsonl")
