"""Assistants, threads and messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import InvalidRequest
from ..wire.assistants import Assistant
from ..wire.messages import Message
from ..wire.threads import Thread
from .database import Database
from .objects import Objects

_ADD_ASSISTANT = "insert into assistants (id, project_id, body) values (%(id)s, %(project)s, %(body)s::jsonb)"

_ADD_THREAD = "insert into threads (id, project_id, body) values (%(id)s, %(project)s, %(body)s::jsonb)"

#: New messages as a table: what both statements below read from.
NEW_MESSAGES = """
    unnest(%(message_ids)s::text[], %(offsets)s::bigint[], %(tokens)s::int[], %(bodies)s::text[])
    as new_message (id, "offset", tokens, body)
"""

_ADD_THREAD_WITH_MESSAGES = f"""
    with thread as (
        insert into threads (id, project_id, body) values (%(id)s, %(project)s, %(body)s::jsonb) returning id
    )
    insert into messages (id, project_id, thread_id, position, tokens, body)
    select new_message.id, %(project)s, thread.id, "offset", tokens, body::jsonb from thread, {NEW_MESSAGES}
"""  # noqa: S608

_ADD_MESSAGES = f"""
    with lock as materialized (
        select active_run, next_position from lock_thread(%(project)s, %(thread)s)
    ), added as (
        insert into messages (id, project_id, thread_id, position, tokens, body)
        select new_message.id, %(project)s, %(thread)s, next_position + "offset", tokens, body::jsonb
        from lock, {NEW_MESSAGES} where active_run is null
    )
    select active_run from lock
"""  # noqa: S608

#: Blocks of messages drop out of the window together, so that the beginning of the prompt stays the same over many
#: turns and the model server's prefix cache keeps hitting.
_WINDOW = """
    with newest as (
        select position, position + tokens as total from messages where thread_id = %(thread)s
        order by position desc limit 1
    ), cut as (
        select least(position, case when total <= %(budget)s then 0
            else (total - %(budget)s + %(block)s - 1) / %(block)s * %(block)s end) as position from newest
    )
    select messages.body from messages, cut
    where thread_id = %(thread)s and project_id = %(project)s and messages.position >= cut.position
    order by messages.position desc limit %(limit)s
"""


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message that is to be added, with its size."""

    message: Message
    #: At least 1.
    tokens: int


def message_columns(messages: Sequence[NewMessage]) -> dict[str, Any]:
    """The parameters that `NEW_MESSAGES` reads: a list for each column."""
    offsets: list[int] = []
    offset = 0
    for new in messages:
        offsets.append(offset)
        offset += new.tokens
    return {
        "message_ids": [new.message.id for new in messages],
        "offsets": offsets,
        "tokens": [new.tokens for new in messages],
        "bodies": [new.message.model_dump_json() for new in messages],
    }


def locked(thread: str, run: str) -> InvalidRequest:
    """The error for a message to a locked thread, in the words that clients match on."""
    return InvalidRequest(f"Can't add messages to {thread} while a run {run} is active.")


class Assistants(Objects[Assistant]):
    """Assistants of a project."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "assistants", Assistant, "assistant")

    async def add(self, project: str, assistant: Assistant) -> None:
        """Keep a new assistant."""
        values = {"id": assistant.id, "project": project, "body": assistant.model_dump_json()}
        await self._database.execute(_ADD_ASSISTANT, values)


class Threads(Objects[Thread]):
    """Threads of a project."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "threads", Thread, "thread")

    async def add(self, project: str, thread: Thread, messages: Sequence[NewMessage] = ()) -> None:
        """Keep a new thread with its first messages, all or nothing."""
        values: dict[str, Any] = {"id": thread.id, "project": project, "body": thread.model_dump_json()}
        if messages:
            await self._database.execute(_ADD_THREAD_WITH_MESSAGES, {**values, **message_columns(messages)})
        else:
            await self._database.execute(_ADD_THREAD, values)


class Messages(Objects[Message]):
    """Messages of a thread."""

    def __init__(self, database: Database, threads: Threads) -> None:
        super().__init__(database, "messages", Message, "message", parent="thread_id")
        self._threads = threads

    async def add(self, project: str, thread: str, messages: Sequence[NewMessage]) -> None:
        """Append messages to a thread, all or nothing.

        Raises:
            NotFound: the project has no such thread.
            InvalidRequest: a run is active on the thread.
        """
        row = await self._database.row(
            _ADD_MESSAGES, {"project": project, "thread": thread, **message_columns(messages)}
        )
        if row is None:
            raise self._threads.not_found(thread)
        if row[0] is not None:
            raise locked(thread, row[0])

    async def window(self, project: str, thread: str, *, budget: int, limit: int = 10_000) -> list[Message]:
        """The newest messages that fit into a budget, oldest first; the newest one always.

        Args:
            project: the run's project.
            thread: the thread's id.
            budget: tokens that the messages may have together.
            limit: the most messages.
        """
        values = {
            "project": project,
            "thread": thread,
            "budget": budget,
            "block": max(1, budget // 4),
            "limit": limit,
        }
        rows = await self._database.rows(_WINDOW, values)
        return [Message.model_validate_json(row[0]) for row in reversed(rows)]
