"""Assistants, threads and messages."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ..errors import InvalidRequest
from ..wire.assistants import Assistant
from ..wire.common import Deleted, ObjectList
from ..wire.messages import Message
from ..wire.threads import Thread
from .database import Database
from .gpts import ASSISTANT_PREFIX
from .objects import HAS_METADATA, Objects, PageQuery, gave_up

#: The files of assistants: the code interpreter's, and those in their vector stores.
_ASSISTANTS_FILES = """
    with counted as materialized (
        select body -> 'tool_resources' as resources from assistants
        where project_id = %(project)s and (not %(protected_only)s or body @> '{"protected": true}')
    ), code_files as (
        select jsonb_array_elements_text(resources #> '{code_interpreter,file_ids}') as id from counted
    ), stores as materialized (
        select jsonb_array_elements_text(resources #> '{file_search,vector_store_ids}') as id from counted
    )
"""
_FILES_OF_ASSISTANTS = f"""
    {_ASSISTANTS_FILES}
    select id from code_files where id = any(%(files)s)
    union
    select id from vector_store_files
    where id = any(%(files)s) and project_id = %(project)s and vector_store_id in (select id from stores)
"""  # noqa: S608
_STORE_HAS_FILES_OF_ASSISTANTS = f"""
    {_ASSISTANTS_FILES}
    select true from vector_store_files as one
    where vector_store_id = %(store)s and project_id = %(project)s and (
        id in (select id from code_files)
        or exists (
            select from vector_store_files as other
            where other.id = one.id and other.vector_store_id in (select id from stores)
        )
    )
    limit 1
"""  # noqa: S608
_IS_PROTECTED = """
    select true from assistants where id = %(id)s and project_id = %(project)s and body @> '{"protected": true}'
"""
_ANY_PROTECTED = """
    select true from assistants where project_id = %(project)s and body @> '{"protected": true}' limit 1
"""

_ADD_ASSISTANT = "insert into assistants (id, project_id, body) values (%(id)s, %(project)s, %(body)s::jsonb)"

_ADD_THREAD = "insert into threads (id, project_id, body) values (%(id)s, %(project)s, %(body)s::jsonb)"

#: New messages as a table: what both statements below read from.
NEW_MESSAGES = """
    unnest(%(message_ids)s::text[], %(offsets)s::bigint[], %(tokens)s::int[], %(bodies)s::text[])
    as new_message (id, "offset", tokens, body)
"""

#: The channel on which processes are told of threads that were deleted: project and thread, with a blank between.
DELETED = "thread_deleted"

#: Waits for a commit of an active run that is under way before it takes the thread from under it: the commit holds the
#: run and will need the thread, so that each would wait for the other. The first lock is the one that writers take.
_DELETE_THREAD = f"""
    with thread as materialized (
        select id from threads where id = %(id)s and project_id = %(project)s for no key update
    ), held as materialized (
        select runs.id from thread join runs on runs.thread_id = thread.id
        where status in ('queued', 'in_progress', 'requires_action', 'cancelling') for update of runs
    )
    delete from threads where id = %(id)s and project_id = %(project)s and (select count(*) from held) >= 0
    returning id, pg_notify('{DELETED}', project_id || ' ' || id)
"""  # noqa: S608

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

#: As above; where a run is active the messages wait for its end, unless too many do already.
_ADD_OR_QUEUE_MESSAGES = f"""
    with lock as materialized (
        select active_run, next_position, next_in_queue, queued from lock_thread_and_run(%(project)s, %(thread)s)
    ), added as (
        insert into messages (id, project_id, thread_id, position, queue_position, tokens, body)
        select new_message.id, %(project)s, %(thread)s, case when active_run is null then next_position + "offset" end,
            case when active_run is not null then next_in_queue + "offset" end, tokens, body::jsonb
        from lock, {NEW_MESSAGES} where active_run is null or queued < %(most)s
    )
    select active_run is not null and queued >= %(most)s from lock
"""  # noqa: S608

_HAS_WORDS = """
    id in (
        select thread_id from messages where project_id = %(project)s and position is not null
            and search_words(message_text(body)) @@ search_query(%(words)s)
        union
        select id from threads where project_id = %(project)s and body #>> '{metadata,title}' is not null
            and search_words(body #>> '{metadata,title}') @@ search_query(%(words)s)
    )
"""

#: When each thread was used last: when its newest message was made, or the thread.
_USED = """
    select id, position, body, coalesce((
        select (messages.body ->> 'created_at')::bigint from messages
        where messages.thread_id = threads.id and messages.position is not null
        order by messages.position desc limit 1
    ), (body ->> 'created_at')::bigint) as used
    from threads where project_id = %(project)s and {where}
"""

#: The copy of a thread, with its messages up to one of them. What a run is still writing is left out, and so are the
#: runs: their names in the messages would lead nowhere.
_FORK = """
    with source as (
        select body from threads where id = %(source)s and project_id = %(project)s
    ), last as (
        select position from messages where id = %(last)s and thread_id = %(source)s and position is not null
    ), fork as (
        insert into threads (id, project_id, body)
        select %(fork)s, %(project)s, body || %(patch)s::jsonb from source
        where %(last)s::text is null or exists (select from last)
        returning body
    ), copies as materialized (
        select new_id('msg_') as id, position, tokens, body from messages
        where thread_id = %(source)s and project_id = %(project)s and position is not null
            and position <= coalesce((select position from last), position) and body ->> 'status' <> 'in_progress'
    ), copied as (
        insert into messages (id, project_id, thread_id, position, tokens, body)
        select id, %(project)s, %(fork)s, position, tokens,
            body || jsonb_build_object('id', id, 'thread_id', %(fork)s::text, 'run_id', null)
        from copies where exists (select from fork)
        order by position
    )
    select (select body from fork) from source
"""

#: Blocks of messages drop out of the window together, so that the beginning of the prompt stays the same over many
#: turns and the model server's prefix cache keeps hitting.
_WINDOW = """
    with newest as (
        select position, position + tokens as total from messages
        where thread_id = %(thread)s and position is not null order by position desc limit 1
    ), cut as (
        select least(position, case when total <= %(budget)s then 0
            else (total - %(budget)s + %(block)s - 1) / %(block)s * %(block)s end) as position from newest
    )
    select messages.body from messages, cut
    where thread_id = %(thread)s and project_id = %(project)s and messages.position >= cut.position
    order by messages.position desc limit %(limit)s
"""


#: Where the newest message of then is gone, its time tells what came before.
_UPTO = """
    with newest as (
        select position from messages where id = %(newest)s and thread_id = %(thread)s and position is not null
    )
    select body from messages
    where thread_id = %(thread)s and project_id = %(project)s and position is not null
        and case when exists (select from newest) then position <= (select position from newest)
            else (body ->> 'created_at')::bigint <= %(at)s end
    order by position desc limit %(count)s
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


def queue_full(thread: str, most: int) -> InvalidRequest:
    """The error for a message to a locked thread for which too many wait already."""
    return InvalidRequest(
        f"{most} messages wait already for the end of the active run of {thread}, and no more may.",
        code="message_queue_full",
    )


def locked(thread: str, run: str) -> InvalidRequest:
    """The error for a message to a locked thread, in the words that clients match on."""
    return InvalidRequest(f"Can't add messages to {thread} while a run {run} is active.")


class Assistants(Objects[Assistant]):
    """Assistants of a project."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "assistants", Assistant, "assistant", listed="gpt_id is null")

    async def add(self, project: str, assistant: Assistant) -> None:
        """Keep a new assistant."""
        values = {"id": assistant.id, "project": project, "body": assistant.model_dump_json()}
        await self._database.execute(_ADD_ASSISTANT, values)

    async def patch(self, project: str, identifier: str, patch: dict[str, Any], parent: str | None = None) -> Assistant:
        """As of all objects. Raises `InvalidRequest` where it is a GPT's."""
        _require_free(identifier)
        return await super().patch(project, identifier, patch, parent)

    async def delete(self, project: str, identifier: str, kind: str, parent: str | None = None) -> Deleted:
        """As of all objects. Raises `InvalidRequest` where it is a GPT's."""
        _require_free(identifier)
        return await super().delete(project, identifier, kind, parent)

    async def files_of_any(self, project: str, files: Collection[str], *, protected_only: bool) -> set[str]:
        """Those of some files that an assistant of the project works with, or has in a vector store.

        Args:
            project: the caller's project.
            files: ids.
            protected_only: whether only protected assistants count.
        """
        values = {"project": project, "files": list(files), "protected_only": protected_only}
        return {row[0] for row in await self._database.rows(_FILES_OF_ASSISTANTS, values)}

    async def has_files_in(self, project: str, vector_store: str, *, protected_only: bool) -> bool:
        """Whether a vector store has a file that an assistant works with; otherwise as `files_of_any`."""
        values = {"project": project, "store": vector_store, "protected_only": protected_only}
        return bool(await self._database.row(_STORE_HAS_FILES_OF_ASSISTANTS, values))

    async def is_protected(self, project: str, assistant: str) -> bool:
        """Whether the project has this assistant, and it is protected."""
        return bool(await self._database.row(_IS_PROTECTED, {"project": project, "id": assistant}))

    async def any_protected(self, project: str) -> bool:
        """Whether an assistant of the project is protected."""
        return bool(await self._database.row(_ANY_PROTECTED, {"project": project}))


def _require_free(identifier: str) -> None:
    if identifier.startswith(ASSISTANT_PREFIX):
        raise InvalidRequest(
            f"The assistant '{identifier}' is a GPT's. Change or delete the GPT.", code="gpt_assistant"
        )


class Threads(Objects[Thread]):
    """Threads of a project."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "threads", Thread, "thread")
        self._delete = _DELETE_THREAD

    async def add(self, project: str, thread: Thread, messages: Sequence[NewMessage] = ()) -> None:
        """Keep a new thread with its first messages, all or nothing."""
        values: dict[str, Any] = {"id": thread.id, "project": project, "body": thread.model_dump_json()}
        if messages:
            await self._database.execute(_ADD_THREAD_WITH_MESSAGES, {**values, **message_columns(messages)})
        else:
            await self._database.execute(_ADD_THREAD, values)

    async def search(
        self,
        project: str,
        query: PageQuery,
        *,
        metadata: Mapping[str, str],
        words: str | None,
        within: float,
        by_use: bool = False,
    ) -> ObjectList[Thread]:
        """One page of the project's threads.

        Args:
            project: the caller's project.
            query: which page.
            metadata: pairs that a thread must have.
            words: text whose words a message of the thread must have, or its title, each as the beginning of a word.
            within: seconds that it may take.
            by_use: whether they are ordered by when they were used last, instead of by when they were made.

        Raises:
            InvalidRequest: a cursor names no thread, or the search took too long.
        """
        conditions = [HAS_METADATA] if metadata else []
        conditions += [_HAS_WORDS] if words is not None else []
        values = {"metadata": orjson.dumps(metadata).decode(), "words": words or ""}
        if by_use:
            return await self._by_use(project, query, " and ".join(["true", *conditions]), within, values)
        return await self.page(project, query, None, " and ".join(conditions), within if conditions else None, **values)

    async def _by_use(
        self, project: str, query: PageQuery, where: str, within: float, values: Mapping[str, str]
    ) -> ObjectList[Thread]:
        """As `page`, in the order in which the threads were used last; each says when."""
        backwards = bool(query.before) and not query.after
        ascending = (query.order == "asc") != backwards
        parameters: dict[str, Any] = {**values, "project": project, "limit": query.limit + 1}
        conditions = ["true"]
        forward = ">" if query.order == "asc" else "<"
        for name, identifier, direction in (
            ("after", query.after, forward),
            ("before", query.before, "<" if forward == ">" else ">"),
        ):
            if identifier:
                await self._cursor(project, name, identifier, None)
                parameters[name] = identifier
                conditions.append(f"(used, position) {direction} (select used, position from {name}_one)")  # noqa: S608
        cursor = _USED.format(where="id = %({name})s")
        towards = "asc" if ascending else "desc"
        sql = f"""
            with used as ({_USED.format(where=where)}),
                after_one as ({cursor.format(name="after")}), before_one as ({cursor.format(name="before")})
            select body, used from used where {" and ".join(conditions)}
            order by used {towards}, position {towards} limit %(limit)s
        """  # noqa: S608
        parameters = {"after": None, "before": None, **parameters}
        try:
            rows = await self._database.rows(sql, parameters, within)
        except TimeoutError as error:
            raise gave_up(within) from error
        found = [Thread.model_validate_json(row[0]).model_copy(update={"last_used_at": row[1]}) for row in rows]
        shown = found[: query.limit]
        shown = shown[::-1] if backwards else shown
        first, last = (shown[0].id, shown[-1].id) if shown else ("", "")
        return ObjectList[Thread](data=shown, first_id=first, last_id=last, has_more=len(found) > query.limit)

    async def fork(self, project: str, source: str, identifier: str, patch: dict[str, Any], last: str | None) -> Thread:
        """Copy a thread with its messages, which get new ids. Its runs stay behind, and messages still being written.

        Args:
            project: the caller's project.
            source: the thread to copy.
            identifier: the copy's id.
            patch: top-level fields in which the copy differs.
            last: id of the last message to copy; None copies all.

        Raises:
            NotFound: the project has no such thread.
            InvalidRequest: the thread has no such message.
        """
        values = {
            "project": project,
            "source": source,
            "fork": identifier,
            "patch": orjson.dumps({**patch, "id": identifier}).decode(),
            "last": last,
        }
        row = await self._database.row(_FORK, values)
        if row is None:
            raise self.not_found(source)
        if row[0] is None:
            raise InvalidRequest(
                f"Invalid 'message_id': no message found with id '{last}' in {source}.", param="message_id"
            )
        return Thread.model_validate_json(row[0])


class Messages(Objects[Message]):
    """Messages of a thread."""

    def __init__(self, database: Database, threads: Threads) -> None:
        # A message without a position waits for the end of a run: it is not in the thread yet.
        super().__init__(database, "messages", Message, "message", parent="thread_id", listed="position is not null")
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

    async def add_or_queue(self, project: str, thread: str, messages: Sequence[NewMessage], *, most: int) -> None:
        """Append messages to a thread: now, or in the transaction in which its active run ends.

        Args:
            project: the caller's project.
            thread: the thread's id.
            messages: the messages.
            most: how many may wait on the thread at once.

        Raises:
            NotFound: the project has no such thread.
            InvalidRequest: too many messages wait already.
        """
        values = {"project": project, "thread": thread, "most": most, **message_columns(messages)}
        row = await self._database.row(_ADD_OR_QUEUE_MESSAGES, values)
        if row is None:
            raise self._threads.not_found(thread)
        if row[0]:
            raise queue_full(thread, most)

    async def upto(self, project: str, thread: str, newest: str, *, at: int, count: int) -> list[Message]:
        """The messages of a thread as they stood at some time, as far as they are there still, oldest first.

        Args:
            project: the run's project.
            thread: the thread's id.
            newest: the id of the newest message then.
            at: when, in seconds: tells which was the newest where that one is gone.
            count: how many, at most 10,000.
        """
        values = {"project": project, "thread": thread, "newest": newest, "at": at, "count": min(count, 10_000)}
        return [Message.model_validate_json(row[0]) for row in reversed(await self._database.rows(_UPTO, values))]

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
