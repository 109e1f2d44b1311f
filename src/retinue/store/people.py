"""People of the organization, as rows: who they are, and what they may do in projects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

import orjson
from psycopg.errors import UniqueViolation

from ..errors import InvalidRequest, NotFound
from .accounts import Rows
from .audit import Act, perform, record
from .database import Connection, Database, Row
from .ids import new_id

_PERSON = "id, name, email, role, extract(epoch from created_at)::bigint, password is not null"
_ADD = f"""
    insert into people (id, name, email, role, password)
    values (%(id)s, %(name)s, %(email)s, %(role)s, %(password)s) returning {_PERSON}
"""  # noqa: S608
_PAGE = f"""
    select {_PERSON} from people
    where (%(emails)s::text[] is null or lower(email) = any(%(emails)s))
        and (%(after)s::text is null or position > (select position from people where id = %(after)s))
    order by position limit %(limit)s
"""  # noqa: S608
_GET = f"select {_PERSON} from people where id = %(id)s"  # noqa: S608
_BY_EMAIL = f"select {_PERSON} from people where lower(email) = lower(%(email)s)"  # noqa: S608
_PASSWORD = "select id, password from people where lower(email) = lower(%(email)s)"  # noqa: S105
_PASSWORD_OF = "select password from people where id = %(id)s"  # noqa: S105
#: Whoever knew the old password is signed out.
_SET_PASSWORD = """
    with ended as (delete from browser_sessions where person_id = %(id)s)
    update people set password = %(password)s where id = %(id)s returning id
"""  # noqa: S105
_SET_ROLE = f"update people set role = %(role)s where id = %(id)s returning {_PERSON}"  # noqa: S608
_DELETE = "delete from people where id = %(id)s returning id"
_OTHER_OWNERS = "select exists (select from people where role = 'owner' and id <> %(id)s)"
_BY_IDENTITY = "select person_id from identities where issuer = %(issuer)s and subject = %(subject)s"
_IDENTIFY = """
    insert into identities (issuer, subject, person_id) values (%(issuer)s, %(subject)s, %(person)s)
    on conflict (issuer, subject) do nothing
"""
_ANYBODY = "select exists (select from people), exists (select from people where password is not null)"

_MEMBER = "people.id, people.name, people.email, members.role, extract(epoch from added_at)::bigint"
_ADD_MEMBER = f"""
    with members as (
        insert into members (project_id, person_id, role)
        select projects.id, %(person)s, %(role)s from projects
        where projects.id = %(project)s and archived_at is null and exists (select from people where id = %(person)s)
        on conflict do nothing returning *
    )
    select {_MEMBER} from members join people on people.id = person_id
"""  # noqa: S608
_MEMBERS = f"""
    select {_MEMBER} from members join people on people.id = person_id
    where project_id = %(project)s and (%(after)s::text is null or members.position > (
        select position from members where project_id = %(project)s and person_id = %(after)s))
    order by members.position limit %(limit)s
"""  # noqa: S608
_GET_MEMBER = f"""
    select {_MEMBER} from members join people on people.id = person_id
    where project_id = %(project)s and person_id = %(person)s
"""  # noqa: S608
_SET_MEMBER_ROLE = f"""
    with members as (
        update members set role = %(role)s where project_id = %(project)s and person_id = %(person)s returning *
    )
    select {_MEMBER} from members join people on people.id = person_id
"""  # noqa: S608
_JOIN = """
    insert into members (project_id, person_id, role)
    select projects.id, %(person)s, wanted.role
    from jsonb_to_recordset(%(projects)s::jsonb) as wanted (id text, role text)
    join projects on projects.id = wanted.id and archived_at is null
    on conflict do nothing
"""
_REMOVE_MEMBER = "delete from members where project_id = %(project)s and person_id = %(person)s returning person_id"

#: Held while somebody is added, so that there is one first owner.
_LOCK = "select pg_advisory_xact_lock(hashtext('people'))"
_TAKE_FIRST_LINK = "delete from first_links where hash = %(hash)s and expires_at > now() returning hash"
_END_FIRST_LINKS = "delete from first_links"
_ADD_FIRST_LINK = """
    with old as (delete from first_links where expires_at < now())
    insert into first_links (hash, expires_at) values (%(hash)s, now() + %(seconds)s::float8 * interval '1 second')
"""
_HAS_FIRST_LINK = """
    select exists (select from first_links where hash = %(hash)s and expires_at > now())
        and not exists (select from people)
"""


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person."""

    id: str
    name: str
    email: str
    #: In the organization: `owner` or `reader`.
    role: str
    created_at: int
    has_password: bool


@dataclass(frozen=True, slots=True)
class NewPerson:
    """A person who is to be added."""

    name: str
    email: str
    role: str
    #: As `accounts.passwords` writes it; None for those who sign in elsewhere.
    password: str | None = None


