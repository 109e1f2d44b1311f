"""Projects, service accounts and API keys, as rows. The organization has them, and no project."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ..errors import NotFound
from .audit import Act, perform, record
from .database import Database, Row
from .ids import new_id

#: The project that exists from the start.
DEFAULT_PROJECT = "proj_default"
#: Notices on this channel say that a key has changed (its hash in hexadecimal), or perhaps any of them (nothing).
KEYS_CHANGED = "api_keys"

_LIVE = "revoked_at is null and (expires_at is null or expires_at > now())"

#: The use is noted at most once a minute: it is shown to people.
_FIND_KEY = f"""
    with found as (
        select key.id, key.project_id, scopes, last_used_at,
            extract(epoch from expires_at - now())::float8 as expires_in
        from api_keys as key left join projects on projects.id = key.project_id
        where hash = %(hash)s and {_LIVE} and archived_at is null
    ), noted as (
        update api_keys set last_used_at = now() from found
        where api_keys.id = found.id
            and (found.last_used_at is null or found.last_used_at < now() - interval '1 minute')
    )
    select id, coalesce(project_id, ''), scopes, expires_in from found
"""  # noqa: S608

_KEY = """
    id, name, hint, scopes, extract(epoch from created_at)::bigint, extract(epoch from expires_at)::bigint,
    extract(epoch from last_used_at)::bigint, extract(epoch from revoked_at)::bigint, project_id, service_account_id,
    (select account.name from service_accounts as account where account.id = service_account_id),
    (select extract(epoch from account.created_at)::bigint from service_accounts as account
        where account.id = service_account_id)
"""
_NEW_KEY = """
    insert into api_keys (id, project_id, service_account_id, name, hash, hint, scopes, expires_at)
"""
_VALUES = """
    %(id)s, {project}, {account}, %(name)s, %(hash)s, %(hint)s, %(scopes)s,
    now() + %(expires_in)s::float8 * interval '1 second'
"""
_ADD_KEY = f"""
    {_NEW_KEY} select {_VALUES.format(project="account.project_id", account="account.id")}
    from service_accounts as account join projects on projects.id = account.project_id
    where account.id = %(account)s and account.project_id = %(project)s and archived_at is null
    returning {_KEY}
"""  # noqa: S608
_ADD_ADMIN_KEY = f"{_NEW_KEY} values ({_VALUES.format(project='null', account='null')}) returning {_KEY}"
#: A key that is known already becomes live again. Says whether it is new; nothing if nothing had to be done.
_ENSURE_KEY = f"""
    with account as (
        insert into service_accounts (id, project_id, name)
        select %(account)s, %(project)s, %(name)s where not exists (select from api_keys where hash = %(hash)s)
        returning id
    )
    {_NEW_KEY} select {_VALUES.format(project="%(project)s", account="(select id from account)")}
    on conflict (hash) do update set revoked_at = null, expires_at = null
    where api_keys.revoked_at is not null or api_keys.expires_at is not null
    returning id, xmax = 0
"""  # noqa: S608
_REVOKE_KEY = """
    update api_keys set revoked_at = now()
    where id = %(id)s and revoked_at is null and project_id is not distinct from %(project)s returning id
"""

_ENSURE_PROJECT = "insert into projects (id, name) values (%(id)s, %(name)s) on conflict (id) do nothing returning id"
_PROJECT = "id, name, extract(epoch from created_at)::bigint, extract(epoch from archived_at)::bigint"
_ADD_PROJECT = f"insert into projects (id, name) values (%(id)s, %(name)s) returning {_PROJECT}"  # noqa: S608
_RENAME_PROJECT = f"update projects set name = %(name)s where id = %(id)s returning {_PROJECT}"  # noqa: S608
_ARCHIVE_PROJECT = f"""
    with before as (select archived_at is null as open from projects where id = %(id)s for update)
    update projects set archived_at = coalesce(archived_at, now()) from before where id = %(id)s
    returning {_PROJECT}, before.open
"""  # noqa: S608

_ACCOUNT = "id, name, extract(epoch from created_at)::bigint"
_ADD_ACCOUNT = f"""
    insert into service_accounts (id, project_id, name)
    select %(id)s, id, %(name)s from projects where id = %(project)s and archived_at is null
    returning {_ACCOUNT}
"""  # noqa: S608
_RENAME_ACCOUNT = f"""
    update service_accounts set name = %(name)s where id = %(id)s and project_id = %(project)s returning {_ACCOUNT}
"""  # noqa: S608
_DELETE_ACCOUNT = "delete from service_accounts where id = %(id)s and project_id = %(project)s returning id"

_PAGE = """
    select {columns} from {table}
    where {where} and (%(after)s::text is null or position > (select position from {table} where id = %(after)s))
    order by position limit %(limit)s
