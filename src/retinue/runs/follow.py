"""Reading along with a run from another connection, on whichever process: from the start, or after an event."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncGenerator

from ..errors import ApiError, Unavailable
from ..settings import Settings
from ..store.runs import CHANGED, WATCHED, RunView
from ..store.store import Store
from ..wire.runs import TERMINAL
from .events import DONE, KEEP_ALIVE, View, encode, encode_error
from .replay import Replay

#: Seconds after which a reader says again that it reads, and looks by itself whether something has changed.
_LOOK = 1.0
#: Seconds that a driver takes a run as watched after it was told so.
_WATCHED_FOR = 3 * _LOOK


class Watch:
    """Which runs are read along, here or in another process, and who here waits for their changes."""

    def __init__(self, store: Store, settings: Settings) -> None:
        """Listens on the store's notices: to be made before the store is opened."""
        self._store = store
        self._settings = settings
        self._watched: dict[str, float] = {}
        self._forget_at = 0.0
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        store.notices.on(WATCHED, self._note)
        store.notices.on(CHANGED, self._wake)

    def watched(self, run: str) -> bool:
        """Whether somebody reads along with this run: then its driver shows what it has as it comes."""
        return self._watched.get(run, 0) > time.monotonic()

    @property
    def readers(self) -> int:
        """How many streams are read along here."""
        return sum(map(len, self._waiting.values()))

    def _note(self, run: str) -> None:
        now = time.monotonic()
        if now > self._forget_at:
            self._watched = {other: until for other, until in self._watched.items() if until > now}
            self._forget_at = now + _WATCHED_FOR
        self._watched[run] = now + _WATCHED_FOR

    def _wake(self, run: str) -> None:
        for news in self._waiting.get(run, ()):
            news.set()

    async def open(
        self, project: str, thread: str, run: str, after: str | None, shown: View
    ) -> AsyncGenerator[bytes, None]:
        """Read along with a run: the events of a stream, as bytes, to where the run has ended or waits for outputs.

        Args:
            project: the caller's project.
            thread: the run's thread.
            run: the run.
            after: the id of the last event that the reader knows; None for all.
            shown: how the reader is shown events.

        Raises:
            NotFound: there is no such run.
            InvalidRequest: the run has no such event.
            Unavailable: too many streams are being read along.
        """
        if self.readers >= self._settings.max_joined_streams:
            raise Unavailable("This server has as many joined streams as it allows. Please try again later.")
        replay = Replay(after)
        view = await self._store.runs.view(project, run, thread)
        first = _events(replay, view, shown)
        return self._read(project, view, replay, first, shown)

    async def _read(
        self, project: str, view: RunView, replay: Replay, events: bytes, shown: View
    ) -> AsyncGenerator[bytes, None]:
        run, thread = view.run.id, view.run.thread_id
        news = asyncio.Event()
        self._waiting[run].add(news)
        spoken = time.monotonic()
        try:
            while True:
                if events:
                    spoken = time.monotonic()
                    yield events
                elif time.monotonic() - spoken >= self._settings.stream_keep_alive:
                    spoken = time.monotonic()
                    yield KEEP_ALIVE
                if view.run.status in TERMINAL or view.run.status == "requires_action":
                    yield DONE
                    return
                await self._store.notices.send(WATCHED, run)
                await _set_within(news, min(_LOOK, self._settings.stream_keep_alive))
                view = await self._store.runs.view(project, run, thread)
                events = _events(replay, view, shown)
        except ApiError as error:
            yield encode_error(error) + DONE
        finally:
            self._waiting[run].discard(news)
            if not self._waiting[run]:
                del self._waiting[run]


def _events(replay: Replay, view: RunView, shown: View) -> bytes:
    return b"".join(encode(*shown(event.name, event.data), event.at) for event in replay.advance(view))


async def _set_within(news: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        pass
    news.clear()
