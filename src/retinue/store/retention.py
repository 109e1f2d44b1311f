"""How long projects keep what they have: the rules, and the sweep that deletes by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, LiteralString, cast

import orjson

from ..errors import NotFound
from ..wire.retention import Retention
from .audit import Act, record
from .database import Connection, Database
from .removal import AGENTS, Doomed, lock, remove

#: Threads that one sweep looks at, and the most that it deletes; files and completions that it deletes.
_LOOK_AT, _MOST = 500, 50
#: Seconds between the end of one walk through all threads and the next.
_PAUSE = 600

_GET = """
    select id, rule.project_id is not null, thread_idle_days, file_days, file_purposes, completion_days, agent_days
    from projects left join retention_rules as rule on rule.project_id = projects.id where id = %(project)s
"""

_SET = """
    insert into retention_rules (
        project_id, thread_idle_days, file_days, file_purposes, completion_days, agent_days
    )
    values (
        %(project)s, %(thread_idle_days)s, %(file_days)s, %(file_purposes)s::jsonb, %(completion_days)s, %(agent_days)s
    )
    on conflict (project_id) do update set thread_idle_days = excluded.thread_idle_days,
        file_days = excluded.file_days, file_purposes = excluded.file_purposes,
        completion_days = excluded.completion_days, agent_days = excluded.agent_days
"""

#: The rules of every project, with the settings where it has none.
_RULES = """
    rules as (
        select id as project_id,
            case when rule.project_id is null then %(thread_idle_days)s::integer else thread_idle_days end
                as thread_idle_days,
            case when rule.project_id is null then %(file_days)s::integer else file_days end as file_days,
            coalesce(file_purposes, '{}') as file_purposes,
            case when rule.project_id is null then %(completion_days)s::integer else completion_days end
                as completion_days,
            case when rule.project_id is null then %(agent_days)s::integer else agent_days end as agent_days
        from projects left join retention_rules as rule on rule.project_id = projects.id
    )
"""

_WANTED = f"with {_RULES} select from rules where thread_idle_days is not null limit 1"

#: Where the walk has come to; nothing if it rests, or if another process walks at this moment.
_WALK: LiteralString = "select project_id, position from retention_walk where due_at <= now() for update skip locked"

#: Before the first thread.
_START = ("", 0)

_WALKED: LiteralString = """
    update retention_walk set project_id = %(project)s, position = %(position)s,
        due_at = now() + %(pause)s * interval '1 second'
"""

_WALK_NOW: LiteralString = "update retention_walk set due_at = least(due_at, now())"

#: The next threads, and whether each has rested since the moment that its project's rule names.
_NEXT = f"""
    with {_RULES}, next as (
        select id, project_id, position from threads
        where (project_id, position) > (%(project)s, %(position)s) order by project_id, position limit {_LOOK_AT}
    )
    select id, next.project_id, next.position, thread_idle_days,
        thread_idle_days is not null and thread_rests(id, thread_idle_days)
    from next left join rules on rules.project_id = next.project_id order by next.project_id, next.position
"""  # noqa: S608

_RESTS: LiteralString = "select thread_rests(%(thread)s, %(days)s)"

_FILES = f"""
    with {_RULES}, due as (
        select old.id from rules cross join lateral (
            select id from files where files.project_id = rules.project_id
                and (body ->> 'created_at')::bigint < extract(epoch from now())::bigint - 86400::bigint * least(
                    file_days, (select min(value::integer) from jsonb_each_text(file_purposes))
                ) and (body ->> 'created_at')::bigint < extract(epoch from now())::bigint - 86400::bigint * case
                    when file_purposes ? purpose then (file_purposes ->> purpose)::integer else file_days
                end
            limit {_MOST}
        ) as old limit {_MOST}
    ), gone as (
        delete from files using due where files.id = due.id returning files.id
    )
    insert into loose_blobs (key, due_at) select 'files/' || id, now() from gone
"""  # noqa: S608

_COMPLETIONS = f"""
    with {_RULES}, due as (
        select old.id from rules cross join lateral (
            select id from chat_completions as completion where completion.project_id = rules.project_id
                and created_at < now() - completion_days * interval '1 day' limit {_MOST}
        ) as old limit {_MOST}
    )
    delete from chat_completions using due where chat_completions.id = due.id
