"""Statements that stand in each other's way."""

from __future__ import annotations

import asyncio

from ..harness import Api, Server, eventually


async def test_a_store_is_deleted_while_a_file_of_it_changes(api: Api, server: Server) -> None:
    store = (await api.post("/vector_stores", {}))["id"]
    file = await api.file("Water boils at 100 degrees.")
    await api.post(f"/vector_stores/{store}/files", {"file_id": file})
    await eventually(
        lambda: api.get(f"/vector_stores/{store}/files/{file}"), lambda found: found["status"] == "completed"
    )
    database, values = server.app.state.store.database, {"store": store}
    async with database.transaction() as connection:
        # As whoever completes a file does: first the file, then its store.
        await connection.execute(
            "update vector_store_files set attempts = attempts where vector_store_id = %(store)s", values
        )
        # It is to be the other that is told of the deadlock.
        await connection.execute("set local deadlock_timeout = '1min'")
        deleting = asyncio.create_task(api.call("DELETE", f"/vector_stores/{store}"))
        waits = "select from pg_stat_activity where wait_event_type = 'Lock' and query ilike 'delete%%vector_stores%%'"
        await eventually(lambda: database.rows(waits, {}))
        await connection.execute("update vector_stores set chunks = chunks where id = %(store)s", values)
    assert (await deleting)["deleted"] is True
    await api.refused("GET", f"/vector_stores/{store}", status=404)
