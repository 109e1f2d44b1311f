"""Chat completions that clients asked to be stored."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import orjson
import structlog

from ..wire.common import ObjectList, WireObject, to_json
from ..wire.stored_completions import StoredCompletion, StoredMessage
from .database import Database
from .objects import HAS_METADATA, Objects, PageQuery

log = structlog.get_logger(__name__)

_ADD = """
    with completion as (
        insert into chat_completions (id, project_id, users, body)
        values (%(id)s, %(project)s, %(users)s, %(body)s::jsonb) returning id
    )
    insert into chat_completion_messages (id, project_id, completion_id, position, body)
    select message_id, %(project)s, completion.id, number, message::jsonb
    from completion, unnest(%(message_ids)s::text[], %(messages)s::text[]) with ordinality
        as new_message (message_id, message, number)
"""

_FORGET = "delete from chat_completions where created_at < now() - %(keep_days)s * interval '1 day'"

#: NUL, escaped as JSON has it: what stands before it is not a backslash that escapes the one seen here.
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


class StoredMessages(Objects[StoredMessage]):
    """The messages that stored chat completions answer; their parents are the completions."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "chat_completion_messages", StoredMessage, "message", parent="completion_id")


class ChatCompletions(Objects[StoredCompletion]):
    """Stored chat completions of a project, each for some days."""

    def __init__(self, database: Database, *, keep_days: float, max_bytes: int) -> None:
        """Describe what is kept.

        Args:
            database: where they are.
            keep_days: days after which they are deleted.
            max_bytes: of a completion, as JSON; a longer one is not kept.
        """
        super().__init__(database, "chat_completions", StoredCompletion, "chat completion")
        self._keep_days = keep_days
        self._max_bytes = max_bytes

    async def add(
        self, project: str, completion: StoredCompletion, messages: Sequence[StoredMessage], users: Sequence[str] = ()
    ) -> None:
        """Keep a completion with the messages that it answers, in their order, unless it is too long.

        Args:
            project: the caller's project.
            completion: the completion.
            messages: the messages that it answers, in their order.
            users: for whom it was asked, as the request says.
        """
        body = _storable(completion)
        if len(body) > self._max_bytes:
            log.warning("chat completion too long to be stored", project=project, id=completion.id, bytes=len(body))
            return
        values = {
            "project": project,
            "id": completion.id,
            "body": body.decode(),
            "users": [user.replace("\x00", "") for user in users],
            "message_ids": [message.id for message in messages],
            "messages": [_storable(message).decode() for message in messages],
        }
        await self._database.execute(_ADD, values)

    async def search(
        self, project: str, query: PageQuery, *, model: str | None, metadata: Mapping[str, str], within: float
    ) -> ObjectList[StoredCompletion]:
        """One page of the project's completions.

        Args:
            project: the caller's project.
            query: which page.
            model: the model that they must name.
            metadata: pairs that they must have.
            within: seconds that it may take.

        Raises:
            InvalidRequest: a cursor names no completion, or the search took too long.
        """
        conditions = ["model = %(model)s"] if model is not None else []
        conditions += [HAS_METADATA] if metadata else []
        values = {"model": model or "", "metadata": orjson.dumps(metadata).decode()}
        return await self.page(project, query, None, " and ".join(conditions), within if conditions else None, **values)

    async def forget_old(self) -> None:
        """Delete completions that need no longer be kept."""
        await self._database.execute(_FORGET, {"keep_days": self._keep_days})


def _storable(value: WireObject) -> bytes:
    """The object as JSON, without the one character that PostgreSQL does not keep: NUL."""
    return _NUL.sub(rb"\1\\ufffd", to_json(value))
