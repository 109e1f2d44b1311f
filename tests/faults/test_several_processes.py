"""Servers and workers on one database: who drives a run, and what happens when that one stops."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path

import psycopg

from tests.faults.harness import TAKEN_OVER, Json, Process, Site, client_of, until
from tests.scripted import Call, Reply, ScriptedUpstream


async def test_a_worker_drives_what_a_server_queues(site: Site, upstream: ScriptedUpstream) -> None:
    server = await site.serve(RETINUE_SERVE_WORKER="false")
    async with client_of(server) as client:
        run = await client.run(await client.assistant())
        assert (await client.look(run))["status"] == "queued"
        worker = await site.worker()
        await client.becomes(run, "completed")
        second = await client.run(run["assistant_id"])
        await client.becomes(second, "completed")
        assert await client.answers(second) == [("completed", "Hello")]
    assert await worker.end() == 0


async def test_more_runs_than_one_process_drives_at_once(site: Site, upstream: ScriptedUpstream) -> None:
    async with client_of(await site.serve(RETINUE_RUN_CONCURRENCY=2)) as client:
        assistant = await client.assistant()
        runs = await asyncio.gather(*(client.run(assistant, f"number {number}") for number in range(30)))
        for number, run in enumerate(runs):
            await client.becomes(run, "completed")
            assert await client.answers(run) == [("completed", f"number {number}")]
    assert len(upstream.requests) == 30


async def test_cancelling_through_another_process(site: Site, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(chunks=["Half "], hang=True))
    driving, other = await asyncio.gather(site.serve(), site.serve())
    async with client_of(driving) as client, client_of(other) as elsewhere:
        run = await client.run(await client.assistant())
        await upstream.wait_for_requests(1)
        await client.becomes(run, "in_progress")
        asked = await elsewhere.post(f"/threads/{run['thread_id']}/runs/{run['id']}/cancel")
        assert asked["status"] == "cancelling"
        # Its driver hears of it when it renews its lease, and hangs up on the model.
        await elsewhere.becomes(run, "cancelled")
        await asyncio.wait_for(upstream.wait_for_disconnects(1), TAKEN_OVER)
        assert await client.answers(run) == [("incomplete", "Half ")]
        assert [step["status"] for step in await client.steps(run)] == ["cancelled"]
        await elsewhere.unlocked(run)


async def test_a_driver_that_slept_too_long_writes_nothing_more(site: Site, upstream: ScriptedUpstream) -> None:
    more = asyncio.Event()
    upstream.script(Reply(chunks=["Late ", more, "answer"]), Reply(text="In time."))
    sleeper, other = await asyncio.gather(site.serve(), site.serve())
    async with client_of(sleeper) as client, client_of(other) as elsewhere:
        run = await client.run(await client.assistant())
        await upstream.wait_for_requests(1)
        await client.becomes(run, "in_progress")
        sleeper.send(signal.SIGSTOP)
        await elsewhere.becomes(run, "completed")
        before = await elsewhere.messages(run), await elsewhere.steps(run), await elsewhere.look(run)
        # Its whole answer waits for the sleeper when it wakes.
        more.set()
        sleeper.send(signal.SIGCONT)
        await until(lambda: _said(sleeper, "drive stopped"))
        assert (await client.messages(run), await client.steps(run), await client.look(run)) == before
        assert await client.answers(run) == [("completed", "In time.")]


async def test_a_thread_deleted_elsewhere_takes_its_session_along(site: Site, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("code_interpreter", {"code": "print(6 * 7)"})]), Reply(text="42"))
    driving = await site.serve(RETINUE_SANDBOX_WARM_SESSIONS=0)
    other = await site.serve(RETINUE_SERVE_WORKER="false")

    async def sandboxed() -> int:
        return len(_sandboxes_of(driving.pid))

    async def ended() -> bool:
        return not await sandboxed()

    async with client_of(driving) as client, client_of(other) as elsewhere:
        run = await client.run(await client.assistant(tools=[{"type": "code_interpreter"}]))
        await client.becomes(run, "completed", seconds=60)
        assert await client.answers(run) == [("completed", "42")]
        # No further session waits: these processes are the thread's.
        assert await sandboxed()
        answer = await elsewhere.ask("DELETE", f"/threads/{run['thread_id']}")
        assert answer.body["deleted"]
        await until(ended)


def _sandboxes_of(pid: int) -> list[int]:
    """The descendants of a process that are sandboxes, or run in one."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (thread / "children").read_text().split()):
                found += [child] if b"bwrap" in Path(f"/proc/{child}/cmdline").read_bytes() else []
                found += _sandboxes_of(child)
    return found


async def _said(process: Process, text: str) -> bool:
    return text in process.log


async def test_a_worker_killed_at_a_job(site: Site, upstream: ScriptedUpstream, database: str) -> None:
    upstream.script(Reply(chunks=["Half "], hang=True))
    server = await site.serve(RETINUE_SERVE_WORKER="false")
    first = await site.worker()
    async with client_of(server) as client:
        run = await client.run(await client.assistant())
        await upstream.wait_for_requests(1)
        with psycopg.connect(database) as connection:
            jobs = "select status::text from procrastinate_jobs where task_name = 'drive_run'"
            assert connection.execute(jobs).fetchall() == [("doing",)]
        await first.kill()
        await site.worker()
        await client.becomes(run, "completed")
        assert await client.answers(run) == [("completed", "Hello")]
        # The worker's queue still works.
        second: Json = await client.run(run["assistant_id"])
        await client.becomes(second, "completed")


async def test_cancelling_what_waits_behind_others(site: Site, upstream: ScriptedUpstream) -> None:
    upstream.default = Reply(hang=True)
    server = await site.serve(RETINUE_SERVE_WORKER="false")
    await site.worker(RETINUE_RUN_CONCURRENCY=1)
    async with client_of(server) as client:
        assistant = await client.assistant()
        busy = await client.run(assistant)
        await client.becomes(busy, "in_progress")
        waiting = await client.run(assistant)
        cancelled = await client.post(f"/threads/{waiting['thread_id']}/runs/{waiting['id']}/cancel")
        assert cancelled["status"] == "cancelled"
        await client.unlocked(waiting)
