"""A model's server that refuses, hangs, drops or drips, seen through a real Retinue."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from tests.faults.harness import Client, Json, Process, Site, client_of
from tests.scripted import Reply, ScriptedUpstream


async def _fails(server: Process) -> Json:
    async with client_of(server) as client:
        run = await client.run(await client.assistant())
        ended = await client.becomes(run, "failed")
        assert ended["last_error"]["code"] == "server_error"
        assert ended["failed_at"] is not None
        await _recovers(client, run)
        return ended


async def _recovers(client: Client, run: Json) -> None:
    assert "in_progress" not in [status for status, _ in await client.answers(run)]
    await client.unlocked(run)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


async def test_refused(site: Site, closed_port: int) -> None:
    site.configure(f"http://127.0.0.1:{closed_port}/v1", retries=1)
    ended = await _fails(await site.serve())
    assert ended["last_error"]["message"]


async def test_accepts_and_hangs(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        site.configure(f"http://127.0.0.1:{silent.getsockname()[1]}/v1", read_timeout=0.3)
        await _fails(await site.serve())


async def test_drops_in_the_middle(site: Site, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="one two three four", break_after=2))
    site.configure(upstream.base_url, retries=2)
    async with client_of(await site.serve()) as client:
        run = await client.run(await client.assistant())
        await client.becomes(run, "failed")
        # What was answered once is not asked for again.
        assert len(upstream.requests) == 1
        assert await client.answers(run) == [("incomplete", "one two")]
        await _recovers(client, run)


async def test_stops_in_the_middle(site: Site, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="one two", hang=True))
    site.configure(upstream.base_url, read_timeout=0.3)
    async with client_of(await site.serve()) as client:
        run = await client.run(await client.assistant())
        await client.becomes(run, "failed")
        assert await client.answers(run) == [("incomplete", "one two")]


async def test_drips(site: Site, upstream: ScriptedUpstream) -> None:
    """A slow answer is no broken one: each piece comes in time."""
    drops = [asyncio.Event() for _ in range(5)]
    upstream.script(Reply(chunks=[part for drop in drops for part in ("drop ", drop)]))
    site.configure(upstream.base_url, read_timeout=1)
    async with client_of(await site.serve()) as client:
        run = await client.run(await client.assistant())
        for number, drop in enumerate(drops):
            asyncio.get_running_loop().call_later(0.4 * (number + 1), drop.set)
        await client.becomes(run, "completed")
        assert await client.answers(run) == [("completed", "drop " * 5)]


async def test_a_run_that_never_ends_expires(site: Site, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="one two", hang=True))
    async with client_of(await site.serve(RETINUE_RUN_EXPIRY=2)) as client:
        run = await client.run(await client.assistant())
        await client.becomes(run, "expired")
        assert await client.answers(run) == [("incomplete", "one two")]
        assert [step["status"] for step in await client.steps(run)] == ["expired"]
        await client.unlocked(run)
