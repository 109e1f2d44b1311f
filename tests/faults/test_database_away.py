"""The database goes away under load: 503 in the official shape, runs survive, and all is well when it is back."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from retinue.store.embedded import EmbeddedPostgres
from retinue.store.embedded_cluster import Cluster
from tests.faults.harness import Answer, Client, Json, Site, client_of, retinue, until
from tests.scripted import Reply, ScriptedUpstream


@pytest.fixture
async def own_site(tmp_path: Path, upstream: ScriptedUpstream) -> AsyncIterator[Site]:
    """An installation whose server runs the embedded PostgreSQL itself."""
    site = Site(tmp_path / "data")
    site.configure(upstream.base_url)
    yield site
    await site.close()


class Load:
    """Reads and writes without pause, and every answer they got."""

    def __init__(self, client: Client, assistant: str) -> None:
        self._client = client
        self._assistant = assistant
        self.answers: list[tuple[float, Answer]] = []
        self.runs: list[Json] = []
        self._tasks = [asyncio.create_task(self._ask(kind)) for kind in ("read", "write", "run", "list")]

    async def _ask(self, kind: str) -> None:
        thread = {"messages": [{"role": "user", "content": "Hello"}]}
        requests = {
            "read": ("GET", f"/assistants/{self._assistant}", None),
            "write": ("POST", "/threads", thread),
            "run": ("POST", "/threads/runs", {"assistant_id": self._assistant, "thread": thread}),
            "list": ("GET", "/assistants", None),
        }
        while True:
            answer = await self._client.ask(*requests[kind])
            self.answers.append((time.monotonic(), answer))
            if kind == "run" and answer.status == 200:
                self.runs.append(answer.body)
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            assert isinstance(result, asyncio.CancelledError), result

    def check(self) -> None:
        """Every answer is an official one."""
        for _, answer in self.answers:
            assert answer.status in (200, 503), answer.body
            if answer.status == 503:
                assert set(answer.body["error"]) == {"message", "type", "param", "code"}
                assert int(answer.headers["retry-after"]) >= 1

    def refused(self, since: float) -> int:
        return sum(answer.status == 503 for at, answer in self.answers if at > since)

    async def well(self, since: float, count: int = 20) -> None:
        """Wait until so many requests have been answered well since then."""

        async def enough() -> bool:
            return sum(answer.status == 200 for at, answer in self.answers if at > since) >= count

        await until(enough)


async def test_the_embedded_database_is_killed_under_load(own_site: Site, upstream: ScriptedUpstream) -> None:
    more = asyncio.Event()
    upstream.script(Reply(chunks=["Half ", more, "and whole"]))
    async with client_of(await own_site.serve()) as client:
        assistant = await client.assistant()
        survivor = await client.run(assistant)
        await upstream.wait_for_requests(1)
        load = Load(client, assistant)
        for _ in range(2):
            await load.well(time.monotonic())
            postmaster = Cluster(own_site.data).postmaster()
            assert postmaster is not None
            os.kill(postmaster.pid, signal.SIGKILL)

            async def another(old: int = postmaster.pid) -> bool:
                server = Cluster(own_site.data).postmaster()
                return server is not None and server.pid != old

            await until(another)
        more.set()
        await load.well(time.monotonic())
        # From here on nothing is refused any more.
        since = time.monotonic()
        await load.well(since, 100)
        await load.stop()
        load.check()
        assert load.refused(since) == 0
        await client.becomes(survivor, "completed")
        assert await client.answers(survivor) == [("completed", "Half and whole")]
        for run in load.runs:
            await client.becomes(run, "completed")
            assert await client.answers(run) == [("completed", "Hello")]


async def test_the_database_is_stopped_for_ten_seconds(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    postgres = EmbeddedPostgres(tmp_path / "elsewhere")
    conninfo = await postgres.start()
    site = Site(tmp_path / "data", DATABASE_URL=conninfo)
    site.configure(upstream.base_url)
    more = asyncio.Event()
    upstream.script(Reply(chunks=["Half ", more, "and whole"]))
    try:
        async with client_of(await site.serve()) as client:
            assistant = await client.assistant()
            survivor = await client.run(assistant)
            await upstream.wait_for_requests(1)
            load = Load(client, assistant)
            await load.well(time.monotonic())
            await postgres.stop()
            await asyncio.sleep(5)
            more.set()
            await asyncio.sleep(5)  # the outage itself
            assert await postgres.start() == conninfo
            back = time.monotonic()
            await load.well(back)
            recovered = time.monotonic() - back
            print(f"answered well again after {recovered:.1f} s")
            # Not an outage more: connections are tried again every few seconds, however long it lasted.
            assert recovered < 20
            since = time.monotonic()
            await load.well(since, 100)
            await load.stop()
            load.check()
            assert load.refused(since) == 0
            await client.becomes(survivor, "completed")
            assert await client.answers(survivor) == [("completed", "Half and whole")]
            for run in load.runs:
                await client.becomes(run, "completed")
    finally:
        await site.close()
        await postgres.stop()


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_no_database_at_the_start(tmp_path: Path, command: str) -> None:
    (tmp_path / "retinue.toml").write_text('default_model = "m"\n[models.m]\nbase_url = "http://127.0.0.1:9/v1"\n')
    ended = retinue(tmp_path, command, DATABASE_URL="postgresql://nobody@127.0.0.1:1/none?connect_timeout=2")
    assert ended.returncode == 1
    assert "error: the database cannot be reached" in ended.stderr
    assert "DATABASE_URL" in ended.stderr
    assert "Traceback" not in ended.stderr
