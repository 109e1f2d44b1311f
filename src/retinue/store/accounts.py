"""Projects and API keys, as rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .database import Database
from .ids import new_id

_FIND_KEY = "select project_id, id from api_keys where hash = %(hash)s and revoked_at is null"
_ENSURE_PROJECT = "insert into projects (id, name) values (%(id)s, %(name)s) on conflict (id) do nothing"
_ADD_KEY = """
    insert into api_keys (id, project_id, name, hash, hint) values (%(id)s, %(project)s, %(name)s, %(hash)s, %(hint)s)
    on conflict (hash) do update set revoked_at = null returning id
"""
_LIST_KEYS = """
    select id, name, hint, created_at, revoked_at from api_keys where project_id = %(project)s order by created_at, id
"""
_REVOKE_KEY = """
    update api_keys set revoked_at = now()
    where id = %(id)s and project_id = %(project)s and revoked_at is null returning id
"""

#: The project that exists from the start.
DEFAULT_PROJECT = "proj_default"


@dataclass(frozen=True, slots=True)
class KeyRow:
    """What is known of a key once it has been shown."""

    id: str
    name: str
    #: The key's beginning and end.
    hint: str
    created_at: datetime
    revoked_at: datetime | None


class Accounts:
    """Projects and their keys. Keys come here as hashes only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ensure_project(self, project: str, name: str) -> None:
        """Make the project if there is none of this id."""
        await self._database.execute(_ENSURE_PROJECT, {"id": project, "name": name})

    async def find_key(self, key_hash: bytes) -> tuple[str, str] | None:
        """The project and the id of the live key with this hash."""
        row = await self._database.row(_FIND_KEY, {"hash": key_hash})
        return None if row is None else (str(row[0]), str(row[1]))

    async def add_key(self, project: str, name: str, key_hash: bytes, hint: str) -> str:
        """Keep a key; one that is known already becomes live again. Returns its id."""
        values = {"id": new_id("key_"), "project": project, "name": name, "hash": key_hash, "hint": hint}
        row = await self._database.row(_ADD_KEY, values)
        assert row is not None  # noqa: S101 (an upsert returns its row)
        return str(row[0])

    async def keys(self, project: str) -> list[KeyRow]:
        """All keys of a project, oldest first."""
        return [KeyRow(*row) for row in await self._database.rows(_LIST_KEYS, {"project": project})]

    async def revoke(self, project: str, identifier: str) -> bool:
        """End a key. False if the project has no such live key."""
        return await self._database.row(_REVOKE_KEY, {"project": project, "id": identifier}) is not None
