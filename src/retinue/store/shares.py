"""Links by which people outside read a thread as it was when it was shared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, LiteralString

import orjson

from ..errors import InvalidRequest, NotFound
from ..wire.messages import Message
from .audit import Act, actor, record
from .conversations import Threads
from .database import Connection, Database, Row
from .ids import new_id
from .secretbox import SecretBox, SecretUnreadable

#: Links of one thread at a time.
MOST_SHARES = 100

_GOOD = "(expires_at is null or expires_at > now())"
#: What a link shows: messages that have come to their end.
_SHOWN = """
    messages.thread_id = {of}.thread_id and messages.position <= {of}.up_to
        and messages.body ->> 'status' <> 'in_progress'
"""
_SHARE = f"""
    id, thread_id, title, sealed, extract(epoch from created_at)::bigint, extract(epoch from expires_at)::bigint,
    (select count(*) from messages where {_SHOWN.format(of="thread_shares")})
"""  # noqa: S608

_LOCK: LiteralString = "select from threads where id = %(thread)s and project_id = %(project)s for no key update"
_FORGET = f"delete from thread_shares where thread_id = %(thread)s and not {_GOOD}"  # noqa: S608
_NUMBER: LiteralString = "select count(*) from thread_shares where thread_id = %(thread)s"
#: The lock keeps the message until the link is known to whoever deletes it.
_LAST: LiteralString = """
    select position from messages
    where thread_id = %(thread)s and project_id = %(project)s and position is not null
        and body ->> 'status' <> 'in_progress'
    order by position desc limit 1 for share
"""
_FILES: LiteralString = """
    select distinct unnest(files_of_message(body)) from messages
    where thread_id = %(thread)s and project_id = %(project)s and position is not null
        and jsonb_path_exists(body, '$.**.file_id')
"""
_ADD = f"""
    insert into thread_shares (id, project_id, thread_id, title, hash, sealed, up_to, created_by, expires_at)
    values (%(id)s, %(project)s, %(thread)s, %(title)s, %(hash)s, %(sealed)s, %(up_to)s, %(by)s,
        now() + %(seconds)s::float8 * interval '1 second')
    returning {_SHARE}
"""  # noqa: S608
_LIST = f"""
    select {_SHARE} from thread_shares
    where thread_id = %(thread)s and project_id = %(project)s and {_GOOD} order by position desc limit {MOST_SHARES}
"""  # noqa: S608
_DELETE: LiteralString = """
    delete from thread_shares where id = %(id)s and thread_id = %(thread)s and project_id = %(project)s returning id
"""

_OPENED = f"""
    select thread_shares.project_id, thread_id, up_to, title,
        extract(epoch from thread_shares.created_at)::bigint, extract(epoch from expires_at)::bigint
    from thread_shares join projects on projects.id = thread_shares.project_id
    where hash = %(hash)s and {_GOOD} and archived_at is null
"""  # noqa: S608
_MESSAGES = f"""
    select body from messages, (select %(thread)s::text as thread_id, %(up_to)s::bigint as up_to) as share
    where {_SHOWN.format(of="share")} and (%(after)s::text is null or position > (
        select position from messages as known where known.id = %(after)s and known.thread_id = share.thread_id
    ))
    order by position limit %(limit)s
"""  # noqa: S608
#: Files that came with a message, or that it cites, are not shown; pictures and what code has made are.
_SHOWS = f"""
    select true from messages, (select %(thread)s::text as thread_id, %(up_to)s::bigint as up_to) as share
    where {_SHOWN.format(of="share")}
        and jsonb_path_exists(body, '$.**.file_id') and files_of_message(body) && array[%(file)s::text]
        and (
            body -> 'content' @> %(image)s::jsonb or body -> 'content' @> %(path)s::jsonb
        )
    limit 1
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class ShareRow:
    """A link. Moments are Unix seconds."""

    id: str
    thread: str
    title: str
    #: The token in its address; None where it cannot be read any more.
    token: str | None
    created_at: int
    expires_at: int | None
    messages: int


@dataclass(frozen=True, slots=True)
class Opened:
    """What a link leads to."""

    project: str
    thread: str
    #: Position of the last message that is shown.
    up_to: int
    title: str
    created_at: int
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class NewShare:
    """A link that is to be made."""

    token: str
    #: SHA-256 of the token.
    hash: bytes
    title: str
    #: For which it is good; None: until it is revoked.
    seconds: int | None


