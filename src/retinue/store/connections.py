"""Connections, what people have allowed them, and where people have signed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ..errors import InvalidRequest
from ..wire.connections import Connection
from .database import Database
from .objects import Objects

_ADD = """
    insert into connections (id, project_id, document, secrets, body)
    select %(id)s, %(project)s, %(document)s, %(secrets)s, %(body)s::jsonb
    where (select count(*) from connections where project_id = %(project)s) < %(most)s
    returning id
"""
_REPLACE = """
    update connections set body = %(body)s::jsonb, document = %(document)s, secrets = %(secrets)s,
        tools = null, tools_at = null
    where id = %(id)s and project_id = %(project)s returning id
"""
_OPENED = """
    select body, document, secrets, tools, extract(epoch from now() - tools_at)::float8 from connections
    where id = %(id)s and project_id = %(project)s
"""
_KEEP_TOOLS = "update connections set tools = %(tools)s::jsonb, tools_at = now() where id = %(id)s"
_ALLOW = """
    insert into consents (project_id, key, person) values (%(project)s, %(key)s, %(person)s) on conflict do nothing
"""
_ALLOWED = """
    select key from consents where project_id = %(project)s and key = any(%(keys)s) and person = %(person)s
"""
_FORGET_CONSENTS = """
    delete from consents using connections
    where connections.id = %(id)s and connections.project_id = %(project)s
        and consents.project_id = %(project)s and starts_with(consents.key, %(id)s || '.')
"""
_GRANT = """
    insert into grants (connection_id, person, tokens, expires_at)
    select id, %(person)s, %(tokens)s, now() + %(expires_in)s * interval '1 second' from connections
    where id = %(id)s and project_id = %(project)s
    on conflict (connection_id, person) do update set tokens = excluded.tokens, expires_at = excluded.expires_at
"""
_GRANTED = """
    select grants.tokens, extract(epoch from expires_at)::float8 from grants
    join connections on connections.id = connection_id
    where connection_id = %(id)s and person = %(person)s and project_id = %(project)s
"""
_REVOKE = """
    delete from grants using connections where connections.id = connection_id and connection_id = %(id)s
        and person = %(person)s and project_id = %(project)s
"""
_REVOKE_ALL = """
    delete from grants using connections where connections.id = connection_id and connection_id = %(id)s
        and project_id = %(project)s
"""
_BEGIN_SIGN_IN = """
    with old as (delete from sign_ins where created_at < now() - %(keep)s * interval '1 second')
    insert into sign_ins (state_hash, connection_id, person, verifier)
    select %(state)s, id, %(person)s, %(verifier)s from connections where id = %(id)s and project_id = %(project)s
    returning connection_id
"""
_END_SIGN_IN = """
    delete from sign_ins using connections
    where state_hash = %(state)s and connections.id = connection_id
        and (sign_ins.person = %(person)s or %(person)s::text is null and not starts_with(sign_ins.person, 'user:'))
        and sign_ins.created_at > now() - %(keep)s * interval '1 second'
    returning project_id, connection_id, person, verifier
"""


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection with what is not shown of it."""

    connection: Connection
    #: The OpenAPI document as it came; None for MCP servers.
    document: str | None
    #: Encrypted; None if there are none.
    secrets: bytes | None
    #: What an MCP server said of its tools, as JSON; None if it was not asked.
    tools: bytes | None
    #: Seconds since then.
    tools_age: float


@dataclass(frozen=True, slots=True)
class Grant:
    """That a person has signed in."""

    #: Encrypted.
    tokens: bytes
    #: Seconds since 1970; None: never.
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class StartedSignIn:
    """A sign-in that somebody comes back from."""

    project: str
    connection: str
    person: str
    #: Encrypted: PKCE's secret.
    verifier: bytes


