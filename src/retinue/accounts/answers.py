"""What the database said about hashed secrets, such as keys and sessions: believed for a moment, until it changes."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from ..store.notices import Notices

#: Seconds that an answer is believed, as long as changes are heard of at once; this is for those that get lost.
BELIEVED = 5.0
#: Answers that are kept at most; then all are forgotten. Those about wrong secrets count too: they cost no query.
MOST_KNOWN = 10_000

T = TypeVar("T")


class Answers(Generic[T]):
    """Answers by hash. One that was given before a change, on whatever process, is not believed after it."""

    def __init__(
        self, ask: Callable[[bytes], Awaitable[tuple[T | None, float]]], notices: Notices | None, channel: str
    ) -> None:
        """Before `notices` are opened.

        Args:
            ask: the database: given a hash, what it says (None: nothing is known of it), and the seconds for which
                that is good at most.
            notices: how other processes tell of changes; None where nothing is to be remembered.
            channel: on which: a hash in hexadecimal digits has changed, or any may have if the text is empty.
        """
        self._ask = ask
        self._notices = notices
        self._known: dict[bytes, tuple[float, T | None]] = {}
        #: Counts the changes: what was asked for before one may be out of date.
        self._changes = 0
        if notices:
            notices.on(channel, self._changed)

    async def of(self, digest: bytes) -> T | None:
        """What is known of a hash; raises what `ask` raises."""
        now = time.monotonic()
        until, answer = self._known.get(digest, (0.0, None))
        if until <= now:
            changes = self._changes
            answer, good_for = await self._ask(digest)
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            if changes == self._changes and self._notices and self._notices.heard:
                self._known[digest] = (now + min(BELIEVED, good_for), answer)
        return answer

    def forget(self, digest: bytes) -> None:
        """A hash has changed, by this process: believe nothing about it that was said before."""
        self._changes += 1
        self._known.pop(digest, None)

    def _changed(self, changed: str) -> None:
        if changed:
            self.forget(bytes.fromhex(changed))
        else:
            self._changes += 1
            self._known.clear()