class Shares:
    """The links of a project's threads."""

    def __init__(self, database: Database, threads: Threads, secrets: SecretBox) -> None:
        """`secrets`: what tokens are encrypted with."""
        self._database, self._threads, self._secrets = database, threads, secrets

    async def add(self, project: str, thread: str, share: NewShare) -> ShareRow:
        """Make a link to a thread as it is.

        Raises:
            NotFound: the project has no such thread.
            InvalidRequest: the thread has no messages, or too many links.
        """
        act = actor()
        values: dict[str, Any] = {
            "id": new_id("share_"),
            "project": project,
            "thread": thread,
            "title": share.title,
            "hash": share.hash,
            "sealed": self._secrets.seal(share.token.encode()),
            "by": act.user if act else None,
            "seconds": share.seconds,
        }
        async with self._database.transaction() as connection:
            if not (await connection.execute(_LOCK, values)).rowcount:
                raise self._threads.not_found(thread)
            await connection.execute(_FORGET, values)
            if await _value(connection, _NUMBER, values) >= MOST_SHARES:
                raise InvalidRequest(f"The thread has {MOST_SHARES} links. Revoke one of them first.")
            values["up_to"] = await _value(connection, _LAST, values)
            if values["up_to"] is None:
                raise InvalidRequest("The thread has no messages that could be shared.")
            row = await (await connection.execute(_ADD, values)).fetchone()
            assert row is not None  # noqa: S101 (it was inserted)
            made = self._share(row)
            details = {"thread_id": thread, "expires_at": made.expires_at}
            await record(connection, Act("thread_share.created", made.id, project, details))
        return made

    async def files(self, project: str, thread: str) -> set[str]:
        """The ids of the files in a thread's messages as they are now."""
        return {row[0] for row in await self._database.rows(_FILES, {"project": project, "thread": thread})}

    async def list(self, project: str, thread: str) -> list[ShareRow]:
        """The links of a thread that are good, newest first.

        Raises:
            NotFound: the project has no such thread.
        """
        await self._threads.get(project, thread)
        return [self._share(row) for row in await self._database.rows(_LIST, {"project": project, "thread": thread})]

    async def delete(self, project: str, thread: str, identifier: str) -> None:
        """Revoke a link. Raises `NotFound`."""
        values = {"project": project, "thread": thread, "id": identifier}
        async with self._database.transaction() as connection:
            if not (await connection.execute(_DELETE, values)).rowcount:
                raise NotFound(f"No share found with id '{identifier}'.")
            await record(connection, Act("thread_share.deleted", identifier, project, {"thread_id": thread}))

    async def open(self, token: bytes) -> Opened:
        """What the link with a token of this hash leads to.

        Raises:
            NotFound: nothing: there is no such link, it was revoked, it is over, or its thread is gone.
        """
        row = await self._database.row(_OPENED, {"hash": token})
        if row is None:
            raise NotFound("This link does not exist, or is no longer good.", code="share_not_found")
        return Opened(*row)

    async def messages(self, share: Opened, *, limit: int, after: str | None) -> tuple[list[Message], bool]:
        """What a link shows, oldest first, and whether there is more."""
        values = {"thread": share.thread, "up_to": share.up_to, "limit": limit + 1, "after": after}
        rows = await self._database.rows(_MESSAGES, values)
        return [Message.model_validate_json(row[0]) for row in rows[:limit]], len(rows) > limit

    async def shows(self, share: Opened, file: str) -> bool:
        """Whether a message that the link shows has a file as a picture, or leads to it."""
        image = [{"image_file": {"file_id": file}}]
        path = [{"text": {"annotations": [{"file_path": {"file_id": file}}]}}]
        values = {
            "thread": share.thread,
            "up_to": share.up_to,
            "file": file,
            "image": orjson.dumps(image).decode(),
            "path": orjson.dumps(path).decode(),
        }
        return await self._database.row(_SHOWS, values) is not None

    def _share(self, row: Row) -> ShareRow:
        identifier, thread, title, sealed, created_at, expires_at, messages = row
        try:
            token = self._secrets.open(bytes(sealed)).decode()
        except SecretUnreadable:
            token = None
        return ShareRow(identifier, thread, title, token, created_at, expires_at, messages)


async def _value(connection: Connection, sql: LiteralString, values: dict[str, Any]) -> Any:
    row = await (await connection.execute(sql, values)).fetchone()
    return row[0] if row else None
