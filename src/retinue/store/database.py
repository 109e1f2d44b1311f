"""Connections to PostgreSQL: a pool, and its failures in the API's words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, LiteralString, cast

import psycopg
import structlog
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from ..errors import Unavailable

log = structlog.get_logger(__name__)

Row = tuple[Any, ...]
Connection = psycopg.AsyncConnection[Row]

#: How it shows that the database cannot answer now.
_AWAY = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, PoolClosed, TooManyRequests)
#: How often a statement is tried that stands in another's way, as that does in its.
_DEADLOCKS = 4


class _JsonText(Loader):
    """Leaves JSON as bytes: the wire types parse it, once."""

    def load(self, data: Buffer) -> bytes:
        return bytes(data)


async def _configure(connection: Connection) -> None:
    connection.adapters.register_loader("jsonb", _JsonText)
    connection.prepare_threshold = 0


class Database:
    """A pool of connections, each in autocommit: a single statement is a transaction.

    Raises from every method:
        Unavailable: no connection within the time-out, or it broke. What was sent may or may not have been done.
    """

    def __init__(self, conninfo: str, *, connections: int = 12, timeout: float = 5) -> None:
        """Describe the pool; nothing is opened yet.

        Args:
            conninfo: a psycopg connection string.
            connections: the most that are open at once.
            timeout: seconds that a caller waits for one.
        """
        self.conninfo = conninfo
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            conninfo,
            min_size=min(4, connections),
            max_size=connections,
            timeout=timeout,
            max_waiting=10_000,
            # Beyond this a connection is tried anew when somebody asks for one: pauses between tries double.
            reconnect_timeout=2,
            configure=_configure,
            kwargs={"autocommit": True, "connect_timeout": 5},
            open=False,
        )
        self._purging: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the pool; connections follow as they can be had."""
        await self._pool.open()

    async def close(self) -> None:
        """Close every connection."""
        if self._purging:
            self._purging.cancel()
        await self._pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Connection]:
        """A connection for several statements."""
        try:
            async with self._pool.connection() as connection:
                yield connection
        except _AWAY as error:
            raise self._unavailable(error) from error

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection]:
        """A connection whose statements count together or not at all."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def long_transaction(self, begin: LiteralString) -> AsyncGenerator[Connection]:
        """A transaction on a connection outside the pool, for what may take minutes.

        Args:
            begin: the statement that begins it, such as ``begin isolation level repeatable read``.
        """
        try:
            async with await psycopg.AsyncConnection.connect(
                self.conninfo, autocommit=True, connect_timeout=5
            ) as connection:
                await _configure(connection)
                await connection.execute(begin)
                yield connection
                await connection.execute("commit")
        except _AWAY as error:
            raise self._unavailable(error) from error

    async def row(self, sql: str, parameters: Mapping[str, Any]) -> Row | None:
        """The first row of a statement's result."""
        return await (await self._run(sql, parameters)).fetchone()

    async def rows(
        self, sql: str, parameters: Mapping[str, Any], within: float | None = None, *, binary: bool = False
    ) -> list[Row]:
        """All rows of a statement's result.

        Args:
            sql: the statement.
            parameters: its parameters.
            within: seconds that it may take; it is then planned for these very parameters.
            binary: have the values sent as bytes instead of text: half as much where many are `bytea`.

        Raises:
            TimeoutError: it took longer.
        """
        if within is None:
            return await (await self._run(sql, parameters, binary=binary)).fetchall()
        async with self.transaction() as connection:
            await connection.execute(
                "select set_config('statement_timeout', %s, true), "
                "set_config('plan_cache_mode', 'force_custom_plan', true)",
                (str(max(1, round(within * 1000))),),
            )
            try:
                return await (await connection.execute(cast(LiteralString, sql), parameters)).fetchall()
            except psycopg.errors.QueryCanceled as error:
                raise TimeoutError from error

    async def execute(self, sql: str, parameters: Mapping[str, Any]) -> int:
        """Run a statement that returns no rows; says how many it changed."""
        return (await self._run(sql, parameters)).rowcount

    async def _run(self, sql: str, parameters: Mapping[str, Any], *, binary: bool = False) -> psycopg.AsyncCursor[Row]:
        """Run one statement. Its whole result is here when this returns, so the connection can go back."""
        tries = 0
        while True:
            try:
                async with self._pool.connection() as connection:
                    return await connection.execute(cast(LiteralString, sql), parameters, binary=binary)
            except psycopg.errors.DeadlockDetected as error:
                # Nothing of it was done: it makes room for whoever has what it waits for.
                tries += 1
                if tries == _DEADLOCKS:
                    raise self._unavailable(error) from error
            except _AWAY as error:
                raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> Unavailable:
        self._purge()
        log.warning("database away", error=str(error))
        return Unavailable("The database cannot be reached at the moment. Please try again.")

    def _purge(self) -> None:
        """Throw broken connections out of the pool, so that one outage is not met once for each of them."""
        if self._purging is None or self._purging.done():
            self._purging = asyncio.create_task(self._pool.check())
