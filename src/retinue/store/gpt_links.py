"""Guest links of GPTs and the conversations that were begun with them, as rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, LiteralString

import orjson

from ..errors import InvalidRequest, NotFound
from ..wire.gpts import GptVersion
from ..wire.gpts_links import GptLinkCreate, GptLinkOptions
from .audit import Act, record
from .database import Database, Row

#: Most links of a GPT.
MOST_LINKS = 100

_TODAY: LiteralString = "(now() at time zone 'utc')::date"
_ADD: LiteralString = f"""
    insert into gpt_links (id, project_id, gpt_id, hash, sealed, body, expires_at, day)
    select %(id)s, %(project)s, id, %(hash)s, %(sealed)s, %(body)s::jsonb,
        now() + %(expires_in)s::float8 * interval '1 second', {_TODAY}
    from gpts where id = %(gpt)s and project_id = %(project)s
        and (select count(*) from gpt_links where gpt_id = %(gpt)s) < %(most)s
    returning id
"""  # noqa: S608
_USED: LiteralString = f"""
    conversations, case when day = {_TODAY} then messages else 0 end, case when day = {_TODAY} then spent else 0 end
"""
_LINK = f"""
    gpt_links.id, gpt_links.gpt_id, sealed, gpt_links.body, (gpt_links.body ->> 'created_at')::bigint,
    extract(epoch from expires_at)::bigint, {_USED}
"""
_LIST = f"""
    select {_LINK} from gpt_links where gpt_id = %(gpt)s and project_id = %(project)s order by position desc
"""  # noqa: S608
_GET = f"""
    select {_LINK} from gpt_links where gpt_id = %(gpt)s and project_id = %(project)s and id = %(id)s
"""  # noqa: S608
_DELETE = "delete from gpt_links where gpt_id = %(gpt)s and project_id = %(project)s and id = %(id)s returning id"
#: What was published last: that is what guests talk with.
_FIND = """
    select gpt_links.id, gpt_links.project_id, gpt_links.gpt_id, gpt_links.body, gpt_versions.body
    from gpt_links
        join gpts on gpts.id = gpt_links.gpt_id
        join gpt_versions on gpt_versions.gpt_id = gpts.id and gpt_versions.number = gpts.version
        join projects on projects.id = gpt_links.project_id
    where gpt_links.hash = %(hash)s and (expires_at is null or expires_at > now()) and archived_at is null
        and gpts.hidden is null
"""
_BEGIN = """
    with counted as (
        update gpt_links set conversations = conversations + 1
        where id = %(link)s and conversations < %(most)s returning id
    )
    insert into guest_conversations (id, link_id, thread_id, secret)
    select %(id)s, id, %(thread)s, %(secret)s from counted returning id
"""
_THREAD = """
    select thread_id from guest_conversations where id = %(id)s and link_id = %(link)s and secret = %(secret)s
"""
_LOCK_LINK: LiteralString = f"select {_USED} from gpt_links where id = %(link)s for update"  # noqa: S608
_LOCK_CONVERSATION = """
    select messages, busy_until > now() from guest_conversations
    where id = %(id)s and link_id = %(link)s and secret = %(secret)s for update
"""
_COUNT_LINK: LiteralString = f"""
    update gpt_links set messages = %(messages)s + 1, spent = %(spent)s, day = {_TODAY} where id = %(link)s
"""  # noqa: S608
_COUNT_CONVERSATION = """
    update guest_conversations set messages = messages + 1,
        busy_until = now() + %(seconds)s::float8 * interval '1 second'
    where id = %(id)s
"""
_DONE = "update guest_conversations set busy_until = null where id = %(id)s"
_SPENT = f"""
    update gpt_links set spent = case when day = {_TODAY} then spent else 0 end + %(spent)s,
        messages = case when day = {_TODAY} then messages else 0 end, day = {_TODAY} where id = %(link)s
"""  # noqa: S608

#: Why a guest may not write now.
Refusal = Literal["busy", "conversation", "day", "spend"]


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A link, as those who edit the GPT see it."""

    id: str
    gpt: str
    sealed: bytes
    options: GptLinkOptions
    created_at: int
    expires_at: int | None
    conversations: int
    messages_today: int
    #: Nano-dollars.
    spent_today: int


@dataclass(frozen=True, slots=True)
class OpenLink:
    """A live link that somebody has opened."""

    id: str
    project: str
    gpt: str
    options: GptLinkOptions
    published: GptVersion


