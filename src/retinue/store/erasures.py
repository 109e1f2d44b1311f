"""Erasing what a person has left: rows of the order to do so, and the deletions."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, LiteralString, cast

import orjson

from ..errors import NotFound
from ..wire.erasures import Erasure
from .audit import Act, record
from .database import Connection, Database
from .ids import new_id
from .queue import Queue
from .removal import AGENTS, Doomed, lock, remove
from .request_log import FORGET_REQUESTS
from .usage import FORGET_USER

#: The kind of job that does it.
ERASE = "erase"
#: Rows that one statement deletes at most.
_MANY = 200

_ADD: LiteralString = "insert into erasures (id, project_id, person) values (%(id)s, %(project)s, %(person)s)"

_ERASURE = "id, status, project_id, person, counts, created_at, completed_at"
_GET = f"select {_ERASURE} from erasures where id = %(id)s"  # noqa: S608
_PAGE = f"""
    select {_ERASURE} from erasures
    where %(after)s::text is null or position < (select position from erasures where id = %(after)s)
    order by position desc limit %(limit)s
"""  # noqa: S608

_LOCK: LiteralString = "select from erasures where id = %(id)s for no key update"

_COUNTED: LiteralString = """
    update erasures set counts = (
        select coalesce(jsonb_object_agg(kind, number), '{}') from (
            select key as kind, sum(value::bigint) as number from (
                select * from jsonb_each_text(counts) union all select * from jsonb_each_text(%(counts)s::jsonb)
            ) as each group by key
        ) as summed
    ) where id = %(id)s
"""

#: From here on nothing says whose data they were.
_COMPLETE = """
    update erasures set status = 'completed', person = null, completed_at = floor(extract(epoch from now()))
    where id = %(id)s and status = 'in_progress'
"""

_FORGOTTEN = """
    select id from erasures where status = 'in_progress' and not exists (
        select from procrastinate_jobs
        where task_name = %(kind)s and status in ('todo', 'doing') and args ->> 'identifier' = erasures.id
    )
    order by position limit 10
"""

_OF_PROJECT = "(%(project)s::text is null or {table}.project_id = %(project)s)"
_OF_PERSON = "{table}.body #>> '{{metadata,user}}' = %(person)s"
#: A run of whoever was signed in, too.
_RUN_OF_PERSON = f"({_OF_PERSON.format(table='runs')} or runs.body ->> 'user' = %(person)s)"
#: The same, where there is an index for it.
_THEIRS = "{table}.body -> 'metadata' @> jsonb_build_object('user', %(person)s::text)"

#: A thread that is the person's; or in which a run was, and that names nobody else.
_NEXT_THREAD = f"""
    select id, project_id from threads where {_OF_PROJECT.format(table="threads")} and {_THEIRS.format(table="threads")}
    union all
    select threads.id, threads.project_id from runs join threads on threads.id = runs.thread_id
    where {_OF_PROJECT.format(table="runs")} and {_RUN_OF_PERSON}
        and threads.body #>> '{{metadata,user}}' is null
    limit 1
"""  # noqa: S608

#: In the threads of others: the person's runs with what these wrote, and messages that name the person.
_NEXT_RUN = f"""
    select runs.id, runs.project_id,
        array(select id from messages where run_id = runs.id and thread_id = runs.thread_id)
    from runs where {_OF_PROJECT.format(table="runs")} and {_RUN_OF_PERSON} limit 1
"""  # noqa: S608
_NEXT_MESSAGE = f"""
    select id, project_id from messages
    where {_OF_PROJECT.format(table="messages")} and {_OF_PERSON.format(table="messages")} limit 1
"""  # noqa: S608

_COMPLETIONS = f"""
    delete from chat_completions where id in (
        select id from chat_completions where {_OF_PROJECT.format(table="chat_completions")}
            and (%(person)s = any(users) or {_THEIRS.format(table="chat_completions")}) limit {_MANY}
    )
"""  # noqa: S608
_SIGNED_IN = f"""
    delete from {{table}} using connections
    where connections.id = connection_id and person in ('name:' || %(person)s, 'user:' || %(person)s)
        and {_OF_PROJECT.format(table="connections")}
"""  # noqa: S608
#: They are encrypted, and do not say whose they are: so all go. The requests stay known.
_ANSWERS = f"""
    update idempotency_keys set answer = null
    where owner is null and answer is not null and {_OF_PROJECT.format(table="idempotency_keys")}
