"""Agents as rows: their leases, and the commits of whoever drives one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from ..errors import InvalidRequest
from ..wire.agents import TERMINAL, Agent, AgentCycle, Passed, Status
from ..wire.common import Deleted, ObjectList
from .agent_changes import LOCK, NOTIFY, SAY, AgentChange, Wish, follow, forget, noting
from .database import Connection, Database, Row
from .halfvectors import takes_vectors, unit_vectors
from .objects import PageQuery
from .storage import Storage
from .workspaces import FileChanges, Workspaces

if TYPE_CHECKING:  # numpy takes 20 MiB: the first vectors load it
    import numpy as np
    from numpy.typing import NDArray

_LEASE_END = "now() + %(lease)s * interval '1 second'"
_ADD = """
    insert into agents (id, project_id, parent_id, root_id, key_id, user_id, body)
    values (%(id)s, %(project)s, %(parent)s,
        coalesce((select root_id from agents where id = %(parent)s), %(id)s), %(key)s, %(user)s, %(body)s::jsonb)
"""
_BEGUN = """
    body || jsonb_build_object('status', 'in_progress', 'started_at', coalesce(
        nullif(body -> 'started_at', 'null'), to_jsonb(extract(epoch from now())::bigint)))
"""
_CLAIM = f"""
    update agents set lease_owner = %(owner)s, lease_expires_at = {_LEASE_END}, rests_until = null,
        body = {noting(_BEGUN)}
    where id in (
        select id from agents
        where status in ('queued', 'in_progress') and (lease_expires_at is null or lease_expires_at < now())
            and (rests_until is null or rests_until < now()
                or exists (select from agent_messages where agent_id = agents.id)
                or not exists (
                    select from agents as child
                    where child.parent_id = agents.id
                        and child.status not in ('completed', 'incomplete', 'failed', 'cancelled')
                ))
        order by position limit 1 for update skip locked
    )
    returning id, project_id, root_id, key_id, user_id, wish, body
"""  # noqa: S608
_HELD = """
    select id, project_id, root_id, key_id, user_id, wish, body from agents
    where id = %(id)s and project_id = %(project)s
"""
_RENEW = f"""
    update agents set lease_expires_at = {_LEASE_END} where lease_owner = %(owner)s and id = %(id)s returning wish
"""  # noqa: S608
_RELEASE = "update agents set lease_owner = null, lease_expires_at = null where lease_owner = %(owner)s"
#: Agents of one workspace are changed one at a time, so that locks of parents and children never cross.
_ALONE = "select pg_advisory_xact_lock(hashtextextended(root_id, 0)) from agents where id = %(id)s"
_LOCK_OWN = """
    select project_id, root_id, wish, status from agents where id = %(id)s and lease_owner = %(owner)s for update
"""
_PATCH = f"""
    update agents set body = {noting("body || %(patch)s::jsonb")}, wish = %(wish)s,
        lease_owner = case when %(keep)s then lease_owner end,
        lease_expires_at = case when %(keep)s then {_LEASE_END} end,
        rests_until = now() + nullif(%(rest)s, 0) * interval '1 second'
    where id = %(id)s returning body
