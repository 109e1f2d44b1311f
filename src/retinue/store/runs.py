"""Runs and their steps: creation under the thread lock, leases, and the commits of a run's driver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString, cast

import orjson
import psycopg

from ..errors import InvalidRequest
from ..wire.common import ObjectList
from ..wire.messages import Message
from ..wire.runs import Run
from ..wire.steps import RunStep
from ..wire.threads import Thread
from .conversations import NEW_MESSAGES, NewMessage, Threads, message_columns
from .database import Connection, Database
from .objects import Objects, PageQuery
from .queue import Queue

_LEASE_END = "now() + %(lease)s * interval '1 second'"

_ADD_RUN = f"""
    with lock as materialized (
        select active_run, next_position from lock_thread(%(project)s, %(thread)s)
    ), added_messages as (
        insert into messages (id, project_id, thread_id, position, tokens, body)
        select new_message.id, %(project)s, %(thread)s, next_position + "offset", tokens, body::jsonb
        from lock, {NEW_MESSAGES}
        where active_run is null
    ), added_run as (
        insert into runs (id, project_id, thread_id, lease_owner, lease_expires_at, body)
        select %(run)s, %(project)s, %(thread)s, %(owner)s::text, {_LEASE_END}, %(body)s::jsonb
        from lock where active_run is null
    )
    select active_run from lock
"""  # noqa: S608

_ADD_RUN_WITH_THREAD = f"""
    with thread as (
        insert into threads (id, project_id, body) values (%(thread)s, %(project)s, %(thread_body)s::jsonb) returning id
    ), added_messages as (
        insert into messages (id, project_id, thread_id, position, tokens, body)
        select new_message.id, %(project)s, thread.id, "offset", tokens, body::jsonb
        from thread, {NEW_MESSAGES}
    )
    insert into runs (id, project_id, thread_id, lease_owner, lease_expires_at, body)
    select %(run)s, %(project)s, thread.id, %(owner)s::text, {_LEASE_END}, %(body)s::jsonb from thread
    returning null
"""  # noqa: S608

#: Takes a run, and drops what a driver that died has shown of an unfinished answer: the model will be asked again.
#: Calls that wait for their outputs, or that a person has allowed, are no such thing: they stay.
_CLAIM = f"""
    with claimed as (
        update runs set
            -- A run starts once, however often it goes on.
            body = case when status = any(%(sources)s)
                then body || %(patch)s::jsonb || jsonb_build_object('started_at', coalesce(
                    nullif(body -> 'started_at', 'null'), %(patch)s::jsonb -> 'started_at', 'null'))
                else body end,
            lease_owner = %(owner)s, lease_expires_at = {_LEASE_END}
        where id = %(run)s and status = any(%(drivable)s)
            and (lease_owner is null or lease_owner = %(owner)s or lease_expires_at < now())
            and may_run(id, %(most)s::bigint)
        returning id, project_id, status, body
    ), dropped_steps as (
        delete from steps using claimed
        where run_id = claimed.id and steps.body ->> 'status' = 'in_progress'
            and (steps.body ->> 'type' = 'message_creation'
                or (claimed.status = 'in_progress' and not coalesce((steps.body ->> 'awaited')::boolean, false)))
        returning steps.id, steps.body
    ), dropped_messages as (
        delete from messages using dropped_steps
        where messages.id = dropped_steps.body #>> '{{step_details,message_creation,message_id}}'
    )
    select project_id, body, (
        select coalesce(jsonb_agg(steps.body order by steps.position), '[]') from steps
        where run_id = claimed.id and id not in (select id from dropped_steps)
    )
    from claimed
"""  # noqa: S608

#: What a driver learned, all of it or nothing: the run's new state, and the messages and steps that go with it.
_COMMIT = f"""
    with moved as (
        update runs set body = body || %(patch)s::jsonb,
            lease_owner = case when %(leave_lease)s then lease_owner else %(next_owner)s::text end,
            lease_expires_at = case when %(leave_lease)s then lease_expires_at else {_LEASE_END} end
        where id = %(run)s and project_id = %(project)s and status = any(%(sources)s)
            and (%(owner)s::text is null or lease_owner = %(owner)s)
        returning project_id, thread_id, body
    ), newest as (
        select position + tokens as next_position from messages
        where thread_id = (select thread_id from moved) and position is not null order by position desc limit 1
    ), kept_messages as (
        insert into messages (id, project_id, thread_id, position, tokens, body)
        select new_message.id, moved.project_id, moved.thread_id,
            coalesce((select next_position from newest), 0) + "offset", tokens, new_message.body::jsonb
        from moved, {NEW_MESSAGES}
        on conflict (id) do update set body = excluded.body, tokens = excluded.tokens
    ), kept_steps as (
        insert into steps (id, project_id, run_id, body)
        select step.id, moved.project_id, %(run)s, step.body::jsonb
        from moved, unnest(%(step_ids)s::text[], %(step_bodies)s::text[]) as step (id, body)
        on conflict (id) do update set body = excluded.body
    )
    select body, case when %(announce)s then pg_notify(%(channel)s, %(run)s) end from moved