@dataclass(frozen=True, slots=True)
class Membership:
    """A project, and what somebody is in it: `owner`, `member` or `viewer`."""

    id: str
    role: str


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A person in a project."""

    id: str
    name: str
    email: str
    #: In the project: `owner`, `member` or `viewer`.
    role: str
    added_at: int


async def insert_person(connection: Connection, person: NewPerson) -> PersonRow:
    """Add a person within a transaction.

    Raises:
        InvalidRequest: there is somebody of this email address.
    """
    values = {"id": new_id("user-"), **_values(person)}
    try:
        row = await (await connection.execute(_ADD, values)).fetchone()
    except UniqueViolation as error:
        raise InvalidRequest(f"There is a user with the email address '{person.email}'.", param="email") from error
    assert row is not None  # noqa: S101 (an insertion returns its row)
    made = PersonRow(*row)
    # Whoever comes by a link or a provider is let in by themselves.
    await record(connection, Act("user.added", made.id, details={"data": {"role": made.role}}, by=made.id))
    return made


async def join_projects(connection: Connection, person: str, projects: Sequence[Membership]) -> None:
    """Let a person into projects, of those that are there, within a transaction."""
    await connection.execute(_JOIN, {"person": person, "projects": memberships_json(projects)})


def memberships_json(projects: Sequence[Membership]) -> str:
    """Memberships as a JSON column has them."""
    return orjson.dumps([{"id": one.id, "role": one.role} for one in projects]).decode()


def _values(person: NewPerson) -> dict[str, str | None]:
    return {"name": person.name, "email": person.email, "role": person.role, "password": person.password}


class People:
    """The people of the organization. Passwords come here as hashes only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, person: NewPerson, projects: Sequence[Membership] = ()) -> PersonRow:
        """Add a person, and let them into projects, of those that are there.

        Raises:
            InvalidRequest: there is somebody of this email address.
        """
        async with self._database.transaction() as connection:
            await connection.execute(_LOCK)
            made = await insert_person(connection, person)
            await join_projects(connection, made.id, projects)
            return made

    async def page(self, *, limit: int, after: str | None, emails: Sequence[str] | None = None) -> Rows[PersonRow]:
        """The people, oldest first; only those with these email addresses, if any are named."""
        wanted = [email.lower() for email in emails] if emails is not None else None
        rows = await self._database.rows(_PAGE, {"limit": limit + 1, "after": after, "emails": wanted})
        return Rows([PersonRow(*row) for row in rows[:limit]], len(rows) > limit)

    async def get(self, identifier: str) -> PersonRow:
        """One person. Raises `NotFound`."""
        return PersonRow(*_found(await self._database.row(_GET, {"id": identifier}), identifier))

    async def by_email(self, email: str) -> PersonRow | None:
        """The person with this email address, in any case of letters."""
        row = await self._database.row(_BY_EMAIL, {"email": email})
        return PersonRow(*row) if row else None

    async def password(self, email: str) -> tuple[str, str | None] | None:
        """The id and the password's hash of the person with this email address."""
        row = await self._database.row(_PASSWORD, {"email": email})
        return (row[0], row[1]) if row else None

    async def password_of(self, identifier: str) -> str | None:
        """The hash of a person's password."""
        row = await self._database.row(_PASSWORD_OF, {"id": identifier})
        return row[0] if row else None

    async def set_password(self, identifier: str, password: str) -> None:
        """Keep a new hash, and end all sessions of the person. Raises `NotFound`."""
        await self._done(_SET_PASSWORD, Act("password.updated", identifier, by=identifier), password=password)

    async def set_role(self, identifier: str, role: str) -> PersonRow:
        """Give a person another role in the organization.

        Raises:
            NotFound: there is no such person.
            InvalidRequest: nobody would own the organization.
        """
        act = Act("user.updated", identifier, details={"changes_requested": {"role": role}})
        return PersonRow(*await self._change(_SET_ROLE, act, owner=role == "owner", role=role))

    async def delete(self, identifier: str) -> None:
        """Delete a person with all sessions and memberships.

        Raises:
            NotFound: there is no such person.
            InvalidRequest: nobody would own the organization.
        """
        await self._change(_DELETE, Act("user.deleted", identifier), owner=False)

    async def known_as(self, issuer: str, subject: str) -> str | None:
        """The id of the person whom a provider knows by this subject."""
        row = await self._database.row(_BY_IDENTITY, {"issuer": issuer, "subject": subject})
        return row[0] if row else None

    async def identify(self, person: str, issuer: str, subject: str) -> None:
        """Remember as whom a provider knows a person."""
        await self._database.execute(_IDENTIFY, {"issuer": issuer, "subject": subject, "person": person})

    async def any(self) -> tuple[bool, bool]:
        """Whether there is anybody, and whether anybody has a password."""
        row = await self._database.row(_ANYBODY, {})
        return (bool(row[0]), bool(row[1])) if row else (False, False)

    # --- the first owner

    async def add_first_link(self, token: bytes, seconds: float) -> None:
        """Keep the hash of a token that makes the first owner, for so many seconds."""
        await self._database.execute(_ADD_FIRST_LINK, {"hash": token, "seconds": seconds})

    async def has_first_link(self, token: bytes) -> bool:
        """Whether the token of this hash would make the first owner now."""
        row = await self._database.row(_HAS_FIRST_LINK, {"hash": token})
        return bool(row and row[0])

    async def add_first(self, token: bytes, person: NewPerson) -> PersonRow | None:
        """Add the first person, once; None if the token is not good, or there is somebody."""
        async with self._database.transaction() as connection:
            await connection.execute(_LOCK)
            anybody = await (await connection.execute(_ANYBODY)).fetchone()
            good = await (await connection.execute(_TAKE_FIRST_LINK, {"hash": token})).fetchone()
            if good is None or (anybody and anybody[0]):
                return None
            await connection.execute(_END_FIRST_LINKS)
            return await insert_person(connection, person)

    async def _change(self, sql: LiteralString, act: Act, *, owner: bool, **values: str) -> Row:
        """The row of a statement after which the person of an act is an owner, or not; some owner must be left."""
        async with self._database.transaction() as connection:
            await connection.execute(_LOCK)
            person = PersonRow(*await _one(connection, _GET, act.resource))
            if person.role == "owner" and not owner and not (await _one(connection, _OTHER_OWNERS, act.resource))[0]:
                message = "This is the only owner of the organization. Make somebody else an owner first."
                raise InvalidRequest(message, code="last_owner")
            row = await _one(connection, sql, act.resource, **values)
            await record(connection, act)
            return row

    async def _done(self, sql: str, act: Act, **values: str) -> Row:
        """The row of a statement about the person of an act."""
        values = {"id": act.resource, **values}
        return _found(await perform(self._database, sql, values, lambda _: act), act.resource)


