"""The chat that a page shows: its thread, its branches, and the messages that have been loaded."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from openai.types.beta.threads import Message

from ...elements.messages import files_of, shown
from ...elements.turn import names_of
from ...visitor import Visitor
from .branches import ROOT, Branch, branch_of, chosen, partings
from .choices import Choices
from .log import PAGE, Log
from .threads import TITLE, Threads

#: Key of a message's metadata: what its reader thinks of it.
RATING = "rating"


class Opened:
    """A chat, of which the last messages are shown."""

    def __init__(self, visitor: Visitor, choices: Choices, threads: Threads) -> None:
        """A new one, until `load`."""
        self._visitor, self._choices, self._threads = visitor, choices, threads
        #: As the API has it; empty while nothing has been said.
        self.thread: dict[str, Any] = {}
        #: The threads of all branches; none where there is one only.
        self.branches: list[dict[str, Any]] = []
        self.log = Log(visitor, "")
        self._names: dict[str, str] = {}
        #: Number of the first message shown.
        self._first = 0

    @property
    def id(self) -> str:
        """The thread's id; "" while there is none."""
        return self.thread.get("id", "")

    @property
    def title(self) -> str:
        """What people call it."""
        return (self.thread.get("metadata") or {}).get(TITLE) or self._visitor.text("chat.title")

    @property
    def tree(self) -> dict[str, Branch]:
        """The branches, by the ids of their threads."""
        return {one["id"]: branch_of(one) for one in self.branches}

    async def load(self, thread: str) -> None:
        """Get a thread, its last messages and its branches; "" for a new chat. Raises `openai.APIError`."""
        self.log = Log(self._visitor, thread)
        if not thread:
            return
        self.thread, _ = await asyncio.gather(self._threads.get(thread), self.log.older())
        self.thread["metadata"] = self.thread["metadata"] or {}
        if self.log.messages:
            self.thread["last_used_at"] = self.log.messages[-1].created_at
        self.branches = []
        if ROOT in self.thread["metadata"]:
            self.branches, _ = await asyncio.gather(self._threads.branches(self.thread), self.log.whole())
        self._first = max(0, len(self.log.messages) - PAGE)

    def begin(self, thread: dict[str, Any]) -> None:
        """The thread of a new chat has been made."""
        self.thread, self.log = thread, Log(self._visitor, "")

    async def whole(self) -> bool:
        """Load all messages; whether that could be done. Raises `openai.APIError`."""
        self._first += len(await self.log.whole())
        return self.log.complete

    # As the conversation shows it

    @property
    def has_older(self) -> bool:
        """Whether there are messages before those shown."""
        return self._first > 0 or self.log.more

    async def view(self, begin: int | None = None, end: int | None = None) -> list[dict[str, Any]]:
        """Messages for the conversation: those from the first shown on, or these."""
        first = self._first if begin is None else begin
        some = self.log.messages[first:end]
        self._names, _ = await asyncio.gather(
            names_of(self._visitor, files_of(some), self._names), self._choices.learn(one.assistant_id for one in some)
        )
        marks = self.marks()
        return [self.shown(one, marks.get(first + at)) for at, one in enumerate(some)]

    async def older(self) -> list[dict[str, Any]]:
        """Older messages, which are shown from now on, too."""
        if self._first == 0:
            self._first = len(await self.log.older())
        end, self._first = self._first, max(0, self._first - PAGE)
        return await self.view(self._first, end)

    async def put(self, message: Message) -> dict[str, Any]:
        """A message that was written just now, for the conversation."""
        self.log.put(message)
        self._names = await names_of(self._visitor, files_of([message]), self._names)
        return self.shown(message)

    def shown(self, message: Message, branch: Mapping[str, int] | None = None) -> dict[str, Any]:
        """A message for the conversation, with where branches part if they do there."""
        name = self._choices.all.get(self._choices.of(message.assistant_id or ""))
        one = shown(self._visitor, message, self._names, name.name if name else "")
        if rating := (message.metadata or {}).get(RATING):
            one |= {"marked": [rating]}
        if message.status == "incomplete":
            one |= {"note": self._visitor.text("chat.stopped")}
        return {**one, "branch": dict(branch)} if branch else one

    def marks(self) -> dict[int, dict[str, int]]:
        """Where branches part: by the number of a message, which of how many is shown."""
        if not self.log.complete or not self.thread:
            return {}
        tree, found = self.tree, dict[int, dict[str, int]]()
        for at, ways in partings(tree.values(), self.id).items():
            number = ways.index(chosen(tree, self.id, at)) + 1
            found[at] = {"number": number, "count": len(ways)}
        return found
