"""Invites to the organization, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

from ..errors import InvalidRequest, NotFound
from .accounts import Rows
from .audit import Act, perform, record
from .database import Database, Row
from .ids import new_id
from .people import Membership, NewPerson, PersonRow, insert_person, join_projects, memberships_json

_INVITE = """
    id, email, role, projects, extract(epoch from created_at)::bigint, extract(epoch from expires_at)::bigint,
    extract(epoch from accepted_at)::bigint,
    case when accepted_at is not null then 'accepted' when expires_at <= now() then 'expired' else 'pending' end
"""
_PENDING = "accepted_at is null and expires_at > now()"
_ADD = f"""
    insert into invites (id, email, role, projects, hash, expires_at)
    select %(id)s, %(email)s, %(role)s, %(projects)s::jsonb, %(hash)s,
        now() + %(seconds)s::float8 * interval '1 second'
    where not exists (select from people where lower(email) = lower(%(email)s))
        and not exists (select from invites where lower(email) = lower(%(email)s) and {_PENDING})
    returning {_INVITE}
"""  # noqa: S608
_PAGE = f"""
    select {_INVITE} from invites
    where %(after)s::text is null or position > (select position from invites where id = %(after)s)
    order by position limit %(limit)s
"""  # noqa: S608
_GET = f"select {_INVITE} from invites where id = %(id)s"  # noqa: S608
_DELETE = "delete from invites where id = %(id)s and accepted_at is null returning id"
_OF_TOKEN = f"select {_INVITE} from invites where hash = %(hash)s and {_PENDING}"  # noqa: S608
_OF_EMAIL = f"select {_INVITE} from invites where lower(email) = lower(%(email)s) and {_PENDING}"  # noqa: S608
_ACCEPT = f"update invites set accepted_at = now() where id = %(id)s and {_PENDING} returning id"  # noqa: S608
_KNOWN_PROJECTS = "select id from projects where id = any(%(ids)s) and archived_at is null"


@dataclass(frozen=True, slots=True)
class InviteRow:
    """An invite. Moments are Unix seconds."""

    id: str
    email: str
    #: In the organization: `owner` or `reader`.
    role: str
    projects: Sequence[Membership]
    created_at: int
    expires_at: int
    accepted_at: int | None
    #: `pending`, `accepted` or `expired`.
    status: str


@dataclass(frozen=True, slots=True)
class NewInvite:
    """An invite that is to be kept."""

    email: str
    role: str
    projects: Sequence[Membership]
    #: SHA-256 of the token by which it is accepted.
    hash: bytes
    #: For which it is good.
    seconds: float


class Invites:
    """The invites of the organization."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, invite: NewInvite) -> InviteRow:
        """Keep an invite.

        Raises:
            InvalidRequest: somebody has this email address, or is invited by it already.
            NotFound: a project is not there, or archived.
        """
        wanted = [one.id for one in invite.projects]
        known = {row[0] for row in await self._database.rows(_KNOWN_PROJECTS, {"ids": wanted})}
        if missing := [one for one in wanted if one not in known]:
            raise NotFound(f"No project found with id '{missing[0]}'.")
        values = {
            "id": new_id("invite-"),
            "email": invite.email,
            "role": invite.role,
            "projects": memberships_json(invite.projects),
            "hash": invite.hash,
            "seconds": invite.seconds,
        }
        sent = Act("invite.sent", str(values["id"]), details={"data": {"email": invite.email, "role": invite.role}})
        row = await perform(self._database, _ADD, values, lambda _: sent)
        if row is None:
            raise InvalidRequest(f"There is a user, or an invite, with the email '{invite.email}'.", param="email")
        return _invite(row)

    async def page(self, *, limit: int, after: str | None) -> Rows[InviteRow]:
        """The invites, oldest first."""
        rows = await self._database.rows(_PAGE, {"limit": limit + 1, "after": after})
        return Rows(list(map(_invite, rows[:limit])), len(rows) > limit)

    async def get(self, identifier: str) -> InviteRow:
        """One invite. Raises `NotFound`."""
        row = await self._database.row(_GET, {"id": identifier})
        if row is None:
            raise NotFound(f"No invite found with id '{identifier}'.")
        return _invite(row)

    async def delete(self, identifier: str) -> None:
        """Withdraw an invite.

        Raises:
            NotFound: there is none of this id.
            InvalidRequest: it was accepted.
        """
        deleted = Act("invite.deleted", identifier)
        if await perform(self._database, _DELETE, {"id": identifier}, lambda _: deleted) is None:
            await self.get(identifier)
            raise InvalidRequest("The invite was accepted, and cannot be deleted any more. Delete the user instead.")

    async def of_token(self, token: bytes) -> InviteRow | None:
        """The pending invite that a token of this hash accepts."""
        row = await self._database.row(_OF_TOKEN, {"hash": token})
        return _invite(row) if row else None

    async def of_email(self, email: str) -> InviteRow | None:
        """The pending invite of an email address."""
        row = await self._database.row(_OF_EMAIL, {"email": email})
        return _invite(row) if row else None

    async def accept(self, invite: InviteRow, name: str, password: str | None) -> PersonRow | None:
        """Make the person who was invited; None if the invite is pending no more.

        Raises:
            InvalidRequest: somebody else has this email address by now.
        """
        async with self._database.transaction() as connection:
            taken = await (await connection.execute(_ACCEPT, {"id": invite.id})).fetchone()
            if taken is None:
                return None
            person = await insert_person(connection, NewPerson(name, invite.email, invite.role, password))
            await join_projects(connection, person.id, invite.projects)
            await record(connection, Act("invite.accepted", invite.id, by=person.id))
            return person


def _invite(row: Row) -> InviteRow:
    identifier, email, role, projects, *rest = row
    wanted = cast("list[dict[str, Any]]", orjson.loads(projects))
    return InviteRow(identifier, email, role, [Membership(one["id"], one["role"]) for one in wanted], *rest)