async def _one(connection: Connection, sql: LiteralString, identifier: str, **values: str) -> Row:
    return _found(await (await connection.execute(sql, {"id": identifier, **values})).fetchone(), identifier)


def _found(row: Row | None, identifier: str) -> Row:
    if row is None:
        raise NotFound(f"No user found with id '{identifier}'.")
    return row


class Members:
    """People in projects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, project: str, person: str, role: str) -> MemberRow:
        """Let a person into a project.

        Raises:
            NotFound: there is no such project, it is archived, or there is no such person.
            InvalidRequest: the person is in it.
        """
        values = {"project": project, "person": person, "role": role}
        row = await perform(self._database, _ADD_MEMBER, values, lambda _: _assigned(project, person, role))
        if row is not None:
            return MemberRow(*row)
        if await self._database.row(_GET_MEMBER, {"project": project, "person": person}):
            raise InvalidRequest(f"The user '{person}' is in the project. Modify the role instead.")
        raise NotFound(f"No project found with id '{project}', or no user with id '{person}'.")

    async def page(self, project: str, *, limit: int, after: str | None) -> Rows[MemberRow]:
        """The people of a project, in the order in which they came."""
        rows = await self._database.rows(_MEMBERS, {"project": project, "limit": limit + 1, "after": after})
        return Rows([MemberRow(*row) for row in rows[:limit]], len(rows) > limit)

    async def get(self, project: str, person: str) -> MemberRow:
        """One person in a project. Raises `NotFound`."""
        row = await self._database.row(_GET_MEMBER, {"project": project, "person": person})
        return MemberRow(*_in_project(row, project, person))

    async def set_role(self, project: str, person: str, role: str) -> MemberRow:
        """Give a person another role in a project. Raises `NotFound`."""
        values = {"project": project, "person": person, "role": role}
        row = await perform(self._database, _SET_MEMBER_ROLE, values, lambda _: _assigned(project, person, role))
        return MemberRow(*_in_project(row, project, person))

    async def remove(self, project: str, person: str) -> None:
        """Let a person no more into a project. Raises `NotFound`."""
        values = {"project": project, "person": person}
        row = await perform(self._database, _REMOVE_MEMBER, values, lambda _: _assigned(project, person, None))
        _in_project(row, project, person)


def _in_project(row: Row | None, project: str, person: str) -> Row:
    if row is None:
        raise NotFound(f"No user found with id '{person}' in the project '{project}'.")
    return row


def _assigned(project: str, person: str, role: str | None) -> Act:
    """The act of giving a person a role in a project, or of taking it away."""
    told = {"principal_id": person, "principal_type": "user", "resource_id": project, "resource_type": "project"}
    kind = "role.assignment.created" if role else "role.assignment.deleted"
    return Act(kind, person, project, {**told, "role": role} if role else told)