"""  # noqa: S608

#: A run, its steps and its messages, all as they are at one moment.
_VIEW = """
    select body, (
        select coalesce(jsonb_agg(body order by position), '[]') from steps where run_id = %(run)s
    ), (
        select coalesce(jsonb_agg(messages.body), '[]') from messages
        where thread_id = %(thread)s and id in (
            select body #>> '{step_details,message_creation,message_id}' from steps where run_id = %(run)s
        )
    )
    from runs where id = %(run)s and project_id = %(project)s and thread_id = %(thread)s
"""

#: A run that nobody holds has just been committed by its driver, who will notice by itself.
_RENEW = f"""
    with renewed as (
        update runs set lease_expires_at = {_LEASE_END} where lease_owner = %(owner)s and id = any(%(runs)s)
    )
    select id, status from runs where id = any(%(runs)s) and (lease_owner is null or lease_owner = %(owner)s)
"""  # noqa: S608

_LET_WAIT = """
    update runs set lease_owner = null, lease_expires_at = now()
    where id = %(run)s and lease_owner = %(owner)s and status = 'queued'
"""

#: The run of a project that has waited longest, where fewer are worked on than may be.
_NEXT = """
    select id from runs
    where project_id = %(project)s and status = 'queued' and (lease_owner is null or lease_expires_at < now())
    order by position limit 1
"""

_RELEASE = """
    update runs set lease_owner = null, lease_expires_at = now() where lease_owner = %(owner)s
    and status in ('queued', 'in_progress', 'cancelling')
"""

#: Runs that nobody drives, or whose time is over.
_ORPHANS = """
    select id, project_id, status, expires_at <= extract(epoch from now()) from runs
    where status in ('queued', 'in_progress', 'requires_action', 'cancelling')
        and case when status = 'requires_action' then expires_at <= extract(epoch from now())
            else lease_expires_at < now() end
    order by expires_at limit %(limit)s
"""


#: Conditions of `Runs.search`, by the field.
_FIELDS = {
    "status": "status = %(status)s",
    "assistant_id": "body ->> 'assistant_id' = %(assistant_id)s",
    "model": "body ->> 'model' = %(model)s",
}

_KEEP_FUNCTIONS = """
    insert into run_functions (run_id, project_id, digest, functions)
    values (%(run)s, %(project)s, %(digest)s, %(functions)s) on conflict do nothing
"""
_FUNCTIONS = """
    select functions from run_functions where run_id = %(run)s and project_id = %(project)s and digest = %(digest)s
