"""Who is signed in to the pages, and who has tried to: rows that come and go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

from .audit import Act, perform, record
from .database import Database

#: Notices on this channel say that a session has ended (its hash in hexadecimal), or perhaps any (nothing).
SESSIONS_CHANGED = "browser_sessions"

_END = "least(used_at + %(idle)s::float8 * interval '1 second', ends_at)"
_ADD = """
    with old as (
        delete from browser_sessions where hash = any(array(
            select hash from browser_sessions
            where ends_at < now() or used_at < now() - %(idle)s::float8 * interval '1 second'
            limit 1000 for update skip locked
        ))
    )
    insert into browser_sessions (hash, person_id, ends_at)
    select %(hash)s, id, now() + %(most)s::float8 * interval '1 second' from people
    where id = %(person)s and (%(password)s::text is null or password = %(password)s)
    returning hash
"""
#: The use is noted at most once a minute, or as often as a short time without use asks for.
_FIND = f"""
    with found as (
        select hash, person_id, used_at, extract(epoch from {_END} - now())::float8 as expires_in
        from browser_sessions where hash = %(hash)s and {_END} > now()
    ), noted as (
        update browser_sessions set used_at = now() from found
        where browser_sessions.hash = found.hash
            and found.used_at < now() - least(60, %(idle)s::float8 / 10) * interval '1 second'
    )
    select people.id, name, email, people.role, password is not null, expires_in,
        coalesce((
            select jsonb_agg(jsonb_build_array(projects.id, coalesce(members.role, 'owner')) order by projects.position)
            from projects left join members on members.project_id = projects.id and members.person_id = people.id
            where archived_at is null and (people.role = 'owner' or members.role is not null)
        ), '[]')
    from found join people on people.id = found.person_id
"""  # noqa: S608
_DELETE = "delete from browser_sessions where hash = %(hash)s returning person_id"

#: The rows that are being counted are not among the old ones. Whoever deletes waits for nobody: no deadlocks.
_COUNT = """
    with old as (
        delete from sign_in_attempts where subject = any(array(
            select subject from sign_in_attempts where ends_at < now() and subject <> all(%(subjects)s)
            limit 1000 for update skip locked
        ))
    )
    insert into sign_in_attempts as known (subject, number, ends_at)
    select subject, 1, now() + %(window)s::float8 * interval '1 second'
    from unnest(%(subjects)s::bytea[]) as subject order by subject
    on conflict (subject) do update set
        number = case when known.ends_at < now() then 1 else least(known.number, 1000000) + 1 end,
        ends_at = case when known.ends_at < now() then excluded.ends_at else known.ends_at end
    returning subject, number, extract(epoch from ends_at - now())::float8
"""
_FORGET = "delete from sign_in_attempts where subject = %(subject)s"


@dataclass(frozen=True, slots=True)
class FoundSession:
    """A live session: who, and in which projects with which roles."""

    person: str
    name: str
    email: str
    #: In the organization: `owner` or `reader`. An owner is one of every project.
    role: str
    has_password: bool
    #: Seconds that it has left.
    expires_in: float
    #: From a project's id to the role in it, oldest projects first.
    projects: Mapping[str, str]


class BrowserSessions:
    """Who is signed in. Tokens come here as hashes only."""

    def __init__(self, database: Database, *, idle: float, most: float) -> None:
        """Say how long sessions last.

        Args:
            database: where they are kept.
            idle: seconds without use after which one ends.
            most: seconds after which each ends.
        """
        self._database = database
        self._idle = idle
        self._most = most

    async def add(self, person: str, token: bytes, password: str | None) -> bool:
        """Begin a session, unless the person is gone, or has another password's hash than the one that was verified."""
        values = {"hash": token, "person": person, "password": password, "idle": self._idle, "most": self._most}
        begun = Act("login.succeeded", person, by=person)
        return await perform(self._database, _ADD, values, lambda _: begun) is not None

    async def find(self, token: bytes) -> FoundSession | None:
        """A live session, which counts as used now."""
        row = await self._database.row(_FIND, {"hash": token, "idle": self._idle})
        if row is None:
            return None
        *told, projects = row
        return FoundSession(*told, projects=dict(cast("list[tuple[str, str]]", orjson.loads(projects))))

    async def end(self, token: bytes) -> None:
        """End a session."""
        await perform(
            self._database, _DELETE, {"hash": token}, lambda row: Act("logout.succeeded", str(row[0]), by=str(row[0]))
        )

    async def refused(self, person: str) -> None:
        """Note in the audit log that somebody tried to sign in as a person with a wrong password."""
        details = {"error_code": "wrong_credentials", "error_message": "The password is wrong."}
        async with self._database.transaction() as connection:
            await record(connection, Act("login.failed", person, details=details))


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often something was tried of late."""

    number: int
    #: Seconds until it is counted anew.
    ends_in: float


class SignInAttempts:
    """Tries to sign in, counted by all processes together."""

    def __init__(self, database: Database, *, window: float) -> None:
        """`window`: seconds over which tries are counted."""
        self._database = database
        self._window = window

    async def count(self, subjects: Sequence[bytes]) -> dict[bytes, Attempts]:
        """Count a try for each of these, and say how many there were, this one included."""
        values: dict[str, Any] = {"subjects": list(subjects), "window": self._window}
        rows = await self._database.rows(_COUNT, values)
        return {bytes(subject): Attempts(number, ends_in) for subject, number, ends_in in rows}

    async def forget(self, subject: bytes) -> None:
        """Count anew."""
        await self._database.execute(_FORGET, {"subject": subject})