class Connections(Objects[Connection]):
    """The connections of a project."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "connections", Connection, "connection", audited="connection")

    async def add(
        self, project: str, connection: Connection, document: str | None, secrets: bytes | None, most: int
    ) -> None:
        """Keep a new connection.

        Args:
            project: the caller's project.
            connection: the connection.
            document: its OpenAPI document.
            secrets: what it authenticates with, encrypted.
            most: how many connections a project may have.

        Raises:
            InvalidRequest: the project has that many.
        """
        values = {**_columns(project, connection, document, secrets), "most": most}
        details = {"name": connection.name, "kind": connection.type}
        if await self._change(_ADD, values, "created", details) is None:
            raise InvalidRequest(f"The project has {most} connections, and may have no more. Delete one first.")

    async def replace(self, project: str, connection: Connection, document: str | None, secrets: bytes | None) -> None:
        """Write a connection anew; what was known of its tools is forgotten.

        Raises:
            NotFound: the project has no such connection.
        """
        values = _columns(project, connection, document, secrets)
        if await self._change(_REPLACE, values, "updated", {"name": connection.name}) is None:
            raise self.not_found(connection.id)

    async def open(self, project: str, identifier: str) -> Opened:
        """A connection with its document and secrets.

        Raises:
            NotFound: the project has no such connection.
        """
        row = await self._database.row(_OPENED, {"project": project, "id": identifier})
        if row is None:
            raise self.not_found(identifier)
        body, document, secrets, tools, age = row
        return Opened(Connection.model_validate_json(body), document, secrets, tools, age or 0.0)

    async def keep_tools(self, identifier: str, tools: Any) -> None:
        """Remember what an MCP server said of its tools."""
        await self._database.execute(_KEEP_TOOLS, {"id": identifier, "tools": orjson.dumps(tools).decode()})

    # --- consent

    async def allow(self, project: str, key: str, person: str) -> None:
        """Remember that this person need not be asked again for calls of this key; "" is the whole project."""
        await self._database.execute(_ALLOW, {"project": project, "key": key, "person": person})

    async def allowed(self, project: str, keys: Sequence[str], person: str) -> set[str]:
        """For which of these keys this person, or the project, need not be asked."""
        values = {"project": project, "keys": list(keys), "person": person}
        rows = await self._database.rows(_ALLOWED, values) if keys else []
        return {str(row[0]) for row in rows}

    async def forget_consents(self, project: str, identifier: str) -> None:
        """Ask again for all that a connection was allowed for ever.

        Raises:
            NotFound: the project has no such connection.
        """
        await self.get(project, identifier)
        await self._database.execute(_FORGET_CONSENTS, {"project": project, "id": identifier})

    # --- sign-in

    async def grant(self, project: str, identifier: str, person: str, tokens: bytes, expires_in: float | None) -> None:
        """Keep the tokens, encrypted, of a person who has signed in; `expires_in`: seconds, None for ever."""
        values = {"project": project, "id": identifier, "person": person, "tokens": tokens, "expires_in": expires_in}
        await self._database.execute(_GRANT, values)

    async def granted(self, project: str, identifier: str, person: str) -> Grant | None:
        """The tokens of a person; None who has not signed in."""
        row = await self._database.row(_GRANTED, {"project": project, "id": identifier, "person": person})
        return Grant(*row) if row else None

    async def revoke(self, project: str, identifier: str, person: str) -> bool:
        """Forget the tokens of a person; says whether there were some."""
        values = {"project": project, "id": identifier, "person": person}
        return await self._database.execute(_REVOKE, values) > 0

    async def revoke_all(self, project: str, identifier: str) -> None:
        """Forget the tokens of everybody."""
        await self._database.execute(_REVOKE_ALL, {"project": project, "id": identifier})

    async def begin_sign_in(
        self, project: str, identifier: str, person: str, state: bytes, verifier: bytes, keep: float
    ) -> None:
        """Note that a person goes to sign in.

        Args:
            project: the caller's project.
            identifier: the connection's id.
            person: who.
            state: the hash of what the person comes back with.
            verifier: PKCE's secret, encrypted.
            keep: seconds after which it is too late.

        Raises:
            NotFound: the project has no such connection.
        """
        values = {"project": project, "id": identifier, "person": person, "state": state, "verifier": verifier}
        if await self._database.row(_BEGIN_SIGN_IN, {**values, "keep": keep}) is None:
            raise self.not_found(identifier)

    async def end_sign_in(self, state: bytes, person: str | None, keep: float) -> StartedSignIn | None:
        """Who comes back with this state, once; None if nobody went, or too long ago.

        Args:
            state: its hash.
            person: who is signed in in the browser that comes back: nobody else's sign-in is taken; None: nobody, so
                that only those are taken that API keys have begun.
            keep: seconds after which it is too late.
        """
        row = await self._database.row(_END_SIGN_IN, {"state": state, "person": person, "keep": keep})
        return StartedSignIn(*row) if row else None


def _columns(project: str, connection: Connection, document: str | None, secrets: bytes | None) -> dict[str, Any]:
    return {
        "id": connection.id,
        "project": project,
        "document": document,
        "secrets": secrets,
        "body": connection.model_dump_json(by_alias=True),
    }
