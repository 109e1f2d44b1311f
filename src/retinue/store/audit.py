"""The audit log: who did what to the organization and its projects.

An entry is written in the transaction of the act, so that there is none without the other. Whoever has a connection in
a transaction calls `record`; where the act is one statement, `perform` is shorter. Neither is told who acts: what lets
a request in says so once with `acting`, for all that is done in its context.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, LiteralString, cast

import orjson

from ..errors import InvalidRequest
from ..wire.audit import EXTENSIONS, TYPES, AuditLog, shown_type
from .database import Connection, Database, Row
from .ids import new_id

#: Most characters of what a client says of itself.
_LONGEST_AGENT = 512

#: What a service account did with a key is known to be its doing after the key is gone.
_RECORD = """
    insert into audit_log (id, type, act, project_id, resource_id, key_id, service_account_id, user_id, user_email,
        ip_address, user_agent, details)
    values (%(id)s, %(type)s, %(act)s, %(project)s, %(resource)s, %(key)s,
        (select service_account_id from api_keys where api_keys.id = %(key)s),
        %(user)s, coalesce(%(email)s, (select email from people where people.id = %(user)s)),
        %(address)s, %(agent)s, %(details)s::jsonb)
"""

_ENTRY = """
    id, type, act, effective_at, project_id, (select name from projects where projects.id = project_id), resource_id,
    key_id, service_account_id, user_id, user_email, ip_address, user_agent, details
"""

_POSITION = "select position from audit_log where id = %(id)s"

_FORGET = """
    delete from audit_log where id in (
        select id from audit_log
        where effective_at < extract(epoch from now()) - %(days)s * 86400 order by effective_at limit %(limit)s
    )
"""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: an API key, or else a person."""

    #: The id of an API key.
    key: str | None = None
    #: The id of a person, or what stands in for one: `command_line:` and the account's name, or `server`.
    user: str | None = None
    email: str | None = None
    #: Where the request came from, and what sent it.
    address: str | None = None
    agent: str | None = None


#: In SQL, whose doing something is: a person's, or that of the service account of a key, since what was made with a key
#: stays its own when the key is exchanged. Null: the server's. `principal` has its parameters.
PRINCIPAL: LiteralString = """
    coalesce(%(by_user)s::text, (select service_account_id from api_keys where api_keys.id = %(by_key)s), %(by_key)s)
"""


