"""Objects in bulk: read from one snapshot for an export, written in one transaction for an import."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, LiteralString, cast

import psycopg

from ..errors import InvalidRequest, Unavailable
from .audit import Act, record
from .database import Connection, Database
from .queue import Queue
from .vector_stores import INGEST

#: Seconds that an export or import may take.
LONGEST = 6 * 3600

# --- out

#: The stored bodies of each kind, in the order of an import: what is named comes before what names it.
_PROJECT: dict[str, LiteralString] = {
    "file": "select body from files where project_id = %(project)s order by position",
    "vector_store": "select body from vector_stores where project_id = %(project)s order by position",
    "vector_store.file": "select body from vector_store_files where project_id = %(project)s order by position",
    "assistant": "select body from assistants where project_id = %(project)s and gpt_id is null order by position",
    "thread": "select body from threads where project_id = %(project)s order by position",
    # What tells how a run's prompts were made holds for where they were made only.
    "thread.run": "select body - 'asked' from runs where project_id = %(project)s order by position",
    "thread.message": """
        select body from messages where project_id = %(project)s order by thread_id, position, queue_position
    """,
    "thread.run.step": "select body from steps where project_id = %(project)s order by position",
    "agent": """
        select body || jsonb_build_object('unheard', array(
            select text from agent_messages where agent_id = agents.id order by agent_messages.position
        )) from agents where project_id = %(project)s order by position
    """,
    "agent.cycle": """
        select agent_cycles.body || jsonb_build_object('heard', heard)
        from agent_cycles join agents on agents.id = agent_cycles.agent_id
        where agent_cycles.project_id = %(project)s order by agents.position, agent_cycles.position
    """,
}
_AGENT_FILES: LiteralString = """
    select agent_id, path, content, extract(epoch from modified_at)::bigint
    from agent_files join agents on agents.id = agent_files.agent_id
    where agent_files.project_id = %(project)s order by agents.position, path
"""

_THREAD: dict[str, LiteralString] = {
    "thread": "select body from threads where project_id = %(project)s and id = %(thread)s",
    "thread.run": """
        select body - 'asked' from runs where project_id = %(project)s and thread_id = %(thread)s order by position
    """,
    "thread.message": """
        select body from messages where project_id = %(project)s and thread_id = %(thread)s
        order by position, queue_position
    """,
    "thread.run.step": """
        select steps.body from runs join steps on steps.run_id = runs.id
        where runs.project_id = %(project)s and runs.thread_id = %(thread)s order by steps.position
    """,
}


class Snapshot:
    """All that a project, or one thread, has at one moment, whatever is written meanwhile."""

    def __init__(self, connection: Connection, project: str, thread: str | None) -> None:
        self._connection = connection
        self._queries = _THREAD if thread else _PROJECT
        self._whole = thread is None
        self._values = {"project": project, "thread": thread}

    @property
    def kinds(self) -> Sequence[str]:
        """The kinds of objects that there may be, in the order of an import."""
        return list(self._queries)

    async def bodies(self, kind: str) -> AsyncGenerator[bytes]:
        """The objects of a kind as they are stored: JSON on one line. One at a time is in memory."""
        async for row in self._connection.cursor().stream(self._queries[kind], self._values):
            yield row[0]

    async def agent_files(self) -> AsyncGenerator[tuple[str, str, bytes, int]]:
        """What is in the workspaces of agents: agent, path, content, and when it was written, in Unix seconds."""
        if self._whole:
            async for row in self._connection.cursor().stream(_AGENT_FILES, self._values):
                yield row[0], row[1], bytes(row[2]), row[3]


# --- in


@dataclass(frozen=True, slots=True)
class NewObject:
    """An object that is to be imported.

    Attributes:
        id: its id here.
        kind: its `object`.
        body: it, as JSON.
        parent: id of the thread, run or vector store that it belongs to; `""` if it belongs to none.
        tokens: a message's size.
    """

    id: str
    kind: str
    body: str
    parent: str = ""
    tokens: int = 0


_NEW = """
    unnest(%(ids)s::text[], %(bodies)s::text[], %(parents)s::text[], %(tokens)s::int[])
    with ordinality as new (id, body, parent, tokens, number)
"""


def _insert(table: str, parent: str | None = None) -> str:
    columns, values = (f", {parent}", ", new.parent") if parent else ("", "")
    return f"""
        insert into {table} (id, project_id{columns}, body)
        select new.id, %(project)s{values}, new.body::jsonb from {_NEW} order by number
    """  # noqa: S608


#: Behind what the thread has already, each behind the one before.
_INSERT_MESSAGES = f"""
    insert into messages (id, project_id, thread_id, position, tokens, body)
    select new.id, %(project)s, new.parent,
        coalesce((
            select position + tokens from messages where thread_id = new.parent and position is not null
            order by position desc limit 1
        ), 0) + sum(new.tokens) over (partition by new.parent order by number) - new.tokens,
        new.tokens, new.body::jsonb
    from {_NEW}
