"""Webhooks while processes are killed, stopped and doubled: every event arrives, with the same id however often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from tests.faults.harness import Client, Json, Site, client_of, until
from tests.scripted import ScriptedUpstream
from tests.webhooks import Receiver, receiving

SETTINGS: dict[str, Any] = {
    "RETINUE_EGRESS_ALLOW": '["127.0.0.1"]',
    "RETINUE_WEBHOOK_TIMEOUT": 1,
    "RETINUE_WEBHOOK_RETRY_AFTER": 0.1,
}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that does not answer yet."""
    async with receiving() as receiver:
        receiver.open.clear()
        yield receiver


async def endpoint(client: Client, receiver: Receiver, *event_types: str) -> Json:
    body = {"name": "Test", "url": receiver.url, "event_types": list(event_types)}
    return await client.post("/webhook_endpoints", body)


async def delivered(client: Client, made: Json, number: int) -> list[Json]:
    """The deliveries to an endpoint, once so many have arrived."""

    async def all_delivered() -> list[Json] | None:
        answer = await client.ask("GET", f"/webhook_endpoints/{made['id']}/deliveries?limit=100")
        if answer.status == 503:
            return None
        found = answer.body["data"]
        return found if len([one for one in found if one["status"] == "delivered"]) >= number else None

    return await until(all_delivered)


async def test_a_server_killed_while_it_delivers(site: Site, upstream: ScriptedUpstream, receiver: Receiver) -> None:
    server = await site.serve(**SETTINGS)
    async with client_of(server) as client:
        made = await endpoint(client, receiver, "thread.run.completed")
        await client.becomes(await client.run(await client.assistant()), "completed")
        await receiver.until(1)
        await server.kill()
    receiver.open.set()
    async with client_of(await site.serve(**SETTINGS)) as client:
        (found,) = await delivered(client, made, 1)
    assert len(receiver.ids) >= 2
    assert set(receiver.ids) == {found["event"]["id"]}
    assert found["attempts"] == len(receiver.ids)


async def test_a_server_stopped_while_it_delivers(site: Site, upstream: ScriptedUpstream, receiver: Receiver) -> None:
    # So long a timeout that only a claim that was let go of explains the second attempt.
    patient = SETTINGS | {"RETINUE_WEBHOOK_TIMEOUT": 300}
    server = await site.serve(**patient)
    async with client_of(server) as client:
        made = await endpoint(client, receiver, "thread.run.completed")
        await client.becomes(await client.run(await client.assistant()), "completed")
        await receiver.until(1)
    assert await server.end() == 0
    receiver.open.set()
    async with client_of(await site.serve(**patient)) as client:
        (found,) = await delivered(client, made, 1)
    assert receiver.ids == [found["event"]["id"]] * 2


async def test_several_processes_deliver_each_event_once(
    site: Site, upstream: ScriptedUpstream, receiver: Receiver
) -> None:
    receiver.open.set()
    server, _ = await asyncio.gather(site.serve(**SETTINGS), site.serve(**SETTINGS))
    await site.worker(**SETTINGS)
    async with client_of(server) as client:
        made = await endpoint(client, receiver, "*")
        assistant = await client.assistant()
        runs = await asyncio.gather(*(client.run(assistant) for _ in range(20)))
        for run in runs:
            await client.becomes(run, "completed")
        found = await delivered(client, made, 60)
    assert sorted(receiver.ids) == sorted(one["event"]["id"] for one in found)
    assert {one["attempts"] for one in found} == {1}


async def test_a_worker_delivers_for_a_server_that_does_not(
    site: Site, upstream: ScriptedUpstream, receiver: Receiver
) -> None:
    receiver.open.set()
    server = await site.serve(RETINUE_SERVE_WORKER="false", **SETTINGS)
    await site.worker(**SETTINGS)
    async with client_of(server) as client:
        made = await endpoint(client, receiver, "thread.run.completed")
        await client.becomes(await client.run(await client.assistant()), "completed")
        # The secret's key lies in the data folder, which both share.
        await delivered(client, made, 1)


async def test_connections_to_the_database_that_break(
    site: Site, upstream: ScriptedUpstream, receiver: Receiver, database: str
) -> None:
    server = await site.serve(**SETTINGS)
    async with client_of(server) as client:
        made = await endpoint(client, receiver, "*")
        await client.becomes(await client.run(await client.assistant()), "completed")
        await receiver.until(1)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where pid <> pg_backend_pid() and datname = current_database()"
        )
    receiver.open.set()
    async with client_of(server) as client:
        found = await delivered(client, made, 3)
    assert {one["event"]["id"] for one in found} == set(receiver.ids)