"""  # noqa: S608
#: Those of whoever was signed in. Where keys asked, consents are the project's, not a person's.
_CONSENTS = f"""
    delete from consents where person = 'user:' || %(person)s and {_OF_PROJECT.format(table="consents")}
"""  # noqa: S608
#: The files stay, and are nobody's then.
_UPLOADS = f"""
    update files set uploaded_by = '' where id in (
        select id from files where uploaded_by = %(person)s and {_OF_PROJECT.format(table="files")} limit {_MANY}
    )
"""  # noqa: S608
#: What they shared of the threads of others.
_SHARES = f"""
    delete from thread_shares where created_by = %(person)s and {_OF_PROJECT.format(table="thread_shares")}
"""  # noqa: S608
#: Agents go with what they did and their files; what they have started goes with them.
_AGENTS = AGENTS.format(
    roots=f"""
        select root_id as id from agents where (user_id = %(person)s or body #>> '{{metadata,user}}' = %(person)s)
            and {_OF_PROJECT.format(table="agents")}
        group by root_id limit {_MANY}
    """  # noqa: S608
)
#: GPTs stay the project's, and are nobody's then; nobody knows who published them.
_GPTS = f"""
    update gpts set owner = case when owner = %(person)s then null else owner end,
        body = jsonb_set(body, '{{shared_with}}', (body -> 'shared_with') - %(person)s::text)
    where (owner = %(person)s or body -> 'shared_with' ? %(person)s::text) and {_OF_PROJECT.format(table="gpts")}
"""  # noqa: S608
_GPT_VERSIONS = f"""
    update gpt_versions set body = jsonb_set(body, '{{published_by}}', 'null')
    where body ->> 'published_by' = %(person)s and {_OF_PROJECT.format(table="gpt_versions")}
"""  # noqa: S608
_GPT_FEEDBACK = f"""
    delete from gpt_feedback where principal = %(person)s and {_OF_PROJECT.format(table="gpt_feedback")}
"""  # noqa: S608
_GPT_RUNS = f"""
    update gpt_runs set principal = null
    where principal = %(person)s and {_OF_PROJECT.format(table="gpt_runs")}
"""  # noqa: S608
#: That a GPT was used stays known, and what was reported; but not by whom.
_OF_PRINCIPAL = "{table}.principal = %(person)s and {project}"
_UNNAMED = "update {table} set principal = null where {found}"


def _by(table: str, statement: str) -> str:
    found = _OF_PRINCIPAL.format(table=table, project=_OF_PROJECT.format(table=table))
    return statement.format(table=table, found=found)


#: What one statement each takes away, repeated until nothing is left.
_ROWS = {
    "chat_completions": _COMPLETIONS,
    "sign_ins": _SIGNED_IN.format(table="grants"),
    "begun_sign_ins": _SIGNED_IN.format(table="sign_ins"),
    "consents": _CONSENTS,
    "idempotency_answers": _ANSWERS,
    "usage_records": FORGET_USER,
    "uploads": _UPLOADS,
    "requests": FORGET_REQUESTS.format(limit=_MANY),
    "thread_shares": _SHARES,
    "agents": _AGENTS,
    "gpts": _GPTS,
    "gpt_versions": _GPT_VERSIONS,
    "gpt_feedback": _GPT_FEEDBACK,
    "gpt_runs": _GPT_RUNS,
    "gpt_conversations": _by("gpt_conversations", _UNNAMED),
    "gpt_reviews": _by("gpt_reviews", "delete from {table} where {found}"),
    "gpt_reports": _by("gpt_reports", _UNNAMED),
}

_LEFTOVERS = """
    select array(select key from loose_blobs where due_at <= now()), array(select file from gone_files)
"""
_LEFT = """
    select exists (select from loose_blobs where key = any(%(blobs)s))
        or exists (select from gone_files where file = any(%(files)s))
"""


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What waits for the sweep: blobs by key, and files of vector stores by position."""

    blobs: list[str]
    files: list[int]


class Erasures:
    """Orders to erase, and the deletions. Each deletion counts in the transaction in which it is done."""

    def __init__(self, database: Database, queue: Queue) -> None:
        self._database = database
        self._queue = queue

    async def add(self, project: str | None, person: str) -> Erasure:
        """Order to erase what a person has left, in one project or in all.

        Raises:
            NotFound: there is no such project.
        """
        values = {"id": new_id("erasure_"), "project": project, "person": person}
        async with self._database.transaction() as connection:
            await _require(connection, project)
            await connection.execute(_ADD, values)
            await record(connection, Act("erasure.created", values["id"] or "", project))
            await self._queue.defer_all(ERASE, [str(values["id"])], connection)
        return await self.get(str(values["id"]))

    async def get(self, identifier: str) -> Erasure:
        """One order.

        Raises:
            NotFound: there is none of this id.
        """
        row = await self._database.row(_GET, {"id": identifier})
        if row is None:
            raise NotFound(f"No erasure found with id '{identifier}'.")
        return _erasure(row)

    async def page(self, limit: int, after: str | None) -> tuple[list[Erasure], bool]:
        """The orders, newest first, and whether there are more."""
        rows = await self._database.rows(_PAGE, {"limit": limit + 1, "after": after})
        return [_erasure(row) for row in rows[:limit]], len(rows) > limit

    async def requeue(self) -> None:
        """Put orders that wait although there is no job for them on the queue."""
        rows = await self._database.rows(_FORGOTTEN, {"kind": ERASE})
        if rows:
            await self._queue.defer_all(ERASE, [str(row[0]) for row in rows])

    async def step(self, erasure: Erasure) -> bool:
        """Delete some of what is left of the person in the database. Says whether there may be more."""
        values = {"project": erasure.project_id, "person": erasure.user}
        if row := await self._database.row(_NEXT_THREAD, values):
            async with self._transaction(erasure) as connection:
                if await lock(connection, row[1], row[0]) is not None:
                    await self._remove(connection, erasure, row[1], Doomed(threads=[row[0]]))
            return True
        if row := await self._database.row(_NEXT_RUN, values):
            doomed = Doomed(runs=[row[0]], messages=row[2])
        elif row := await self._database.row(_NEXT_MESSAGE, values):
            doomed = Doomed(messages=[row[0]])
        else:
            return await self._rows(erasure, values)
        async with self._transaction(erasure) as connection:
            await self._remove(connection, erasure, row[1], doomed)
        return True

    async def leftovers(self) -> Leftovers:
        """What waits for the sweep at this moment, of whomever."""
        row = await self._database.row(_LEFTOVERS, {})
        return Leftovers(*row) if row else Leftovers([], [])

    async def remain(self, leftovers: Leftovers) -> bool:
        """Whether some of these still wait."""
        row = await self._database.row(_LEFT, {"blobs": leftovers.blobs, "files": leftovers.files})
        return bool(row and row[0])

    async def complete(self, erasure: Erasure) -> None:
        """The person's data are gone; so is the person's name."""
        await self._database.execute(_COMPLETE, {"id": erasure.id})

    @asynccontextmanager
    async def _transaction(self, erasure: Erasure) -> AsyncGenerator[Connection]:
        """A transaction while nobody else works on the erasure, so that nothing is counted twice."""
        async with self._database.transaction() as connection:
            await connection.execute(_LOCK, {"id": erasure.id})
            yield connection

    async def _remove(self, connection: Connection, erasure: Erasure, project: str, doomed: Doomed) -> None:
        await _count(connection, erasure, await remove(connection, project, doomed))

    async def _rows(self, erasure: Erasure, values: Mapping[str, Any]) -> bool:
        found = False
        for kind, statement in _ROWS.items():
            async with self._transaction(erasure) as connection:
                if gone := (await connection.execute(cast(LiteralString, statement), values)).rowcount:
                    found = True
                    await _count(connection, erasure, Counter({kind: gone}))
        return found


async def _require(connection: Connection, project: str | None) -> None:
    if project is None:
        return
    found = await connection.execute("select from projects where id = %(id)s", {"id": project})
    if not found.rowcount:
        raise NotFound(f"No project found with id '{project}'.")


async def _count(connection: Connection, erasure: Erasure, counts: Counter[str]) -> None:
    await connection.execute(_COUNTED, {"id": erasure.id, "counts": orjson.dumps(counts).decode()})


def _erasure(row: tuple[Any, ...]) -> Erasure:
    identifier, status, project, person, counts, created_at, completed_at = row
    return Erasure(
        id=identifier,
        status=status,
        project_id=project,
        user=person,
        counts=orjson.loads(counts),
        created_at=created_at,
        completed_at=completed_at,
    )
