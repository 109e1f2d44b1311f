"""Groups of people, as rows."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, LiteralString

from psycopg.errors import UniqueViolation

from ..errors import InvalidRequest, NotFound
from .accounts import Rows
from .audit import Act, perform, record
from .database import Database, Row
from .ids import new_id

#: How the ids of groups begin.
PREFIX = "group_"

_GROUP = """
    id, name, extract(epoch from created_at)::bigint,
    (select count(*) from group_members where group_id = person_groups.id)
"""
_ADD = f"insert into person_groups (id, name) values (%(id)s, %(name)s) returning {_GROUP}"  # noqa: S608
_GET = f"select {_GROUP} from person_groups where id = %(id)s"  # noqa: S608
_RENAME = f"update person_groups set name = %(name)s where id = %(id)s returning {_GROUP}"  # noqa: S608
_DELETE: LiteralString = "delete from person_groups where id = %(id)s returning id"
#: Whoever it was shared with by this group uses it no more.
_UNSHARE: LiteralString = """
    update gpts set body = jsonb_set(body, '{shared_with}', (body -> 'shared_with') - %(id)s::text)
    where body -> 'shared_with' ? %(id)s::text
"""
#: Those of a project: somebody of it is in the group.
_OF_PROJECT = """
    exists (
        select from group_members join people on people.id = person_id
        left join members on members.person_id = people.id and members.project_id = %(project)s
        where group_id = person_groups.id and (people.role = 'owner' or members.project_id is not null)
    )
"""

_USER = "people.id, people.name, people.email"
_ADD_USER = """
    insert into group_members (group_id, person_id)
    select person_groups.id, people.id from person_groups, people
    where person_groups.id = %(id)s and people.id = %(person)s
    on conflict do nothing returning person_id
"""
_GET_USER = f"""
    select {_USER} from group_members join people on people.id = person_id
    where group_id = %(id)s and person_id = %(person)s
"""  # noqa: S608
_REMOVE_USER = "delete from group_members where group_id = %(id)s and person_id = %(person)s returning person_id"

#: Of these ids, those that are nobody's: no person, group, service account, nor key.
_NOBODY = """
    select wanted.id from unnest(%(ids)s::text[]) with ordinality as wanted (id, place)
    where not exists (select from people where people.id = wanted.id)
        and not exists (select from person_groups where person_groups.id = wanted.id)
        and not exists (
            select from service_accounts where service_accounts.id = wanted.id and project_id = %(project)s
        )
        and not exists (select from api_keys where api_keys.id = wanted.id and project_id = %(project)s)
    order by place
"""


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group."""

    id: str
    name: str
    created_at: int
    #: How many people are in it.
    users: int


@dataclass(frozen=True, slots=True)
class GroupUserRow:
    """A person in a group."""

    id: str
    name: str
    email: str