"""  # noqa: S608

#: A file takes over its blob, unless the sweep was quicker.
_INSERT_FILES = f"""
    with taken as (
        delete from loose_blobs where key = any(%(blobs)s) and due_at > '-infinity' returning key
    )
    insert into files (id, project_id, body)
    select new.id, %(project)s, new.body::jsonb from {_NEW} join taken on key = 'files/' || new.id order by number
"""  # noqa: S608

#: With what they have not heard yet. Whoever imports them has asked for them.
_INSERT_AGENTS = f"""
    with added as (
        insert into agents (id, project_id, parent_id, root_id, key_id, user_id, body)
        select new.id, %(project)s, nullif(new.parent, ''), new.id, %(key)s, %(user)s, new.body::jsonb - 'unheard'
        from {_NEW} order by number returning id
    ), told as (
        insert into agent_messages (agent_id, text)
        select new.id, said.text
        from {_NEW} cross join lateral jsonb_array_elements_text(new.body::jsonb -> 'unheard')
            with ordinality as said (text, place)
        order by new.number, said.place
    )
    select id from added
"""  # noqa: S608

#: An agent works where the one does that has started it, which came before it.
_ROOTS: LiteralString = """
    with recursive line as (
        select id, parent_id, id as below from agents where id = any(%(ids)s) and parent_id is not null
        union all
        select agents.id, agents.parent_id, below from line join agents on agents.id = line.parent_id
    )
    update agents set root_id = line.id from line where line.below = agents.id and line.parent_id is null
"""

_INSERT_CYCLES = f"""
    insert into agent_cycles (id, project_id, agent_id, position, heard, body)
    select new.id, %(project)s, new.parent, (new.body::jsonb -> 'number')::bigint,
        array(select jsonb_array_elements_text(new.body::jsonb -> 'heard')), new.body::jsonb - 'heard'
    from {_NEW} order by number
"""  # noqa: S608

#: What an agent waits for is the one thing in an export that comes after what names it.
_ACTIONS: LiteralString = """
    update agents set body = jsonb_set(body, '{required_action,cycle_id}', to_jsonb(new)) from imported
    where agents.id = any(%(parents)s) and kind = 'agent.cycle' and old = body #>> '{required_action,cycle_id}'
"""

_INSERT_AGENT_FILE: LiteralString = """
    insert into agent_files (project_id, agent_id, path, content, modified_at)
    values (%(project)s, %(agent)s, %(path)s, %(content)s, to_timestamp(%(modified_at)s))
    on conflict do nothing
"""

_INSERTS = {
    "file": _INSERT_FILES,
    "vector_store": _insert("vector_stores"),
    "vector_store.file": _insert("vector_store_files", "vector_store_id") + " returning position, status",
    "assistant": _insert("assistants"),
    "thread": _insert("threads"),
    "thread.run": _insert("runs", "thread_id"),
    "thread.message": _INSERT_MESSAGES,
    "thread.run.step": _insert("steps", "run_id"),
    "agent": _INSERT_AGENTS,
    "agent.cycle": _INSERT_CYCLES,
}

_TABLES = {
    "file": "files",
    "vector_store": "vector_stores",
    "assistant": "assistants",
    "thread": "threads",
    "thread.run": "runs",
    "thread.message": "messages",
    "thread.run.step": "steps",
    "agent": "agents",
    "agent.cycle": "agent_cycles",
}

_IDS = "create temporary table imported (old text primary key, new text not null, kind text not null) on commit drop"

_ADD_IDS = """
    insert into imported (old, new, kind)
    select * from unnest(%(old)s::text[], %(new)s::text[], %(kinds)s::text[]) on conflict do nothing returning old
"""

_FIND_IDS = "select old, new, kind from imported where old = any(%(old)s)"

_CROWDED = """
    select vector_store_id from vector_store_files
    where vector_store_id in (select new from imported where kind = 'vector_store')
    group by vector_store_id having count(*) > %(most)s limit 1
"""

_LARGE_WORKSPACE = """
    select agent_id from agent_files where agent_id in (select new from imported where kind = 'agent')
    group by agent_id having count(*) > %(files)s or sum(octet_length(content)) > %(bytes)s limit 1