@dataclass(frozen=True, slots=True)
class Act:
    """What was done.

    Attributes:
        type: one of `wire.audit.TYPES`.
        resource: id of what was made, changed or ended.
        project: the project that it belongs to; None: the organization.
        details: more of it, in the official shape where the type is official. Never a secret.
        by: the id of the person who does it, where the request says nothing of who that is: they are signing in.
    """

    type: str
    resource: str
    project: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    by: str | None = None


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which entries: each condition that is set must hold. Times are Unix seconds."""

    limit: int = 20
    after: str | None = None
    before: str | None = None
    gt: int | None = None
    gte: int | None = None
    lt: int | None = None
    lte: int | None = None
    projects: Sequence[str] = ()
    types: Sequence[str] = ()
    #: Of API keys, service accounts or people.
    actors: Sequence[str] = ()
    emails: Sequence[str] = ()
    resources: Sequence[str] = ()


#: None where the server does something by itself.
_actor: ContextVar[Actor | None] = ContextVar("actor", default=None)
_SERVER = Actor(user="server")


def acting(actor: Actor) -> None:
    """Say who acts, from now on in this context: a request, or a command."""
    _actor.set(actor)


def actor() -> Actor | None:
    """Who acts in this context; None: the server, by itself."""
    return _actor.get()


def principal() -> Mapping[str, str | None]:
    """The parameters of `PRINCIPAL`: whoever acts in this context."""
    by = actor()
    return {"by_user": by.user if by else None, "by_key": by.key if by else None}


async def record(connection: Connection, act: Act) -> None:
    """Write an entry, in the transaction of the act.

    Args:
        connection: in the transaction.
        act: what is done in it.

    Raises:
        ValueError: there is no such type of act.
    """
    if act.type not in TYPES:
        raise ValueError(f"{act.type} is no type of the audit log")
    by = actor() or _SERVER
    values = {
        "id": new_id("audit_log-"),
        "type": shown_type(act.type, act.project),
        "act": act.type if act.type in EXTENSIONS else None,
        "project": act.project,
        "resource": act.resource,
        "key": by.key,
        "user": by.user or (act.by if by.key is None else None),
        "email": by.email,
        "address": by.address,
        "agent": (by.agent or "")[:_LONGEST_AGENT].replace("\x00", "") or None,
        "details": orjson.dumps(act.details).decode(),
    }
    await connection.execute(_RECORD, values)


async def perform(
    database: Database, sql: str, values: Mapping[str, Any], act: Callable[[Row], Act | None]
) -> Row | None:
    """Run a statement that is an act, and write its entry, in one transaction.

    Args:
        database: where.
        sql: the statement.
        values: its parameters.
        act: from the statement's first row to what was done; None: nothing that counts.

    Returns:
        The row. None if there is none: then nothing was done, and nothing is written.
    """
    async with database.transaction() as connection:
        row = await (await connection.execute(cast(LiteralString, sql), values)).fetchone()
        if row is not None and (done := act(row)):
            await record(connection, done)
    return row


class Audit:
    """The log, to be read; and to be forgotten, once it is old."""

    def __init__(self, database: Database, *, keep_days: float) -> None:
        """`keep_days`: days after which entries are deleted."""
        self._database = database
        self._keep_days = keep_days

    async def page(self, query: AuditQuery) -> tuple[list[AuditLog], bool]:
        """The entries that fit, newest first, and whether there are more in the direction of travel.

        Raises:
            InvalidRequest: a cursor names no entry.
        """
        wanted = {
            "effective_at > %(gt)s": query.gt is not None,
            "effective_at >= %(gte)s": query.gte is not None,
            "effective_at < %(lt)s": query.lt is not None,
            "effective_at <= %(lte)s": query.lte is not None,
            "project_id = any(%(projects)s)": query.projects,
            "(type = any(%(types)s) or act = any(%(types)s))": query.types,
            "(key_id = any(%(actors)s) or service_account_id = any(%(actors)s) or user_id = any(%(actors)s))": (
                query.actors
            ),
            "user_email = any(%(emails)s)": query.emails,
            "resource_id = any(%(resources)s)": query.resources,
            "position < %(after)s": query.after,
            "position > %(before)s": query.before,
        }
        values: dict[str, Any] = {
            **{name: getattr(query, name) for name in ("gt", "gte", "lt", "lte")},
            **{name: list(getattr(query, name)) for name in ("projects", "types", "actors", "emails", "resources")},
            "after": await self._cursor("after", query.after),
            "before": await self._cursor("before", query.before),
            "limit": query.limit + 1,
        }
        # With `before` alone, the page ends next to that entry.
        backwards = bool(query.before) and not query.after
        where = " and ".join(["true", *(condition for condition, needed in wanted.items() if needed)])
        order = "asc" if backwards else "desc"
        sql = f"select {_ENTRY} from audit_log where {where} order by position {order} limit %(limit)s"  # noqa: S608
        rows = await self._database.rows(sql, values)
        entries = [_entry(row) for row in rows[: query.limit]]
        return entries[::-1] if backwards else entries, len(rows) > query.limit

    @asynccontextmanager
    async def noting(self, act: Act) -> AsyncGenerator[None]:
        """Write an entry with what the block does outside of the database, unless the block fails."""
        async with self._database.transaction() as connection:
            await record(connection, act)
            yield

    async def sweep(self, limit: int = 1000) -> None:
        """Delete entries that need no longer be kept."""
        async with self._database.transaction() as connection:
            await connection.execute("set local retinue.forget_audit_log = 'on'")
            await connection.execute(_FORGET, {"days": self._keep_days, "limit": limit})

    async def _cursor(self, name: str, identifier: str | None) -> int | None:
        if identifier is None:
            return None
        row = await self._database.row(_POSITION, {"id": identifier})
        if row is None:
            raise InvalidRequest(f"Invalid '{name}': no audit log entry found with id '{identifier}'.", param=name)
        return int(row[0])


def _entry(row: Row) -> AuditLog:
    identifier, kind, act, at, project, project_name, resource, *actor, details = row
    return AuditLog.of(
        identifier, kind, act, at, (project, project_name) if project else None, resource, actor, orjson.loads(details)
    )