class Groups:
    """The groups of the organization."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, name: str) -> GroupRow:
        """Make a group without people.

        Raises:
            InvalidRequest: there is one of this name.
        """
        values = {"id": new_id(PREFIX), "name": name}
        async with _unique(name):
            act = Act("group.created", values["id"], details={"data": {"group_name": name}})
            row = await perform(self._database, _ADD, values, lambda _: act)
        return GroupRow(*_found(row, values["id"]))

    async def get(self, identifier: str) -> GroupRow:
        """One group. Raises `NotFound`."""
        return GroupRow(*_found(await self._database.row(_GET, {"id": identifier}), identifier))

    async def page(
        self, *, limit: int, after: str | None, order: Literal["asc", "desc"], project: str | None = None
    ) -> Rows[GroupRow]:
        """Groups, in the order in which they were made.

        Args:
            limit: how many.
            after: the id of the group before them.
            order: which come first.
            project: only those in which somebody of this project is; None: all.
        """
        conditions = ["true"] + ([_OF_PROJECT] if project else [])
        if after:
            sign = ">" if order == "asc" else "<"
            conditions.append(f"position {sign} (select position from person_groups where id = %(after)s)")  # noqa: S608
        where = " and ".join(conditions)
        sql = f"select {_GROUP} from person_groups where {where} order by position {order} limit %(limit)s"  # noqa: S608
        rows = await self._database.rows(sql, {"limit": limit + 1, "after": after, "project": project})
        return Rows([GroupRow(*row) for row in rows[:limit]], len(rows) > limit)

    async def rename(self, identifier: str, name: str) -> GroupRow:
        """Give a group another name.

        Raises:
            NotFound: there is none.
            InvalidRequest: there is another one of this name.
        """
        act = Act("group.updated", identifier, details={"changes_requested": {"group_name": name}})
        async with _unique(name):
            row = await perform(self._database, _RENAME, {"id": identifier, "name": name}, lambda _: act)
        return GroupRow(*_found(row, identifier))

    async def delete(self, identifier: str) -> None:
        """Delete a group; its people stay, and use no more what was shared with the group. Raises `NotFound`."""
        async with self._database.transaction() as connection:
            _found(await (await connection.execute(_DELETE, {"id": identifier})).fetchone(), identifier)
            await connection.execute(_UNSHARE, {"id": identifier})
            await record(connection, Act("group.deleted", identifier))

    # --- their people

    async def add_user(self, identifier: str, person: str) -> None:
        """Put a person into a group; once there, nothing changes.

        Raises:
            NotFound: there is no such group, or no such person.
        """
        values = {"id": identifier, "person": person}
        act = Act("group.member_added", identifier, details={"user_id": person})
        if await perform(self._database, _ADD_USER, values, lambda _: act):
            return
        if not await self._database.row(_GET_USER, values):
            await self.get(identifier)
            raise NotFound(f"No user found with id '{person}'.")

    async def users(
        self, identifier: str, *, limit: int, after: str | None, order: Literal["asc", "desc"]
    ) -> Rows[GroupUserRow]:
        """People of a group, in the order in which they came. Raises `NotFound`."""
        await self.get(identifier)
        onwards = ">" if order == "asc" else "<"
        cursor = f"""
            and group_members.position {onwards} (
                select position from group_members where group_id = %(id)s and person_id = %(after)s)
        """  # noqa: S608
        sql = f"""
            select {_USER} from group_members join people on people.id = person_id
            where group_id = %(id)s {cursor if after else ""} order by group_members.position {order} limit %(limit)s
        """  # noqa: S608
        rows = await self._database.rows(sql, {"id": identifier, "limit": limit + 1, "after": after})
        return Rows([GroupUserRow(*row) for row in rows[:limit]], len(rows) > limit)

    async def user(self, identifier: str, person: str) -> GroupUserRow:
        """One person of a group. Raises `NotFound`."""
        row = await self._database.row(_GET_USER, {"id": identifier, "person": person})
        return GroupUserRow(*_in_group(row, identifier, person))

    async def remove_user(self, identifier: str, person: str) -> None:
        """Take a person out of a group, at once. Raises `NotFound`."""
        act = Act("group.member_removed", identifier, details={"user_id": person})
        row = await perform(self._database, _REMOVE_USER, {"id": identifier, "person": person}, lambda _: act)
        _in_group(row, identifier, person)

    async def require(self, project: str, ids: Sequence[str]) -> None:
        """See that something of a project can be shared with all these.

        Args:
            project: the project.
            ids: of people, groups, and of the project's service accounts and keys.

        Raises:
            InvalidRequest: one of them is nobody.
        """
        values: dict[str, Any] = {"ids": list(ids), "project": project}
        if ids and (row := await self._database.row(_NOBODY, values)):
            message = f"Invalid 'shared_with': no user, group or service account found with id '{row[0]}'."
            raise InvalidRequest(message, param="shared_with")


@asynccontextmanager
async def _unique(name: str) -> AsyncGenerator[None]:
    try:
        yield
    except UniqueViolation as error:
        message = f"Invalid 'name': there is a group '{name}' already."
        raise InvalidRequest(message, param="name", code="group_exists") from error


def _found(row: Row | None, identifier: str) -> Row:
    if row is None:
        raise NotFound(f"No group found with id '{identifier}'.")
    return row


def _in_group(row: Row | None, identifier: str, person: str) -> Row:
    if row is None:
        raise NotFound(f"No user found with id '{person}' in the group '{identifier}'.")
    return row