"""  # noqa: S608
#: What a sub-agent takes, its parents take.
_SPEND = """
    with recursive line as (
        select id, parent_id from agents where id = %(id)s
        union all select agents.id, agents.parent_id from agents join line on agents.id = line.parent_id
    )
    update agents set body = body || jsonb_build_object(
        'usage', jsonb_build_object(
            'prompt_tokens', (body #>> '{usage,prompt_tokens}')::bigint + %(prompt)s,
            'completion_tokens', (body #>> '{usage,completion_tokens}')::bigint + %(completion)s,
            'total_tokens', (body #>> '{usage,total_tokens}')::bigint + %(prompt)s + %(completion)s),
        'cost', jsonb_build_object(
            'value', (body #>> '{cost,value}')::numeric + %(nano)s::numeric / 1000000000, 'currency', 'usd'))
    where id in (select id from line)
"""
_PUT_CYCLE = """
    insert into agent_cycles (id, project_id, agent_id, position, heard, body)
    values (%(cycle)s, %(project)s, %(id)s, %(number)s, %(heard)s, %(body)s::jsonb)
    on conflict (id) do update set body = excluded.body
"""
_REMEMBER = "update agent_cycles set embedding = %(vector)s where id = %(cycle)s"
_HEAR = "delete from agent_messages where agent_id = %(id)s and position <= %(upto)s"
_WAITING = "select position, text from agent_messages where agent_id = %(id)s order by position limit 50"
_LAST = """
    select heard, body from agent_cycles where agent_id = %(id)s order by position desc limit %(limit)s
"""
_SIMILAR = """
    select other.body from agent_cycles as one
    join agent_cycles as other on other.agent_id = one.agent_id and other.position < %(before)s
        and vector_dims(other.embedding) = vector_dims(one.embedding)
    where one.id = %(cycle)s order by other.embedding <#> one.embedding limit %(limit)s
"""
#: Texts are cut: they may be long, and many.
_IN_SHORT = """
    select body || jsonb_build_object(
        'thoughts', jsonb_build_object(),
        'command', jsonb_build_object('name', body #> '{command,name}', 'args', (
            select coalesce(jsonb_object_agg(key, left(value, 200)), '{}')
            from jsonb_each_text(body #> '{command,args}')
        )),
        'result', case jsonb_typeof(body -> 'result') when 'object'
            then body -> 'result' || jsonb_build_object('text', left(body #>> '{result,text}', 200)) end
    )
    from agent_cycles where agent_id = %(id)s and position < %(before)s order by position desc limit %(limit)s
"""
_COUNTED = """
    select body #>> '{command,name}', count(*) from agent_cycles
    where agent_id = %(id)s and position < %(before)s group by 1
"""
#: What an agent and all that it has started have worked, also those that are gone.
_WORKED = """
    with recursive tree as (
        select id, body, forgotten_cycles, forgotten_seconds from agents where id = %(id)s
        union all select agents.id, agents.body, agents.forgotten_cycles, agents.forgotten_seconds
            from agents join tree on agents.parent_id = tree.id
    )
    select sum((body ->> 'cycles')::bigint + forgotten_cycles), sum((body ->> 'seconds')::bigint + forgotten_seconds)
    from tree
"""
#: Whether those for whom an agent works are still there: its project, and the key or the person that began it.
_WANTED = """
    select not exists (select from projects where id = %(project)s and archived_at is not null)
        and (%(key)s = '' or exists (select from api_keys where id = %(key)s and revoked_at is null))
        and (%(user)s = '' or exists (
            select from people left join members on person_id = people.id and project_id = %(project)s
            where people.id = %(user)s and (people.role = 'owner' or members.role is not null)
        ))
"""
_UNREMEMBERED = """
    select body from agent_cycles
    where agent_id = %(id)s and embedding is null and body ->> 'status' in ('completed', 'denied')
    order by position desc limit %(limit)s
"""


class AgentLost(Exception):
    """Somebody else drives the agent now, or it is gone."""


@dataclass(frozen=True, slots=True)
class Held:
    """An agent, as whoever drives it holds it."""

    agent: Agent
    project: str
    #: The agent whose workspace it works in.
    root: str
    #: Who asked for it.
    key: str
    user: str
    wish: Wish | None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a commit puts on the agent's account, and on those of its parents."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    #: Billionths of a dollar.
    nano: int = 0


@dataclass(frozen=True, slots=True)
class AgentCommit:
    """What a driver has learned: all of it is kept, or nothing."""

    #: Top-level fields of the agent.
    patch: Mapping[str, Any]
    cycle: AgentCycle | None = None
    heard: Sequence[str] = ()
    #: The last message that was heard.
    heard_up_to: int = 0
    files: FileChanges = field(default_factory=FileChanges)
    spent: Spent = Spent()
    #: Agents that it starts.
    children: Sequence[Agent] = ()
    #: What other agents are told, by their ids.
    told: Sequence[tuple[str, str]] = ()
    #: Ids of agents that it has started and that are to be forgotten.
    stopped: Sequence[str] = ()
    #: Whether it is driven on.
    keep_lease: bool = True
    #: Seconds for which nobody drives it, unless it is told something.
    rest: float = 0


class Agents(Workspaces):
    """The agents of projects."""

    def __init__(self, database: Database, storage: Storage, *, lease: float, most_files: int, most_bytes: int) -> None:
        """Describe them.

        Args:
            database: where they are.
            storage: what projects may store.
            lease: seconds for which a driver holds an agent.
            most_files: files in a workspace.
            most_bytes: bytes in a workspace, all files together.
        """
        super().__init__(database, storage, most_files=most_files, most_bytes=most_bytes)
        self._lease = lease

    # --- what clients do

    async def add(self, project: str, agent: Agent, files: Mapping[str, bytes], *, key: str, user: str) -> None:
        """Keep a new agent with the files that its workspace begins with. Raises `InvalidRequest` if they are many."""
        async with self._database.transaction() as connection:
            await _insert(connection, project, agent, key, user)
            await self._change_files(connection, project, agent.id, FileChanges(files))

    @asynccontextmanager
    async def changing(self, project: str, identifier: str) -> AsyncGenerator[AgentChange]:
        """Change an agent, alone, and tell whoever drives or watches it. Raises `NotFound`."""
        async with self._database.transaction() as connection:
            await connection.execute(_ALONE, {"id": identifier})
            row = await (await connection.execute(LOCK, {"id": identifier})).fetchone()
            if row is None or row[0] != project:
                raise self.not_found(identifier)
            yield AgentChange(connection, identifier, row)
            await connection.execute(NOTIFY, {"id": identifier})

    async def remove(self, project: str, identifier: str) -> Deleted:
        """Delete an agent that nobody drives, with all that it has. Raises `NotFound`, `InvalidRequest`."""
        async with self.changing(project, identifier) as change:
            if change.agent.status not in TERMINAL and change.driven:
                raise InvalidRequest("The agent is at work. Stop it first.", code="agent_active")
            await change.delete()
            await change.forget_session(project)
        return Deleted(id=identifier, object="agent.deleted")

    async def of_status(self, project: str, query: PageQuery, status: Status | None) -> ObjectList[Agent]:
        """A page of the agents with a status; None: of all."""
        if status is None:
            return await self.page(project, query)
        return await self.page(project, query, where="status = %(status)s", status=status)

    async def held(self, project: str, identifier: str) -> Held:
        """An agent, as whoever drives it would hold it. Raises `NotFound`."""
        row = await self._database.row(_HELD, {"project": project, "id": identifier})
        if row is None:
            raise self.not_found(identifier)
        return _held(row)

    async def children(self, project: str, identifier: str) -> list[Agent]:
        """The agents that an agent has started, oldest first."""
        sql = (
            "select body from agents where project_id = %(project)s and parent_id = %(id)s order by position limit 100"
        )
        rows = await self._database.rows(sql, {"project": project, "id": identifier})
        return [Agent.model_validate_json(row[0]) for row in rows]

    # --- what drivers do

    async def claim(self, owner: str) -> Held | None:
        """Take the agent that has waited longest, of those that nobody drives."""
        row = await self._database.row(_CLAIM, {"owner": owner, "lease": self._lease})
        return _held(row) if row else None

    async def renew(self, owner: str, ids: Sequence[str]) -> dict[str, Wish | None]:
        """Hold agents on; those that are still this driver's, and what clients wish of them."""
        wishes: dict[str, Wish | None] = {}
        for identifier in ids:
            values = {"owner": owner, "id": identifier, "lease": self._lease}
            if row := await self._database.row(_RENEW, values):
                wishes[identifier] = row[0]
        return wishes

    async def release(self, owner: str) -> None:
        """Let go of all agents, so that others go on at once."""
        await self._database.execute(_RELEASE, {"owner": owner})

    async def commit(self, held: Held, owner: str, commit: AgentCommit) -> Held:
        """Keep what a driver has learned, all or nothing; returns the agent as it is then, with clients' changes.

        Raises:
            AgentLost: somebody else drives it, or it is gone.
            InvalidRequest: the workspace would be too large.
        """
        identifier = held.agent.id
        async with self._database.transaction() as connection:
            await connection.execute(_ALONE, {"id": identifier})
            row = await (await connection.execute(_LOCK_OWN, {"id": identifier, "owner": owner})).fetchone()
            if row is None:
                raise AgentLost
            # Who drives it has to hear what clients have wished meanwhile, until its status follows.
            status = commit.patch.get("status")
            wish: Wish | None = None if status in TERMINAL or (status, row[2]) == ("paused", "pause") else row[2]
            keep = commit.keep_lease or wish is not None
            values: dict[str, Any] = {"id": identifier, "project": held.project, "keep": keep}
            if commit.cycle:
                cycle = {
                    "cycle": commit.cycle.id,
                    "number": commit.cycle.number,
                    "heard": list(commit.heard),
                    "body": commit.cycle.model_dump_json(),
                }
                await connection.execute(_PUT_CYCLE, {**values, **cycle})
            if commit.heard_up_to:
                await connection.execute(_HEAR, {**values, "upto": commit.heard_up_to})
            await self._change_files(connection, held.project, held.root, commit.files, identifier)
            for child in commit.children:
                await _insert(connection, held.project, child, held.key, held.user)
            for child in commit.stopped:
                await forget(connection, child, identifier)
            for other, text in commit.told:
                await connection.execute(SAY, {"id": other, "text": text})
            spent = commit.spent
            tokens = {"prompt": spent.prompt_tokens, "completion": spent.completion_tokens, "nano": spent.nano}
            if any(tokens.values()):
                await connection.execute(_SPEND, {"id": identifier, **tokens})
            # At last: an event that follows from the new status tells of all that it took.
            patch = {
                "patch": orjson.dumps(dict(commit.patch)).decode(),
                "lease": self._lease,
                "wish": wish,
                "rest": 0 if keep else commit.rest,
            }
            body = await (await connection.execute(_PATCH, {**values, **patch})).fetchone()
            assert body is not None  # noqa: S101 (the row is locked)
            agent = Agent.model_validate_json(body[0])
            await follow(connection, row[3], agent)
            for changed in (identifier, *(child.id for child in commit.children), *(other for other, _ in commit.told)):
                await connection.execute(NOTIFY, {"id": changed})
        return Held(agent, held.project, held.root, held.key, held.user, wish)

    async def last_cycles(self, identifier: str, limit: int) -> list[tuple[list[str], AgentCycle]]:
        """What an agent heard and did last, oldest first."""
        rows = await self._database.rows(_LAST, {"id": identifier, "limit": limit})
        return [(row[0], AgentCycle.model_validate_json(row[1])) for row in reversed(rows)]

    async def messages(self, identifier: str) -> list[tuple[int, str]]:
        """What an agent has not heard yet, with positions."""
        return [(row[0], row[1]) for row in await self._database.rows(_WAITING, {"id": identifier})]

    async def remember(self, cycle: str, vector: NDArray[np.float32]) -> None:
        """Keep the vector of a cycle, by which it is found again."""
        async with self._database.connection() as connection:
            await takes_vectors(connection)
            await connection.execute(_REMEMBER, {"cycle": cycle, "vector": unit_vectors(vector.reshape(1, -1))[0]})

    async def wanted(self, held: Held) -> bool:
        """Whether an agent may still work for its project, and for the key or the person that began it."""
        row = await self._database.row(_WANTED, {"project": held.project, "key": held.key, "user": held.user})
        return bool(row and row[0])

    async def unremembered(self, identifier: str, limit: int) -> list[AgentCycle]:
        """The newest cycles that are over and have no vector."""
        rows = await self._database.rows(_UNREMEMBERED, {"id": identifier, "limit": limit})
        return [AgentCycle.model_validate_json(row[0]) for row in rows]

    async def in_short(self, identifier: str, *, before: int, limit: int) -> list[AgentCycle]:
        """The newest cycles of an agent before one of this number, oldest first, with the beginnings of their texts."""
        rows = await self._database.rows(_IN_SHORT, {"id": identifier, "before": before, "limit": limit})
        return [AgentCycle.model_validate_json(row[0]) for row in reversed(rows)]

    async def counted(self, identifier: str, *, before: int) -> dict[str, int]:
        """How often an agent has named which command before its cycle of this number."""
        rows = await self._database.rows(_COUNTED, {"id": identifier, "before": before})
        return {row[0]: row[1] for row in rows}

    async def similar(self, cycle: str, *, before: int, limit: int) -> list[AgentCycle]:
        """What an agent did that is most like a cycle, most similar first, of those before one of this number."""
        rows = await self._database.rows(_SIMILAR, {"cycle": cycle, "before": before, "limit": limit})
        return [AgentCycle.model_validate_json(row[0]) for row in rows]

    async def worked(self, identifier: str) -> tuple[int, int]:
        """Cycles and seconds of an agent and of all that it has started, also where those are gone."""
        row = await self._database.row(_WORKED, {"id": identifier})
        return (int(row[0] or 0), int(row[1] or 0)) if row else (0, 0)


async def _insert(connection: Connection, project: str, agent: Agent, key: str, user: str) -> None:
    values = {"id": agent.id, "project": project, "parent": agent.parent_id, "key": key, "user": user}
    begun = agent.model_copy(update={"passed": [Passed(number=1, status=agent.status, after=0)]})
    await connection.execute(_ADD, {**values, "body": begun.model_dump_json()})


def _held(row: Row) -> Held:
    _, project, root, key, user, wish, body = row
    return Held(Agent.model_validate_json(body), project, root, key, user, wish)