"""

#: The channel on which processes tell each other that a run has changed.
CHANGED = "run_changed"
#: The channel on which a reader asks that changes of a run be told.
WATCHED = "run_watched"

#: Statuses in which there is something for a driver to do.
DRIVABLE = ("queued", "in_progress", "cancelling")


@dataclass(frozen=True, slots=True)
class Claim:
    """A run that the caller now drives."""

    project: str
    run: Run
    steps: list[RunStep]


@dataclass(frozen=True, slots=True)
class Commit:
    """One change of a run, with everything that must be written with it.

    Attributes:
        run: the run's id.
        project: its project.
        patch: top-level fields of the run to replace.
        sources: statuses in which the run must be.
        owner: who must hold the lease; None if that does not matter.
        next_owner: who holds the lease afterwards; None lets go of it.
        leave_lease: leave the lease with whoever holds it, whatever `next_owner` says.
        messages: messages to add, or to replace by id.
        steps: steps to add, or to replace by id.
        announce: whether other processes are told of the change, on the channel `CHANGED`.
    """

    run: str
    project: str
    patch: dict[str, Any]
    sources: Sequence[str]
    owner: str | None
    next_owner: str | None = None
    leave_lease: bool = False
    messages: Sequence[NewMessage] = ()
    steps: Sequence[RunStep] = field(default_factory=tuple[RunStep])
    announce: bool = False


@dataclass(frozen=True, slots=True)
class RunView:
    """A run with everything that it has brought, as it was at one moment.

    Attributes:
        run: the run.
        steps: its steps, oldest first.
        messages: the messages that its steps wrote, by id; one that was deleted is missing.
    """

    run: Run
    steps: list[RunStep]
    messages: dict[str, Message]


@dataclass(frozen=True, slots=True)
class Orphan:
    """A run that nobody drives, or that waits beyond its time."""

    run: str
    project: str
    status: str
    overdue: bool


def has_active_run(thread: str, run: str) -> InvalidRequest:
    """The error for a second run on a thread, in the words that clients match on. 400, because SDKs retry 409."""
    return InvalidRequest(f"Thread {thread} already has an active run {run}.")


class Runs(Objects[Run]):
    """Runs of a thread."""

    def __init__(self, database: Database, threads: Threads, queue: Queue, *, lease: float, most: int | None) -> None:
        """Describe them.

        Args:
            database: where they are.
            threads: whose they are.
            queue: where runs wait that nobody drives.
            lease: seconds that a lease lasts unless renewed.
            most: runs of a project that are worked on at once, unless it has a limit of its own; None: any number.
        """
        super().__init__(database, "runs", Run, "run", parent="thread_id")
        #: Runs of all threads.
        self._all = Objects(database, "runs", Run, "run")
        self._threads = threads
        self._queue = queue
        self._lease = lease
        self._most = most

    async def add(
        self,
        project: str,
        run: Run,
        messages: Sequence[NewMessage] = (),
        *,
        owner: str | None,
        thread: Thread | None = None,
    ) -> None:
        """Keep a new run, with the messages that come with it and with its thread if that is new: all or nothing.

        Args:
            project: the caller's project.
            run: the run, `queued`.
            messages: messages to append to the thread first.
            owner: who drives it. None puts a job for it on the queue, in the same transaction.
            thread: the run's thread where it is to be made too.

        Raises:
            NotFound: the project has no such thread.
            InvalidRequest: the thread has an active run.
        """
        values: dict[str, Any] = {
            "project": project,
            "thread": run.thread_id,
            "run": run.id,
            "owner": owner,
            "lease": self._lease,
            "body": run.model_dump_json(),
            "thread_body": thread.model_dump_json() if thread else None,
            **message_columns(messages),
        }
        sql = _ADD_RUN_WITH_THREAD if thread else _ADD_RUN
        if owner is not None:
            await self._add(sql, values, run.thread_id, self._database)
            return
        async with self._database.transaction() as connection:
            await self._add(sql, values, run.thread_id, connection)
            await self._queue.defer_run(run.id, connection)

    async def _add(self, sql: str, values: dict[str, Any], thread: str, where: Database | Connection) -> None:
        try:
            if isinstance(where, Database):
                row = await where.row(sql, values)
            else:
                row = await (await where.execute(cast(LiteralString, sql), values)).fetchone()
        except psycopg.errors.UniqueViolation as error:
            # The index is the lock; `lock_thread` only makes the common case a plain answer.
            raise InvalidRequest(f"Thread {thread} already has an active run.") from error
        if row is None:
            raise self._threads.not_found(thread)
        if row[0] is not None:
            raise has_active_run(thread, row[0])

    async def claim(
        self,
        run: str,
        owner: str,
        patch: dict[str, Any],
        sources: Sequence[str],
        drivable: Sequence[str] = DRIVABLE,
    ) -> Claim | None:
        """Take, or keep, the lease on a run that nobody else drives.

        Args:
            run: the run's id.
            owner: who is to hold the lease.
            patch: what to change of the run if its status is one of `sources`.
            sources: see `patch`.
            drivable: statuses in which the run may be taken.

        Returns:
            The run with its steps; None if its status is another, or it is driven by someone else, or it is `queued`
            and as many runs of its project are worked on as may be.
        """
        values = {
            "run": run,
            "owner": owner,
            "lease": self._lease,
            "patch": orjson.dumps(patch).decode(),
            "sources": list(sources),
            "drivable": list(drivable),
            "most": self._most,
        }
        row = await self._database.row(_CLAIM, values)
        if row is None:
            return None
        steps = [RunStep.model_validate(step) for step in orjson.loads(row[2])]
        return Claim(project=row[0], run=Run.model_validate_json(row[1]), steps=steps)

    async def commit(self, commit: Commit) -> Run | None:
        """Write one change of a run with everything that belongs to it.

        Returns:
            The run as it is then; None, and nothing written, if the run was not in one of the commit's `sources`
            or its lease is held by another.
        """
        values = {
            "run": commit.run,
            "project": commit.project,
            "patch": orjson.dumps(commit.patch).decode(),
            "sources": list(commit.sources),
            "owner": commit.owner,
            "next_owner": commit.next_owner,
            "leave_lease": commit.leave_lease,
            "lease": self._lease,
            "announce": commit.announce,
            "channel": CHANGED,
            "step_ids": [step.id for step in commit.steps],
            "step_bodies": [step.model_dump_json() for step in commit.steps],
            **message_columns(commit.messages),
        }
        row = await self._database.row(_COMMIT, values)
        return None if row is None else Run.model_validate_json(row[0])

    async def view(self, project: str, run: str, thread: str) -> RunView:
        """A run with everything that it has brought so far.

        Raises:
            NotFound: the project has no such run on this thread.
        """
        row = await self._database.row(_VIEW, {"project": project, "run": run, "thread": thread})
        if row is None:
            raise self.not_found(run)
        steps = [RunStep.model_validate(step) for step in orjson.loads(row[1])]
        messages = [Message.model_validate(message) for message in orjson.loads(row[2])]
        return RunView(Run.model_validate_json(row[0]), steps, {message.id: message for message in messages})

    async def search(self, project: str, query: PageQuery, *, within: float, **fields: str | None) -> ObjectList[Run]:
        """One page of the runs of a project.

        Args:
            project: the caller's project.
            query: which page.
            within: seconds that it may take.
            fields: what they must have: their `status`, `assistant_id` or `model`; None is any.

        Raises:
            InvalidRequest: a cursor names no run, or the search took too long.
        """
        wanted = {name: value for name, value in fields.items() if value is not None}
        where = " and ".join(_FIELDS[name] for name in wanted)
        return await self._all.page(project, query, None, where, within if where else None, **wanted)

    async def keep_functions(self, project: str, run: str, digest: str, functions: str) -> None:
        """Keep what a run's model was told of functions, unless it is kept already.

        Args:
            project: the run's project.
            run: the run's id.
            digest: of the definitions.
            functions: the definitions, a list in JSON.
        """
        values = {"project": project, "run": run, "digest": digest, "functions": functions}
        await self._database.execute(_KEEP_FUNCTIONS, values)

    async def functions(self, project: str, run: str, digest: str) -> str | None:
        """What `keep_functions` has kept; None if nothing."""
        row = await self._database.row(_FUNCTIONS, {"project": project, "run": run, "digest": digest})
        return str(row[0]) if row else None

    async def renew(self, owner: str, runs: Sequence[str]) -> dict[str, str]:
        """Renew the leases that `owner` holds on these runs; returns the status of each that no other has taken."""
        rows = await self._database.rows(_RENEW, {"owner": owner, "runs": list(runs), "lease": self._lease})
        return {str(row[0]): str(row[1]) for row in rows}

    async def let_wait(self, run: str, owner: str) -> None:
        """Let go of the lease on a run that must wait for others of its project."""
        await self._database.execute(_LET_WAIT, {"run": run, "owner": owner})

    async def next_waiting(self, project: str) -> str | None:
        """The queued run of a project that has waited longest for a driver, if there is one."""
        row = await self._database.row(_NEXT, {"project": project})
        return row[0] if row else None

    async def release(self, owner: str) -> int:
        """Let go of every lease that `owner` holds, so that others can go on at once. Returns how many there were."""
        return await self._database.execute(_RELEASE, {"owner": owner})

    async def orphans(self, limit: int = 500) -> list[Orphan]:
        """Runs that nobody drives any more, and runs that have waited for their client beyond their time."""
        return [Orphan(*row) for row in await self._database.rows(_ORPHANS, {"limit": limit})]


#: What the code of a thread's last runs has read and written, oldest first, as far as it is there still.
_FILES_BEFORE = """
    with recent as (
        select id from runs where project_id = %(project)s and thread_id = %(thread)s and id <> %(run)s
        order by position desc limit 50
    ), linked as (
        select steps.position, file.key as path, file.value as id
        from recent join steps on steps.run_id = recent.id, jsonb_each(steps.body -> 'served') as call,
            jsonb_each_text(call.value -> 'files') as file
        order by steps.position desc limit 1000
    )
    select path, linked.id from linked join files on files.id = linked.id and files.project_id = %(project)s
    order by linked.position
"""


class Steps(Objects[RunStep]):
    """Steps of a run."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "steps", RunStep, "run step", parent="run_id")

    async def files_before(self, project: str, thread: str, run: str) -> dict[str, str]:
        """The files that code in the last 50 other runs of a thread has read or written.

        Args:
            project: the caller's project.
            thread: the thread's id.
            run: the id of the run that is left out.

        Returns:
            Their ids, at most 1,000, by the path that they had, each path with the last of its files.
        """
        rows = await self._database.rows(_FILES_BEFORE, {"project": project, "thread": thread, "run": run})
        return {str(path): str(file) for path, file in rows}
