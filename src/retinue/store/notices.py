"""What processes tell each other through PostgreSQL: `pg_notify` on one side, a callback on the other."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import psycopg
import structlog
from psycopg import sql

from .database import Database

log = structlog.get_logger(__name__)

#: Seconds between two tries to reach the database again.
_PAUSE = 1.0


class Notices:
    """One connection that listens. Notices are lost while that connection is broken: nothing may depend on one."""

    def __init__(self, database: Database) -> None:
        """`database`: where notices are sent; they are received on a connection of their own."""
        self._database = database
        self._callbacks: dict[str, list[Callable[[str], None]]] = {}
        self._listening: asyncio.Task[None] | None = None
        #: Whether notices come in now, as far as is known.
        self.heard = False

    def on(self, channel: str, callback: Callable[[str], None]) -> None:
        """Have `callback` called with the text of every notice on `channel`, an SQL identifier. Before `open`."""
        self._callbacks.setdefault(channel, []).append(callback)

    async def send(self, channel: str, text: str) -> None:
        """Send a notice to every process, this one included. The text is at most 8,000 bytes long."""
        await self._database.execute("select pg_notify(%(channel)s, %(text)s)", {"channel": channel, "text": text})

    def open(self) -> None:
        """Begin to listen."""
        if self._callbacks:
            self._listening = asyncio.create_task(self._keep_listening())

    async def close(self) -> None:
        """Listen no more."""
        if self._listening:
            self._listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listening

    async def _keep_listening(self) -> None:
        while True:
            try:
                await self._listen()
            except psycopg.Error as error:
                log.warning("no longer hears other processes; trying again", error=str(error))
            await asyncio.sleep(_PAUSE)

    async def _listen(self) -> None:
        connect = psycopg.AsyncConnection.connect(self._database.conninfo, autocommit=True, connect_timeout=5)
        async with await connect as connection:
            for channel in self._callbacks:
                await connection.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
            self.heard = True
            try:
                async for notice in connection.notifies():
                    for callback in self._callbacks.get(notice.channel, ()):
                        callback(notice.payload)
            finally:
                self.heard = False
