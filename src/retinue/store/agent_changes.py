"""What becomes of agents by clients, and what follows from that for those above and below them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, LiteralString

import orjson

from ..errors import InvalidRequest, NotFound
from ..wire.agents import OVER, TERMINAL, Agent, AgentCycle, Status
from .conversations import DELETED
from .database import Connection, Row

#: Processes are told by this that an agent has changed: its id.
CHANGED = "agent_changed"
Wish = Literal["pause", "stop"]

#: Messages that an agent may have and has not heard yet.
_MOST_UNHEARD = 100
#: Changes of an agent's status that are kept.
_MOST_PASSED = "200"


def noting(body: LiteralString) -> LiteralString:
    """What an agent becomes, in SQL, with the status among those that it has passed, if that is another."""
    return f"""
        case when ({body}) ->> 'status' = status then {body} else {body} || jsonb_build_object('passed',
            case when jsonb_array_length(body -> 'passed') >= {_MOST_PASSED} then (body -> 'passed') - 0
                else coalesce(body -> 'passed', '[]') end
            || jsonb_build_object(
                'number', coalesce((body #>> '{{passed,-1,number}}')::int, 1) + 1,
                'status', ({body}) -> 'status',
                'after', coalesce((
                    select 2 * cycle.position - (cycle.body ->> 'status' not in ('completed', 'denied'))::int
                    from agent_cycles as cycle where cycle.agent_id = agents.id order by cycle.position desc limit 1
                ), 0))) end
    """  # noqa: S608


LOCK = """
    select project_id, user_id, wish, lease_expires_at > now(), body, lease_owner from agents
    where id = %(id)s for update
"""
_CHANGE = f"""
    update agents set body = {noting("body || %(patch)s::jsonb")}, wish = %(wish)s where id = %(id)s returning body
"""  # noqa: S608
#: What an agent has started ends with it: at once, or as soon as whoever drives it hears of it.
_STOPPED = """
    body || jsonb_build_object(
        'status', 'cancelled', 'required_action', null, 'completed_at', extract(epoch from now())::bigint)
"""
_STOP_STARTED = f"""
    with recursive tree as (
        select id from agents where parent_id = %(id)s
        union all select agents.id from agents join tree on agents.parent_id = tree.id
    ), stopped as (
        update agents set wish = 'stop',
            body = case when lease_expires_at > now() then body else {noting(_STOPPED)} end
        where id in (select id from tree) and status not in ('completed', 'failed', 'cancelled') returning id
    )
    select pg_notify(%(channel)s, id) from stopped
"""  # noqa: S608
SAY = "insert into agent_messages (agent_id, text) select id, %(text)s from agents where id = %(id)s"
_INHERIT = """
    with recursive tree as (
        select id, body, forgotten_cycles, forgotten_seconds from agents where id = %(id)s and parent_id = %(parent)s
        union all select agents.id, agents.body, agents.forgotten_cycles, agents.forgotten_seconds
            from agents join tree on agents.parent_id = tree.id
    ), worked as (
        select coalesce(sum((body ->> 'cycles')::bigint + forgotten_cycles), 0) as cycles,
            coalesce(sum((body ->> 'seconds')::bigint + forgotten_seconds), 0) as seconds
        from tree
    )
    update agents set forgotten_cycles = forgotten_cycles + worked.cycles,
        forgotten_seconds = forgotten_seconds + worked.seconds
    from worked where id = %(parent)s
"""
_UNHEARD = "select count(*) from agent_messages where agent_id = %(id)s"
_FORGET = "delete from agents where id = %(id)s and parent_id is not distinct from %(parent)s"
NOTIFY = f"select pg_notify('{CHANGED}', %(id)s)"


class AgentChange:
    """An agent that a client changes: its row is locked."""

    def __init__(self, connection: Connection, identifier: str, row: Row) -> None:
        self._connection = connection
        self._id = identifier
        #: The person for whom it works; "" where it was no person who began it.
        self.user: str = row[1]
        self.wish: Wish | None = row[2]
        #: Whether somebody drives it now.
        self.driven: bool = bool(row[3])
        self.agent = Agent.model_validate_json(row[4])
        #: Who drives it, or did until they died; None: nobody.
        self.owner: str | None = row[5]

    async def keep(self, patch: Mapping[str, Any], wish: Wish | None = None) -> Agent:
        """Replace top-level fields, and leave a wish to whoever drives it; returns the agent as it is then.

        What it has started ends with it.
        """
        values = {"id": self._id, "patch": orjson.dumps(dict(patch)).decode(), "wish": wish}
        row = await (await self._connection.execute(_CHANGE, values)).fetchone()
        assert row is not None  # noqa: S101 (the row is locked)
        before, self.agent, self.wish = self.agent.status, Agent.model_validate_json(row[0]), wish
        await follow(self._connection, before, self.agent)
        if wish == "stop":
            await _stop_started(self._connection, self._id)
        return self.agent

    async def put_cycle(self, cycle: AgentCycle) -> None:
        """Replace a cycle."""
        sql = "update agent_cycles set body = %(body)s::jsonb where id = %(id)s and agent_id = %(agent)s"
        await self._connection.execute(sql, {"id": cycle.id, "agent": self._id, "body": cycle.model_dump_json()})

    async def cycle(self, identifier: str) -> AgentCycle:
        """A cycle of it. Raises `NotFound`."""
        sql = "select body from agent_cycles where id = %(id)s and agent_id = %(agent)s"
        row = await (await self._connection.execute(sql, {"id": identifier, "agent": self._id})).fetchone()
        if row is None:
            raise NotFound(f"No cycle found with id '{identifier}'.")
        return AgentCycle.model_validate_json(row[0])

    async def say(self, text: str) -> None:
        """Tell it something that it hears before its next step.

        Raises:
            InvalidRequest: it was told too much that it has not heard yet.
        """
        row = await (await self._connection.execute(_UNHEARD, {"id": self._id})).fetchone()
        if row and row[0] >= _MOST_UNHEARD:
            raise InvalidRequest(f"The agent has {row[0]} messages that it has not heard yet. Wait until it has.")
        await self._connection.execute(SAY, {"id": self._id, "text": text})

    async def release(self) -> None:
        """Nobody drives it any more."""
        sql = "update agents set lease_owner = null, lease_expires_at = null where id = %(id)s"
        await self._connection.execute(sql, {"id": self._id})

    async def delete(self) -> None:
        """Delete it."""
        if self.agent.status not in OVER:
            await _tell_parent(self._connection, self.agent, "deleted")
        await forget(self._connection, self._id, self.agent.parent_id)

    async def forget_session(self, project: str) -> None:
        """Where code of its workspace runs, the session ends: it has gone."""
        sql = "select pg_notify(%(channel)s, %(gone)s)"
        await self._connection.execute(sql, {"channel": DELETED, "gone": f"{project} {self._id}"})


async def follow(connection: Connection, before: Status, agent: Agent) -> None:
    """Where an agent's new status ends it, what it has started ends, and the one that has started it is told."""
    if agent.status in TERMINAL:
        await _stop_started(connection, agent.id)
    if agent.status in OVER and agent.status != before:
        why = agent.last_error.message if agent.last_error else (agent.incomplete_details or {}).get("reason")
        done = agent.result if agent.status == "completed" else None
        await _tell_parent(connection, agent, done or (f"{agent.status}: {why}" if why else agent.status))


async def forget(connection: Connection, identifier: str, parent: str | None) -> None:
    """Delete an agent with all that it has started; what they have worked still counts for the one that has started it.

    Args:
        connection: a transaction.
        identifier: the agent's.
        parent: who has started it; one that somebody else has started is left alone.
    """
    values = {"id": identifier, "parent": parent}
    await connection.execute(_INHERIT, values)
    await connection.execute(_FORGET, values)


async def _tell_parent(connection: Connection, agent: Agent, text: str) -> None:
    if agent.parent_id:
        told = f'Your agent {agent.name} (key "{agent.id}") has ended: {text[:2000]}'
        await connection.execute(SAY, {"id": agent.parent_id, "text": told})
        await connection.execute(NOTIFY, {"id": agent.parent_id})


async def _stop_started(connection: Connection, identifier: str) -> None:
    await connection.execute(_STOP_STARTED, {"id": identifier, "channel": CHANGED})