class GptLinks:
    """Links, and conversations. Tokens and secrets come here as hashes, or encrypted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, project: str, gpt: str, identifier: str, *, token: tuple[bytes, bytes], body: GptLinkCreate, now: int
    ) -> None:
        """Keep a new link.

        Args:
            project: the GPT's project.
            gpt: the GPT's id.
            identifier: the link's.
            token: its hash, and itself encrypted.
            body: what it allows.
            now: the time in seconds.

        Raises:
            InvalidRequest: the GPT has too many.
        """
        values: dict[str, Any] = {
            "id": identifier,
            "project": project,
            "gpt": gpt,
            "hash": token[0],
            "sealed": token[1],
            "expires_in": body.expires_in,
            "most": MOST_LINKS,
            "body": orjson.dumps({"created_at": now, **body.model_dump(exclude={"expires_in"})}).decode(),
        }
        async with self._database.transaction() as connection:
            if await (await connection.execute(_ADD, values)).fetchone() is None:
                raise InvalidRequest(f"A GPT has at most {MOST_LINKS} guest links. Delete one that is not needed.")
            await record(connection, Act("gpt_link.created", identifier, project, {"gpt_id": gpt, "name": body.name}))

    async def all(self, project: str, gpt: str) -> list[LinkRow]:
        """The links of a GPT, newest first."""
        return [_link(row) for row in await self._database.rows(_LIST, {"project": project, "gpt": gpt})]

    async def get(self, project: str, gpt: str, identifier: str) -> LinkRow:
        """One link. Raises `NotFound`."""
        row = await self._database.row(_GET, {"project": project, "gpt": gpt, "id": identifier})
        if row is None:
            raise NotFound(f"No guest link found with id '{identifier}'.")
        return _link(row)

    async def delete(self, project: str, gpt: str, identifier: str) -> None:
        """Delete a link: whoever has it is let in no more. Raises `NotFound`."""
        values = {"project": project, "gpt": gpt, "id": identifier}
        async with self._database.transaction() as connection:
            if await (await connection.execute(_DELETE, values)).fetchone() is None:
                raise NotFound(f"No guest link found with id '{identifier}'.")
            await record(connection, Act("gpt_link.deleted", identifier, project, {"gpt_id": gpt}))

    async def find(self, digest: bytes) -> OpenLink | None:
        """The live link with this hash, of a GPT that is published and that nobody has hidden."""
        row = await self._database.row(_FIND, {"hash": digest})
        if row is None:
            return None
        identifier, project, gpt, body, version = row
        return OpenLink(identifier, project, gpt, _options(body), GptVersion.model_validate_json(version))

    async def begin(self, link: OpenLink, conversation: str, thread: str, secret: bytes) -> bool:
        """Keep a new conversation on a thread that is there; False where the link has had all that it may have."""
        most = link.options.max_conversations
        values = {"link": link.id, "id": conversation, "thread": thread, "secret": secret, "most": most}
        return await self._database.row(_BEGIN, values) is not None

    async def thread(self, link: OpenLink, conversation: str, secret: bytes) -> str | None:
        """The thread of a conversation, for whoever has its secret."""
        values = {"link": link.id, "id": conversation, "secret": secret}
        row = await self._database.row(_THREAD, values)
        return row[0] if row else None

    async def take(self, link: OpenLink, conversation: str, secret: bytes, seconds: float) -> Refusal | None:
        """Count a message, and let nobody else write in the conversation until `done`, or for so many seconds.

        Returns:
            Why it may not be written; None: it may. A conversation that is gone counts as busy.
        """
        values: dict[str, Any] = {"link": link.id, "id": conversation, "secret": secret, "seconds": seconds}
        async with self._database.transaction() as connection:
            of_link = await (await connection.execute(_LOCK_LINK, values)).fetchone()
            of_conversation = await (await connection.execute(_LOCK_CONVERSATION, values)).fetchone()
            if of_link is None or of_conversation is None:
                return "busy"
            (_, today, spent), (written, busy) = of_link, of_conversation
            if busy:
                return "busy"
            if written >= link.options.max_messages:
                return "conversation"
            if today >= link.options.max_messages_per_day:
                return "day"
            if link.options.max_spend_per_day is not None and spent >= link.options.max_spend_per_day * 10**9:
                return "spend"
            await connection.execute(_COUNT_LINK, {**values, "messages": today, "spent": spent})
            await connection.execute(_COUNT_CONVERSATION, values)
        return None

    async def done(self, link: OpenLink, conversation: str, spent: int) -> None:
        """The answer is there, or will not come; it has cost so many nano-dollars."""
        await self._database.execute(_DONE, {"id": conversation})
        if spent:
            await self._database.execute(_SPENT, {"link": link.id, "spent": spent})


def _options(body: bytes) -> GptLinkOptions:
    kept = {name: value for name, value in orjson.loads(body).items() if name in GptLinkOptions.model_fields}
    return GptLinkOptions(**kept)


def _link(row: Row) -> LinkRow:
    identifier, gpt, sealed, body, *others = row
    return LinkRow(identifier, gpt, bytes(sealed), _options(body), *others)
