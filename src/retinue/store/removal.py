"""Threads, runs and agents taken away with all that only they have: messages, steps, files, stores, deliveries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from .conversations import DELETED
from .database import Connection

#: The first lock is the one that writers take; the second waits for a commit of an active run that is under way, which
#: will need the thread: see `conversations`.
_LOCK: LiteralString = """
    with thread as materialized (
        select id from threads where id = any(%(threads)s) and project_id = %(project)s for no key update
    ), held as materialized (
        select runs.id from thread join runs on runs.thread_id = thread.id
        where status in ('queued', 'in_progress', 'requires_action', 'cancelling') for update of runs
    )
    select (select count(*) from thread), (select count(*) from held)
"""

_MESSAGES = "(messages.thread_id = any(%(threads)s) or messages.id = any(%(messages)s))"
_RUNS = "(runs.thread_id = any(%(threads)s) or runs.id = any(%(runs)s))"

#: What came with the messages, or was made for them.
_NAMED: LiteralString = f"""
    select array(
        select unnest(resources_of(body)) from threads where id = any(%(threads)s) and project_id = %(project)s
        union select unnest(files_of_message(body)) from messages where {_MESSAGES} and project_id = %(project)s
        union select image #>> '{{}}' from runs join steps on steps.run_id = runs.id, jsonb_path_query(
            steps.body, '$.step_details.tool_calls[*].code_interpreter.outputs[*].image.file_id'
        ) as image where {_RUNS} and runs.project_id = %(project)s
    )
"""  # noqa: S608

#: Whether other threads, or assistants, have something for their tools.
_FOR_TOOLS = """
    exists (
        select from threads where project_id = %(project)s and threads.id <> all(%(threads)s)
            and jsonb_path_exists(body, '$.tool_resources.*.*[*]') and resources_of(body) && array[{table}.id]
    ) or exists (
        select from assistants where project_id = %(project)s
            and jsonb_path_exists(body, '$.tool_resources.*.*[*]') and resources_of(body) && array[{table}.id]
    )
"""

_STORES: LiteralString = f"""
    select array(
        select id from vector_stores where id = any(%(named)s) and project_id = %(project)s
            and not ({_FOR_TOOLS.format(table="vector_stores")})
    )
"""  # noqa: S608

_FILES: LiteralString = f"""
    select array(
        select id from files
        where project_id = %(project)s and (id = any(%(named)s) or id in (
            select id from vector_store_files where vector_store_id = any(%(stores)s)
        )) and not exists (
            select from vector_store_files as kept
            where kept.id = files.id and kept.vector_store_id <> all(%(stores)s)
        ) and not exists (
            select from messages where not {_MESSAGES} and project_id = %(project)s
                and jsonb_path_exists(body, '$.**.file_id') and files_of_message(body) && array[files.id]
        ) and not ({_FOR_TOOLS.format(table="files")})
    )
"""  # noqa: S608

#: What is told of the objects themselves; that a file is deleted is told afterwards.
_DELIVERIES: LiteralString = """
    delete from webhook_deliveries where project_id = %(project)s and (
        body #>> '{event,data,thread_id}' = any(%(threads)s) or body #>> '{event,data,id}' = any(%(runs)s)
        or body #>> '{event,data,id}' = any(%(files)s)
    )
"""

#: Agents with all that they have started, by the first of each line, and what is told of them.
AGENTS = """
    with roots as ({roots}), gone as (
        delete from agents using roots where agents.root_id = roots.id returning agents.id
    ), untold as (
        delete from webhook_deliveries using gone where body #>> '{{event,data,id}}' = gone.id
    )
    select id from gone
"""

_COUNT: LiteralString = f"""
    select (select count(*) from messages where {_MESSAGES} and project_id = %(project)s),
        (select count(*) from runs where {_RUNS} and project_id = %(project)s),
        (select count(*) from runs join steps on steps.run_id = runs.id
            where {_RUNS} and runs.project_id = %(project)s),
        (select count(*) from thread_shares where thread_id = any(%(threads)s) and project_id = %(project)s)
"""  # noqa: S608

_THREADS: LiteralString = f"""
    with gone as (delete from threads where id = any(%(threads)s) and project_id = %(project)s returning id)
    select pg_notify('{DELETED}', %(project)s || ' ' || id) from gone
"""  # noqa: S608

_DELETE: tuple[LiteralString, ...] = (
    "delete from runs where id = any(%(runs)s) and project_id = %(project)s",
    "delete from messages where id = any(%(messages)s) and project_id = %(project)s",
    _THREADS,
    "delete from vector_stores where id = any(%(stores)s) and project_id = %(project)s",
    # It would remember the file's name for a while.
    "delete from uploads where file_id = any(%(files)s) and project_id = %(project)s",
    """
    with gone as (delete from files where id = any(%(files)s) and project_id = %(project)s returning id)
    insert into loose_blobs (key, due_at) select 'files/' || id, now() from gone
    """,
)


@dataclass(frozen=True, slots=True)
class Doomed:
    """What is to go: whole threads, and of others some runs and messages."""

    threads: Sequence[str] = ()
    runs: Sequence[str] = ()
    messages: Sequence[str] = ()


async def lock(connection: Connection, project: str, thread: str) -> int | None:
    """Keep a thread as it is until the transaction ends; says how many runs are active on it. None if it is gone."""
    row = await (await connection.execute(_LOCK, {"project": project, "threads": [thread]})).fetchone()
    return int(row[1]) if row and row[0] else None


async def remove(connection: Connection, project: str, doomed: Doomed) -> Counter[str]:
    """Delete objects with what nobody else has. What is in the files is loose then: the sweep deletes it.

    Args:
        connection: in a transaction, to which all this belongs; whole threads are locked in it.
        project: whose they are.
        doomed: what is to go.

    Returns:
        How many objects of each kind are gone.
    """
    values: dict[str, Any] = {
        "project": project,
        "threads": list(doomed.threads),
        "runs": list(doomed.runs),
        "messages": list(doomed.messages),
    }
    values["named"] = await _value(connection, _NAMED, values)
    values["stores"] = await _value(connection, _STORES, values)
    values["files"] = await _value(connection, _FILES, values)
    row = await (await connection.execute(_COUNT, values)).fetchone()
    assert row is not None  # noqa: S101 (counts are one row)
    deliveries = await connection.execute(_DELIVERIES, values)
    for statement in _DELETE:
        await connection.execute(statement, values)
    counts = {
        "threads": len(doomed.threads),
        "messages": row[0],
        "runs": row[1],
        "run_steps": row[2],
        "thread_shares": row[3],
        "vector_stores": len(values["stores"]),
        "files": len(values["files"]),
        "webhook_deliveries": deliveries.rowcount,
    }
    return Counter({kind: count for kind, count in counts.items() if count})


async def _value(connection: Connection, sql: LiteralString, values: dict[str, Any]) -> Any:
    row = await (await connection.execute(sql, values)).fetchone()
    return row[0] if row else None
