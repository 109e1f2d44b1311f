"""Limits that are about no model: runs at once, time of code, storage."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ..harness import Api, Server, eventually, run_path
from ..scripted import Call, Reply, ScriptedUpstream
from .test_code_interpreter import CODE, code, told
from .test_rate_limits import admin, set_limits

__all__ = ["admin"]


async def statuses(api: Api, runs: list[dict[str, Any]]) -> list[str]:
    return [(await api.get(run_path(run)))["status"] for run in runs]


# --- runs


@pytest.mark.settings(max_concurrent_runs=2)
async def test_further_runs_stay_queued_until_others_end(api: Api, other: Api, upstream: ScriptedUpstream) -> None:
    go_on = asyncio.Event()
    upstream.script(*[Reply(chunks=["Half ", go_on, "whole."])] * 2)
    runs = [await api.start("Hello") for _ in range(5)]
    await eventually(lambda: statuses(api, runs), lambda now: now.count("in_progress") == 2)
    # Another project is not concerned, and what waits can be cancelled.
    assert (await other.run("Hello"))["status"] == "completed"
    assert (await statuses(api, runs)).count("queued") == 3
    waiting = next(run for run, now in zip(runs, await statuses(api, runs), strict=True) if now == "queued")
    await api.post(run_path(waiting) + "/cancel")
    assert (await api.get(run_path(waiting)))["status"] == "cancelled"
    assert len(upstream.requests) == 3
    go_on.set()
    ended = await eventually(lambda: statuses(api, runs), lambda now: now.count("completed") == 4)
    assert sorted(ended) == ["cancelled", *["completed"] * 4]


@pytest.mark.settings(max_concurrent_runs=1)
async def test_a_streamed_run_waits_in_its_stream(api: Api, upstream: ScriptedUpstream) -> None:
    go_on = asyncio.Event()
    upstream.script(Reply(chunks=["Half ", go_on, "whole."]))
    first = await api.start("Hello")
    await upstream.wait_for_requests(1)
    body = {"assistant_id": await api.assistant(), "thread": {"messages": [{"role": "user", "content": "Hello"}]}}
    second = asyncio.create_task(api.stream("/threads/runs", body))
    await asyncio.sleep(0.5)
    assert len(upstream.requests) == 1
    assert not second.done()
    go_on.set()
    events = await asyncio.wait_for(second, 20)
    assert [event.name for event in events][-2:] == ["thread.run.completed", "done"]
    assert (await api.until(first))["status"] == "completed"


@pytest.mark.settings(max_concurrent_runs=1)
async def test_runs_that_wait_for_their_client_hold_no_place(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("weather", {})]))
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    first = await api.run("Hello", assistant={"tools": [tool]})
    assert first["status"] == "requires_action"
    assert (await api.run("Hello"))["status"] == "completed"


async def test_many_runs_are_never_more_at_once_than_may_be(
    server: Server, api: Api, admin: Api, upstream: ScriptedUpstream
) -> None:
    await set_limits(admin, max_concurrent_runs=3)
    upstream.script(*[Reply(text="Hi.", delay_before=0.03)] * 20)
    await asyncio.gather(*(api.start("Hello") for _ in range(20)))
    most = 0

    async def look() -> list[str]:
        """All at one moment: asked one after the other, a run may end and another begin meanwhile."""
        nonlocal most
        now = [row[0] for row in await server.app.state.store.database.rows("select status from runs", {})]
        most = max(most, now.count("in_progress"))
        return now

    await eventually(look, lambda now: now == ["completed"] * 20)
    assert 1 <= most <= 3


# --- time of code


@pytest.mark.settings(sandbox_seconds_per_day=1)
async def test_code_beyond_the_time_is_not_run_and_the_model_is_told(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(code("print(1)"), code("print(2)"), Reply(text="I could not run the code."))
    run = await api.run("Hello", assistant=CODE)
    assert run["status"] == "completed"
    assert "used up the time that its code may run in a day" in told(upstream)
    assert "again in about" in told(upstream)


# --- storage


@pytest.mark.settings(max_storage_bytes=1000)
async def test_uploads_beyond_the_storage_are_refused(server: Server, api: Api, other: Api, admin: Api) -> None:
    first = await api.upload(b"x" * 900)
    assert first.status == 200
    refused = await api.upload(b"x" * 101)
    assert refused.status == 400
    error = refused.body["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "storage_limit_exceeded")
    assert "100 bytes are left, and 101 are needed" in error["message"]
    # Nothing of it stays behind.
    rows = await server.app.state.store.database.rows("select key from loose_blobs", {})
    assert not rows
    assert (await api.upload(b"x" * 100)).status == 200
    assert (await other.upload(b"x" * 1000)).status == 200
    # Parts of a larger file are refused before they come, and a full project indexes nothing more.
    wanted = {"bytes": 1, "filename": "a.txt", "purpose": "assistants", "mime_type": "text/plain"}
    assert (await api.refused("POST", "/uploads", wanted))["code"] == "storage_limit_exceeded"
    body = {"file_ids": [first.body["id"]]}
    assert (await api.refused("POST", "/vector_stores", body))["code"] == "storage_limit_exceeded"
    await api.delete(f"/files/{first.body['id']}")
    assert (await api.upload(b"x" * 900)).status == 200
    await set_limits(admin, max_storage_bytes=2000)
    assert (await api.upload(b"x" * 1000)).status == 200


@pytest.mark.settings(max_storage_bytes=1000)
async def test_uploads_side_by_side_cannot_share_the_last_bytes(api: Api) -> None:
    answers = await asyncio.gather(*(api.upload(b"x" * 300) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [200] * 3 + [400] * 5


@pytest.mark.settings(max_storage_bytes=10)
async def test_files_of_code_that_do_not_fit_are_told_of(api: Api, upstream: ScriptedUpstream) -> None:
    draw = "import matplotlib.pyplot as plt\nplt.plot([1]); plt.show()\nopen('/mnt/data/a.txt', 'w').write('x' * 99)"
    upstream.script(code(draw), Reply(text="Sorry."))
    run = await api.run("Hello", assistant=CODE)
    assert run["status"] == "completed"
    assert "storage limit" in told(upstream)
    assert (await api.get("/files"))["data"] == []
