"""The messages of one thread, loaded from the end backwards."""

# pyright: reportDeprecated=false
from __future__ import annotations

from openai.types.beta.threads import Message

from ...visitor import Visitor

#: Messages of one request, and the most that are ever loaded.
PAGE, MOST = 50, 5000
_WHOLE_PAGE = 100


class Log:
    """What of a thread has been loaded."""

    def __init__(self, visitor: Visitor, thread: str) -> None:
        """Empty until `older`."""
        self._visitor, self._thread = visitor, thread
        #: Oldest first.
        self.messages: list[Message] = []
        #: Whether there are older ones.
        self.more = bool(thread)
        #: Whether all messages are known.
        self.complete = not thread

    async def older(self, limit: int = PAGE) -> list[Message]:
        """Load messages before those known; returns them, oldest first. Raises `openai.APIError`."""
        if not self.more:
            return []
        threads = self._visitor.client.beta.threads
        if self.messages:
            page = await threads.messages.list(self._thread, limit=limit, order="desc", after=self.messages[0].id)
        else:
            page = await threads.messages.list(self._thread, limit=limit, order="desc")
        found = page.data[::-1]
        self.messages[:0] = found
        self.complete = not page.has_more
        self.more = bool(page.has_more) and len(self.messages) < MOST
        return found

    async def whole(self) -> list[Message]:
        """All messages, up to `MOST`; returns those that were not known before."""
        found: list[Message] = []
        while self.more:
            found[:0] = await self.older(_WHOLE_PAGE)
        return found

    def number(self, message: str) -> int:
        """Which of the loaded messages has this id; -1 if none."""
        return next((at for at, one in enumerate(self.messages) if one.id == message), -1)

    def put(self, message: Message) -> None:
        """A message that came, or came to an end."""
        at = self.number(message.id)
        if at < 0:
            self.messages.append(message)
        else:
            self.messages[at] = message
