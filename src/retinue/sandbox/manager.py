"""Sessions for threads: started ahead, kept while in use, closed when idle."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from retinue.sandbox import cgroups
from retinue.sandbox.gateway import Gateway
from retinue.sandbox.gateway_session import GatewaySession
from retinue.sandbox.local import LocalSession
from retinue.sandbox.process import Limits, Runtime
from retinue.sandbox.session import FileRefused, SandboxUnavailable, Session

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from retinue.settings import Settings

#: What a session belongs to: project and thread.
Key = tuple[str, str]

#: Seconds between two looks for idle sessions.
_LOOK_EVERY = 5.0
#: Seconds before a session that was taken is made up for: its first call has the processor first.
_BREATH = 0.5
#: Seconds before a start ahead is tried again after one that failed.
_AFTER_FAILURE = 60.0

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Place:
    """What is kept for a key. Whoever uses it holds the lock, so that a session is replaced once."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    session: Session | None = None
    #: How many use it or wait for it.
    users: int = 0
    last_used: float = 0.0


class Sandboxes:
    """The sessions of one process, by project and thread, and a few that wait for their thread.

    `start` and every use belong into the event loop's thread, with which all sandboxes die.
    """

    def __init__(self, settings: Settings) -> None:
        self._limits = Limits(
            memory=settings.sandbox_memory_bytes,
            disk=settings.sandbox_disk_bytes,
            processes=settings.sandbox_processes,
            cpu=settings.sandbox_cpu_seconds,
        )
        self._private = (settings.data, settings.models_folder)
        self._gateway = _gateway(settings)
        self._runtime: Runtime = settings.sandbox_runtime
        self._most_output = settings.sandbox_output_characters
        self._most = settings.sandbox_max_sessions
        self._ahead = min(settings.sandbox_warm_sessions, self._most)
        self._idle = settings.sandbox_idle
        self._places: dict[Key, _Place] = {}
        self._warm: list[Session] = []
        #: Held while a session starts: starts side by side would only slow each other down.
        self._starting = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._why_not: str | None = None

    async def start(self) -> None:
        """Begin to keep sessions ready. Returns at once; does nothing if it has begun."""
        if not self._tasks:
            cgroups.sweep()
            self._tasks = [asyncio.create_task(self._keep_warm()), asyncio.create_task(self._close_idle())]
            self._wanted.set()

    async def close(self) -> None:
        """End all sessions."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        sessions = [*self._warm, *(place.session for place in self._places.values() if place.session)]
        self._warm, self._places = [], {}
        await asyncio.gather(*(session.close() for session in sessions))
        if self._gateway:
            await self._gateway.close()

    async def why_not(self) -> str | None:
        """Why no code can be run here, or None if it can: found out by starting a session, if none was started yet."""
        if not self._warm and not any(place.session for place in self._places.values()):
            with suppress(SandboxUnavailable):
                async with self._starting:
                    self._warm.append(await self._started())
        return self._why_not

    @asynccontextmanager
    async def session(self, project: str, thread: str) -> AsyncGenerator[Session]:
        """The session of a thread, for as long as the block runs; others wait for it.

        It is the one of the last time, unless that has ended: then another, with the files of the old one where it
        died on its own, and without where it was closed for being idle. Its `id` tells.

        Raises SandboxUnavailable: code cannot be run here, or all sessions are in use.
        """
        key = project, thread
        place = self._places.setdefault(key, _Place())
        place.users += 1
        try:
            async with place.lock:
                if self._places.get(key) is not place:
                    raise SandboxUnavailable("The session was ended.")  # its thread was deleted, say
                if place.session is None or not place.session.alive:
                    place.session = await self._in_place_of(place.session)
                yield place.session
        finally:
            place.users -= 1
            place.last_used = time.monotonic()
            if not place.users:
                if self._places.get(key) is not place and place.session is not None:
                    await place.session.close()  # forgotten meanwhile
                elif place.session is None:
                    self._places.pop(key, None)

    async def forget(self, project: str, thread: str) -> None:
        """End the session of a thread that is no more, if it has one."""
        place = self._places.pop((project, thread), None)
        if place is not None and place.session is not None:
            await place.session.close()

    async def _in_place_of(self, old: Session | None) -> Session:
        new = await self._take()
        if old is not None:
            for file in await old.list():
                with suppress(FileRefused):
                    await new.put(file.name, old.read(file.name, most=self._limits.disk))
            await old.close()
        return new

    async def _take(self) -> Session:
        """A session that nobody has: from those that wait, else a new one."""
        if session := await self._from_warm():
            return session
        async with self._starting:
            if session := await self._from_warm():
                return session
            if self._count() >= self._most:
                await self._close_one()
            return await self._started()

    async def _from_warm(self) -> Session | None:
        while self._warm:
            session = self._warm.pop()
            self._wanted.set()
            if session.alive:
                return session
            await session.close()
        return None

    async def _started(self) -> Session:
        """A new session; only for who holds `_starting`."""
        try:
            session = await self._start_one()
        except SandboxUnavailable as error:
            self._why_not = str(error)
            raise
        self._why_not = None
        return session

    async def _start_one(self) -> Session:
        if self._gateway:
            return await GatewaySession.start(self._gateway, self._most_output, self._limits.disk)
        return await LocalSession.start(self._limits, self._private, self._most_output, self._runtime)

    def _count(self) -> int:
        return len(self._warm) + sum(place.session is not None for place in self._places.values())

    async def _close_one(self) -> None:
        """Make room by closing the session that has been idle longest. Raises SandboxUnavailable if none is idle."""
        idle = [(place.last_used, key) for key, place in self._places.items() if place.session and not place.users]
        if not idle:
            raise SandboxUnavailable(
                f"All {self._most} sessions of the code interpreter are in use. Please try again later."
            )
        await self.forget(*min(idle)[1])

    async def _keep_warm(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await asyncio.sleep(_BREATH)
            try:
                async with self._starting:
                    while len(self._warm) < self._ahead and self._count() < self._most:
                        self._warm.append(await self._started())
            except SandboxUnavailable as error:
                _log.warning("the code interpreter cannot run code", reason=str(error))
                await asyncio.sleep(_AFTER_FAILURE)
                self._wanted.set()

    async def _close_idle(self) -> None:
        while True:
            await asyncio.sleep(min(_LOOK_EVERY, self._idle))
            latest = time.monotonic() - self._idle
            idle = [key for key, place in self._places.items() if not place.users and place.last_used <= latest]
            for key in idle:
                await self.forget(*key)
            self._wanted.set()


def _gateway(settings: Settings) -> Gateway | None:
    """The gateway whose kernels run the code, if that is set."""
    if settings.sandbox_gateway is None:
        return None
    token = settings.sandbox_gateway_token
    secret = token.get_secret_value() if token else None
    return Gateway(settings.sandbox_gateway, secret, settings.sandbox_gateway_kernel)