"""


class Importing:
    """An import under way: nothing of it is there before the end, and all of it then."""

    def __init__(self, connection: Connection, queue: Queue, project: str, key: str, user: str) -> None:
        self._connection = connection
        self._queue = queue
        self._project = project
        #: Who imports it.
        self._whose = {"key": key, "user": user}

    async def name(self, objects: Sequence[tuple[str, str, str]]) -> set[str]:
        """Note old id, new id and kind of each object. Returns the old ids that are not taken by an earlier one."""
        values = {
            "old": [old for old, _, _ in objects],
            "new": [new for _, new, _ in objects],
            "kinds": [kind for _, _, kind in objects],
        }
        return {str(row[0]) for row in await self._rows(_ADD_IDS, values)}

    async def names(self, old: Sequence[str]) -> dict[str, tuple[str, str]]:
        """New id and kind of each of these old ids that this import has brought."""
        return {row[0]: (row[1], row[2]) for row in await self._rows(_FIND_IDS, {"old": list(old)})}

    async def existing(self, kind: str, ids: Sequence[str]) -> set[str]:
        """Those of these ids that an object of this kind has already, in whatever project."""
        sql = f"select id from {_TABLES[kind]} where id = any(%(ids)s)"  # noqa: S608
        return {str(row[0]) for row in await self._rows(sql, {"ids": list(ids)})}

    async def add(self, kind: str, objects: Sequence[NewObject]) -> None:
        """Write objects of one kind.

        Raises:
            InvalidRequest: an id is taken, a value cannot be stored, or the content of a file was dropped.
        """
        values = {
            "project": self._project,
            **self._whose,
            "ids": [one.id for one in objects],
            "bodies": [one.body for one in objects],
            "parents": [one.parent for one in objects],
            "tokens": [one.tokens for one in objects],
            "blobs": [f"files/{one.id}" for one in objects],
        }
        try:
            cursor = await self._connection.execute(cast(LiteralString, _INSERTS[kind]), values)
        except psycopg.errors.UniqueViolation as error:
            raise InvalidRequest(f"An id of an imported {kind} is taken.") from error
        except psycopg.DataError as error:
            raise InvalidRequest(f"An imported {kind} holds a value that cannot be stored.") from error
        if cursor.rowcount < len(objects):
            raise InvalidRequest("The import took so long that the content of a file was dropped. Please try again.")
        if kind == "agent":
            await self._connection.execute(_ROOTS, values)
        elif kind == "agent.cycle":
            await self._connection.execute(_ACTIONS, values)
        elif kind == "vector_store.file":
            positions = [str(row[0]) for row in await cursor.fetchall() if row[1] == "in_progress"]
            if positions:
                await self._queue.defer_all(INGEST, positions, self._connection)

    async def add_agent_file(self, agent: str, path: str, content: bytes, modified_at: int) -> None:
        """Write a file of an imported agent's workspace. Raises `InvalidRequest` if it is there already."""
        file = {"agent": agent, "path": path, "content": content, "modified_at": modified_at}
        cursor = await self._connection.execute(_INSERT_AGENT_FILE, {"project": self._project, **file})
        if not cursor.rowcount:
            raise InvalidRequest(f"The agent '{agent}' has two files '{path}'.", code="invalid_import")

    async def large_workspace(self, files: int, size: int) -> str | None:
        """The id of an imported agent whose workspace has more files, or bytes, if there is one."""
        rows = await self._rows(_LARGE_WORKSPACE, {"files": files, "bytes": size})
        return str(rows[0][0]) if rows else None

    async def crowded(self, most: int) -> str | None:
        """The id of an imported vector store with more than `most` files, if there is one."""
        rows = await self._rows(_CROWDED, {"most": most})
        return str(rows[0][0]) if rows else None

    async def _rows(self, sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return await (await self._connection.execute(cast(LiteralString, sql), values)).fetchall()


class Transfers:
    """Exports from projects and imports into them."""

    def __init__(self, database: Database, queue: Queue, *, most: int) -> None:
        """`most`: exports and imports that may be under way at once in this process."""
        self._database = database
        self._queue = queue
        self._most = most
        self._under_way = 0

    @asynccontextmanager
    async def _transaction(self, begin: LiteralString) -> AsyncGenerator[Connection]:
        if self._under_way >= self._most:
            raise Unavailable(
                f"{self._most} exports and imports are under way on this server. Please try again.", retry_after=5
            )
        self._under_way += 1
        try:
            async with self._database.long_transaction(begin) as connection:
                yield connection
        finally:
            self._under_way -= 1

    @asynccontextmanager
    async def snapshot(self, project: str, thread: str | None = None) -> AsyncGenerator[Snapshot]:
        """What there is now of a project, or of one thread, for as long as the context lasts.

        It stands in the audit log before anything of it is read.
        """
        async with self._database.transaction() as connection:
            await record(connection, Act("export.created", thread or project, project))
        async with self._transaction("begin isolation level repeatable read read only") as connection:
            yield Snapshot(connection, project, thread)

    @asynccontextmanager
    async def importing(self, project: str, *, key: str = "", user: str = "") -> AsyncGenerator[Importing]:
        """An import into a project. It counts when the context is left without an exception.

        `key`, `user`: who imports it.
        """
        async with self._transaction("begin") as connection:
            await connection.execute(_IDS)
            yield Importing(connection, self._queue, project, key, user)
            await record(connection, Act("import.created", project, project))