"""  # noqa: S608

#: When an agent ended is when it did something last; all that it has started have to have ended, too.
_AGENTS = f"""
    with {_RULES} select old.id from rules cross join lateral (
        select agents.id from agents where agents.project_id = rules.project_id and parent_id is null
            and not exists (
                select from agents as other where other.root_id = agents.id
                    and other.status in ('queued', 'in_progress', 'requires_action', 'paused')
            )
            and greatest(
                (body ->> 'created_at')::bigint, (body ->> 'completed_at')::bigint,
                (select max((body ->> 'completed_at')::bigint) from agent_cycles where agent_id = agents.id)
            ) < extract(epoch from now())::bigint - 86400::bigint * agent_days
        limit {_MOST}
    ) as old limit {_MOST}
"""  # noqa: S608


class RetentionRules:
    """The rules of projects, and the sweep."""

    def __init__(self, database: Database, defaults: Retention) -> None:
        """`defaults`: what counts for projects without rules of their own."""
        self._database = database
        self._defaults = defaults
        self._values: dict[str, Any] = {
            "thread_idle_days": defaults.thread_idle_days,
            "file_days": defaults.file_days,
            "completion_days": defaults.completion_days,
            "agent_days": defaults.agent_days,
        }

    async def get(self, project: str) -> Retention:
        """What counts for a project.

        Raises:
            NotFound: there is no such project.
        """
        row = await self._database.row(_GET, {"project": project})
        if row is None:
            raise _no_project(project)
        return self._shown(row)

    async def revise(self, project: str, change: Callable[[Retention], Retention]) -> Retention:
        """Give a project other rules.

        Args:
            project: the project's id.
            change: from what counts to what is to count.

        Raises:
            NotFound: there is no such project.
        """
        async with self._database.transaction() as connection:
            values = {"project": project}
            await connection.execute("select from projects where id = %(project)s for no key update", values)
            row = await (await connection.execute(cast(LiteralString, _GET), values)).fetchone()
            if row is None:
                raise _no_project(project)
            new = change(self._shown(row))
            told = new.model_dump(exclude={"object", "project_id"})
            purposes = orjson.dumps(new.file_purposes).decode()
            await connection.execute(cast(LiteralString, _SET), {**values, **told, "file_purposes": purposes})
            await connection.execute(_WALK_NOW)
            await record(connection, Act("retention.updated", project, project, told))
        return new

    async def sweep(self) -> None:
        """Delete some of what need no longer be kept, at most 50 objects of each kind. Usage records stay.

        One process at a time goes through everything, step by step with each sweep, and rests for ten minutes then.
        """
        async with self._database.transaction() as connection:
            place = await (await connection.execute(_WALK)).fetchone()
            if place is None:
                return
            project, position = place
            if (project, position) == _START:
                for statement in (_FILES, _COMPLETIONS, AGENTS.format(roots=_AGENTS)):
                    deleted = await connection.execute(cast(LiteralString, statement), self._values)
                    if deleted.rowcount >= _MOST:
                        return
            await self._threads(connection, project, position)

    async def _threads(self, connection: Connection, project: str, position: int) -> None:
        """Look at the next threads; delete those that have rested long enough, each in a transaction of its own."""
        values = {**self._values, "project": project, "position": position}
        wanted = (await connection.execute(_WANTED, values)).rowcount
        threads = await (await connection.execute(cast(LiteralString, _NEXT), values)).fetchall() if wanted else []
        reached, deleted = _START, 0
        for identifier, owner, place, days, rests in threads:
            reached = owner, place
            if rests:
                await self._delete(owner, identifier, days)
                deleted += 1
            if deleted == _MOST:
                break
        more = deleted == _MOST or len(threads) == _LOOK_AT
        project, position = reached if more else _START
        await connection.execute(_WALKED, {"project": project, "position": position, "pause": 0 if more else _PAUSE})

    async def _delete(self, project: str, thread: str, days: int) -> None:
        async with self._database.transaction() as connection:
            # A message or run may have come meanwhile; none can now.
            if await lock(connection, project, thread) != 0:
                return
            row = await (await connection.execute(_RESTS, {"thread": thread, "days": days})).fetchone()
            if row and row[0]:
                await remove(connection, project, Doomed(threads=[thread]))

    def _shown(self, row: tuple[Any, ...]) -> Retention:
        project, own, idle, files, purposes, completions, agents = row
        if not own:
            return self._defaults.model_copy(update={"project_id": project})
        return Retention(
            project_id=project,
            thread_idle_days=idle,
            file_days=files,
            file_purposes=orjson.loads(purposes),
            completion_days=completions,
            agent_days=agents,
        )


def _no_project(project: str) -> NotFound:
    return NotFound(f"No project found with id '{project}'.")