"""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that is to be kept."""

    name: str
    hash: bytes
    #: The key's beginning and end.
    hint: str
    scopes: Sequence[str]
    #: Seconds for which it is good; None: until it is revoked.
    expires_in: int | None


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A live key."""

    id: str
    #: Empty for an admin key.
    project: str
    scopes: Sequence[str]
    #: Seconds that it has left; None: it does not expire.
    expires_in: float | None


@dataclass(frozen=True, slots=True)
class AccountRow:
    """What a program is known as in a project."""

    id: str
    name: str
    created_at: int


@dataclass(frozen=True, slots=True)
class KeyRow:
    """What is known of a key once it has been shown. Moments are Unix seconds."""

    id: str
    name: str
    hint: str
    scopes: Sequence[str]
    created_at: int
    expires_at: int | None
    last_used_at: int | None
    revoked_at: int | None
    #: None for an admin key.
    project: str | None
    service_account: AccountRow | None


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """A project. Moments are Unix seconds."""

    id: str
    name: str
    created_at: int
    archived_at: int | None


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rows(Generic[T]):
    """A page of a list, oldest first."""

    rows: list[T]
    has_more: bool


class Accounts:
    """Projects, their service accounts, and keys. Keys come here as hashes only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_key(self, key_hash: bytes) -> FoundKey | None:
        """The live key with this hash, which counts as used now."""
        row = await self._database.row(_FIND_KEY, {"hash": key_hash})
        return FoundKey(*row) if row else None

    async def add_key(self, project: str, service_account: str, key: NewKey) -> KeyRow | None:
        """Keep a key of a service account; None if the project has none of this id, or is archived."""
        values = {**_values(key), "project": project, "account": service_account}
        row = await perform(self._database, _ADD_KEY, values, lambda row: _key_made(row[0], project, key))
        return _key(row) if row else None

    async def add_admin_key(self, key: NewKey) -> KeyRow:
        """Keep a key of the organization."""
        row = await perform(self._database, _ADD_ADMIN_KEY, _values(key), lambda row: _key_made(row[0], None, key))
        assert row is not None  # noqa: S101 (an insertion returns its row)
        return _key(row)

    async def ensure_key(self, project: str, key: NewKey) -> None:
        """See to it that a key of the project is live, and no other is made of it."""
        values = {**_values(key), "project": project, "account": new_id("svcacct_")}

        async with self._database.transaction() as connection:
            row = await (await connection.execute(_ENSURE_KEY, values)).fetchone()
            if row and row[1]:
                await record(connection, _account_made(values["account"], project, key.name))
                await record(connection, _key_made(row[0], project, key))
            elif row:
                await record(connection, Act("api_key.updated", row[0], project))

    async def keys(
        self, project: str | None, *, limit: int = 1000, after: str | None = None, revoked: bool = False
    ) -> Rows[KeyRow]:
        """The keys of a project, or the admin keys, oldest first; those that were revoked only if wanted."""
        where = f"project_id is not distinct from %(project)s and {'true' if revoked else 'revoked_at is null'}"
        return await self._page(_key, _KEY, "api_keys", where, limit, after, project=project)

    async def key(self, project: str | None, identifier: str) -> KeyRow:
        """One key of a project, or an admin key.

        Raises:
            NotFound: there is none of this id that was not revoked.
        """
        where = "id = %(id)s and project_id is not distinct from %(project)s and revoked_at is null"
        values = {"id": identifier, "project": project}
        row = await self._database.row(f"select {_KEY} from api_keys where {where}", values)  # noqa: S608
        if row is None:
            raise NotFound(f"No API key found with id '{identifier}'.")
        return _key(row)

    async def revoke(self, project: str | None, identifier: str) -> bool:
        """End a key of a project, or an admin key. False if there is no such live key."""
        values = {"project": project, "id": identifier}
        act = Act("api_key.deleted", identifier, project)
        return await perform(self._database, _REVOKE_KEY, values, lambda _: act) is not None

    # --- projects

    async def ensure_project(self, project: str, name: str) -> None:
        """Make the project if there is none of this id."""
        await perform(self._database, _ENSURE_PROJECT, {"id": project, "name": name}, lambda _: _made(project, name))

    async def add_project(self, name: str) -> ProjectRow:
        """Make a project."""
        values = {"id": new_id("proj_"), "name": name}
        row = await perform(self._database, _ADD_PROJECT, values, lambda row: _made(row[0], name))
        assert row is not None  # noqa: S101 (an insertion returns its row)
        return ProjectRow(*row)

    async def projects(self, *, limit: int, after: str | None, archived: bool) -> Rows[ProjectRow]:
        """The projects, oldest first; archived ones only if wanted."""
        where = "true" if archived else "archived_at is null"
        return await self._page(_project, _PROJECT, "projects", where, limit, after)

    async def project(self, identifier: str) -> ProjectRow:
        """One project.

        Raises:
            NotFound: there is none of this id.
        """
        sql = f"select {_PROJECT} from projects where id = %(id)s"  # noqa: S608
        return self._found(await self._database.row(sql, {"id": identifier}), identifier)

    async def has_project(self, identifier: str) -> bool:
        """Whether there is a project of this id."""
        return await self._database.row("select from projects where id = %(id)s", {"id": identifier}) is not None

    async def project_names(self, identifiers: Sequence[str]) -> dict[str, str]:
        """The names of these projects, by their ids."""
        sql = "select id, name from projects where id = any(%(ids)s)"
        return {row[0]: row[1] for row in await self._database.rows(sql, {"ids": list(identifiers)})}

    async def rename_project(self, identifier: str, name: str) -> ProjectRow:
        """Give a project another name. Raises `NotFound` as `project`."""
        act = Act("project.updated", identifier, identifier, {"changes_requested": {"title": name}})
        values = {"id": identifier, "name": name}
        return self._found(await perform(self._database, _RENAME_PROJECT, values, lambda _: act), identifier)

    async def archive_project(self, identifier: str) -> ProjectRow:
        """End a project: its keys open it no more. What it has stays. Raises `NotFound` as `project`."""
        act = Act("project.archived", identifier, identifier)
        row = await perform(self._database, _ARCHIVE_PROJECT, {"id": identifier}, lambda row: act if row[4] else None)
        return self._found(row and row[:4], identifier)

    @staticmethod
    def _found(row: Row | None, identifier: str) -> ProjectRow:
        if row is None:
            raise NotFound(f"No project found with id '{identifier}'.")
        return ProjectRow(*row)

    # --- service accounts

    async def add_service_account(self, project: str, name: str) -> AccountRow:
        """Make a service account.

        Raises:
            NotFound: there is no such project, or it is archived.
        """
        values = {"id": new_id("svcacct_"), "project": project, "name": name}
        row = await perform(self._database, _ADD_ACCOUNT, values, lambda row: _account_made(row[0], project, name))
        if row is None:
            raise NotFound(f"No project found with id '{project}'.")
        return AccountRow(*row)

    async def service_accounts(self, project: str, *, limit: int, after: str | None) -> Rows[AccountRow]:
        """The service accounts of a project, oldest first."""
        where = "project_id = %(project)s"
        return await self._page(_account, _ACCOUNT, "service_accounts", where, limit, after, project=project)

    async def service_account(self, project: str, identifier: str) -> AccountRow:
        """One service account.

        Raises:
            NotFound: the project has none of this id.
        """
        sql = f"select {_ACCOUNT} from service_accounts where id = %(id)s and project_id = %(project)s"  # noqa: S608
        row = await self._database.row(sql, {"id": identifier, "project": project})
        return AccountRow(*_present(row, identifier))

    async def rename_service_account(self, project: str, identifier: str, name: str) -> AccountRow:
        """Give a service account another name. Raises `NotFound` as `service_account`."""
        act = Act("service_account.updated", identifier, project, {"changes_requested": {}, "name": name})
        values = {"id": identifier, "project": project, "name": name}
        return AccountRow(*_present(await perform(self._database, _RENAME_ACCOUNT, values, lambda _: act), identifier))

    async def delete_service_account(self, project: str, identifier: str) -> None:
        """Delete a service account with its keys. Raises `NotFound` as `service_account`."""
        act = Act("service_account.deleted", identifier, project)
        values = {"id": identifier, "project": project}
        _present(await perform(self._database, _DELETE_ACCOUNT, values, lambda _: act), identifier)

    async def _page(
        self,
        made: Callable[[Row], T],
        columns: str,
        table: str,
        where: str,
        limit: int,
        after: str | None,
        **values: str | None,
    ) -> Rows[T]:
        sql = _PAGE.format(columns=columns, table=table, where=where)
        rows = await self._database.rows(sql, {"limit": limit + 1, "after": after, **values})
        return Rows(list(map(made, rows[:limit])), len(rows) > limit)


def _values(key: NewKey) -> dict[str, Any]:
    """What a statement that keeps a key is given."""
    return {
        "id": new_id("key_"),
        "name": key.name,
        "hash": key.hash,
        "hint": key.hint,
        "scopes": list(key.scopes),
        "expires_in": key.expires_in,
    }


def _present(row: Row | None, account: str) -> Row:
    if row is None:
        raise NotFound(f"No service account found with id '{account}'.")
    return row


def _made(project: str, name: str) -> Act:
    return Act("project.created", project, project, {"data": {"name": name, "title": name}})


def _account_made(identifier: str, project: str, name: str) -> Act:
    return Act("service_account.created", identifier, project, {"data": {"role": "member"}, "name": name})


def _key_made(identifier: str, project: str | None, key: NewKey) -> Act:
    return Act("api_key.created", identifier, project, {"data": {"scopes": list(key.scopes)}, "name": key.name})


def _key(row: Row) -> KeyRow:
    *own, account, name, created_at = row
    return KeyRow(*own, service_account=AccountRow(account, name, created_at) if account else None)


def _project(row: Row) -> ProjectRow:
    return ProjectRow(*row)


def _account(row: Row) -> AccountRow:
    return AccountRow(*row)
