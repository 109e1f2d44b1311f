"""Keeping what is searched in order: large stores get a table and an index of their own, and what is gone is deleted.

A store's vectors begin in a table that all stores share, where they are compared one by one. When there are many, a job
moves them into a table of the store's own, which has an HNSW index; further ones follow in the same way. Their words,
of which each file has rows of its own, are joined to one row for each word. One lock for a store keeps what moves and
what deletes apart.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
import structlog
from psycopg.sql import SQL, Composed, Identifier, Literal

from ..errors import Unavailable
from .database import Connection, Database, Row
from .queue import Queue
from .word_lists import drop_words, join_words

log = structlog.get_logger(__name__)

#: The kind of job that moves a store's vectors into its own table. Its id is the store's position.
INDEX = "index_vectors"

#: Vectors in the shared table at which that is worth while: comparing so many takes some milliseconds.
_MANY = 5_000
#: With so many it is done even while further files are being processed.
_VERY_MANY = 20_000
#: The most dimensions that the index takes (pgvector).
_MOST_DIMENSIONS = 4_000
#: Vectors that are moved in one transaction where the index is there already: about half a second.
_SLICE = 500
#: Neighbours of a vector in the index, and vectors that a new one is compared with to find them. With 100,000 vectors
#: recall@20 was 0.992 at 16 and 40, 0.999 at 12 and 48 in the same time, and 1.000 at 16 and 64 in half as much again.
_M, _EF_CONSTRUCTION = 12, 48
#: Processes that build an index together with the first.
_WORKERS = 2
#: Any number that no other program locks on, beside the store's.
_LOCK = 4_713_847
#: Seconds after which a table that no store has any more can be read by nobody.
_READ_NO_MORE = 60

_TO_INDEX = """
    select position from vector_stores as store
    where tail >= %(many)s and dimensions <= %(dimensions)s and (tail >= %(very_many)s or not exists (
        select from vector_store_files where vector_store_id = store.id and status = 'in_progress'
    )) and not exists (
        select from procrastinate_jobs
        where task_name = %(kind)s and status in ('todo', 'doing') and args ->> 'identifier' = position::text
    )
    order by tail desc limit %(limit)s
"""

_STORE = "select id, own_table, dimensions from vector_stores where position = %(store)s"

_FILES = "select position from vector_store_files where vector_store_id = %(id)s and status = 'completed'"

_SETTLE = """
    update vector_stores set own_table = %(table)s, tail = (select count(*) from chunk_vectors where store = %(store)s)
    where position = %(store)s
"""

#: Nothing if it has been deleted; keeps it from being deleted until the transaction ends.
_THERE = "select from vector_stores where position = %(store)s for key share"

_GONE = "select store, array_agg(file) from (select * from gone_files limit %(limit)s) as gone group by store"

_OWN_TABLE = "select own_table from vector_stores where position = %(store)s and own_table is not null"

_PURGE = """
    with texts as (delete from chunks where file = any(%(files)s)),
        vectors as (delete from chunk_vectors where file = any(%(files)s)),
        words as (delete from chunk_words where file = any(%(files)s))
    delete from gone_files where file = any(%(files)s)
