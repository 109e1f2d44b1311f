"""Leases on a real database: who is told what when a run changes hands or ends."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from retinue.runs.state import change, sources
from retinue.settings import Settings
from retinue.store.runs import Commit
from retinue.store.store import Store
from retinue.wire.runs import Run, TruncationStrategy
from retinue.wire.threads import Thread


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    store = Store(database, Settings(database_connections=2, run_lease=60))
    await store.open()
    yield store
    await store.close()


async def _run(store: Store, number: int) -> str:
    thread = Thread(id=f"thread_{number}", created_at=0, metadata={}, tool_resources=None)
    run = Run(
        id=f"run_{number}",
        created_at=0,
        thread_id=thread.id,
        assistant_id="asst_1",
        status="queued",
        expires_at=int(time.time()) + 600,
        model="m",
        instructions="",
        tools=[],
        metadata={},
        truncation_strategy=TruncationStrategy(type="auto"),
        tool_choice="auto",
        parallel_tool_calls=True,
        response_format="auto",
    )
    await store.runs.add("proj_default", run, owner="me", thread=thread)
    assert await store.runs.claim(run.id, "me", change("in_progress"), sources("in_progress"))
    return run.id


async def test_a_renewal_tells_what_others_took_and_what_is_gone(store: Store) -> None:
    mine, ended, taken, deleted = [await _run(store, number) for number in range(4)]
    # Its driver has committed the end, and will notice by itself: nobody took it away.
    done = Commit(run=ended, project="proj_default", patch=change("completed"), sources=["in_progress"], owner="me")
    assert await store.runs.commit(done)
    await store.database.execute("update runs set lease_owner = 'other' where id = %(id)s", {"id": taken})
    await store.database.execute("delete from runs where id = %(id)s", {"id": deleted})
    statuses = await store.runs.renew("me", [mine, ended, taken, deleted])
    assert statuses == {mine: "in_progress", ended: "completed"}


async def test_a_lease_that_others_took_is_not_renewed(store: Store) -> None:
    taken = await _run(store, 1)
    await store.database.execute(
        "update runs set lease_owner = 'other', lease_expires_at = now() where id = %(id)s", {"id": taken}
    )
    assert await store.runs.renew("me", [taken]) == {}
    assert await store.runs.claim(taken, "third", {}, []) is not None


async def test_letting_go_leaves_what_others_hold(store: Store) -> None:
    mine, other = await _run(store, 1), await _run(store, 2)
    await store.database.execute("update runs set lease_owner = 'other' where id = %(id)s", {"id": other})
    assert await store.runs.release("me") == 1
    assert [orphan.run for orphan in await store.runs.orphans()] == [mine]
    assert await store.runs.claim(other, "third", {}, []) is None
