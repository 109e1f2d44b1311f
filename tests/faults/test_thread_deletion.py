"""Deleting a thread while its run is being committed: neither makes the other fail."""

from __future__ import annotations

import asyncio
import time

import psycopg

from retinue.settings import Settings
from retinue.store.store import Store
from retinue.wire.runs import Run, TruncationStrategy
from retinue.wire.threads import Thread


async def _add_run(store: Store) -> None:
    thread = Thread(id="thread_1", created_at=0, metadata={}, tool_resources=None)
    run = Run(
        id="run_1",
        created_at=0,
        thread_id=thread.id,
        assistant_id="asst_1",
        status="queued",
        expires_at=int(time.time()) + 600,
        model="m",
        instructions="",
        truncation_strategy=TruncationStrategy(type="auto"),
    )
    await store.runs.add("proj_default", run, owner="me", thread=thread)


async def test_deletion_waits_for_a_commit_under_way(database: str) -> None:
    store = Store(database, Settings(database_connections=2))
    await store.open()
    watch = await psycopg.AsyncConnection.connect(database, autocommit=True)
    commit = await psycopg.AsyncConnection.connect(database)
    try:
        await _add_run(store)
        # A commit changes the run, then adds what the run has said: the thread's row is needed for that.
        await commit.execute("update runs set lease_owner = 'other' where id = 'run_1'")
        deletion = asyncio.ensure_future(store.threads.delete("proj_default", "thread_1", "thread.deleted"))
        async with asyncio.timeout(10):
            waiting = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
            while not await (await watch.execute(waiting)).fetchone():  # noqa: ASYNC110 (the database's state)
                await asyncio.sleep(0.01)
        await commit.execute(
            "insert into messages (id, project_id, thread_id, position, tokens, body)"
            " values ('msg_1', 'proj_default', 'thread_1', 0, 1, '{}')"
        )
        await commit.commit()
        assert (await deletion).deleted
        assert await (await watch.execute("select 1 from messages")).fetchone() is None
    finally:
        await commit.close()
        await watch.close()
        await store.close()
