"""SIGTERM: streams are told, leases let go of, and the next server goes on at once."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from tests.faults.harness import Client, Json, Site, client_of, until
from tests.scripted import Reply, ScriptedUpstream


async def test_a_stopped_server_tells_its_streams_and_lets_go(site: Site, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(chunks=["Half "], hang=True), Reply(chunks=["Half "], hang=True))
    # Nothing here may wait for a lease: one outlasts the test.
    server = await site.serve(RETINUE_RUN_LEASE=600)
    heard: list[tuple[str, Any]] = []
    async with client_of(server) as client:
        assistant = await client.assistant()
        polled = await client.run(assistant)
        listener = asyncio.create_task(_listen(client, assistant, heard))
        await until(lambda: _holds(heard, "thread.message.delta"))
        assert await server.end() == 0
        assert "graceful shutdown exceeded" not in server.log, "it waited for its streams"
        await listener
    assert [name for name, _ in heard[-2:]] == ["error", "done"]
    streamed = next(data for name, data in heard if name == "thread.run.created")
    async with client_of(await site.serve(RETINUE_RUN_LEASE=600)) as client:
        for run in (polled, streamed):
            await client.becomes(run, "completed")
            assert await client.answers(run) == [("completed", "Hello")]


async def _listen(client: Client, assistant: str, heard: list[tuple[str, Any]]) -> None:
    thread = {"messages": [{"role": "user", "content": "Hello"}]}
    async with client.stream("/threads/runs", {"assistant_id": assistant, "thread": thread}) as events:
        async for event in events:
            heard.append(event)


async def _holds(heard: list[tuple[str, Any]], name: str) -> bool:
    return any(event == name for event, _ in heard)


async def test_a_stopped_worker_lets_go(site: Site, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(chunks=["Half "], hang=True))
    server = await site.serve(RETINUE_SERVE_WORKER="false", RETINUE_RUN_LEASE=600)
    worker = await site.worker(RETINUE_RUN_LEASE=600)
    async with client_of(server) as client:
        run = await client.run(await client.assistant())
        await upstream.wait_for_requests(1)
        assert await worker.end() == 0
        await site.worker(RETINUE_RUN_LEASE=600)
        await client.becomes(run, "completed")
        assert await client.answers(run) == [("completed", "Hello")]


async def test_a_client_that_hangs_up_stops_the_stream_not_the_run(site: Site, upstream: ScriptedUpstream) -> None:
    more = asyncio.Event()
    upstream.script(Reply(chunks=["Half ", more, "and whole"]))
    async with client_of(await site.serve()) as client:
        assistant = await client.assistant()
        thread = {"messages": [{"role": "user", "content": "Hello"}]}
        run: Json = {}
        async with client.stream("/threads/runs", {"assistant_id": assistant, "thread": thread}) as events:
            async for name, data in events:
                if name == "thread.run.created":
                    run = data
                if name == "thread.message.delta":
                    break
        more.set()
        await client.becomes(run, "completed")
        assert await client.answers(run) == [("completed", "Half and whole")]


async def test_runs_asked_for_while_it_stops_are_not_lost(site: Site, upstream: ScriptedUpstream) -> None:
    server = await site.serve()
    runs: list[Json] = []
    async with client_of(server) as client:
        assistant = await client.assistant()

        async def ask() -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while True:
                    runs.append(await client.run(assistant))

        asking = [asyncio.create_task(ask()) for _ in range(8)]
        await until(lambda: _at_least(runs, 20))
        assert await server.end() == 0
        await asyncio.gather(*asking, return_exceptions=True)
    async with client_of(await site.serve()) as client:
        for run in runs:
            await client.becomes(run, "completed")
            assert await client.answers(run) == [("completed", "Hello")]


async def _at_least(runs: list[Json], count: int) -> bool:
    return len(runs) >= count