"""

_GONE_TABLES = "select name from gone_tables where since < now() - %(seconds)s * interval '1 second' limit 10"


@dataclass(frozen=True, slots=True)
class _Large:
    """A store that gets, or has, a table of its own."""

    position: int
    id: str
    table: str | None
    dimensions: int


class _StoreGone(Exception):
    """The store was deleted while it was worked on: the transaction must leave nothing."""


class VectorIndex:
    """The tables and indexes of large stores."""

    def __init__(self, database: Database, queue: Queue) -> None:
        self._database = database
        self._queue = queue

    def start(self) -> None:
        """Take part in the work on the queue, from when that begins."""
        self._queue.take(INDEX, self.index, 1)
        self._queue.sweep_too(self.sweep)

    async def sweep(self, limit: int = 100) -> None:
        """Delete what is left of files and stores that are gone; find stores that want an index."""
        for row in await self._database.rows(_GONE, {"limit": limit}):
            await self._purge(int(row[0]), row[1])
        await self._drop_tables()
        values = {
            "many": _MANY,
            "very_many": _VERY_MANY,
            "dimensions": _MOST_DIMENSIONS,
            "kind": INDEX,
            "limit": limit,
        }
        due = await self._database.rows(_TO_INDEX, values)
        if due:
            await self._queue.defer_all(INDEX, [str(row[0]) for row in due])

    async def index(self, identifier: str) -> None:
        """A job: move the vectors of the store at this position into its own table, and join its words."""
        store = int(identifier)
        with contextlib.suppress(_StoreGone):
            try:
                while await self._move(store):
                    pass
            except Unavailable as error:
                if not isinstance(error.__cause__, psycopg.errors.DiskFull):
                    raise
                # Processes that build an index together want as much shared memory; containers are often short of it.
                log.info("an index is built by one process", store=store)
                while await self._move(store, workers=0):
                    pass
            await self._join(store)
        # Until the database does it by itself, searches would pass over what has moved, row by row, and look at each
        # word's rows to count its postings.
        await self._database.execute("vacuum (skip_locked) chunk_vectors, chunk_words, word_lists", {})

    async def _move(self, store: int, *, workers: int = _WORKERS) -> bool:
        """One transaction of that; `workers` help to build an index. Says whether there may be more to do."""
        async with self._database.long_transaction("begin") as connection:
            await connection.execute(SQL("set local max_parallel_maintenance_workers = {}").format(Literal(workers)))
            if not await _lock(connection, store):
                return False
            row = await (await connection.execute(_STORE, {"store": store})).fetchone()
            if row is None or row[2] is None:
                return False
            large = _Large(store, row[0], row[1], row[2])
            tail = await _count(connection, SQL("select count(*) from chunk_vectors where store = %s"), store)
            if tail == 0:
                return False
            own = Identifier(large.table) if large.table else None
            there = await _count(connection, SQL("select count(*) from {}").format(own)) if own else 0
            files = [row[0] for row in await (await connection.execute(_FILES, {"id": large.id})).fetchall()]
            if tail < there:
                return await self._append(connection, large, files)
            return await self._build(connection, large, files)

    async def _join(self, store: int) -> None:
        """Join the words of the store's files, in one transaction."""
        async with self._database.long_transaction("begin") as connection:
            row = await (await connection.execute(_STORE, {"store": store})).fetchone()
            if row is None or not await _lock(connection, store):
                return
            files = [row[0] for row in await (await connection.execute(_FILES, {"id": row[0]})).fetchall()]
            await join_words(connection, store, files)
            # Whoever deletes the store from now on deletes these words as well.
            _still_there(await connection.execute(_THERE, {"store": store}))

    async def _append(self, connection: Connection, large: _Large, files: Sequence[int]) -> bool:
        """Move some vectors into a table that has its index already."""
        assert large.table is not None  # noqa: S101 (it has more rows than the tail)
        moved = await connection.execute(
            SQL("""
                with moved as (
                    delete from chunk_vectors where (file, number) in (
                        select file, number from chunk_vectors where store = %(store)s and file = any(%(files)s)
                        limit %(limit)s
                    ) returning file, number, vector
                )
                insert into {} (file, number, vector) select file, number, vector from moved
            """).format(Identifier(large.table)),
            {"store": large.position, "files": files, "limit": _SLICE},
        )
        _still_there(await connection.execute(_SETTLE, {"store": large.position, "table": large.table}))
        return moved.rowcount == _SLICE

    async def _build(self, connection: Connection, large: _Large, files: Sequence[int]) -> bool:
        """Make a table of the old one and what is to follow, and index it as a whole: half the work."""
        row = await (await connection.execute("select nextval('own_tables')")).fetchone()
        assert row is not None  # noqa: S101 (a sequence has a next value)
        table = f"vectors_of_store_{large.position}_{row[0]}"
        own = Identifier(table)
        await connection.execute("set local maintenance_work_mem = '512MB'")
        await connection.execute(
            SQL("create table {} (file bigint, number integer, vector halfvec({}))").format(
                own, Literal(large.dimensions)
            )
        )
        await connection.execute(
            SQL("""
                with moved as (
                    delete from chunk_vectors where store = %(store)s and file = any(%(files)s)
                    returning file, number, vector
                )
                insert into {} (file, number, vector) select file, number, vector from moved order by file, number
            """).format(own),
            {"store": large.position, "files": files},
        )
        if large.table:
            await connection.execute(SQL("insert into {} select * from {}").format(own, Identifier(large.table)))
            await connection.execute("insert into gone_tables (name) values (%s)", (large.table,))
        await connection.execute(SQL("alter table {} add primary key (file, number)").format(own))
        await connection.execute(
            SQL("create index on {} using hnsw (vector halfvec_ip_ops) with (m = {}, ef_construction = {})").format(
                own, Literal(_M), Literal(_EF_CONSTRUCTION)
            )
        )
        await connection.execute(SQL("analyze {}").format(own))
        _still_there(await connection.execute(_SETTLE, {"store": large.position, "table": table}))
        log.info("vectors indexed", vector_store=large.id, table=table)
        return False

    async def _purge(self, store: int, files: Sequence[int]) -> None:
        async with self._database.transaction() as connection:
            if store and not await _lock(connection, store):
                return
            await connection.execute(_PURGE, {"files": files})
            row = await (await connection.execute(_OWN_TABLE, {"store": store})).fetchone()
            if row:
                await drop_words(connection, store, files)
                delete = SQL("delete from {} where file = any(%(files)s)").format(Identifier(row[0]))
                await connection.execute(delete, {"files": files})

    async def _drop_tables(self) -> None:
        for row in await self._database.rows(_GONE_TABLES, {"seconds": _READ_NO_MORE}):
            try:
                async with self._database.transaction() as connection:
                    await connection.execute("set local lock_timeout = '1s'")
                    await connection.execute(SQL("drop table if exists {}").format(Identifier(row[0])))
                    await connection.execute("delete from gone_tables where name = %s", (row[0],))
            except psycopg.errors.LockNotAvailable:
                log.info("a table is still being read", table=row[0])


def _still_there(changed: psycopg.AsyncCursor[Row]) -> None:
    """Raise `_StoreGone` unless the statement met the store."""
    if not changed.rowcount:
        raise _StoreGone


async def _lock(connection: Connection, store: int) -> bool:
    """Whether nobody else moves or deletes vectors of the store until this transaction ends."""
    row = await (
        await connection.execute("select pg_try_advisory_xact_lock(%s, %s)", (_LOCK, store % 2**31))
    ).fetchone()
    return bool(row and row[0])


async def _count(connection: Connection, sql: SQL | Composed, *values: int) -> int:
    row = await (await connection.execute(sql, values)).fetchone()
    return int(row[0]) if row else 0
